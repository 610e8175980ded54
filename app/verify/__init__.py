"""The ledger check: everything that is stored twice is computed again from the rows, and compared.

Balances from transfers, charges from messages, states from the queue, versions from the journal. Every check is one statement
that returns what is wrong, so that a million messages are a matter of seconds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from app.identifiers import public_id
from app.ledger import format_credits
from app.models import User
from app.statements import Passed, recheck
from app.statistics import margin_check
from app.verify.statements import STATEMENTS, TOTALS, Statement, Unit

EXAMPLES = 100
"""Most findings of one kind that are returned; all are counted."""

MONTHS_TITLE = "Closed months are what their rows say"
MARGIN_TITLE = "Sums of costs and margin are what their rows say"

Progress = Callable[[str, int, int], None]
"""Called before each check with its title, its index and the number of checks; while closed months are read, again and again."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a stored value is not what the rows say. Amounts are credits."""

    kind: str
    subject: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What the check found. `counts` are findings by kind, those beyond `EXAMPLES` included; `totals` say how much was looked at."""

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    totals: Mapping[str, int]
    titles: Mapping[str, str]

    @property
    def correct(self) -> bool:
        return not self.counts


def verify(session: Session, *, progress: Progress | None = None) -> Verification:
    """Compute everything again and return what differs.

    Shape: `session` has not been used yet in its transaction: the whole check sees one state of the database.
    """
    _see_one_state(session)
    count = len(STATEMENTS) + 2
    told: Progress = progress or (lambda _title, _index, _count: None)
    result = compare(session, STATEMENTS, lambda title, index, _count: told(title, index, count))
    told(MARGIN_TITLE, count - 2, count)
    result = _with_margins(session, result)
    told(MONTHS_TITLE, count - 1, count)
    return _with_closed_months(session, result, lambda done, total: told(f"{MONTHS_TITLE}: {done:,} of {total:,} rows", count - 1, count))


def _with_margins(session: Session, result: Verification) -> Verification:
    """Add where the sums of costs and margin differ; `pennywire report rebuild` makes those of the journal again."""
    findings: list[Finding] = []
    names: dict[int, str] | None = None
    for item in margin_check.check(session):
        if names is None:
            names = {row.id: row.username for row in session.execute(select(User.id, User.username))}
        shown = format_credits if item.column.endswith("_uc") else str
        words = [f"margin of {names.get(item.user_id, item.user_id)}", item.place, item.column.removesuffix("_uc").replace("_", " ")]
        findings.append(Finding(item.kind, ", ".join(word for word in words if word), shown(item.expected), shown(item.found)))
    return _together(result, findings, margin_check.TITLES)


CLOSED_MONTHS: Mapping[str, str] = {
    "statement_opening": "A closed month opens with what the one before it closed with",
    "statement_closing": "A closed month closes with its opening and its rows",
    "statement_digest": "A closed month is as it was closed, and so are its rows",
}


def _with_closed_months(session: Session, result: Verification, passed: Passed) -> Verification:
    """Add what the rows say of closed months; all of them are computed again in one pass."""
    found = (Finding(item.kind, item.subject, item.expected, item.found) for item in recheck(session, passed))
    return _together(result, found, CLOSED_MONTHS)


def _together(result: Verification, found: Iterable[Finding], titles: Mapping[str, str]) -> Verification:
    """Add findings to a result: all are counted, some are kept."""
    findings, counts = list(result.findings), dict(result.counts)
    for item in found:
        counts[item.kind] = counts.get(item.kind, 0) + 1
        if counts[item.kind] <= EXAMPLES:
            findings.append(item)
    return Verification(tuple(findings), counts, result.totals, {**result.titles, **titles})


def verify_balances(session: Session) -> Verification:
    """As `verify`, the accounts only: balances and reservations against the sums of their rows."""
    _see_one_state(session)
    return compare(session, [statement for statement in STATEMENTS if statement.unit is Unit.ACCOUNT])


def compare(session: Session, statements: Sequence[Statement], progress: Progress | None = None) -> Verification:
    """Run statements on what the session sees now."""
    findings: list[Finding] = []
    counts: dict[str, int] = {}
    for index, statement in enumerate(statements):
        if progress is not None:
            progress(statement.title, index, len(statements))
        found, count = _run(session, statement)
        findings += found
        if count:
            counts[statement.kind] = counts.get(statement.kind, 0) + count
    totals = {name: int(session.execute(text(sql)).scalar_one()) for name, sql in TOTALS.items()}
    titles = {statement.kind: statement.title for statement in statements}
    return Verification(tuple(findings), counts, totals, titles)


def _see_one_state(session: Session) -> None:
    """Let all statements see the same rows while the gateway goes on; a transaction of SQLite does so by itself."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        session.execute(text("SET LOCAL statement_timeout = 0"))
        # Rows of closed months are hashed between two statements; on a busy machine that looks idle for long.
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        session.execute(text("SET LOCAL work_mem = '64MB'"))


def _run(session: Session, statement: Statement) -> tuple[list[Finding], int]:
    """Return the first findings of a check, and how many there are."""
    sql = text(f"SELECT q.*, COUNT(*) OVER () AS finding_count FROM ({statement.sql}) q LIMIT {EXAMPLES}")  # noqa: S608  # our own text
    rows = session.execute(sql.bindparams(*(bindparam(name, value, expanding=True) for name, value in statement.values.items()))).all()
    shown = format_credits if statement.amounts else str
    findings = [
        Finding(statement.kind, _SUBJECTS[statement.unit](row.subject), _shown(row.expected, shown), _shown(row.found, shown))
        for row in rows
    ]
    return findings, int(rows[0].finding_count) if rows else 0


def _shown(value: object, shown: Callable[[int], str]) -> str:
    """Return a value for people; PostgreSQL's sums are decimals."""
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else shown(int(value))  # type: ignore[call-overload]  # a number of the driver


_SUBJECTS: Mapping[Unit, Callable[[object], str]] = {
    Unit.ACCOUNT: lambda name: f"account {name}",
    Unit.COUNTER: lambda name: f"limit of account {name}",
    Unit.CURRENCY: lambda name: f"currency {name}",
    Unit.TRANSFER: lambda number: f"transfer {number}",
    Unit.MESSAGE: lambda number: f"message {public_id(int(str(number)))}",
}

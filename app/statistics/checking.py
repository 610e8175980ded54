"""Checking: the sums, with what is not counted yet, must be what messages, journal and ledger say."""

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.models import QuarterSums, table
from app.statistics.counting import sums_of_rest
from app.statistics.figures import COLUMNS, EVERYBODY

_SUMS = table(QuarterSums)

_MESSAGES = """
SELECT user_id, direction, COUNT(*) AS accepted_count, SUM(segment_count) AS accepted_segment_count,
    SUM(CASE WHEN direction = 'outbound' AND state = 'sent' THEN 1 ELSE 0 END) AS standing_sent_count,
    SUM(CASE WHEN direction = 'outbound' AND state = 'delivered' THEN 1 ELSE 0 END) AS standing_delivered_count,
    SUM(CASE WHEN direction = 'outbound' AND state IN ('undeliverable', 'rejected', 'expired', 'cancelled') THEN 1 ELSE 0 END)
        AS standing_failed_count
FROM messages GROUP BY user_id, direction
"""
_OF_STATES = ", ".join(
    f"SUM(CASE e.kind WHEN '{state}' THEN 1 ELSE 0 END) AS {state}_count, "
    f"SUM(CASE e.kind WHEN '{state}' THEN m.segment_count ELSE 0 END) AS {state}_segment_count"
    for state in ("sent", "delivered", "undeliverable", "rejected", "expired", "cancelled", "in_doubt")
)
_EVENTS = f"""
SELECT m.user_id, m.direction, {_OF_STATES} FROM events e JOIN messages m ON m.id = e.message_id GROUP BY m.user_id, m.direction
"""  # noqa: S608  # our own text
_TRANSFERS = """
SELECT m.user_id, m.direction, SUM(CASE t.kind WHEN 'charge' THEN t.amount_uc ELSE 0 END) AS charged_uc,
    SUM(CASE t.kind WHEN 'settle' THEN t.amount_uc WHEN 'pay' THEN -t.amount_uc ELSE 0 END) AS settled_uc,
    SUM(CASE t.kind WHEN 'release' THEN t.amount_uc ELSE t.released_uc END) AS released_uc,
    SUM(CASE t.kind WHEN 'refund' THEN t.amount_uc ELSE 0 END) AS refunded_uc
FROM transfers t JOIN messages m ON m.id = t.message_id WHERE t.level = 0 GROUP BY m.user_id, m.direction
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A sum that is not what its rows say. `column` ends in `_uc` where the values are microcredits; user 0 is everybody."""

    user_id: int
    direction: str
    column: str
    expected: int
    found: int


def check(session: Session) -> list[Difference]:
    """Compare the sums of each user and direction with the rows. Shape: `session` sees one state of the database throughout."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 0"))
    found, expected = _found(session), _expected(session)
    zero = dict.fromkeys(COLUMNS, 0)
    return [
        Difference(*place, column, wanted, present)
        for place in sorted(found.keys() | expected.keys())
        for column in COLUMNS
        if (wanted := expected.get(place, zero)[column]) != (present := found.get(place, zero)[column])
    ]


Sides = dict[tuple[int, str], dict[str, int]]


def _found(session: Session) -> Sides:
    groups = (_SUMS.c.user_id, _SUMS.c.direction)
    stored = session.execute(select(*groups, *(func.sum(_SUMS.c[name]) for name in COLUMNS)).group_by(*groups))
    sides: Sides = {(row[0], row[1]): {name: int(value) for name, value in zip(COLUMNS, row[2:], strict=True)} for row in stored}
    for (user_id, _quarter, direction, *_rest), numbers in sums_of_rest(session).items():
        side = sides.setdefault((user_id, direction), dict.fromkeys(COLUMNS, 0))
        for name, number in zip(COLUMNS, numbers, strict=True):
            side[name] += number
    return sides


def _expected(session: Session) -> Sides:
    sides: Sides = {}
    for statement in (_MESSAGES, _EVENTS, _TRANSFERS):
        for row in session.execute(text(statement)).mappings():
            for user_id in (row["user_id"], EVERYBODY):
                side = sides.setdefault((user_id, row["direction"]), dict.fromkeys(COLUMNS, 0))
                for name, number in row.items():
                    if name in side:
                        side[name] += int(number)
    return sides

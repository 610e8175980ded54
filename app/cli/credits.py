"""`pennywire credits`: amounts are exact decimals."""

from typing import IO, Any

import click
from sqlalchemy.orm import Session

from app import administration
from app.administration import Movement, MovementState
from app.cli import approvals, summaries, warnings
from app.cli.answers import Failed, answer, answer_table
from app.cli.approvals import described
from app.cli.naming import actor_of, named
from app.cli.opening import ACTOR, read, write
from app.cli.options import Group
from app.cli.users import described_account
from app.clock import utc_now
from app.ledger import format_credits, parse_credits

#: An amount may begin with a minus, which click would take for an option.
_WITH_NEGATIVE_AMOUNTS = {"ignore_unknown_options": True}


@click.group("credits", cls=Group)
def credits_() -> None:
    """Top up, correct and show credit; warn, suspend and release."""


for _command in (*approvals.COMMANDS, *summaries.COMMANDS, *warnings.COMMANDS):
    credits_.add_command(_command)


def _account(session: Session, username: str) -> dict[str, Any]:
    account = administration.account_of(session, administration.find_user(session, username))
    session.refresh(account)
    return {"username": username, **described_account(account)}


@credits_.command("add", context_settings=_WITH_NEGATIVE_AMOUNTS)
@click.argument("username")
@click.argument("amount")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@click.option("--reference", default="", help="Such as the number of an invoice.")
@click.option("--key", default="", help="The same key moves nothing twice.")
@named
def add(username: str, amount: str, reason: str, reference: str, key: str, name: str | None, password_file: IO[str] | None) -> None:
    """Top up an account by AMOUNT credits; a negative amount is a correction."""
    amount_uc, actor = parse_credits(amount), actor_of(name, password_file)

    def work(session: Session) -> tuple[Movement, dict[str, Any]]:
        movement = administration.top_up(
            session, username, amount_uc, now=utc_now(), actor=actor, reason=reason, reference=reference, key=key
        )
        return movement, _account(session, username)

    _tell(*write(work))


@credits_.command("set", context_settings=_WITH_NEGATIVE_AMOUNTS)
@click.argument("username")
@click.argument("amount")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@click.option("--reference", default="", help="Such as the number of an invoice.")
@click.option("--key", default="", help="The same key moves nothing twice.")
@named
def set_(username: str, amount: str, reason: str, reference: str, key: str, name: str | None, password_file: IO[str] | None) -> None:
    """Bring what a user may spend to AMOUNT credits, by a correction."""
    target_uc, actor = parse_credits(amount), actor_of(name, password_file)

    def work(session: Session) -> tuple[Movement, dict[str, Any]]:
        movement = administration.set_credits(
            session, username, target_uc, now=utc_now(), actor=actor, reason=reason, reference=reference, key=key
        )
        return movement, _account(session, username)

    _tell(*write(work))


def _tell(movement: Movement, account: dict[str, Any]) -> None:
    """Answer what became of a movement, and what the account has now."""
    words = f"{account['username']} has {account['available']} credits now."
    done = movement.state is MovementState.DONE
    answer(account | {"movement": described(movement)}, words if done else f"{movement.words} {words}")


@credits_.command("limit", context_settings=_WITH_NEGATIVE_AMOUNTS)
@click.argument("username")
@click.argument("limit")
@click.option("--unlimited/--limited", default=False, help="Count, but refuse nothing.")
def limit_(username: str, limit: str, unlimited: bool) -> None:
    """Say how far an account may go: 0 is prepaid, a negative LIMIT is a credit line."""
    limit_uc = parse_credits(limit)

    def work(session: Session) -> dict[str, Any]:
        administration.edit_account(session, username, limit_uc=limit_uc, unlimited=unlimited, now=utc_now(), actor=ACTOR)
        return _account(session, username)

    result = write(work)
    words = "without a limit" if unlimited else f"down to {format_credits(limit_uc)} credits"
    answer(result, f"{username} may go {words}.")


_PERIOD = click.Choice(administration.PERIODS)


@credits_.command("period", context_settings=_WITH_NEGATIVE_AMOUNTS)
@click.argument("username")
@click.argument("period", type=_PERIOD)
@click.option("--segments", help="Most segments in each period, or none.")
@click.option("--credits", "amount", help="Most credits in each period, or none.")
def period_(username: str, period: str, segments: str | None, amount: str | None) -> None:
    """Limit what an account may send in each PERIOD. What was accepted in the present one counts already."""
    given = {unit: text for unit, text in (("segments", segments), ("credits", amount)) if text is not None}
    if not given:
        raise Failed("missing_parameter", "No limit was given. Use --segments, --credits, or both.")
    wanted = {unit: None if text == "none" else administration.read_most(unit, text) for unit, text in given.items()}

    def work(session: Session) -> list[dict[str, Any]]:
        now = utc_now()
        for unit, most in wanted.items():
            if most is None:
                administration.remove_limit(session, username, period, unit, now=now, actor=ACTOR)
            else:
                administration.set_limit(session, username, period, unit, most, now=now, actor=ACTOR)
        return _uses(session, username)

    answer_table(write(work), _USES, empty=f"{username} has no period limits now.")


@credits_.command("periods")
@click.argument("username")
def periods(username: str) -> None:
    """Show the period limits of an account, and what is used of them."""
    answer_table(read(lambda session: _uses(session, username)), _USES, empty=f"{username} has no period limits.")


_USES = {"period": "PERIOD", "unit": "UNIT", "used": "USED", "most": "MOST", "started_at": "SINCE", "ends_at": "UNTIL"}


def _uses(session: Session, username: str) -> list[dict[str, Any]]:
    account = administration.account_of(session, administration.find_user(session, username))
    session.refresh(account)
    return [
        {
            "period": use.period.value,
            "unit": use.unit.value,
            "used": administration.show_most(use.unit, use.used),
            "most": administration.show_most(use.unit, use.most),
            "started_at": use.started_at,
            "ends_at": use.ends_at,
        }
        for use in administration.usage_of(session, account, utc_now())
    ]


@credits_.command("calendar")
@click.argument("username")
@click.option("--time-zone", required=True, help="Where the account's days begin, such as Europe/Budapest; empty is the gateway's.")
@click.option("--week-start", default="Monday", show_default=True, help="The day on which its weeks begin.")
def calendar(username: str, time_zone: str, week_start: str) -> None:
    """Say where an account's days begin. What was accepted in its present periods is counted again."""
    day = administration.read_week_start(week_start)
    write(lambda session: administration.set_calendar(session, username, time_zone=time_zone, week_start=day, now=utc_now(), actor=ACTOR))
    answer({"username": username, "time_zone": time_zone, "week_start": day}, f"The calendar of {username} is set.")


@credits_.command("parent")
@click.argument("username")
@click.argument("parent")
@click.option("--mode", type=click.Choice(administration.MODES), default="own", show_default=True, help="Who pays for a message.")
def parent_(username: str, parent: str, mode: str) -> None:
    """Put the account of USERNAME below that of PARENT, a reseller; none takes it out.

    own: its credit is bought from the account above, by `credits allot`. shared: each message debits both.
    """
    above = None if parent == "none" else parent
    write(lambda session: administration.set_parent(session, username, above, mode=mode, now=utc_now(), actor=ACTOR))
    result = {"username": username, "parent": above or "", "mode": mode if above else "own"}
    answer(result, f"{username} stands below {above} now." if above else f"{username} stands below nobody now.")


@credits_.command("allot", context_settings=_WITH_NEGATIVE_AMOUNTS)
@click.argument("username")
@click.argument("amount")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@click.option("--reference", default="", help="Such as the number of an invoice.")
@click.option("--key", default="", help="A repeat with the same key moves nothing.")
def allot(username: str, amount: str, reason: str, reference: str, key: str) -> None:
    """Give USERNAME credit from the account above his; a negative AMOUNT takes it back."""
    amount_uc = parse_credits(amount)

    def work(session: Session) -> dict[str, Any]:
        administration.allot(session, username, amount_uc, now=utc_now(), actor=ACTOR, reason=reason, reference=reference, key=key)
        return _account(session, username)

    result = write(work)
    answer(result, f"{username} has {result['available']} credits now.")

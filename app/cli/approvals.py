"""`pennywire credits pending|approve|reject`: movements of credit that take a second person."""

from typing import IO, Any

import click
from sqlalchemy.orm import Session

from app import administration
from app.administration import Movement, ProposalView
from app.cli.answers import answer, answer_table
from app.cli.naming import actor_of, named
from app.cli.opening import read, write
from app.cli.options import Command
from app.clock import utc_now
from app.ledger import format_credits

_COLUMNS = {
    "id": "NUMBER",
    "username": "USER",
    "kind": "KIND",
    "amount": "AMOUNT",
    "reason": "REASON",
    "reference": "REFERENCE",
    "proposed_by": "PROPOSED BY",
    "proposed_at": "AT",
    "state": "STATE",
}


def described(movement: Movement) -> dict[str, Any]:
    """Return what became of a movement, for programs."""
    return {
        "state": movement.state.value,
        "amount": format_credits(movement.amount_uc),
        "proposal": movement.proposal_id,
        "replayed": movement.replayed,
    }


def _row(proposal: ProposalView) -> dict[str, Any]:
    names = ("id", "username", "kind", "reason", "reference", "proposed_by", "proposed_at", "state", "decided_by", "decided_at")
    values = {name: getattr(proposal, name) for name in names}
    return values | {"amount": format_credits(proposal.amount_uc), "decision_reason": proposal.decision_reason}


@click.command("pending", cls=Command)
@click.argument("username", required=False)
@click.option("--decided", is_flag=True, help="Those that were decided, the last first.")
def pending(username: str | None, decided: bool) -> None:
    """List movements that wait for a second person, of one user or of all."""
    find = administration.decided if decided else administration.pending
    rows = read(lambda session: [_row(proposal) for proposal in find(session, username=username)])
    empty = "No movement was decided about yet." if decided else "No movement waits for a second person."
    answer_table(rows, _COLUMNS, empty=empty)


@click.command("approve", cls=Command)
@click.argument("proposal", type=int)
@named
@click.option("--reason", default="", help="Why, if there is something to say.")
def approve(proposal: int, name: str | None, password_file: IO[str] | None, reason: str) -> None:
    """Let a proposed movement happen. Takes --as NAME of an administrator other than who proposed it."""
    actor = actor_of(name, password_file)

    def work(session: Session) -> Movement:
        return administration.approve(session, proposal, now=utc_now(), actor=actor, reason=reason)

    movement = write(work)
    answer(described(movement), f"Approved proposal {proposal}: moved {format_credits(movement.amount_uc)} credits.")


@click.command("reject", cls=Command)
@click.argument("proposal", type=int)
@named
@click.option("--reason", required=True, help="Why; who proposed it reads this.")
def reject(proposal: int, name: str | None, password_file: IO[str] | None, reason: str) -> None:
    """Refuse a proposed movement; nothing moves. Takes --as NAME as for approve."""
    actor = actor_of(name, password_file)

    def work(session: Session) -> Movement:
        return administration.reject(session, proposal, now=utc_now(), actor=actor, reason=reason)

    answer(described(write(work)), f"Rejected proposal {proposal}: nothing has moved.")


COMMANDS = (pending, approve, reject)

"""`pennywire message`: the same pipe as every other entrance."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration, journal, mailbox, messages
from app.cli.answers import Failed, answer, answer_table, details, printable, table
from app.cli.opening import ACTOR, core, read
from app.cli.options import Group, given
from app.clock import utc_now
from app.core import Core
from app.identifiers import internal_id, public_id
from app.intake import Intake
from app.ledger import format_credits
from app.lifecycle import Folder, State
from app.messages import Admitted, Preview, Request
from app.models import Account, Message, Segment, Transfer, User
from app.refusals import Refused
from app.snapshot import UserView
from app.withdrawals import cancel as withdraw
from pennywire import Draft

_FOLDERS = click.Choice([folder.name.lower() for folder in Folder])


@click.group(cls=Group)
def message() -> None:
    """Send, find and cancel messages."""


@message.command("send")
@click.argument("destinations", nargs=-1, required=True, metavar="DESTINATION...")
@click.option("--user", "username", required=True, help="In whose name, and at whose cost.")
@click.option("--text", help="What to send.")
@click.option("--text-file", type=click.Path(path_type=Path, allow_dash=True), help="Read the text from a file; - is standard input.")
@click.option("--source", default="", help="The sender, where the user may choose.")
@click.option("--provider", default="", help="The service provider, where the user may choose.")
@click.option("--priority", type=click.IntRange(0, 3), default=0, help="3 is the most urgent.")
@click.option("--send-at", type=click.DateTime(), help="When, in UTC.")
@click.option("--validity-s", type=click.IntRange(1), help="Seconds after which it is not sent any more.")
@click.option("--client-reference", default="", help="Echoed, and searchable.")
@click.option("--no-report", is_flag=True, help="Ask the network for no delivery report.")
@click.option("--key", default="", help="A repeat with the same key is not sent again.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and keep nothing.")
def send(
    destinations: Sequence[str],
    username: str,
    text: str | None,
    text_file: Path | None,
    send_at: datetime | None,
    validity_s: int | None,
    no_report: bool,
    key: str,
    dry_run: bool,
    **values: Any,
) -> None:
    """Send a text to one or several numbers."""
    if (text is None) == (text_file is None):
        raise click.UsageError("Give --text or --text-file.")
    content = text if text is not None else _read_text(text_file)
    begin = send_at.replace(tzinfo=UTC) if send_at else None
    expires_at = (begin or utc_now()) + timedelta(seconds=validity_s) if validity_s else None
    drafts = tuple(
        Draft(destination, content, send_at=begin, expires_at=expires_at, report_requested=not no_report, **values)
        for destination in destinations
    )
    with core() as opened:
        request = Request(_user(opened, username), drafts, "cli", key=key, fingerprint=_fingerprint(drafts) if key else "")
        if dry_run:
            results: Sequence[Admitted | Preview | Refused] = messages.preview(opened.snapshots.present(), request, now=opened.clock())
        else:
            results = Intake(opened, on_commit_failure=lambda: None).submit(request).results
    _show_results(destinations, results)


def _read_text(path: Path | None) -> str:
    with click.open_file(str(path), encoding="utf-8") as file:
        text: str = file.read()
    return text.removesuffix("\n")


def _user(opened: Core, username: str) -> UserView:
    user = opened.snapshots.present().user(username)
    if user is None:
        raise administration.NotThere(f"There is no user {username!r}.")
    return user


def _fingerprint(drafts: Sequence[Draft]) -> str:
    """Return a digest of the content, without the moment of the call: a repeat must be known again."""
    return hashlib.sha256(repr([(draft.destination, draft.text, draft.source, draft.send_at) for draft in drafts]).encode()).hexdigest()


def _show_results(destinations: Iterable[str], results: Sequence[Admitted | Preview | Refused]) -> None:
    """Write one row for each destination; where something was refused, the command has failed."""
    rows = [_result(destination, result) for destination, result in zip(destinations, results, strict=True)]
    columns = {"id": "MESSAGE", "destination": "DESTINATION", "state": "STATE", "segment_count": "SEGMENTS", "price": "PRICE", "detail": ""}
    answer_table(rows, columns, empty="Nothing was sent.")
    refused = sum(isinstance(result, Refused) for result in results)
    if refused:
        click.get_current_context().exit(1)


def _result(destination: str, result: Admitted | Preview | Refused) -> dict[str, Any]:
    if isinstance(result, Refused):
        return {"destination": destination, "state": "refused", "code": result.code, "detail": result.reason, "field": result.field}
    shared = {
        "destination": result.destination,
        "source": result.source,
        "segment_count": result.segment_count,
        "alphabet": result.alphabet,
        "price": format_credits(result.price_uc),
        "charged": result.charged,
        "route": result.route,
        "provider": result.provider,
    }
    if isinstance(result, Admitted):
        return {"id": result.public_id, "state": result.state} | shared
    return {"state": "dry run", "detail": f"{result.route}; {result.price_why}"} | shared


@message.command("show")
@click.argument("reference")
def show(reference: str) -> None:
    """Show a message by its id or client reference: its life, its segments, its money."""

    def work(session: Session) -> dict[str, Any]:
        found = mailbox.find(session, None, [reference]).get(reference)
        if found is None:
            raise administration.NotThere(f"There is no message {reference!r}.")
        return _whole(session, found)

    value = read(work)
    if given().as_json:
        answer(value, "")
        return
    head = {name: item for name, item in value.items() if not isinstance(item, list) and item not in ("", None)}
    events = table(value["events"], {"version": "#", "at": "AT", "event": "EVENT", "data": "WHAT"})
    sections = [details(head), events]
    if value["segments"]:
        columns = {
            "index": "SEGMENT",
            "state": "STATE",
            "provider": "PROVIDER",
            "network_id": "NETWORK ID",
            "buy_price": "BOUGHT FOR",
            "error_code": "ERROR",
        }
        sections.append(table(value["segments"], columns))
    if value["transfers"]:
        sections.append(table(value["transfers"], {"at": "AT", "kind": "TRANSFER", "amount": "AMOUNT", "released": "RELEASED"}))
    answer(value, "\n\n".join(sections))


def _whole(session: Session, found: Message) -> dict[str, Any]:
    username = session.execute(select(User.username).where(User.id == found.user_id)).scalar()
    segments = session.scalars(select(Segment).where(Segment.message_id == found.id).order_by(Segment.segment_index))
    transfers = session.execute(
        select(Transfer, Account.name)
        .join(Account, Account.id == Transfer.debit_id)
        .where(Transfer.message_id == found.id)
        .order_by(Transfer.id)
    )
    return _described(found, username or "") | {
        "text": found.text,
        "route_why": found.route_why,
        "price_why": found.price_why,
        "buy_price": None if found.buy_uc is None else format_credits(found.buy_uc),
        "buy_why": found.buy_why,
        "error_code": found.error_code,
        "error_reason": found.error_reason,
        "segments": [
            {
                "index": row.segment_index,
                "state": row.state,
                "provider": row.provider,
                "network_id": row.network_id,
                "buy_price": None if row.buy_uc is None else format_credits(row.buy_uc),
                "error_code": row.error_code,
                "answered_at": row.answered_at,
                "reported_at": row.reported_at,
            }
            for row in segments
        ],
        "events": [
            {"version": row.version, "event": row.kind, "at": row.at, "data": row.data} for row in journal.of_message(session, found.id)
        ],
        "transfers": [
            {
                "id": row.id,
                "at": row.at,
                "kind": row.kind,
                "debit": debit,
                "level": row.level,
                "amount": format_credits(row.amount_uc),
                "released": format_credits(row.released_uc),
                "reason": row.reason,
                "actor": row.actor,
            }
            for row, debit in transfers
        ],
    }


def _described(row: Message, username: str) -> dict[str, Any]:
    return {
        "id": public_id(row.id),
        "client_reference": row.client_reference,
        "direction": row.direction,
        "username": username,
        "state": row.state,
        "folder": Folder(row.folder).name.lower(),
        "source": row.source,
        "destination": row.destination,
        "segment_count": row.segment_count,
        "alphabet": row.alphabet,
        "price": format_credits(row.price_uc),
        "charged": row.charged,
        "provider": row.provider,
        "entrance": row.entrance,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "send_at": row.send_at,
        "expires_at": row.expires_at,
        "report_missing": row.report_missing,
    }


@message.command("list")
@click.option("--user", "username", help="Of one user only.")
@click.option("--folder", type=_FOLDERS, help="In one folder only.")
@click.option("--state", type=click.Choice([state.value for state in State]), help="In one state only.")
@click.option("--number", default="", help="Whose sender or destination begins so.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="At most so many.")
@click.option("--before", help="Id of the last message of the page before.")
def list_(username: str | None, folder: str | None, state: str | None, number: str, limit: int, before: str | None) -> None:
    """List messages, the newest first."""

    def work(session: Session) -> list[dict[str, Any]]:
        user_ids = [administration.find_user(session, username).id] if username is not None else None
        found = mailbox.page(
            session,
            user_ids=user_ids,
            folder=Folder[folder.upper()] if folder else None,
            before=internal_id(before) if before else None,
            limit=limit,
            number=number,
            state=state or "",
        )
        names = {row.id: row.username for row in session.execute(select(User.id, User.username))}
        return [_described(row, names.get(row.user_id, "")) for row in found]

    columns = {
        "id": "MESSAGE",
        "created_at": "ACCEPTED",
        "username": "USER",
        "direction": "DIRECTION",
        "source": "FROM",
        "destination": "TO",
        "state": "STATE",
        "price": "PRICE",
    }
    answer_table(read(work), columns, empty="There is no such message.")


@message.command("cancel")
@click.argument("references", nargs=-1, required=True, metavar="MESSAGE...")
def cancel(references: Sequence[str]) -> None:
    """Take back messages that have not left; their charge is released."""
    numbers = {reference: internal_id(reference) for reference in references}
    with core() as opened:
        snapshot = opened.snapshots.present()
        done = opened.database.run(lambda session: withdraw(session, snapshot, numbers.values(), now=utc_now(), actor=ACTOR))
    value = {"cancelled": [word for word, number in numbers.items() if number in done]}
    left = [word for word, number in numbers.items() if number not in done]
    if left and not given().as_json:
        raise Failed("not_cancellable", f"Not there, or no longer to be cancelled: {printable(left)}. Cancelled: {len(done)}.", "id")
    answer(value | {"not_cancelled": left}, f"Cancelled {len(done)}.")
    if left:
        click.get_current_context().exit(1)

"""Deleting users and connections. What has a history is retired, never erased: its row stays, so that messages, ledger and audit
log can still say whose they are.

A user keeps his name for ever: the ledger, the audit log and the tables of loggers know people by their names, and a second
person of that name would inherit the first one's history. A connection gives its name back: it is only how routes and pages call
it, messages know it by its id, and the usual reason to delete one is to make another of a different kind in its place.

Either is done whole or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from app import administration, keeping, ledger
from app.administration import Conflict
from app.db import database_now
from app.ledger import format_credits
from app.lifecycle import Folder
from app.models import (
    Account,
    ApiKey,
    ConnectionStatus,
    Message,
    OneTimeLink,
    OutboxRow,
    Proposal,
    Route,
    ServiceConnection,
    User,
    table,
)
from app.outbox import IN_DOUBT, QUEUED, SENDING, WAITING
from app.snapshot import Snapshot
from app.withdrawals import cancel
from pennywire import Direction

_MESSAGES = table(Message)
_OUTBOX = table(OutboxRow)

NAMED = 5
"""Most routes that a refusal names."""

REPORT_WAIT = timedelta(hours=72)
"""How long a report is waited for unless the route says otherwise; until then a charge may be pending."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """What was done to retire a user. `moved_uc` is what a correction took from (or gave to) his account. Units: microcredits."""

    cancelled_count: int
    key_count: int
    moved_uc: int


def retire_user(session: Session, snapshot: Snapshot, username: str, *, now: datetime, actor: str, reason: str = "") -> Retirement:
    """Delete a user: cancel what waits, close his account at 0, revoke his keys, end his sessions. Messages and ledger stay.

    A balance that is left is taken off by a correction with `reason`; without one it is a refusal.
    Raises: Conflict where something stands against it; then nothing was done. NotThere.
    """
    user = administration.find_present_user(session, username)
    if username == actor:
        raise Conflict("name", "Nobody can delete himself. Ask another administrator.")
    _refuse_named(_routes_to_user(session, username), f"deliver to {username}. Change them first, so that no message is lost.")
    account = administration.account_of(session, user)
    _refuse_children(session, account)
    cancelled_count = _cancel_waiting(session, snapshot, user, now=now, actor=actor)
    moved_uc = _close_account(session, user, account, reason.strip(), now=now, actor=actor)
    key_count = _lock_out(session, user, now=now)
    was = user.role == "administrator" and user.active
    user.active, user.retired_at = False, now
    administration.keep_an_administrator(session, user, was=was)
    after = {"cancelled messages": cancelled_count, "revoked keys": key_count, "moved": format_credits(moved_uc)}
    administration.audit(session, now=now, actor=actor, verb="delete", subject=f"user {username}", after=after | _said(reason))
    administration.changed(session)
    session.flush()
    return Retirement(cancelled_count, key_count, moved_uc)


def _said(reason: str) -> dict[str, Any]:
    return {"reason": reason.strip()} if reason.strip() else {}


def _refuse_named(names: Sequence[str], words: str) -> None:
    if names:
        shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        raise Conflict("name", f"Routes {words} They are: {shown}.")


def _routes_to_user(session: Session, username: str) -> list[str]:
    rows = session.scalars(select(Route).where(Route.direction == Direction.INBOUND.value).order_by(Route.position))
    return [route.name for route in rows if username in route.targets]


def _refuse_children(session: Session, account: Account) -> None:
    statement = select(User.username).join(Account, Account.user_id == User.id).where(Account.parent_id == account.id)
    children = list(session.scalars(statement.where(User.retired_at.is_(None)).order_by(User.username)))
    if children:
        raise Conflict("name", f"The accounts of {', '.join(children[:NAMED])} hang on this one. Give them another parent, or none.")


def _cancel_waiting(session: Session, snapshot: Snapshot, user: User, *, now: datetime, actor: str) -> int:
    """Take back what has not left; return how many messages. Raises: Conflict where some of it is under way."""
    folders = (Folder.OUTBOX.value, Folder.SCHEDULED.value)
    mine = (_MESSAGES.c.user_id == user.id, _MESSAGES.c.folder.in_(folders), _MESSAGES.c.direction == Direction.OUTBOUND.value)
    # All are locked at once and in order, so that the accounts come after the last of them.
    ids = list(session.scalars(select(_MESSAGES.c.id).where(*mine).order_by(_MESSAGES.c.id).with_for_update()))
    cancelled = cancel(session, snapshot, ids, now=now, actor=actor) if ids else set()
    states = (QUEUED, SENDING, IN_DOUBT, WAITING)
    left = session.execute(select(func.count()).where(_OUTBOX.c.user_id == user.id, _OUTBOX.c.state.in_(states))).scalar_one()
    if left:
        raise Conflict(
            "name",
            f"{left} segments of {user.username} are with the network now, and their answer decides about his credit. "
            "Switch him off and delete him when they are done.",
        )
    return len(cancelled)


def _close_account(session: Session, user: User, account: Account, reason: str, *, now: datetime, actor: str) -> int:
    """Bring the account to 0 and leave no way to charge it; return what the correction moved. Raises: Conflict.

    A message that was decided before and is charged after this finds no credit line: it is refused, like one without credit.
    """
    waiting = session.execute(select(Proposal.id).where(Proposal.account_id == account.id, Proposal.state == "waits")).scalar()
    if waiting is not None:
        raise Conflict("name", f"Proposal {waiting} for this account waits for a second person. Approve or reject it first.")
    present = ledger.lock_accounts(session, [account.id])[account.id]
    if present.reserved_uc:
        raise Conflict(
            "name",
            f"{format_credits(present.reserved_uc)} credits are reserved for messages whose report is awaited. Switch the user off and "
            f"delete him when they have ended; without a report that takes at most {REPORT_WAIT.days * 24} hours, or what the route says.",
        )
    moved_uc = -int(present.balance_uc)
    if moved_uc:
        if not reason:
            raise Conflict(
                "reason",
                f"The balance is {format_credits(present.balance_uc)} credits. Give a reason, with which a correction brings it to 0, "
                "or pay it out and correct it yourself first.",
            )
        movement = administration.top_up(session, user.username, moved_uc, now=now, actor=actor, reason=reason)
        if movement.waits:
            raise Conflict(
                "reason",
                f"The balance of {format_credits(present.balance_uc)} credits is more than one person may move. Correct it to 0 first; "
                "when a second person has approved that, delete the user.",
            )
    session.execute(update(table(Account)).where(table(Account).c.id == account.id).values(limit_uc=0, unlimited=False))
    return moved_uc


def _lock_out(session: Session, user: User, *, now: datetime) -> int:
    """End sessions and make password, keys and links worthless; return how many keys were in force."""
    user.password_hash, user.session_epoch = "", user.session_epoch + 1
    keys = list(session.scalars(select(ApiKey).where(ApiKey.user_id == user.id, ApiKey.revoked_at.is_(None))))
    for key in keys:
        key.revoked_at = now
    session.execute(delete(OneTimeLink).where(OneTimeLink.user_id == user.id))
    return len(keys)


def retire_connection(session: Session, name: str, *, now: datetime, actor: str) -> None:
    """Delete a connection that is stopped. Its secrets and what plugins kept for it are wiped; messages keep saying that they went over it.

    Raises: Conflict while it is started, while routes need it, or while segments wait for it or are with the network; NotThere.
    """
    connection = administration.find_connection(session, name)
    _refuse_running(session, connection)
    _refuse_named(_routes_asking(session, name), f"ask for the connection {name}. Change them first.")
    if not _has_twin(session, connection):
        provider = connection.provider
        _refuse_named(_routes_to_provider(session, provider), f"send to {provider}, which has no other connection. Change them first.")
        _refuse_segments(session, OutboxRow.provider == provider, f"wait for {provider}, which has no other connection")
    in_flight = (OutboxRow.connection_id == connection.id) & OutboxRow.state.in_((SENDING, IN_DOUBT))
    _refuse_segments(session, in_flight, "are with the network, or in doubt there")
    before = {"kind": connection.kind, "provider": connection.provider}
    connection.retired_at, connection.desired = now, "stopped"
    keeping.remove_of_connection(session, connection.id)
    connection.settings = {key: value for key, value in connection.settings.items() if not str(value).startswith("enc:")}
    # The row's id makes this one unique; what is cut off is in the audit log.
    connection.name = f"{name[:44]} (deleted {connection.id})"
    after = {"shown as": connection.name}
    administration.audit(session, now=now, actor=actor, verb="delete", subject=f"connection {name}", before=before, after=after)
    administration.changed(session)
    session.flush()


def _refuse_running(session: Session, connection: ServiceConnection) -> None:
    if connection.desired == "started":
        raise Conflict("name", f"The connection {connection.name} is started. Stop it first.")
    status = session.get(ConnectionStatus, connection.id)
    held = status is not None and status.lease_until is not None and status.lease_until > database_now(session)
    if status is not None and held and status.state not in ("down", "failed"):
        raise Conflict("name", f"The connection {connection.name} is still stopping. Try again in a moment.")


def _has_twin(session: Session, connection: ServiceConnection) -> bool:
    twin = exists().where(
        ServiceConnection.provider == connection.provider, ServiceConnection.id != connection.id, ServiceConnection.retired_at.is_(None)
    )
    return bool(session.execute(select(twin)).scalar())


def _routes_to_provider(session: Session, provider: str) -> list[str]:
    rows = session.scalars(select(Route).where(Route.direction == Direction.OUTBOUND.value).order_by(Route.position))
    return [route.name for route in rows if provider in route.targets]


def _routes_asking(session: Session, name: str) -> list[str]:
    """Return the routes with the built-in condition that names this connection."""
    return [route.name for route in session.scalars(select(Route).order_by(Route.position)) if name in _asked_for(route)]


def _asked_for(route: Route) -> set[str]:
    names = (str(row.get("settings", {}).get("connections", "")) for row in route.conditions if row.get("kind") == "connection")
    return {name.strip() for text in names for name in text.split(",")}


def _refuse_segments(session: Session, condition: Any, words: str) -> None:
    count = session.execute(select(func.count()).select_from(OutboxRow).where(condition)).scalar_one()
    if count:
        raise Conflict("name", f"{count} segments {words}. Wait until they are done, or cancel them.")

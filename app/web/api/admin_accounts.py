"""Accounts, their rows in the ledger, and movements of credit over the modern API: `/api/v1/accounts`.

A customer's key reaches his own account, a reseller's also those below it; for anybody else's there is no such account.
"""

from collections.abc import Callable

from flask import Response
from msgspec import UNSET
from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from app import administration
from app.administration.approvals import Movement, Wanted, Wish
from app.administration.approvals import move as move_credit
from app.db import AnyRow
from app.identifiers import InvalidId, internal_id, public_id
from app.ledger import Kind
from app.models import Account, Transfer, User
from app.refusals import RequestRefused
from app.web.api import keyed
from app.web.api.admin_shapes import (
    AccountIn,
    AccountOut,
    AccountsOut,
    MovementIn,
    MovementOut,
    TransferOut,
    TransfersOut,
)
from app.web.api.keyed import STAFF, Call
from app.web.api.rest_answers import price, respond

_PENDING_ONLY = ("charge", "release")
"""Rows that move reservations and no balance."""

_ABOVE = aliased(User)
_ABOVE_ACCOUNT = aliased(Account)


def list_accounts(call: Call) -> Response:
    """List accounts by name: all for staff, those below his own for a reseller."""
    call.administer(STAFF | {"customer"})
    limit, after, search = keyed.page_size(), keyed.text_argument("cursor"), keyed.text_argument("search")
    statement = _accounts().order_by(func.lower(User.username)).limit(limit + 1)
    if call.user.role not in STAFF:
        statement = statement.where(Account.parent_id == call.user.account_id)
    if after:
        statement = statement.where(func.lower(User.username) > after.lower())
    if search:
        statement = statement.where(func.lower(User.username).contains(search.lower(), autoescape=True))
    rows = call.read(lambda session: [_shown(row) for row in session.execute(statement.where(User.retired_at.is_(None)))])
    more = rows[limit - 1].username if len(rows) > limit else None
    return respond(200, AccountsOut(rows[:limit], more))


def show_account(call: Call, username: str) -> Response:
    """Show an account."""
    return respond(200, call.read(lambda session: shown_account(session, reach(call, session, username).username)))


def edit_account(call: Call, username: str) -> Response:
    """Change how far an account may go."""
    call.administer()
    given = call.body(AccountIn)
    limit_uc = None if given.limit is UNSET else keyed.amount(given.limit, "limit")

    def work(session: Session) -> AccountOut:
        present = administration.account_of(session, administration.find_user(session, username))
        administration.edit_account(
            session,
            username,
            limit_uc=present.limit_uc if limit_uc is None else limit_uc,
            unlimited=present.unlimited if given.unlimited is UNSET else given.unlimited,
            **call.by(),
        )
        session.flush()
        return shown_account(session, username)

    return respond(200, call.change(work))


def move(call: Call, username: str) -> Response:
    """Move credit, or propose it where that takes a second person. It needs an Idempotency-Key: a repeat moves nothing twice."""
    call.administer()
    given, key = call.body(MovementIn), keyed.needed_key()
    if given.kind not in set(Wanted):
        raise RequestRefused("invalid_field", f"The kind must be one of: {', '.join(Wanted)}.", "kind")
    amount_uc = keyed.amount(given.amount, "amount")
    if given.kind == Wanted.TOP_UP and amount_uc < 0:
        raise RequestRefused("invalid_field", "A top-up adds credit. To take some, send the kind correct.", "amount")
    wish = Wish(Wanted(given.kind), amount_uc, given.reason, given.reference, key)

    def work(session: Session) -> MovementOut:
        if amount_uc > 0:
            administration.find_present_user(session, username)
        return _moved(session, username, move_credit(session, username, wish, **call.by()))

    return _answer_movement(call, work)


def list_transfers(call: Call, username: str) -> Response:
    """List an account's rows of the ledger, newest first; `kind`, `message`, `reference`, `since` and `until` narrow them."""
    limit, conditions = keyed.page_size(), _asked_for()

    def work(session: Session) -> list[TransferOut]:
        account = administration.account_of(session, reach(call, session, username))
        sides = (
            select(Transfer).where(Transfer.debit_id == account.id),
            # What a user's account receives is never a charge or its end; the index of this side leaves those out.
            select(Transfer).where(Transfer.credit_id == account.id, Transfer.kind.not_in(("charge", "settle", "release"))),
        )
        found: list[Transfer] = []
        for side in sides:
            statement = side.where(*conditions).order_by(Transfer.at.desc(), Transfer.id.desc()).limit(limit + 1)
            found += session.scalars(statement)
        found.sort(key=lambda row: (row.at, row.id), reverse=True)
        return [_row(row, account.id) for row in found[: limit + 1]]

    rows = call.read(work)
    return respond(200, TransfersOut(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None))


def _asked_for() -> list[ColumnElement[bool]]:
    """Return what the caller narrows the rows by. Raises: RequestRefused."""
    before, since, until = keyed.cursor_number(), keyed.moment_argument("since"), keyed.moment_argument("until")
    kind, message, reference = (keyed.text_argument(name) for name in ("kind", "message", "reference"))
    if kind and kind not in set(Kind):
        raise RequestRefused("invalid_parameter", f"The kind must be one of: {', '.join(Kind)}.", "kind")
    conditions: list[ColumnElement[bool]] = []
    if kind:
        conditions.append(Transfer.kind == kind)
    if message:
        conditions.append(Transfer.message_id == _number(message))
    if reference:
        conditions.append(Transfer.reference == reference)
    if since is not None:
        conditions.append(Transfer.at >= since)
    if until is not None:
        conditions.append(Transfer.at < until)
    if before is not None:
        moment = select(Transfer.at).where(Transfer.id == before).scalar_subquery()
        conditions.append(tuple_(Transfer.at, Transfer.id) < tuple_(moment, before))
    return conditions


def reach(call: Call, session: Session, username: str) -> User:
    """Return a user whose account the caller may see: his own, any for staff, one below his own for a reseller.

    Raises: RequestRefused, as if there were no such account where it is not his to know.
    """
    if username == call.user.username:
        call.holder.opened("account")
        return administration.find_user(session, username)
    call.holder.opened("admin")
    return administration.find_user(session, username) if call.user.role in STAFF else child(call, session, username)


def child(call: Call, session: Session, username: str) -> User:
    """Return a user whose account is right below the caller's. Raises: NotThere."""
    statement = select(User).join(Account, Account.user_id == User.id)
    user = session.execute(statement.where(User.username == username, Account.parent_id == call.user.account_id)).scalar()
    if user is None:
        raise administration.NotThere(f"There is no account of {username[:40]!r} that you may see.")
    return user


def _answer_movement(call: Call, work: Callable[[Session], MovementOut]) -> Response:
    """Answer 201 for what was moved, 202 for what waits, and tell a repeat by its header."""
    out = call.change(work)
    replayed, out.replayed = out.replayed, UNSET
    response = respond(202 if out.state == "waits" else 201, out)
    if replayed is True:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _moved(session: Session, username: str, movement: Movement) -> MovementOut:
    session.flush()
    account = shown_account(session, username)
    return MovementOut(movement.state.value, price(movement.amount_uc), movement.proposal_id, movement.words, account, movement.replayed)


def _accounts() -> Select[User, Account, str]:
    return (
        select(User, Account, _ABOVE.username.label("parent"))
        .join(Account, Account.user_id == User.id)
        .join(_ABOVE_ACCOUNT, _ABOVE_ACCOUNT.id == Account.parent_id, isouter=True)
        .join(_ABOVE, _ABOVE.id == _ABOVE_ACCOUNT.user_id, isouter=True)
    )


def shown_account(session: Session, username: str) -> AccountOut:
    """Return an account as it is now."""
    statement = _accounts().where(User.username == username).execution_options(populate_existing=True)
    return _shown(session.execute(statement).one())


def _shown(row: AnyRow) -> AccountOut:
    user, account = row.User, row.Account
    return AccountOut(
        username=user.username,
        accounting=user.accounting_enabled,
        currency=account.currency,
        balance=price(account.balance_uc),
        reserved=price(account.reserved_uc),
        available=price(account.balance_uc - account.reserved_uc),
        limit=price(account.limit_uc),
        unlimited=account.unlimited,
        parent=row.parent,
    )


def _row(row: Transfer, account_id: int) -> TransferOut:
    balance_uc = 0 if row.kind in _PENDING_ONLY else row.amount_uc if row.credit_id == account_id else -row.amount_uc
    reserved_uc = {"charge": row.amount_uc, "release": -row.amount_uc, "settle": -row.amount_uc - row.released_uc}.get(row.kind, 0)
    return TransferOut(
        id=row.id,
        at=row.at,
        kind=row.kind,
        amount=price(row.amount_uc),
        balance=price(balance_uc),
        reserved=price(reserved_uc),
        message=public_id(row.message_id) if row.message_id is not None else None,
        actor=row.actor,
        reason=row.reason,
        reference=row.reference,
    )


def _number(message: str) -> int:
    try:
        return internal_id(message)
    except InvalidId as error:
        raise RequestRefused("invalid_parameter", str(error), "message") from error

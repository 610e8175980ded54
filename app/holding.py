"""Incoming messages that wait for credit: kept when they came, charged and delivered, in order of arrival, when there is some.

The price is that of the moment of arrival. Whatever brought the credit (a top-up, a correction, a refund, a higher limit), the
sweeper finds the accounts whose oldest waiting message can be paid now.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, not_, or_, select
from sqlalchemy.orm import Session

from app import journal, ledger
from app.bulk import delete_rows, insert_rows, update_rows
from app.db import AnyRow
from app.ledger import format_credits
from app.lifecycle import State, advance
from app.models import Account, HeldMessage, Message, User, table
from app.progress import lock_messages
from app.snapshot import Snapshot

ACCOUNTS = 50
"""Most accounts of one round."""

MESSAGES = 100
"""Most messages of one account in a round: the next account waits for them."""

_HELD = table(HeldMessage)
_MESSAGES = table(Message)


def hold(session: Session, account_id: int, message_id: int, price_uc: int) -> None:
    """Remember a message that waits for credit, in the transaction that stores it."""
    insert_rows(session, _HELD, [{"account_id": account_id, "message_id": message_id, "price_uc": price_uc}])


def release(session: Session, snapshot: Snapshot, *, now: datetime) -> int:
    """Charge and deliver what can be paid now; return how many messages were delivered."""
    waiting = _payable(session)
    if not waiting:
        return 0
    # Messages first, then accounts: the order of every path.
    messages = lock_messages(session, (row.message_id for row in waiting))
    held = [row for row in waiting if messages[row.message_id].state == State.HELD]
    going = _affordable(session, held)
    charges = [ledger.Charge(row.account_id, row.message_id, row.price_uc) for row in going if row.accounting_enabled]
    taken = ledger.take_inbound(session, charges, now=now, actor="gateway", revenue_id=snapshot.revenue_id, guarded=True)
    assert all(taken), "What fits a locked account is taken."
    charged = {item.message_id for item in charges}
    _deliver(session, snapshot, [(row, messages[row.message_id]) for row in going], charged, now)
    # A message that was taken back, or ended in another way, waits no longer either.
    over = {row.message_id for row in going} | {row.message_id for row in waiting if messages[row.message_id].state != State.HELD}
    gone = [(row.account_id, row.message_id) for row in waiting if row.message_id in over]
    delete_rows(session, _HELD, ("account_id", "message_id"), gone)
    return len(going)


def _payable(session: Session) -> list[AnyRow]:
    """Return the waiting messages of accounts whose oldest one can be paid, oldest first within each."""
    oldest = (
        select(HeldMessage.account_id, func.min(HeldMessage.message_id).label("message_id")).group_by(HeldMessage.account_id).subquery()
    )
    left = Account.balance_uc - Account.reserved_uc - Account.limit_uc
    payable = (
        select(HeldMessage.account_id)
        .join(oldest, (oldest.c.account_id == HeldMessage.account_id) & (oldest.c.message_id == HeldMessage.message_id))
        .join(Account, Account.id == HeldMessage.account_id)
        .join(User, User.id == Account.user_id)
        .where(or_(not_(User.accounting_enabled), Account.unlimited, HeldMessage.price_uc <= left))
        .order_by(HeldMessage.message_id)
        .limit(ACCOUNTS)
    )
    rows: list[AnyRow] = []
    for account_id in session.scalars(payable).all():
        statement = (
            select(HeldMessage.account_id, HeldMessage.message_id, HeldMessage.price_uc, User.accounting_enabled)
            .join(Account, Account.id == HeldMessage.account_id)
            .join(User, User.id == Account.user_id)
            .where(HeldMessage.account_id == account_id)
            .order_by(HeldMessage.message_id)
            .limit(MESSAGES)
        )
        rows += session.execute(statement).all()
    return rows


def _affordable(session: Session, held: Sequence[AnyRow]) -> list[AnyRow]:
    """Lock the accounts and return what each can pay, up to the first message that it cannot: nobody overtakes."""
    accounts = ledger.lock_accounts(session, (row.account_id for row in held))
    left = {row.id: row.balance_uc - row.reserved_uc - row.limit_uc for row in accounts.values()}
    stopped: set[int] = set()
    going: list[AnyRow] = []
    for row in held:
        free = not row.accounting_enabled or accounts[row.account_id].unlimited
        if row.account_id in stopped or not (free or row.price_uc <= left[row.account_id]):
            stopped.add(row.account_id)
            continue
        left[row.account_id] -= row.price_uc
        going.append(row)
    return going


def _deliver(session: Session, snapshot: Snapshot, going: Sequence[tuple[AnyRow, AnyRow]], charged: set[int], now: datetime) -> None:
    """Put messages into their inbox, and say so in the journal."""
    columns = ("state", "charged", "version", "updated_at")
    state = advance(State.HELD, State.DELIVERED).value
    rows = [(state, row.message_id in charged, message.version + 1, now, row.message_id) for row, message in going]
    update_rows(session, _MESSAGES, ("id",), columns, rows)
    entries: list[journal.Entry] = []
    for row, message in going:
        connection = snapshot.connections.get(message.connection_id)
        data = {"connection": connection.name if connection else "", "reason": "It waited for credit."}
        entries.append(
            {
                "message_id": row.message_id,
                "version": message.version + 1,
                "kind": "received",
                "at": now,
                "user_id": message.user_id,
                "data": data | ({"settled": format_credits(row.price_uc)} if row.message_id in charged else {}),
            }
        )
    journal.write(session, entries)

"""Movements by people: top-ups, corrections, allotments."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.bulk import insert_rows
from app.ledger.rows import TRANSFERS, dated, lock_accounts, move_sums, system_account, transfer_row
from app.ledger.values import FUNDING, Kind, NotPossible
from app.models import Account
from pennywire.money import LARGEST_UC, format_credits


def top_up(session: Session, account_id: int, amount_uc: int, *, now: datetime, actor: str, reason: str, reference: str = "") -> None:
    """Add credit to an account. Raises: NotPossible for an amount that is not positive."""
    if amount_uc <= 0:
        raise NotPossible("A top-up must be more than 0. To take credit back, make a correction.")
    _adjust(session, Kind.TOP_UP, account_id, amount_uc, now=now, actor=actor, reason=reason, reference=reference)


def correct(session: Session, account_id: int, amount_uc: int, *, now: datetime, actor: str, reason: str, reference: str = "") -> None:
    """Add to (or take from) an account by a correction, whatever its limit. Raises: NotPossible for 0."""
    if amount_uc == 0:
        raise NotPossible("A correction of 0 would change nothing.")
    _adjust(session, Kind.CORRECT, account_id, amount_uc, now=now, actor=actor, reason=reason, reference=reference)


def allot(
    session: Session, parent_id: int, child_id: int, amount_uc: int, *, now: datetime, actor: str, reason: str, reference: str = ""
) -> None:
    """Move credit from an account to one right below it, or back by a negative amount.

    The giver's limit holds, and only what lies free on the lower account can be taken back. Raises: NotPossible.
    """
    if amount_uc == 0:
        raise NotPossible("An allotment of 0 would change nothing.")
    accounts = lock_accounts(session, (parent_id, child_id))
    parent, child = accounts[parent_id], accounts[child_id]
    if child.parent_id != parent_id or parent.currency != child.currency:
        raise NotPossible("Credit is allotted to an account right below, of the same currency.")
    giver, taker = (parent, child) if amount_uc > 0 else (child, parent)
    moved_uc = abs(amount_uc)
    least_uc = parent.limit_uc if giver is parent else 0
    left_uc = giver.balance_uc - giver.reserved_uc - least_uc
    if moved_uc > left_uc and not (giver is parent and parent.unlimited):
        raise NotPossible(_not_enough(giver is parent, left_uc))
    if max(moved_uc, abs(taker.balance_uc + moved_uc), abs(giver.balance_uc - moved_uc)) > LARGEST_UC:
        raise NotPossible("The movement or a balance would pass 1,000,000,000 credits.")
    at = dated(now, giver, taker)
    insert_rows(session, TRANSFERS, [transfer_row(Kind.ALLOT, giver.id, taker.id, moved_uc, at, actor, reason=reason, reference=reference)])
    move_sums(session, {giver.id: [-moved_uc, 0], taker.id: [moved_uc, 0]})
    users = {
        row.id: row.user_id for row in session.execute(select(Account.id, Account.user_id).where(Account.id.in_((giver.id, taker.id))))
    }
    entries: list[journal.Entry] = [
        {
            "message_id": None,
            "version": 0,
            "kind": Kind.ALLOT.value,
            "at": now,
            "user_id": users[account_id],
            "data": {"amount": format_credits(signed_uc), "actor": actor, "reason": reason, "reference": reference},
        }
        for account_id, signed_uc in ((giver.id, -moved_uc), (taker.id, moved_uc))
    ]
    journal.write(session, entries)


def _not_enough(from_above: bool, left_uc: int) -> str:
    free = format_credits(max(left_uc, 0))
    if from_above:
        return f"The account above has {free} credits to give. Top it up first, or allot less."
    return f"Only {free} credits lie free on the account. Take back less, or wait until its messages have ended."


def set_available(session: Session, account_id: int, target_uc: int, *, now: datetime, actor: str, reason: str) -> int:
    """Bring balance minus reserved to `target_uc` by a correction; return the correction, which may be 0."""
    account = lock_accounts(session, [account_id])[account_id]
    difference_uc: int = target_uc - (account.balance_uc - account.reserved_uc)
    if difference_uc:
        correct(session, account_id, difference_uc, now=now, actor=actor, reason=reason)
    return difference_uc


def _adjust(
    session: Session, kind: Kind, account_id: int, amount_uc: int, *, now: datetime, actor: str, reason: str, reference: str
) -> None:
    account = lock_accounts(session, [account_id])[account_id]
    if max(abs(amount_uc), abs(account.balance_uc + amount_uc)) > LARGEST_UC:
        raise NotPossible("The movement or the balance would pass 1,000,000,000 credits.")
    funding_id = system_account(session, FUNDING)
    debit_id, credit_id = (funding_id, account_id) if amount_uc > 0 else (account_id, funding_id)
    at = dated(now, account)
    insert_rows(
        session, TRANSFERS, [transfer_row(kind, debit_id, credit_id, abs(amount_uc), at, actor, reason=reason, reference=reference)]
    )
    move_sums(session, {account_id: [amount_uc, 0]})
    user_id = session.execute(select(Account.user_id).where(Account.id == account_id)).scalar()
    data = {"amount": format_credits(amount_uc), "actor": actor, "reason": reason, "reference": reference}
    journal.write(session, [{"message_id": None, "version": 0, "kind": kind.value, "at": now, "user_id": user_id, "data": data}])

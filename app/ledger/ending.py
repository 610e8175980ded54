"""Ends of charges: settle, release, refund. The unique index over message, level and phase is the judge of what comes twice."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app import limits
from app.db import AnyRow
from app.ledger.rows import dated, insert_new, lock_accounts, move_sums, rows_of_phase, transfer_row
from app.ledger.values import END_PHASE, REFUND_PHASE, Ending, Kind, Refund
from app.limits import Returned


def end_charges(session: Session, endings: Sequence[Ending], *, now: datetime, actor: str, revenue_id: int) -> set[int]:
    """Settle or release pending charges; return the message ids whose charge really ended now.

    A charge that has ended already is left as it is: late and repeated news moves no money. The endings of one message, one for
    each level, come in the same call. One of nothing at level 0 has no row, and always counts as ended now.
    """
    if not endings:
        return set()
    assert all(0 <= ending.settled_uc <= ending.amount_uc for ending in endings)
    accounts = lock_accounts(session, (ending.account_id for ending in endings))
    due = [ending for ending in endings if ending.amount_uc or ending.level]
    rows = [_ending_row(ending, dated(now, accounts[ending.account_id]), actor, revenue_id) for ending in due]
    ended = _ended_now(endings, rows, insert_new(session, rows))
    moved: dict[int, list[int]] = {}
    returned: list[Returned] = []
    for ending in endings:
        if ending.message_id in ended:
            sums = moved.setdefault(ending.account_id, [0, 0])
            sums[0] -= ending.settled_uc
            sums[1] -= ending.amount_uc
            returned += _returned(accounts[ending.account_id], ending, ending.amount_uc - ending.settled_uc)
    move_sums(session, moved)
    limits.give_back(session, returned)
    return ended


def _ending_row(ending: Ending, now: datetime, actor: str, revenue_id: int) -> dict[str, Any]:
    return transfer_row(
        Kind.SETTLE if ending.settled_uc else Kind.RELEASE,
        ending.account_id,
        revenue_id,
        ending.settled_uc or ending.amount_uc,
        now,
        actor,
        message_id=ending.message_id,
        level=ending.level,
        phase=END_PHASE,
        released_uc=ending.amount_uc - ending.settled_uc if ending.settled_uc else 0,
        reason=ending.reason,
    )


def _ended_now(wanted: Sequence[Ending | Refund], rows: Sequence[dict[str, Any]], fresh: set[tuple[int, int]]) -> set[int]:
    """Return the messages that moved: those with a fresh row, and those that had no row to write."""
    return {message_id for message_id, _ in fresh} | ({item.message_id for item in wanted} - {row["message_id"] for row in rows})


def _returned(account: AnyRow, item: Ending | Refund, amount_uc: int) -> list[Returned]:
    """Return what an account with period limits gets back of them."""
    if not account.limited or item.accepted_at is None:
        return []
    return [Returned(account.id, item.accepted_at, item.returned_count, amount_uc)]


def refund_charges(session: Session, refunds: Sequence[Refund], *, now: datetime, actor: str, revenue_id: int) -> set[int]:
    """Give settled charges back; return the message ids that were refunded now. What was refunded or not settled is left out.

    The refunds of one message, one for each level, come in the same call.
    """
    if not refunds:
        return set()
    accounts = lock_accounts(session, (refund.account_id for refund in refunds))
    settled = rows_of_phase(session, (refund.message_id for refund in refunds if refund.amount_uc), END_PHASE)
    refunds = [item for item in refunds if not item.amount_uc or settled.get((item.message_id, item.level), ("", 0))[0] == Kind.SETTLE]
    paid = [item for item in refunds if item.amount_uc]
    assert all(item.amount_uc <= settled[item.message_id, item.level][1] for item in paid)
    rows = [_refund_row(item, dated(now, accounts[item.account_id]), actor, revenue_id) for item in paid]
    done = _ended_now(refunds, rows, insert_new(session, rows))
    moved: dict[int, list[int]] = {}
    returned: list[Returned] = []
    for refund in refunds:
        if refund.message_id in done:
            moved.setdefault(refund.account_id, [0, 0])[0] += refund.amount_uc
            returned += _returned(accounts[refund.account_id], refund, refund.amount_uc)
    move_sums(session, moved)
    limits.give_back(session, returned)
    return done


def _refund_row(refund: Refund, now: datetime, actor: str, revenue_id: int) -> dict[str, Any]:
    return transfer_row(
        Kind.REFUND,
        revenue_id,
        refund.account_id,
        refund.amount_uc,
        now,
        actor,
        message_id=refund.message_id,
        level=refund.level,
        phase=REFUND_PHASE,
        reason=refund.reason,
    )

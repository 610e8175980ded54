"""Moving messages on: state, money and event of each change, together and in batches.

Outcomes, reports, the sweeper and the operator all say what happened as `Change` values; only `apply` writes them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app import journal, ledger
from app.arrays import among
from app.bulk import update_rows
from app.db import AnyRow
from app.ledger import format_credits
from app.lifecycle import FINAL, FOLDER_OF, ChargeOn, End, Movement, State, Terms, advance, movement
from app.models import Account, Message, Segment, table
from app.snapshot import Snapshot

_MESSAGES = table(Message)
_SEGMENTS = table(Segment)
_COLUMNS = (
    _MESSAGES.c.id,
    _MESSAGES.c.user_id,
    _MESSAGES.c.state,
    _MESSAGES.c.folder,
    _MESSAGES.c.version,
    _MESSAGES.c.source,
    _MESSAGES.c.destination,
    _MESSAGES.c.segment_count,
    _MESSAGES.c.provider,
    _MESSAGES.c.price_uc,
    _MESSAGES.c.buy_per_segment_uc,
    _MESSAGES.c.buy_uc,
    _MESSAGES.c.charged,
    _MESSAGES.c.level_count,
    _MESSAGES.c.counted_count,
    _MESSAGES.c.created_at,
    _MESSAGES.c.terms,
    _MESSAGES.c.route_id,
    _MESSAGES.c.report_requested,
    _MESSAGES.c.report_due_at,
    _MESSAGES.c.report_missing,
    _MESSAGES.c.connection_id,
    _MESSAGES.c.error_code,
    _MESSAGES.c.error_reason,
)
MessageRow = AnyRow


_LOCK = select(*_COLUMNS).where(among(_MESSAGES.c.id, "ids")).order_by(_MESSAGES.c.id).with_for_update()


def lock_messages(session: Session, message_ids: Iterable[int]) -> dict[int, MessageRow]:
    """Lock messages in the order of their ids and return what moving them on needs to know."""
    wanted = sorted(set(message_ids))
    return {row.id: row for row in session.execute(_LOCK, {"ids": wanted})} if wanted else {}


TAKEN = or_(
    _SEGMENTS.c.state.in_((State.SENT.value, State.DELIVERED.value, State.UNDELIVERABLE.value)), _SEGMENTS.c.reported_at.is_not(None)
)
"""The network took the segment; what it reported later does not change that."""


def taken_counts(session: Session, message_ids: Iterable[int]) -> dict[int, int]:
    """Return how many segments of each message the network took; messages without any are left out."""
    statement = (
        select(_SEGMENTS.c.message_id, func.count().label("taken_count"))
        .where(among(_SEGMENTS.c.message_id, "ids"), TAKEN)
        .group_by(_SEGMENTS.c.message_id)
    )
    return {row.message_id: row.taken_count for row in session.execute(statement, {"ids": sorted(message_ids)})}


def refused_messages(session: Session, message_ids: Iterable[int]) -> set[int]:
    """Return the messages of which a segment was refused: what is left of them need not be sent."""
    statement = select(_SEGMENTS.c.message_id).where(among(_SEGMENTS.c.message_id, "ids"), _SEGMENTS.c.state == State.REJECTED.value)
    return set(session.scalars(statement, {"ids": sorted(message_ids)}))


def part_end(message: MessageRow, taken_count: int, end: End) -> End:
    """Return the end of a message that the network took in part: what it took is paid, unless only the handset counts."""
    return End.NETWORK if taken_count and Terms.of_code(message.terms).charge_on is ChargeOn.NETWORK else end


class Kept(Enum):
    """Stands for a value that stays as it is, where None is a value too."""

    KEPT = "kept"


@dataclass(slots=True)
class Change:
    """What happened to one message.

    `state` is where it goes, None where only its segments moved. `end` decides the money, `accepted_count` says how many
    segments the network took, by which a settlement is measured. `kind` is the event's word where no state is reached.
    `buy_uc` is what it costs us now; None is not known.
    """

    message: MessageRow
    state: State | None
    kind: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    end: End | None = None
    accepted_count: int = 0
    error_code: str = ""
    error_reason: str = ""
    report_due_at: datetime | None = None
    connection_id: int | None = None
    report_missing: bool = False
    buy_uc: int | Kept | None = Kept.KEPT
    #: Segments that still count towards limits, set by `apply` where the end gives some back.
    counted_count: int | None = None


def apply(session: Session, snapshot: Snapshot, changes: Sequence[Change], *, now: datetime, actor: str = "gateway") -> None:
    """Write the changes: money first, then messages, then events. At most one change for a message in a call."""
    if not changes:
        return
    _move_money(session, snapshot, changes, now=now, actor=actor)
    update_rows(session, _MESSAGES, ("id",), _CHANGED, [_values(change, now) for change in changes])
    journal.write(
        session,
        [
            {
                "message_id": change.message.id,
                "version": change.message.version + 1,
                "kind": change.state.value if change.state else change.kind,
                "at": now,
                "user_id": change.message.user_id,
                "data": change.data,
            }
            for change in changes
        ],
    )


_CHANGED = (
    "state",
    "folder",
    "version",
    "updated_at",
    "report_due_at",
    "report_missing",
    "connection_id",
    "buy_uc",
    "error_code",
    "error_reason",
    "counted_count",
)


def _values(change: Change, now: datetime) -> tuple[Any, ...]:
    message = change.message
    present = State(message.state)
    state = present if change.state is None or change.state is present else advance(present, change.state)
    moved = state is not present and message.folder == FOLDER_OF[present]
    due_at = None if state in FINAL else change.report_due_at or message.report_due_at
    return (
        state.value,
        FOLDER_OF[state].value if moved else message.folder,
        message.version + 1,
        now,
        None if change.report_missing else due_at,
        change.report_missing or message.report_missing,
        change.connection_id or message.connection_id,
        message.buy_uc if change.buy_uc is Kept.KEPT else change.buy_uc,
        change.error_code or message.error_code,
        change.error_reason or message.error_reason,
        message.counted_count if change.counted_count is None else change.counted_count,
        message.id,
    )


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a change's end asks for under the message's terms; the legs are one for each account that pays.

    `left_count` are the segments that count towards limits afterwards.
    """

    change: Change
    movement: Movement
    left_count: int

    @property
    def returned_count(self) -> int:
        return int(self.change.message.counted_count) - self.left_count

    @property
    def idle(self) -> bool:
        """Say whether nothing can move: no money, and no segment to give back."""
        message = self.change.message
        return self.movement is Movement.NONE or not (message.charged or message.level_count or self.returned_count)


def _move_money(session: Session, snapshot: Snapshot, changes: Sequence[Change], *, now: datetime, actor: str) -> None:
    """Settle, release or refund what the changes decide, and note in the events' data what was really moved."""
    asked = (_wish(change) for change in changes if change.end is not None and (change.message.charged or change.message.counted_count))
    wishes = {wish.change.message.id: wish for wish in asked if not wish.idle}
    if not wishes:
        return
    accounts = _accounts(session, snapshot, {wish.change.message.user_id for wish in wishes.values()})
    above = ledger.charges_above(session, [number for number, wish in wishes.items() if wish.change.message.level_count])
    endings: list[ledger.Ending] = []
    refunds: list[ledger.Refund] = []
    for number, wish in wishes.items():
        message = wish.change.message
        legs = [(0, accounts[message.user_id], message.price_uc if message.charged else 0), *above.get(number, ())]
        if wish.movement is Movement.REFUND:
            refunds += _refunds(wish, legs)
        else:
            endings += _endings(wish, legs)
    ended = ledger.end_charges(session, endings, now=now, actor=actor, revenue_id=snapshot.revenue_id)
    done = ledger.refund_charges(session, refunds, now=now, actor=actor, revenue_id=snapshot.revenue_id)
    moved: list[ledger.Ending | ledger.Refund] = [*endings, *refunds]
    for item in moved:
        if item.message_id in ended | done and item.level == 0:
            _note(wishes[item.message_id], item)


def _wish(change: Change) -> _Wish:
    message, end = change.message, change.end
    assert end is not None
    wanted = movement(Terms.of_code(message.terms), end)
    left = {
        Movement.NONE: message.counted_count,
        Movement.SETTLE: min(message.counted_count, change.accepted_count),
        Movement.RELEASE: 0,
        Movement.REFUND: max(message.counted_count - change.accepted_count, 0),
    }
    return _Wish(change, wanted, left[wanted])


def _endings(wish: _Wish, legs: Iterable[tuple[int, int, int]]) -> list[ledger.Ending]:
    message, reason = wish.change.message, str(wish.change.end)
    taken_count = wish.change.accepted_count if wish.movement is Movement.SETTLE else 0
    return [
        ledger.Ending(
            account_id,
            message.id,
            amount_uc,
            amount_uc // message.segment_count * taken_count,
            reason,
            level,
            message.created_at,
            wish.returned_count,
        )
        for level, account_id, amount_uc in legs
    ]


def _refunds(wish: _Wish, legs: Iterable[tuple[int, int, int]]) -> list[ledger.Refund]:
    message, reason, taken_count = wish.change.message, str(wish.change.end), wish.change.accepted_count
    return [
        ledger.Refund(
            account_id, message.id, amount_uc // message.segment_count * taken_count, reason, level, message.created_at, wish.returned_count
        )
        for level, account_id, amount_uc in legs
    ]


def _note(wish: _Wish, item: ledger.Ending | ledger.Refund) -> None:
    """Note in the event what was moved on the account of the message's user, and in the message what counts still."""
    wish.change.counted_count = wish.left_count
    data = wish.change.data
    if isinstance(item, ledger.Refund):
        if item.amount_uc:
            data["refunded"] = format_credits(item.amount_uc)
        return
    if item.settled_uc:
        data["settled"] = format_credits(item.settled_uc)
    if item.settled_uc < item.amount_uc:
        data["released"] = format_credits(item.amount_uc - item.settled_uc)


def _accounts(session: Session, snapshot: Snapshot, user_ids: set[int]) -> dict[int, int]:
    """Return the account of each user; one that is newer than the snapshot is looked up."""
    accounts = {user_id: snapshot.users_by_id[user_id].account_id for user_id in user_ids if user_id in snapshot.users_by_id}
    missing = user_ids - accounts.keys()
    if missing:
        accounts.update(
            (row.user_id, row.id) for row in session.execute(select(Account.user_id, Account.id).where(Account.user_id.in_(missing)))
        )
    return accounts

"""What a message costs us: its answered segments as they were, those that wait as they were planned."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import carriers
from app.arrays import among
from app.ledger import format_credits
from app.lifecycle import NegativeMargin, State
from app.models import Segment, table
from app.progress import MessageRow
from app.snapshot import Snapshot

_SEGMENTS = table(Segment)


def of_taken(snapshot: Snapshot, message: MessageRow, connection_id: int, *, now: datetime) -> tuple[int | None, bool]:
    """Return what a segment costs that a connection took, and whether that is an alarm.

    It is the price the message was decided at, unless another provider took it, or one whose connections differ.
    """
    planned_uc: int | None = message.buy_per_segment_uc
    supply, connection = snapshot.supply, snapshot.connections.get(connection_id)
    if not supply.priced or connection is None:
        return planned_uc, False
    if planned_uc is not None and connection.provider == message.provider and connection.provider not in supply.uneven:
        return planned_uc, False
    route, user = snapshot.route_by_id(message.route_id), snapshot.users_by_id.get(message.user_id)
    buying = supply.of_connection(connection.provider, connection.buy_uc, carriers.asking(snapshot, route, message, now=now))
    guarded = route is not None and route.negative_margin is NegativeMargin.ALARM and user is not None and user.accounting_enabled
    alarm = guarded and buying.per_segment_uc != planned_uc and carriers.loses(buying, message.price_uc // message.segment_count)
    return buying.per_segment_uc, alarm


def of_message(answered_uc: Sequence[int | None], waiting_count: int, planned_uc: int | None) -> int | None:
    """Return what a message costs us by its segments; None where one of them is not known."""
    known = [segment_uc for segment_uc in answered_uc if segment_uc is not None]
    if len(known) < len(answered_uc) or (waiting_count and planned_uc is None):
        return None
    return sum(known) + waiting_count * (planned_uc or 0)


def told(answered: Iterable[Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return what the events of messages say of segments that were taken now; `answered` are rows of segments."""
    taken: dict[int, list[int | None]] = {}
    for row in answered:
        if row["state"] == State.SENT:
            taken.setdefault(row["message_id"], []).append(row["buy_uc"])
    found = {}
    for message_id, prices_uc in taken.items():
        known = [price_uc for price_uc in prices_uc if price_uc is not None]
        found[message_id] = bought(len(prices_uc), len(known), sum(known))
    return found


def bought(taken_count: int, known_count: int, total_uc: int) -> dict[str, Any]:
    """Return what an event says of segments that suppliers charge for: how many, of how many the price is known, and their sum."""
    return {"taken": taken_count, "priced": known_count, "bought": format_credits(total_uc)}


def bought_totals(session: Session, message_ids: Iterable[int]) -> dict[int, int | None]:
    """Return what messages cost us of which no segment waits any more; None is not known."""
    wanted = sorted(message_ids)
    if not wanted:
        return {}
    statement = (
        select(
            _SEGMENTS.c.message_id,
            func.sum(_SEGMENTS.c.buy_uc).label("total_uc"),
            func.count(_SEGMENTS.c.buy_uc).label("known_count"),
            func.count().label("segment_count"),
        )
        .where(among(_SEGMENTS.c.message_id, "ids"))
        .group_by(_SEGMENTS.c.message_id)
    )
    rows = session.execute(statement, {"ids": wanted})
    return {row.message_id: int(row.total_uc) if row.known_count == row.segment_count else None for row in rows}

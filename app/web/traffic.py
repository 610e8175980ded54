"""Counts of messages by user, over any interval and connection. A message's id holds its time, so an interval is a range of ids.

Pages show sums instead (`app.statistics`); these are for questions that the sums cannot answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.identifiers import id_floor
from app.models import Message


@dataclass(frozen=True, slots=True)
class UserCount:
    """Messages of one user. Units: microcredits, of what was charged."""

    message_count: int
    segment_count: int
    price_uc: int


def count_by_user(
    session: Session,
    *,
    since: datetime | None,
    until: datetime | None,
    user_ids: Sequence[int] | None,
    direction: str,
    provider: str,
    connection_id: int | None,
) -> dict[int, UserCount]:
    """Count the messages from `since` to before `until` by user; whatever is None or empty does not narrow."""
    conditions = [
        condition
        for wanted, condition in (
            (since, Message.id >= _id_at(since)),
            (until, Message.id < _id_at(until)),
            (user_ids is not None, Message.user_id.in_(user_ids or ())),
            (direction, Message.direction == direction),
            (provider, Message.provider == provider),
            (connection_id is not None, Message.connection_id == connection_id),
        )
        if wanted
    ]
    price_uc = func.sum(Message.price_uc).filter(Message.charged)
    statement = (
        select(Message.user_id, func.count(), func.sum(Message.segment_count), price_uc).where(*conditions).group_by(Message.user_id)
    )
    return {
        user_id: UserCount(messages, int(segments), int(charged_uc or 0))
        for user_id, messages, segments, charged_uc in session.execute(statement)
    }


def _id_at(moment: datetime | None) -> int:
    return max(id_floor(int(moment.timestamp() * 1000)), 0) if moment is not None else 0

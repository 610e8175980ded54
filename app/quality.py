"""How well connections deliver: counted once a minute from the newest messages, and only while a route chooses by it.

Between two providers of one price the one that delivers best is to be chosen. The count is kept in a table, so that no process
counts for itself and nobody counts while a message waits.
"""

from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, insert, select
from sqlalchemy.orm import Session

from app.db import AnyRow, Database
from app.identifiers import id_floor
from app.lifecycle import State
from app.models import ConnectionQuality, Message, ServiceConnection, table

WINDOW = timedelta(hours=6)
MOST_MESSAGES = 50_000
"""So many of the newest messages are looked at, however many came in the window."""

_MESSAGES = table(Message)
_QUALITY = table(ConnectionQuality)
_ENDED = (State.DELIVERED.value, State.UNDELIVERABLE.value, State.EXPIRED.value, State.REJECTED.value)


def refresh(database: Database, *, now: datetime) -> None:
    """Count again. The counting is done without the right to write."""
    with database.read() as session:
        rows = count(session, now=now)
    database.run(lambda session: _store(session, rows, now=now))


def count(session: Session, *, now: datetime) -> list[AnyRow]:
    """Return how many messages each connection delivered, of those whose end is known."""
    newest = (
        select(_MESSAGES.c.connection_id, _MESSAGES.c.state)
        .where(_MESSAGES.c.id >= id_floor(int((now - WINDOW).timestamp() * 1000)), _MESSAGES.c.direction == "outbound")
        .order_by(_MESSAGES.c.id.desc())
        .limit(MOST_MESSAGES)
        .subquery()
    )
    delivered = func.sum(case((newest.c.state == State.DELIVERED.value, 1), else_=0)).label("delivered_count")
    return list(
        session.execute(
            select(newest.c.connection_id, delivered, func.count().label("ended_count"))
            .where(newest.c.state.in_(_ENDED), newest.c.connection_id.in_(select(ServiceConnection.id)))
            .group_by(newest.c.connection_id)
        )
    )


def _store(session: Session, rows: list[AnyRow], *, now: datetime) -> None:
    session.execute(delete(_QUALITY))
    if rows:
        values = [
            {
                "connection_id": row.connection_id,
                "delivered_count": int(row.delivered_count),
                "ended_count": int(row.ended_count),
                "counted_at": now,
            }
            for row in rows
        ]
        session.execute(insert(_QUALITY), values)

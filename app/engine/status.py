"""What operators see of a connection: its state, its counters and its lines, written in batches."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from app.models import ConnectionLog, ConnectionStatus, table

KEEP_LINES = 1_000
"""Lines that are kept of each connection."""

LINES_AT_A_TIME = 200
"""Most lines of a connection in one batch; a peer that makes us write more is cut short."""

LONGEST_LINE = 500
_LOG = table(ConnectionLog)
_STATUS = table(ConnectionStatus)


class LinkState(StrEnum):
    """States of a connection, as its page shows them."""

    DOWN = "down"
    CONNECTING = "connecting"
    UP = "up"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell of a connection: a new state, a line, or counts of segments since the last note.

    `token` is the lease under which it was seen; a state of an earlier lease is not written any more.
    """

    connection_id: int
    token: int
    at: datetime
    state: LinkState | None = None
    reason: str = ""
    line: str = ""
    sent_count: int = 0
    received_count: int = 0


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Return `text` as one line of at most `limit` characters; what could break out of it becomes a blank."""
    return "".join(character if character.isprintable() else " " for character in text[: limit + 1])[:limit].strip()


_SET_STATE = (
    update(_STATUS)
    .where(_STATUS.c.connection_id == bindparam("b_connection_id"), _STATUS.c.token == bindparam("b_token"))
    .values(state=bindparam("b_state"), reason=bindparam("b_reason"), since=bindparam("b_since"))
)
_COUNT = (
    update(_STATUS)
    .where(_STATUS.c.connection_id == bindparam("b_connection_id"))
    .values(sent_count=_STATUS.c.sent_count + bindparam("b_sent"), received_count=_STATUS.c.received_count + bindparam("b_received"))
)


def write(session: Session, notes: Sequence[Note]) -> None:
    """Write notes: of the states the last of each connection, the sums of the counts, and the lines."""
    # A connection may have been removed since; its lines would have nothing to belong to.
    wanted = sorted({note.connection_id for note in notes})
    present = set(session.scalars(select(ConnectionStatus.connection_id).where(ConnectionStatus.connection_id.in_(wanted))))
    states = {note.connection_id: note for note in notes if note.state is not None}
    _execute(
        session,
        _SET_STATE,
        [
            {"b_connection_id": key, "b_token": note.token, "b_state": note.state, "b_reason": note.reason, "b_since": note.at}
            for key, note in sorted(states.items())
        ],
    )
    sent: Counter[int] = Counter()
    received: Counter[int] = Counter()
    for note in notes:
        sent[note.connection_id] += note.sent_count
        received[note.connection_id] += note.received_count
    _execute(
        session,
        _COUNT,
        [{"b_connection_id": key, "b_sent": sent[key], "b_received": received[key]} for key in wanted if sent[key] or received[key]],
    )
    _write_lines(session, [note for note in notes if note.line and note.connection_id in present])


def _execute(session: Session, statement: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(statement, rows, execution_options={"synchronize_session": False})


def _write_lines(session: Session, notes: Iterable[Note]) -> None:
    lines: dict[int, list[Note]] = {}
    for note in notes:
        lines.setdefault(note.connection_id, []).append(note)
    rows: list[dict[str, Any]] = []
    for connection_id, own in lines.items():
        kept = own[:LINES_AT_A_TIME]
        rows += [{"connection_id": connection_id, "at": note.at, "line": note.line} for note in kept]
        if len(own) > len(kept):
            left_out = f"{len(own) - len(kept)} more lines came at once and were left out"
            rows.append({"connection_id": connection_id, "at": own[-1].at, "line": left_out})
    if rows:
        session.execute(insert(_LOG), rows)
    for connection_id in lines:
        _trim(session, connection_id)


def _trim(session: Session, connection_id: int) -> None:
    own = _LOG.c.connection_id == connection_id
    oldest_kept = select(_LOG.c.id).where(own).order_by(_LOG.c.id.desc()).offset(KEEP_LINES - 1).limit(1).scalar_subquery()
    session.execute(delete(_LOG).where(own, _LOG.c.id < oldest_kept))

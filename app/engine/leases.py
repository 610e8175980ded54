"""Leases: which engine holds a connection or a duty, in the database's time, fenced by a token that rises at each take-over.

The fence is for claims: whoever claims shows the token under which he holds the connection (`outbox.check_lease`). Outcomes
need none; what the network said stays true whoever writes it down.
"""

import hashlib
import os
import secrets
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app import outcomes
from app.db import database_now
from app.models import ConnectionStatus, Duty, EngineRow
from app.snapshot import Snapshot

RENEWALS_PER_LEASE = 3
SAFE_SHARE = 0.7
"""Share of the lease, since its last renewal, after which an engine stops by its own clock: another one may be starting."""

FORGET_ENGINES_AFTER = timedelta(days=1)
_PLACE_LENGTH = 12
_Insert = sqlite.Insert | postgresql.Insert
_INSERTS: dict[str, Callable[[Any], _Insert]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def make_engine_id() -> str:
    """Return a fresh id; its beginning names the system in which this process has its process id (see `dead_neighbours`)."""
    return _place() + "-" + secrets.token_hex(9)


def _place() -> str:
    """Return what two processes share only if the process id of one means the same to the other: boot and namespace."""
    words = [socket.gethostname()]
    with suppress(OSError):
        words += [Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"), str(Path("/proc/self/ns/pid").readlink())]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:_PLACE_LENGTH]


# Engines.


def register(session: Session, engine_id: str) -> None:
    """Write this process into the list of engines, and forget those that were last seen long ago."""
    now = database_now(session)
    session.execute(delete(EngineRow).where(EngineRow.seen_at < now - FORGET_ENGINES_AFTER))
    row = {"id": engine_id, "host": socket.gethostname()[:128], "pid": os.getpid(), "started_at": now, "seen_at": now}
    session.execute(insert(EngineRow), [row])


def unregister(session: Session, engine_id: str, *, now: datetime) -> None:
    """Take this process off the list, with every duty and connection it has. Nothing of what it handed over may be unsettled."""
    session.execute(
        update(ConnectionStatus)
        .where(ConnectionStatus.engine_id == engine_id)
        .values(engine_id="", lease_until=None, state="down", reason="stopped", since=now)
    )
    session.execute(delete(Duty).where(Duty.engine_id == engine_id))
    session.execute(delete(EngineRow).where(EngineRow.id == engine_id))


def dead_neighbours(session: Session, engine_id: str) -> frozenset[str]:
    """Return the engines of this very system whose process is gone: nobody needs to wait until their leases end."""
    here = EngineRow.id.startswith(engine_id[: _PLACE_LENGTH + 1])
    rows = session.execute(select(EngineRow.id, EngineRow.pid).where(EngineRow.id != engine_id, here))
    return frozenset(row.id for row in rows if not _runs(row.pid))


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# Connections.


def take_over(
    session: Session,
    snapshot: Snapshot,
    connection_id: int,
    engine_id: str,
    *,
    lease_s: float,
    dead: Collection[str] = (),
    now: datetime,
) -> int | None:
    """Take a connection that nobody holds and return the token, or None if somebody does.

    What was handed to the connection under earlier tokens and never answered is put in doubt.
    """
    moment = database_now(session)
    row = session.execute(
        select(ConnectionStatus.engine_id, ConnectionStatus.token, ConnectionStatus.lease_until)
        .where(ConnectionStatus.connection_id == connection_id)
        .with_for_update()
    ).first()
    if row is None:
        session.execute(insert(ConnectionStatus), [{"connection_id": connection_id, "state": "down", "reason": "", "token": 0}])
    elif row.engine_id not in ("", engine_id, *dead) and row.lease_until is not None and row.lease_until > moment:
        return None
    token = (row.token if row is not None else 0) + 1
    session.execute(
        update(ConnectionStatus)
        .where(ConnectionStatus.connection_id == connection_id)
        .values(engine_id=engine_id, token=token, lease_until=moment + timedelta(seconds=lease_s), state="connecting", reason="", since=now)
    )
    outcomes.put_in_doubt(session, snapshot, connection_id=connection_id, below_token=token, now=now)
    return token


def renew(session: Session, engine_id: str, tokens: Mapping[int, int], *, lease_s: float) -> frozenset[int]:
    """Prolong this engine's leases (`tokens` by connection id), say that it lives, and return the connections it still holds."""
    moment = database_now(session)
    session.execute(update(EngineRow).where(EngineRow.id == engine_id).values(seen_at=moment))
    if not tokens:
        return frozenset()
    rows = session.execute(
        update(ConnectionStatus)
        .where(ConnectionStatus.engine_id == engine_id, ConnectionStatus.connection_id.in_(tokens))
        .values(lease_until=moment + timedelta(seconds=lease_s))
        .returning(ConnectionStatus.connection_id, ConnectionStatus.token)
    )
    return frozenset(connection_id for connection_id, token in rows if token == tokens[connection_id])


def release(session: Session, connection_id: int, engine_id: str, token: int, *, state: str, reason: str, now: datetime) -> None:
    """Give a connection up; whoever takes it next need not wait."""
    session.execute(
        update(ConnectionStatus)
        .where(ConnectionStatus.connection_id == connection_id, ConnectionStatus.engine_id == engine_id, ConnectionStatus.token == token)
        .values(engine_id="", lease_until=None, state=state, reason=reason, since=now)
    )


def clear_up(
    session: Session, snapshot: Snapshot, connection_id: int, engine_id: str, *, dead: Collection[str] = (), now: datetime
) -> None:
    """Put in doubt what an engine that died had handed to a connection which nobody is to start again."""
    shown = session.execute(
        select(ConnectionStatus.state, ConnectionStatus.reason).where(ConnectionStatus.connection_id == connection_id)
    ).first()
    token = take_over(session, snapshot, connection_id, engine_id, lease_s=0, dead=dead, now=now)
    if token is None:
        return
    # What made it fail is still of interest, such as a watchdog that stopped it.
    state, reason = ("failed", shown.reason) if shown is not None and shown.state == "failed" else ("down", "Its engine ended.")
    release(session, connection_id, engine_id, token, state=state, reason=reason, now=now)


def present_token(session: Session, connection_id: int) -> int:
    """Return the token in force, whoever has it."""
    return session.execute(select(ConnectionStatus.token).where(ConnectionStatus.connection_id == connection_id)).scalar() or 0


def abandon(session: Session, engine_id: str) -> None:
    """End this engine's leases at once, without claiming that what it had handed over is settled: the process is to die."""
    moment = database_now(session)
    session.execute(update(ConnectionStatus).where(ConnectionStatus.engine_id == engine_id).values(lease_until=moment))
    session.execute(update(Duty).where(Duty.engine_id == engine_id).values(lease_until=moment))


# Duties.


def hold_duty(session: Session, name: str, engine_id: str, *, lease_s: float, dead: Collection[str] = ()) -> bool:
    """Take or prolong a duty, and say whether this engine has it now."""
    moment = database_now(session)
    until = moment + timedelta(seconds=lease_s)
    dialect = session.get_bind().dialect.name
    fresh = _INSERTS[dialect](Duty).values(name=name, engine_id=engine_id, token=1, lease_until=until)
    if session.execute(fresh.on_conflict_do_nothing().returning(Duty.name)).first() is not None:
        return True
    mine = update(Duty).where(Duty.name == name, Duty.engine_id == engine_id).values(lease_until=until)
    if session.execute(mine.returning(Duty.name)).first() is not None:
        return True
    free = or_(Duty.lease_until <= moment, Duty.engine_id.in_(sorted(dead)))
    values: dict[str, Any] = {"engine_id": engine_id, "token": Duty.token + 1, "lease_until": until}
    taken = update(Duty).where(Duty.name == name, free).values(values)
    return session.execute(taken.returning(Duty.name)).first() is not None


def duties_of_others(session: Session, prefix: str, engine_id: str, *, dead: Collection[str]) -> frozenset[str]:
    """Return what follows `prefix` in the names of duties that living engines other than this one have."""
    rows = session.execute(
        select(Duty.name, Duty.engine_id).where(
            Duty.name.startswith(prefix, autoescape=True), Duty.engine_id != engine_id, Duty.lease_until > database_now(session)
        )
    )
    return frozenset(row.name.removeprefix(prefix) for row in rows if row.engine_id not in dead)

"""What is to run: the connections as operators want them, and who holds each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import snapshot as configuration
from app.core import Core
from app.db import database_now
from app.engine import leases
from app.models import ConnectionStatus, PluginRow, ServiceConnection
from app.snapshot import ConnectionView

DEDICATED = "connection:"
"""Beginning of the duties of engines that run one connection only; others leave it to them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One connection as it is configured. `settings` are as stored, secrets encrypted; a change of any field restarts its link."""

    view: ConnectionView
    settings: Mapping[str, Any] = field(hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the lease of a connection, and until when."""

    engine_id: str
    lease_until: datetime | None


@dataclass(frozen=True, slots=True)
class Scene:
    """What one look at the database showed."""

    version: int
    plans: Mapping[int, Plan]
    #: The operator's choices of plugins; a change of them needs a new process.
    plugins: Mapping[str, bool]
    holders: Mapping[int, Holder]
    dead: frozenset[str]
    #: Names of connections that have an engine of their own elsewhere.
    dedicated: frozenset[str]
    now: datetime

    def is_free(self, connection_id: int, engine_id: str) -> bool:
        """Say whether nobody holds the connection, or somebody who is gone."""
        holder = self.holders.get(connection_id, Holder("", None))
        if holder.engine_id in ("", engine_id) or holder.engine_id in self.dead:
            return True
        return holder.lease_until is None or holder.lease_until <= self.now

    def is_orphaned(self, connection_id: int, engine_id: str) -> bool:
        """Say whether a connection was left by an engine that did not release it."""
        holder = self.holders.get(connection_id, Holder("", None))
        return holder.engine_id not in ("", engine_id) and self.is_free(connection_id, engine_id)


def look(core: Core, engine_id: str, before: Scene | None) -> Scene:
    """Look at the database. What has not changed since `before` is not read again. Raises: Unavailable."""
    with core.database.read() as session:
        version = configuration.version(session)
        known = before is not None and before.version == version
        dead = leases.dead_neighbours(session, engine_id)
        return Scene(
            version=version,
            plans=before.plans if known and before else _plans(session),
            plugins=before.plugins if known and before else {row.name: row.enabled for row in session.scalars(select(PluginRow))},
            holders=_holders(session),
            dead=dead,
            dedicated=leases.duties_of_others(session, DEDICATED, engine_id, dead=dead),
            now=database_now(session),
        )


def _plans(session: Session) -> dict[int, Plan]:
    return {
        row.id: Plan(ConnectionView(row.id, row.name, row.kind, row.provider, row.desired == "started"), row.settings)
        for row in session.scalars(select(ServiceConnection))
    }


def _holders(session: Session) -> dict[int, Holder]:
    rows = session.execute(select(ConnectionStatus.connection_id, ConnectionStatus.engine_id, ConnectionStatus.lease_until))
    return {row.connection_id: Holder(row.engine_id, row.lease_until) for row in rows}

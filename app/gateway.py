"""What the pages and commands of plugins get of the gateway: sessions, the clock, who asks, what is configured.

The browser's processes and the command line both hand it out by `pennywire.ui.gateway()`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration, following, jobs, keeping
from app.core import Core
from app.db import AnyRow, CommitFailed, Unavailable
from app.identifiers import id_floor
from app.inbound import receive
from app.models import Message, ServiceConnection
from app.reports import apply_reports
from app.secrets import CannotDecrypt
from app.snapshot import ConnectionView, Snapshot
from pennywire import (
    CannotKeep,
    CannotStore,
    Direction,
    Event,
    Incoming,
    InvalidSetting,
    JobView,
    JournalStatus,
    MessageView,
    PastMessage,
    Report,
)

CHUNK = 5000
"""Messages that are read in one transaction."""

_CHANGED = "pennywire_changed"
_MESSAGES = (
    select(
        Message.id,
        Message.direction,
        Message.user_id,
        Message.source,
        Message.destination,
        Message.segment_count,
        Message.route_id,
        Message.provider,
        Message.price_uc,
        Message.charged,
        Message.created_at,
    )
    .order_by(Message.id)
    .limit(CHUNK)
)


@dataclass(frozen=True, slots=True)
class OpenGateway:
    """The gateway for one caller. `commit_failed` is called where a COMMIT failed and the process must not go on."""

    core: Core
    username: str
    role: str
    commit_failed: Callable[[], None] = lambda: None

    @property
    def now(self) -> datetime:
        return self.core.clock()

    @property
    def reads_texts(self) -> bool:
        return administration.reads_texts(self.core.snapshots.present().options, self.role)

    def read(self) -> AbstractContextManager[Session]:
        """Open a session that reads. Raises: Unavailable."""
        return self.core.database.read()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that commits at its end; where it changed the configuration, this process sees that at once.

        Raises: Unavailable, CommitFailed.
        """
        try:
            with self.core.database.write() as session:
                yield session
        except CommitFailed:
            self.commit_failed()
            raise
        if session.info.get(_CHANGED):
            self.core.snapshots.reload()

    def changed(self, session: Session) -> None:
        """Raise the configuration's version."""
        session.flush()
        administration.changed(session)
        session.info[_CHANGED] = True

    def audit(
        self,
        session: Session,
        verb: str,
        subject: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write who changed what."""
        administration.audit(session, now=self.now, actor=self.username, verb=verb, subject=subject, before=before, after=after)

    def users(self) -> Sequence[str]:
        """Return the names of all users."""
        return sorted(self.core.snapshots.present().users)

    def providers(self) -> Sequence[str]:
        """Return the names of all service providers."""
        return sorted(self.core.snapshots.present().providers)

    def rule_kinds(self) -> Sequence[str]:
        """Return the kinds of the enabled pricing rules, in their order."""
        return [rule.kind for _name, rule in self.core.snapshots.present().rules]

    def plugin_settings(self, plugin: str) -> Mapping[str, Any]:
        """Return a plugin's own settings, secrets in clear. Raises: InvalidSetting, CannotDecrypt."""
        stored = self.core.snapshots.present().plugin_settings.get(plugin, {})
        return administration.live_plugin_settings(self.core.plugins, self.core.vault, plugin, stored)

    def values(self, plugin: str, connection: str = "", prefix: str = "") -> Mapping[str, Any]:
        """Return what a plugin keeps for a connection, or for itself. Raises: Unavailable."""
        scope = self._scope(connection)
        if scope is None:
            return {}
        with self.core.database.read() as session:
            return keeping.read(session, plugin, scope, prefix)

    def keep(self, plugin: str, changes: Mapping[str, Any], connection: str = "") -> None:
        """Write what a plugin keeps. Raises: CannotKeep, Unavailable, CommitFailed."""
        scope = self._scope(connection)
        if scope is None:
            raise CannotKeep(f"There is no connection called {connection}; nothing can be kept for it.")
        with self.write() as session:
            keeping.write(session, plugin, changes, scope)

    def _scope(self, connection: str) -> int | None:
        """Return the number under which values of a connection are kept, or None where there is no such connection."""
        if not connection:
            return keeping.PLUGIN_ITSELF
        views = self.core.snapshots.present().connections.values()
        return next((view.id for view in views if view.name == connection), None)

    def start_job(self, kind: str, payload: Mapping[str, Any], file: IO[bytes] | None = None) -> int:
        """Store a job for an engine, with its file. Raises: InvalidSetting, Unavailable, CommitFailed."""
        if kind not in self.core.plugins.job_kinds():
            raise InvalidSetting("", f"There is no kind of jobs called {kind}.")
        try:
            return jobs.start(self.core.database, kind, payload, file, now=self.now, username=self.username)
        except CommitFailed:
            self.commit_failed()
            raise

    def job(self, number: int) -> JobView | None:
        """Return a job, or None."""
        with self.core.database.read() as session:
            return jobs.view(session, number)

    def jobs(self, kind: str) -> Sequence[JobView]:
        """Return the last jobs of a kind, or of a plugin."""
        with self.core.database.read() as session:
            return jobs.views(session, kind)

    def cancel_job(self, number: int) -> bool:
        """Cancel a job, and say whether it had not ended."""
        with self.write() as session:
            return jobs.cancel(session, number, now=self.now)

    def journal_status(self, plugin: str) -> JournalStatus:
        """Return how far a plugin has come in the journal."""
        with self.core.database.read() as session:
            return following.status(session, plugin)

    def past_events(self, since: datetime, until: datetime | None = None) -> Iterator[tuple[Sequence[Event], Mapping[str, MessageView]]]:
        """Yield the events of messages accepted since a moment, in batches."""
        return following.past_events(self.core.database, self.core.snapshots.present(), since, until)

    def messages(self, since: datetime, until: datetime) -> Iterator[PastMessage]:
        """Yield the messages of a time, oldest first. Ids rise with time, so their primary key finds them."""
        snapshot = self.core.snapshots.present()
        last, end = _floor(since) - 1, _floor(until)
        while True:
            with self.core.database.read() as session:
                rows = session.execute(_MESSAGES.where(Message.id > last, Message.id < end)).all()
            yield from (_past(row, snapshot) for row in rows)
            if len(rows) < CHUNK:
                return
            last = rows[-1].id

    def connections(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the settings of the connections of a kind, secrets in clear."""
        connector = self.core.plugins.connectors.get(kind)
        if connector is None:
            return {}
        statement = select(ServiceConnection).where(ServiceConnection.kind == kind, ServiceConnection.retired_at.is_(None))
        with self.core.database.read() as session:
            stored = {row.name: row.settings for row in session.scalars(statement)}
        found = {}
        for name, settings in stored.items():
            with suppress(InvalidSetting, CannotDecrypt):
                found[name] = administration.live_settings(connector, settings, self.core.vault)
        return found

    def report(self, connection: str, reports: Sequence[Report]) -> None:
        """Store delivery reports and what follows from them. Raises: CannotStore."""

        def apply(session: Session, snapshot: Snapshot, view: ConnectionView) -> None:
            apply_reports(session, snapshot, [(view, report) for report in reports], now=self.now)

        self._store(connection, apply)

    def incoming(self, connection: str, incoming: Sequence[Incoming]) -> None:
        """Store incoming segments and deliver what is complete. Raises: CannotStore."""

        def take(session: Session, snapshot: Snapshot, view: ConnectionView) -> None:
            receive(session, snapshot, [(view, segment) for segment in incoming], ids=self.core.ids, now=self.now)

        self._store(connection, take)

    def _store(self, connection: str, stage: Callable[[Session, Snapshot, ConnectionView], None]) -> None:
        """Do a stage in a transaction of its own, as the engine does it for what links hand in. Raises: CannotStore, CommitFailed."""
        snapshot = self.core.snapshots.present()
        view = next((view for view in snapshot.connections.values() if view.name == connection), None)
        if view is None:
            raise CannotStore(f"There is no connection called {connection}.")
        try:
            self.core.database.run(lambda session: stage(session, snapshot, view))
        except CommitFailed:
            self.commit_failed()
            raise
        except Unavailable as error:
            raise CannotStore(str(error)) from error


def _floor(moment: datetime) -> int:
    return id_floor(int(moment.timestamp() * 1000))


def _past(row: AnyRow, snapshot: Snapshot) -> PastMessage:
    user, route = snapshot.users_by_id.get(row.user_id), snapshot.routes.get(row.route_id)
    return PastMessage(
        direction=Direction(row.direction),
        username=user.username if user else f"user {row.user_id}",
        source=row.source,
        destination=row.destination,
        segment_count=row.segment_count,
        route=route.name if route else "",
        provider=row.provider,
        price_uc=row.price_uc,
        charged=row.charged,
        at=row.created_at,
    )

"""How the worker learns that another process queued something. Polling is the truth; hints make it quick."""

import logging
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db import Database, Unavailable
from app.routing import ANY

CHANNEL = "pennywire"
"""PostgreSQL's channel on which a process that queued something may say so."""

SQLITE_POLL_S = 0.01
"""How often SQLite is asked whether anybody committed; the question costs microseconds and reads no table."""

POLL_S = 0.1
LISTEN_S = 0.2
RECONNECT_S = 5.0

# The state stands there literally, so that the planners use the partial index of what is queued.
_QUEUED = "SELECT 1 FROM outbox WHERE provider = ? AND state = 0 LIMIT 1"
_QUEUED_GROUPS = text(
    "SELECT provider FROM unnest(CAST(:wanted AS text[])) AS wanted(provider) "
    "WHERE EXISTS (SELECT 1 FROM outbox WHERE outbox.provider = wanted.provider AND outbox.state = 0)"
)

_log = logging.getLogger(__name__)


class Hints(Protocol):
    """Says when it is worth looking at the queue. Used by the worker's thread only."""

    #: How long the worker may wait between two questions while a link starves.
    poll_s: float

    def changed(self) -> bool:
        """Say whether the queue may have changed since the last question."""
        ...

    def queued(self, providers: Collection[str]) -> frozenset[str]:
        """Return those of the provider groups that have something in the queue; all of them where something is for any."""
        ...

    def close(self) -> None:
        """Let go of connections and threads."""
        ...


def make_hints(database: Database, wake: threading.Event) -> Hints:
    """Return what suits the database. `wake` is set when something happened that should not wait for the next question."""
    return SqliteHints(database) if database.dialect == "sqlite" else PostgresHints(database, wake)


class SqliteHints:
    """Asks SQLite for its `data_version`, which changes with every commit of another connection, in whatever process."""

    poll_s = SQLITE_POLL_S

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pooled: Any = None
        self._version: int | None = None
        self._asked_at = 0.0
        self._looked_at = 0.0

    def changed(self) -> bool:
        now = time.monotonic()
        if now - self._asked_at < SQLITE_POLL_S:
            return False
        row = self._ask("PRAGMA data_version", ())
        version = row[0] if row is not None else None
        self._asked_at = now
        # Ten times a second it looks without a hint: a row that could not be claimed then may be free now.
        if version is not None and version == self._version and now - self._looked_at < POLL_S:
            return False
        self._version = version
        self._looked_at = now
        return True

    def queued(self, providers: Collection[str]) -> frozenset[str]:
        if self._ask(_QUEUED, (ANY,)) is not None:
            return frozenset(providers)
        return frozenset(provider for provider in providers if self._ask(_QUEUED, (provider,)) is not None)

    def _ask(self, question: str, values: tuple[str, ...]) -> Any:
        """Return the first row of an answer, past SQLAlchemy: this is asked a hundred times a second. None if there is no answer."""
        try:
            if self._pooled is None:
                self._pooled = self._database.engine.raw_connection()
            return self._pooled.driver_connection.execute(question, values).fetchone()
        except (DBAPIError, self._database.engine.dialect.loaded_dbapi.Error):
            self.close()
            return None

    def close(self) -> None:
        if self._pooled is not None:
            with suppress(DBAPIError):
                self._pooled.close()
            self._pooled = None


class PostgresHints:
    """Looks every 100 ms, and at once when a notification comes. The listening connection has a thread of its own."""

    poll_s = POLL_S

    def __init__(self, database: Database, wake: threading.Event) -> None:
        self._database = database
        self._wake = wake
        self._notified = False
        self._asked_at = 0.0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="pennywire-listen", daemon=True)
        self._thread.start()

    def changed(self) -> bool:
        now = time.monotonic()
        if not self._notified and now - self._asked_at < POLL_S:
            return False
        self._notified = False
        self._asked_at = now
        return True

    def queued(self, providers: Collection[str]) -> frozenset[str]:
        try:
            with self._database.read() as session:
                wanted = {"wanted": sorted({ANY, *providers})}
                found = frozenset(session.execute(_QUEUED_GROUPS, wanted).scalars())
        except Unavailable:
            return frozenset()
        return frozenset(providers) if ANY in found else found

    def close(self) -> None:
        self._closed.set()
        self._thread.join(2 * LISTEN_S)

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen_once()
            except (DBAPIError, self._database.engine.dialect.loaded_dbapi.Error):
                # Without hints the queue is still looked at ten times a second.
                if not self._closed.is_set():
                    _log.warning("no notifications from the database, polling goes on")
                self._closed.wait(RECONNECT_S)

    def _listen_once(self) -> None:
        pooled = self._database.engine.raw_connection()
        try:
            connection: Any = pooled.driver_connection
            pooled.detach()
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            while not self._closed.is_set():
                for _notification in connection.notifies(timeout=LISTEN_S, stop_after=1):
                    self._notified = True
                    self._wake.set()
        finally:
            pooled.close()

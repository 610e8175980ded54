"""The database: one way to make an engine, one way to read and one way to write. Plain SQLAlchemy, no Flask."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pysqlite3.dbapi2  # type: ignore[import-untyped]  # the wheel carries no annotations
from sqlalchemy import BigInteger, Connection, DateTime, Engine, Integer, Row, TypeDecorator, create_engine, event, text
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from app.turnstile import NoTurn, Turnstile

T = TypeVar("T")

AnyRow = Row[*tuple[Any, ...]]
"""A row whose columns the statement tells, not the type."""

SQLITE_WITHOUT_WAL_RESET_BUG = (3, 51, 3)
"""First SQLite in which two writers cannot corrupt a WAL database by resetting it together."""

BUSY_TIMEOUT_MS = 4_000
"""How long a writer waits for another; below the 5 s within which a client gets its 503."""

TURN_TIMEOUT_MS = 2_500
STRANGER_TIMEOUT_MS = BUSY_TIMEOUT_MS - TURN_TIMEOUT_MS
"""On SQLite the wait has two parts: one for our own writers' queue, one for a stranger that holds the lock."""

SQLITE_FULL = 13
"""Source: SQLite, Result and Error Codes §3."""

STATEMENT_TIMEOUT_MS = 30_000
IDLE_TRANSACTION_TIMEOUT_MS = 10_000
# A gateway's tables grow from nothing to millions of rows before PostgreSQL has looked at them. Until then its planner takes them
# for small and reads them whole, for each batch; every statement that writes has an index, so writers are held to those.
_INDEXES_ONLY = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
DEADLOCK_CODES = frozenset({"40P01", "40001"})
DEADLOCK_RETRIES = 5


class UnsafeDatabase(Exception):
    """The database would break a promise (lose an acknowledged message, corrupt itself); the text says what to change."""


class Unavailable(Exception):
    """The database did not answer, was full or was locked; nothing of the transaction was kept."""


class CommitFailed(Exception):
    """COMMIT itself failed: whether the transaction was kept is not known, and the process must not go on with it."""


class Instant(TypeDecorator[datetime]):
    """A moment in UTC: microseconds since 1970 on SQLite, `timestamptz` on PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Integer())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return to_microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name != "sqlite":
            return value.astimezone(UTC) if value.tzinfo is not UTC else value  # type: ignore[no-any-return]  # a datetime from the driver
        return of_microseconds(value)


def to_microseconds(moment: datetime) -> int:
    """Return microseconds since 1970. Shape: `moment` must be aware."""
    if moment.tzinfo is None:
        raise ValueError("A time without a zone is ambiguous.")
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1_000_000 + moment.microsecond


def of_microseconds(value: int) -> datetime:
    """Return the moment `value` microseconds after 1970 as aware UTC."""
    return _EPOCH + timedelta(microseconds=value)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def storable(text: str) -> str:
    """Return a text that every database takes: a NUL, or half of a surrogate pair, becomes U+FFFD.

    Networks send both, and what cannot be stored would come again for ever.
    """
    if text.isascii() and "\x00" not in text:
        return text
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace").replace("\x00", "\ufffd")


def make_engine(url: str, *, pool_size: int = 16) -> Engine:
    """Return the engine for `url`; every connection is checked for what our promises need.

    Raises: UnsafeDatabase for a SQLite with a known fault, or a database that answers before it syncs.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _make_sqlite(url, pool_size)
    if parsed.get_backend_name() == "postgresql":
        return _make_postgresql(url, pool_size)
    raise UnsafeDatabase(f"The gateway runs on SQLite or PostgreSQL, not on {parsed.get_backend_name()}. Change database_url.")


def _encode_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _make_sqlite(url: str, pool_size: int) -> Engine:
    version = pysqlite3.dbapi2.sqlite_version_info
    if version < SQLITE_WITHOUT_WAL_RESET_BUG:
        raise UnsafeDatabase(
            f"SQLite {'.'.join(map(str, version))} can corrupt a database that two processes write. "
            "Install pysqlite3 0.6.1 or newer, which carries its own."
        )
    engine = create_engine(
        url,
        module=pysqlite3.dbapi2,
        # An error's text goes to the log, and the values of its statement may be a customer's text.
        hide_parameters=True,
        json_serializer=_encode_json,
        json_deserializer=msgspec.json.decode,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"timeout": STRANGER_TIMEOUT_MS / 1000, "check_same_thread": False, "cached_statements": 512},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("foreign_keys=ON", f"busy_timeout={STRANGER_TIMEOUT_MS}", "temp_store=MEMORY", "cache_size=-32768"):
        connection.execute(f"PRAGMA {pragma}")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    connection.execute("PRAGMA synchronous=FULL")
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    if mode not in ("wal", "memory") or synchronous != 2:
        raise UnsafeDatabase(
            f"The database answers journal_mode={mode}, synchronous={synchronous}; wal and 2 are needed to keep what was "
            "accepted. Keep it on a local file system."
        )


def _begin_sqlite(connection: Connection) -> None:
    """Begin at once for writing: a transaction that reads first and writes later fails when another wrote in between."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _make_postgresql(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        json_serializer=_encode_json,
        json_deserializer=msgspec.json.decode,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 4,
            # A server that vanished from the network is noticed by this; unanswered data would else be sent again for minutes.
            "tcp_user_timeout": BUSY_TIMEOUT_MS,
            # Compiling a plan costs more than running it does: no statement here is worth it.
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC -c jit=off "
            f"-c idle_in_transaction_session_timeout={IDLE_TRANSACTION_TIMEOUT_MS} -c lock_timeout={BUSY_TIMEOUT_MS}",
        },
    )
    event.listen(engine, "connect", _check_postgresql)
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _check_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            cursor.execute(f"SHOW {setting}")
            if (found := cursor.fetchone()[0]) in ("off", "local"):
                raise UnsafeDatabase(f"PostgreSQL runs with {setting}={found}: it would lose accepted messages. Switch it on.")
    connection.commit()


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(_INDEXES_ONLY)


class Database:
    """Opens transactions. Stage functions take the session it yields and never commit."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._writer = engine.execution_options(writes=True)
        # A transaction of SQLite sees one state by itself.
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ") if self.dialect == "postgresql" else engine
        path = engine.url.database if self.dialect == "sqlite" else None
        self._turnstile = Turnstile(path) if path and path != ":memory:" else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session that sees one state of the database; keep it no longer than a page or a chunk of an export.

        Raises: Unavailable.
        """
        with Session(self._reader, expire_on_commit=False) as session:
            try:
                yield session
            except DBAPIError as error:
                raise _translated(error) from error

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Yield a session whose work is committed at the end, or rolled back if anything was raised.

        Raises: Unavailable where nothing was kept; CommitFailed where that is not known.
        """
        with self._turn(), Session(self._writer, expire_on_commit=False) as session:
            try:
                yield session
                session.flush()
            except BaseException as error:
                _roll_back(session)
                if isinstance(error, DBAPIError):
                    raise _translated(error) from error
                raise
            try:
                session.commit()
            except Exception as error:
                if _found_no_room(error):
                    _roll_back(session)
                    raise Unavailable("The disk of the database is full.") from error
                session.invalidate()
                raise CommitFailed("COMMIT failed: the outcome is not known.") from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until it is this writer's turn at SQLite's lock; PostgreSQL has many writers at a time."""
        if self._turnstile is None:
            yield
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(self._turnstile.turn(TURN_TIMEOUT_MS / 1000))
            except (NoTurn, OSError) as error:
                raise Unavailable("The database cannot take this now.") from error
            yield

    def run(self, work: Callable[[Session], T]) -> T:
        """Do `work` in a write transaction and return what it returns; a deadlock is tried again.

        Raises: as `write`, and whatever `work` raises.
        """
        for attempt in range(DEADLOCK_RETRIES):
            try:
                with self.write() as session:
                    return work(session)
            except Unavailable as error:
                cause = error.__cause__
                code = getattr(getattr(cause, "orig", None), "sqlstate", None)
                if code not in DEADLOCK_CODES or attempt == DEADLOCK_RETRIES - 1:
                    raise
                time.sleep(0.005 * 2**attempt)
        raise AssertionError("The loop returns or raises.")

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        if self._turnstile is not None:
            self._turnstile.close()

    def truncate_log(self) -> None:
        """Fold SQLite's write-ahead log back into the database and cut it; for moments without work."""
        if self.dialect == "sqlite":
            with self.engine.connect() as connection:
                raw = connection.connection.driver_connection
                assert raw is not None
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _roll_back(session: Session) -> None:
    try:
        session.rollback()
    except DBAPIError:
        session.invalidate()


def _found_no_room(error: Exception) -> bool:
    """Say whether COMMIT failed because SQLite could not write the end of the transaction to its log.

    It is not kept then, come what may: a log that has no end of it is cut there, and no sync was tried that might half succeed.
    Source: SQLite, WAL-mode File Format §4.
    """
    return getattr(getattr(error, "orig", error), "sqlite_errorcode", None) == SQLITE_FULL


def _translated(error: DBAPIError) -> Exception:
    """Tell a database that cannot work now from a statement that is wrong."""
    if isinstance(error, OperationalError) or error.connection_invalidated or getattr(error.orig, "sqlstate", "") in _AWAY:
        return Unavailable("The database cannot take this now.")
    return error


_AWAY = frozenset({"25006", "25P03", "40001", "40P01", "53100", "53200", "53300", "55P03", "57014", "57P01", "57P02", "57P03"})
"""SQLSTATEs of PostgreSQL that pass: read-only, idle too long, deadlock, full, too many, lock time-out, cancelled, shutting down."""


def database_now(session: Session) -> datetime:
    """Return the database's clock, by which leases are measured: engines on two machines need not agree on the time."""
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    moment = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert isinstance(moment, datetime)
    return moment.astimezone(UTC)

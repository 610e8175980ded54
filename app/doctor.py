"""`pennywire doctor`: looks for what is wrong with an installation, and says what to do about it."""

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pysqlite3.dbapi2  # type: ignore[import-untyped]  # the wheel carries no annotations
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import migrations, routing, safety
from app import plugins as loading
from app.clock import utc_now
from app.config import InvalidSettings, Settings
from app.core import enabled_plugins
from app.db import Database, Unavailable, UnsafeDatabase, database_now, make_engine
from app.lifecycle import State
from app.models import ConnectionStatus, EngineRow, JournalCursor, Message, OutboxRow, ParkedReport, ServiceConnection, User
from app.outbox import IN_DOUBT
from app.plugins import DuplicateKind
from app.snapshot import read as read_configuration
from app.verify import verify_balances

LOW_SPACE_OCTETS = 1024**3
NO_SPACE_OCTETS = 100 * 1024**2
LARGEST_CLOCK_DIFFERENCE = timedelta(seconds=2)
ENGINE_SILENT_AFTER = timedelta(seconds=60)
PRIVATE_FILES = ("session.key", "settings.key")


class Health(StrEnum):
    """How a check came out."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Sign:
    """What one check saw. `remedy` says what to do, where something is to be done."""

    check: str
    health: Health
    saw: str
    remedy: str = ""


def examine(settings: Settings) -> list[Sign]:
    """Look at everything that can be looked at; what depends on something that is broken is left out."""
    signs = [*_settings(settings), *_folder(settings), *_space(settings)]
    path = safety.sqlite_path(settings)
    if path is not None and not path.exists():
        return [*signs, Sign("database", Health.BAD, f"There is no database {path}.", "Make one with: pennywire migrate")]
    try:
        database = Database(make_engine(settings.url, pool_size=2))
    except UnsafeDatabase as error:
        return [*signs, Sign("database", Health.BAD, str(error))]
    try:
        return [*signs, *_database(database)]
    finally:
        database.dispose()


def _settings(settings: Settings) -> Iterator[Sign]:
    try:
        safety.require(settings)
    except InvalidSettings as error:
        yield Sign("settings", Health.BAD, str(error))
    else:
        yield Sign("settings", Health.GOOD, f"bind {settings.bind}, {settings.web_workers} web workers of {settings.web_threads} threads")
    host = settings.host
    if host not in ("127.0.0.1", "::1", "localhost") and not settings.https:
        remedy = "Put a proxy with HTTPS in front, bind to 127.0.0.1, and set https and proxies."
        yield Sign("https", Health.WARNING, f"The web server listens on {host} without HTTPS: passwords can be read on the way.", remedy)


def _folder(settings: Settings) -> Iterator[Sign]:
    """Look at the rights of what must stay private."""
    if not settings.data.is_dir():
        yield Sign("folder", Health.BAD, f"There is no folder {settings.data}.", "Name the right one with --data.")
        return
    open_to_others = [path for path in _private_paths(settings) if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    for path in open_to_others:
        health = Health.BAD if path.name in PRIVATE_FILES else Health.WARNING
        remedy = f"chmod {'700' if path.is_dir() else '600'} {path}"
        yield Sign("rights", health, f"Others on this machine can read or enter {path}.", remedy)
    if not open_to_others:
        yield Sign("rights", Health.GOOD, f"{settings.data} is private")


def _private_paths(settings: Settings) -> list[Path]:
    return [settings.data, *(settings.data / name for name in PRIVATE_FILES)]


def _space(settings: Settings) -> Iterator[Sign]:
    place = settings.data if settings.data.is_dir() else Path()
    free = shutil.disk_usage(place).free
    words = f"{free / 1024**3:.1f} GiB free at {settings.data}"
    if free < NO_SPACE_OCTETS:
        yield Sign("disk", Health.BAD, words, "Make room now: without it messages are refused.")
    elif free < LOW_SPACE_OCTETS:
        yield Sign("disk", Health.WARNING, words, "Make room.")
    else:
        yield Sign("disk", Health.GOOD, words)


def _database(database: Database) -> Iterator[Sign]:
    try:
        missing = migrations.pending(database.engine)
    except (Unavailable, UnsafeDatabase, migrations.NewerDatabase) as error:
        yield Sign("database", Health.BAD, str(error))
        return
    yield Sign("database", Health.GOOD, _version(database))
    if missing:
        yield Sign("schema", Health.BAD, f"{len(missing)} migrations have not run, from {missing[0]} on.", "pennywire migrate")
        return
    yield Sign("schema", Health.GOOD, "up to date")
    yield from _plugins(database)
    for look in _LOOKS:
        with database.read() as session:
            yield from look(session)
    with database.read() as session:
        result = verify_balances(session)
    if result.correct:
        yield Sign("ledger", Health.GOOD, f"{result.totals['accounts']} accounts match {result.totals['transfers']} transfers")
    else:
        words = "; ".join(f"{item.subject}: expected {item.expected}, found {item.found}" for item in result.findings[:3])
        yield Sign("ledger", Health.BAD, words, "See everything with: pennywire ledger verify")


def _version(database: Database) -> str:
    if database.dialect == "sqlite":
        return f"SQLite {pysqlite3.dbapi2.sqlite_version}, write-ahead log, full sync"
    with database.engine.connect() as connection:
        return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}, syncs before it answers"


def _plugins(database: Database) -> Iterator[Sign]:
    try:
        loaded = loading.load(enabled_plugins(database), builtins=[routing])
    except DuplicateKind as error:
        yield Sign("plugins", Health.BAD, str(error), "pennywire plugins disable NAME")
        return
    for name, info in loaded.infos.items():
        if info.error:
            last = info.error.strip().splitlines()[-1]
            yield Sign("plugins", Health.BAD, f"{name} {info.version} failed: {last}", "Mend or disable it: pennywire plugins")
    names = ", ".join(f"{name} {info.version}" for name, info in loaded.infos.items() if info.enabled and not info.error)
    yield Sign("plugins", Health.GOOD, names or "none is enabled")
    with database.read() as session:
        broken = read_configuration(session, loaded).broken
    for item in broken:
        yield Sign("configuration", Health.BAD, f"{item.name}: {item.reason}", "Mend it, or enable its plugin.")


def _clock(session: Session) -> Iterator[Sign]:
    difference = abs(database_now(session) - utc_now())
    words = f"{difference.total_seconds():.1f} s between this machine and the database"
    if difference > LARGEST_CLOCK_DIFFERENCE:
        yield Sign("clock", Health.WARNING, words, "Let both follow a time server: times of messages would be wrong.")
    else:
        yield Sign("clock", Health.GOOD, words)


def _people(session: Session) -> Iterator[Sign]:
    count = session.execute(select(func.count()).where(User.role == "administrator", User.active)).scalar_one()
    if count:
        yield Sign("administrator", Health.GOOD, f"{count} may sign in")
    else:
        yield Sign("administrator", Health.WARNING, "There is none yet.", "Make one with: pennywire setup-link")


def _engines(session: Session) -> Iterator[Sign]:
    alive = session.execute(select(func.count()).where(EngineRow.seen_at > utc_now() - ENGINE_SILENT_AFTER)).scalar_one()
    if alive:
        yield Sign("engine", Health.GOOD, f"{alive} at work")
    else:
        yield Sign(
            "engine", Health.WARNING, "None is at work: messages are accepted, and wait.", "Start it: pennywire run, or pennywire engine"
        )
    rows = session.execute(
        select(ServiceConnection.name, ConnectionStatus.state, ConnectionStatus.reason)
        .join(ConnectionStatus, ConnectionStatus.connection_id == ServiceConnection.id)
        .where(ServiceConnection.desired == "started", ConnectionStatus.state != "up")
    )
    for row in rows if alive else ():
        yield Sign(
            "connections",
            Health.WARNING,
            f"{row.name} is {row.state}: {row.reason or 'no reason given'}",
            f"pennywire connection list {row.name}",
        )


def _work(session: Session) -> Iterator[Sign]:
    waiting, oldest = session.execute(select(func.count(), func.min(OutboxRow.message_id)).where(OutboxRow.state != IN_DOUBT)).one()
    doubtful = session.execute(select(func.count()).where(OutboxRow.state == IN_DOUBT)).scalar_one()
    yield Sign("queue", Health.GOOD, f"{waiting} segments wait" if oldest is not None else "empty")
    if doubtful:
        yield Sign(
            "in doubt", Health.WARNING, f"{doubtful} segments left and were not answered.", "See: pennywire message list --state in_doubt"
        )
    held = session.execute(select(func.count()).where(Message.state == State.HELD.value)).scalar_one() if oldest is not None else 0
    if held:
        yield Sign("held", Health.WARNING, f"{held} messages are held.", "See: pennywire message list --state held")
    parked = session.execute(select(func.count()).select_from(ParkedReport)).scalar_one()
    if parked:
        yield Sign("reports", Health.WARNING, f"{parked} reports match no message yet.", "Compare the connection's id forms.")
    for name, fault in session.execute(select(JournalCursor.consumer, JournalCursor.last_error).where(JournalCursor.last_error != "")):
        yield Sign(
            "journal", Health.WARNING, f"The consumer {name} fails: {fault.strip().splitlines()[-1]}", "It is tried again by itself."
        )


_LOOKS: tuple[Callable[[Session], Iterator[Sign]], ...] = (_clock, _people, _engines, _work)

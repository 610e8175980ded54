"""Migrations: bring a database from any earlier version to this one, under a lock, in one transaction.

Each file in `versions` is one step, written for SQLite and PostgreSQL alike. `python -m app.migrations.draft` writes the next one.
Plugins with tables of their own have a folder of steps and a version table each; they run under the same lock.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from app.db import Unavailable
from app.plugins import Plugins
from pennywire import Migrations

_LOG = logging.getLogger(__name__)

VERSION_TABLE = "pennywire_version"
"""Where the database keeps its own version. Plugins with tables have one each."""

LOCK = 7_309_940_129
"""Key of the advisory lock on PostgreSQL; a number that nothing else is likely to use."""

WAIT_S = 600
"""How long a process waits while another one migrates."""


class NewerDatabase(Exception):
    """The database was migrated by a newer Pennywire, whose steps this one does not know. Install that version or a newer one."""


class NotMigrated(Exception):
    """The database has not the tables of this version; `pennywire migrate` makes them."""


class ForeignTable(Exception):
    """The steps of a plugin made or removed a table whose name does not begin with its prefix."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """A folder of steps, and the table that says which of them a database has."""

    location: str
    version_table: str

    @property
    def script(self) -> ScriptDirectory:
        return _script(self.location)


CORE = _Steps(str(Path(__file__).parent), VERSION_TABLE)


@cache
def _script(location: str) -> ScriptDirectory:
    return ScriptDirectory(location)


def upgrade(engine: Engine) -> list[str]:
    """Run the steps that are missing, and return their names; two processes that start at once take turns.

    All steps stand or fall together. Raises: NewerDatabase; Unavailable after `WAIT_S` of waiting.
    """
    try:
        with _locked(engine) as connection:
            missing = _missing(connection, CORE)
            if missing:
                _run(connection, CORE)
            return missing
    except OperationalError as error:
        raise Unavailable(f"The database cannot be migrated now: {error.orig}.") from error


def pending(engine: Engine) -> list[str]:
    """Return the names of the steps that `upgrade` would run, in their order. Raises: NewerDatabase, Unavailable."""
    try:
        with engine.connect() as connection:
            return _missing(connection, CORE)
    except OperationalError as error:
        raise Unavailable(f"The database does not answer: {error.orig}.") from error


def require(engine: Engine) -> None:
    """Let a process pass only where nothing is missing. Raises: NotMigrated, NewerDatabase, Unavailable."""
    missing = pending(engine)
    if missing:
        raise NotMigrated(f"The database lacks {len(missing)} of this version's migrations, from {missing[0]} on. Run: pennywire migrate")


def upgrade_plugins(engine: Engine, plugins: Plugins) -> list[str]:
    """Run the steps that the tables of plugins lack, each plugin's in a transaction of its own; return `plugin step` for each.

    A plugin whose steps cannot run is isolated with its traceback; the others and the gateway go on. Raises: Unavailable.
    """
    done: list[str] = []
    for owner, migrations in list(plugins.migrations):
        steps = _Steps(str(migrations.location), migrations.version_table)
        try:
            if _pending_of(engine, steps):
                done += [f"{owner} {step}" for step in _upgrade_plugin(engine, steps, migrations)]
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001  # A step of a plugin may raise anything; it is shown on the Plugins page.
            _LOG.exception("the tables of plugin %s cannot be made", owner)
            plugins.isolate(owner, traceback.format_exc())
    return done


def pending_plugins(engine: Engine, plugins: Plugins) -> list[str]:
    """Return `plugin step` for each step that `upgrade_plugins` would run; a plugin that cannot say is isolated. Raises: Unavailable."""
    found: list[str] = []
    for owner, migrations in list(plugins.migrations):
        try:
            missing = _pending_of(engine, _Steps(str(migrations.location), migrations.version_table))
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001  # As above.
            plugins.isolate(owner, traceback.format_exc())
            continue
        found += [f"{owner} {step}" for step in missing]
    return found


def _pending_of(engine: Engine, steps: _Steps) -> list[str]:
    try:
        with engine.connect() as connection:
            return _missing(connection, steps)
    except OperationalError as error:
        raise Unavailable(f"The database does not answer: {error.orig}.") from error


def _upgrade_plugin(engine: Engine, steps: _Steps, migrations: Migrations) -> list[str]:
    """Run a plugin's steps and see that they touched no table of others. Raises: ForeignTable, and whatever a step raises."""
    with _locked(engine) as connection:
        missing = _missing(connection, steps)  # Another process may have been quicker.
        if missing:
            before = set(inspect(connection).get_table_names())
            _run(connection, steps)
            foreign = {name for name in before ^ set(inspect(connection).get_table_names()) if not name.startswith(f"{migrations.prefix}_")}
            if foreign:
                raise ForeignTable(f"{', '.join(sorted(foreign))} must begin with {migrations.prefix}_.")
        return missing


def _missing(connection: Connection, steps: _Steps) -> list[str]:
    context = MigrationContext.configure(connection, opts={"version_table": steps.version_table})
    present = context.get_current_heads()
    try:
        missing = list(steps.script.iterate_revisions("heads", present or "base", implicit_base=True))
    except ResolutionError as error:
        raise NewerDatabase(
            f"The database has version {', '.join(present)} of {steps.version_table}, which is not known here. "
            "Install the version that made it."
        ) from error
    return [step.revision for step in reversed(missing) if step.revision not in present]


def _run(connection: Connection, steps: _Steps) -> None:
    script = steps.script

    def ahead(present: tuple[str, ...], _context: MigrationContext) -> list[RevisionStep]:
        return script._upgrade_revs("heads", present)  # type: ignore[arg-type]  # noqa: SLF001  # As Alembic's own command does.

    with EnvironmentContext(Config(), script, fn=ahead) as environment:
        environment.configure(connection=connection, version_table=steps.version_table, transactional_ddl=True)
        environment.run_migrations()


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other migration runs beside; committed at the end."""
    with engine.execution_options(writes=True).connect() as connection:
        # What is set here must not go back into the pool.
        connection.detach()
        _GUARDS[engine.dialect.name](connection)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            yield connection
            if engine.dialect.name == "sqlite":
                _check_references(connection)


def _guard_sqlite(connection: Connection) -> None:
    """Wait for the other, and let a step remake a table without taking what refers to it along."""
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.execute(f"PRAGMA busy_timeout={WAIT_S * 1000}")
    raw.execute("PRAGMA foreign_keys=OFF")


def _guard_postgresql(connection: Connection) -> None:
    """Give the steps the time that a large table takes."""
    with connection.begin():
        connection.execute(text(f"SET lock_timeout = '{WAIT_S}s'"))
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SET idle_in_transaction_session_timeout = 0"))


_GUARDS = {"sqlite": _guard_sqlite, "postgresql": _guard_postgresql}


def _check_references(connection: Connection) -> None:
    broken = connection.execute(text("PRAGMA foreign_key_check")).all()
    assert not broken, f"A migration left rows that refer to nothing: {broken[:3]}"

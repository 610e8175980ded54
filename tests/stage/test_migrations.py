"""The migrations: the same database as the models describe, on SQLite and on PostgreSQL."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, text

from app import migrations, schema
from app.db import STRANGER_TIMEOUT_MS, Database, make_engine
from app.models import Base


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        else:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            for name in inspect(connection).get_table_names():
                connection.exec_driver_sql(f'DROP TABLE "{name}"')


def _catalogue(connection: Connection) -> set[tuple[Any, ...]]:
    """Return everything that the database knows of its tables, without the migrations' own one."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(text("SELECT type, tbl_name, name, sql FROM sqlite_master"))
        rows = {(kind, table, name, _definition(definition)) for kind, table, name, definition in found}
    else:
        columns = connection.execute(
            text(
                "SELECT 'column', table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
                "FROM information_schema.columns WHERE table_schema = 'public'"
            )
        )
        indexes = connection.execute(text("SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
        constraints = connection.execute(
            text("SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid > 0")
        )
        rows = {tuple(row) for result in (columns, indexes, constraints) for row in result}
    return {row for row in rows if row[1] != migrations.VERSION_TABLE and not row[1].startswith("sqlite_") and not row[1].startswith("pg_")}


def _definition(sql: str | None) -> Any:
    """Return a table's definition without blanks, its parts in the order of the alphabet: constraints have none."""
    flat = " ".join((sql or "").replace('"', "").split())
    head, bracket, body = flat.partition("(")
    return (head.strip(), *sorted(part.strip() for part in re.split(r",(?![^()]*\))", body.removesuffix(")")))) if bracket else flat


def _first_rows(connection: Connection) -> list[Any]:
    accounts = connection.execute(
        text("SELECT name, kind, currency, balance_uc, reserved_uc, limit_uc, unlimited FROM accounts ORDER BY name")
    )
    return [*accounts.all(), *connection.execute(text("SELECT id, version FROM configuration")).all()]


def test_the_migrations_make_the_database_of_the_models(engine: Engine) -> None:
    schema.create(engine)
    with engine.connect() as connection:
        wanted, wanted_rows = _catalogue(connection), _first_rows(connection)
    _empty(engine)

    migrations.upgrade(engine)

    with engine.connect() as connection:
        assert _catalogue(connection) == wanted
        assert _first_rows(connection) == wanted_rows


@pytest.mark.filterwarnings("ignore:autogenerate skipping:UserWarning", "ignore:Did not recognize type 'xid8'")
def test_alembic_finds_nothing_to_add(engine: Engine) -> None:
    migrations.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE, "compare_type": True})
        differences = [row for row in compare_metadata(context, Base.metadata) if not _outside_the_models(row)]

    assert differences == []


def _outside_the_models(difference: Any) -> bool:
    """Say whether it is what Alembic cannot compare: the journal's order on PostgreSQL, and an index over an expression."""
    return getattr(difference[-1], "name", "") in ("xid", "ix_event_order", "ix_outbox_queue")


def test_a_second_upgrade_does_nothing(engine: Engine) -> None:
    first = migrations.upgrade(engine)

    assert first
    assert migrations.upgrade(engine) == []
    assert migrations.pending(engine) == []


def test_an_empty_database_is_told_what_to_do(engine: Engine) -> None:
    with pytest.raises(migrations.NotMigrated, match="pennywire migrate"):
        migrations.require(engine)


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'"))

    with pytest.raises(migrations.NewerDatabase, match="9999"):
        migrations.upgrade(engine)
    with pytest.raises(migrations.NewerDatabase, match="9999"):
        migrations.require(engine)


def test_processes_that_start_at_once_migrate_once(database_url: str) -> None:
    done: list[list[str]] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        engine = make_engine(database_url)
        barrier.wait()
        done.append(migrations.upgrade(engine))
        engine.dispose()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(map(bool, done)) == [False, False, False, True]


def test_a_failing_step_leaves_nothing_behind(engine: Engine) -> None:
    """On both databases tables are part of the transaction: a half-migrated database cannot be."""
    with engine.begin() as connection:
        # The first step wants to make this table itself, after some others.
        connection.execute(text("CREATE TABLE users (id INTEGER)"))

    with pytest.raises(Exception, match="users"):
        migrations.upgrade(engine)

    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) <= {"users"}


def test_the_guards_do_not_stay_with_the_pool(engine: Engine) -> None:
    """A migration waits long and ignores references; what comes after it must not."""
    migrations.upgrade(engine)

    with Database(engine).read() as session:
        if engine.dialect.name == "sqlite":
            found = [session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("foreign_keys", "busy_timeout")]
            assert found == [1, STRANGER_TIMEOUT_MS]
        else:
            assert session.execute(text("SHOW lock_timeout")).scalar_one() == "4s"

"""The way of a command to settings and database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import config, migrations
from app.cli.options import given
from app.config import Settings
from app.core import Core, enabled_plugins, open_core
from app.db import Database, Unavailable, UnsafeDatabase, make_engine
from app.gateway import OpenGateway
from app.migrations import NotMigrated

ACTOR = "cli"
"""Who did it, in the audit log and the ledger."""

T = TypeVar("T")


def settings() -> Settings:
    """Return the settings of this call. Raises: InvalidSettings."""
    return config.load(given().overrides, file=given().config)


@contextmanager
def database() -> Iterator[Database]:
    """Open the database, for commands that need no plugin.

    Raises: NotMigrated, NewerDatabase, UnsafeDatabase, Unavailable, InvalidSettings.
    """
    present = settings()
    require_database(present)
    opened = Database(make_engine(present.url, pool_size=2))
    try:
        migrations.require(opened.engine)
        yield opened
    finally:
        opened.dispose()


@contextmanager
def core() -> Iterator[Core]:
    """Open the database with plugins and keys. Raises: as `database`; DuplicateKind."""
    present = settings()
    with database():
        opened = open_core(present)
    try:
        yield opened
    finally:
        opened.close()


def gateway(context: click.Context) -> OpenGateway:
    """Return the gateway for a plugin's command; it is closed with the context. Raises: as `core`."""
    return OpenGateway(context.with_resource(core()), ACTOR, "administrator")


def read(work: Callable[[Session], T]) -> T:
    """Do `work` in a transaction that reads."""
    with database() as opened, opened.read() as session:
        return work(session)


def write(work: Callable[[Session], T]) -> T:
    """Do `work` in a transaction and commit it."""
    with database() as opened:
        return opened.run(work)


def require_database(present: Settings) -> None:
    """Refuse a SQLite file that is not there: opening it would make an empty one where a folder was mistyped."""
    url = make_url(present.url)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return
    if not (present.data / url.database).exists():
        raise NotMigrated(f"There is no database {url.database}. Make one with: pennywire migrate, or name another folder with --data.")


def plugin_choices() -> dict[str, bool]:
    """Return which plugins the operator enabled or disabled; nothing where the database cannot say."""
    opened = Database(make_engine(settings().url, pool_size=1))
    try:
        return enabled_plugins(opened)
    except (Unavailable, UnsafeDatabase, DBAPIError):
        return {}
    finally:
        opened.dispose()

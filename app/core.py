"""The core of a process: settings, database, plugins and configuration, opened together and handed on as one."""

from dataclasses import dataclass

from sqlalchemy import select

from app import migrations, routing
from app import plugins as plugin_loading
from app.clock import Clock, utc_now
from app.config import Settings, prepare_data_folder
from app.db import Database, make_engine
from app.identifiers import IdMaker
from app.models import PluginRow
from app.plugins import Plugins
from app.secrets import Vault
from app.snapshot import SnapshotCache


@dataclass(slots=True)
class Core:
    """What every process of the gateway stands on."""

    settings: Settings
    database: Database
    plugins: Plugins
    vault: Vault
    snapshots: SnapshotCache
    ids: IdMaker
    clock: Clock

    def close(self) -> None:
        """Close the database."""
        self.database.dispose()


def open_core(settings: Settings, *, plugins: Plugins | None = None, clock: Clock = utc_now) -> Core:
    """Open the data folder, the database (whose schema must be there) and the enabled plugins, with tables of their own.

    Raises: InvalidSettings, UnsafeDatabase, Unavailable, DuplicateKind.
    """
    settings = prepare_data_folder(settings)
    database = Database(make_engine(settings.url, pool_size=max(settings.web_threads, 4) + 4))
    if plugins is None:
        plugins = plugin_loading.load(enabled_plugins(database), builtins=[routing])
    migrations.upgrade_plugins(database.engine, plugins)
    return Core(
        settings=settings,
        database=database,
        plugins=plugins,
        vault=Vault(settings.data / "settings.key"),
        snapshots=SnapshotCache(database, plugins),
        ids=IdMaker(),
        clock=clock,
    )


def enabled_plugins(database: Database) -> dict[str, bool]:
    """Return the operator's choices by plugin name."""
    with database.read() as session:
        return {row.name: row.enabled for row in session.scalars(select(PluginRow))}

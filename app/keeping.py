"""The key-value storage of plugins: values under keys, each plugin's own and those of its connections. Stage functions."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.models import PluginValue, table
from pennywire.keeping import check_room, encode_changes

PLUGIN_ITSELF = 0
"""Stands for no connection: the value is the plugin's own."""

_VALUES = table(PluginValue)


def read(session: Session, plugin: str, connection_id: int = PLUGIN_ITSELF, prefix: str = "") -> dict[str, Any]:
    """Return the values whose keys begin with `prefix`, in the order of their keys."""
    statement = select(_VALUES.c.key, _VALUES.c.value).where(*_scope(plugin, connection_id)).order_by(_VALUES.c.key)
    if prefix:
        statement = statement.where(_VALUES.c.key.startswith(prefix, autoescape=True))
    # LIKE of SQLite takes small and capital letters for the same.
    return {row.key: json.loads(row.value) for row in session.execute(statement) if row.key.startswith(prefix)}


def write(session: Session, plugin: str, changes: Mapping[str, Any], connection_id: int = PLUGIN_ITSELF) -> None:
    """Write values; None removes one. Raises: CannotKeep."""
    encoded = encode_changes(changes)
    gone = [key for key, value in encoded.items() if value is None]
    if gone:
        session.execute(delete(_VALUES).where(*_scope(plugin, connection_id), _VALUES.c.key.in_(gone)))
    rows = [
        {"plugin": plugin, "connection_id": connection_id, "key": key, "value": value}
        for key, value in sorted(encoded.items())
        if value is not None
    ]
    if not rows:
        return
    maker = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    fresh = maker(_VALUES).values(rows)
    session.execute(fresh.on_conflict_do_update(index_elements=["plugin", "connection_id", "key"], set_={"value": fresh.excluded.value}))
    check_room(session.scalar(select(func.count()).select_from(_VALUES).where(*_scope(plugin, connection_id))) or 0)


def count(session: Session, plugin: str) -> int:
    """Return how many values a plugin keeps, those of its connections included."""
    return session.scalar(select(func.count()).select_from(_VALUES).where(_VALUES.c.plugin == plugin)) or 0


def remove_of_plugin(session: Session, plugin: str) -> None:
    """Remove everything that a plugin keeps."""
    session.execute(delete(_VALUES).where(_VALUES.c.plugin == plugin))


def remove_of_connection(session: Session, connection_id: int) -> None:
    """Remove what is kept for a connection, whichever plugins keep it."""
    session.execute(delete(_VALUES).where(_VALUES.c.connection_id == connection_id))


def _scope(plugin: str, connection_id: int) -> tuple[Any, Any]:
    return _VALUES.c.plugin == plugin, _VALUES.c.connection_id == connection_id

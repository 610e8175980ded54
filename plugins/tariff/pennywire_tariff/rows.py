"""Many rows at once: whole versions go in and out by short transactions, because SQLite has one writer."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, String, Table, delete, insert, literal, select
from sqlalchemy.orm import DeclarativeBase, Session

from pennywire import Storage
from pennywire_tariff.models import Entry, NetworkMap, NetworkPrefix, Version

CHUNK = 5000
"""Rows of one transaction: some tens of milliseconds."""


def table_of(model: type[DeclarativeBase]) -> Table:
    """Return a model's table."""
    found = model.__table__
    assert isinstance(found, Table)
    return found


def insert_rows(session: Session, model: type[DeclarativeBase], names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values stand in the order of `names`: as arrays on PostgreSQL, by a repeated statement on SQLite.

    Units: moments are microseconds here, as they are stored.
    """
    if not rows:
        return
    table = table_of(model)
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        marks, columns = ", ".join("?" for _ in names), ", ".join(names)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", list(rows))  # noqa: S608  # our own names
        return
    arrays = ", ".join(_array(table, name) for name in names)
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({arrays})"  # noqa: S608  # our own names
    connection.exec_driver_sql(statement, tuple(list(values) for values in zip(*rows, strict=True)))


def _array(table: Table, name: str) -> str:
    kind = table.c[name].type
    return "%s::text[]" if isinstance(kind, String) else "%s::integer[]" if type(kind) is Integer else "%s::bigint[]"


def delete_version(gateway: Storage, version_id: int) -> None:
    """Remove a version with its entries, in chunks; on the way it counts as loading, and cannot be activated."""
    with gateway.write() as session:
        session.get_one(Version, version_id).state = "loading"
    _delete_chunks(gateway, select(Entry.id).where(Entry.version_id == version_id).limit(CHUNK), Entry.id)
    with gateway.write() as session:
        session.execute(delete(Version).where(Version.id == version_id))


def delete_map(gateway: Storage, map_id: int) -> None:
    """Remove a table of networks, in chunks."""
    with gateway.write() as session:
        session.get_one(NetworkMap, map_id).state = "loading"
    while True:
        with gateway.write() as session:
            chunk = select(NetworkPrefix.prefix).where(NetworkPrefix.map_id == map_id).limit(CHUNK)
            statement = delete(NetworkPrefix).where(NetworkPrefix.map_id == map_id, NetworkPrefix.prefix.in_(chunk))
            if not session.execute(statement, execution_options={"synchronize_session": False}).rowcount:  # type: ignore[attr-defined]  # a DELETE has it
                session.execute(delete(NetworkMap).where(NetworkMap.id == map_id))
                return


def _delete_chunks(gateway: Storage, chunk: Any, key: Any) -> None:
    while True:
        with gateway.write() as session:
            done = session.execute(delete(Entry).where(key.in_(chunk)), execution_options={"synchronize_session": False})
            if not done.rowcount:  # type: ignore[attr-defined]  # a DELETE has it
                return


def copy_version(gateway: Storage, source: Version, target_id: int) -> int:
    """Copy the entries of a version into a loading one, in chunks; return how many there are."""
    names = ("prefix", "mcc", "mnc", "price_uc", "effective_at", "end_at", "name")
    columns = [getattr(Entry, name) for name in names]
    last, count = 0, 0
    while True:
        with gateway.write() as session:
            ids = session.scalars(
                select(Entry.id).where(Entry.version_id == source.id, Entry.id > last).order_by(Entry.id).limit(CHUNK)
            ).all()
            if not ids:
                return count
            rows = select(*columns).where(Entry.version_id == source.id, Entry.id > last, Entry.id <= ids[-1]).order_by(Entry.id)
            with_version = rows.add_columns(literal(target_id, Integer), literal(0, Integer))
            session.execute(insert(Entry).from_select([*names, "version_id", "line"], with_version, include_defaults=False))
            last, count = ids[-1], count + len(ids)

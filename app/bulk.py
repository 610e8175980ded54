"""Many rows in one statement: inserts, updates, moves, deletes and sums by key, past the ORM's work for each row.

On SQLite the driver repeats a prepared statement; on PostgreSQL one statement takes the columns as arrays. A batch costs a
handful of statements whatever its size, and the pipe's speed rests on it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import JSON, Column, CursorResult, LargeBinary, String, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from app.arrays import array_text
from app.db import AnyRow, Instant, to_microseconds

_Convert = Callable[[Any], Any]
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # the module is typed by hand

_microseconds = lru_cache(maxsize=4096)(to_microseconds)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]], computed: tuple[tuple[str, str], ...] = ()) -> None:
    """Insert rows that all have the same columns in the same order; columns that are left out get NULL or the table's default.

    `computed` are (column, SQL) pairs for PostgreSQL alone; in the SQL the row's values have the name `v`.
    """
    if rows:
        _run(session, _insert_plan(table, tuple(rows[0]), computed, _name(session)), [tuple(row.values()) for row in rows])


def insert_free_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]], place: str) -> list[AnyRow]:
    """Insert the rows whose place in a unique index is free, on PostgreSQL, and return the places that were.

    `place` is what `ON CONFLICT` needs to know of the index: its columns in parentheses, and its condition if it is partial.
    """
    return list(_run(session, _insert_free_plan(table, tuple(rows[0]), place), [tuple(row.values()) for row in rows]))


def update_rows(session: Session, table: Table, keys: Sequence[str], columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Update rows found by `keys`. Shape: each tuple holds the new values in the order of `columns`, then the keys' values."""
    if rows:
        _run(session, _update_plan(table, tuple(keys), tuple(columns), _name(session)), rows)


def delete_rows(session: Session, table: Table, keys: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Delete rows found by `keys`. Shape: each tuple holds the keys' values."""
    if rows:
        _run(session, _delete_plan(table, tuple(keys), _name(session)), rows)


def add_rows(session: Session, table: Table, keys: Sequence[str], columns: Sequence[str], rows: Sequence[tuple[int | str, ...]]) -> None:
    """Add numbers to rows found by `keys`; a row that is not there begins with them. The columns must be the whole table.

    Shape: each tuple holds the keys' values in the order of `keys`, then the numbers; no two have the same keys.
    """
    if rows:
        _run(session, _add_plan(table, tuple(keys), tuple(columns), _name(session)), rows)


def move_rows(
    session: Session, table: Table, keys: Sequence[str], columns: Sequence[str], rows: Sequence[tuple[int, ...]], guard: str = "TRUE"
) -> int:
    """Add numbers to rows found by `keys`, where `guard` is true of them; return how many rows were moved.

    Shape: each tuple holds the numbers in the order of `columns`, then the keys' values; no two have the same keys. In the SQL of
    `guard` the row before the move has the name `t`, and `{column}` is what is added.
    """
    if not rows:
        return 0
    return _run(session, _move_plan(table, tuple(keys), tuple(columns), guard, _name(session)), rows).rowcount


def _name(session: Session) -> str:
    return session.get_bind().dialect.name


class _Plan:
    """A statement with what its parameters need: `converters` for rows, `columns` for arrays."""

    def __init__(self, sql: str, columns: Sequence[Column[Any]], *, arrays: bool) -> None:
        self.sql = sql
        self.columns = columns
        self.arrays = arrays
        self.converters: list[tuple[int, _Convert]] = [
            (index, convert) for index, column in enumerate(columns) if (convert := _converter(column)) is not None
        ]


def _converter(column: Column[Any]) -> _Convert | None:
    """Return what SQLite's driver needs done to a column's values."""
    if isinstance(column.type, JSON):
        return _json
    if isinstance(column.type, Instant):
        return _microseconds
    return None


def _run(session: Session, plan: _Plan, rows: Sequence[tuple[Any, ...]]) -> CursorResult[Any]:
    session.flush()
    connection = session.connection()
    if plan.arrays:
        arrays = zip(zip(*rows, strict=True), plan.columns, strict=True)
        return connection.exec_driver_sql(plan.sql, tuple(array_text(values, column.type) for values, column in arrays))
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for index, convert in plan.converters:
        columns[index] = [None if value is None else convert(value) for value in columns[index]]
    return connection.exec_driver_sql(plan.sql, list(zip(*columns, strict=True)))


@lru_cache(maxsize=256)
def _insert_plan(table: Table, names: tuple[str, ...], computed: tuple[tuple[str, str], ...], dialect: str) -> _Plan:
    columns = [table.c[name] for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    if dialect == "sqlite":
        marks = ", ".join("?" for _ in names)
        return _Plan(f'INSERT INTO "{table.name}" ({quoted}) VALUES ({marks})', columns, arrays=False)
    targets = ", ".join((quoted, *(f'"{name}"' for name, _ in computed)))
    values = ", ".join(("v.*", *(sql for _, sql in computed)))
    source = f"unnest({_arrays(columns)}) AS v({quoted})"
    return _Plan(f'INSERT INTO "{table.name}" ({targets}) SELECT {values} FROM {source}', columns, arrays=True)


@lru_cache(maxsize=256)
def _insert_free_plan(table: Table, names: tuple[str, ...], place: str) -> _Plan:
    plan = _insert_plan(table, names, (), "postgresql")
    columns = place[place.index("(") + 1 : place.index(")")]
    return _Plan(f"{plan.sql} ON CONFLICT {place} DO NOTHING RETURNING {columns}", plan.columns, arrays=True)


@lru_cache(maxsize=256)
def _update_plan(table: Table, keys: tuple[str, ...], names: tuple[str, ...], dialect: str) -> _Plan:
    columns = [table.c[name] for name in (*names, *keys)]
    if dialect == "sqlite":
        changes = ", ".join(f'"{name}" = ?' for name in names)
        where = " AND ".join(f'"{key}" = ?' for key in keys)
        return _Plan(f'UPDATE "{table.name}" SET {changes} WHERE {where}', columns, arrays=False)
    changes = ", ".join(f'"{name}" = v."n_{name}"' for name in names)
    aliases = ", ".join([f'"n_{name}"' for name in names] + [f'"k_{key}"' for key in keys])
    where = " AND ".join(f't."{key}" = v."k_{key}"' for key in keys)
    source = f"unnest({_arrays(columns)}) AS v({aliases})"
    return _Plan(f'UPDATE "{table.name}" AS t SET {changes} FROM {source} WHERE {where}', columns, arrays=True)


@lru_cache(maxsize=256)
def _move_plan(table: Table, keys: tuple[str, ...], names: tuple[str, ...], guard: str, dialect: str) -> _Plan:
    columns = [table.c[name] for name in (*names, *keys)]
    arrays = dialect != "sqlite"
    marks = {column.name: f'v."{column.name}"' if arrays else f"?{number}" for number, column in enumerate(columns, 1)}
    changes = ", ".join(f'"{name}" = t."{name}" + {marks[name]}' for name in names)
    where = " AND ".join([f't."{key}" = {marks[key]}' for key in keys] + [f"({guard.format_map(marks)})"])
    aliases = ", ".join(f'"{column.name}"' for column in columns)
    source = f" FROM unnest({_arrays(columns)}) AS v({aliases})" if arrays else ""
    return _Plan(f'UPDATE "{table.name}" AS t SET {changes}{source} WHERE {where}', columns, arrays=arrays)


@lru_cache(maxsize=256)
def _delete_plan(table: Table, keys: tuple[str, ...], dialect: str) -> _Plan:
    columns = [table.c[key] for key in keys]
    if dialect == "sqlite":
        where = " AND ".join(f'"{key}" = ?' for key in keys)
        return _Plan(f'DELETE FROM "{table.name}" WHERE {where}', columns, arrays=False)
    aliases = ", ".join(f'"k_{key}"' for key in keys)
    where = " AND ".join(f't."{key}" = v."k_{key}"' for key in keys)
    source = f"unnest({_arrays(columns)}) AS v({aliases})"
    return _Plan(f'DELETE FROM "{table.name}" AS t USING {source} WHERE {where}', columns, arrays=True)


@lru_cache(maxsize=256)
def _add_plan(table: Table, keys: tuple[str, ...], names: tuple[str, ...], dialect: str) -> _Plan:
    columns = [table.c[name] for name in (*keys, *names)]
    quoted = ", ".join(f'"{column.name}"' for column in columns)
    sums = ", ".join(f'"{name}" = "{table.name}"."{name}" + excluded."{name}"' for name in names)
    place = ", ".join(f'"{key}"' for key in keys)
    there = f"ON CONFLICT ({place}) DO UPDATE SET {sums}"
    if dialect == "sqlite":
        marks = ", ".join("?" for _ in columns)
        return _Plan(f'INSERT INTO "{table.name}" ({quoted}) VALUES ({marks}) {there}', columns, arrays=False)
    source = f"unnest({_arrays(columns)}) AS v({quoted})"
    return _Plan(f'INSERT INTO "{table.name}" ({quoted}) SELECT v.* FROM {source} {there}', columns, arrays=True)


def _arrays(columns: Sequence[Column[Any]]) -> str:
    return ", ".join(_array(column) for column in columns)


def _array(column: Column[Any]) -> str:
    """Return the placeholder of a column's values. Texts are cast to `text`: to `varchar(n)` a long one would be cut in silence."""
    if isinstance(column.type, JSON):
        return "%s::text[]::jsonb[]"
    if isinstance(column.type, String):
        return "%s::text[]"
    if isinstance(column.type, LargeBinary):
        return "%s::bytea[]"
    if isinstance(column.type, Instant):
        return "%s::timestamptz[]"
    return f"%s::{column.type.compile(_DIALECT)}[]"

"""The default tables `inbox` and `outbox`, and the statements that bring a row of them to a message's present state.

A row is found by the message's id. Writing it again changes nothing, and an older state never replaces a newer one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    TypeDecorator,
    Unicode,
    UnicodeText,
    bindparam,
    case,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from pennywire_sqllog.events import LONGEST_IDS, LONGEST_REASON, LONGEST_SUBJECT, Status

CHUNK = 500
"""Rows whose ids are looked up at once where a database has no upsert that SQLAlchemy knows."""

_Moment = (
    DateTime()
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    .with_variant(mssql.DATETIME2(6), "mssql")  # type: ignore[no-untyped-call]  # the dialect is typed by hand
    .with_variant(oracle.TIMESTAMP(), "oracle")
)
_Text = UnicodeText().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb").with_variant(mssql.NVARCHAR(None), "mssql")


class _Price(TypeDecorator[Any]):
    """Credits with six decimals, exactly; SQLite has no such number and keeps it as text."""

    impl = Numeric(20, 6)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(27) if dialect.name == "sqlite" else Numeric(20, 6))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return f"{value:f}" if dialect.name == "sqlite" and value is not None else value


def _common() -> list[Column[Any]]:
    return [
        Column("msgid", String(40), primary_key=True),
        Column("username", Unicode(64)),
        Column("msgtype", String(160)),
        Column("sender", Unicode(40)),
        Column("receiver", Unicode(40)),
        Column("msgsubject", Unicode(LONGEST_SUBJECT)),
        Column("msgdata", _Text),
        Column("operator", Unicode(100)),
        Column("pducount", Integer),
        Column("price", _Price),
        Column("buyprice", _Price),
        Column("route", Unicode(64)),
        Column("reference", Unicode(100)),
    ]


@dataclass(frozen=True, slots=True)
class LogTables:
    """The two tables under the names that the operator chose."""

    metadata: MetaData
    inbox: Table
    outbox: Table


@lru_cache(maxsize=8)
def make_tables(inbox: str, outbox: str) -> LogTables:
    """Return the tables; a name may have its schema before it, with a point."""
    metadata = MetaData()
    options: dict[str, Any] = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
    received = Table(
        inbox.rpartition(".")[2],
        metadata,
        *_common(),
        Column("senttime", _Moment),
        Column("receivedtime", _Moment),
        schema=inbox.rpartition(".")[0] or None,
        **options,
    )
    sent = Table(
        outbox.rpartition(".")[2],
        metadata,
        *_common(),
        Column("acceptedfordeliverytime", _Moment),
        Column("deliveredtonetworktime", _Moment),
        Column("deliveredtohandsettime", _Moment),
        Column("callbackid", String(LONGEST_IDS)),
        Column("cost", Integer),
        Column("errormessage", Unicode(LONGEST_REASON)),
        Column("status", String(20)),
        schema=outbox.rpartition(".")[0] or None,
        **options,
    )
    for table, column in ((received, "receivedtime"), (sent, "acceptedfordeliverytime")):
        Index(f"ix_{table.name}_time", table.c[column])
        Index(f"ix_{table.name}_receiver", table.c.receiver)
    return LogTables(metadata, received, sent)


@lru_cache(maxsize=8)
def make_memory(schema: str = "") -> Table:
    """Return the table in which the last batch is remembered where the operator's own SQL cannot be repeated without harm."""
    return Table(
        "pennywire_sqllog",
        MetaData(),
        Column("name", String(40), primary_key=True),
        Column("done", _Text),
        schema=schema or None,
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


_RANK = {Status.ACCEPTED: 0, Status.NETWORK: 1, Status.HANDSET: 2, Status.FAILED: 2}


def _rank(status: ColumnElement[Any]) -> ColumnElement[Any]:
    # The words stand in the statement: a driver that joins rows into one statement takes parameters for values only.
    whens: list[tuple[ColumnElement[bool], ColumnElement[Any]]] = [
        (status == literal_column(f"'{word.value}'"), literal_column(str(place))) for word, place in _RANK.items()
    ]
    return case(*whens, else_=literal_column("0"))


def _newer(table: Table, status: Any) -> ColumnElement[bool] | None:
    """Say whether what is written is not older than what is there; None for a table whose rows do not move."""
    return _rank(status) >= _rank(table.c.status) if "status" in table.c else None


@lru_cache(maxsize=32)
def upsert(table: Table, dialect: str) -> Any:
    """Return the statement that inserts rows or moves them on; None where there is none in one."""
    names = [column.name for column in table.columns if not column.primary_key]
    if dialect in ("postgresql", "sqlite"):
        made: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
        fresh = {name: made.excluded[name] for name in names}
        newer = _newer(table, made.excluded.status) if "status" in table.c else None
        return made.on_conflict_do_update(index_elements=["msgid"], set_=fresh, where=newer)
    if dialect in ("mysql", "mariadb"):
        statement = mysql.insert(table)
        newer = _newer(table, statement.inserted.status) if "status" in table.c else None
        # From left to right each column sees what was assigned before it: the state decides, so it comes last.
        ordered = sorted(names, key=lambda name: name == "status")
        values = [
            (name, statement.inserted[name] if newer is None else case((newer, statement.inserted[name]), else_=table.c[name]))
            for name in ordered
        ]
        return statement.on_duplicate_key_update(values)
    return None


@lru_cache(maxsize=32)
def two_steps(table: Table) -> tuple[Any, Any, Any]:
    """Return look-up, insert and guarded update, for databases without an upsert that SQLAlchemy knows."""
    present = select(table.c.msgid).where(table.c.msgid.in_(bindparam("wanted", expanding=True)))
    changed = update(table).where(table.c.msgid == bindparam("found"))
    if (newer := _newer(table, bindparam("fresh", type_=String(20)))) is not None:
        changed = changed.where(newer)
    names = [column.name for column in table.columns if not column.primary_key]
    return present, insert(table), changed.values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names})


def write_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Bring rows to the state of their messages. Shape: one row for a message, all with the table's columns."""
    if not rows:
        return
    statement = upsert(table, connection.dialect.name)
    if statement is not None:
        connection.execute(statement, rows)
        return
    present, fresh, changed = two_steps(table)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        there = set(connection.scalars(present, {"wanted": [row["msgid"] for row in chunk]}))
        missing = [row for row in chunk if row["msgid"] not in there]
        known = [_renamed(row, table) for row in chunk if row["msgid"] in there]
        if missing:
            connection.execute(fresh, missing)
        if known:
            connection.execute(changed, known)


def _renamed(row: dict[str, Any], table: Table) -> dict[str, Any]:
    """Return the values under the names that the update binds: a column's own name is taken by what it sets."""
    values = {f"new_{name}": value for name, value in row.items() if name != "msgid"}
    return values | {"found": row["msgid"]} | ({"fresh": row["status"]} if "status" in table.c else {})

"""Lists of values as one parameter of a statement: as JSON on SQLite, as an array's text on PostgreSQL.

A list of `IN` with a parameter for each value is another statement for each length: it is put together, parsed and planned anew for
every batch. One parameter makes one statement, which is prepared once; and to write an array as text ourselves costs a tenth of what
the driver takes, which asks each value for its type.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Self

import msgspec
from sqlalchemy import JSON, Boolean, ColumnElement, LargeBinary, String, Text, TypeDecorator, bindparam
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine

from app.db import Instant

_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]  # the module is typed by hand


def array_text(values: Iterable[Any], kind: TypeEngine[Any]) -> str:
    """Return the text of a PostgreSQL array of values of one column's type. Source: PostgreSQL documentation, §8.15.6."""
    write = _writer(kind)
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"


def _writer(kind: TypeEngine[Any]) -> Callable[[Any], str]:
    if isinstance(kind, Instant):
        return _moment
    if isinstance(kind, LargeBinary):
        return _octets
    if isinstance(kind, JSON):
        return _json
    if isinstance(kind, String):
        return _quoted
    return str


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _json(value: Any) -> str:
    return _quoted(msgspec.json.encode(value).decode())


def _octets(value: bytes) -> str:
    return '"\\\\x' + value.hex() + '"'


@lru_cache(maxsize=4096)
def _moment(value: datetime) -> str:
    return f'"{value.isoformat()}"'


class _List(TypeDecorator[Sequence[Any]]):
    """The values of one `among`."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> str:
        assert value is not None, "An empty list is a list."
        return msgspec.json.encode(value).decode() if dialect.name == "sqlite" else array_text(value, self.kind)


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        """Stay as it is beside AND and OR: as `(… IN …) = 1`, which SQLAlchemy makes for SQLite, no index would be used."""
        del against
        return self


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that `column`, of whole numbers or texts, is one of the list that the parameter `name` brings.

    Shape: a list of any length, of which none is None.
    """
    return _Among(column, bindparam(name, type_=_List(column.type)))


@compiles(_Among, "sqlite")
def _compile_sqlite(element: _Among, compiler: SQLCompiler, **keywords: Any) -> str:
    column, values = element.clauses
    return f"{compiler.process(column, **keywords)} IN (SELECT value FROM json_each({compiler.process(values, **keywords)}))"  # noqa: S608  # Of our own parts.


@compiles(_Among, "postgresql")
def _compile_postgresql(element: _Among, compiler: SQLCompiler, **keywords: Any) -> str:
    column, values = element.clauses
    kind = "TEXT" if isinstance(column.type, String) else column.type.compile(_POSTGRESQL)
    return f"{compiler.process(column, **keywords)} = ANY (CAST({compiler.process(values, **keywords)} AS {kind}[]))"

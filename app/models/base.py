"""The root of the tables, and the types of their columns."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, registry

from app.db import Instant

Id = BigInteger().with_variant(Integer, "sqlite")
"""63 bits; on SQLite the row id itself, so that rising ids append."""

Json = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """Root of the core's tables."""

    # On the registry, because Flask-SQLAlchemy derives a base from this one, and a map on the class could not be derived.
    registry = registry(type_annotation_map={datetime: Instant, dict[str, Any]: Json, list[Any]: Json, str: Text})


def table(model: type[Base]) -> Table:
    """Return a model's table, for statements about many rows at once."""
    found = model.__table__
    assert isinstance(found, Table)
    return found

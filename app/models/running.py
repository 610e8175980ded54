"""The journal, and which process does what."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id


class JournalEvent(Base):
    """What happened, in order. `kind` is the state a message reached or the verb of a movement of money."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    user_id: Mapped[int | None]
    data: Mapped[dict[str, Any]]
    __table_args__ = (
        Index(
            "uq_event_version",
            "message_id",
            "version",
            unique=True,
            sqlite_where=text("message_id IS NOT NULL"),
            postgresql_where=text("message_id IS NOT NULL"),
        ),
    )


class JournalCursor(Base):
    """How far a consumer of the journal has come. `position` is the last id it has seen (with `xid` on PostgreSQL)."""

    __tablename__ = "journal_cursors"
    consumer: Mapped[str] = mapped_column(String(64), primary_key=True)
    xid: Mapped[int] = mapped_column(BigInteger, default=0)
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    updated_at: Mapped[datetime]
    last_error: Mapped[str] = mapped_column(default="")


class EngineRow(Base):
    """A delivery process that lives. `sweeper_until` is the lease of the one that sweeps."""

    __tablename__ = "engines"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    host: Mapped[str] = mapped_column(String(128))
    pid: Mapped[int]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Duty(Base):
    """A task that one engine does for all, such as sweeping or a journal consumer, with its lease."""

    __tablename__ = "duties"
    name: Mapped[str] = mapped_column(String(96), primary_key=True)
    engine_id: Mapped[str] = mapped_column(String(32))
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[datetime]

"""Applications of users: their settings, their state, and what waits for them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id


class ApplicationRow(Base):
    """One application of a user: a kind with settings. A user has at most one of each kind."""

    __tablename__ = "applications"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(32))
    settings: Mapped[dict[str, Any]]
    #: What the operator wants: `started` or `stopped`.
    desired: Mapped[str] = mapped_column(String(8), default="stopped")
    created_at: Mapped[datetime]
    __table_args__ = (Index("uq_application", "user_id", "kind", unique=True),)


class ApplicationStatus(Base):
    """What the engine that runs an application says of it. `state` is `down`, `up` or `failed`; `reason` is for operators."""

    __tablename__ = "application_status"
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default="down")
    reason: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime | None]


class ApplicationLog(Base):
    """Lines for the events of an application."""

    __tablename__ = "application_log"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    line: Mapped[str]
    __table_args__ = (Index("ix_application_log", "application_id", "id"),)


class DeliveryRow(Base):
    """What waits for an application until its peer has it. `kind` is the kind of the event that it tells."""

    __tablename__ = "deliveries"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"))
    message_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(index=True)
    __table_args__ = (Index("ix_delivery", "application_id", "id"),)

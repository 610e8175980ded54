"""How people prove who they are: their browsers' sessions, the second factor, and the codes for the day it is lost."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class BrowserSession(Base):
    """A browser that somebody is signed in with: there is a row as long as it is. Only the SHA-256 of its token is kept."""

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    #: The user's `session_epoch` when it began: a session of an earlier one is over.
    epoch: Mapped[int]
    address: Mapped[str] = mapped_column(String(64))
    #: What the browser says of itself.
    device: Mapped[str] = mapped_column(String(255))
    begun_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class SecondFactor(Base):
    """The shared secret of a user's authenticator app, encrypted in `settings`. Until `confirmed_at` it opens and asks nothing."""

    __tablename__ = "second_factors"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    settings: Mapped[dict[str, Any]]
    confirmed_at: Mapped[datetime | None]
    #: The 30 seconds, counted from 1970, whose code was used last: neither it nor an earlier one is taken again.
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Base):
    """A code that replaces the authenticator app once. Only a digest keyed by the user's secret is kept."""

    __tablename__ = "recovery_codes"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    used_at: Mapped[datetime | None]

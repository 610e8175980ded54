"""Closed months: what was stated of an account, kept as it was stated."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id


class ClosedStatement(Base):
    """The statement of one account over one closed month; a row never changes. Units: microcredits.

    It covers the rows of the ledger that are dated from `started_at` on and before `ends_at`. `closing` = `opening` + `added` -
    `used`: *added* is what moved without a message (top-ups, corrections), *used* what messages took, less what was given back.
    """

    __tablename__ = "closed_statements"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    account_id: Mapped[int]
    #: Counts the statements of the account, from 1.
    number: Mapped[int]
    #: Such as `2026-11`.
    month: Mapped[str] = mapped_column(String(7))
    started_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    #: Whose midnights these are.
    time_zone: Mapped[str] = mapped_column(String(64))
    opening_uc: Mapped[int] = mapped_column(BigInteger)
    added_uc: Mapped[int] = mapped_column(BigInteger)
    used_uc: Mapped[int] = mapped_column(BigInteger)
    closing_uc: Mapped[int] = mapped_column(BigInteger)
    opening_reserved_uc: Mapped[int] = mapped_column(BigInteger)
    closing_reserved_uc: Mapped[int] = mapped_column(BigInteger)
    #: Messages that were accepted in the month, and their segments.
    sent_count: Mapped[int] = mapped_column(BigInteger)
    sent_segment_count: Mapped[int] = mapped_column(BigInteger)
    received_count: Mapped[int] = mapped_column(BigInteger)
    received_segment_count: Mapped[int] = mapped_column(BigInteger)
    #: Rows of the ledger within the month, reservations among them.
    row_count: Mapped[int] = mapped_column(BigInteger)
    first_id: Mapped[int | None] = mapped_column(BigInteger)
    last_id: Mapped[int | None] = mapped_column(BigInteger)
    #: SHA-256 over the figures above and every row.
    digest: Mapped[str] = mapped_column(String(64))
    #: Lines by kind, day, route and destination, as they were named when the month was closed.
    groups: Mapped[dict[str, Any]]
    closed_at: Mapped[datetime]
    closed_by: Mapped[str] = mapped_column(String(64))
    __table_args__ = (
        UniqueConstraint("account_id", "month"),
        UniqueConstraint("account_id", "ends_at"),
        Index("ix_closed_statement_month", "month", "account_id"),
    )

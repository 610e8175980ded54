"""What is kept beside an account: proposals for a second person, warnings, suspensions, notices, and the nightly checks."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy import text as where
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Proposal(Base):
    """A movement of credit that waits for a second person, or what became of it. Units: microcredits.

    `kind` is `top_up`, `correct`, or `set`, whose amount is what is to be available. `state`: `waits`, `approved`, `rejected`.
    """

    __tablename__ = "proposals"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str] = mapped_column(String(8))
    amount_uc: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    reference: Mapped[str] = mapped_column(String(96), default="")
    proposed_by: Mapped[str] = mapped_column(String(64))
    proposed_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(8), default="waits")
    decided_by: Mapped[str] = mapped_column(String(64), default="")
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str] = mapped_column(default="")
    #: What the approval moved; it may differ from `amount_uc` where that is a target.
    moved_uc: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (
        Index("ix_proposal_account", "account_id", "id"),
        Index("ix_proposal_waits", "id", sqlite_where=where("state = 'waits'"), postgresql_where=where("state = 'waits'")),
    )


class MovementKey(Base):
    """A key that an administrator gave to a movement of credit: the same key moves nothing twice. Kept for good."""

    __tablename__ = "movement_keys"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    moved_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposals.id"))
    created_at: Mapped[datetime]


class AccountWatch(Base):
    """When an account's owner is warned, and when the account is suspended. Units: microcredits of credit left to spend.

    `low_uc` and `high_uc` follow from the rest: as long as the credit is between them there is nothing to do.
    """

    __tablename__ = "account_watches"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    thresholds: Mapped[list[Any]]
    #: Those of the thresholds whose warning was raised and that are not armed again yet.
    raised: Mapped[list[Any]]
    email: Mapped[str] = mapped_column(String(254), default="")
    callback_url: Mapped[str] = mapped_column(default="")
    suspend_below_uc: Mapped[int | None] = mapped_column(BigInteger)
    release_above_uc: Mapped[int | None] = mapped_column(BigInteger)
    #: False after somebody released the account by hand, until its credit has been above `release_above_uc`.
    suspension_armed: Mapped[bool] = mapped_column(default=True)
    low_uc: Mapped[int | None] = mapped_column(BigInteger)
    high_uc: Mapped[int | None] = mapped_column(BigInteger)


class Suspension(Base):
    """A suspended account: there is a row as long as it is. The audit log keeps those that are over."""

    __tablename__ = "suspensions"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str]
    #: True where want of credit did it, and credit undoes it.
    automatic: Mapped[bool]


class Notice(Base):
    """Something that people should know: low credit, a suspension, a fault of the ledger. `account_id` is NULL for the gateway's own.

    `kind` is a word of `notices.NoticeKind`. `over_at` is when it ceased to be true; until then pages show it.
    """

    __tablename__ = "notices"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str] = mapped_column(String(16))
    threshold_uc: Mapped[int | None] = mapped_column(BigInteger)
    available_uc: Mapped[int | None] = mapped_column(BigInteger)
    text: Mapped[str]
    raised_at: Mapped[datetime]
    over_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_notice_account", "account_id", "id"),
        Index("ix_notice_open", "id", sqlite_where=where("over_at IS NULL"), postgresql_where=where("over_at IS NULL")),
    )


class NoticeDelivery(Base):
    """One way of one notice to one address: `mail` or `callback`. It is due while `next_try_at` is set."""

    __tablename__ = "notice_deliveries"
    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"), index=True)
    way: Mapped[str] = mapped_column(String(8))
    target: Mapped[str]
    try_count: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        Index(
            "ix_notice_delivery_due",
            "way",
            "next_try_at",
            sqlite_where=where("next_try_at IS NOT NULL"),
            postgresql_where=where("next_try_at IS NOT NULL"),
        ),
    )


class LedgerCheck(Base):
    """One nightly check of the ledger with its result; without `ended_at` it is under way, or its engine died in it."""

    __tablename__ = "ledger_checks"
    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    correct: Mapped[bool | None]
    totals: Mapped[dict[str, Any]]
    #: Findings by the title of the check.
    counts: Mapped[dict[str, Any]]
    findings: Mapped[list[Any]]
    error: Mapped[str] = mapped_column(default="")

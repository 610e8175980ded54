"""Accounts and transfers: where credit lies, and every movement of it."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id


class Account(Base):
    """Where credit lies. Units: microcredits. Only accounts with a limit keep `balance_uc` and `reserved_uc`; others are summed.

    `limit_uc` is the lowest that balance minus reserved may reach by outbound charges: 0 prepaid, negative a credit line.
    """

    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    #: `user`, `funding`, `revenue`, `supplier`.
    kind: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), unique=True)
    currency: Mapped[str] = mapped_column(String(16), default="credit")
    balance_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    reserved_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    limit_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    unlimited: Mapped[bool] = mapped_column(default=False)
    #: End of the last closed month: no row of the ledger may be dated before it.
    closed_until: Mapped[datetime | None]
    #: True where the account has period limits: a charge then looks at them, and one of another account does not.
    limited: Mapped[bool] = mapped_column(default=False)
    #: Where the account's days begin; an IANA name, empty means the gateway's.
    time_zone: Mapped[str] = mapped_column(String(64), default="")
    #: Weekday on which the account's weeks begin, 0 is Monday.
    week_start: Mapped[int] = mapped_column(SmallInteger, default=0)
    #: The account above: a reseller's.
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    #: `own`: credit is bought from the account above; `shared`: each message debits that one too.
    parent_mode: Mapped[str] = mapped_column(String(8), default="own")
    #: What people call a credit of this account, such as EUR; it changes no sum. Empty means credits.
    currency_label: Mapped[str] = mapped_column(String(8), default="")
    __table_args__ = (CheckConstraint("reserved_uc >= 0", name="reserved_not_negative"),)


class AccountLimit(Base):
    """The most that an account may send in one kind of period, in one unit: `segments`, or `credits` in microcredits."""

    __tablename__ = "account_limits"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    #: A word of `periods.Period`.
    period: Mapped[str] = mapped_column(String(8), primary_key=True)
    unit: Mapped[str] = mapped_column(String(8), primary_key=True)
    most: Mapped[int] = mapped_column(BigInteger)


class AccountUsage(Base):
    """What was accepted in one period of an account with limits, less what was given back of it. Units: microcredits.

    The row keeps where its period ends (NULL for all time), so that nobody needs the calendar to find the period of a message.
    """

    __tablename__ = "account_usage"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    period: Mapped[str] = mapped_column(String(8), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime | None]
    segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    amount_uc: Mapped[int] = mapped_column(BigInteger, default=0)


class Transfer(Base):
    """One movement of credit from `debit_id` to `credit_id`; a row never changes. Units: microcredits.

    `kind` is a word of `ledger.Kind`. Rows about a message carry `message_id` and `phase`: 0 charge, 1 its one ending (settle
    or release), 2 the one refund. `level` 0 is the account of the message's user, 1 the account above that pays too, and so on.
    A settle row's `released_uc` is what it gives back of the charge.
    """

    __tablename__ = "transfers"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(8))
    debit_id: Mapped[int]
    credit_id: Mapped[int]
    amount_uc: Mapped[int] = mapped_column(BigInteger)
    released_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    level: Mapped[int] = mapped_column(SmallInteger, default=0)
    phase: Mapped[int | None] = mapped_column(SmallInteger)
    actor: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(default="")
    reference: Mapped[str] = mapped_column(String(96), default="")
    __table_args__ = (
        CheckConstraint("amount_uc >= 0 AND released_uc >= 0", name="transfer_not_negative"),
        Index(
            "uq_transfer_phase",
            "message_id",
            "level",
            "phase",
            unique=True,
            sqlite_where=text("message_id IS NOT NULL"),
            postgresql_where=text("message_id IS NOT NULL"),
        ),
        Index("ix_transfer_debit", "debit_id", "at", "id"),
        Index(
            "ix_transfer_credit",
            "credit_id",
            "at",
            "id",
            sqlite_where=text("kind NOT IN ('charge', 'settle', 'release')"),
            postgresql_where=text("kind NOT IN ('charge', 'settle', 'release')"),
        ),
        # The few rows that are about no message: what a month added to an account is summed without its messages.
        *(
            Index(
                f"ix_transfer_booked_{side}",
                f"{side}_id",
                "at",
                sqlite_where=text("message_id IS NULL"),
                postgresql_where=text("message_id IS NULL"),
            )
            for side in ("debit", "credit")
        ),
    )

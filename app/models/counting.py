"""Sums over the journal, by quarter of an hour: what pages and reports show without counting messages."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class QuarterSums(Base):
    """What happened in one quarter of an hour to messages of one user, direction, route and provider. Units: microcredits.

    Counts and amounts belong to the quarter in which it happened. The three that begin with `standing` belong to the quarter in
    which the messages were accepted, and say how many of them stand where now. The user 0 is everybody together, with route 0
    and no provider. One consumer of the journal writes the rows; `statistics.check` compares them with what they sum.
    """

    __tablename__ = "quarter_sums"
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: Quarters of an hour since 1970, UTC.
    quarter: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    direction: Mapped[str] = mapped_column(String(8), primary_key=True)
    #: 0 where the message has no route.
    route_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: Who took the message; before anybody has, whom it was queued for.
    provider: Mapped[str] = mapped_column(String(64), primary_key=True)
    accepted_count: Mapped[int] = mapped_column(BigInteger, default=0)
    accepted_segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    sent_count: Mapped[int] = mapped_column(BigInteger, default=0)
    sent_segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    delivered_count: Mapped[int] = mapped_column(BigInteger, default=0)
    delivered_segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    undeliverable_count: Mapped[int] = mapped_column(BigInteger, default=0)
    undeliverable_segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected_count: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected_segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    expired_count: Mapped[int] = mapped_column(BigInteger, default=0)
    expired_segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    cancelled_count: Mapped[int] = mapped_column(BigInteger, default=0)
    cancelled_segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    in_doubt_count: Mapped[int] = mapped_column(BigInteger, default=0)
    in_doubt_segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    charged_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    #: What was paid for incoming messages is taken off.
    settled_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    released_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    refunded_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    standing_sent_count: Mapped[int] = mapped_column(BigInteger, default=0)
    standing_delivered_count: Mapped[int] = mapped_column(BigInteger, default=0)
    standing_failed_count: Mapped[int] = mapped_column(BigInteger, default=0)

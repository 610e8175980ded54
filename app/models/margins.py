"""Sums of what was sold and bought, by day: what the report on costs and margin shows without counting messages."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class MarginSums(Base):
    """What one day brought and cost, by user, route, provider and country of outbound messages. Units: microcredits.

    One consumer of the journal writes the rows, while any buy price is known.
    """

    __tablename__ = "margin_sums"
    #: Days since 1970, UTC.
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: 0 where the message has no route.
    route_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: Who took the message's first segment.
    provider: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: Calling code of the destination without plus; empty for a short code.
    country_code: Mapped[str] = mapped_column(String(3), primary_key=True)
    #: Segments that suppliers took, and those of them whose price is known.
    segment_count: Mapped[int] = mapped_column(BigInteger, default=0)
    priced_count: Mapped[int] = mapped_column(BigInteger, default=0)
    #: Settled, less what was refunded.
    sold_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    bought_uc: Mapped[int] = mapped_column(BigInteger, default=0)

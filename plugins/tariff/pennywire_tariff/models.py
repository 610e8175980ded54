"""The tables of price lists.

A list has versions; a version has entries and never changes once it was activated. Activations say which version holds from
when on; they are only added, and a later one may bring an earlier version back.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from pennywire_tariff.moments import of_us, to_us

Id = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """A moment, kept as microseconds since 1970 on every database: look-ups compare whole numbers."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002  # the base class's shape
        return None if value is None else to_us(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # as above
        return None if value is None else of_us(value)


class Base(DeclarativeBase):
    """Root of the plugin's tables."""

    registry = registry(type_annotation_map={datetime: Instant, str: Text})


class PriceList(Base):
    """One price list. A `sell` list is assigned to customers; a `buy` list says what one provider charges us.

    `direction` is whose messages it prices: `outbound` by their destination, `inbound` by their source.
    """

    __tablename__ = "tariff_lists"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    side: Mapped[str] = mapped_column(String(4), default="sell")
    direction: Mapped[str] = mapped_column(String(8), default="outbound")
    #: A label; amounts are credits whatever it says.
    currency: Mapped[str] = mapped_column(String(8), default="")
    #: Provider that a buy list belongs to; empty for sell lists.
    provider: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]


class Version(Base):
    """One version of a list: `loading` while an import fills it, `draft` until its first activation, then `sealed` for good."""

    __tablename__ = "tariff_versions"
    id: Mapped[int] = mapped_column(primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("tariff_lists.id", ondelete="CASCADE"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(8), default="loading")
    entry_count: Mapped[int] = mapped_column(default=0)
    #: Where it came from: a file's name, or the version that it was copied from.
    origin: Mapped[str] = mapped_column(String(128), default="")
    #: What the import had to say, as JSON.
    report: Mapped[str] = mapped_column(default="")
    #: How often its prices were changed by hand; what was packed before is of no use.
    edit_count: Mapped[int] = mapped_column(default=0)
    #: The job that imports it, or did; NULL where none was needed.
    job_number: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("list_id", "number"),)


class Entry(Base):
    """One price of a version, by `prefix` (digits without plus) or by network (`mcc`, with or without `mnc`).

    An entry with neither is the version's default. `effective_at` is the first moment at which it holds, `end_at` the first at
    which it does not any more; NULL is always. Units: microcredits for one segment.
    """

    __tablename__ = "tariff_entries"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("tariff_versions.id", ondelete="CASCADE"))
    prefix: Mapped[str] = mapped_column(String(15), default="")
    mcc: Mapped[str] = mapped_column(String(3), default="")
    mnc: Mapped[str] = mapped_column(String(3), default="")
    price_uc: Mapped[int] = mapped_column(BigInteger)
    effective_at: Mapped[datetime | None]
    end_at: Mapped[datetime | None]
    name: Mapped[str] = mapped_column(String(80), default="")
    #: Line of the file that it came from, from 1; 0 where it came from none.
    line: Mapped[int] = mapped_column(default=0)
    __table_args__ = (Index("ix_tariff_entry_key", "version_id", "mcc", "mnc", "prefix", "id"),)


class Pack(Base):
    """The prices of a version by prefix as octets, so that a process reads a large list in milliseconds. It can be made again."""

    __tablename__ = "tariff_packs"
    version_id: Mapped[int] = mapped_column(ForeignKey("tariff_versions.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    #: The version's count when it was made.
    edit_count: Mapped[int]
    entry_count: Mapped[int]
    octets: Mapped[bytes]


class Activation(Base):
    """From `at` on, the version holds for its list, until the next activation. One that was cancelled before `at` never did."""

    __tablename__ = "tariff_activations"
    id: Mapped[int] = mapped_column(primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("tariff_lists.id", ondelete="CASCADE"), index=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("tariff_versions.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))
    cancelled_at: Mapped[datetime | None]


class Assignment(Base):
    """Who pays by a sell list: a `user`, a `group` of users, or, as `default`, everybody without a list of his own."""

    __tablename__ = "tariff_assignments"
    #: As the list's, so that a user has one list for each direction.
    direction: Mapped[str] = mapped_column(String(8), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    #: Name of the user or the group; empty for the default.
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("tariff_lists.id", ondelete="CASCADE"))


class Member(Base):
    """A user's group; he has at most one."""

    __tablename__ = "tariff_members"
    username: Mapped[str] = mapped_column(String(16), primary_key=True)
    group_name: Mapped[str] = mapped_column(String(64), index=True)


class NetworkMap(Base):
    """One import of the table from prefixes to networks; the newest counts, and replaces the one before."""

    __tablename__ = "tariff_maps"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(8), default="loading")
    entry_count: Mapped[int] = mapped_column(default=0)
    origin: Mapped[str] = mapped_column(String(128), default="")
    #: The job that imports it, or did; NULL where none was needed.
    job_number: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(64))


class NetworkPrefix(Base):
    """The network that a range of numbers was given to. Numbers that moved to another network are not known here."""

    __tablename__ = "tariff_network_prefixes"
    map_id: Mapped[int] = mapped_column(ForeignKey("tariff_maps.id", ondelete="CASCADE"), primary_key=True)
    prefix: Mapped[str] = mapped_column(String(15), primary_key=True)
    mcc: Mapped[str] = mapped_column(String(3))
    mnc: Mapped[str] = mapped_column(String(3), default="")
    name: Mapped[str] = mapped_column(String(80), default="")
    line: Mapped[int] = mapped_column(default=0)

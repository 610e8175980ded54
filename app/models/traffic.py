"""Messages, their segments, and the queue between them and the network."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, String
from sqlalchemy import text as where
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Json


class Message(Base):
    """One message of one user, in or out. `id` is ours (63 bits); `identifiers.public_id` is how it is known outside."""

    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    direction: Mapped[str] = mapped_column(String(8))
    user_id: Mapped[int]
    state: Mapped[str] = mapped_column(String(13))
    folder: Mapped[int] = mapped_column(SmallInteger)
    #: Rises by one with each event of the message.
    version: Mapped[int] = mapped_column(default=1)
    source: Mapped[str] = mapped_column(String(21))
    destination: Mapped[str] = mapped_column(String(21))
    text: Mapped[str]
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    udh: Mapped[bytes | None] = mapped_column(LargeBinary)
    alphabet: Mapped[str] = mapped_column(String(8))
    message_class: Mapped[int | None] = mapped_column(SmallInteger)
    segment_count: Mapped[int] = mapped_column(SmallInteger)
    concat_reference: Mapped[int] = mapped_column(default=0)
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    send_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    report_requested: Mapped[bool] = mapped_column(default=True)
    #: When the report counts as missing; NULL while none is awaited.
    report_due_at: Mapped[datetime | None]
    report_missing: Mapped[bool] = mapped_column(default=False)
    #: Echoed and searchable; the vendor's JSON clients know a message by it.
    client_reference: Mapped[str] = mapped_column(String(96), default="")
    #: Which API took it: `legacy`, `json`, `rest`, `ui`, `cli`, `network`.
    entrance: Mapped[str] = mapped_column(String(8))
    route_id: Mapped[int | None]
    #: The route that matched and why, in words.
    route_why: Mapped[str] = mapped_column(default="")
    provider: Mapped[str] = mapped_column(String(64), default="")
    connection_id: Mapped[int | None]
    price_uc: Mapped[int] = mapped_column(BigInteger, default=0)
    price_why: Mapped[str] = mapped_column(default="")
    #: What the provider it was decided for charges for a segment, as of then; NULL is not known.
    buy_per_segment_uc: Mapped[int | None] = mapped_column(BigInteger)
    #: What its segments cost us: those that were answered as they were, the others as decided. NULL is not known.
    buy_uc: Mapped[int | None] = mapped_column(BigInteger)
    buy_why: Mapped[str] = mapped_column(default="")
    #: True where the price was charged to the user's account.
    charged: Mapped[bool] = mapped_column(default=False)
    #: How many accounts above the user's pay too; their rows in the ledger say which and how much.
    level_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    #: Segments that count towards the limits of those accounts; less when segments are given back.
    counted_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    terms: Mapped[str] = mapped_column(String(8), default="nkkkr")
    error_code: Mapped[str] = mapped_column(String(32), default="")
    error_reason: Mapped[str] = mapped_column(default="")
    #: Inbound: when the user fetched it.
    downloaded_at: Mapped[datetime | None]
    #: Inbound: some segments never came.
    incomplete: Mapped[bool] = mapped_column(default=False)
    parameters: Mapped[dict[str, Any] | None] = mapped_column(Json)
    __table_args__ = (
        Index("ix_message_folder", "user_id", "folder", "id"),
        Index("ix_message_folder_of_all", "folder", "id"),
        Index(
            "ix_message_report_due",
            "report_due_at",
            sqlite_where=where("report_due_at IS NOT NULL"),
            postgresql_where=where("report_due_at IS NOT NULL"),
        ),
        Index(
            "ix_message_reference",
            "user_id",
            "client_reference",
            sqlite_where=where("client_reference <> ''"),
            postgresql_where=where("client_reference <> ''"),
        ),
    )


class Segment(Base):
    """One outbound segment that the network answered for. `network_id` is unique only within a provider, if at all."""

    __tablename__ = "segments"
    message_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    segment_index: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(13))
    provider: Mapped[str] = mapped_column(String(64))
    connection_id: Mapped[int]
    network_id: Mapped[str] = mapped_column(String(65))
    #: What the provider charges for it: 0 where it did not take it, NULL where its price is not known.
    buy_uc: Mapped[int | None] = mapped_column(BigInteger)
    error_code: Mapped[str] = mapped_column(String(32), default="")
    answered_at: Mapped[datetime]
    reported_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_segment_network_id", "network_id", "provider"),)


class OutboxRow(Base):
    """One segment that is not done: narrow, so that state churn stays off `messages`. Gone once the network answered.

    `state`: 0 queued, 1 sending, 2 in doubt, 3 waiting for `due_at`. `attempt_id` names the last try.
    """

    __tablename__ = "outbox"
    message_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    segment_index: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    state: Mapped[int] = mapped_column(SmallInteger)
    provider: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[int]
    priority: Mapped[int] = mapped_column(SmallInteger)
    expires_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    #: How many answered tries it took; a throttled one does not count.
    attempt_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    attempt_id: Mapped[int | None] = mapped_column(BigInteger)
    connection_id: Mapped[int | None]
    token: Mapped[int | None] = mapped_column(BigInteger)
    #: End of the wait of a segment in doubt.
    deadline_at: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "ix_outbox_queue",
            "provider",
            "user_id",
            where("priority DESC"),
            "message_id",
            "segment_index",
            sqlite_where=where("state = 0"),
            postgresql_where=where("state = 0"),
        ),
        Index(
            "ix_outbox_attempt",
            "attempt_id",
            sqlite_where=where("attempt_id IS NOT NULL"),
            postgresql_where=where("attempt_id IS NOT NULL"),
        ),
        Index("ix_outbox_due", "due_at", sqlite_where=where("state = 3"), postgresql_where=where("state = 3")),
        Index("ix_outbox_expiry", "expires_at", sqlite_where=where("state = 0"), postgresql_where=where("state = 0")),
        Index("ix_outbox_doubt", "deadline_at", sqlite_where=where("state = 2"), postgresql_where=where("state = 2")),
    )


class ParkedReport(Base):
    """A report whose segment is not known yet: it may have overtaken the response (trap D8)."""

    __tablename__ = "parked_reports"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    provider: Mapped[str] = mapped_column(String(64))
    #: A report has a row for each form of its id, all with this name.
    report_id: Mapped[str] = mapped_column(String(32), index=True)
    network_id: Mapped[str] = mapped_column(String(65), index=True)
    network_ids: Mapped[list[Any]]
    destination: Mapped[str] = mapped_column(String(21), default="")
    connection_id: Mapped[int]
    state: Mapped[str] = mapped_column(String(13))
    error_code: Mapped[str] = mapped_column(String(32), default="")
    done_at: Mapped[datetime | None]
    raw: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime] = mapped_column(index=True)


class IncomingSegment(Base):
    """One segment as it came, before it was joined. `message_id` is the first message made of it; NULL while it waits."""

    __tablename__ = "incoming_segments"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    connection_id: Mapped[int]
    provider: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(21))
    destination: Mapped[str] = mapped_column(String(21))
    reference: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(SmallInteger, default=1)
    segment_index: Mapped[int] = mapped_column(SmallInteger, default=0)
    #: The whole `pennywire.Incoming`, encoded.
    body: Mapped[bytes] = mapped_column(LargeBinary)
    #: Recognises a repeat from the network.
    fingerprint: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime]
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    __table_args__ = (
        Index("ix_incoming_fingerprint", "fingerprint", "received_at"),
        Index("ix_incoming_message", "message_id"),
        Index(
            "ix_incoming_waiting",
            "source",
            "reference",
            sqlite_where=where("message_id IS NULL"),
            postgresql_where=where("message_id IS NULL"),
        ),
    )


class HeldMessage(Base):
    """An incoming message that waits for credit; gone once it is charged and delivered. Units: microcredits.

    A table of its own: an index over the state of messages would make every change of state dearer.
    """

    __tablename__ = "held_messages"
    account_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    message_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    price_uc: Mapped[int] = mapped_column(BigInteger)


class ConcatReference(Base):
    """Last concatenation reference given for a pair of addresses (trap T15)."""

    __tablename__ = "concat_references"
    source: Mapped[str] = mapped_column(String(21), primary_key=True)
    destination: Mapped[str] = mapped_column(String(21), primary_key=True)
    last: Mapped[int]


class IdempotencyKey(Base):
    """A key that a user gave to a request, with the answer it got. Kept for 7 days."""

    __tablename__ = "idempotency_keys"
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)

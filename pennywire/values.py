"""The values that pass between the gateway and its plugins: frozen, typed, without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Direction(StrEnum):
    """Which way a message travels, seen from the gateway."""

    #: To the handset (MT).
    OUTBOUND = "outbound"
    #: From the handset (MO).
    INBOUND = "inbound"


class Alphabet(StrEnum):
    """How the user data of a segment is to be read. Source: 3GPP TS 23.038 §4."""

    #: The GSM 7-bit default alphabet with its extension table.
    GSM7 = "gsm7"
    #: UTF-16BE, called UCS-2 by the standard.
    UCS2 = "ucs2"
    #: ISO 8859-1. Not an alphabet of the air interface; some SMSCs speak it.
    LATIN1 = "latin1"
    #: Eight bits without a meaning of their own.
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Place of a segment in a series. Units: counts. `index` starts at 1, as on the wire. Source: 3GPP TS 23.040 §9.2.3.24.1."""

    reference: int
    total: int
    index: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What a customer asks for: one message to one destination, not yet accepted.

    `destination` is as the customer typed it; the gateway normalises it. `data` is set instead of `text` for binary
    messages. `send_at` and `expires_at` are aware UTC. `client_reference` is echoed and searchable; it is never a key.
    `parameters` are dynamic protocol parameters such as `esm_class` or `source_addr_ton`.
    """

    destination: str
    text: str = ""
    source: str = ""
    data: bytes | None = None
    udh: bytes = b""
    alphabet: Alphabet | None = None
    message_class: int | None = None
    provider: str = ""
    priority: int = 0
    send_at: datetime | None = None
    expires_at: datetime | None = None
    report_requested: bool = True
    client_reference: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Submission:
    """One segment on its way to the network; the whole message for connectors with `whole_messages`.

    `attempt_id` names this try and no other. `message_id` is the message's public id (13 characters). `user_data` is the
    segment's payload after `udh`: GSM 7-bit unpacked (one septet an octet), UTF-16BE, Latin-1 or raw octets, by `alphabet`.
    `text` is the same in characters (empty for binary). Addresses are E.164 with `+`, short codes as they are, or
    alphanumeric. `segment_index` counts from 0.
    """

    attempt_id: int
    message_id: str
    segment_index: int
    segment_count: int
    source: str
    destination: str
    alphabet: Alphabet
    user_data: bytes
    text: str = ""
    udh: bytes = b""
    concatenation: Concatenation | None = None
    message_class: int | None = None
    priority: int = 0
    report_requested: bool = True
    expires_at: datetime | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The network took the submission. `network_id` is its id there, as the connector compares it; empty if it gave none."""

    network_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The network refused the submission. `code` is the peer's own (for SMPP the command_status as `0x0000000B`).

    `permanent` means that the same submission would be refused again anywhere; otherwise another provider of the route may
    be tried.
    """

    code: str
    reason: str
    permanent: bool = True


@dataclass(frozen=True, slots=True)
class Throttled:
    """The network asks for patience: nothing was refused, no attempt is burned. `after_s` is how long the link should rest."""

    after_s: float = 1.0
    code: str = ""


Outcome = Accepted | Rejected | Throttled


class ReportState(StrEnum):
    """What a delivery report says. Source: SMPP v3.4 §5.2.28."""

    ENROUTE = "enroute"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    UNDELIVERABLE = "undeliverable"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DELETED = "deleted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report about one segment.

    `network_ids` are the forms under which the id may have been given at submission (as it is, hex read as decimal, …), the
    likeliest first. `done_at` is aware UTC or None. `raw` is what the peer sent, for the operator's eyes. `destination` is the
    number that the report is about, where the peer tells it: it settles a segment in doubt whose id never came.
    """

    network_ids: tuple[str, ...]
    state: ReportState
    error_code: str = ""
    done_at: datetime | None = None
    raw: str = ""
    destination: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One segment that came from a handset.

    Either `text` is set, for peers that deliver whole decoded messages, or `user_data` with its `alphabet` (as in
    `Submission`); the gateway joins segments before it decodes. `network_id` recognises a repeat, if the peer gives one.
    `locking_shift` and `single_shift` are the national language identifiers of 3GPP TS 23.040 §9.2.3.24.15 and .16.
    """

    source: str
    destination: str
    text: str | None = None
    user_data: bytes = b""
    alphabet: Alphabet = Alphabet.GSM7
    concatenation: Concatenation | None = None
    udh: bytes = b""
    locking_shift: int = 0
    single_shift: int = 0
    message_class: int | None = None
    sent_at: datetime | None = None
    network_id: str = ""
    raw: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SegmentView:
    """One outbound segment that the network answered for, as consumers of the journal see it."""

    segment_index: int
    state: str
    provider: str
    connection: str
    network_id: str
    error_code: str
    answered_at: datetime
    reported_at: datetime | None


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with its segments, as it was when a batch of the journal was read: never older than the batch's events.

    `message_id` is the public id. `provider` is whose queue it was put into, `connection` what carried it last. `price_uc` is
    the price of all segments in microcredits, `buy_uc` what they cost us, None where nobody knows. `network_at` and `handset_at`
    are when the network and the handset had all of it. `sent_through_backup` says that another provider than the route's first
    carried it.
    """

    message_id: str
    direction: Direction
    username: str
    state: str
    version: int
    source: str
    destination: str
    text: str
    data: bytes | None
    alphabet: Alphabet
    segment_count: int
    created_at: datetime
    updated_at: datetime
    send_at: datetime | None = None
    client_reference: str = ""
    entrance: str = ""
    route: str = ""
    provider: str = ""
    connection: str = ""
    price_uc: int = 0
    charged: bool = False
    error_code: str = ""
    error_reason: str = ""
    incomplete: bool = False
    report_missing: bool = False
    buy_uc: int | None = None
    sent_through_backup: bool = False
    network_at: datetime | None = None
    handset_at: datetime | None = None
    segments: tuple[SegmentView, ...] = ()

    @property
    def network_ids(self) -> tuple[str, ...]:
        """The network's ids of the segments, in their order, where it gave one."""
        return tuple(segment.network_id for segment in self.segments if segment.network_id)


@dataclass(frozen=True, slots=True)
class PastMessage:
    """A message as it was accepted. Units: microcredits for the whole message. `charged` is false where accounting was off.

    `price_uc` is the price at which it was accepted; refunds and releases came later and are not in it.
    """

    direction: Direction
    username: str
    source: str
    destination: str
    segment_count: int
    route: str
    provider: str
    price_uc: int
    charged: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """How far a consumer of the journal has come.

    `backlog_count` is how many events wait for it, counted up to 100,000; `oldest_at` is when the first of them happened.
    `last_error` is why it could not take its last batch, empty where it could; `moved_at` is when that was said.
    """

    following: bool
    backlog_count: int = 0
    oldest_at: datetime | None = None
    moved_at: datetime | None = None
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the journal, as consumers see it.

    `position` rises along the journal. `version` rises by one with each event of a message. `kind` is the state reached, or
    the verb of a movement of money. `message_id` is the public id, empty where the event is about an account only.
    """

    position: int
    kind: str
    at: datetime
    message_id: str = ""
    version: int = 0
    username: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

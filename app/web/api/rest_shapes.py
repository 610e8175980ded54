"""What the modern API reads and answers, as typed values. Amounts are exact decimal text, times RFC 3339 with a zone."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

Hex = Annotated[str, Meta(pattern=r"^(?:[0-9A-Fa-f]{2})*$", description="Pairs of hex digits.")]
Moment = Annotated[datetime, Meta(tz=True)]


class MessageIn(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message of a request. `text` or `data` is given; `udh` goes with either."""

    destination: str
    text: str = ""
    source: str = ""
    client_reference: str = ""
    send_at: Moment | None = None
    expires_at: Moment | None = None
    priority: Annotated[int, Meta(ge=0, le=3)] = 0
    provider: str = ""
    report: bool = True
    message_class: Annotated[int, Meta(ge=0, le=3)] | None = None
    data: Hex | None = None
    udh: Hex = ""


class SingleIn(MessageIn, forbid_unknown_fields=True):
    """A request of one message."""

    dry_run: bool = False


class BatchIn(msgspec.Struct, forbid_unknown_fields=True):
    """A request of several messages."""

    messages: list[MessageIn]
    dry_run: bool = False


class Probe(msgspec.Struct):
    """Tells a batch from a single message, without reading either."""

    messages: msgspec.Raw | UnsetType = UNSET


class AcceptedOut(msgspec.Struct, gc=False):
    """A message that was accepted."""

    id: str
    state: str
    destination: str
    source: str
    segment_count: int
    alphabet: str
    price: str
    charged: bool
    route: str
    provider: str
    client_reference: str


class RefusedOut(msgspec.Struct, gc=False):
    """A message that was refused, in a batch: nothing of it was queued or charged."""

    state: str
    code: str
    number: int
    detail: str
    field: str
    destination: str
    client_reference: str


class BatchOut(msgspec.Struct):
    """The answer to a batch: one entry for each message, in their order."""

    accepted: int
    refused: int
    messages: list[AcceptedOut | RefusedOut]


class ForcedBy(msgspec.Struct):
    """The character that forces a text out of GSM 7-bit. `position` counts from 0; `replacement` is null where we know none."""

    position: int
    character: str
    replacement: str | None


class PreviewOut(msgspec.Struct):
    """What would become of a message. `length` in septets, UTF-16 code units or octets."""

    destination: str
    source: str
    segment_count: int
    alphabet: str
    length: int
    forced_by: ForcedBy | None
    route: str
    route_why: str
    provider: str
    price: str
    per_segment: str
    price_why: str
    charged: bool


class DryRunOut(msgspec.Struct):
    """The answer to a dry run: `total` is what would be charged, `affordable` whether the account could pay it now."""

    dry_run: bool
    accepted: int
    refused: int
    total: str
    available: str
    affordable: bool
    messages: list[PreviewOut | RefusedOut]


class StepOut(msgspec.Struct):
    """One step of a message's life: a state it reached."""

    event: str
    at: datetime


class SegmentOut(msgspec.Struct):
    """One segment that the network answered for."""

    index: int
    state: str
    error_code: str
    answered_at: datetime
    reported_at: datetime | None


class MessageOut(msgspec.Struct):
    """A stored message."""

    id: str
    client_reference: str
    direction: str
    state: str
    source: str
    destination: str
    text: str
    segment_count: int
    alphabet: str
    price: str
    charged: bool
    route_why: str
    provider: str
    created_at: datetime
    updated_at: datetime
    send_at: datetime | None
    expires_at: datetime | None
    report_missing: bool
    error_code: str
    error_reason: str
    segments: list[SegmentOut]
    timeline: list[StepOut]


class AccountOut(msgspec.Struct):
    """An account. `available` is balance minus reserved; it may sink to `limit`, unless the account is unlimited."""

    username: str
    accounting: bool
    currency: str
    balance: str
    reserved: str
    available: str
    limit: str
    unlimited: bool

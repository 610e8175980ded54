"""What the SMSC simulator may be told, what it keeps, and the messages that it makes; no I/O."""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from pennywire import Alphabet, ReportState
from pennywire.sms import addresses, receipts, segments
from pennywire_smpp import bodies, statuses
from pennywire_smpp.inbound import MESSAGE_STATES
from pennywire_smpp.outbound import UDHI
from pennywire_smpp.pdu import Pdu, Tlv
from pennywire_smpp.tlvs import Tag

_RECEIPT: Final = 0x04
_UCS2: Final = 8
_FAILURES_ONLY: Final = 2
#: State → message_state. Source: SMPP v3.4 §5.2.28.
STATE_CODES: Final = {state: code for code, state in reversed(MESSAGE_STATES.items()) if code not in (0, 9)}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the simulator does with one submit_sm.

    `answer` False gives no response at all; `close` cuts the connection instead of answering. `receipt_states` are the receipts
    to send, in order: repeat one for a duplicate, leave it empty for none. `receipt_first` sends them before the response.
    """

    command_status: int = 0
    answer: bool = True
    close: bool = False
    latency_s: float = 0.0
    receipt_states: tuple[ReportState, ...] = (ReportState.DELIVERED,)
    receipt_first: bool = False
    receipt_delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """How the simulator behaves. Rates are probabilities from 0 to 1, unless their name ends in `per_s`.

    `behaviours` maps the end of a destination to what happens to submissions that it fits; the longest wins over the rest.
    """

    host: str = "127.0.0.1"
    port: int = 0
    #: Empty lets everybody in.
    system_id: str = ""
    password: str = ""
    #: Refuse every bind with this command_status.
    bind_status: int = 0
    latency_s: float = 0.0
    jitter_s: float = 0.0
    error_rate: float = 0.0
    error_status: int = statuses.ESME_RSYSERR
    throttle_rate: float = 0.0
    #: Submissions of one account beyond this are throttled; 0 is no limit.
    max_per_s: float = 0.0
    drop_rate: float = 0.0
    receipts: bool = True
    receipt_ratio: float = 1.0
    receipt_delay_s: float = 0.0
    receipt_state: ReportState = ReportState.DELIVERED
    receipt_repeat: int = 1
    receipt_first: bool = False
    #: `decimal` or `hex`, as the response has it.
    id_form: str = "decimal"
    #: `same` (text and parameter), `decimal` or `hex` (text alone), `tlv_only`.
    receipt_id_form: str = "same"
    #: None counts from the clock, so that ids do not come again after a restart.
    first_id: int | None = None
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    mo_per_s: float = 0.0
    mo_text: str = "Hello from a handset"
    mo_source: str = "+36301112233"
    mo_destination: str = "12345"
    #: What data_coding 0 means: `gsm`, `gsm_packed`, `latin1`, `ascii`.
    alphabet: str = "gsm"
    deliver_window: int = 100
    #: A deliver_sm that was refused for a time, or not answered, comes again after this.
    retry_s: float = 1.0
    response_timeout_s: float = 30.0
    enquire_link_interval_s: float = 0.0
    log: Path | None = None
    seed: int | None = None
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Statistics:
    """What happened so far."""

    binds: int = 0
    binds_refused: int = 0
    submitted: int = 0
    accepted: int = 0
    refused: int = 0
    throttled: int = 0
    dropped: int = 0
    receipts_sent: int = 0
    receipts_stored: int = 0
    mo_sent: int = 0
    mo_stored: int = 0
    redelivered: int = 0

    def count(self, behaviour: Behaviour, command_status: int) -> None:
        """Count a submission by what became of it."""
        if not behaviour.answer or behaviour.close:
            self.dropped += 1
        elif statuses.find_status(command_status).policy is statuses.Policy.THROTTLE:
            self.throttled += 1
        elif command_status:
            self.refused += 1
        else:
            self.accepted += 1


@dataclass(frozen=True, slots=True)
class Submitted:
    """One submit_sm or data_sm that came. `network_id` is empty where it was not accepted; `at` is seconds since 1970."""

    at: float
    system_id: str
    source: str
    destination: str
    text: str
    data_coding: int
    esm_class: int
    sequence_number: int
    network_id: str
    command_status: int
    pdu: Pdu

    def as_line(self) -> str:
        """Return the submission as a line of JSON. `fields` is the body as it came; what is no text stands there in hex."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "pdu"}
        body = self.pdu.body
        assert isinstance(body, bodies.ShortMessage | bodies.DataMessage), "only messages are logged"
        return json.dumps(values | {"fields": body._asdict()}, ensure_ascii=False, default=bytes.hex)


class Delivery(NamedTuple):
    """One deliver_sm until it is stored; `stored` gives the command_status of the answer that ended it."""

    body: bodies.ShortMessage
    tlvs: tuple[Tlv, ...]
    is_receipt: bool
    stored: "asyncio.Future[int]"


def make_mo(text: str, *, source: str, destination: str, reference: int) -> list[bodies.ShortMessage]:
    """Return the deliver_sm of a message from a handset, one for each segment."""
    return [
        bodies.ShortMessage(
            source_addr_ton=_ton(source),
            source_addr_npi=1,
            source_addr=source.removeprefix("+"),
            dest_addr_ton=_ton(destination),
            dest_addr_npi=1,
            destination_addr=destination.removeprefix("+"),
            esm_class=UDHI if segment.udh else 0,
            data_coding=_UCS2 if segment.alphabet is Alphabet.UCS2 else 0,
            short_message=segment.udh + segment.user_data,
        )
        for segment in segments.split(text, reference=reference)
    ]


def wants_receipt(registered_delivery: int, state: ReportState) -> bool:
    """Say whether registered_delivery asks for a receipt with that state. Source: SMPP v3.4 §5.2.17."""
    asked = registered_delivery & 0x03
    return asked == 1 or (asked == _FAILURES_ONLY and state is not ReportState.DELIVERED)


def make_receipt(submitted: Submitted, state: ReportState, options: SimulatorOptions) -> tuple[bodies.ShortMessage, tuple[Tlv, ...]]:
    """Return the deliver_sm that reports `state`, its id in the form that the options ask for. Source: SMPP v3.4 appendix B."""
    body = submitted.pdu.body
    assert isinstance(body, bodies.ShortMessage | bodies.DataMessage), "only messages have receipts"
    text = receipts.ReceiptText(
        id=_ID_FORMS[options.receipt_id_form](submitted.network_id, options.id_form),
        sub=1,
        submit_date=datetime.fromtimestamp(submitted.at, UTC),
        done_date=datetime.now(UTC),
        stat=receipts.WORDS[state],
        err="000" if state is ReportState.DELIVERED else "001",
        text=submitted.text,
    )
    receipt = bodies.ShortMessage(
        source_addr_ton=body.dest_addr_ton,
        source_addr_npi=body.dest_addr_npi,
        source_addr=body.destination_addr,
        dest_addr_ton=body.source_addr_ton,
        dest_addr_npi=body.source_addr_npi,
        destination_addr=body.source_addr,
        esm_class=_RECEIPT,
        short_message=receipts.format(text).encode("ascii", "replace"),
    )
    if options.receipt_id_form in ("decimal", "hex"):
        return receipt, ()
    network_id = submitted.network_id.encode("ascii") + b"\x00"
    return receipt, ((int(Tag.RECEIPTED_MESSAGE_ID), network_id), (int(Tag.MESSAGE_STATE), bytes((STATE_CODES[state],))))


def _number(network_id: str, id_form: str) -> int:
    return int(network_id, 16 if id_form == "hex" else 10)


_ID_FORMS: Final[dict[str, Callable[[str, str], str]]] = {
    "same": lambda network_id, _: network_id,
    "decimal": lambda network_id, id_form: f"{_number(network_id, id_form):010d}",
    "hex": lambda network_id, id_form: f"{_number(network_id, id_form):x}",
    "tlv_only": lambda _id, _form: "",
}


def _ton(address: str) -> int:
    """Return the TON of an address. Source: SMPP v3.4 §5.2.5."""
    tons = {
        addresses.AddressKind.INTERNATIONAL: 1,
        addresses.AddressKind.NATIONAL: 2,
        addresses.AddressKind.SHORT: 3,
        addresses.AddressKind.ALPHANUMERIC: 5,
    }
    return tons[addresses.kind(address)]

"""From what waits for a customer to deliver_sm: receipts and incoming messages. Source: SMPP v3.4 §4.6, appendix B."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from pennywire import Alphabet, Delivery, MessageView, ReportState
from pennywire.sms import AddressKind, NotEncodable, addresses, dcs, receipts, segments
from pennywire_smpp.bodies import ShortMessage
from pennywire_smpp.outbound import UDHI
from pennywire_smpp.pdu import Tlv
from pennywire_smpp.server.parts import Fate, Stored
from pennywire_smpp.simulation import STATE_CODES
from pennywire_smpp.tlvs import Tag

RECEIVED: Final = "received"
#: esm_class of a receipt. Source: SMPP v3.4 §5.2.12.
_RECEIPT: Final = 0x04
_TONS: Final = {
    AddressKind.INTERNATIONAL: 1,
    AddressKind.NATIONAL: 2,
    AddressKind.SHORT: 3,
    AddressKind.ALPHANUMERIC: 5,
}
#: registered_delivery: receipts for every end, or for failures alone. Source: SMPP v3.4 §5.2.17.
_ALWAYS: Final = 1

STATES: Final[Mapping[str, ReportState]] = {
    "delivered": ReportState.DELIVERED,
    "undeliverable": ReportState.UNDELIVERABLE,
    "expired": ReportState.EXPIRED,
    "rejected": ReportState.REJECTED,
    "cancelled": ReportState.DELETED,
}
"""How a message may end; any other state is on its way."""


class Letter(NamedTuple):
    """One deliver_sm to be sent."""

    body: ShortMessage
    tlvs: tuple[Tlv, ...] = ()


def letters(delivery: Delivery, *, alphabet: str) -> list[Letter]:
    """Return the deliver_sm of a delivery: none where the customer asked for no receipt of this end."""
    message = delivery.message
    if delivery.kind == RECEIVED:
        return list(_incoming(delivery, alphabet))
    state = STATES[delivery.kind]
    named = delivery.parameters.get("receipts")
    wanted = named.items() if isinstance(named, Mapping) else [(message.message_id, delivery.parameters.get("receipt", 0))]
    reference = delivery.parameters.get("reference")
    return [
        _receipt(name, state, message, delivery.at, reference)
        for name, asked in wanted
        if asked == _ALWAYS or (asked and state is not ReportState.DELIVERED)
    ]


def _receipt(name: str, state: ReportState, message: MessageView, at: datetime, reference: object) -> Letter:
    text = receipts.ReceiptText(
        id=name,
        sub=1,
        dlvrd=int(state is ReportState.DELIVERED),
        submit_date=message.created_at,
        done_date=at,
        stat=receipts.WORDS[state],
        err=message.error_code[-3:] if message.error_code[-3:].isdecimal() else "000",
        text=message.text,
    )
    return _letter(text, state, source=message.destination, destination=message.source, reference=reference)


def part_letter(part: Stored) -> Letter:
    """Return the receipt of a segment whose message never was."""
    state = ReportState.EXPIRED if part.fate is Fate.EXPIRED else ReportState.REJECTED
    text = receipts.ReceiptText(
        id=part.name, sub=1, dlvrd=0, submit_date=part.received_at, done_date=part.received_at, stat=receipts.WORDS[state], err="000"
    )
    one = part.submitted
    return _letter(text, state, source=one.destinations[0], destination=one.source, reference=one.reference)


def _letter(text: receipts.ReceiptText, state: ReportState, *, source: str, destination: str, reference: object) -> Letter:
    body = _addressed(source, destination)._replace(esm_class=_RECEIPT, short_message=receipts.format(text).encode("ascii", "replace"))
    tlvs: list[Tlv] = [
        (int(Tag.RECEIPTED_MESSAGE_ID), text.id.encode("ascii") + b"\x00"),
        (int(Tag.MESSAGE_STATE), bytes((STATE_CODES[state],))),
    ]
    if isinstance(reference, int):
        tlvs.append((int(Tag.USER_MESSAGE_REFERENCE), (reference & 0xFFFF).to_bytes(2, "big")))
    return Letter(body, tuple(tlvs))


def _incoming(delivery: Delivery, alphabet: str) -> Iterator[Letter]:
    message = delivery.message
    head = _addressed(message.source, message.destination)
    reference = delivery.id % 256
    data = message.data
    cut = _split(message.text, reference, alphabet) if data is None else segments.split_data(data, reference=reference)
    for segment in cut:
        yield Letter(
            head._replace(
                esm_class=UDHI if segment.udh else 0,
                data_coding=dcs.write(segment.alphabet),
                short_message=segment.udh + segment.user_data,
            )
        )


def _split(text: str, reference: int, alphabet: str) -> tuple[segments.Segment, ...]:
    """Cut a text. For customers whose data_coding 0 is not GSM 7-bit, what is not ISO 8859-1 goes as UCS-2."""
    if alphabet == "gsm":
        return segments.split(text, reference=reference)
    try:
        return segments.split(text, alphabet=Alphabet.LATIN1, reference=reference)
    except NotEncodable:
        return segments.split(text, alphabet=Alphabet.UCS2, reference=reference)


def _addressed(source: str, destination: str) -> ShortMessage:
    return ShortMessage(
        source_addr_ton=_ton(source),
        source_addr_npi=1,
        source_addr=source.removeprefix("+"),
        dest_addr_ton=_ton(destination),
        dest_addr_npi=1,
        destination_addr=destination.removeprefix("+"),
    )


def _ton(address: str) -> int:
    """Return the TON of an address. Source: SMPP v3.4 §5.2.5."""
    return _TONS[addresses.kind(address)] if address else 0

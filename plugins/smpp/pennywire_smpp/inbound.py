"""From deliver_sm and data_sm to a report or an incoming segment."""

import re
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Final, NamedTuple

from pennywire import Alphabet, Concatenation, Incoming, Report, ReportState
from pennywire.sms import dcs, gsm0338, receipts
from pennywire.sms import udh as headers
from pennywire_smpp.bodies import DataMessage, ShortMessage, SubmitMulti
from pennywire_smpp.outbound import UDHI
from pennywire_smpp.pdu import Pdu
from pennywire_smpp.session import Request
from pennywire_smpp.settings import SmppSettings, read_zone
from pennywire_smpp.tlvs import Tag, tag_name

#: Bits 5 to 2 of esm_class are the type of the message. Source: SMPP v3.4 §5.2.12.
_TYPE_BITS: Final = 0x3C
_DELIVERY_RECEIPT: Final = 0x04
_SME_ACKNOWLEDGEMENT: Final = 0x08
_INTERMEDIATE: Final = 0x20
#: SMSCs mark receipts with any of these (trap D7).
_RECEIPT_TYPES: Final = frozenset({_DELIVERY_RECEIPT, _SME_ACKNOWLEDGEMENT, _INTERMEDIATE, _DELIVERY_RECEIPT | _INTERMEDIATE})

#: message_state; 0 and 9 come from SMPP v5.0. Source: SMPP v3.4 §5.2.28.
MESSAGE_STATES: Final = {
    0: ReportState.ENROUTE,
    1: ReportState.ENROUTE,
    2: ReportState.DELIVERED,
    3: ReportState.EXPIRED,
    4: ReportState.DELETED,
    5: ReportState.UNDELIVERABLE,
    6: ReportState.ACCEPTED,
    7: ReportState.UNKNOWN,
    8: ReportState.REJECTED,
    9: ReportState.UNDELIVERABLE,
}

_TON_INTERNATIONAL: Final = 1
_TON_UNKNOWN: Final = 0
#: Shorter numbers of unknown type are short codes or national ones. Longer ones have a country code, unless they begin with 0.
_LIKELY_INTERNATIONAL: Final = 10
_E164 = re.compile(r"[1-9][0-9]{6,14}").fullmatch
#: data_coding. Source: SMPP v3.4 §5.2.19.
_UCS2: Final = 8
_NETWORK_ERROR_OCTETS: Final = 3

#: The alphabet that data_coding 0 means.
_DEFAULTS: Final = {
    "gsm": Alphabet.GSM7,
    "gsm_packed": Alphabet.GSM7,
    "latin1": Alphabet.LATIN1,
    "ascii": Alphabet.LATIN1,
}


@cache
def _read_coding(data_coding: int, default: Alphabet) -> dcs.Coding:
    """Return what a data_coding means; there are 256 of them, and the same few come all day."""
    return dcs.read_smpp(data_coding, default=default)


class Unreadable(Exception):
    """The PDU is sound and its content contradicts itself: the peer must not send it again."""


class UserData(NamedTuple):
    """The user data of a PDU, taken apart: `octets` are as `Incoming.user_data` has them, in `alphabet`."""

    header: bytes
    octets: bytes
    alphabet: Alphabet
    coding: dcs.Coding
    elements: tuple[headers.Element, ...]


def read_user_data(pdu: Pdu, *, default: str) -> UserData:
    """Return the user data of a submit_sm, submit_multi, deliver_sm or data_sm. `default` is what data_coding 0 means, as in the settings.

    Raises: Unreadable.
    """
    body = pdu.body
    assert isinstance(body, ShortMessage | SubmitMulti | DataMessage), "only messages have user data"
    octets = b"" if isinstance(body, DataMessage) else body.short_message
    # Either may hold the text (trap S11). Source: SMPP v3.4 §5.3.2.32.
    octets = octets or pdu.tlv(Tag.MESSAGE_PAYLOAD) or b""
    header = b""
    if body.esm_class & UDHI:
        if not octets:
            raise Unreadable("esm_class announces a user data header, and there is no user data.")
        header, octets = _separate(octets)
    coding = _read_coding(body.data_coding, _DEFAULTS[default])
    alphabet = coding.alphabet
    if coding.codec:
        alphabet, octets = Alphabet.UCS2, octets.decode(coding.codec, "replace").encode("utf-16-be", "surrogatepass")
    elif alphabet is Alphabet.GSM7 and default == "gsm_packed":
        octets = unpack_septets(octets, headers.fill_bits(header))
    return UserData(header, octets, alphabet, coding, _elements(header))


def read_message(request: Request, settings: SmppSettings) -> Report | Incoming:
    """Return what a deliver_sm or data_sm brings. Raises: Unreadable."""
    pdu = request.pdu
    body = pdu.body
    assert isinstance(body, ShortMessage | DataMessage), "only messages come here"
    kind = body.esm_class & _TYPE_BITS
    if kind in _RECEIPT_TYPES:
        report = _read_receipt(pdu, body, settings)
        # An acknowledgement may also be a text that its reader typed.
        if report.network_ids or kind != _SME_ACKNOWLEDGEMENT:
            return report
    return _read_incoming(request, body, settings)


def _read_receipt(pdu: Pdu, body: ShortMessage | DataMessage, settings: SmppSettings) -> Report:
    """Read a receipt: the optional parameters first, then the text (traps D3, D6)."""
    text = _receipt_text(pdu, body)
    receipt = receipts.parse(text) or receipts.ReceiptText()
    network_id = (pdu.tlv(Tag.RECEIPTED_MESSAGE_ID) or b"").split(b"\x00", 1)[0].decode("latin-1") or receipt.id
    octets = pdu.tlv(Tag.MESSAGE_STATE)
    state = MESSAGE_STATES.get(octets[0]) if octets else None
    said = [f"{tag_name(tag)}={value.hex()}" for tag, value in pdu.tlvs if tag != Tag.MESSAGE_PAYLOAD]
    return Report(
        network_ids=receipts.id_forms(network_id.removeprefix(settings.receipt_id_prefix), settings.receipt_id_form),
        state=receipt.state if state is None else state,
        error_code=receipt.err or _network_error(pdu),
        done_at=_aware(receipt.done_date, read_zone(settings.receipt_time_zone)),
        raw=" | ".join([text, *said]),
        destination=read_address(body.source_addr, body.source_addr_ton),
    )


def _receipt_text(pdu: Pdu, body: ShortMessage | DataMessage) -> str:
    """Return a receipt's text. It is ASCII by convention, whatever the default alphabet, and UCS-2 at a few SMSCs."""
    octets = body.short_message if isinstance(body, ShortMessage) else b""
    octets = octets or pdu.tlv(Tag.MESSAGE_PAYLOAD) or b""
    if body.esm_class & UDHI:
        _, octets = _separate(octets)
    return octets.decode("utf-16-be", "replace") if body.data_coding == _UCS2 else octets.decode("latin-1")


def _network_error(pdu: Pdu) -> str:
    """Return the number in network_error_code. Source: SMPP v3.4 §5.3.2.31."""
    octets = pdu.tlv(Tag.NETWORK_ERROR_CODE) or b""
    return str(int.from_bytes(octets[1:], "big")) if len(octets) == _NETWORK_ERROR_OCTETS else ""


def _aware(moment: datetime | None, zone: tzinfo) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=zone).astimezone(UTC)


def _read_incoming(request: Request, body: ShortMessage | DataMessage, settings: SmppSettings) -> Incoming:
    pdu = request.pdu
    user_data = read_user_data(pdu, default=settings.alphabet)
    locking_shift, single_shift = headers.national_shifts(user_data.elements)
    return Incoming(
        source=read_address(body.source_addr, body.source_addr_ton),
        destination=read_address(body.destination_addr, body.dest_addr_ton),
        user_data=user_data.octets,
        alphabet=user_data.alphabet,
        concatenation=headers.concatenation(user_data.elements) or read_sar(pdu),
        udh=user_data.header,
        locking_shift=locking_shift,
        single_shift=single_shift,
        message_class=user_data.coding.message_class,
        network_id=(pdu.tlv(Tag.RECEIPTED_MESSAGE_ID) or b"").rstrip(b"\x00").decode("latin-1"),
        raw=request.frame.hex(),
        parameters=_parameters(pdu, body),
    )


def _parameters(pdu: Pdu, body: ShortMessage | DataMessage) -> dict[str, object]:
    """Return what an application may want to see: the fields of the PDU, and its optional parameters in hexadecimal."""
    parameters: dict[str, object] = {
        "service_type": body.service_type,
        "esm_class": body.esm_class,
        "data_coding": body.data_coding,
        "source_addr_ton": body.source_addr_ton,
        "source_addr_npi": body.source_addr_npi,
        "dest_addr_ton": body.dest_addr_ton,
        "dest_addr_npi": body.dest_addr_npi,
    }
    if isinstance(body, ShortMessage):
        parameters["protocol_id"] = body.protocol_id
    parameters.update((tag_name(tag), value.hex()) for tag, value in pdu.tlvs if tag != Tag.MESSAGE_PAYLOAD)
    return parameters


def _separate(user_data: bytes) -> tuple[bytes, bytes]:
    """Cut off the header. One that is longer than the user data stays with it: its octets are kept, and the peer is answered."""
    try:
        return headers.separate(user_data)
    except headers.MalformedHeader:
        return b"", user_data


def _elements(header: bytes) -> tuple[headers.Element, ...]:
    try:
        return headers.parse(header)
    except headers.MalformedHeader:
        return ()


def read_sar(pdu: Pdu) -> Concatenation | None:
    """Return the place in a series that the sar_* parameters tell (trap S12). Source: SMPP v3.4 §5.3.2.22 to .24."""
    reference, total, index = (
        int.from_bytes(pdu.tlv(tag) or b"", "big") for tag in (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
    )
    sound = 1 <= index <= total <= headers.MAX_TOTAL and pdu.tlv(Tag.SAR_MSG_REF_NUM)
    return Concatenation(reference, total, index) if sound else None


def unpack_septets(octets: bytes, fill_bits: int) -> bytes:
    """Unpack septets. Seven spare bits look like a last `@`; SMPP has no count that could tell, and padding is likelier."""
    bits = len(octets) * 8 - fill_bits
    septets = gsm0338.unpack(octets, bits // headers.SEPTET_BITS, fill_bits=fill_bits)
    padded = bits % headers.SEPTET_BITS == 0 and septets.endswith(b"\x00")
    return septets[:-1] if padded else septets


def read_address(address: str, ton: int) -> str:
    """Return an address in our form. International numbers come with TON 1, or with TON 0 and enough digits (trap S14).

    SMSCs also send short codes with TON 1; what cannot be E.164 stays as it came.
    """
    digits = address.removeprefix("+")
    if not digits.isascii() or not digits.isdecimal():
        return address
    digits = digits.removeprefix("00")
    international = ton == _TON_INTERNATIONAL or address.startswith("+") or (ton == _TON_UNKNOWN and len(digits) >= _LIKELY_INTERNATIONAL)
    return f"+{digits}" if international and _E164(digits) else address

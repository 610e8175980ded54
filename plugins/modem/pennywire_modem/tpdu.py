"""The TPDUs of the short message service, and the service centre address that AT commands put before them. No I/O.

Source: 3GPP TS 23.040 §9.2.2; TS 27.005 §3.1 for the address in front.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pennywire import Alphabet
from pennywire.sms import dcs, gsm0338
from pennywire.sms import udh as headers
from pennywire_modem import fields
from pennywire_modem.fields import MalformedTpdu, octet_at, octets_at

#: TP-MTI. Source: §9.2.3.1.
_TYPE_BITS: Final = 0x03
_DELIVER: Final = 0
_SUBMIT: Final = 1
_STATUS_REPORT: Final = 2
#: Bits of the first octet. Source: §9.2.3.2 to §9.2.3.23.
_NO_MORE_MESSAGES: Final = 0x04
_RELATIVE_VALIDITY: Final = 0x10
_VALIDITY_BITS: Final = 0x18
_STATUS_REPORT_REQUEST: Final = 0x20
_UDHI: Final = 0x40
_VALIDITY_OCTETS: Final = {0x00: 0, 0x10: 1, 0x08: 7, 0x18: 7}
#: TP-UD holds so many octets. Source: §9.2.3.24.
_MAX_USER_DATA_OCTETS: Final = 140


@dataclass(frozen=True, slots=True)
class UserData:
    """TP-UD taken apart. `octets` are as in `Submission.user_data`: GSM 7-bit with one septet an octet; `udh` with its length."""

    octets: bytes
    alphabet: Alphabet
    udh: bytes = b""
    message_class: int | None = None


@dataclass(frozen=True, slots=True)
class Submit:
    """SMS-SUBMIT, to the network. Source: §9.2.2.2."""

    destination: str
    user_data: UserData
    reference: int = 0
    report_requested: bool = False
    validity: timedelta | None = None
    protocol_id: int = 0


@dataclass(frozen=True, slots=True)
class Deliver:
    """SMS-DELIVER, from the network. `sent_at` is aware UTC when read, or None where the SMSC wrote no time. Source: §9.2.2.1."""

    source: str
    user_data: UserData
    sent_at: datetime | None
    protocol_id: int = 0


@dataclass(frozen=True, slots=True)
class StatusReport:
    """SMS-STATUS-REPORT. `status` is TP-ST. Times are aware UTC when read, or None. Source: §9.2.2.3."""

    reference: int
    destination: str
    sent_at: datetime | None
    done_at: datetime | None
    status: int


class Framed(NamedTuple):
    """A TPDU as AT commands carry it. `service_centre` is empty where the modem is to take the one of the SIM."""

    service_centre: str
    tpdu: bytes


def encode_submit(submit: Submit) -> bytes:
    """Write an SMS-SUBMIT. Raises: ValueError for an address or user data that does not fit."""
    first = _SUBMIT | _header_bit(submit.user_data)
    first |= _STATUS_REPORT_REQUEST if submit.report_requested else 0
    validity = b""
    if submit.validity is not None:
        first |= _RELATIVE_VALIDITY
        validity = bytes((fields.write_validity(submit.validity),))
    head = bytes((first, submit.reference)) + fields.write_address(submit.destination) + bytes((submit.protocol_id,))
    coding = dcs.write(submit.user_data.alphabet, submit.user_data.message_class)
    return head + bytes((coding,)) + validity + _write_user_data(submit.user_data)


def decode_submit(tpdu: bytes) -> Submit:
    """Read an SMS-SUBMIT. Raises: MalformedTpdu."""
    first = _first_octet(tpdu, _SUBMIT)
    destination, place = fields.read_address(tpdu, 2)
    validity_octets = _VALIDITY_OCTETS[first & _VALIDITY_BITS]
    relative = first & _VALIDITY_BITS == _RELATIVE_VALIDITY
    return Submit(
        destination=destination,
        user_data=_read_user_data(tpdu, place + 2 + validity_octets, octet_at(tpdu, place + 1), has_header=bool(first & _UDHI)),
        reference=octet_at(tpdu, 1),
        report_requested=bool(first & _STATUS_REPORT_REQUEST),
        validity=fields.read_validity(octet_at(tpdu, place + 2)) if relative else None,
        protocol_id=octet_at(tpdu, place),
    )


def encode_deliver(deliver: Deliver) -> bytes:
    """Write an SMS-DELIVER; `sent_at` must be given. Raises: ValueError for what does not fit."""
    assert deliver.sent_at is not None, "only read messages may lack their time"
    first = _DELIVER | _NO_MORE_MESSAGES | _header_bit(deliver.user_data)
    coding = dcs.write(deliver.user_data.alphabet, deliver.user_data.message_class)
    head = bytes((first,)) + fields.write_address(deliver.source) + bytes((deliver.protocol_id, coding))
    return head + fields.write_time_stamp(deliver.sent_at) + _write_user_data(deliver.user_data)


def _decode_deliver(tpdu: bytes) -> Deliver:
    first = octet_at(tpdu, 0)
    source, place = fields.read_address(tpdu, 1)
    return Deliver(
        source=source,
        user_data=_read_user_data(tpdu, place + 9, octet_at(tpdu, place + 1), has_header=bool(first & _UDHI)),
        sent_at=fields.read_time_stamp(tpdu, place + 2),
        protocol_id=octet_at(tpdu, place),
    )


def encode_status_report(report: StatusReport) -> bytes:
    """Write an SMS-STATUS-REPORT; both times must be given."""
    assert report.sent_at is not None, "only read reports may lack a time"
    assert report.done_at is not None, "only read reports may lack a time"
    head = bytes((_STATUS_REPORT | _NO_MORE_MESSAGES, report.reference)) + fields.write_address(report.destination)
    return head + fields.write_time_stamp(report.sent_at) + fields.write_time_stamp(report.done_at) + bytes((report.status,))


def _decode_status_report(tpdu: bytes) -> StatusReport:
    destination, place = fields.read_address(tpdu, 2)
    return StatusReport(
        reference=octet_at(tpdu, 1),
        destination=destination,
        sent_at=fields.read_time_stamp(tpdu, place),
        done_at=fields.read_time_stamp(tpdu, place + 7),
        status=octet_at(tpdu, place + 14),
    )


_READERS: Final[dict[int, Callable[[bytes], Deliver | StatusReport]]] = {
    _DELIVER: _decode_deliver,
    _STATUS_REPORT: _decode_status_report,
}


def decode_incoming(tpdu: bytes) -> Deliver | StatusReport:
    """Read a TPDU that came from the network. Raises: MalformedTpdu, also for a type that does not come from there."""
    reader = _READERS.get(octet_at(tpdu, 0) & _TYPE_BITS)
    if reader is None:
        raise MalformedTpdu("The TPDU is neither SMS-DELIVER nor SMS-STATUS-REPORT.")
    return reader(tpdu)


def frame(tpdu: bytes, *, service_centre: str = "") -> str:
    """Return a TPDU in hexadecimal behind its service centre address. Nothing in it but 0 to 9 and A to F (a text's Ctrl-Z too).

    Source: 3GPP TS 27.005 §3.1; TS 24.011 §8.2.5.1.
    """
    address = b"\x00"
    if service_centre:
        # The same address without its count of digits, behind a count of octets.
        written = fields.write_address(service_centre)[1:]
        address = bytes((len(written),)) + written
    return (address + tpdu).hex().upper()


def unframe(text: str) -> Framed:
    """Read what `frame` wrote, or a modem. Raises: MalformedTpdu."""
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        raise MalformedTpdu("The line is no PDU in hexadecimal.") from None
    end = 1 + octet_at(octets, 0)
    address = octets_at(octets, 1, end)
    digits = fields.read_semi_octets(address[1:])
    plus = "+" if address and address[0] >> 4 & 0x07 == 1 else ""
    return Framed(plus + digits if digits else "", octets[end:])


def _first_octet(tpdu: bytes, kind: int) -> int:
    first = octet_at(tpdu, 0)
    if first & _TYPE_BITS != kind:
        raise MalformedTpdu(f"The TPDU is of type {first & _TYPE_BITS}; {kind} was expected.")
    return first


def _header_bit(user_data: UserData) -> int:
    return _UDHI if user_data.udh else 0


def _write_user_data(user_data: UserData) -> bytes:
    """Return TP-UDL and TP-UD. For GSM 7-bit the length counts septets, header and fill bits included. Source: §9.2.3.16."""
    udh, octets = user_data.udh, user_data.octets
    length = len(udh) + len(octets)
    if user_data.alphabet is Alphabet.GSM7:
        length = -(-len(udh) * 8 // gsm0338.SEPTET_BITS) + len(octets)
        octets = gsm0338.pack(octets, fill_bits=headers.fill_bits(udh))
    if len(udh) + len(octets) > _MAX_USER_DATA_OCTETS:
        raise ValueError(f"The segment has {len(udh) + len(octets)} octets; {_MAX_USER_DATA_OCTETS} fit. It was cut wrongly.")
    return bytes((length,)) + udh + octets


def _read_user_data(tpdu: bytes, place: int, data_coding: int, *, has_header: bool) -> UserData:
    coding = dcs.read(data_coding)
    length = octet_at(tpdu, place)
    septets = coding.alphabet is Alphabet.GSM7
    size_octets = -(-length * gsm0338.SEPTET_BITS // 8) if septets else length
    octets = octets_at(tpdu, place + 1, place + 1 + size_octets)
    udh = b""
    if has_header:
        try:
            udh, octets = headers.separate(octets)
        except headers.MalformedHeader as error:
            raise MalformedTpdu(str(error)) from error
    if septets:
        count = length - -(-len(udh) * 8 // gsm0338.SEPTET_BITS)
        octets = gsm0338.unpack(octets, max(count, 0), fill_bits=headers.fill_bits(udh))
    return UserData(octets, coding.alphabet, udh, coding.message_class)

"""Fields of a TPDU: semi-octets, addresses, time stamps and validity periods. No I/O.

Source: 3GPP TS 23.040 §9.1.2.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, NamedTuple

from pennywire.sms import gsm0338

#: Digits of a semi-octet; 0xF fills an odd number up. Source: 3GPP TS 23.040 §9.1.2.3.
_DIGITS: Final = "0123456789*#abc"
_FILLER: Final = 0xF
#: Bits of the type-of-address octet. Source: 3GPP TS 23.040 §9.1.2.5.
_EXTENSION: Final = 0x80
_TELEPHONE: Final = 0x01
_TON_UNKNOWN: Final = 0
_TON_INTERNATIONAL: Final = 1
_TON_ALPHANUMERIC: Final = 5
_MAX_ADDRESS_OCTETS: Final = 10
_NUMBER = re.compile(r"\+?[0-9*#abc]{1,20}").fullmatch
_TIME_STAMP_OCTETS: Final = 7
#: The sign of a time zone stands in this bit of its octet, before the nibbles are swapped back. Source: §9.2.3.11.
_MINUS: Final = 0x08
_ZONE_LIMIT_QUARTERS: Final = 96


class MalformedTpdu(ValueError):
    """The TPDU contradicts itself: it ends early, or a field holds what it cannot."""


class Taken(NamedTuple):
    """An address and the place behind it."""

    address: str
    place: int


def write_semi_octets(digits: str) -> bytes:
    """Write digits, two an octet, the first one in the lower half."""
    nibbles = [_DIGITS.index(digit) for digit in digits]
    if len(nibbles) % 2:
        nibbles.append(_FILLER)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def read_semi_octets(octets: bytes) -> str:
    """Read digits up to the first filler."""
    nibbles = [nibble for octet in octets for nibble in (octet & 0x0F, octet >> 4)]
    end = nibbles.index(_FILLER) if _FILLER in nibbles else len(nibbles)
    return "".join(_DIGITS[nibble] for nibble in nibbles[:end])


def write_address(address: str) -> bytes:
    """Write TP-DA or TP-OA: length in semi-octets, type, digits or packed septets.

    Raises: ValueError where the address is longer than 20 digits or 11 septets, or NotEncodable. Source: §9.1.2.5.
    """
    if not address:
        return bytes((0, _EXTENSION | _TELEPHONE))
    if _NUMBER(address):
        ton = _TON_INTERNATIONAL if address[0] == "+" else _TON_UNKNOWN
        digits = address.removeprefix("+")
        return bytes((len(digits), _EXTENSION | ton << 4 | _TELEPHONE)) + write_semi_octets(digits)
    septets = gsm0338.encode(address)
    packed = gsm0338.pack(septets)
    if len(packed) > _MAX_ADDRESS_OCTETS:
        raise ValueError("The address is longer than 20 digits or 11 letters. Shorten it.")
    # The length counts the semi-octets that carry something.
    return bytes((-(-len(septets) * 7 // 4), _EXTENSION | _TON_ALPHANUMERIC << 4)) + packed


def read_address(tpdu: bytes, place: int) -> Taken:
    """Read an address at a place of a TPDU. Numbers of international type get their `+`. Raises: MalformedTpdu."""
    length = octet_at(tpdu, place)
    ton = octet_at(tpdu, place + 1) >> 4 & 0x07
    end = place + 2 + -(-length // 2)
    octets = octets_at(tpdu, place + 2, end)
    if ton == _TON_ALPHANUMERIC:
        return Taken(gsm0338.decode(gsm0338.unpack(octets, length * 4 // 7)), end)
    digits = read_semi_octets(octets)[:length]
    return Taken("+" + digits if ton == _TON_INTERNATIONAL and digits else digits, end)


def write_time_stamp(moment: datetime) -> bytes:
    """Write an aware time with its own zone, to the second. Source: §9.2.3.11."""
    offset = moment.utcoffset()
    assert offset is not None, "a time stamp needs its zone"
    quarters = int(offset.total_seconds()) // 900
    zone = write_semi_octets(f"{abs(quarters):02d}")[0] | (_MINUS if quarters < 0 else 0)
    return write_semi_octets(moment.strftime("%y%m%d%H%M%S")) + bytes((zone,))


def read_time_stamp(tpdu: bytes, place: int) -> datetime | None:
    """Read a time stamp into UTC, or None where the SMSC wrote no time. Raises: MalformedTpdu where the TPDU is too short.

    The zone counts quarters of an hour, its sign is a bit of its own (trap V7). Source: §9.2.3.11.
    """
    octets = octets_at(tpdu, place, place + _TIME_STAMP_OCTETS)
    digits = read_semi_octets(octets[:-1])
    zone = octets[-1]
    quarters = (zone & 0x07) * 10 + (zone >> 4)
    if quarters >= _ZONE_LIMIT_QUARTERS:
        return None
    offset = timedelta(minutes=-15 * quarters if zone & _MINUS else 15 * quarters)
    try:
        # Two digits of a year mean 2000 to 2099: the first SMS of the last century have been delivered.
        return datetime.strptime("20" + digits, "%Y%m%d%H%M%S").replace(tzinfo=timezone(offset)).astimezone(UTC)
    except ValueError:
        return None


def write_validity(period: timedelta) -> int:
    """Return TP-VP in relative format, rounded up; beyond 63 weeks it is 63 weeks (trap V4). Source: §9.2.3.12.1."""
    minutes = -(-period // timedelta(minutes=1))
    for last_minutes, unit_minutes, origin_minutes, first in _VALIDITY:
        if minutes <= last_minutes:
            return max(first, first - 1 - (origin_minutes - minutes) // unit_minutes)
    return 255


def read_validity(octet: int) -> timedelta:
    """Return the period that TP-VP in relative format means. Source: §9.2.3.12.1."""
    if octet <= 143:
        return timedelta(minutes=(octet + 1) * 5)
    if octet <= 167:
        return timedelta(hours=12, minutes=(octet - 143) * 30)
    if octet <= 196:
        return timedelta(days=octet - 166)
    return timedelta(weeks=octet - 192)


_HOUR: Final = 60
_DAY: Final = 24 * _HOUR
_WEEK: Final = 7 * _DAY
#: Ranges of TP-VP: last minute, minutes of a step, minute before the range, its first value. Source: §9.2.3.12.1.
_VALIDITY: Final = (
    (12 * _HOUR, 5, 0, 0),
    (_DAY, 30, 12 * _HOUR, 144),
    (30 * _DAY, _DAY, _DAY, 168),
    (63 * _WEEK, _WEEK, 4 * _WEEK, 197),
)


def octet_at(tpdu: bytes, place: int) -> int:
    """Return one octet. Raises: MalformedTpdu behind the end."""
    if place >= len(tpdu):
        raise MalformedTpdu(f"The TPDU ends after {len(tpdu)} octets; octet {place + 1} is missing.")
    return tpdu[place]


def octets_at(tpdu: bytes, start: int, end: int) -> bytes:
    """Return some octets. Raises: MalformedTpdu behind the end."""
    if end > len(tpdu):
        raise MalformedTpdu(f"The TPDU ends after {len(tpdu)} octets; it announces {end}.")
    return tpdu[start:end]

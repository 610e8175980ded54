"""GSM 7-bit text: the default alphabet of GSM 03.38 with its extension table and the national language shift tables.

Encoded text is unpacked: one septet an octet, 0x1B before a character of the extension table. `@` is 0x00, so 0x00 never ends
a text. Source: 3GPP TS 23.038 §6.2.1, §6.1.2.1 and annex A.
"""

import codecs
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from pennywire.sms.national import ESCAPE, LOCKING, SINGLE, UNDEFINED

if TYPE_CHECKING:
    from _codecs import _EncodingMap

SEPTET_BITS: Final = 7
OCTET_BITS: Final = 8


class NotEncodable(ValueError):
    """A character is outside the alphabet; `position` counts characters from 0."""

    def __init__(self, character: str, position: int, alphabet: str = "the GSM 7-bit alphabet") -> None:
        super().__init__(f"Character {position + 1}, U+{ord(character):04X}, is not in {alphabet}. Replace it, or send the text as UCS-2.")
        self.character = character
        self.position = position


# The C codec of `codecs` maps one character to one octet, an order of magnitude faster than a dictionary. So a character of
# the extension table becomes one octet first, its septet with the high bit set, and is parted afterwards. NUL has to stand at
# 0 for that codec to take its fast way; the character of septet 0 uses the octet of the escape, which no character has.
_HIGH_BIT: Final = 0x80
_UNMAPPED: Final = "\ufffe"
_FIRST: Final = bytes([ESCAPE])
_NO_ESCAPE: Final = bytes.maketrans(_FIRST, b"\x00")
_EXTENDED = re.compile(rb"[\x80-\xff]")
_ESCAPED = re.compile(rb"\x1b([\x00-\x7f])")
_NOT_SEPTETS = re.compile(rb"[\x80-\xff]")
_PAIRS: Final = tuple(bytes([ESCAPE, octet & 0x7F]) for octet in range(256))
_EXTENDED_OCTETS: Final = tuple(bytes([_HIGH_BIT | septet]) for septet in range(128))


@dataclass(frozen=True, slots=True)
class _Tables:
    """`encoding` is what `codecs.charmap_encode` takes; `decoding` has 256 characters, the upper half for escaped septets."""

    encoding: "dict[int, int] | _EncodingMap"
    decoding: str


@cache
def _tables(locking: int, single: int) -> _Tables:
    plain, extended = LOCKING[locking], SINGLE[single]
    places = [_UNMAPPED if place in (UNDEFINED, "\x1b") else place for place in plain + extended]
    taken: set[str] = set()
    for octet, character in enumerate(places):
        # The shorter form wins, and of two equal ones the first: the Indic tables have some characters twice.
        if character in taken:
            places[octet] = _UNMAPPED
        taken.add(character)
    places[ESCAPE], places[0] = places[0], "\x00"
    # A septet that the single shift table does not know shows the character of the locking table, an escape alone or an
    # escape to a further table shows a space. Source: 3GPP TS 23.038 §6.2.1.1.
    shown = [normal if place == UNDEFINED else place for normal, place in zip(plain, extended, strict=True)]
    decoding = (plain + "".join(shown)).replace("\x1b", " ")
    return _Tables(codecs.charmap_build("".join(places)), decoding)


_DEFAULT = _tables(0, 0)


def encode(text: str, *, locking: int = 0, single: int = 0) -> bytes:
    """Encode a text, one septet an octet.

    `locking` and `single` are national language identifiers; 0 is the default alphabet and its extension table.
    Raises: NotEncodable at the first character that has no septet; ValueError for an identifier without such a table.
    """
    tables = _DEFAULT
    if locking or single:
        if locking not in LOCKING or single not in SINGLE:
            raise ValueError(f"There is no national language table for locking shift {locking} with single shift {single}.")
        tables = _tables(locking, single)
    if "\x00" in text:
        # NUL is what septet 0 looks like to the codec; GSM 7-bit has no such character.
        position = text.index("\x00")
        encode(text[:position], locking=locking, single=single)
        raise NotEncodable(text[position], position)
    try:
        octets = codecs.charmap_encode(text, "strict", tables.encoding)[0]
    except UnicodeEncodeError as error:
        raise NotEncodable(text[error.start], error.start) from None
    if _FIRST in octets:
        octets = octets.translate(_NO_ESCAPE)
    if octets.isascii():
        return octets
    return _EXTENDED.sub(lambda match: _PAIRS[match[0][0]], octets)


def decode(septets: bytes, *, locking: int = 0, single: int = 0) -> str:
    """Decode septets, one an octet; never raises.

    What cannot be a septet or has no character becomes U+FFFD. An unknown identifier means the default tables.
    Source: 3GPP TS 23.038 §6.2.1.1; TS 23.040 §9.2.3.24.15 for unknown identifiers.
    """
    if not septets.isascii():
        runs = _NOT_SEPTETS.split(septets)
        return UNDEFINED.join([decode(run, locking=locking, single=single) for run in runs])
    tables = _DEFAULT
    if locking or single:
        tables = _tables(locking if locking in LOCKING else 0, single if single in SINGLE else 0)
    if _FIRST in septets:
        septets = _ESCAPED.sub(lambda match: _EXTENDED_OCTETS[match[1][0]], septets)
    return codecs.charmap_decode(septets, "strict", tables.decoding)[0]


def septet_length(text: str) -> int:
    """Count the septets of a text: 2 for a character of the extension table, 1 for another. Raises: NotEncodable."""
    return len(encode(text))


def first_unencodable(text: str) -> tuple[int, str] | None:
    """Return position and character of the first character that GSM 7-bit lacks, or None."""
    try:
        encode(text)
    except NotEncodable as error:
        return error.position, error.character
    return None


def pack(septets: bytes, *, fill_bits: int = 0) -> bytes:
    """Pack septets into octets, after `fill_bits` zero bits (0 to 6) that bring them to a septet boundary behind a header.

    Spare bits at the end are zero, so 7 of them read as `@` to a receiver that is not told the count.
    Raises: ValueError for an octet above 0x7F. Source: 3GPP TS 23.038 §6.1.2.1, TS 23.040 §9.2.3.24.
    """
    if not septets.isascii():
        raise ValueError("A septet is above 0x7F. Give one septet an octet, as encode() returns them.")
    bits = 0
    for septet in reversed(septets):
        bits = bits << SEPTET_BITS | septet
    size_octets = -(-(fill_bits + SEPTET_BITS * len(septets)) // OCTET_BITS)
    return (bits << fill_bits).to_bytes(size_octets, "little")


def unpack(octets: bytes, count: int, *, fill_bits: int = 0) -> bytes:
    """Unpack `count` septets from octets, or as many as are there, one an octet; `fill_bits` are skipped first."""
    there = max(0, (len(octets) * OCTET_BITS - fill_bits) // SEPTET_BITS)
    bits = int.from_bytes(octets, "little") >> fill_bits
    return bytes([bits >> SEPTET_BITS * index & 0x7F for index in range(min(count, there))])

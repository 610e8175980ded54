"""Segments: how many SMS a message takes, and the cutting itself.

One function cuts, so that quote, charge, wire and page never disagree. Sizes follow from the 140 octets of TP-UD less the user
data header. Source: 3GPP TS 23.038 §6.2, TS 23.040 §9.2.3.24.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from pennywire.sms import clusters, gsm0338
from pennywire.sms import udh as headers
from pennywire.sms.gsm0338 import NotEncodable
from pennywire.sms.national import ESCAPE
from pennywire.sms.replacements import Replacement, describe_forced, simplify, suggest_replacements
from pennywire.values import Alphabet, Concatenation

__all__ = [
    "NotEncodable",
    "Plan",
    "Replacement",
    "Segment",
    "TooLong",
    "describe_forced",
    "plan",
    "simplify",
    "split",
    "split_data",
    "suggest_replacements",
]

#: What TP-UD holds, header included. Source: 3GPP TS 23.040 §9.2.3.24.
USER_DATA_OCTETS: Final = 140
#: The octet that counts a series holds no more. Source: 3GPP TS 23.040 §9.2.3.24.1.
MAX_SEGMENTS: Final = headers.MAX_TOTAL
#: UDHL, identifier, length, reference, total, index. Source: 3GPP TS 23.040 §9.2.3.24.1 and .8.
_CONCATENATION_OCTETS: Final = {8: 5, 16: 6}
#: The first octet of the second half of a surrogate pair, big endian.
_LOW_SURROGATES: Final = range(0xDC, 0xE0)


class TooLong(ValueError):
    """The message takes more segments than are allowed; nothing was cut off."""

    def __init__(self, segment_count: int, max_segments: int) -> None:
        super().__init__(f"The message takes {segment_count} segments; at most {max_segments} are allowed. Shorten it.")
        self.segment_count = segment_count
        self.max_segments = max_segments


@dataclass(frozen=True, slots=True)
class Plan:
    """What a text takes.

    `length` and `per_segment` are in units of the alphabet: septets, UTF-16 code units, or octets. `per_segment` is the limit
    that applies (160 alone, 153 in a series); `remaining` is the room left in the last segment. `forced_by` is position and
    character of the first one that GSM 7-bit lacks, where that forced UCS-2.
    """

    alphabet: Alphabet
    segment_count: int
    length: int
    per_segment: int
    remaining: int
    forced_by: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. `index` counts from 0; `user_data` and `udh` are as in `Submission`, `text` is empty for binary."""

    index: int
    text: str
    user_data: bytes
    udh: bytes
    concatenation: Concatenation | None
    alphabet: Alphabet


class _Encoded(NamedTuple):
    alphabet: Alphabet
    data: bytes
    forced_by: tuple[int, str] | None


def plan(
    text: str, *, alphabet: Alphabet | None = None, reference_bits: int = 8, max_segments: int = MAX_SEGMENTS, udh: bytes = b""
) -> Plan:
    """Count the segments of a text, without making them. An empty text takes one segment.

    Arguments and exceptions are those of `split`.
    """
    encoded = _encode(text, alphabet)
    size_octets = len(encoded.data)
    known = encoded.forced_by is None and size_octets <= _SINGLE_OCTETS[encoded.alphabet]
    if known and not udh and reference_bits in _CONCATENATION_OCTETS:
        return _SINGLE_PLANS[encoded.alphabet, size_octets]
    layout = _lay_out(encoded, udh=udh, reference_bits=reference_bits, max_segments=max_segments)
    unit = _UNIT_OCTETS[encoded.alphabet]
    last = layout.bounds[-1] - layout.bounds[-2]
    return Plan(
        alphabet=encoded.alphabet,
        segment_count=len(layout.bounds) - 1,
        length=size_octets // unit,
        per_segment=layout.capacity // unit,
        remaining=(layout.capacity - last) // unit,
        forced_by=encoded.forced_by,
    )


def split(
    text: str,
    *,
    alphabet: Alphabet | None = None,
    reference: int = 0,
    reference_bits: int = 8,
    max_segments: int = MAX_SEGMENTS,
    udh: bytes = b"",
) -> tuple[Segment, ...]:
    """Split a text into segments.

    `alphabet` None takes GSM 7-bit where the text allows it, else UCS-2. `udh` is a header of the customer's own (ports), which
    every segment carries; the place in the series is put before its elements. A lone surrogate becomes U+FFFD.
    Units: septets in GSM 7-bit (160 alone, 153 in a series), UTF-16 code units in UCS-2 (70, 67), octets in Latin-1 (140, 134);
    with 16-bit references 152, 66 and 133.
    Shape: 1 to 255 segments; neither an escape pair nor a surrogate pair is cut, and grapheme clusters only where keeping them
    whole would take a further segment.
    Raises: TooLong beyond `max_segments`; NotEncodable where the text does not fit the alphabet asked for; MalformedHeader;
    ValueError for a reference that does not fit. Source: 3GPP TS 23.038 §6.2, TS 23.040 §9.2.3.24.1.
    """
    encoded = _encode(text, alphabet)
    layout = _lay_out(encoded, udh=udh, reference_bits=reference_bits, max_segments=max_segments)
    return _segments(encoded, layout, udh=udh, reference=reference, reference_bits=reference_bits)


def split_data(
    data: bytes, *, udh: bytes = b"", reference: int = 0, reference_bits: int = 8, max_segments: int = MAX_SEGMENTS
) -> tuple[Segment, ...]:
    """Split binary data into segments of 140 octets alone, 134 in a series (133 with 16-bit references), less `udh`.

    Raises: TooLong; MalformedHeader; ValueError for a reference that does not fit.
    """
    encoded = _Encoded(Alphabet.BINARY, data, None)
    layout = _lay_out(encoded, udh=udh, reference_bits=reference_bits, max_segments=max_segments)
    return _segments(encoded, layout, udh=udh, reference=reference, reference_bits=reference_bits)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the encoded text is cut. `bounds` starts with 0 and ends with the size; segment k is `bounds[k]` to `bounds[k + 1]`.

    Units: octets of user data as `Submission` has it, so one for a septet; `capacity` likewise.
    """

    capacity: int
    bounds: list[int]


def _encode(text: str, alphabet: Alphabet | None) -> _Encoded:
    if alphabet is None:
        try:
            return _Encoded(Alphabet.GSM7, gsm0338.encode(text), None)
        except NotEncodable as error:
            return _Encoded(Alphabet.UCS2, _encode_ucs2(text), (error.position, error.character))
    return _Encoded(alphabet, _ENCODERS[alphabet](text), None)


def _encode_ucs2(text: str) -> bytes:
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        # Half a pair, from JSON that was cut: the network must not see it.
        return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace").encode("utf-16-be")


def _encode_latin1(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise NotEncodable(text[error.start], error.start, "Latin-1") from None


def _encode_binary(text: str) -> bytes:
    raise ValueError(f"A text of {len(text)} characters cannot be sent as binary. Give octets, or another alphabet.")


def _capacity(alphabet: Alphabet, header_octets: int) -> int:
    """Return how many octets of user data fit behind a header; for GSM 7-bit one stands for a septet."""
    octets = USER_DATA_OCTETS - header_octets
    if alphabet is Alphabet.GSM7:
        return octets * 8 // gsm0338.SEPTET_BITS
    return octets - octets % _UNIT_OCTETS[alphabet]


def _lay_out(encoded: _Encoded, *, udh: bytes, reference_bits: int, max_segments: int) -> _Layout:
    """Decide between one segment and a series, and cut. The only place where segments are counted."""
    if reference_bits not in _CONCATENATION_OCTETS:
        raise ValueError(f"A reference has 8 or 16 bits, not {reference_bits}.")
    in_series = headers.concatenation(headers.parse(udh)) is not None
    size_octets = len(encoded.data)
    capacity = _capacity(encoded.alphabet, len(udh))
    if size_octets <= capacity:
        return _Layout(capacity, [0, size_octets])
    if in_series:
        # The customer has cut the message himself, and not well: his header is that of one segment.
        raise TooLong(-(-size_octets // max(capacity, 1)), 1)
    capacity = _capacity(encoded.alphabet, max(len(udh), 1) + _CONCATENATION_OCTETS[reference_bits])
    if capacity < 2 * _UNIT_OCTETS[encoded.alphabet]:
        raise headers.MalformedHeader(f"A header of {len(udh)} octets leaves no room for a series of segments. Leave some elements out.")
    limit = min(max_segments, MAX_SEGMENTS)
    if -(-size_octets // capacity) > limit:
        raise TooLong(-(-size_octets // capacity), limit)
    bounds = _cut(encoded, capacity)
    if len(bounds) - 1 > limit:
        raise TooLong(len(bounds) - 1, limit)
    return _Layout(capacity, bounds)


def _cut(encoded: _Encoded, capacity: int) -> list[int]:
    """Cut into as few segments as possible, between grapheme clusters where that costs none."""
    data, halves = encoded.data, _HALVES[encoded.alphabet]
    bounds = [0]
    while bounds[-1] + capacity < len(data):
        end = bounds[-1] + capacity
        bounds.append(end - halves(data, end))
    bounds.append(len(data))
    decode = _DECODERS[encoded.alphabet]
    return bounds if clusters.simple(decode(data)) else _cut_at_clusters(encoded, capacity, bounds)


def _cut_at_clusters(encoded: _Encoded, capacity: int, greedy: list[int]) -> list[int]:
    """Move each cut back to the nearest cluster, as long as the rest still fits the segments that are left.

    `greedy` are the bounds that ignore clusters: they say how many segments there are.
    """
    data, halves = encoded.data, _HALVES[encoded.alphabet]
    encode, decode = _ENCODERS[encoded.alphabet], _DECODERS[encoded.alphabet]
    # earliest[k] is the first place from which the rest fits k segments.
    earliest = [len(data)]
    for _ in greedy[2:]:
        start = earliest[-1] - capacity
        earliest.append(start + halves(data, start) if start > 0 else 0)
    bounds = [0]
    for rest in range(len(greedy) - 2, 0, -1):
        start = bounds[-1]
        end = start + capacity
        end -= halves(data, end)
        # Two units more, to see what would come first in the next segment.
        text, index = decode(data[start:end]) + decode(data[end : end + 4]), len(decode(data[start:end]))
        place = end
        while index and place >= earliest[rest] and clusters.continues(text, index):
            index -= 1
            place -= len(encode(text[index]))
        bounds.append(place if index and place >= earliest[rest] else end)
    return [*bounds, len(data)]


def _segments(encoded: _Encoded, layout: _Layout, *, udh: bytes, reference: int, reference_bits: int) -> tuple[Segment, ...]:
    """Make the segments of a layout. The place in a series stands before the customer's elements, where old handsets look."""
    alphabet, data, _ = encoded
    decode = _DECODERS[alphabet]
    elements = headers.parse(udh)
    total = len(layout.bounds) - 1
    if total == 1:
        return (Segment(0, decode(data), data, udh, headers.concatenation(elements), alphabet),)
    segments = []
    for index, (start, end) in enumerate(pairwise(layout.bounds)):
        place = Concatenation(reference, total, index + 1)
        header = headers.build((headers.concatenation_element(place, reference_bits=reference_bits), *elements))
        piece = data[start:end]
        segments.append(Segment(index, decode(piece), piece, header, place, alphabet))
    return tuple(segments)


def _no_half(_data: bytes, _place: int) -> int:
    return 0


def _half_escape(data: bytes, place: int) -> int:
    return 1 if data[place - 1] == ESCAPE else 0


def _half_surrogate(data: bytes, place: int) -> int:
    return 2 if data[place] in _LOW_SURROGATES else 0


_UNIT_OCTETS: Final = {Alphabet.GSM7: 1, Alphabet.UCS2: 2, Alphabet.LATIN1: 1, Alphabet.BINARY: 1}
#: How many octets of a pair a cut before this place would leave behind; 0 where it is a good place.
_HALVES: Final[dict[Alphabet, Callable[[bytes, int], int]]] = {
    Alphabet.GSM7: _half_escape,
    Alphabet.UCS2: _half_surrogate,
    Alphabet.LATIN1: _no_half,
    Alphabet.BINARY: _no_half,
}
_ENCODERS: Final[dict[Alphabet, Callable[[str], bytes]]] = {
    Alphabet.GSM7: gsm0338.encode,
    Alphabet.UCS2: _encode_ucs2,
    Alphabet.LATIN1: _encode_latin1,
    Alphabet.BINARY: _encode_binary,
}
_DECODERS: Final[dict[Alphabet, Callable[[bytes], str]]] = {
    Alphabet.GSM7: gsm0338.decode,
    Alphabet.UCS2: lambda data: data.decode("utf-16-be", "replace"),
    Alphabet.LATIN1: lambda data: data.decode("latin-1"),
    Alphabet.BINARY: lambda _: "",
}
_SINGLE_OCTETS: Final = {alphabet: _capacity(alphabet, 0) for alphabet in Alphabet}
#: Plans of all texts that take one segment without a header, by alphabet and octets: nearly every message has one of these.
_SINGLE_PLANS: Final = {
    (alphabet, octets): Plan(alphabet, 1, octets // unit, _SINGLE_OCTETS[alphabet] // unit, (_SINGLE_OCTETS[alphabet] - octets) // unit)
    for alphabet, unit in _UNIT_OCTETS.items()
    for octets in range(0, _SINGLE_OCTETS[alphabet] + 1, unit)
}

"""The user data header: a list of information elements before the text of a segment.

Everywhere in Pennywire `udh` means the header with its length octet (UDHL) in front, as on the wire, or empty bytes for none.
Elements come in any order. Source: 3GPP TS 23.040 §9.2.3.24.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pennywire.values import Concatenation

#: TP-UD holds 140 octets, and one of them is the header's length.
MAX_ELEMENTS_OCTETS: Final = 139
#: The octet that counts a series holds no more. Source: 3GPP TS 23.040 §9.2.3.24.1.
MAX_TOTAL: Final = 255
SEPTET_BITS: Final = 7


class MalformedHeader(ValueError):
    """The user data header contradicts itself: its length or that of an element is wrong."""


class Identifier(IntEnum):
    """The information element identifiers that Pennywire knows. Source: 3GPP TS 23.040 §9.2.3.24."""

    CONCATENATION_8 = 0x00
    PORTS_8 = 0x04
    PORTS_16 = 0x05
    CONCATENATION_16 = 0x08
    SINGLE_SHIFT = 0x24
    LOCKING_SHIFT = 0x25


_CONCATENATION_OCTETS: Final[dict[int, int]] = {Identifier.CONCATENATION_8: 3, Identifier.CONCATENATION_16: 4}
_CONCATENATION_OF_BITS: Final = {8: Identifier.CONCATENATION_8, 16: Identifier.CONCATENATION_16}
_PORT_OCTETS: Final[dict[int, int]] = {Identifier.PORTS_8: 1, Identifier.PORTS_16: 2}


@dataclass(frozen=True, slots=True)
class Element:
    """One information element. `identifier` is 0 to 255, `data` at most 137 octets."""

    identifier: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ports:
    """Application ports, 0 to 65535. Source: 3GPP TS 23.040 §9.2.3.24.3 and .4."""

    destination: int
    source: int


def parse(udh: bytes) -> tuple[Element, ...]:
    """Read the elements of a header, in their order.

    Raises: MalformedHeader where the length octet or an element's length does not fit the octets, or beyond 140 octets.
    """
    if not udh:
        return ()
    if len(udh) > 1 + MAX_ELEMENTS_OCTETS:
        raise MalformedHeader(f"The header has {len(udh)} octets; a segment holds {1 + MAX_ELEMENTS_OCTETS}. Leave some elements out.")
    if udh[0] != len(udh) - 1:
        raise MalformedHeader(f"The header says that {udh[0]} octets follow, and {len(udh) - 1} do. Send all of it, and nothing else.")
    elements: list[Element] = []
    place = 1
    while place < len(udh):
        start = place + 2
        end = start + udh[place + 1] if start <= len(udh) else len(udh) + 1
        if end > len(udh):
            raise MalformedHeader(f"The element at octet {place} of the header runs past its end. Correct the element's length.")
        elements.append(Element(udh[place], udh[start:end]))
        place = end
    return tuple(elements)


def build(elements: Iterable[Element]) -> bytes:
    """Write a header with its length octet; no elements give empty bytes.

    Raises: MalformedHeader beyond 139 octets of elements, which leave no place in a segment.
    """
    body = b"".join([bytes([element.identifier, len(element.data)]) + element.data for element in elements])
    if len(body) > MAX_ELEMENTS_OCTETS:
        raise MalformedHeader(f"The header's elements have {len(body)} octets; at most {MAX_ELEMENTS_OCTETS} fit. Leave some out.")
    return bytes([len(body)]) + body if body else b""


def separate(user_data: bytes) -> tuple[bytes, bytes]:
    """Cut user data that starts with a header into header and payload.

    Shape: octets as on the wire; behind a header packed GSM 7-bit starts after `fill_bits` bits of the payload.
    Raises: MalformedHeader where the user data is shorter than the header says.
    """
    if not user_data or user_data[0] >= len(user_data):
        raise MalformedHeader(f"User data of {len(user_data)} octets cannot hold the header that it announces. It was truncated.")
    end = 1 + user_data[0]
    return user_data[:end], user_data[end:]


def fill_bits(udh: bytes) -> int:
    """Return how many bits bring packed septets to a septet boundary after the header: 0 to 6."""
    return -len(udh) * 8 % SEPTET_BITS


def concatenation(elements: Iterable[Element]) -> Concatenation | None:
    """Return the segment's place in a series, or None.

    The last of several elements counts. A total of 0, or an index of 0 or beyond the total, voids the element.
    Source: 3GPP TS 23.040 §9.2.3.24, §9.2.3.24.1 and .8.
    """
    found = None
    for element in elements:
        size_octets = _CONCATENATION_OCTETS.get(element.identifier)
        if size_octets is None or len(element.data) != size_octets:
            continue
        total, index = element.data[-2:]
        if 1 <= index <= total:
            found = Concatenation(int.from_bytes(element.data[:-2]), total, index)
    return found


def concatenation_element(place: Concatenation, *, reference_bits: int = 8) -> Element:
    """Write the element that puts a segment into a series. `reference_bits` is 8 or 16.

    Raises: ValueError for a reference that does not fit, or an index outside 1 to the total.
    """
    if reference_bits not in _CONCATENATION_OF_BITS:
        raise ValueError(f"A reference has 8 or 16 bits, not {reference_bits}.")
    if not 0 <= place.reference < 1 << reference_bits:
        raise ValueError(f"Reference {place.reference} does not fit {reference_bits} bits. Take it modulo {1 << reference_bits}.")
    if not 1 <= place.index <= place.total <= MAX_TOTAL:
        raise ValueError(f"Segment {place.index} of {place.total} cannot be written; both are 1 to {MAX_TOTAL}.")
    reference = place.reference.to_bytes(reference_bits // 8)
    return Element(_CONCATENATION_OF_BITS[reference_bits], reference + bytes([place.total, place.index]))


def without_concatenation(udh: bytes) -> bytes:
    """Return the header without its place in a series, for peers that carry that in fields of their own. Raises: MalformedHeader."""
    return build(element for element in parse(udh) if element.identifier not in _CONCATENATION_OCTETS)


def national_shifts(elements: Iterable[Element]) -> tuple[int, int]:
    """Return the national language identifiers (locking, single); 0 where there is none.

    Source: 3GPP TS 23.040 §9.2.3.24.15 (single, 0x24) and .16 (locking, 0x25).
    """
    shifts = {Identifier.LOCKING_SHIFT: 0, Identifier.SINGLE_SHIFT: 0}
    for element in elements:
        if element.identifier in shifts and len(element.data) == 1:
            shifts[Identifier(element.identifier)] = element.data[0]
    return shifts[Identifier.LOCKING_SHIFT], shifts[Identifier.SINGLE_SHIFT]


def ports(elements: Iterable[Element]) -> Ports | None:
    """Return the application ports, or None; the last of several elements counts."""
    found = None
    for element in elements:
        size_octets = _PORT_OCTETS.get(element.identifier)
        if size_octets is not None and len(element.data) == 2 * size_octets:
            found = Ports(int.from_bytes(element.data[:size_octets]), int.from_bytes(element.data[size_octets:]))
    return found

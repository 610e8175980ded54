"""User data headers are lists of elements, in any order and combination."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennywire.sms import udh
from pennywire.sms.udh import Element, MalformedHeader, Ports
from pennywire.values import Concatenation

elements = st.lists(st.builds(Element, st.integers(0, 255), st.binary(max_size=20)), max_size=6)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("05", "says that 5 octets follow, and 0 do"),
        ("050003cc02", "says that 5 octets follow, and 4 do"),
        ("050003cc020100", "says that 5 octets follow, and 6 do"),
        ("0500", "says that 5"),
        ("0100", "element at octet 1 .* runs past"),
        ("0400030102", "element at octet 1 .* runs past"),
        ("06000301020124", "element at octet 6 .* runs past"),
        ("8c" + "0a00" * 70, "has 141 octets; a segment holds 140"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(header: str, reason: str) -> None:
    with pytest.raises(MalformedHeader, match=reason):
        udh.parse(bytes.fromhex(header))


def test_a_header_that_leaves_no_room_is_not_built() -> None:
    with pytest.raises(MalformedHeader, match="have 140 octets; at most 139"):
        udh.build([Element(0x70, bytes(138))])


@given(st.binary(max_size=160))
def test_any_octets_are_parsed_or_refused(octets: bytes) -> None:
    try:
        parsed = udh.parse(octets)
    except MalformedHeader:
        return
    assert udh.build(parsed) == (octets if parsed else b"")


@given(elements)
def test_parsing_undoes_building(built: list[Element]) -> None:
    assert udh.parse(udh.build(built)) == tuple(built)


def test_no_elements_are_no_header() -> None:
    assert udh.build([]) == b""
    assert udh.parse(b"") == udh.parse(b"\x00") == ()


@pytest.mark.parametrize(
    ("header", "place"),
    [
        ("050003cc0302", Concatenation(0xCC, 3, 2)),
        ("06080412340302", Concatenation(0x1234, 3, 2)),
        ("0b0504158115810003cc0302", Concatenation(0xCC, 3, 2)),
        ("08240101" + "0003cc0302", Concatenation(0xCC, 3, 2)),
        ("0a0003010201" + "0003020202", Concatenation(2, 2, 2)),  # The last of two counts.
        ("050003cc0300", None),  # Index 0.
        ("050003cc0304", None),  # Index beyond the total.
        ("050003cc0000", None),
        ("0400020302", None),  # An element of the wrong size.
        ("0605041581" + "1581", None),
        ("", None),
    ],
)
def test_t5_the_place_in_a_series_is_found_wherever_it_stands(header: str, place: Concatenation | None) -> None:
    assert udh.concatenation(udh.parse(bytes.fromhex(header))) == place


@given(total=st.integers(1, 255), data=st.data(), bits=st.sampled_from([8, 16]))
def test_the_place_in_a_series_comes_back(total: int, data: st.DataObject, bits: int) -> None:
    place = Concatenation(data.draw(st.integers(0, 2**bits - 1)), total, data.draw(st.integers(1, total)))

    element = udh.concatenation_element(place, reference_bits=bits)
    assert udh.concatenation(udh.parse(udh.build([element]))) == place


@pytest.mark.parametrize(
    ("place", "bits", "reason"),
    [
        (Concatenation(256, 2, 1), 8, "does not fit 8 bits"),
        (Concatenation(1, 256, 1), 8, "both are 1 to 255"),
        (Concatenation(1, 2, 3), 8, "both are 1 to 255"),
        (Concatenation(1, 2, 0), 16, "both are 1 to 255"),
        (Concatenation(1, 2, 1), 32, "8 or 16 bits"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(place: Concatenation, bits: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        udh.concatenation_element(place, reference_bits=bits)


@pytest.mark.parametrize(
    ("header", "without"),
    [
        ("050003cc0302", ""),
        ("0b0504158115810003cc0302", "06050415811581"),
        ("0c080400010302" + "050415811581", "06050415811581"),
        ("06050415811581", "06050415811581"),
    ],
)
def test_the_place_is_taken_out_for_peers_with_fields_of_their_own(header: str, without: str) -> None:
    assert udh.without_concatenation(bytes.fromhex(header)).hex() == without


@pytest.mark.parametrize(
    ("header", "shifts"),
    [
        ("03240101", (0, 1)),
        ("03250103", (3, 0)),
        ("06240106250106", (6, 6)),
        ("0b0003cc0302" + "240106250106", (6, 6)),
        ("0424020101", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_t13_national_tables_are_announced_by_the_header(header: str, shifts: tuple[int, int]) -> None:
    assert udh.national_shifts(udh.parse(bytes.fromhex(header))) == shifts


@pytest.mark.parametrize(
    ("header", "ports"),
    [
        ("06050415811581", Ports(5505, 5505)),
        ("0605040b8423f0", Ports(2948, 9200)),
        ("040402f0f1", Ports(240, 241)),
        ("0a0402f0f1050415811582", Ports(5505, 5506)),
        ("050503158115", None),
    ],
)
def test_ports(header: str, ports: Ports | None) -> None:
    assert udh.ports(udh.parse(bytes.fromhex(header))) == ports


@pytest.mark.parametrize(("octets", "header", "payload"), [("050003cc0201aabb", "050003cc0201", "aabb"), ("00aa", "00", "aa")])
def test_user_data_is_separated_into_header_and_payload(octets: str, header: str, payload: str) -> None:
    assert udh.separate(bytes.fromhex(octets)) == (bytes.fromhex(header), bytes.fromhex(payload))


@pytest.mark.parametrize("octets", ["", "05", "050003cc02"])
def test_user_data_shorter_than_its_header_is_refused(octets: str) -> None:
    with pytest.raises(MalformedHeader, match="cannot hold the header"):
        udh.separate(bytes.fromhex(octets))


@pytest.mark.parametrize(("size", "bits"), [(0, 0), (6, 1), (7, 0), (8, 6), (12, 2)])
def test_fill_bits_reach_the_next_septet(size: int, bits: int) -> None:
    assert udh.fill_bits(bytes(size)) == bits
    assert (8 * size + bits) % 7 == 0

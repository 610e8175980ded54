"""Segments: limits, cuts, series. T1 to T18 name known traps of text, alphabets and segments."""

from collections.abc import Callable
from typing import Any

import pytest

from pennywire.sms import gsm0338, segments, text, udh
from pennywire.sms.gsm0338 import NotEncodable
from pennywire.sms.segments import Plan, TooLong, plan, split, split_data
from pennywire.sms.udh import MalformedHeader
from pennywire.values import Alphabet, Concatenation

SMILE = "😀"
FAMILY = "👨\u200d👩\u200d👧\u200d👦"  # 11 UTF-16 units, one cluster.
PORTS = bytes.fromhex("06050415811581")


def cuts(message: str, **options: Any) -> list[int]:
    """Return how many characters each segment has."""
    return [len(segment.text) for segment in split(message, **options)]


@pytest.mark.parametrize("count", [segments.plan, segments.split])
@pytest.mark.parametrize(
    ("message", "options", "refusal"),
    [
        ("a" * (255 * 153 + 1), {}, r"takes 256 segments; at most 255"),
        ("ő" * (255 * 67 + 1), {"max_segments": 1000}, r"takes 256 segments; at most 255"),
        ("a" * 161, {"max_segments": 1}, r"takes 2 segments; at most 1 "),
        ("€" * 153, {"max_segments": 2}, r"takes 3 segments; at most 2 "),
        ("a" * 161, {"udh": bytes.fromhex("0500032a0201")}, r"takes 2 segments; at most 1 "),
    ],
)
def test_t14_a_message_beyond_the_limit_is_refused_and_not_shortened(
    count: Callable[..., object], message: str, options: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(TooLong, match=refusal):
        count(message, **options)


def test_the_most_segments_that_a_series_can_have() -> None:
    assert len(split("a" * 255 * 153)) == 255
    assert plan("a" * 255 * 153).segment_count == 255


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"alphabet": Alphabet.GSM7}, NotEncodable, r"Character 161, U\+0151, is not in the GSM 7-bit alphabet"),
        ({"alphabet": Alphabet.LATIN1}, NotEncodable, r"Character 161, U\+0151, is not in Latin-1"),
        ({"alphabet": Alphabet.BINARY}, ValueError, "cannot be sent as binary"),
        ({"reference_bits": 7}, ValueError, "8 or 16 bits, not 7"),
        ({"udh": b"\x05\x00"}, MalformedHeader, "says that 5 octets follow, and 1 do"),
        ({"udh": b"\x8b" + b"\x70\x89" + bytes(137)}, MalformedHeader, "leaves no room"),
        ({"udh": b"\xff" + bytes(255)}, MalformedHeader, "a segment holds 140"),
    ],
)
def test_what_cannot_be_planned_or_split_is_refused(options: dict[str, Any], error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        split("a" * 160 + "ő", **options)
    with pytest.raises(error, match=reason):
        plan("a" * 160 + "ő", **options)


@pytest.mark.parametrize(("reference", "bits"), [(256, 8), (-1, 8), (65536, 16)])
def test_a_reference_that_does_not_fit_is_refused(reference: int, bits: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        split("a" * 161, reference=reference, reference_bits=bits)


@pytest.mark.parametrize(("length", "lengths"), [(0, [0]), (79, [79]), (80, [80]), (81, [76, 5])])
def test_t1_80_euro_signs_take_one_segment_and_81_take_two(length: int, lengths: list[int]) -> None:
    assert cuts("€" * length) == lengths


@pytest.mark.parametrize("character", list("^{}\\[~]|€\f"))
def test_t1_each_extended_character_takes_two_septets(character: str) -> None:
    assert plan("a" * 158 + character).segment_count == 1
    assert plan("a" * 159 + character).segment_count == 2


def test_t2_an_escape_pair_is_never_cut() -> None:
    assert cuts("€" * 153) == [76, 76, 1]
    assert cuts("a" * 152 + "€" + "b" * 10) == [152, 11]


@pytest.mark.parametrize(
    ("message", "lengths"),
    [
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("a" * 306, [153, 153]),
        ("a" * 307, [153, 153, 1]),
        ("ő" * 70, [70]),
        ("ő" * 71, [67, 4]),
        ("ő" * 134, [67, 67]),
        ("ő" * 135, [67, 67, 1]),
    ],
)
def test_t3_limits_with_an_8_bit_reference(message: str, lengths: list[int]) -> None:
    assert cuts(message) == lengths


@pytest.mark.parametrize(
    ("message", "lengths"),
    [("a" * 160, [160]), ("a" * 304, [152, 152]), ("a" * 305, [152, 152, 1]), ("ő" * 70, [70]), ("ő" * 133, [66, 66, 1])],
)
def test_t4_limits_with_a_16_bit_reference(message: str, lengths: list[int]) -> None:
    assert cuts(message, reference_bits=16) == lengths


def test_t4_the_header_of_a_16_bit_reference() -> None:
    first, second = split("a" * 161, reference=0x1234, reference_bits=16)

    assert [first.udh.hex(), second.udh.hex()] == ["06080412340201", "06080412340202"]
    assert second.concatenation == Concatenation(0x1234, 2, 2)


def test_the_header_of_an_8_bit_reference() -> None:
    first, second = split("a" * 161, reference=0xCC)

    assert [first.udh.hex(), second.udh.hex()] == ["050003cc0201", "050003cc0202"]
    assert [first.index, second.index] == [0, 1]
    assert first.concatenation == Concatenation(0xCC, 2, 1)
    assert (first.user_data, first.text) == (b"a" * 153, "a" * 153)


@pytest.mark.parametrize(
    ("message", "bits", "lengths"),
    [
        ("a" * 152, 8, [152]),  # (140 - 7) * 8 / 7
        ("a" * 153, 8, [146, 7]),  # (140 - 12) * 8 / 7
        ("a" * 153, 16, [145, 8]),
        ("ő" * 66, 8, [66]),
        ("ő" * 67, 8, [64, 3]),
    ],
)
def test_t5_the_customers_own_elements_shrink_the_limits(message: str, bits: int, lengths: list[int]) -> None:
    assert cuts(message, udh=PORTS, reference_bits=bits) == lengths


@pytest.mark.parametrize(
    ("length", "counted"),
    [
        (152, Plan(Alphabet.GSM7, 1, 152, 152, 0)),
        (153, Plan(Alphabet.GSM7, 2, 153, 146, 139)),
        (160, Plan(Alphabet.GSM7, 2, 160, 146, 132)),
    ],
)
def test_t5_the_plan_knows_the_customers_own_elements(length: int, counted: Plan) -> None:
    assert plan("a" * length, udh=PORTS) == counted


def test_t5_every_segment_carries_the_customers_own_elements() -> None:
    segment = split("a" * 200, udh=PORTS, reference=7)[1]

    elements = udh.parse(segment.udh)
    assert udh.ports(elements) == udh.Ports(destination=5505, source=5505)
    assert udh.concatenation(elements) == Concatenation(7, 2, 2)


def test_a_series_has_reference_0_and_8_bits_unless_told_otherwise() -> None:
    assert [segment.udh.hex() for segment in split("a" * 161)] == ["050003000201", "050003000202"]
    assert split_data(bytes(141))[1].udh.hex() == "050003000202"


def test_a_segment_that_the_customer_cut_himself_keeps_its_place() -> None:
    header = bytes.fromhex("0500032a0302")

    (segment,) = split("hello", udh=header)
    assert (segment.udh, segment.concatenation) == (header, Concatenation(0x2A, 3, 2))


def test_t6_a_surrogate_pair_is_never_cut() -> None:
    assert cuts(SMILE * 35) == [35]
    assert cuts(SMILE * 36) == [33, 3]
    assert cuts(SMILE * 67) == [33, 33, 1]
    assert cuts("x" * 66 + SMILE + "y" * 10) == [66, 11]


@pytest.mark.parametrize("pair", ["\U0001f000", "\U000203ff"])
def test_t6_the_outermost_surrogates_are_known(pair: str) -> None:
    assert cuts("x" * 66 + pair + "y" * 10) == [66, 11]


@pytest.mark.parametrize("neighbour", ["\ud7a3", "\ue000"])
def test_t6_the_neighbours_of_surrogates_are_characters_like_others(neighbour: str) -> None:
    assert cuts(neighbour * 135) == [67, 67, 1]


@pytest.mark.parametrize(
    ("cluster", "size"),
    [
        (FAMILY, 11),
        ("e\u0301", 2),  # Letter and accent.
        ("👍\U0001f3fd", 4),  # Thumb and skin tone.
        ("❤\ufe0f", 2),  # Heart in colour.
        ("🇭🇺", 4),  # Flag.
        ("क्ष", 3),  # Conjunct.
        ("ที่", 3),  # Consonant, vowel, tone.
        ("\u1112\u1161\u11ab", 3),  # Syllable of jamo.
    ],
)
def test_t7_a_cluster_stays_whole_where_that_costs_nothing(cluster: str, size: int) -> None:
    assert len(cluster.encode("utf-16-be")) == 2 * size
    message = "x" * 66 + cluster + "y" * 30

    assert [segment.text for segment in split(message)] == ["x" * 66, cluster + "y" * 30]


def test_t7_flags_are_cut_between_countries() -> None:
    assert [segment.text for segment in split("ő" + "🇭🇺🇷🇴" * 10)] == ["ő" + "🇭🇺🇷🇴" * 8, "🇭🇺🇷🇴" * 2]


def test_t7_a_cluster_is_cut_where_keeping_it_whole_would_cost_a_segment() -> None:
    message = "x" * 61 + FAMILY + "y" * 62

    assert len(message.encode("utf-16-be")) == 2 * 134
    assert [len(segment.user_data) for segment in split(message)] == [134, 134]


def test_t7_room_is_spent_where_it_is_needed() -> None:
    """One unit is free in three segments; the second cut takes it, for the first stands well."""
    message = "ő" * 66 + "x" + "y" * 66 + "e\u0301" + "z" * 65

    assert len(message) == 3 * 67 - 1
    assert cuts(message) == [67, 66, 67]


def test_t7_a_cluster_longer_than_a_segment_is_cut_somewhere() -> None:
    message = "e" + "\u0301" * 100

    assert cuts(message) == [67, 34]


def test_t7_carriage_return_and_line_feed_stay_together() -> None:
    assert cuts("a" * 152 + "\r\n" + "b" * 10) == [152, 12]


def test_t8_the_small_c_cedilla_needs_ucs2_and_the_large_one_does_not() -> None:
    assert plan("ç" * 70) == Plan(Alphabet.UCS2, 1, 70, 70, 0, forced_by=(0, "ç"))
    assert plan("ç" * 71) == Plan(Alphabet.UCS2, 2, 71, 67, 63, forced_by=(0, "ç"))
    assert plan("Ç" * 160) == Plan(Alphabet.GSM7, 1, 160, 160, 0)


@pytest.mark.parametrize("character", ["\u2019", "\u201c", "\u00a0", "\u2026", "\u2013"])
def test_t8_typography_forces_ucs2_and_is_named(character: str) -> None:
    assert plan(f"It{character}s").forced_by == (2, character)


def test_t9_a_text_of_only_at_signs_is_split_and_not_trimmed() -> None:
    assert [segment.user_data for segment in split("@" * 161)] == [bytes(153), bytes(8)]


def test_t10_latin_1_is_octets() -> None:
    assert plan("ç" * 140, alphabet=Alphabet.LATIN1) == Plan(Alphabet.LATIN1, 1, 140, 140, 0)
    assert [segment.user_data for segment in split("ç" * 141, alphabet=Alphabet.LATIN1)] == [b"\xe7" * 134, b"\xe7" * 7]


def test_t11_ucs2_is_big_endian_without_a_mark() -> None:
    (segment,) = split("ő", alphabet=Alphabet.UCS2)

    assert segment.user_data == b"\x01\x51"


def test_ucs2_is_not_forced_where_it_was_asked_for() -> None:
    assert plan("abc", alphabet=Alphabet.UCS2) == Plan(Alphabet.UCS2, 1, 3, 70, 67)


def test_half_a_surrogate_pair_never_reaches_the_network() -> None:
    (segment,) = split("a\ud83d b\ude00")

    assert segment.text == "a\ufffd b\ufffd"
    assert text.decode(segment.user_data, Alphabet.UCS2) == segment.text
    assert plan("a\ud83d b\ude00").length == 5


def test_an_empty_text_takes_one_segment() -> None:
    assert plan("") == Plan(Alphabet.GSM7, 1, 0, 160, 160)
    assert split("") == (segments.Segment(0, "", b"", b"", None, Alphabet.GSM7),)


def test_a_plan_counts_septets_and_what_is_left() -> None:
    assert plan("a€") == Plan(Alphabet.GSM7, 1, 3, 160, 157)
    assert plan("a" * 161) == Plan(Alphabet.GSM7, 2, 161, 153, 145)


@pytest.mark.parametrize(
    ("size", "bits", "sizes"),
    [(0, 8, [0]), (140, 8, [140]), (141, 8, [134, 7]), (268, 8, [134, 134]), (269, 8, [134, 134, 1]), (268, 16, [133, 133, 2])],
)
def test_binary_data_is_split_by_octets(size: int, bits: int, sizes: list[int]) -> None:
    parted = split_data(bytes(size), reference_bits=bits)

    assert [len(segment.user_data) for segment in parted] == sizes
    assert {(segment.text, segment.alphabet) for segment in parted} == {("", Alphabet.BINARY)}


def test_binary_data_keeps_its_header() -> None:
    first, second = split_data(bytes(range(200)), udh=PORTS, reference=1)

    assert first.udh.hex() == "0b000301020105041581" + "1581"
    assert first.user_data + second.user_data == bytes(range(200))
    assert len(first.udh) + len(first.user_data) == 140


def test_two_octets_behind_a_long_header_are_room_enough() -> None:
    header = udh.build([udh.Element(0x70, bytes(130))])

    assert [len(segment.user_data) for segment in split_data(bytes(8), udh=header)] == [2, 2, 2, 2]


def test_binary_data_beyond_the_limit_is_refused() -> None:
    with pytest.raises(TooLong, match="takes 2 segments; at most 1"):
        split_data(bytes(141), max_segments=1)


def test_packed_segments_fill_the_air_interface() -> None:
    first = split("a" * 200)[0]

    assert len(first.udh + gsm0338.pack(first.user_data, fill_bits=udh.fill_bits(first.udh))) == 140

"""Counts and cuts proved over made-up texts, and against a package that knows nothing of ours."""

from types import ModuleType
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pennywire.sms import clusters, gsm0338, text, udh
from pennywire.sms.segments import TooLong, plan, split, split_data
from pennywire.values import Alphabet, Concatenation

PLAIN = "abcxyz ABC 0123 @£Ω\n\r"
EXTENDED = "^{}\\[~]|€\f"
WIDE = "őçЖ中"
CLUSTERS = ["👨\u200d👩\u200d👧", "e\u0301", "👍\U0001f3fd", "🇭🇺", "क्ष", "\r\n", "n\u0303\u0323"]

#: Runs of one kind, so that texts become long enough to be cut at all sorts of places.
run = st.one_of(
    st.builds(lambda characters, times: characters * times, st.text(PLAIN, min_size=1, max_size=8), st.integers(1, 40)),
    st.builds(lambda character, times: character * times, st.sampled_from(EXTENDED), st.integers(1, 90)),
)
gsm_messages = st.lists(run, max_size=6).map("".join)
wide_run = st.one_of(
    run, st.builds(lambda character, times: character * times, st.sampled_from([*WIDE, "😀", "🎉", *CLUSTERS]), st.integers(1, 40))
)
messages = st.one_of(gsm_messages, st.lists(wide_run, max_size=6).map("".join))
#: Texts whose every character is a cluster of its own, so that nobody has a reason to cut elsewhere.
plain_messages = messages.map(lambda message: "".join(character for character in message if character in PLAIN + EXTENDED + WIDE + "😀🎉"))
headers = st.sampled_from([b"", bytes.fromhex("06050415811581"), bytes.fromhex("03240101"), bytes.fromhex("0c05040b8423f0240101250101")])
bits = st.sampled_from([8, 16])


def join(message: str, **options: Any) -> str:
    return "".join(segment.text for segment in split(message, **options))


@pytest.mark.peers
@given(message=messages.filter(bool))
@example("€" * 153)
@example("a" * 152 + "€" + "b" * 10)
@example("😀" * 67)
@example("x" * 60 + "👨\u200d👩\u200d👧" * 9)
def test_t18_others_count_as_many_segments(smsutil: ModuleType, message: str) -> None:
    theirs = smsutil.split(message)

    assert plan(message).segment_count == len(theirs.parts)
    assert len(split(message)) == len(theirs.parts)
    assert (plan(message).alphabet is Alphabet.GSM7) == (theirs.encoding == "gsm0338")


@pytest.mark.peers
@given(message=plain_messages.filter(bool))
@example("€" * 153)
@example("a" * 152 + "€" + "b" * 10)
@example("x" * 66 + "😀" + "y" * 10)
def test_others_cut_at_the_same_places(smsutil: ModuleType, message: str) -> None:
    assume("\r\n" not in message)

    assert [segment.text for segment in split(message)] == [piece.content for piece in smsutil.split(message).parts]


@pytest.mark.peers
@given(message=messages.filter(bool))
def test_others_count_the_same_length(smsutil: ModuleType, message: str) -> None:
    theirs = smsutil.split(message)

    counted = plan(message)
    assert counted.length == theirs.total_bytes // (1 if counted.alphabet is Alphabet.GSM7 else 2)


@given(message=messages, header=headers, bits=bits)
def test_t18_the_plan_and_the_wire_agree(message: str, header: bytes, bits: int) -> None:
    counted = plan(message, udh=header, reference_bits=bits)
    wire = split(message, udh=header, reference_bits=bits)

    unit = 1 if counted.alphabet is Alphabet.GSM7 else 2
    assert counted.segment_count == len(wire)
    assert counted.length == sum(len(segment.user_data) for segment in wire) // unit
    assert counted.remaining == counted.per_segment - len(wire[-1].user_data) // unit
    assert {segment.alphabet for segment in wire} == {counted.alphabet}


@given(message=messages, header=headers, bits=bits)
def test_joining_undoes_splitting(message: str, header: bytes, bits: int) -> None:
    wire = split(message, udh=header, reference_bits=bits)

    assert join(message, udh=header, reference_bits=bits) == message
    assert text.decode(b"".join(segment.user_data for segment in wire), wire[0].alphabet) == message


@given(message=messages, header=headers, bits=bits)
def test_every_segment_fits_the_air_interface(message: str, header: bytes, bits: int) -> None:
    for segment in split(message, udh=header, reference_bits=bits):
        gsm = segment.alphabet is Alphabet.GSM7
        payload = gsm0338.pack(segment.user_data, fill_bits=udh.fill_bits(segment.udh)) if gsm else segment.user_data

        assert len(segment.udh) + len(payload) <= 140


@given(message=messages, header=headers, bits=bits)
def test_no_segment_could_be_saved(message: str, header: bytes, bits: int) -> None:
    """A pair that does not fit leaves one unit free in a segment; nothing else may cost a segment."""
    counted = plan(message, udh=header, reference_bits=bits)

    assert max(1, -(-counted.length // counted.per_segment)) <= counted.segment_count
    assert counted.segment_count <= max(1, -(-counted.length // (counted.per_segment - 1)))


@given(message=messages)
def test_t2_t6_no_pair_is_ever_cut(message: str) -> None:
    for segment in split(message):
        if segment.alphabet is Alphabet.GSM7:
            assert not segment.user_data.endswith(b"\x1b")
        else:
            segment.user_data.decode("utf-16-be")  # Strict: raises on half a pair.


@given(message=messages, reference=st.integers(0, 255))
def test_a_series_is_numbered_from_one(message: str, reference: int) -> None:
    wire = split(message, reference=reference)

    places = [udh.concatenation(udh.parse(segment.udh)) for segment in wire]
    series = [Concatenation(reference, len(wire), index + 1) for index in range(len(wire))]
    assert places == (series if len(wire) > 1 else [None])
    assert [segment.concatenation for segment in wire] == places
    assert [segment.index for segment in wire] == list(range(len(wire)))


@given(message=messages, limit=st.integers(1, 4))
def test_t14_the_limit_holds_for_plan_and_split_alike(message: str, limit: int) -> None:
    count = plan(message).segment_count
    assume(count > limit)

    for refused in (plan, split):
        with pytest.raises(TooLong) as refusal:
            refused(message, max_segments=limit)
        assert (refusal.value.segment_count <= count, refusal.value.max_segments) == (True, limit)


@given(data=st.binary(max_size=700), header=headers, bits=bits)
def test_binary_data_comes_back_whole(data: bytes, header: bytes, bits: int) -> None:
    wire = split_data(data, udh=header, reference_bits=bits)

    assert b"".join(segment.user_data for segment in wire) == data
    assert all(len(segment.udh) + len(segment.user_data) <= 140 for segment in wire)


@given(message=st.text(st.characters(exclude_categories=[]), max_size=200))
def test_any_text_can_be_split_even_with_half_pairs(message: str) -> None:
    well_formed = message.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")

    assert join(message) == well_formed


def _least(rest: str, capacity: int) -> int:
    """Count the segments of a series that a text needs at least, character by character."""
    count, used = 1, 0
    for character in rest:
        size = len(character.encode("utf-16-be")) // 2
        count, used = (count + 1, size) if used + size > capacity else (count, used + size)
    return count


@given(message=st.lists(st.sampled_from([*CLUSTERS, "ő", "xyz" * 9, "😀"]), min_size=30, max_size=120).map("".join))
def test_t7_a_cluster_is_cut_only_where_sparing_it_would_cost_a_segment(message: str) -> None:
    wire = split(message, alphabet=Alphabet.UCS2)

    for index, segment in enumerate(wire[:-1]):
        rest = "".join(later.text for later in wire[index + 1 :])
        start = len(segment.text)
        while start and clusters.continues(segment.text + rest, start):
            start -= 1
        if 0 < start < len(segment.text):
            assert _least(segment.text[start:] + rest, 67) > len(wire) - index - 1

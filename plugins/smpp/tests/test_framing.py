"""Frames out of a stream, whatever its chunks."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pennywire_smpp.bodies import MessageResp, ShortMessage
from pennywire_smpp.fields import CodecError
from pennywire_smpp.framing import MAX_FRAME_OCTETS, FrameReader, FramingError
from pennywire_smpp.pdu import Command, decode, encode

FRAMES = [
    encode(Command.ENQUIRE_LINK, 1),
    encode(Command.SUBMIT_SM, 2, ShortMessage(source_addr="Pennywire", destination_addr="36301234567", short_message=b"x" * 120)),
    encode(Command.SUBMIT_SM_RESP, 3, MessageResp("5f878c79"), tlvs=[(0x1403, b"\0")]),
    encode(Command.SUBMIT_SM, 4, ShortMessage(), tlvs=[(0x0424, b"y" * 3000)]),
]
STREAM = b"".join(FRAMES)


def test_one_octet_at_a_time() -> None:
    reader = FrameReader()

    found = [frame for octet in STREAM for frame in reader.feed(bytes((octet,)))]

    assert found == FRAMES
    assert reader.pending_octets == 0


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_any_chunking_gives_the_same_frames(cuts: list[int]) -> None:
    reader = FrameReader()
    bounds = [0, *sorted(cuts), len(STREAM)]

    found = [frame for start, stop in pairwise(bounds) for frame in reader.feed(STREAM[start:stop])]

    assert found == FRAMES


def test_an_unfinished_frame_waits() -> None:
    reader = FrameReader()

    assert list(reader.feed(STREAM + FRAMES[1][:40])) == FRAMES
    assert reader.pending_octets == 40
    assert list(reader.feed(FRAMES[1][40:])) == [FRAMES[1]]


@pytest.mark.parametrize("length", [0, 2, 15, MAX_FRAME_OCTETS + 1, int.from_bytes(b"HTTP", "big"), 0xFFFFFFFF])
def test_s10_an_impossible_length_is_refused_before_anything_is_buffered(length: int) -> None:
    reader = FrameReader()
    frames = reader.feed(FRAMES[0] + length.to_bytes(4, "big"))

    assert next(frames) == FRAMES[0]
    with pytest.raises(FramingError):
        next(frames)
    assert reader.pending_octets == 0


def test_the_largest_frame_passes() -> None:
    frame = MAX_FRAME_OCTETS.to_bytes(4, "big") + b"\x01" * (MAX_FRAME_OCTETS - 4)
    reader = FrameReader()

    assert list(reader.feed(frame[:9])) == []
    assert list(reader.feed(frame[9:])) == [frame]


@given(st.sampled_from(FRAMES), st.data())
def test_s10_a_mutated_frame_raises_declared_errors_only(frame: bytes, data: st.DataObject) -> None:
    """Neither a crash nor more memory than the octets that came."""
    octets = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    del octets[data.draw(st.integers(16, len(octets))) :]
    reader = FrameReader()

    with suppress(CodecError):
        for found in reader.feed(bytes(octets)):
            pdu = decode(found)
            assert len(found) <= len(octets)
            assert sum(len(value) for _, value in pdu.tlvs) <= len(found)
    assert reader.pending_octets <= len(octets)

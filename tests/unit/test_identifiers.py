"""Message ids: rising, unique, and the same inside and outside."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.identifiers import COUNTER_BITS, EPOCH_MS, IdMaker, InvalidId, id_floor, internal_id, public_id

LARGEST = 2**63 - 1
NOW_MS = 1_772_366_400_000
"""2026-03-01T12:00:00Z."""


class SteppingClock:
    """A clock whose readings the test lists; the last one stays."""

    def __init__(self, *milliseconds: int) -> None:
        self._readings = list(milliseconds)

    def __call__(self) -> int:
        reading = self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]
        return reading * 1_000_000


def test_ids_rise_within_a_millisecond_and_over_many() -> None:
    maker = IdMaker(SteppingClock(NOW_MS, NOW_MS, NOW_MS + 1, NOW_MS + 5))

    ids = maker.take(3) + maker.take(1) + maker.take(2) + maker.take(4)

    assert all(first < second for first, second in pairwise(ids))
    assert {number >> COUNTER_BITS for number in ids} == {NOW_MS - EPOCH_MS + offset for offset in (0, 1, 5)}


def test_clock_that_steps_back_does_not_take_ids_back() -> None:
    maker = IdMaker(SteppingClock(NOW_MS, NOW_MS - 3_600_000, NOW_MS - 1))

    ids = maker.take(1) + maker.take(1) + maker.take(1)

    assert ids == sorted(set(ids))


def test_clock_before_the_epoch_still_gives_rising_ids() -> None:
    maker = IdMaker(SteppingClock(0))

    ids = maker.take(2) + maker.take(2)

    assert ids == sorted(set(ids))
    assert ids[0] > 0


def test_more_ids_than_a_millisecond_holds_go_on_in_the_next() -> None:
    count = 2**COUNTER_BITS + 10

    ids = IdMaker(SteppingClock(NOW_MS)).take(count)

    assert len(ids) == count
    assert all(first < second for first, second in pairwise(ids))
    assert ids[-1] >> COUNTER_BITS > ids[0] >> COUNTER_BITS


def test_no_ids_are_no_ids() -> None:
    assert IdMaker().take(0) == []


def test_threads_never_get_the_same_id() -> None:
    maker = IdMaker()
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: maker.take(50), range(400)))

    ids = [number for batch in taken for number in batch]
    assert len(set(ids)) == 20_000
    assert all(batch == sorted(batch) for batch in taken)


def test_two_makers_begin_at_different_places() -> None:
    """Two processes share a millisecond all the time; they must not share its first ids."""
    starts = {IdMaker(SteppingClock(NOW_MS)).take(1)[0] for _ in range(50)}

    assert len(starts) > 45


@given(st.integers(0, LARGEST))
def test_public_id_leads_back_to_the_number(number: int) -> None:
    shown = public_id(number)

    assert len(shown) == 13
    assert internal_id(shown) == internal_id(shown.lower()) == number


@given(st.integers(0, LARGEST - 1))
def test_public_ids_are_in_the_order_of_the_numbers(number: int) -> None:
    assert public_id(number) < public_id(number + 1)


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0000000000000"), (1, "0000000000001"), (32, "0000000000010"), (LARGEST, "7ZZZZZZZZZZZZ")]
)
def test_edges_of_public_ids(number: int, shown: str) -> None:
    assert public_id(number) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "00000000000000",
        "000000000000I",
        "000000000000L",
        "000000000000O",
        "000000000000U",
        "8000000000000",
        "ZZZZZZZZZZZZZ",
        "000000000000-",
        "000000 000000",
        "000000000000ſ",
        "０000000000000",
        "ß00000000000",
    ],
)
def test_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidId):
        internal_id(text)


def test_floor_of_a_time_is_below_its_ids_and_above_those_before() -> None:
    earlier, later = IdMaker(SteppingClock(NOW_MS - 1)).take(1)[0], IdMaker(SteppingClock(NOW_MS)).take(1)[0]

    assert earlier < id_floor(NOW_MS) <= later
    assert id_floor(0) == 0

"""Packed prices: what is read is what was packed, and what is damaged is refused."""

import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pennywire_tariff.packed import Prefixes, Span

NOW = datetime(2026, 4, 1, tzinfo=UTC)

prefixes = st.text("0123456789", min_size=1, max_size=15)
amounts = st.integers(-(2**53), 2**53)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(prefixes, amounts, max_size=30), st.lists(prefixes, min_size=1, max_size=20))
def test_what_is_read_is_what_was_packed(entries: dict[str, int], numbers: list[str]) -> None:
    made = Prefixes(Span(prefix, entries[prefix], None, None) for prefix in sorted(entries))

    read = Prefixes.of_octets(made.to_octets(), len(made))

    assert len(read) == len(entries)
    assert [read.find(number, NOW) for number in numbers] == [made.find(number, NOW) for number in numbers]


def test_a_number_that_is_shorter_than_a_prefix_does_not_have_it() -> None:
    prices = Prefixes([Span("36", 1, None, None), Span("3600", 2, None, None)])

    assert [prices.find(number, NOW) for number in ("3", "36", "360", "3600", "3600" + "0" * 20)] == [None, (2, 1), (2, 1), (4, 2), (4, 2)]


@pytest.mark.parametrize("octets", [b"", zlib.compress(b"x" * 35), zlib.compress(b"x" * 40)])
def test_damaged_octets_are_refused(octets: bytes) -> None:
    with pytest.raises((ValueError, zlib.error)):
        Prefixes.of_octets(octets, 1)

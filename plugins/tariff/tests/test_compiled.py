"""Looking up prices: the quick way against a plain one, dates, networks, timelines."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pennywire_tariff.compiled import Compiled, EntryRow, Found, Networks, Timeline

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
NOBODY = Networks()


def us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def price(
    prefix: str, price_uc: int, since: datetime | None = None, until: datetime | None = None, *, mcc: str = "", mnc: str = ""
) -> EntryRow:
    return EntryRow(prefix, mcc, mnc, price_uc, us(since) if since else None, us(until) if until else None)


digits = st.text("0123456789", min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(digits, st.tuples(st.integers(0, 10**9), st.sampled_from(["always", "past", "now", "to come"])), max_size=40),
    st.one_of(st.none(), st.integers(0, 10**9)),
    st.lists(st.text("0123456789", min_size=1, max_size=15), min_size=1, max_size=20),
)
def test_the_longest_prefix_that_holds_decides(entries: dict[str, tuple[int, str]], default: int | None, numbers: list[str]) -> None:
    """The model looks at every prefix, from the longest to the shortest, and knows no dictionary."""
    spans: dict[str, tuple[datetime | None, datetime | None]] = {
        "always": (None, None),
        "past": (None, NOW),
        "now": (NOW, NOW + timedelta(seconds=1)),
        "to come": (NOW + timedelta(seconds=1), None),
    }
    rows = [price(prefix, amount, *spans[when]) for prefix, (amount, when) in entries.items()]
    rows += [] if default is None else [price("", default)]
    compiled = Compiled.of_rows("list", rows)

    for number in numbers:
        held = [prefix for prefix, (_amount, when) in entries.items() if when in ("always", "now") and number.startswith(prefix)]
        longest = max(held, key=len, default=None)
        found = compiled.find("+" + number, NOW, NOBODY)

        if longest is not None:
            assert found == Found(f"prefix {longest}", entries[longest][0])
        else:
            assert found == (None if default is None else Found("default", default))


def test_a_price_begins_and_ends_exactly() -> None:
    moment = timedelta(microseconds=1)
    compiled = Compiled.of_rows("list", [price("36", 1, None, NOW), price("36", 2, NOW, NOW + timedelta(days=1))])

    found = [compiled.find("+3620", at, NOBODY) for at in (NOW - moment, NOW, NOW + timedelta(days=1) - moment, NOW + timedelta(days=1))]

    assert [item.price_uc if item else None for item in found] == [1, 2, 2, None]


def test_a_price_that_ended_leaves_it_to_the_shorter_prefix() -> None:
    compiled = Compiled.of_rows("list", [price("3620", 1, None, NOW), price("36", 2)])

    assert compiled.find("+36201", NOW, NOBODY) == Found("prefix 36", 2)


@pytest.mark.parametrize(
    ("number", "found"),
    [
        ("+36201", Found("prefix 3620", 5)),
        ("+36301", Found("network 216-30", 3)),
        ("+36701", Found("network 216", 4)),
        ("+4917", Found("default", 9)),
        ("SHOP", Found("default", 9)),
        ("", Found("default", 9)),
        ("+١٢٣", Found("default", 9)),
    ],
)
def test_prefix_then_network_then_country_then_default(number: str, found: Found) -> None:
    rows = [price("3620", 5), price("", 3, mcc="216", mnc="30"), price("", 4, mcc="216"), price("", 9)]
    networks = Networks([("3620", "216", "20"), ("3630", "216", "30"), ("36", "216", "")])

    assert Compiled.of_rows("list", rows).find(number, NOW, networks) == found


def test_a_free_price_is_a_price() -> None:
    assert Compiled.of_rows("list", [price("36", 0)]).find("+3620", NOW, NOBODY) == Found("prefix 36", 0)


def test_a_version_takes_effect_by_itself_at_its_moment() -> None:
    old, new = Compiled.of_rows("old", []), Compiled.of_rows("new", [])
    line = Timeline("list", (NOW - timedelta(days=1), NOW), (old, new))

    assert line.at(NOW - timedelta(days=2)) is None
    assert line.at(NOW - timedelta(microseconds=1)) is old
    assert line.at(NOW) is new

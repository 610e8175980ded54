"""Intervals of whole days by an account's clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app import intervals
from app.intervals import PRESETS, Interval, InvalidInterval

BUDAPEST = ZoneInfo("Europe/Budapest")
NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
"""Half past midnight of Monday, the 23rd, in Budapest."""


@pytest.mark.parametrize(
    ("preset", "start", "end"),
    [
        ("today", "2026-11-23", "2026-11-23"),
        ("yesterday", "2026-11-22", "2026-11-22"),
        ("this_week", "2026-11-23", "2026-11-23"),
        ("last_week", "2026-11-16", "2026-11-22"),
        ("this_month", "2026-11-01", "2026-11-23"),
        ("last_month", "2026-10-01", "2026-10-31"),
    ],
)
def test_presets_go_by_the_accounts_clock(preset: str, start: str, end: str) -> None:
    found = intervals.of_preset(preset, NOW, BUDAPEST)

    assert (str(found.start), str(found.end)) == (start, end)


def test_every_preset_is_an_interval_on_any_day() -> None:
    days = [datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=number) for number in range(800)]

    found = [intervals.of_preset(preset, day, BUDAPEST, week_start=6) for preset in PRESETS for day in days]

    assert all(one.start <= one.end and one.since < one.until for one in found)


def test_a_week_may_begin_on_another_day() -> None:
    found = intervals.of_preset("this_week", NOW, BUDAPEST, week_start=6)

    assert (found.start, found.end) == (date(2026, 11, 22), date(2026, 11, 23))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-23", 24)])
def test_a_day_has_as_many_hours_as_its_clock_shows(day: str, hours: int) -> None:
    found = intervals.of_texts(day, day, BUDAPEST)

    assert found.unit == "hour"
    assert len(found.boundaries()) == hours + 1
    assert len(found.labels()) == hours
    assert found.labels()[0] == f"{day} 00:00"
    assert found.labels()[-1] == f"{day} 23:00"


def test_days_stay_days_where_clocks_change() -> None:
    found = intervals.of_texts("2026-10-20", "2026-10-31", BUDAPEST)

    lengths = [later - earlier for earlier, later in zip(found.boundaries(), found.boundaries()[1:], strict=False)]

    assert found.unit == "day"
    assert [length for length in lengths if length != timedelta(days=1)] == [timedelta(hours=25)]
    assert found.labels()[5] == "2026-10-25"


def test_a_long_interval_is_cut_into_months() -> None:
    found = intervals.of_texts("2025-12-15", "2026-11-23", BUDAPEST)

    assert found.unit == "month"
    assert found.labels()[:2] == ["2025-12", "2026-01"]
    assert found.boundaries()[0] == found.since
    assert found.boundaries()[-1] == found.until
    assert len(found.boundaries()) == len(found.labels()) + 1 == 13


def test_a_day_whose_midnight_is_skipped_begins_when_clocks_do() -> None:
    havana = ZoneInfo("America/Havana")

    assert intervals.midnight(date(2026, 3, 8), havana) == datetime(2026, 3, 8, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "field", "said"),
    [
        ("", "2026-01-01", "start", "is not a day"),
        ("2026-13-01", "2026-01-01", "start", "is not a day"),
        ("2026-01-02", "2026-01-01", "end", "is before the first"),
        ("0001-01-01", "2026-01-01", "start", "cannot be meant"),
        ("2026-01-01", "9999-12-31", "end", "cannot be meant"),
        ("2001-01-01", "2026-01-01", "end", "at most ten years"),
        ("２０２６-01-01", "2026-01-01", "start", "is not a day"),
        ("2026-01-01'; --", "2026-01-01", "start", "is not a day"),
    ],
)
def test_days_that_cannot_be_meant_are_refused_by_name(start: str, end: str, field: str, said: str) -> None:
    with pytest.raises(InvalidInterval, match=said) as caught:
        intervals.of_texts(start, end, BUDAPEST)

    assert caught.value.field == field


def test_an_unknown_time_zone_is_passed_over() -> None:
    assert intervals.zone_of("Europe/Atlantis", {"time_zone": "Europe/Budapest"}) == BUDAPEST
    assert intervals.zone_of("", {"time_zone": "../etc/passwd"}).key == "UTC"
    assert intervals.zone_of("", {}).key == "UTC"


def test_an_interval_knows_its_days() -> None:
    assert Interval(date(2026, 2, 1), date(2026, 3, 1), BUDAPEST).day_count == 29

"""Calendar periods: each moment lies in one, they follow one another without a gap, and clocks that change do not confuse them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.periods import BEGINNING, Period, UnknownZone, window, zone

#: Zones with odd offsets, with clocks that skip midnight or repeat it, and with a day that never was.
ZONES = [
    *("UTC", "Europe/Budapest", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Beirut"),
    *("America/Asuncion", "Atlantic/Azores", "America/Havana", "Africa/Cairo", "Asia/Tehran", "Pacific/Apia", "Pacific/Chatham"),
]
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # the strategy adds the zone


def _at(text: str, name: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(name)).astimezone(UTC)


@given(MOMENTS, st.sampled_from(ZONES), st.sampled_from([period for period in Period if period is not Period.ALL_TIME]), st.integers(0, 6))
def test_each_moment_lies_in_a_period_that_ends_where_the_next_begins(now: datetime, name: str, period: Period, week_start: int) -> None:
    present = window(period, now, time_zone=name, week_start=week_start)

    assert present.ends_at is not None
    assert present.started_at <= now < present.ends_at
    assert window(period, present.started_at, time_zone=name, week_start=week_start) == present
    assert window(period, present.ends_at - timedelta(microseconds=1), time_zone=name, week_start=week_start) == present
    assert window(period, present.ends_at, time_zone=name, week_start=week_start).started_at == present.ends_at


@pytest.mark.parametrize(
    ("period", "now", "name", "week_start", "started", "ends"),
    [
        (Period.DAY, "2026-03-01 12:00", "UTC", 0, "2026-03-01", "2026-03-02"),
        (Period.DAY, "2026-03-29 12:00", "Europe/Budapest", 0, "2026-03-29", "2026-03-30"),
        (Period.DAY, "2026-10-25 23:59", "Europe/Budapest", 0, "2026-10-25", "2026-10-26"),
        (Period.WEEK, "2026-03-01 12:00", "UTC", 0, "2026-02-23", "2026-03-02"),
        (Period.WEEK, "2026-03-01 12:00", "UTC", 6, "2026-03-01", "2026-03-08"),
        (Period.WEEK, "2026-01-01 00:00", "Asia/Kathmandu", 3, "2026-01-01", "2026-01-08"),
        (Period.MONTH, "2028-02-29 23:59", "UTC", 0, "2028-02-01", "2028-03-01"),
        (Period.MONTH, "2026-01-31 12:00", "America/New_York", 0, "2026-01-01", "2026-02-01"),
        (Period.MONTH, "2026-12-31 23:59", "Pacific/Apia", 0, "2026-12-01", "2027-01-01"),
        (Period.YEAR, "2028-02-29 12:00", "UTC", 0, "2028-01-01", "2029-01-01"),
    ],
)
def test_periods_follow_the_calendar_of_their_zone(period: Period, now: str, name: str, week_start: int, started: str, ends: str) -> None:
    present = window(period, _at(now, name), time_zone=name, week_start=week_start)

    assert (present.started_at, present.ends_at) == (_at(started, name), _at(ends, name))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_has_the_hours_that_its_clocks_show(day: str, hours: int) -> None:
    present = window(Period.DAY, _at(f"{day} 12:00", "Europe/Budapest"), time_zone="Europe/Budapest", week_start=0)

    assert present.ends_at is not None
    assert present.ends_at - present.started_at == timedelta(hours=hours)


def test_a_day_whose_midnight_is_skipped_begins_when_the_clocks_are_changed() -> None:
    """On 27 March 2022 the clocks of Beirut went from 24:00 of the day before straight to 01:00."""
    present = window(Period.DAY, _at("2022-03-27 12:00", "Asia/Beirut"), time_zone="Asia/Beirut", week_start=0)

    assert present.started_at == datetime(2022, 3, 26, 22, tzinfo=UTC)
    assert present.ends_at == datetime(2022, 3, 27, 21, tzinfo=UTC)


def test_all_time_has_no_end_and_asks_for_no_zone() -> None:
    present = window(Period.ALL_TIME, datetime(2026, 3, 1, tzinfo=UTC), time_zone="nowhere", week_start=0)

    assert (present.started_at, present.ends_at) == (BEGINNING, None)


@pytest.mark.parametrize("name", ["", "Nowhere/City", "../../etc/passwd", "/etc/passwd", "Europe", "UTC\x00", "x" * 300])
def test_what_is_not_a_time_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownZone, match="There is no time zone"):
        zone(name)

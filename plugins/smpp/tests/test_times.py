"""Times on the wire, both ways (traps V1 to V3)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pennywire_smpp.times import InvalidTime, format_absolute, format_relative, read_time

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "text"),
    [
        (timedelta(days=7), "000007000000000R"),
        (timedelta(hours=1, minutes=2, seconds=3), "000000010203000R"),
        (timedelta(days=1, seconds=-1), "000000235959000R"),
        (timedelta(milliseconds=1), "000000000001000R"),
        (timedelta(seconds=59, milliseconds=1), "000000000100000R"),
        (timedelta(0), "000000000001000R"),
        (timedelta(days=31), "000031000000000R"),
        (timedelta(days=400), "000031000000000R"),
    ],
)
def test_v2_relative_times_use_days_at_most(period: timedelta, text: str) -> None:
    assert format_relative(period) == text
    assert len(text) == 16


@pytest.mark.parametrize(
    ("offset", "text"),
    [
        (timedelta(0), "261123120000000+"),
        (timedelta(hours=5, minutes=45), "261123174500023+"),
        (timedelta(hours=-5), "261123070000020-"),
        (timedelta(minutes=-15), "261123114500001-"),
    ],
)
def test_v1_absolute_times_carry_quarter_hours(offset: timedelta, text: str) -> None:
    assert format_absolute(NOW.astimezone(timezone(offset))) == text
    assert read_time(text, now=NOW) == NOW


def test_v1_tenths_stand_before_the_offset() -> None:
    at = datetime(2028, 2, 29, 23, 59, 59, 900_000, tzinfo=timezone(timedelta(hours=5, minutes=45)))

    assert format_absolute(at) == "280229235959923+"
    assert read_time("280229235959923+", now=NOW) == at


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("000007000000000R", timedelta(days=7)),
        ("020610233429000R", timedelta(days=2 * 365 + 6 * 30 + 10, hours=23, minutes=34, seconds=29)),
        ("000000000000000R", timedelta(0)),
    ],
)
def test_relative_times_count_from_now(text: str, period: timedelta) -> None:
    assert read_time(text, now=NOW) == NOW + period


def test_a_time_without_offset_is_local_to_its_zone() -> None:
    zone = timezone(timedelta(hours=2))

    assert read_time("261123140000", now=NOW, zone=zone) == NOW


def test_an_empty_time_is_none() -> None:
    assert read_time("", now=NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "26112312000000+",
        "2611231200000+00",
        "261323120000000+",
        "270229120000000+",
        "26112312000000 +",
        "26112312000009٣+",
        "261123120000099+",
    ],
)
def test_v3_anything_else_is_refused(text: str) -> None:
    """Pages of vendors show fifteen characters or hhmm offsets; the specification does not."""
    with pytest.raises(InvalidTime):
        read_time(text, now=NOW)


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001  # The zone is drawn apart.
    st.integers(-48, 48),
)
def test_v1_what_we_write_we_read(moment: datetime, quarters: int) -> None:
    at = moment.replace(microsecond=moment.microsecond // 100_000 * 100_000, tzinfo=timezone(quarters * timedelta(minutes=15)))

    assert read_time(format_absolute(at), now=NOW) == at

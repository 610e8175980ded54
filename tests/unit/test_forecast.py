"""When an account is empty at its pace, and when nothing honest can be said."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.forecast import Outlook, Pace, forecast, in_words
from app.ledger import MICRO

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""A Monday."""

BUDAPEST = ZoneInfo("Europe/Budapest")


def pace(week: int, day: int, since: timedelta | None = timedelta(days=7)) -> Pace:
    return Pace(week * MICRO, day * MICRO, NOW - since if since is not None else None)


def words(available: int, used: Pace, *, unlimited: bool = False) -> str:
    return in_words(forecast(available * MICRO, used, unlimited=unlimited, now=NOW), NOW, BUDAPEST)


@pytest.mark.parametrize(
    ("available", "used", "outlook"),
    [
        (0, pace(70, 10), Outlook.EMPTY),
        (-5, pace(70, 10), Outlook.EMPTY),
        (10, pace(0, 0, None), Outlook.NOT_USED),
        (10, pace(-3, 0), Outlook.NOT_USED),
        (10, pace(5, 5, timedelta(hours=23)), Outlook.TOO_LITTLE),
        (10_000, pace(7, 1), Outlook.BEYOND),
        (10, pace(7, 1), Outlook.KNOWN),
    ],
)
def test_a_forecast_says_only_what_is_known(available: int, used: Pace, outlook: Outlook) -> None:
    assert forecast(available * MICRO, used, unlimited=False, now=NOW).outlook is outlook


def test_an_unlimited_account_does_not_run_out() -> None:
    assert words(-50, pace(70, 10), unlimited=True) == "The account has no limit, so it does not run out."


def test_the_pace_is_that_of_seven_days() -> None:
    told = forecast(30 * MICRO, pace(70, 10), unlimited=False, now=NOW)

    assert (told.a_day_uc, told.empty_at, told.empty_at_days_pace) == (10 * MICRO, NOW + timedelta(days=3), None)


def test_a_pace_of_fewer_days_is_that_of_those_days() -> None:
    told = forecast(30 * MICRO, pace(20, 10, timedelta(days=2)), unlimited=False, now=NOW)

    assert told.empty_at == NOW + timedelta(days=3)


def test_another_pace_of_the_last_day_is_told_too() -> None:
    assert words(30, pace(70, 30)) == (
        "Empty on Thursday at the pace of the last 7 days, 10 credits a day. At that of the last 24 hours, on Tuesday."
    )


@pytest.mark.parametrize(
    ("available", "used", "said"),
    [
        (30, pace(70, 10), "Empty on Thursday at the pace of the last 7 days, 10 credits a day."),
        (2, pace(70, 10), "Empty today at about 17:00 at the pace of the last 7 days, 10 credits a day."),
        (100, pace(70, 10), "Empty on Thursday, 3 December 2026 at the pace of the last 7 days, 10 credits a day."),
        (10_000, pace(7, 0), "At the pace of the last 7 days, 1 credit a day, the account is not empty within a year."),
        (1, pace(0, 0, None), "Nothing was used in the last 7 days, so there is no pace to tell by."),
        (1, pace(1, 1, timedelta(hours=3)), "Too little is known for a forecast: credit has been used for less than a day."),
    ],
)
def test_a_forecast_in_words(available: int, used: Pace, said: str) -> None:
    assert words(available, used) == said


def test_the_largest_amounts_are_told_exactly() -> None:
    told = forecast(10**15, Pace(10**15, 0, NOW - timedelta(days=7)), unlimited=False, now=NOW)

    assert told.empty_at == NOW + timedelta(days=7)

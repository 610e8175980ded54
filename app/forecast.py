"""When an account is empty at its pace, said only where there is enough to tell it by."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from zoneinfo import ZoneInfo

from pennywire.money import format_credits

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
HORIZON = timedelta(days=366)
"""What lies further ahead is not told: no pace lasts so long."""

NAMED_UP_TO = timedelta(days=6)
"""How far ahead a day is told by its weekday alone."""


class Outlook(Enum):
    """What can be said."""

    UNLIMITED = auto()
    EMPTY = auto()
    NOT_USED = auto()
    TOO_LITTLE = auto()
    BEYOND = auto()
    KNOWN = auto()


@dataclass(frozen=True, slots=True)
class Pace:
    """What an account used: in the last 7 days, in the last 24 hours, and since when within the 7 days. Units: microcredits."""

    week_uc: int
    day_uc: int
    first_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the account is empty at the pace of the last week, and of the last day where that is another day. Units: microcredits."""

    outlook: Outlook
    a_day_uc: int = 0
    empty_at: datetime | None = None
    empty_at_days_pace: datetime | None = None


def forecast(available_uc: int, pace: Pace, *, unlimited: bool, now: datetime) -> Forecast:
    """Tell when `available_uc` is used up. The average needs a whole day of use, and goes back 7 days at most."""
    if unlimited:
        return Forecast(Outlook.UNLIMITED)
    if available_uc <= 0:
        return Forecast(Outlook.EMPTY)
    if pace.first_used_at is None or pace.week_uc <= 0:
        return Forecast(Outlook.NOT_USED)
    measured = min(now - pace.first_used_at, WEEK)
    if measured < DAY:
        return Forecast(Outlook.TOO_LITTLE)
    a_day_uc = pace.week_uc * 86_400 // _seconds(measured)
    empty_at = _empty_at(available_uc, pace.week_uc, measured, now)
    by_day = _empty_at(available_uc, pace.day_uc, DAY, now) if pace.day_uc > 0 else None
    if empty_at is None and by_day is None:
        return Forecast(Outlook.BEYOND, a_day_uc)
    differs = (empty_at is None) != (by_day is None) or (empty_at and by_day and abs(empty_at - by_day) > max(DAY, (empty_at - now) // 3))
    return Forecast(Outlook.KNOWN, a_day_uc, empty_at, by_day if differs else None)


def _seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)


def _empty_at(available_uc: int, used_uc: int, within: timedelta, now: datetime) -> datetime | None:
    """Return when the credit is used up if `used_uc` goes on being used `within` a length of time; None beyond the horizon."""
    seconds = available_uc * _seconds(within) // used_uc
    return now + timedelta(seconds=seconds) if seconds <= _seconds(HORIZON) else None


_SAID = {
    Outlook.UNLIMITED: "The account has no limit, so it does not run out.",
    Outlook.EMPTY: "The account is empty now.",
    Outlook.NOT_USED: "Nothing was used in the last 7 days, so there is no pace to tell by.",
    Outlook.TOO_LITTLE: "Too little is known for a forecast: credit has been used for less than a day.",
}


def in_words(told: Forecast, now: datetime, here: ZoneInfo) -> str:
    """Say a forecast in whole sentences, by the clock of `here`."""
    if told.outlook in _SAID:
        return _SAID[told.outlook]
    amount = format_credits(_rounded(told.a_day_uc))
    pace = f"{amount} {'credit' if amount == '1' else 'credits'} a day"
    first = (
        f"At the pace of the last 7 days, {pace}, the account is not empty within a year."
        if told.empty_at is None
        else f"Empty {_day(told.empty_at, now, here)} at the pace of the last 7 days, {pace}."
    )
    if told.empty_at_days_pace is None:
        return first
    return f"{first} At that of the last 24 hours, {_day(told.empty_at_days_pace, now, here)}."


def _rounded(amount_uc: int) -> int:
    """Return an average with two decimals, which is all that it says; a smaller one as it is."""
    return (amount_uc + 5_000) // 10_000 * 10_000 if amount_uc >= 10_000 else amount_uc


def _day(moment: datetime, now: datetime, here: ZoneInfo) -> str:
    there, today = moment.astimezone(here), now.astimezone(here).date()
    if there.date() == today:
        return f"today at about {there:%H}:00"
    if moment - now <= NAMED_UP_TO:
        return f"on {there:%A}"
    return f"on {there:%A}, {there.day} {there:%B %Y}"

"""Calendar periods of an account: when the present day, week, month or year began, and when the next one does.

A period begins at midnight by the clock of the account's time zone, so that a day in which clocks change has 23 or 25 hours.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""When the period of all time began."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Period(StrEnum):
    """The periods for which traffic may be limited."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ALL_TIME = "all"


class UnknownZone(ValueError):
    """There is no time zone of that name; the text says what one looks like."""


@dataclass(frozen=True, slots=True)
class Window:
    """One period: from `started_at` on, before `ends_at`, which is None for all time."""

    started_at: datetime
    ends_at: datetime | None


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name. Raises: UnknownZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(f"There is no time zone {name[:40]!r}. Write an IANA name such as Europe/Budapest or UTC.") from error


def window(period: Period, now: datetime, *, time_zone: str, week_start: int) -> Window:
    """Return the period around `now`. `week_start` is the weekday on which weeks begin, 0 is Monday. Raises: UnknownZone."""
    if period is Period.ALL_TIME:
        return Window(BEGINNING, None)
    here = zone(time_zone)
    first = _first_day(period, now.astimezone(here).date(), week_start)
    return Window(_midnight(first, here), _midnight(_next_first_day(period, first), here))


def _first_day(period: Period, today: date, week_start: int) -> date:
    match period:
        case Period.WEEK:
            return today - timedelta(days=(today.weekday() - week_start) % 7)
        case Period.MONTH:
            return today.replace(day=1)
        case Period.YEAR:
            return today.replace(month=1, day=1)
    return today


def _next_first_day(period: Period, first: date) -> date:
    match period:
        case Period.WEEK:
            return first + timedelta(days=7)
        case Period.MONTH:
            return (first + timedelta(days=31)).replace(day=1)
        case Period.YEAR:
            return first.replace(year=first.year + 1)
    return first + timedelta(days=1)


def _midnight(day: date, here: ZoneInfo) -> datetime:
    """Return the moment at which a day begins.

    Where clocks skip midnight, it is the moment at which they do; where midnight comes twice, it is the first.
    """
    return datetime(day.year, day.month, day.day, tzinfo=here).astimezone(UTC)

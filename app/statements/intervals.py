"""Months and other intervals, whose days begin at midnight by the clock of the account's time zone."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.intervals import midnight
from app.periods import zone

LAST_YEAR = 2200
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


class InvalidMonth(ValueError):
    """The text is not a month, or not one that a ledger may have; it says what one looks like."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the calendar."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read a month such as `2026-11`. Raises: InvalidMonth."""
        match = _MONTH.fullmatch(text.strip())
        if match is None:
            raise InvalidMonth(f"{text[:20]!r} is not a month. Write year and month, such as 2026-11.")
        month = cls(int(match[1]), int(match[2]))
        if not FIRST_MONTH.year <= month.year <= LAST_YEAR:
            raise InvalidMonth(f"The year must be from {FIRST_MONTH.year} to {LAST_YEAR}.")
        return month

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def words(self) -> str:
        """The month as people write it: `November 2026`."""
        return f"{self.first_day:%B %Y}"

    @property
    def first_day(self) -> date:
        return date(self.year, self.number, 1)

    def plus(self, count: int) -> "Month":
        """Return the month `count` months later."""
        whole = self.year * 12 + self.number - 1 + count
        return Month(whole // 12, whole % 12 + 1)


FIRST_MONTH = Month(2000, 1)


@dataclass(frozen=True, slots=True)
class Interval:
    """From `started_at` on, before `ends_at`; both are midnights of `time_zone`. `month` is set where it is one."""

    started_at: datetime
    ends_at: datetime
    time_zone: str
    month: Month | None = None

    @property
    def first_day(self) -> date:
        return self.started_at.astimezone(zone(self.time_zone)).date()

    @property
    def last_day(self) -> date:
        return (self.ends_at - timedelta(microseconds=1)).astimezone(zone(self.time_zone)).date()

    @property
    def words(self) -> str:
        """The interval as people write it: the month, or its first and last day."""
        if self.month is not None:
            return self.month.words
        return f"{self.first_day} to {self.last_day}"


def natural_interval(month: Month, time_zone: str) -> Interval:
    """Return a month from its first midnight to the next month's."""
    return Interval(midnight(month.first_day, zone(time_zone)), midnight(month.plus(1).first_day, zone(time_zone)), time_zone, month)


def days(first: date, last: date, time_zone: str) -> Interval:
    """Return the interval of some days, the last included."""
    return Interval(midnight(first, zone(time_zone)), midnight(last + timedelta(days=1), zone(time_zone)), time_zone)


def month_of(moment: datetime, time_zone: str) -> Month:
    """Return the month in which a moment lies."""
    here = moment.astimezone(zone(time_zone))
    return Month(here.year, here.month)

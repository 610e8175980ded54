"""Intervals of whole days by an account's clock, cut into hours, days or months for graphs and tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.periods import UnknownZone, zone

OPTION = "time_zone"
"""The option that names the gateway's time zone."""

FIRST_YEAR, LAST_YEAR = 2000, 2200
"""Years of an interval; what lies outside is a slip of the keyboard."""

MOST_DAYS = 3_700
HOURS_UP_TO_DAYS = 2
DAYS_UP_TO = 100
"""Longest interval that is cut into days; longer ones are cut into months."""

PRESETS: Mapping[str, str] = {
    "today": "Today",
    "yesterday": "Yesterday",
    "this_week": "This week",
    "last_week": "Last week",
    "this_month": "This month",
    "last_month": "Last month",
}
DEFAULT_PRESET = "this_month"


class InvalidInterval(ValueError):
    """The days cannot be an interval; `field` is `start` or `end`, the text says why and what is right."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, slots=True)
class Interval:
    """From the beginning of `start` to the end of `end`, by the clock of `here`."""

    start: date
    end: date
    here: ZoneInfo

    @property
    def since(self) -> datetime:
        return midnight(self.start, self.here)

    @property
    def until(self) -> datetime:
        return midnight(self.end + timedelta(days=1), self.here)

    @property
    def day_count(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def unit(self) -> str:
        """`hour`, `day` or `month`: into what the interval is cut."""
        if self.day_count <= HOURS_UP_TO_DAYS:
            return "hour"
        return "day" if self.day_count <= DAYS_UP_TO else "month"

    def boundaries(self) -> list[datetime]:
        """Return when each part begins, and when the last one ends."""
        if self.unit == "hour":
            hours = int((self.until - self.since).total_seconds()) // 3600
            return sorted({*(self.since + timedelta(hours=number) for number in range(hours)), self.until})
        return [*(midnight(day, self.here) for day in self._first_days()), self.until]

    def labels(self) -> list[str]:
        """Return what each part is called, exactly enough to tell it from the others."""
        if self.unit == "hour":
            return [f"{moment.astimezone(self.here):%Y-%m-%d %H:%M}" for moment in self.boundaries()[:-1]]
        return [f"{day:%Y-%m}" if self.unit == "month" else day.isoformat() for day in self._first_days()]

    def _first_days(self) -> list[date]:
        if self.unit == "day":
            return [self.start + timedelta(days=number) for number in range(self.day_count)]
        days = [self.start]
        while (following := (days[-1].replace(day=1) + timedelta(days=31)).replace(day=1)) <= self.end:
            days.append(following)
        return days


def midnight(day: date, here: ZoneInfo) -> datetime:
    """Return the moment at which a day begins. Where clocks skip midnight, it is the moment at which they do."""
    return datetime(day.year, day.month, day.day, tzinfo=here).astimezone(UTC)


def zone_of(name: str, options: Mapping[str, Any]) -> ZoneInfo:
    """Return an account's time zone: its own, else the gateway's, else UTC. One that this machine does not know is passed over."""
    for candidate in (name, str(options.get(OPTION) or "")):
        if candidate:
            try:
                return zone(candidate)
            except UnknownZone:
                continue
    return zone("UTC")


def of_preset(name: str, now: datetime, here: ZoneInfo, *, week_start: int = 0) -> Interval:
    """Return one of `PRESETS`, as of `now`; the present week and month end today. `week_start` is a weekday, 0 is Monday."""
    today = now.astimezone(here).date()
    week = today - timedelta(days=(today.weekday() - week_start) % 7)
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    start, end = {
        "today": (today, today),
        "yesterday": (today - timedelta(days=1), today - timedelta(days=1)),
        "this_week": (week, today),
        "last_week": (week - timedelta(days=7), week - timedelta(days=1)),
        "this_month": (month, today),
        "last_month": (before.replace(day=1), before),
    }[name]
    return Interval(start, end, here)


def of_texts(start: str, end: str, here: ZoneInfo) -> Interval:
    """Return the interval between two days as they were typed, both included. Raises: InvalidInterval."""
    first, last = _day("start", start), _day("end", end)
    if last < first:
        raise InvalidInterval("end", f"The last day, {last}, is before the first, {first}. Exchange them.")
    if (last - first).days >= MOST_DAYS:
        raise InvalidInterval("end", "An interval has at most ten years. Choose a later first day or an earlier last one.")
    return Interval(first, last, here)


def _day(field: str, text: str) -> date:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInterval(field, f"{text.strip()[:40]!r} is not a day. Write it as 2026-11-23.") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InvalidInterval(field, f"The year {day.year} cannot be meant: write one from {FIRST_YEAR} to {LAST_YEAR}.")
    return day

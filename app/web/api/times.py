"""Times of the legacy dialects: without a zone, as the clock on the gateway's wall shows them.

The option `time_zone` names the zone; without it, or where the machine does not know it, that clock shows UTC.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.snapshot import Snapshot

OPTION = "time_zone"


class NotATime(ValueError):
    """The text is not a date with a time such as `2026-01-31 23:59:00`."""


def zone(snapshot: Snapshot) -> tzinfo:
    """Return the gateway's time zone."""
    return _zone(str(snapshot.options.get(OPTION) or ""))


@lru_cache(maxsize=8)
def _zone(name: str) -> tzinfo:
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def write(moment: datetime, where: tzinfo) -> str:
    """Return a moment as the dialects show it: with a blank, without fractions and zone."""
    return moment.astimezone(where).strftime("%Y-%m-%d %H:%M:%S")


def read(text: str, where: tzinfo) -> datetime:
    """Return the moment that a text names, with a blank or a `T`; one that carries its own zone keeps it. Raises: NotATime."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=where)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotATime(f"{text[:40]!r} is not a time. Write it as 2026-01-31 23:59:00.") from error

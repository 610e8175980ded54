"""The clock: one place that knows the time, so that tests can hand in another."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present as aware UTC."""
    return datetime.now(UTC)

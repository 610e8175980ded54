"""Moments as the tables keep them: microseconds since 1970."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Return microseconds since 1970. Shape: `moment` must be aware."""
    return (moment - _EPOCH) // _MICROSECOND


def of_us(value: int) -> datetime:
    """Return the moment `value` microseconds after 1970, in UTC."""
    return _EPOCH + value * _MICROSECOND

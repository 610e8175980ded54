"""Times on the wire: `YYMMDDhhmmsstnnp`, absolute or relative, always sixteen characters. Source: SMPP v3.4 §7.1.1."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_FORM = re.compile(r"(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(?:(\d)(\d{2})([-+R]))?", re.ASCII)
_QUARTER = timedelta(minutes=15)

#: Longest relative period that we emit. The field has two digits for days, but SMSCs that check it as a date refuse more than 31.
MAX_RELATIVE = timedelta(days=31)


class InvalidTime(ValueError):
    """A text is not an SMPP time."""


def format_relative(period: timedelta) -> str:
    """Return a relative time, in days at most: seven days are `000007000000000R`.

    Years and months are ambiguous (trap V2), so they stay zero, and a longer period than `MAX_RELATIVE` is cut to it. Parts of
    a second round up; no period is shorter than a second, because all zeros would mean "as the SMSC likes".
    """
    seconds = max(1, -(-min(period, MAX_RELATIVE) // timedelta(seconds=1)))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{days:02d}{hours:02d}{minutes:02d}{seconds:02d}000R"


def format_absolute(at: datetime) -> str:
    """Return an absolute time with its own offset from UTC in quarter hours: in UTC+5:45 it ends in the tenths and `23+`."""
    offset = at.utcoffset()
    assert offset is not None, "times are aware"
    quarters = round(offset / _QUARTER)
    local = at.astimezone(timezone(quarters * _QUARTER))
    return f"{local:%y%m%d%H%M%S}{local.microsecond // 100_000}{abs(quarters):02d}{'-' if quarters < 0 else '+'}"


def read_time(text: str, *, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """Return the moment that a time field names, in UTC; None for an empty field.

    A relative time counts from `now`, its years as 365 and its months as 30 days. A time without an offset is local to `zone`.
    Raises: InvalidTime.
    """
    if not text:
        return None
    match = _FORM.fullmatch(text)
    if match is None:
        raise InvalidTime(f"{text!r} is not of the form YYMMDDhhmmsstnnp.")
    year, month, day, hour, minute, second, tenths, quarters = (int(digits or 0) for digits in match.groups()[:8])
    sign = match[9]
    if sign == "R":
        return now + timedelta(days=365 * year + 30 * month + day, hours=hour, minutes=minute, seconds=second)
    try:
        offset = zone if sign is None else timezone(quarters * _QUARTER * (-1 if sign == "-" else 1))
        return datetime(2000 + year, month, day, hour, minute, second, tenths * 100_000, tzinfo=offset).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidTime(f"{text!r} is not a moment: {error}.") from error

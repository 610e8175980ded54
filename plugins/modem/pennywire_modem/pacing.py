"""How fast a modem may send: a pause between segments, and caps of its SIM card. Nothing here reads a clock.

Units: seconds of any clock that only moves forward.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

_HOUR_S: Final = 3_600.0
_DAY_S: Final = 86_400.0
_LONGEST_FACTOR: Final = 32


class Pace:
    """The pause between segments and the caps of one SIM card, both counted over the time before, not by the calendar. 0 is no limit."""

    def __init__(self, *, pause_s: float, per_hour: int, per_day: int) -> None:
        self._pause_s = pause_s
        self._caps = tuple((cap, span_s) for cap, span_s in ((per_hour, _HOUR_S), (per_day, _DAY_S)) if cap)
        self._sent: deque[float] = deque(maxlen=max((cap for cap, _ in self._caps), default=1))

    def count(self, now: float) -> None:
        """Count one segment that is sent."""
        self._sent.append(now)

    def restore(self, ages_s: Iterable[float], now: float) -> None:
        """Begin with what was sent before, by how long ago, oldest first."""
        self._sent.extend(now - age_s for age_s in ages_s)

    @property
    def is_capped(self) -> bool:
        """There is a limit for an hour or a day."""
        return bool(self._caps)

    def delay_s(self, now: float) -> float:
        """Return how long to wait for the next segment; 0 if it may go at once."""
        if not self._sent:
            return 0.0
        ends = [self._sent[-1] + self._pause_s]
        ends += [self._sent[-cap] + span_s for cap, span_s in self._caps if len(self._sent) >= cap]
        return max(0.0, max(ends) - now)


class Backoff:
    """Pauses that double up to 32 times the first one. Units: seconds."""

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._factor = 1

    def pause_s(self) -> float:
        """Return the next pause."""
        pause_s = self._first_s * self._factor
        self._factor = min(self._factor * 2, _LONGEST_FACTOR)
        return pause_s

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._factor = 1

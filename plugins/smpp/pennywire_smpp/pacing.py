"""How fast a bind may send: a token bucket, the reaction to throttling, and the pauses between connection attempts.

Nothing here reads a clock; times are given. Units: seconds of any clock that only moves forward, segments per second.
"""

from collections.abc import Callable
from math import inf
from typing import Final

#: How much of a second's allowance may be sent at once.
_BURST_S: Final = 0.1


class TokenBucket:
    """An even rate. A rate of 0 means no limit."""

    def __init__(self, rate_per_s: float, *, now: float) -> None:
        self._rate_per_s = rate_per_s
        self._tokens = self._capacity
        self._filled_at = now

    def set_rate(self, rate_per_s: float, *, now: float) -> None:
        """Change the rate; 0 removes the limit."""
        self._fill(now)
        self._rate_per_s = rate_per_s
        self._tokens = min(self._tokens, self._capacity)

    def available(self, now: float) -> float:
        """Return how many segments may be sent at once, infinite without a limit."""
        if not self._rate_per_s:
            return inf
        self._fill(now)
        return int(self._tokens + 1e-9)

    def take(self, now: float) -> None:
        """Count one segment that is sent."""
        if self._rate_per_s:
            self._fill(now)
            self._tokens -= 1

    def delay_s(self, now: float) -> float:
        """Return how long to wait for the next segment."""
        if not self._rate_per_s:
            return 0.0
        self._fill(now)
        return max(0.0, (1 - self._tokens) / self._rate_per_s)

    @property
    def _capacity(self) -> float:
        return max(1.0, self._rate_per_s * _BURST_S)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate_per_s)
        self._filled_at = now


#: First pause after a throttled submission, and the longest. Units: seconds.
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
#: After a pause we send somewhat slower than the peer took before, then faster with each step that it bears.
_SLOWER: Final = 0.9
_STEP_S: Final = 0.5
#: The first steps double the rate; each objection halves what a step adds, until the rate hardly moves.
_FIRST_GAIN: Final = 1.0
_LEAST_GAIN: Final = 0.02
#: Without an objection for so long, the peer's limit may have changed: take big steps again. Units: seconds.
_FORGET_S: Final = 30.0
#: Above this rate the ceiling is no limit to anybody.
_NO_CEILING: Final = 50_000.0


class Throttle:
    """The reaction to ESME_RTHROTTLED and ESME_RMSGQFUL (trap S1): the whole link rests, then goes on more slowly.

    A pause is one answer to all submissions that were on their way when it began; only those sent after it may lengthen it.
    """

    def __init__(self, *, now: float) -> None:
        self._bucket = TokenBucket(0, now=now)
        self._ceiling = 0.0
        self._gain = _FIRST_GAIN
        self._refused_at = self._raised_at = self._resume_at = now
        self._pause_s = FIRST_PAUSE_S
        self._accepted_since_pause = True
        self._counting_since = now
        self._accepted = 0
        self._seen_per_s = 0.0

    @property
    def ceiling_per_s(self) -> float:
        """The rate found by trial, 0 while there is none."""
        return self._ceiling

    def available(self, now: float) -> float:
        """Return how many segments may be sent at once."""
        return 0 if now < self._resume_at else self._bucket.available(now)

    def take(self, now: float) -> None:
        """Count one segment that is sent."""
        self._bucket.take(now)

    def delay_s(self, now: float) -> float:
        """Return how long to wait for the next segment."""
        return max(self._resume_at - now, self._bucket.delay_s(now), 0.0)

    def accept(self, now: float) -> None:
        """Take note of an accepted submission."""
        self._accepted_since_pause = True
        self._accepted += 1
        elapsed_s = now - self._counting_since
        if elapsed_s >= 1:
            self._seen_per_s = self._accepted / elapsed_s
            self._accepted, self._counting_since = 0, now
        if self._ceiling and now - self._raised_at >= _STEP_S:
            self._raised_at = now
            if now - self._refused_at > _FORGET_S:
                self._gain = _FIRST_GAIN
            self._set_ceiling(self._ceiling * (1 + self._gain), now)

    def refuse(self, *, sent_at: float, now: float) -> float:
        """Take note of a throttled submission and return for how long the link rests."""
        if sent_at < self._resume_at:
            return max(0.0, self._resume_at - now)
        if self._accepted_since_pause:
            self._pause_s = FIRST_PAUSE_S
            # What came in less than a second is at least what a second bears.
            seen_per_s = max(self._seen_per_s, self._accepted / max(now - self._counting_since, 1.0))
            ceiling = seen_per_s * _SLOWER
        else:
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
            ceiling = self._ceiling / 2
        self._gain = max(self._gain / 2, _LEAST_GAIN) if self._ceiling else _FIRST_GAIN
        self._set_ceiling(max(ceiling, 1.0), now)
        self._accepted_since_pause = False
        self._refused_at = now
        self._resume_at = self._raised_at = self._counting_since = now + self._pause_s
        self._accepted = 0
        return self._pause_s

    def rest(self, pause_s: float, *, now: float) -> float:
        """Rest for a time that the operator has set, whatever the rate, and return it."""
        self._resume_at = max(self._resume_at, now + pause_s)
        return self._resume_at - now

    def _set_ceiling(self, rate_per_s: float, now: float) -> None:
        self._ceiling = rate_per_s if rate_per_s < _NO_CEILING else 0.0
        self._bucket.set_rate(self._ceiling, now=now)


class Backoff:
    """Pauses that double, with jitter so that a hundred links do not come back in the same second. Units: seconds."""

    def __init__(self, *, first_s: float, longest_s: float, random: Callable[[], float]) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._random = random
        self._next_s = first_s

    def pause_s(self) -> float:
        """Return the next pause: three to five quarters of what is due."""
        due_s = self._next_s
        self._next_s = min(due_s * 2, self._longest_s)
        return due_s * (0.75 + 0.5 * self._random())

    def reset(self) -> None:
        """Begin again with the first pause."""
        self._next_s = self._first_s

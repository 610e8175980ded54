"""The sweeper's duty: once a second, what time brings about; in quiet moments, SQLite's log is folded back.

And once a minute, while a route chooses by it, how well connections deliver.
"""

import time
from collections.abc import Callable

from app import quality, sweeping
from app.core import Core

EVERY_S = 1.0
QUIET_S = 5.0
"""How long nothing must have been written before the log is folded back, in seconds."""


QUALITY_EVERY_S = 60.0


class Sweeper:
    """Sweeps for all engines. `worked_at` says when this engine last wrote, by the monotonic clock."""

    name = "sweeper"

    def __init__(self, core: Core, worked_at: Callable[[], float]) -> None:
        self._core = core
        self._worked_at = worked_at
        self._truncated_at = 0.0
        self._counted_at = float("-inf")

    def turn(self) -> float:
        """Do one round of everything that falls due."""
        snapshot = self._core.snapshots.present()
        done = sweeping.sweep(self._core.database, snapshot, ids=self._core.ids, now=self._core.clock())
        if snapshot.least_cost and time.monotonic() - self._counted_at >= QUALITY_EVERY_S:
            quality.refresh(self._core.database, now=self._core.clock())
            self._counted_at = time.monotonic()
        if not any(done.values()):
            self._truncate_when_quiet()
        return EVERY_S

    def _truncate_when_quiet(self) -> None:
        worked_at = self._worked_at()
        if worked_at > self._truncated_at and time.monotonic() - worked_at > QUIET_S:
            self._core.database.truncate_log()
            self._truncated_at = time.monotonic()

"""Threads for what one engine does for all: each holds the lease of its duty and does a turn again and again."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from app.core import Core
from app.db import CommitFailed, Unavailable
from app.engine import leases
from app.engine.faults import describe, trail

LONGEST_PAUSE_S = 60.0

_SCHEDSTAT = Path("/proc/thread-self/schedstat")
_log = logging.getLogger(__name__)


class Duty(Protocol):
    """Something that one engine at a time does."""

    @property
    def name(self) -> str:
        """Name of the lease."""
        ...

    def turn(self) -> float:
        """Do what is there to do and return how long to wait before the next turn, in seconds.

        An exception is logged, and the turn is done again after a pause that grows.
        """
        ...


def rest_of(worked_s: float) -> float:
    """Return how long a duty that catches up, and for which nobody waits, rests after a turn of `worked_s` seconds.

    It works a quarter of the time, so that the messages keep the processor.
    """
    return 3 * worked_s


def waited_s() -> float:
    """Return how long this thread has waited for a processor so far while it had work, in seconds; 0 where the system does not tell.

    Source: Linux, Scheduler Statistics, /proc/<pid>/schedstat.
    """
    try:
        return int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


class DutyThread:
    """Does turns of one duty for as long as this engine has its lease. What hangs in a turn keeps nothing else waiting."""

    def __init__(self, core: Core, engine_id: str, duty: Duty, *, on_failure: Callable[[BaseException], None]) -> None:
        self._core = core
        self._engine_id = engine_id
        self._duty = duty
        self._on_failure = on_failure
        self._stopped = threading.Event()
        self._renew_at = 0.0
        self._pause_s = 0.0
        self._thread = threading.Thread(target=self._run, name=f"duty-{duty.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stopped.wait(pause_s):
            try:
                pause_s = self._duty.turn() if self._has_lease() else self._core.settings.lease_s / leases.RENEWALS_PER_LEASE
                self._pause_s = 0.0
            except CommitFailed as error:
                self._on_failure(error)
                return
            except Exception as error:  # noqa: BLE001  # A plugin may be called in a turn, and the thread must outlive whatever it raises.
                pause_s = self._next_pause()
                calls = "" if isinstance(error, Unavailable) else "\n" + trail(error)
                _log.warning("%s failed, again in %g s: %s%s", self._duty.name, pause_s, describe(error), calls)

    def _next_pause(self) -> float:
        self._pause_s = min(max(self._pause_s * 2, 1.0), LONGEST_PAUSE_S)
        return self._pause_s

    def _has_lease(self) -> bool:
        """Say whether the duty is this engine's; the lease is prolonged when a third of it has passed."""
        now = time.monotonic()
        if now < self._renew_at:
            return True
        lease_s = self._core.settings.lease_s
        with self._core.database.write() as session:
            dead = leases.dead_neighbours(session, self._engine_id)
            held = leases.hold_duty(session, self._duty.name, self._engine_id, lease_s=lease_s, dead=dead)
        self._renew_at = now + lease_s / leases.RENEWALS_PER_LEASE if held else 0.0
        return held

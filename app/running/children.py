"""Child processes that are kept alive: started again when they die, with growing pauses, and stopped together."""

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Pause before the next start, by the number of early deaths in a row."""

STEADY_S = 20.0
"""A child that lived this long has not died early."""

PR_SET_PDEATHSIG = 1
"""Source: prctl(2)."""

_LIBC = ctypes.CDLL(None, use_errno=True)
_LOG = logging.getLogger("pennywire.run")


@dataclass(slots=True)
class Child:
    """One process that should always run. Its environment carries the settings: arguments can be seen by everyone."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    descriptors: Sequence[int] = ()
    monotonic: Callable[[], float] = time.monotonic
    process: subprocess.Popen[bytes] | None = None
    early_deaths: int = 0
    start_at: float = 0.0
    _started_at: float = field(default=0.0)

    @property
    def running(self) -> bool:
        return self.process is not None

    def start(self) -> None:
        """Start the process, in a group of its own: Ctrl-C reaches us alone, and we stop it in order."""
        parent = os.getpid()
        self.process = subprocess.Popen(  # noqa: S603  # Our own programs.
            self.command,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            pass_fds=tuple(self.descriptors),
            process_group=0,
            preexec_fn=lambda: _settle_in(parent),  # noqa: PLW1509  # We have one thread, and it holds no lock here.
        )
        self._started_at = self.monotonic()
        _LOG.info("started", extra={"child": self.name, "pid": self.process.pid})

    def look(self) -> bool:
        """Say whether the process has died since the last look; plans its next start."""
        if self.process is None or (status := self.process.poll()) is None:
            return False
        lived_s = self.monotonic() - self._started_at
        self.early_deaths = 0 if lived_s >= STEADY_S else self.early_deaths + 1
        pause_s = PAUSES_S[min(self.early_deaths, len(PAUSES_S) - 1)]
        self.start_at = self.monotonic() + pause_s
        _LOG.warning("died", extra={"child": self.name, "pid": self.process.pid, "status": status, "lived_s": round(lived_s, 1)})
        self.process = None
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, which knows how to end its own children."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End the process and everything it started, at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _settle_in(parent: int) -> None:
    """Prepare the child before it becomes the program: it hears signals again, and ends when we end."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # We ended between the fork and the call.
        os._exit(1)

"""Notices that the loop hangs in somebody's callback, says in whose, and has the process started again without it.

It runs in a thread of its own and must not need the loop. A loop with much to do is not a loop that hangs: what counts is that one
and the same callback has been running all the time.
"""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType

from app import administration
from app.core import Core
from app.db import CommitFailed, Unavailable
from app.engine import leases, status
from app.engine.status import LinkState, Note

BLOCKED_EXIT = 71
"""Exit code of an engine whose loop hung; its supervisor starts it again."""

LIMIT_S = 5.0
TICK_S = 0.5
ACTOR = "watchdog"

OWNER: ContextVar[str] = ContextVar("owner", default="")
"""Name of the connection in whose service the present callback runs; tasks and transports inherit it."""

_log = logging.getLogger(__name__)
_RUN_CODE = asyncio.Handle._run.__code__  # noqa: SLF001  # The one frame that knows the context of what runs.


class Watchdog:
    """Watches the loop of the thread that makes it. `end` is called with the exit code when the loop hangs."""

    def __init__(
        self,
        core: Core,
        engine_id: str,
        *,
        end: Callable[[int], object] = os._exit,
        limit_s: float = LIMIT_S,
        tick_s: float = TICK_S,
    ) -> None:
        self._core = core
        self._engine_id = engine_id
        self._end = end
        self._tick_s = tick_s
        self._ticks = max(round(limit_s / tick_s), 1)
        self._thread_id = threading.get_ident()
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._beaten = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="pennywire-watchdog", daemon=True)

    def start(self) -> None:
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _beat(self) -> None:
        if not self._stopped.is_set():
            self._beaten.set()
            self._loop.call_later(self._tick_s / 2, self._beat)

    def _watch(self) -> None:
        """Count ticks without a beat in which the same callback ran.

        They are counted here, and not measured by a clock, because a process that was stopped as a whole did not hang.
        """
        suspect: asyncio.Handle | None = None
        tick_count = 0
        while not self._stopped.wait(self._tick_s):
            running = _running_callback(self._thread_id)
            same = running is not None and running is suspect
            tick_count = tick_count + 1 if same and not self._beaten.is_set() else 0
            self._beaten.clear()
            suspect = running
            if tick_count >= self._ticks:
                self._hangs(running)
                return

    def _hangs(self, handle: asyncio.Handle | None) -> None:
        owner = _owner(handle)
        stack = _stack(self._thread_id)
        reason = f"It held up the engine for {self._ticks * self._tick_s:g} s and was stopped; the log has the place."
        _log.critical("loop hangs in connection %s at\n%s", owner or "unknown", "\n".join(stack))
        try:
            self._core.database.run(lambda session: leases.abandon(session, self._engine_id))
            if owner:
                self._stop_connection(owner, reason)
        except (Unavailable, CommitFailed, administration.NotThere, administration.InvalidField) as error:
            _log.critical("watchdog could not stop connection %s: %s", owner, type(error).__name__)
        self._end(BLOCKED_EXIT)

    def _stop_connection(self, name: str, reason: str) -> None:
        now = self._core.clock()
        with self._core.database.write() as session:
            administration.set_desired(session, name, "stopped", plugins=self._core.plugins, now=now, actor=ACTOR)
            connection = administration.find_connection(session, name)
            token = leases.present_token(session, connection.id)
            note = Note(connection.id, token, now, state=LinkState.FAILED, reason=reason, line=f"failed: {reason}")
            status.write(session, [note])


def _running_callback(thread_id: int) -> asyncio.Handle | None:
    """Return the callback that the loop of a thread is running this moment."""
    frame = sys._current_frames().get(thread_id)  # noqa: SLF001  # The standard library has no other way to look at a thread.
    while frame is not None:
        if frame.f_code is _RUN_CODE:
            handle = frame.f_locals.get("self")
            return handle if isinstance(handle, asyncio.Handle) else None
        frame = frame.f_back
    return None


def _owner(handle: asyncio.Handle | None) -> str:
    context = getattr(handle, "_context", None)
    return context.get(OWNER, "") if context is not None else ""


def _stack(thread_id: int) -> list[str]:
    """Return where a thread is, innermost call last, without any values."""
    lines: list[str] = []
    frame: FrameType | None = sys._current_frames().get(thread_id)  # noqa: SLF001  # As above.
    while frame is not None:
        lines.append(f"  {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return lines[::-1]

"""Finds what holds the engine's loop up, by the interpreter's own audit events: it does not depend on the machine's speed."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, SupportsIndex

#: Thread → what was found in it. Only threads that are watched have an entry.
_watched: dict[int, list[str]] = {}

#: Calls that always wait for something outside. Source: Python's table of audit events.
_WAITING = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.system", "urllib.Request"})


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    found = _watched.get(threading.get_ident())
    if found is None:
        return
    if event in _WAITING:
        found.append(event)
    elif event == "socket.connect" and arguments[0].gettimeout() != 0:
        found.append("socket.connect on a blocking socket")


@cache
def _listen_once() -> None:
    """An audit hook stays until the process ends, so there is one."""
    sys.addaudithook(_listen)


@contextmanager
def blocking_calls() -> Iterator[list[str]]:
    """Yield a list that gets the name of every blocking call of this thread while the block runs."""
    _listen_once()
    found: list[str] = []
    _watched[threading.get_ident()] = found
    sleep = time.sleep

    def note_sleep(seconds: float | SupportsIndex, /) -> None:
        # Python 3.11 has no audit event for it.
        if threading.get_ident() in _watched:
            found.append("time.sleep")
        sleep(seconds)

    time.sleep = note_sleep
    try:
        yield found
    finally:
        time.sleep = sleep
        del _watched[threading.get_ident()]

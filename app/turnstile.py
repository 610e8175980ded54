"""Turns among the writers of a SQLite file, in all processes.

A writer that finds SQLite locked asks again after a pause. One that writes without a break is nearly always there first: beside
a busy engine a request waited seconds for its turn. So writers queue. Whoever is next holds the gate, whoever writes holds the
turn; one that has just written meets the next one at the gate and lets it through.

This is courtesy only. What protects the data is SQLite's own lock, and a process that dies leaves no lock of ours behind.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_PAUSE_S = 0.0002
LONGEST_PAUSE_S = 0.001


class NoTurn(Exception):
    """The turn did not come in time: somebody writes for longer than he should, or too many wait."""


class Turnstile:
    """The queue in front of one file. Safe to share among threads, and with children that were forked."""

    def __init__(self, path: str) -> None:
        self._gate = path + "-gate"
        self._turn = path + "-turn"
        self._lock = threading.Lock()
        self._process_id = os.getpid()
        #: Pairs of open files that nobody uses. A lock belongs to an open file, so each writer needs a pair of his own.
        self._idle: list[tuple[int, int]] = []

    @contextmanager
    def turn(self, timeout_s: float) -> Iterator[None]:
        """Wait for the turn and hold it. Raises: NoTurn; OSError where the files cannot be made."""
        deadline = time.monotonic() + timeout_s
        pair = self._take_pair()
        try:
            gate, turn = pair
            _acquire(gate, deadline)
            try:
                _acquire(turn, deadline)
            finally:
                fcntl.flock(gate, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.flock(turn, fcntl.LOCK_UN)
        finally:
            self._put_pair(pair)

    def close(self) -> None:
        """Close the files that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        _close(idle)

    def _take_pair(self) -> tuple[int, int]:
        with self._lock:
            if self._process_id != os.getpid():
                # Open files that a child has from its parent share their locks.
                _close(self._idle)
                self._idle, self._process_id = [], os.getpid()
            if self._idle:
                return self._idle.pop()
        gate = _open(self._gate)
        try:
            return gate, _open(self._turn)
        except OSError:
            os.close(gate)
            raise

    def _put_pair(self, pair: tuple[int, int]) -> None:
        with self._lock:
            self._idle.append(pair)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _close(pairs: list[tuple[int, int]]) -> None:
    for pair in pairs:
        for descriptor in pair:
            os.close(descriptor)


def _acquire(descriptor: int, deadline: float) -> None:
    """Lock a file, asking again until the deadline: a lock that blocks could not be given up."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise NoTurn("The turn to write did not come in time.") from None
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        else:
            return

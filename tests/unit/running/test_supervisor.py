"""The supervisor with small programs in place of ours."""

import functools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import ParamSpec

import psutil

from app.running.children import PAUSES_S, STEADY_S, Child
from app.running.running import MOST_EARLY_DEATHS, Supervisor

P = ParamSpec("P")

SLEEP = "import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: signal.pause()"


def alone(test: Callable[P, None]) -> Callable[P, None]:
    """Run a test in a copy of this process that has one thread: any other would hear the signals, and they would end everything."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        copy = os.fork()
        if not copy:
            try:
                test(*args, **kwargs)
            except BaseException:  # noqa: BLE001  # whatever it is, the copy must not go on with the suite
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 0

    return run


def _child(program: str, name: str = "web", **values: float) -> Child:
    return Child(name, [sys.executable, "-S", "-c", program], dict(os.environ), **values)  # type: ignore[arg-type]  # fields of the test


def _supervised(child: Child, then: Callable[[], None], *, healthy: bool = True) -> int:
    """Run a supervisor until `then`, which is called when the child is ready, has had it stopped."""
    return Supervisor([child], lambda: healthy and child.running, then).run()


def _stop_myself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@alone
def test_it_stops_what_it_started() -> None:
    child = _child(SLEEP)

    status = _supervised(child, _stop_myself)

    assert status == 0
    assert child.process is not None
    assert child.process.returncode == -signal.SIGTERM


@alone
def test_signals_are_heard_again_afterwards() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])

    _supervised(_child(SLEEP), _stop_myself)

    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


@alone
def test_a_child_hears_signals_although_we_block_them() -> None:
    """SIGTERM would wait for ever in a child that inherited our mask, and every stop would end in a kill."""
    child = _child("import signal, sys\nsys.exit(7 if signal.pthread_sigmask(signal.SIG_BLOCK, []) else 0)")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        child.start()
        assert child.process is not None
        status = child.process.wait(30)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])

    assert status == 0


@alone
def test_a_web_process_that_never_comes_up_is_given_up() -> None:
    child = _child("raise SystemExit(3)")

    status = _supervised(child, _stop_myself, healthy=False)

    assert status == 1
    assert child.early_deaths == MOST_EARLY_DEATHS


@alone
def test_a_child_that_dies_later_is_started_again() -> None:
    child = _child(SLEEP)
    pids: list[int] = []

    def kill_then_stop() -> None:
        assert child.process is not None
        pids.append(child.process.pid)
        child.process.kill()
        threading.Thread(target=_stop_when_restarted).start()

    def _stop_when_restarted() -> None:
        pause = threading.Event()
        while child.process is None or child.process.pid == pids[0]:
            pause.wait(0.01)
        pids.append(child.process.pid)
        _stop_myself()

    status = _supervised(child, kill_then_stop)

    assert status == 0
    assert len(set(pids)) == 2


@alone
def test_pauses_grow_with_early_deaths_and_end_with_a_steady_life() -> None:
    clock = [0.0]
    child = _child("raise SystemExit(1)", monotonic=lambda: clock[0])  # type: ignore[arg-type]  # a clock that stands still
    pauses = []
    for _ in range(len(PAUSES_S) + 1):
        child.start()
        assert child.process is not None
        child.process.wait(30)
        assert child.look()
        pauses.append(child.start_at - clock[0])
    child.start()
    assert child.process is not None
    child.process.wait(30)
    clock[0] += STEADY_S
    child.look()

    assert pauses == [*PAUSES_S[1:], PAUSES_S[-1], PAUSES_S[-1]]
    assert child.early_deaths == 0


@alone
def test_what_a_child_left_behind_ends_with_it() -> None:
    program = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-S', '-c', {STUBBORN!r}]).pid, flush=True); {SLEEP}"
    child = _child(program)
    child.start()
    assert child.process is not None
    grandchild: psutil.Process | None = None
    while grandchild is None:
        grandchild = next(iter(psutil.Process(child.process.pid).children()), None)

    child.kill()
    _, alive = psutil.wait_procs([grandchild], timeout=30)

    assert alive == []

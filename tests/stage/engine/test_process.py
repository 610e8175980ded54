"""The engine as a process: signals, a kill, and what is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pennywire_loopback.connector import LoopbackConnector

from app import administration
from app.models import EngineRow
from app.outbox import IN_DOUBT, QUEUED, SENDING

Stage = Any
Until = Any
ROOT = Path(__file__).parents[3]
WINDOW = 5
MESSAGES = 40

PROGRAM = """
import sys
from app.config import load
from app.core import open_core
from app.engine.process import run_engine
sys.exit(run_engine(open_core(load())))
"""


@pytest.fixture
def start(stage: Stage) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts engine processes on the test's database; they are gone when the test ends."""
    settings = stage.world.core.settings
    environment = {"PENNYWIRE_DATA": str(settings.data), "PENNYWIRE_DATABASE_URL": settings.database_url, "PATH": os.environ["PATH"]}
    started: list[subprocess.Popen[bytes]] = []

    def start_engine() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment))
        return started[-1]

    yield start_engine
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def backlog(stage: Stage) -> list[int]:
    """Messages for a loopback connection that answers slowly."""
    world, core = stage.world, stage.world.core
    world.now = datetime.now(UTC)
    core.plugins.connectors["loopback"] = LoopbackConnector
    values = {"window": WINDOW, "latency_ms": 300, "report_delay_ms": 0}
    with core.database.write() as session:
        add = {"plugins": core.plugins, "vault": core.vault, "now": world.now, "actor": "test"}
        administration.add_connection(session, "loop", "loopback", values, provider="wire", **add)
    stage.desire("wire", "stopped")
    stage.desire("loop", "started")
    return [world.send() for _ in range(MESSAGES)]


def states(stage: Stage, numbers: list[int]) -> list[str]:
    return [stage.world.message(number).state for number in numbers]


def test_sigterm_ends_cleanly_and_leaves_nothing_in_doubt(stage: Stage, start: Any, backlog: list[int], until: Until) -> None:
    async def story() -> None:
        process = start()
        await until(lambda: "delivered" in states(stage, backlog), within_s=20)
        process.send_signal(signal.SIGTERM)
        await until(lambda: process.poll() is not None)
        codes.append(process.returncode)

    codes: list[int] = []
    stage.play(story())

    assert codes == [0]
    assert set(stage.counts()) == {QUEUED}
    with stage.world.core.database.read() as session:
        assert session.query(EngineRow).count() == 0


def test_killed_engine_leaves_at_most_two_windows_in_doubt_and_the_next_goes_on(
    stage: Stage, start: Any, backlog: list[int], until: Until
) -> None:
    """Nothing is sent again by itself (promise 9); the next engine need not wait until the lease of a dead process ends."""

    async def story() -> None:
        process = start()
        await until(lambda: "delivered" in states(stage, backlog) and stage.counts().get(SENDING) == 2 * WINDOW, within_s=20)
        process.kill()
        process.wait()
        start()
        await until(lambda: set(states(stage, backlog)) <= {"delivered", "in_doubt"}, within_s=20)

    stage.play(story())

    assert 1 <= stage.counts()[IN_DOUBT] <= 2 * WINDOW

"""The watchdog: a connector that holds up the loop is named, stopped, and the process ends to be started again."""

import asyncio
import logging
import threading
from typing import Any

import pytest
from sqlalchemy import select

from app.engine.watchdog import BLOCKED_EXIT, Watchdog
from app.models import AuditEntry, ServiceConnection
from pennywire import Link

Stage = Any
Until = Any


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is proved here does not depend on the database."""
    return sqlite_url


def watch(stage: Stage, engine_id: str, freed: threading.Event, codes: list[int]) -> Watchdog:
    """Return a watchdog that is quick to bite and, instead of ending the process, lets the hanging call go on."""

    def end(code: int) -> None:
        codes.append(code)
        freed.set()

    return Watchdog(stage.world.core, engine_id, end=end, limit_s=0.3, tick_s=0.05)


@pytest.mark.parametrize("hanging", ["run", "task", "callback"])
def test_connector_that_hangs_is_named_and_stopped(stage: Stage, hanging: str, until: Until, caplog: pytest.LogCaptureFixture) -> None:
    freed = threading.Event()
    codes: list[int] = []

    def hang_for_ever() -> None:
        assert freed.wait(20)

    async def hang() -> None:
        hang_for_ever()

    async def serve(link: Link) -> None:
        if hanging == "run":
            hang_for_ever()
        elif hanging == "task":
            await asyncio.create_task(hang())
        else:
            asyncio.get_running_loop().call_later(0.01, hang_for_ever)
        await link.stopped()

    stage.network.serve = serve

    async def story() -> None:
        async with stage.engine() as engine:
            watchdog = watch(stage, engine.id, freed, codes)
            watchdog.start()
            await until(lambda: codes)
            watchdog.stop()

    with caplog.at_level(logging.CRITICAL):
        stage.play(story())

    assert codes == [BLOCKED_EXIT]
    assert "loop hangs in connection wire" in caplog.text
    assert "hang_for_ever" in caplog.text
    with stage.world.core.database.read() as session:
        assert session.scalars(select(ServiceConnection.desired)).one() == "stopped"
        assert session.scalars(select(AuditEntry.actor).order_by(AuditEntry.id.desc())).first() == "watchdog"
    assert any(line.startswith("failed: It held up the engine") for line in stage.connection().lines)


def test_loop_with_much_to_do_does_not_hang(stage: Stage) -> None:
    """Many callbacks in one turn of the loop keep the beat from coming, and none of them is to blame."""
    codes: list[int] = []
    freed = threading.Event()

    async def story() -> None:
        loop = asyncio.get_running_loop()
        watchdog = watch(stage, "none", freed, codes)
        watchdog.start()
        pause = threading.Event()
        for _ in range(40):
            loop.call_soon(pause.wait, 0.02)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        watchdog.stop()

    stage.play(story())

    assert codes == []

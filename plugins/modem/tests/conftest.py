"""A connector against the simulated modem, over a real pseudo terminal, in one loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pennywire_modem.connector import ModemConnector
from pennywire_modem.script import ModemOptions
from pennywire_modem.settings import SETTINGS, ModemSettings, read_modem_settings
from pennywire_modem.simulator import ModemSimulator

from pennywire import read_settings
from pennywire.testing import FakeLink, FakeValues

#: Short pauses, so that no test waits for one.
QUICK = {"reopen_pause_s": 0.01, "bit_rate": "115200", "command_timeout_s": 20, "own_number": "+36209999999"}
TIMEOUT_S = 60


@dataclass(slots=True)
class Served:
    """A connector that runs, its link, and the simulated modem."""

    link: FakeLink
    simulator: ModemSimulator
    task: asyncio.Task[None]

    async def until(self, condition: Callable[[FakeLink], object]) -> None:
        """Wait for something at the link."""
        await self.link.until(condition, timeout_s=TIMEOUT_S)

    async def stop(self) -> None:
        """Stop the connector as the engine does."""
        self.link.stop()
        await asyncio.wait_for(self.task, TIMEOUT_S)


@dataclass(slots=True)
class Memory:
    """What outlives a connector: give it to two of them, and the second is a restart."""

    modems: FakeValues = field(default_factory=FakeValues)
    cards: FakeValues = field(default_factory=FakeValues)


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@asynccontextmanager
async def serve_modem(
    options: ModemOptions | None = None, *, wait: bool = True, port: int | None = None, memory: Memory | None = None, **given: Any
) -> AsyncIterator[Served]:
    """Run a connector at a simulated modem; at the end both are stopped, and nothing that was taken may be left without a word."""
    async with ModemSimulator(options or ModemOptions(), port=port) as simulator:
        memory = memory or Memory()
        link = FakeLink(storage=memory.modems, plugin_storage=memory.cards)
        values = read_settings(SETTINGS, {"device": simulator.device, **QUICK, **given})
        served = Served(link, simulator, asyncio.create_task(ModemConnector("test", values).run(link)))
        try:
            if wait:
                await served.until(lambda one: one.is_up)
            yield served
            await served.stop()
            assert link.taken == []
        finally:
            served.task.cancel()
            await asyncio.gather(served.task, return_exceptions=True)


@pytest.fixture
def memory() -> Memory:
    """Remember nothing yet."""
    return Memory()


@pytest.fixture
def serve() -> Serve:
    """Serve a connector: `async with serve(ModemOptions(…), pause_s=1) as served`."""
    return serve_modem


@pytest.fixture
def settings() -> Callable[..., ModemSettings]:
    """Make typed settings of one modem."""

    def make(**given: Any) -> ModemSettings:
        (one,) = read_modem_settings(read_settings(SETTINGS, {"device": "/dev/ttyUSB0", **given}))
        return one

    return make

"""A connector against the simulator, over real TCP on the loopback interface, in one loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pennywire_smpp.connector import SmppConnector
from pennywire_smpp.settings import SETTINGS, SmppSettings, read_smpp_settings
from pennywire_smpp.simulation import SimulatorOptions
from pennywire_smpp.simulator import Simulator

from pennywire import read_settings
from pennywire.testing import FakeLink

#: Short pauses, so that no test waits for one.
QUICK = {"reconnect_pause_s": 0.01, "refused_pause_s": 0.01, "response_timeout_s": 10, "system_id": "me", "password": "pw"}


@dataclass(slots=True)
class Served:
    """A connector that runs, its link, and the simulator."""

    link: FakeLink
    smsc: Simulator
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """Stop the connector as the engine does."""
        self.link.stop()
        await asyncio.wait_for(self.task, 10)


Serve = Callable[..., AbstractAsyncContextManager[Served]]


def _make_connector(port: int, **given: Any) -> SmppConnector:
    """Return a connector to a port on this machine."""
    return SmppConnector("test", read_settings(SETTINGS, {"host": "127.0.0.1", "port": port, **QUICK, **given}))


@asynccontextmanager
async def serve_connector(options: SimulatorOptions | None = None, *, wait: bool = True, **given: Any) -> AsyncIterator[Served]:
    """Run a connector against a simulator; at the end both are stopped, and nothing that was taken may be left without a word."""
    async with Simulator(options or SimulatorOptions()) as smsc:
        link = FakeLink()
        served = Served(link, smsc, asyncio.create_task(_make_connector(smsc.port, **given).run(link)))
        try:
            if wait:
                await link.until(lambda one: one.is_up)
            yield served
            await served.stop()
            assert link.taken == []
        finally:
            served.task.cancel()
            await asyncio.gather(served.task, return_exceptions=True)


@pytest.fixture
def serve() -> Serve:
    """Serve a connector: `async with serve(SimulatorOptions(…), window=3) as served`."""
    return serve_connector


@pytest.fixture
def make_connector() -> Callable[..., SmppConnector]:
    """Make a connector to a port on this machine."""
    return _make_connector


@pytest.fixture
def settings() -> Callable[..., SmppSettings]:
    """Make typed settings."""

    def make(**given: Any) -> SmppSettings:
        return read_smpp_settings(read_settings(SETTINGS, {"host": "localhost", "system_id": "me", **given}))

    return make

"""What a running connector keeps: durable, its plugin's alone, and written by nobody who lost the connection."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.gateway import OpenGateway
from app.models import ConnectionStatus
from pennywire import CannotKeep, CannotStore

Stage = Any


def kept(stage: Stage, connection: str = "") -> Mapping[str, Any]:
    """Return what a page of the plugin would read."""
    return OpenGateway(stage.world.core, "root", "administrator").values("wiring", connection)


def test_what_a_link_keeps_is_there_for_the_next_one_and_for_pages(stage: Stage) -> None:
    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            await link.storage.write({"cursor": 7, "gone": 1})
            await link.storage.write({"gone": None})
            await link.plugin_storage.write({"cursor": 1})
            with pytest.raises(CannotKeep):
                await link.storage.write({"cursor": 8, "": 1})
        async with stage.engine():
            link = await stage.network.link(2)
            assert await link.storage.read() == {"cursor": 7}
            assert await link.plugin_storage.read("cur") == {"cursor": 1}

    stage.play(story())

    assert kept(stage, "wire") == {"cursor": 7}
    assert kept(stage) == {"cursor": 1}


def test_an_engine_that_lost_the_connection_keeps_nothing(stage: Stage) -> None:
    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            with stage.world.core.database.write() as session:
                session.get_one(ConnectionStatus, stage.line.id).token += 1
            with pytest.raises(CannotStore, match="Another engine holds"):
                await link.storage.write({"cursor": 7})

    stage.play(story())

    assert kept(stage, "wire") == {}


def test_a_database_that_is_away_is_told(stage: Stage, outage: Any) -> None:
    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            outage.away = True
            with pytest.raises(CannotStore, match="The database is away"):
                await link.storage.write({"cursor": 7})
            with pytest.raises(CannotStore):
                await link.storage.read()
            outage.away = False
            await link.storage.write({"cursor": 8})

    stage.play(story())

    assert kept(stage, "wire") == {"cursor": 8}

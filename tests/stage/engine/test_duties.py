"""Duties: the sweeper, and the journal's way to plugins."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from app.models import JournalCursor
from pennywire import Accepted, Event, hookimpl

Stage = Any
Until = Any


class Listener:
    """A plugin that keeps what it is told. `trouble` is raised once for each item before a batch is kept."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []
        self.offered: list[list[tuple[str, int]]] = []
        self.trouble: list[Exception] = []
        self.hang: threading.Event | None = None

    @hookimpl
    def message_events(self, batch: Sequence[Event]) -> None:
        events = [(event.kind, event.version) for event in batch if event.message_id]
        self.offered.append(events)
        if self.hang is not None:
            self.hang.wait(20)
        if self.trouble:
            raise self.trouble.pop()
        self.seen += events


@pytest.fixture
def listener(stage: Stage) -> Listener:
    listener = Listener()
    stage.world.core.plugins.manager.register(listener, name="listener")
    return listener


def cursor(stage: Stage, name: str = "listener") -> JournalCursor | None:
    with stage.world.core.database.read() as session:
        return session.get(JournalCursor, name)


def test_plugin_hears_what_happens_from_its_first_start_on(stage: Stage, listener: Listener, until: Until) -> None:
    stage.world.send("before it was there")
    stage.network.serve = lambda link: stage.network.answer_all(link, lambda _: Accepted(""))
    stage.desire("wire", "stopped")

    async def story() -> None:
        async with stage.engine():
            await until(lambda: cursor(stage) is not None)
            stage.desire("wire", "started")
            await until(lambda: ("sent", 3) in listener.seen)

    stage.play(story())

    assert listener.seen == [("sending", 2), ("sent", 3)]


def test_plugin_that_raises_gets_the_same_batch_again(stage: Stage, listener: Listener, until: Until) -> None:
    listener.trouble = [KeyError("the text of a message")]
    errors: list[str] = []

    async def story() -> None:
        async with stage.engine():
            await until(lambda: cursor(stage) is not None)
            await asyncio.to_thread(stage.world.send)
            await until(lambda: (cursor(stage).last_error or "") != "")
            errors.append(cursor(stage).last_error)
            await until(lambda: listener.seen)
            await until(lambda: cursor(stage).last_error == "")

    stage.play(story())

    assert errors[0].startswith("KeyError in test_duties.py:")
    assert listener.offered[0] == listener.offered[1][: len(listener.offered[0])]
    assert listener.seen[0] == ("queued", 1)


def test_plugin_that_hangs_holds_nothing_up(stage: Stage, listener: Listener, until: Until) -> None:
    """Neither the pipe, nor another plugin, nor the end of the engine waits for it."""
    other = Listener()
    stage.world.core.plugins.manager.register(other, name="other")
    stage.network.serve = lambda link: stage.network.answer_all(link, lambda _: Accepted(""))
    listener.hang = threading.Event()

    async def story() -> None:
        async with stage.engine():
            await until(lambda: cursor(stage) is not None and cursor(stage, "other") is not None)
            number = await asyncio.to_thread(stage.world.send)
            await until(lambda: listener.offered)
            await until(lambda: ("sent", 3) in other.seen)
            assert stage.world.message(number).state == "sent"

    stage.play(story())
    seen = list(listener.seen)
    listener.hang.set()
    for thread in threading.enumerate():
        if thread.name == "duty-journal:listener":
            thread.join(10)

    assert seen == []


def test_scheduled_message_is_sent_when_its_time_has_come(stage: Stage, until: Until) -> None:
    stage.network.serve = lambda link: stage.network.answer_all(link, lambda _: Accepted(""))
    number = stage.world.send(send_at=stage.world.now + timedelta(hours=1))

    async def story() -> None:
        async with stage.engine():
            await stage.network.link()
            stage.world.now += timedelta(hours=2)
            await until(lambda: stage.world.message(number).state == "sent")

    stage.play(story())

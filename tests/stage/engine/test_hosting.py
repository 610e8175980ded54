"""Hosting: connections start, stop and change as operators want, and a connector that fails harms only itself."""

import logging
from typing import Any

import pytest

from pennywire import Accepted, Link, LinkStopped

Stage = Any
Until = Any


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is proved here does not depend on the database."""
    return sqlite_url


def test_connection_starts_and_stops_as_the_operator_wants(stage: Stage, until: Until) -> None:
    stage.desire("wire", "stopped")
    states: list[str] = []

    async def story() -> None:
        async with stage.engine():
            stage.desire("wire", "started")
            await stage.network.link()
            await until(lambda: stage.connection().state == "up")
            states.append(stage.connection().state)
            stage.desire("wire", "stopped")
            await until(lambda: stage.connection().state == "down")
            stage.desire("wire", "started")
            await stage.network.link(2)

    stage.play(story())

    assert states == ["up"]


def test_change_of_a_setting_opens_the_link_anew(stage: Stage) -> None:
    async def story() -> None:
        async with stage.engine():
            await stage.network.link()
            stage.edit("wire", address="there")
            await stage.network.link(2)

    stage.play(story())

    assert [values["address"] for values in stage.network.settings] == ["here", "there"]


def test_change_of_something_else_leaves_the_link_alone(stage: Stage, until: Until) -> None:
    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            stage.world.user("berta")
            stage.world.send()
            (submission,) = await link.take(1)
            link.outcome(submission, Accepted(""))
            await until(lambda: stage.counts() == {})

    stage.play(story())

    assert len(stage.network.links) == 1


def test_connector_that_raises_is_named_and_started_again(stage: Stage, until: Until, caplog: pytest.LogCaptureFixture) -> None:
    """What it raised may quote a text, so only its type and place are told."""

    async def serve(link: Link) -> None:
        if len(stage.network.links) == 1:
            raise KeyError("the text of a message")
        await link.stopped()

    stage.network.serve = serve
    lines: list[str] = []

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.connection().state == "failed")
            await stage.network.link(2)
            await until(lambda: stage.connection().state == "connecting")
            lines.extend(stage.connection().lines)

    with caplog.at_level(logging.ERROR):
        stage.play(story())

    assert any("KeyError in test_hosting.py:" in line and "again in 1 s" in line for line in lines)
    assert "of plugin wiring ended: KeyError" in caplog.text
    assert "the text of a message" not in caplog.text + "".join(lines)


def test_connection_without_its_plugin_fails_with_the_reason(stage: Stage, until: Until) -> None:
    del stage.world.core.plugins.connectors["wire"]
    reasons: list[str] = []

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.connection().state == "failed")
            reasons.append(stage.connection().reason)

    stage.play(story())

    assert "no kind of connection 'wire'" in reasons[0]


def test_one_connection_that_fails_does_not_touch_another(stage: Stage, until: Until) -> None:
    stage.world.connection("other")

    async def serve(link: Link) -> None:
        if link.connection == "wire":
            raise RuntimeError
        await stage.network.answer_all(link, lambda _: Accepted(""))

    stage.network.serve = serve
    stage.world.user("carla", credit="10", route_override_allowed=True)

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.connection().state == "failed")
            number = stage.world.send(user="carla", provider="other")
            await until(lambda: stage.world.message(number).state == "sent")

    stage.play(story())

    assert len([link for link in stage.network.links if link.connection == "other"]) == 1


def test_lines_are_one_line_each_and_end_with_a_mark_where_they_flood(stage: Stage, until: Until) -> None:
    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            link.log("first\nsecond\x1b[2J")
            for number in range(2_000):
                link.log(f"line {number}")
            await until(lambda: any("left out" in line for line in stage.connection().lines))

    stage.play(story())

    lines = stage.connection().lines
    assert "first second [2J" in lines
    assert len(lines) < 300


def test_link_that_is_to_end_gives_no_more_work(stage: Stage) -> None:
    stage.world.send()

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            stage.desire("wire", "stopped")
            await link.stopped()
            with pytest.raises(LinkStopped):
                await link.take(1)

    stage.play(story())

    assert stage.counts() == {0: 1}

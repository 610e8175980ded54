"""Settings of plugins themselves: typed, checked by the plugin, secrets encrypted, and delivered to its hooks."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import administration, following, plugins, rotation
from app.administration import MASK, InvalidField, NotThere
from app.engine.consumers import BATCH, IDLE_S, LATE_S, LONGEST_REST_S, Consumer, make_consumers
from app.engine.duties import waited_s
from app.models import AuditEntry, JournalCursor, PluginSettings
from app.plugins import PluginInfo
from pennywire import Event, InvalidSetting, MessageView, NotTaken, Setting, SettingType, hookimpl

World = Any
Line = Any
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)


class Pigeon:
    """A plugin with settings that listens to the journal while it has a loft."""

    def __init__(self) -> None:
        self.heard: list[tuple[Sequence[Event], Mapping[str, MessageView], Mapping[str, Any]]] = []
        self.refuses = ""

    @hookimpl
    def register_settings(self) -> Sequence[Setting]:
        return (
            Setting("loft", "Loft", max_length=20),
            Setting("password", "Password", SettingType.SECRET),
            Setting("count", "Pigeons", SettingType.INTEGER, default=3, minimum=1),
        )

    @hookimpl
    def check_settings(self, settings: Mapping[str, Any]) -> None:
        if settings["password"] and not settings["loft"]:
            raise InvalidSetting("loft", "There is a password and no loft. Name the loft.")

    @hookimpl
    def follows_journal(self, settings: Mapping[str, Any]) -> bool:
        return bool(settings["loft"])

    @hookimpl
    def message_events(self, batch: Sequence[Event], messages: Mapping[str, MessageView], settings: Mapping[str, Any]) -> None:
        if self.refuses:
            raise NotTaken(self.refuses)
        self.heard.append((batch, messages, settings))


@pytest.fixture
def pigeon(world: World) -> Pigeon:
    bird = Pigeon()
    loaded = world.core.plugins
    loaded.manager.register(bird, name="pigeon")
    loaded.infos["pigeon"] = PluginInfo("pigeon", enabled=True)
    plugins._collect_settings(loaded)  # noqa: SLF001  # As at the start, for a plugin that came without an entry point.
    return bird


def change(world: World, **given: Any) -> None:
    core = world.core
    with core.database.write() as session:
        administration.set_plugin_settings(session, "pigeon", given, plugins=core.plugins, vault=core.vault, now=world.now, actor="test")
    core.snapshots.reload()


def stored(world: World) -> dict[str, Any]:
    with world.core.database.read() as session:
        return administration.stored_plugin_settings(session, "pigeon")


def consumer(world: World) -> Consumer:
    (made,) = make_consumers(world.core, "engine-of-the-test")
    made.monotonic = made.waited_s = lambda: 0.0
    return made


@ON_SQLITE
@pytest.mark.parametrize(
    ("given", "field"),
    [({"count": "0"}, "count"), ({"loft": "x" * 21}, "loft"), ({"wings": "2"}, "wings"), ({"password": "p"}, "loft")],
)
def test_what_is_refused_changes_nothing(world: World, pigeon: Pigeon, given: dict[str, Any], field: str) -> None:  # noqa: ARG001
    with pytest.raises(InvalidField) as error:
        change(world, **given)

    assert error.value.field == field
    assert stored(world) == {}


@ON_SQLITE
def test_a_plugin_without_settings_says_so(world: World, pigeon: Pigeon) -> None:  # noqa: ARG001
    world.core.plugins.settings.pop("pigeon")
    with pytest.raises(NotThere, match="has no settings"):
        change(world, loft="roof")


@ON_SQLITE
def test_secrets_are_encrypted_masked_and_kept(world: World, pigeon: Pigeon) -> None:  # noqa: ARG001
    core = world.core
    change(world, loft="roof", password="coo coo")
    first = stored(world)
    change(world, password=MASK, count="5")
    second = stored(world)
    shown = administration.shown_plugin_settings(core.plugins, "pigeon", second)
    live = administration.live_plugin_settings(core.plugins, core.vault, "pigeon", second)
    with core.database.read() as session:
        audited = [(row.before, row.after) for row in session.scalars(select(AuditEntry).where(AuditEntry.subject == "plugin pigeon"))]

    assert first["password"].startswith("enc:")
    assert second == first | {"count": 5}
    assert shown == {"loft": "roof", "password": MASK, "count": 5}
    assert live == {"loft": "roof", "password": "coo coo", "count": 5}
    assert len(audited) == 2
    assert "coo coo" not in json.dumps(audited)
    assert "enc:" not in json.dumps(audited)


@ON_SQLITE
def test_a_new_key_takes_the_settings_of_plugins_with_it(world: World, pigeon: Pigeon) -> None:  # noqa: ARG001
    change(world, loft="roof", password="coo coo")
    before = stored(world)
    rotated = rotation.rotate(world.core.database, world.core.vault, now=world.now, actor="test")
    live = administration.live_plugin_settings(world.core.plugins, world.core.vault, "pigeon", stored(world))

    assert rotated == 1
    assert stored(world) != before
    assert live["password"] == "coo coo"


def test_a_plugin_hears_of_messages_with_its_settings(world: World, line: Line, pigeon: Pigeon) -> None:
    listener = consumer(world)
    change(world, loft="roof", password="coo coo")
    listener.turn()
    number = world.send("a text", client_reference="order 7")
    world.accept(line, "n1")
    for _ in range(200):
        listener.turn()
        if sum(len(batch) for batch, _, _ in pigeon.heard) == 3:
            break

    events = [event.kind for batch, _, _ in pigeon.heard for event in batch]
    _, messages, settings = pigeon.heard[-1]
    (message,) = messages.values()
    assert events == ["queued", "sending", "sent"]
    assert settings == {"loft": "roof", "password": "coo coo", "count": 3}
    assert (message.text, message.username, message.state, message.client_reference) == ("a text", "anna", "sent", "order 7")
    assert (message.price_uc, message.route, message.connection, message.network_ids) == (2_000_000, "all", "wire", ("n1",))
    assert message.network_at == world.now
    assert world.message(number).version == message.version


def test_a_view_takes_its_columns_in_the_order_of_its_fields() -> None:
    names = [field.name for field in dataclasses.fields(MessageView)]
    head, middle, tail = following._HEAD, following._MIDDLE, following._TAIL  # noqa: SLF001  # They are passed on by place.

    assert names == [
        *("message_id", "direction", "username", *head, "alphabet", *middle, "route", "provider", "connection", *tail),
        *("sent_through_backup", "network_at", "handset_at", "segments"),
    ]


@ON_SQLITE
def test_nothing_is_kept_for_a_plugin_that_does_not_follow(world: World, line: Line, pigeon: Pigeon) -> None:  # noqa: ARG001
    listener = consumer(world)
    change(world, loft="roof")
    listener.turn()
    change(world, loft="")
    listener.turn()
    world.send("unheard")
    with world.core.database.read() as session:
        cursors = session.scalars(select(JournalCursor.consumer)).all()
    change(world, loft="roof")
    for _ in range(3):
        listener.turn()

    assert cursors == []
    assert pigeon.heard == []


@ON_SQLITE
def test_what_is_not_taken_comes_again_after_a_pause_that_grows(world: World, line: Line, pigeon: Pigeon) -> None:  # noqa: ARG001
    listener, clock = consumer(world), [0.0]
    listener.monotonic = lambda: clock[0]
    change(world, loft="roof")
    listener.turn()
    world.send("kept")
    pigeon.refuses = "The loft is closed."
    pauses = []
    for _ in range(200):
        listener.turn()
        if listener._again_at:  # noqa: SLF001  # The pause itself is what is looked at.
            break
    for _ in range(4):
        pauses.append(listener._again_at - clock[0])  # noqa: SLF001
        clock[0] = listener._again_at  # noqa: SLF001
        listener.turn()
    with world.core.database.read() as session:
        error = session.get_one(JournalCursor, "pigeon").last_error
    pigeon.refuses = ""
    change(world, loft="tower")
    listener.turn()

    assert pauses == [1, 2, 4, 8]
    assert error == "The loft is closed."
    assert [event.kind for batch, _, _ in pigeon.heard for event in batch] == ["queued"]
    assert BATCH >= 500


@ON_SQLITE
@pytest.mark.parametrize(
    ("waited_s", "age_s", "pause_s"),
    [
        pytest.param(0.0, 0, IDLE_S, id="nobody wants the processor"),
        pytest.param(0.05, 0, 0.5, id="others want it"),
        pytest.param(5.0, 0, LONGEST_REST_S, id="many want it"),
        pytest.param(5.0, LATE_S, LONGEST_REST_S, id="almost late"),
        pytest.param(5.0, LATE_S + 1, IDLE_S, id="late"),
    ],
)
def test_a_consumer_rests_while_others_want_the_processor_and_it_is_not_late(
    world: World,
    line: Line,  # noqa: ARG001
    pigeon: Pigeon,
    waited_s: float,
    age_s: float,
    pause_s: float,
) -> None:
    listener = consumer(world)
    change(world, loft="roof")
    listener.turn()
    world.send("a text")
    world.now += timedelta(seconds=age_s)
    waits = iter([7.0, 7.0 + waited_s])
    listener.waited_s = lambda: next(waits)

    assert listener.turn() == pytest.approx(pause_s)
    assert len(pigeon.heard) == 1


def test_this_thread_knows_how_long_it_waited_for_a_processor() -> None:
    before = waited_s()

    assert 0.0 <= before <= waited_s()


@ON_SQLITE
def test_settings_that_a_newer_version_refuses_stop_only_their_plugin(world: World, line: Line, pigeon: Pigeon) -> None:  # noqa: ARG001
    listener = consumer(world)
    change(world, loft="roof")
    listener.turn()
    with world.core.database.write() as session:
        session.get_one(PluginSettings, "pigeon").settings = {"loft": "roof", "count": 0}
        administration.changed(session)
    world.core.snapshots.reload()
    pauses = [listener.turn() for _ in range(3)]
    with world.core.database.read() as session:
        error = session.get_one(JournalCursor, "pigeon").last_error

    assert error == "Pigeons must be at least 1."
    assert pauses == [0.5] * 3
    assert listener._pause_s == 1.0  # noqa: SLF001  # It was tried once: the pause holds although nothing was ever read.

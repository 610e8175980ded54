"""The configuration in memory: how old it may be, and what happens when it changes under a decision."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from app import administration, ledger, messages
from app.db import Database, Unavailable
from app.messages import Request
from app.models import Route
from app.refusals import RequestRefused
from app.snapshot import CHECK_EVERY_S, SnapshotCache, StaleSnapshot
from pennywire import Draft

World = Any
TO = "+36201234567"


class Stopwatch:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch(world: World) -> Stopwatch:
    """A world whose configuration in memory grows old only when the test says so."""
    world.user(credit="100")
    world.connection()
    world.route(cost="2")
    watch = Stopwatch()
    world.core.snapshots.monotonic = watch
    world.core.snapshots.reload()
    return watch


def change(world: World, **values: Any) -> None:
    """Change a user's settings as another process would."""
    with world.core.database.write() as session:
        administration.edit_user(session, "anna", now=world.now, actor="test", **values)


def change_price(world: World, cost: str) -> None:
    with world.core.database.write() as session:
        session.query(Route).update({"cost_uc": ledger.parse_credits(cost)})
        administration.changed(session)


def test_change_of_rights_is_seen_within_the_second(world: World, watch: Stopwatch) -> None:
    change(world, active=False)

    watch.seconds += CHECK_EVERY_S - 0.01
    before = world.core.snapshots.present().users["anna"].active
    watch.seconds += 0.01
    after = world.core.snapshots.present().users["anna"].active

    assert (before, after) == (True, False)
    assert CHECK_EVERY_S < 1


def test_nothing_is_read_again_while_nothing_has_changed(world: World, watch: Stopwatch) -> None:
    first = world.core.snapshots.present()
    watch.seconds += 10 * CHECK_EVERY_S

    assert world.core.snapshots.present() is first


@pytest.mark.usefixtures("watch")
def test_switched_off_user_is_refused_at_once_even_by_an_old_snapshot(world: World) -> None:
    """The transaction sees that the decision was made on an older configuration, and has it made again."""
    change(world, active=False)

    answer = world.submit(Draft(TO, "x"))

    assert [result.code for result in answer.results] == ["user_suspended"]
    assert world.messages() == []


@pytest.mark.usefixtures("watch")
def test_price_that_changed_after_the_decision_is_the_one_that_is_charged(world: World) -> None:
    change_price(world, "5")

    (result,) = world.submit(Draft(TO, "x")).results

    assert result.price_uc == 5 * ledger.MICRO
    assert world.money() == ("100", "5")


@pytest.mark.usefixtures("watch")
def test_price_stays_with_the_message_when_it_changes_later(world: World) -> None:
    number = world.send()
    change_price(world, "5")
    line = world.core.snapshots.reload().providers["wire"][0]

    world.accept(line, "n")

    assert world.message(number).price_uc == 2 * ledger.MICRO
    assert world.money() == ("98", "0")


@pytest.mark.usefixtures("watch")
def test_decision_on_another_version_is_not_admitted(world: World) -> None:
    snapshot = world.core.snapshots.present()
    prepared = messages.prepare(snapshot, Request(snapshot.users["anna"], (Draft(TO, "x"),), "rest"), now=world.now)
    change_price(world, "5")

    with pytest.raises(StaleSnapshot), world.core.database.write() as session:
        messages.admit(session, [prepared], ids=world.core.ids, now=world.now)

    assert world.messages() == []


@pytest.mark.usefixtures("watch")
def test_configuration_that_never_rests_refuses_and_charges_nothing(world: World) -> None:

    with changing_before_each_admission(world), pytest.raises(RequestRefused) as refused:
        world.submit(Draft(TO, "x"))

    assert refused.value.refused.code == "unavailable"
    assert world.messages() == []


@contextmanager
def changing_before_each_admission(world: World) -> Iterator[None]:
    """Raise the version whenever a writer begins, in its own transaction: the worst that other processes could do."""
    engine = world.core.database.engine

    def disturb(session_connection: Any, *_: Any) -> None:
        if session_connection.get_execution_options().get("writes"):
            session_connection.exec_driver_sql("UPDATE configuration SET version = version + 1")

    event.listen(engine, "begin", disturb)
    try:
        yield
    finally:
        event.remove(engine, "begin", disturb)


class Away(Database):
    """A database whose time-out of four seconds is the test's."""

    def __init__(self, database: Database, watch: Stopwatch) -> None:
        super().__init__(database.engine)
        self.watch = watch
        self.read_count = 0
        self.waiting, self.go_on = threading.Event(), threading.Event()

    @contextmanager
    def read(self) -> Iterator[Session]:
        self.read_count += 1
        self.waiting.set()
        assert self.go_on.wait(10)
        self.watch.seconds += 4
        raise Unavailable("away")
        yield


def test_thread_that_waited_for_another_s_failure_does_not_wait_again(world: World, watch: Stopwatch) -> None:
    """Eight threads would else take turns at the time-out."""
    away = Away(world.core.database, watch)
    cache = SnapshotCache(away, world.core.plugins, monotonic=watch)
    failures: list[Exception] = []

    def ask() -> None:
        try:
            cache.present()
        except Unavailable as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    threads[0].start()
    assert away.waiting.wait(10)
    for thread in threads[1:]:
        thread.start()
    away.go_on.set()
    for thread in threads:
        thread.join()

    assert len(failures) == 8
    assert away.read_count == 1

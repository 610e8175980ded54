"""Group commit: who waits together is stored together, a bad item harms itself alone, and nobody is told what is not known."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.config import Settings
from app.core import open_core
from app.db import CommitFailed, Database, Unavailable
from app.identifiers import IdMaker
from app.intake import GroupCommit, Intake
from app.messages import Request
from app.models import Option, table
from app.refusals import RequestRefused
from pennywire import Draft

World = Any
ANSWER_S = 5.0
"""Within this time a client is told that nothing was accepted."""


@pytest.fixture(autouse=True)
def customer(world: World) -> Any:
    world.user(credit="100")
    world.connection()
    world.route(cost="2")
    return world.core.snapshots.present().users["anna"]


class Gate:
    """Work that holds its first batch until the test lets it go, so that the others gather."""

    def __init__(self, work: Callable[[Session, list[Any]], list[Any]]) -> None:
        self.batches: list[list[Any]] = []
        self.entered, self.open = threading.Event(), threading.Event()
        self._work = work

    def __call__(self, session: Session, items: list[Any]) -> list[Any]:
        self.batches.append(items)
        self.entered.set()
        assert self.open.wait(10)
        return self._work(session, items)


def store(session: Session, items: list[str]) -> list[str]:
    """Write one row for each item; `poison` breaks the statement for the whole batch."""
    session.execute(insert(table(Option)), [{"name": None if item == "poison" else item, "value": {"value": 1}} for item in items])
    return [item.upper() for item in items]


def stored(world: World) -> set[str]:
    with world.core.database.read() as session:
        return set(session.scalars(select(Option.name)))


def together(group: GroupCommit[str, str], gate: Gate, items: list[str]) -> list[Any]:
    """Do a first item, gather the others behind it, and return what each got: a result or an exception."""

    def do(item: str) -> Any:
        try:
            return group.do(item)
        except Exception as error:  # noqa: BLE001  # The test looks at it.
            return error

    with ThreadPoolExecutor(len(items)) as pool:
        futures = [pool.submit(do, items[0])]
        assert gate.entered.wait(10)
        futures += [pool.submit(do, item) for item in items[1:]]
        until(lambda: len(group._queue) == len(items) - 1)  # noqa: SLF001  # Nothing else says that all of them wait.
        gate.open.set()
        return [future.result() for future in futures]


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.005)


def test_items_that_gather_share_one_transaction(world: World) -> None:
    gate = Gate(store)

    results = together(GroupCommit(world.core.database, gate), gate, ["first", "b", "c", "d"])

    assert results == ["FIRST", "B", "C", "D"]
    assert [sorted(batch) for batch in gate.batches] == [["first"], ["b", "c", "d"]]


def test_batches_are_no_larger_than_allowed(world: World) -> None:
    gate = Gate(store)

    together(GroupCommit(world.core.database, gate, largest_batch=2), gate, ["first", "b", "c", "d"])

    assert [len(batch) for batch in gate.batches] == [1, 2, 1]


def test_poison_harms_only_itself(world: World) -> None:
    gate = Gate(store)

    results = together(GroupCommit(world.core.database, gate), gate, ["first", "b", "poison", "d"])

    assert [result for result in results if isinstance(result, str)] == ["FIRST", "B", "D"]
    assert isinstance(results[2], Exception)
    assert stored(world) == {"first", "b", "d"}


def test_work_may_return_nothing(world: World) -> None:
    group: GroupCommit[str, None] = GroupCommit(world.core.database, lambda _session, items: [None] * len(items))

    assert group.do("x") is None


def test_missing_result_keeps_the_whole_batch_from_being_stored(world: World) -> None:
    """Seen after COMMIT, it would have every item done a second time."""
    gate = Gate(lambda session, items: store(session, items)[: len(items) - 1] if len(items) > 1 else store(session, items))

    results = together(GroupCommit(world.core.database, gate), gate, ["first", "b", "c"])

    assert results == ["FIRST", "B", "C"]
    assert stored(world) == {"first", "b", "c"}


@contextmanager
def failing_commit(engine: Engine, *, after: bool) -> Iterator[None]:
    """Let every COMMIT raise, before or after the database did it."""
    dialect = engine.dialect
    original = dialect.do_commit

    def do_commit(connection: Any) -> None:
        if after:
            original(connection)
        raise OperationalError("COMMIT", None, OSError(5, "Input/output error"))

    dialect.do_commit = do_commit  # type: ignore[method-assign]
    try:
        yield
    finally:
        del dialect.do_commit


@pytest.mark.parametrize("after", [False, True])
def test_failed_commit_is_told_to_everyone_in_the_batch_as_unknown(world: World, after: bool) -> None:
    gate, alarms = Gate(store), []
    group = GroupCommit(world.core.database, gate, on_commit_failure=lambda: alarms.append(1))

    with failing_commit(world.core.database.engine, after=after):
        results = together(group, gate, ["first", "b", "c"])

    assert [type(result) for result in results] == [CommitFailed] * 3
    assert len(alarms) == 2  # one for each of the two transactions
    assert stored(world) == ({"first", "b", "c"} if after else set())


@pytest.mark.parametrize("after", [False, True])
def test_asking_again_with_the_key_tells_the_one_true_outcome(world: World, customer: Any, after: bool) -> None:
    """Whether the failed COMMIT was kept or not: one message, one charge."""
    alarms: list[int] = []
    own = Intake(world.core, on_commit_failure=lambda: alarms.append(1))
    request = Request(customer, (Draft("+36201234567", "x"),), "rest", key="k", fingerprint="f")

    with failing_commit(world.core.database.engine, after=after), pytest.raises(RequestRefused) as refused:
        own.submit(request)
    answer = own.submit(request)

    assert refused.value.refused.code == "unknown_outcome"
    assert alarms == [1]
    assert answer.replayed == after
    assert len(world.messages()) == 1
    assert world.money() == ("100", "2")


def test_process_is_asked_to_end_after_a_failed_commit(world: World, customer: Any) -> None:
    """Its answers leave first; then another process goes on, with connections of its own."""
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    try:
        with failing_commit(world.core.database.engine, after=False), pytest.raises(RequestRefused):
            Intake(world.core).submit(Request(customer, (Draft("+36201234567", "x"),), "rest"))
    finally:
        signal.signal(signal.SIGTERM, before)

    assert asked == [signal.SIGTERM]


# A database that cannot.


def hold_lock(world: World, session: Session) -> None:
    """Hold what every acceptance needs, as a stranger would."""
    if world.core.database.dialect == "postgresql":
        session.execute(text("SELECT id FROM accounts FOR UPDATE"))
    else:
        session.execute(text("UPDATE configuration SET version = version"))


def all_answers(own: Intake, customer: Any, count: int = 6) -> list[tuple[str, float]]:
    """Submit from several threads and return each one's refusal with the seconds it took."""

    def one(number: int) -> tuple[str, float]:
        began = time.monotonic()
        try:
            own.submit(Request(customer, (Draft("+36201234567", f"number {number}"),), "rest"))
        except RequestRefused as error:
            return error.refused.code, time.monotonic() - began
        return "accepted", time.monotonic() - began

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(one, number) for number in range(count)]
        wait(futures)
    return [future.result() for future in futures]


def assert_refused_in_time(world: World, answers: list[tuple[str, float]]) -> None:
    assert {code for code, _ in answers} == {"unavailable"}
    assert max(seconds for _, seconds in answers) < ANSWER_S
    assert world.messages() == []
    assert world.money() == ("100", "0")


def test_locked_database_refuses_everyone_in_time_and_recovers(world: World, customer: Any) -> None:
    stranger = Database(world.core.database.engine.execution_options())
    stranger._turnstile = None  # noqa: SLF001  # A stranger does not queue with our writers.
    with stranger.write() as session:
        hold_lock(world, session)
        answers = all_answers(world.intake, customer)

    assert_refused_in_time(world, answers)
    assert [code for code, _ in all_answers(world.intake, customer, 1)] == ["accepted"]


def test_long_writer_of_our_own_refuses_everyone_in_time(world: World, customer: Any) -> None:
    with world.core.database.write() as session:
        hold_lock(world, session)
        answers = all_answers(world.intake, customer)

    assert_refused_in_time(world, answers)


def test_read_only_database_refuses_and_recovers(world: World, customer: Any) -> None:
    database = world.core.database
    statement = "PRAGMA query_only=ON" if database.dialect == "sqlite" else "SET default_transaction_read_only = on"

    def make_read_only(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        connection.commit()

    database.engine.dispose()
    event.listen(database.engine, "connect", make_read_only)
    answers = all_answers(world.intake, customer)
    event.remove(database.engine, "connect", make_read_only)
    database.engine.dispose()

    assert_refused_in_time(world, answers)
    assert [code for code, _ in all_answers(world.intake, customer, 1)] == ["accepted"]


def away(world: World, tmp_path: Path, dead_end: str) -> str:
    """Return the URL of a database that is not there."""
    if world.core.database.dialect == "sqlite":
        return f"sqlite+pysqlite:///{tmp_path / 'no such folder' / 'test.sqlite3'}"
    url = world.core.database.engine.url
    host, _, port = dead_end.rpartition(":")
    return str(url.set(host=host, port=int(port)).render_as_string(hide_password=False))


@pytest.fixture(params=["refuses", "is silent"])
def dead_end(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address where nobody listens, or where somebody takes the connection and never says a word."""
    import socket  # noqa: PLC0415

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            server.listen(64)
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_database_that_is_away_refuses_everyone_in_time(world: World, customer: Any, tmp_path: Path, dead_end: str) -> None:
    settings = Settings(data=tmp_path / "other", database_url=away(world, tmp_path, dead_end))
    core = open_core(settings, plugins=world.core.plugins)

    answers = all_answers(Intake(core, on_commit_failure=lambda: None), customer)
    core.close()

    assert_refused_in_time(world, answers)


def test_who_waits_behind_a_batch_that_met_no_database_is_not_kept_for_another_time_out(world: World) -> None:
    def fail(_session: Session, _items: list[str]) -> list[str]:
        raise Unavailable("away")

    gate = Gate(fail)

    results = together(GroupCommit(world.core.database, gate), gate, ["first", "b", "c"])

    assert [type(result) for result in results] == [Unavailable] * 3
    assert gate.batches == [["first"]]


# Ids.


class Unlucky(IdMaker):
    """Gives out ids that another process gave out before, once."""

    def __init__(self, taken: list[int]) -> None:
        super().__init__()
        self._taken = taken

    def take(self, count: int) -> list[int]:
        if self._taken:
            taken, self._taken = self._taken, []
            return taken
        return super().take(count)


def test_ids_that_are_taken_are_made_again(world: World) -> None:
    first = world.send()
    world.core = world.intake._core = replace(world.core, ids=Unlucky([first]))  # noqa: SLF001  # The maker is the process's own.

    second = world.send("second")

    assert second != first
    assert [message.text for message in world.messages()] == ["hello", "second"]
    assert world.money() == ("100", "4")

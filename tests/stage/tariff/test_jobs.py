"""Imports as jobs, on both databases: killed, cancelled, begun again, and what their reports say."""

import io
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pennywire_tariff import comparing, importing, jobs, lists, networks, previews, rows, words
from pennywire_tariff.models import Entry, NetworkMap, NetworkPrefix, PriceList, Version
from pennywire_tariff.parsing import Form
from sqlalchemy import delete, func, select, update

from app.engine.jobs import JobRunner
from app.models import Job
from pennywire import InvalidSetting, JobState, JobView

Desk = Any
TURNS = 1000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let five lines be a long file, which goes in by chunks of seven."""
    monkeypatch.setattr(jobs, "SMALL_LINES", 4)
    monkeypatch.setattr(importing, "CHUNK", 7)
    monkeypatch.setattr(rows, "CHUNK", 7)


def text_of(count: int = 50) -> str:
    return "".join(f"36{number};0.{number}\n" for number in range(100, 100 + count))


def start(desk: Desk, text: str, name: str = "Retail") -> int:
    number = jobs.start_import(desk.gateway, name, io.BytesIO(text.encode()), Form(), origin="prices.csv")
    assert isinstance(number, int)
    return number


def engine(desk: Desk, engine_id: str = "one") -> JobRunner:
    return JobRunner(desk.world.core, engine_id, worked_at=lambda: 0.0, on_failure=lambda _error: None)


def job(desk: Desk, number: int) -> JobView:
    found = jobs.find_job(desk.gateway, number)
    assert found is not None
    return found


def turn_until(duty: JobRunner, condition: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(TURNS):
        duty.turn()
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("It never happened.")


def finish(desk: Desk, number: int, engine_id: str = "one") -> JobView:
    turn_until(engine(desk, engine_id), lambda: job(desk, number).state.is_end)
    return job(desk, number)


def entry_count(desk: Desk) -> int:
    with desk.gateway.read() as session:
        return session.scalar(select(func.count()).select_from(Entry)) or 0


class Hold:
    """Holds the first import behind its second chunk until the test lets it go on, and hears how it ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.released, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.error = ""
        self._parse, self._import = importing.parse, importing.import_version
        monkeypatch.setattr(importing, "parse", self.parse)
        monkeypatch.setattr(importing, "import_version", self.import_version)
        monkeypatch.setattr("app.engine.jobs.BEAT_S", 0.0)

    def parse(self, file: Any, form: Form) -> Iterator[Any]:
        for index, item in enumerate(self._parse(file, form)):
            if index == 15 and not self.reached.is_set():
                self.reached.set()
                self.released.wait(20)
            yield item

    def import_version(self, *arguments: Any, **named: Any) -> Any:
        try:
            return self._import(*arguments, **named)
        except BaseException as error:
            self.error = type(error).__name__
            self.ended.set()
            raise


@pytest.mark.usefixtures("small")
def test_a_short_file_is_imported_at_once_and_a_long_one_by_an_engine(desk: Desk) -> None:
    desk.list()
    at_once = jobs.start_import(desk.gateway, "Retail", io.BytesIO(b"36;1\n43;1\n"), Form(), origin="x")
    number = start(desk, text_of())
    waiting = job(desk, number)
    done = finish(desk, number)

    assert isinstance(at_once, importing.Report)
    assert (waiting.state, waiting.payload["lines"], waiting.payload["origin"]) == (JobState.WAITING, 50, "prices.csv")
    assert (done.state, done.done_count, done.total_count) == (JobState.DONE, 50, 50)
    assert done.result is not None
    assert (done.result["version"], done.result["entry_count"]) == (2, 50)
    assert desk.states() == {1: "draft", 2: "draft"}
    with desk.gateway.read() as session:
        version = lists.find_version(session, lists.find_list(session, "Retail"), 2)
        assert (version.created_by, version.origin, version.job_number) == ("root", "prices.csv", number)


def test_a_long_file_is_one_of_many_octets_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SMALL_OCTETS", 10)
    desk.list()

    done = finish(desk, start(desk, "36;1;;;A long name\n"))

    assert done.result is not None
    assert (done.result["version"], done.payload["lines"]) == (1, 1)


@pytest.mark.usefixtures("small")
def test_a_long_file_with_wrong_lines_is_done_with_a_report_that_names_them(desk: Desk) -> None:
    desk.list()

    done = finish(desk, start(desk, "prefix;price\n36;1\nx;1\n43;-1\n999;1\n36;2\n"))

    assert done.state is JobState.DONE
    assert done.result is not None
    assert [line for line, _words in done.result["errors"]] == [3, 4, 6]
    assert done.result["warnings"] == [[5, "No numbering plan knows the prefix 999."]]
    assert (done.result["version"], desk.states(), entry_count(desk)) == (None, {}, 0)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("after", ["in the middle", "at the end"])
def test_an_import_whose_engine_died_is_begun_again_and_leaves_one_version(desk: Desk, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    """What dies in the middle leaves a version that is loading; what dies at the end, a draft whose job knows nothing of it."""
    desk.list()
    number = start(desk, text_of())
    if after == "at the end":
        done = finish(desk, number)
        with desk.gateway.write() as session:
            session.execute(update(Job).values(state="running", engine_id="dead", lease_until=desk.world.now, result=None))
    else:
        hold = Hold(monkeypatch)
        dying = engine(desk)
        turn_until(dying, hold.reached.is_set)
        assert (desk.states(), entry_count(desk)) == ({1: "loading"}, 14)
        with desk.gateway.write() as session:
            session.execute(update(Job).values(engine_id="dead", lease_until=desk.world.now))

    again = finish(desk, number, "two")

    assert again.state is JobState.DONE
    assert again.result is not None
    assert (again.result["entry_count"], again.result["version"]) == (50, 1)
    assert (desk.states(), entry_count(desk)) == ({1: "draft"}, 50)
    if after == "in the middle":
        # The first engine was not dead, it only hung: its thread goes on now, and may not write any more.
        hold.released.set()
        assert hold.ended.wait(20)
        assert hold.error == "JobStopped"
        assert (desk.states(), entry_count(desk)) == ({1: "draft"}, 50)
    else:
        assert again.result == done.result


@pytest.mark.usefixtures("small")
def test_an_import_that_is_cancelled_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.list()
    hold = Hold(monkeypatch)
    number = start(desk, text_of())
    duty = engine(desk)
    turn_until(duty, hold.reached.is_set)
    with pytest.raises(InvalidSetting, match=f"Job {number} is importing version 1"):
        importing.discard_draft(desk.gateway, "Retail", 1)
    desk.gateway.cancel_job(number)
    duty.turn()
    hold.released.set()
    turn_until(duty, lambda: job(desk, number).state.is_end)

    assert job(desk, number).state is JobState.CANCELLED
    assert (desk.states(), entry_count(desk)) == ({}, 0)
    assert jobs.open_jobs(desk.gateway, found_list(desk)) == []


@pytest.mark.usefixtures("small")
def test_a_half_loaded_version_of_a_job_that_is_no_more_is_ignored_and_can_be_discarded(desk: Desk) -> None:
    desk.list()
    number = start(desk, text_of())
    with desk.gateway.write() as session:
        session.add(
            Version(list_id=found_list(desk).id, number=1, job_number=number, created_at=desk.world.now, created_by="root", origin="x")
        )
    with pytest.raises(InvalidSetting, match="Cancel the job"):
        importing.discard_draft(desk.gateway, "Retail", 1)
    desk.gateway.cancel_job(number)
    with pytest.raises(InvalidSetting):
        desk.activate("Retail", 1)
    importing.discard_draft(desk.gateway, "Retail", 1)

    assert desk.states() == {}


@pytest.mark.usefixtures("small")
def test_a_list_may_be_renamed_while_its_file_waits_and_one_that_was_removed_fails_in_words(desk: Desk) -> None:
    desk.list()
    renamed, removed = start(desk, text_of()), start(desk, text_of())
    with desk.gateway.write() as session:
        lists.edit_list(desk.gateway, session, lists.find_list(session, "Retail"), name="Shops", currency="")
    first = finish(desk, renamed)
    with desk.gateway.write() as session:
        session.execute(delete(PriceList))
    second = finish(desk, removed)

    assert first.result is not None
    assert first.result["version"] == 1
    assert (second.state, second.error) == (JobState.FAILED, "The price list Retail was removed meanwhile.")


def found_list(desk: Desk) -> PriceList:
    with desk.gateway.read() as session:
        return lists.find_list(session, "Retail")


def test_a_file_that_is_too_long_is_refused_before_an_engine_reads_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SMALL_LINES", 1)
    monkeypatch.setattr(importing, "MOST_LINES", 49)
    desk.list()

    found = jobs.start_import(desk.gateway, "Retail", io.BytesIO(text_of(51).encode()), Form(), origin="x")

    assert isinstance(found, importing.Report)
    assert found.failure.startswith("The file has more than 49 lines.")
    assert desk.gateway.jobs(jobs.OURS) == []


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("left", ["loading", "ready"])
def test_a_long_table_of_networks_is_imported_once_however_often_it_is_begun(desk: Desk, left: str) -> None:
    text = b"prefix;mcc;mnc\n" + b"".join(b"36%d;216;30\n" % number for number in range(100, 120))
    networks.import_map(desk.gateway, io.BytesIO(b"36;216;01"), Form())
    number = jobs.start_networks(desk.gateway, io.BytesIO(text), Form(), origin="n.csv")
    assert isinstance(number, int)
    first = finish(desk, number)
    with desk.gateway.write() as session:
        session.execute(update(NetworkMap).values(state=left))
        session.execute(update(Job).values(state="running", engine_id="dead", lease_until=desk.world.now, result=None))
    again = finish(desk, number, "two")

    assert (first.state, first.done_count, first.total_count) == (JobState.DONE, 20, 21)
    assert again.result == first.result
    assert again.result is not None
    assert again.result["entry_count"] == 20
    with desk.gateway.read() as session:
        assert [(row.state, row.entry_count, row.origin) for row in session.scalars(select(NetworkMap))] == [("ready", 20, "n.csv")]
        assert session.scalar(select(func.count()).select_from(NetworkPrefix)) == 20


# Previews.


def preview(desk: Desk, number: int, **values: Any) -> comparing.Preview | JobView:
    with desk.gateway.read() as session:
        row = lists.find_list(session, "Retail")
        version = lists.find_version(session, row, number)
    return previews.preview(desk.gateway, row, version, at=values.pop("at", None), month=values.pop("month", ""), **values)


def previewed(desk: Desk, number: int, **values: Any) -> comparing.Preview:
    found = preview(desk, number, **values)
    assert isinstance(found, comparing.Preview)
    return found


@pytest.fixture
def long(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> int:
    """A list whose second version is a long draft, a customer who pays by the first, and a message of last month."""
    monkeypatch.setattr(comparing, "CHUNK", 7)
    desk.list(text="36100;0.2\n36999;5\n*;1", default=True)
    number: int = desk.version("Retail", text_of() + "*;2\n")
    desk.world.send("x" * 200, "+361011234567")
    desk.world.now += timedelta(days=31)
    monkeypatch.setattr(previews, "MANY_PRICES", 50)
    return number


def test_a_preview_by_an_engine_says_what_one_at_once_says(desk: Desk, long: int, monkeypatch: pytest.MonkeyPatch) -> None:
    job_of = preview(desk, long)
    assert isinstance(job_of, JobView)
    done = finish(desk, job_of.number)
    fresh = previewed(desk, long)
    monkeypatch.setattr(previews, "MANY_PRICES", 1000)
    at_once = previewed(desk, long)

    assert (done.state, done.done_count) == (JobState.DONE, 52)
    assert fresh == at_once
    assert at_once.differences.counts == {"added": 49, "removed": 1, "dearer": 1, "cheaper": 1, "unchanged": 0}
    assert [(bill.username, bill.was_uc, bill.would_uc) for bill in at_once.month.bills] == [("anna", 2_000_000, 202_000)]
    assert words.job_values(done)["result"] == words.preview_values(at_once)


def test_the_same_preview_is_made_once_and_again_when_it_is_old_or_anything_changed(desk: Desk, long: int) -> None:
    def number_of(**values: Any) -> int:
        found = preview(desk, long, **values)
        assert isinstance(found, JobView)
        return found.number

    first, same, month = number_of(), number_of(month="2026-03"), number_of(month="2026-01")
    finish(desk, first)
    assert isinstance(preview(desk, long), comparing.Preview)
    desk.world.now += previews.FRESH_FOR
    old = number_of()
    desk.activate("Retail", long)
    changed = number_of()
    later = number_of(at=desk.world.now + timedelta(days=1))

    assert same == first
    assert len({first, month, old, changed, later}) == 5


def test_a_month_with_many_messages_is_priced_by_an_engine_however_short_the_list(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.list(text="*;1", default=True)
    number = desk.version("Retail", "*;2")
    monkeypatch.setattr(previews, "MANY_MESSAGES", 2)
    for _ in range(2):
        desk.world.send()
    few = preview(desk, number, month="2026-03")
    desk.world.send()
    many = preview(desk, number, month="2026-03")

    assert isinstance(few, comparing.Preview)
    assert isinstance(many, JobView)
    with pytest.raises(InvalidSetting):
        preview(desk, number, month="2026-13")


def test_a_preview_of_a_version_that_was_removed_fails_in_words(desk: Desk, long: int) -> None:
    found = preview(desk, long)
    assert isinstance(found, JobView)
    importing.discard_draft(desk.gateway, "Retail", long)

    done = finish(desk, found.number)

    assert (done.state, done.error) == (JobState.FAILED, "Version 2 of Retail was removed meanwhile.")


@pytest.mark.usefixtures("small")
def test_an_import_lets_its_preview_be_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MANY_PRICES", 4)
    desk.list()
    finish(desk, start(desk, text_of()))
    (made,) = desk.gateway.jobs(previews.PREVIEW)
    finish(desk, made.number)

    assert previewed(desk, 1).differences.counts["added"] == 50

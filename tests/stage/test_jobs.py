"""The queue of jobs, on both databases: what is stored, who may do it, and what is left of it."""

import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app import jobs, leftovers
from app.gateway import OpenGateway
from app.models import Job, JobFile
from pennywire import InvalidSetting, JobKind, JobState, JobStopped, hookimpl

World = Any
KIND = "pigeon.feed"


class Pigeon:
    """A plugin with one kind of jobs."""

    @hookimpl
    def register_jobs(self) -> list[JobKind]:
        return [JobKind(KIND, lambda job: {"fed": len(job.open().read())})]


class Slip:
    """A plugin that takes a name that is not its own."""

    @hookimpl
    def register_jobs(self) -> list[JobKind]:
        return [JobKind("pigeon.drink", lambda _job: {})]


class Broken(io.RawIOBase):
    """An upload that breaks off in its second piece."""

    def __init__(self) -> None:
        self._left = jobs.PIECE_OCTETS

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            raise ConnectionResetError
        self._left -= size
        return b"x" * size


@pytest.fixture
def desk(world: World) -> OpenGateway:
    world.core.plugins.manager.register(Pigeon(), name="pigeon")
    return OpenGateway(world.core, "root", "administrator")


def state(desk: OpenGateway, number: int) -> JobState:
    found = desk.job(number)
    assert found is not None
    return found.state


def claim(desk: OpenGateway, engine: str = "one", *, dead: Any = (), lease_s: float = 60) -> jobs.Claim | None:
    with desk.core.database.write() as session:
        return jobs.claim(session, [KIND], engine, lease_s=lease_s, dead=dead, now=desk.now)


def taken(desk: OpenGateway, engine: str = "one", **values: Any) -> jobs.Claim:
    found = claim(desk, engine, **values)
    assert found is not None
    return found


def check(desk: OpenGateway, found: jobs.Claim) -> None:
    with desk.core.database.write() as session:
        jobs.check(session, found.number, found.token)


def count(desk: OpenGateway, model: Any) -> int:
    with desk.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_file_of_several_pieces_comes_back_as_it_went_in_and_can_be_read_again(
    desk: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PIECE_OCTETS", 7)
    number = desk.start_job(KIND, {"list": "Retail"}, io.BytesIO(b"one;1\ntwo;2\r\nthree;3"))

    with jobs.open_file(desk.core.database, number) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        start = text.read(4)
        text.seek(0)
        lines = list(text)
        file.seek(6)
        behind = file.read()

    assert (start, lines, behind) == ("one;", ["one;1\n", "two;2\r\n", "three;3"], b"two;2\r\nthree;3")
    assert count(desk, JobFile) == 3
    assert state(desk, number) is JobState.WAITING


def test_a_job_whose_file_broke_off_is_not_there(desk: OpenGateway) -> None:
    with pytest.raises(ConnectionResetError):
        desk.start_job(KIND, {}, Broken())

    assert (count(desk, Job), count(desk, JobFile)) == (0, 0)


def test_a_job_whose_file_is_still_coming_is_not_begun_and_fails_when_its_process_died(desk: OpenGateway) -> None:
    number = desk.start_job(KIND, {})
    with desk.write() as session:
        session.execute(update(Job).values(state="receiving"))
    before = claim(desk)
    with desk.write() as session:
        jobs.clean_up(session, now=desk.now + timedelta(hours=2))

    found = desk.job(number)
    assert before is None
    assert found is not None
    assert (found.state, found.error) == (JobState.FAILED, "The file did not come whole. Send it again.")


def test_jobs_are_refused_that_nobody_can_do_or_that_are_too_many(desk: OpenGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_OPEN", 1)
    with pytest.raises(InvalidSetting, match=r"no kind of jobs called pigeon\.drink"):
        desk.start_job("pigeon.drink", {})
    desk.start_job(KIND, {})
    with pytest.raises(InvalidSetting, match="1 jobs have not ended yet"):
        desk.start_job(KIND, {})
    with desk.write() as session:
        # Those of a plugin that nobody enables any more keep no other waiting.
        session.execute(update(Job).values(kind="pigeons.feed"))
    desk.start_job(KIND, {})

    assert count(desk, Job) == 2


def test_jobs_go_with_the_data_of_their_plugin_and_are_told_before(desk: OpenGateway) -> None:
    desk.start_job(KIND, {}, io.BytesIO(b"corn"))
    with desk.core.database.read() as session:
        told = leftovers.survey(session, "pigeon", []).in_words()
        other = leftovers.survey(session, "pig", []).in_words()
    desk.core.database.run(lambda session: leftovers.remove(session, "pigeon", [], now=desk.now, actor="root"))

    assert (told, other) == (["1 job"], [])
    assert (count(desk, Job), count(desk, JobFile)) == (0, 0)


def test_a_plugin_that_takes_another_s_name_is_shown_and_the_others_stay(desk: OpenGateway) -> None:
    desk.core.plugins.manager.register(Slip(), name="slip")

    assert list(desk.core.plugins.job_kinds()) == [KIND]
    assert "must be one of its own" in desk.core.plugins.infos["slip"].error


def test_the_oldest_job_is_begun_first_and_by_one_engine_only(desk: OpenGateway) -> None:
    first, second = desk.start_job(KIND, {"n": 1}), desk.start_job(KIND, {"n": 2})

    found = [claim(desk, engine) for engine in ("one", "two", "three")]

    assert [item and (item.number, item.payload, item.username) for item in found] == [
        (first, {"n": 1}, "root"),
        (second, {"n": 2}, "root"),
        None,
    ]


@pytest.mark.parametrize("gone", [{"dead": ["one"]}, {}], ids=["dead on this machine", "lease over"])
def test_an_engine_that_lost_its_job_can_write_nothing_more_for_it(desk: OpenGateway, gone: dict[str, Any]) -> None:
    number = desk.start_job(KIND, {})
    old = taken(desk, lease_s=60 if gone else -1)
    check(desk, old)
    new = taken(desk, "two", **gone)

    assert (new.number, new.token) == (number, old.token + 1)
    with pytest.raises(JobStopped):
        check(desk, old)
    with desk.core.database.write() as session:
        heard = jobs.beat(session, number, old.token, done_count=9, total_count=9, lease_s=60)
        ended = jobs.finish(session, number, old.token, JobState.DONE, result={"by": "one"}, now=desk.now)
    check(desk, new)
    assert (heard.held, ended, state(desk, number)) == (False, False, JobState.RUNNING)


def test_a_job_that_its_engines_die_of_is_not_begun_for_ever(desk: OpenGateway) -> None:
    number = desk.start_job(KIND, {})
    for _ in range(jobs.MOST_BEGINNINGS):
        taken(desk, lease_s=-1)
    later = desk.start_job(KIND, {})

    assert taken(desk).number == later
    found = desk.job(number)
    assert found is not None
    assert found.state is JobState.FAILED
    assert found.error.startswith("It was begun 3 times and never came to its end")


def test_an_engine_that_ends_cleanly_gives_its_job_back_and_its_beginning_does_not_count(desk: OpenGateway) -> None:
    for _ in range(2 * jobs.MOST_BEGINNINGS):
        if not count(desk, Job):
            desk.start_job(KIND, {})
        found = taken(desk)
        with desk.core.database.write() as session:
            jobs.give_back(session, "one")
        with pytest.raises(JobStopped):
            check(desk, found)

    assert state(desk, found.number) is JobState.WAITING


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_runs_hears_of_it(desk: OpenGateway) -> None:
    running, waiting = desk.start_job(KIND, {}), desk.start_job(KIND, {})
    found = taken(desk)
    answers = [desk.cancel_job(number) for number in (running, waiting, waiting, 99)]
    with desk.core.database.write() as session:
        heard = jobs.beat(session, running, found.token, done_count=1, total_count=2, lease_s=60)
        jobs.finish(session, running, found.token, JobState.CANCELLED, now=desk.now)

    assert answers == [True, True, False, False]
    assert (heard.held, heard.cancelling) == (True, True)
    assert [state(desk, number) for number in (running, waiting)] == [JobState.CANCELLED] * 2


def test_a_cancelled_job_whose_engine_died_is_begun_again_so_that_its_kind_tidies_up(desk: OpenGateway) -> None:
    number = desk.start_job(KIND, {})
    taken(desk, lease_s=-1)
    desk.cancel_job(number)
    found = taken(desk, "two")
    with desk.core.database.write() as session:
        heard = jobs.beat(session, number, found.token, done_count=0, total_count=0, lease_s=60)

    assert heard.cancelling


def test_files_go_when_their_job_ended_and_the_job_a_week_later(desk: OpenGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PIECE_OCTETS", 2)
    number, other = (desk.start_job(KIND, {}, io.BytesIO(b"x" * 2 * (jobs.PIECES_AT_ONCE + 1))) for _ in range(2))
    desk.cancel_job(number)

    def clean(after: timedelta) -> bool:
        with desk.core.database.write() as session:
            return jobs.clean_up(session, now=desk.now + after)

    turns = [clean(timedelta()) for _ in range(3)]
    kept = [item.number for item in desk.jobs("pigeon.")]
    clean(timedelta(days=8))

    assert turns == [True, True, False]
    assert count(desk, JobFile) == jobs.PIECES_AT_ONCE + 1
    assert (kept, [item.number for item in desk.jobs(KIND)]) == ([other, number], [other])
    assert desk.jobs("pigeon") == []

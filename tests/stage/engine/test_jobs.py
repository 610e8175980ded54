"""Jobs in real engines: done, failed, cancelled, lost to another engine, and begun again."""

import io
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from app import jobs
from app.db import Unavailable
from app.engine.jobs import JobRunner
from app.gateway import OpenGateway
from app.models import Job
from pennywire import JobFailed, JobKind, JobState, JobStopped, JobView, RunningJob, hookimpl

Stage = Any
Until = Any
KIND = "pigeon.feed"
LIMIT_S = 20.0


class Pigeon:
    """A plugin whose jobs do what the test says. `steps` lets a job that waits go one step on."""

    def __init__(self) -> None:
        self.work: Callable[[RunningJob], Mapping[str, Any]] = self.walk
        self.begun = 0
        self.ended: list[str] = []
        self.steps = threading.Semaphore(0)

    @hookimpl
    def register_jobs(self) -> list[JobKind]:
        return [JobKind(KIND, self.do)]

    def do(self, job: RunningJob) -> Mapping[str, Any]:
        """Do what the test says at this moment."""
        return self.work(job)

    def walk(self, job: RunningJob) -> Mapping[str, Any]:
        """Keep a value at each step, until somebody stops it."""
        self.begun += 1
        try:
            for count in range(1000):
                self.steps.acquire(timeout=0.02)
                job.progress(count, 1000)
                job.gateway.keep("pigeon", {"step": count})
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise
        raise AssertionError("Nobody stopped it.")


@pytest.fixture
def pigeon(stage: Stage) -> Pigeon:
    made = Pigeon()
    stage.world.core.plugins.manager.register(made, name="pigeon")
    return made


def desk_of(stage: Stage) -> OpenGateway:
    return OpenGateway(stage.world.core, "root", "administrator")


def job(stage: Stage, number: int) -> JobView:
    found = desk_of(stage).job(number)
    assert found is not None
    return found


def runner(stage: Stage, engine_id: str, failures: list[BaseException] | None = None) -> JobRunner:
    """Return the duty without its engine: whoever stops turning it is an engine that hangs."""
    heard = [] if failures is None else failures
    return JobRunner(stage.world.core, engine_id, worked_at=lambda: 0.0, on_failure=heard.append)


def turn_until(duty: JobRunner, condition: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(int(LIMIT_S / 0.02)):
        duty.turn()
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("It never happened.")


def test_a_job_is_done_with_its_file_and_its_result_stays(stage: Stage, pigeon: Pigeon, until: Until) -> None:
    def feed(job: RunningJob) -> Mapping[str, Any]:
        with job.open() as file:
            count = len(file.read())
        job.progress(count, count)
        job.gateway.keep("pigeon", {"fed": job.payload["corn"]})
        return {"octets": count, "by": job.gateway.username, "number": job.number}

    pigeon.work = feed
    number = desk_of(stage).start_job(KIND, {"corn": "maize"}, io.BytesIO(b"x" * 3_000_000))

    async def story() -> None:
        async with stage.engine():
            await until(lambda: job(stage, number).state.is_end)

    stage.play(story())

    found = job(stage, number)
    assert (found.state, found.result) == (JobState.DONE, {"octets": 3_000_000, "by": "root", "number": number})
    assert found.finished_at is not None
    assert desk_of(stage).values("pigeon") == {"fed": "maize"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (JobFailed("There is no corn. Buy some."), "There is no corn. Buy some."),
        (ZeroDivisionError(), "It broke off (ZeroDivisionError); "),
    ],
)
def test_a_job_that_fails_says_why_and_the_next_one_is_done(stage: Stage, pigeon: Pigeon, error: Exception, words: str) -> None:
    def feed(job: RunningJob) -> Mapping[str, Any]:
        if job.payload["bad"]:
            raise error
        return {}

    pigeon.work = feed
    bad, good = (desk_of(stage).start_job(KIND, {"bad": bad}) for bad in (True, False))

    turn_until(runner(stage, "one"), lambda: job(stage, good).state.is_end)

    assert (job(stage, bad).state, job(stage, good).state) == (JobState.FAILED, JobState.DONE)
    assert job(stage, bad).error.startswith(words)


def test_progress_is_told_and_a_job_that_is_cancelled_ends_where_it_stands(stage: Stage, pigeon: Pigeon) -> None:
    desk, duty = desk_of(stage), runner(stage, "one")
    number = desk.start_job(KIND, {})
    turn_until(duty, lambda: job(stage, number).done_count)
    seen = job(stage, number)
    desk.cancel_job(number)
    asked = job(stage, number)
    turn_until(duty, lambda: job(stage, number).state.is_end)

    assert (seen.state, seen.total_count, seen.cancelling) == (JobState.RUNNING, 1000, False)
    assert (asked.state, asked.cancelling) == (JobState.RUNNING, True)
    assert (job(stage, number).state, job(stage, number).cancelling) == (JobState.CANCELLED, False)
    assert pigeon.ended == ["JobStopped"]


def test_the_engine_that_hung_writes_nothing_after_another_took_its_job(stage: Stage, pigeon: Pigeon) -> None:
    """Two engines: the first stops turning in mid-job, its lease ends, and its thread goes on."""
    number = desk_of(stage).start_job(KIND, {})
    hung, other = runner(stage, "one"), runner(stage, "two")
    turn_until(hung, lambda: pigeon.begun)
    for _ in range(3):
        other.turn()
    assert pigeon.begun == 1
    with stage.world.core.database.write() as session:
        session.execute(update(Job).values(lease_until=stage.world.now))
    turn_until(other, lambda: pigeon.begun == 2 and pigeon.ended)
    first = list(pigeon.ended)
    hung.turn()
    desk_of(stage).cancel_job(number)
    turn_until(other, lambda: job(stage, number).state.is_end)

    assert first == ["JobStopped"]
    assert job(stage, number).state is JobState.CANCELLED
    with stage.world.core.database.read() as session:
        assert session.scalars(select(Job.token)).one() == 2


def test_an_engine_that_ends_lets_its_job_wait_and_the_next_one_does_it(stage: Stage, pigeon: Pigeon, until: Until) -> None:
    number = desk_of(stage).start_job(KIND, {})

    async def story() -> None:
        async with stage.engine():
            await until(lambda: pigeon.begun)
        assert job(stage, number).state is JobState.WAITING
        pigeon.work = lambda _job: {"second": True}
        async with stage.engine():
            await until(lambda: job(stage, number).state.is_end)

    stage.play(story())

    assert job(stage, number).result == {"second": True}
    assert pigeon.ended == ["JobStopped"]


def test_a_job_that_lost_the_database_is_begun_again(stage: Stage, pigeon: Pigeon) -> None:
    def feed(_job: RunningJob) -> Mapping[str, Any]:
        pigeon.begun += 1
        if pigeon.begun == 1:
            raise Unavailable("The database does not answer.")
        return {"try": pigeon.begun}

    pigeon.work = feed
    number = desk_of(stage).start_job(KIND, {})

    turn_until(runner(stage, "one"), lambda: job(stage, number).state.is_end)

    assert job(stage, number).result == {"try": 2}


def test_a_job_rests_while_messages_are_on_their_way(stage: Stage, pigeon: Pigeon) -> None:
    """It works a quarter of the time then, and is not slowed down on a calm gateway."""
    pace: dict[str, float] = {}
    clock = threading.Event()

    def feed(job: RunningJob) -> Mapping[str, Any]:
        for word in ("busy", "calm"):
            busy["now"] = word == "busy"
            job.progress(0)
            clock.wait(0.3)
            began = time.monotonic()
            job.progress(1)
            pace[word] = time.monotonic() - began
        return {}

    busy = {"now": False}
    pigeon.work = feed
    number = desk_of(stage).start_job(KIND, {})
    duty = JobRunner(
        stage.world.core, "one", worked_at=lambda: time.monotonic() - (0 if busy["now"] else 9), on_failure=lambda _error: None
    )

    turn_until(duty, lambda: job(stage, number).state.is_end)

    assert pace["busy"] >= 0.89
    assert pace["calm"] < 0.6


def test_a_stopped_job_cannot_write_even_if_it_does_not_listen(stage: Stage, pigeon: Pigeon) -> None:
    found: list[Exception] = []

    def feed(job: RunningJob) -> Mapping[str, Any]:
        with stage.world.core.database.write() as session:
            jobs.give_back(session, "one")
        try:
            job.gateway.keep("pigeon", {"late": 1})
        except JobStopped as error:
            found.append(error)
            raise
        return {}

    pigeon.work = feed
    desk_of(stage).start_job(KIND, {})

    turn_until(runner(stage, "one"), lambda: found)

    assert desk_of(stage).values("pigeon") == {}

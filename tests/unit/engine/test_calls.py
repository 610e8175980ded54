"""Connectors with blocking calls: threads, deadlines, and what becomes of each call."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from app.engine.calls import CallRunner
from pennywire import Accepted, CallConnector, LinkDown, Outcome, OutcomeUnknown, Rejected, Submission
from pennywire.testing import FakeLink, make_submissions


class Phone(CallConnector):
    """A connector whose calls do what the test says."""

    kind = "phone"
    label = "Phone"
    window = 2
    deadline_s = 0.2

    def __init__(self, answer: Callable[[Submission], Outcome]) -> None:
        super().__init__("phone", {})
        self.answer = answer
        self.threads: set[int] = set()

    def submit(self, submission: Submission) -> Outcome:
        self.threads.add(threading.get_ident())
        return self.answer(submission)


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


def submissions(count: int) -> list[Submission]:
    return [made for number in range(1, count + 1) for made in make_submissions(first_attempt_id=number)]


async def serve(phone: Phone, link: FakeLink, work: Coroutine[Any, Any, None]) -> None:
    """Run the connector while `work` goes on, then stop it."""
    running = asyncio.create_task(CallRunner(phone, link).run())
    await work
    link.stop()
    await running


def test_what_a_call_returns_is_the_outcome() -> None:
    link = FakeLink()
    answers = {1: Accepted("a"), 2: Rejected("5", "no such number")}

    async def story() -> None:
        link.feed(submissions(2))
        phone = Phone(lambda submission: answers[submission.attempt_id])
        await serve(phone, link, link.until(lambda link: len(link.answers) == 2))

    play(story())

    assert {answer.submission.attempt_id: answer.outcome for answer in link.answers} == answers
    assert link.states == [True, "stopped"]


def test_at_most_a_window_of_calls_is_under_way_and_threads_are_kept() -> None:
    link = FakeLink()
    gate = threading.Semaphore(0)
    phone = Phone(lambda _: Accepted("") if gate.acquire(timeout=20) else Rejected("0", "the test is over"))
    phone.deadline_s = 20.0
    taken: list[int] = []

    async def work() -> None:
        await link.until(lambda link: len(link.taken) == 2)
        taken.append(len(link.waiting))
        gate.release(6)
        await link.until(lambda link: len(link.answers) == 6)

    async def story() -> None:
        link.feed(submissions(6))
        await serve(phone, link, work())

    play(story())

    assert taken == [4]
    assert len(phone.threads) <= 2


def test_call_beyond_its_deadline_is_in_doubt_and_its_late_answer_counts() -> None:
    link = FakeLink()
    freed = threading.Event()
    phone = Phone(lambda _: Accepted("late") if freed.wait(20) else Rejected("0", "the test is over"))

    async def work() -> None:
        await link.until(lambda link: link.failures)
        freed.set()
        await link.until(lambda link: link.answers)

    async def story() -> None:
        link.feed(submissions(1))
        await serve(phone, link, work())

    play(story())

    assert isinstance(link.failures[0].error, OutcomeUnknown)
    assert link.outcomes == [Accepted("late")]


def test_calls_that_hang_leave_room_for_the_others() -> None:
    link = FakeLink()
    freed = threading.Event()

    def answer(submission: Submission) -> Outcome:
        if submission.attempt_id <= 2:
            freed.wait(20)
        return Accepted("")

    async def work() -> None:
        await link.until(lambda link: len(link.answers) == 4)
        freed.set()
        await link.until(lambda link: len(link.answers) == 6)

    async def story() -> None:
        link.feed(submissions(6))
        await serve(Phone(answer), link, work())

    play(story())

    assert [failure.submission.attempt_id for failure in link.failures] == [1, 2]


def test_call_that_raises_is_in_doubt_without_its_words() -> None:
    link = FakeLink()

    def answer(_submission: Submission) -> Outcome:
        raise ValueError("the text of a message")

    async def story() -> None:
        link.feed(submissions(1))
        await serve(Phone(answer), link, link.until(lambda link: link.failures))

    play(story())

    (failure,) = link.failures
    assert isinstance(failure.error, OutcomeUnknown)
    assert "ValueError in test_calls.py" in str(failure.error)
    assert "the text" not in str(failure.error)


def test_connection_that_cannot_be_reached_rests_and_says_so() -> None:
    link = FakeLink()
    tries: list[int] = []

    def answer(submission: Submission) -> Outcome:
        tries.append(submission.attempt_id)
        if len(tries) == 1:
            raise LinkDown("Nobody listens at example.test.")
        return Accepted("")

    async def work() -> None:
        await link.until(lambda link: link.failures)
        link.feed(submissions(2)[1:])
        await link.until(lambda link: link.answers)

    async def story() -> None:
        link.feed(submissions(1))
        await serve(Phone(answer), link, work())

    play(story())

    assert link.states == [True, "Nobody listens at example.test.", True, "stopped"]


def test_stop_waits_for_the_calls_under_way() -> None:
    link = FakeLink()
    freed = threading.Event()
    phone = Phone(lambda _: Accepted("") if freed.wait(20) else Rejected("0", "the test is over"))
    phone.deadline_s = 20.0

    async def story() -> None:
        link.feed(submissions(1))
        running = asyncio.create_task(CallRunner(phone, link).run())
        await link.until(lambda link: link.taken)
        link.stop()
        asyncio.get_running_loop().call_later(0.05, freed.set)
        await running

    play(story())

    assert link.outcomes == [Accepted("")]

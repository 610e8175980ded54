"""One trial of a connector: it runs against a scripted operator on a link in memory, and a check looks on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from pennywire.connector import CallConnector, Connector, LinkDown, LinkStopped, OutcomeUnknown
from pennywire.settings import read_settings
from pennywire.testing.link import FakeLink, make_submissions
from pennywire.testing.operator import Operator, Play
from pennywire.values import Accepted, Submission

TRIAL_S = 60.0
"""The longest that a trial may take, and the end of one; far more than a connector needs on a slow machine."""


class Trial:
    """What a check has in hands."""

    def __init__(self, connector: Connector, operator: Operator, link: FakeLink) -> None:
        self.connector = connector
        self.operator = operator
        self.link = link
        self._next_attempt_id = 1

    def feed(self, play: Play = Play.ACCEPT, text: str = "Hello") -> list[Submission]:
        """Give the connector a message that will be played so, and return its submissions."""
        made = make_submissions(
            text,
            destination=self.operator.destination(play),
            first_attempt_id=self._next_attempt_id,
            whole=self.connector.whole_messages,
        )
        self._next_attempt_id += len(made)
        self.link.feed(made)
        return made

    async def settled(self, submissions: list[Submission]) -> None:
        """Wait until the connector has said something of each submission."""
        attempts = {submission.attempt_id for submission in submissions}

        def said() -> set[int]:
            answered = {answer.submission.attempt_id for answer in self.link.answers}
            return answered | {failure.submission.attempt_id for failure in self.link.failures}

        await self.link.until(lambda _: attempts <= said(), timeout_s=TRIAL_S)

    async def accepted(self) -> Accepted:
        """Send until a message is accepted: on a link that was just lost, the first ones may not be."""
        while True:
            submissions = self.feed()
            await self.settled(submissions)
            answers = [answer.outcome for answer in self.link.answers if answer.submission in submissions]
            if answers and isinstance(answers[-1], Accepted):
                return answers[-1]

    def failures(self, submissions: list[Submission]) -> list[LinkDown | OutcomeUnknown]:
        """Return what the connector said of submissions that got no answer."""
        return [failure.error for failure in self.link.failures if failure.submission in submissions]


async def run_connector(connector: Connector, link: FakeLink) -> None:
    """Run a connector as the engine does; a `CallConnector` is called in threads."""
    if not isinstance(connector, CallConnector):
        await connector.run(link)
        return
    link.up()
    with suppress(LinkStopped):
        while True:
            taken = await link.take(connector.window)
            await asyncio.gather(*(_call(connector, link, submission) for submission in taken))


async def _call(connector: CallConnector, link: FakeLink, submission: Submission) -> None:
    try:
        link.outcome(submission, await asyncio.to_thread(connector.submit, submission))
    except (LinkDown, OutcomeUnknown) as error:
        link.failed(submission, error)


@asynccontextmanager
async def trial(kind: type[Connector], operator: Operator, given: Mapping[str, Any]) -> AsyncIterator[Trial]:
    """Run a connector against an operator; at the end it is stopped, and must have left nothing behind.

    Raises: AssertionError where `run` does not end, ends by itself, or leaves a submission or a task.
    """
    async with operator, asyncio.timeout(2 * TRIAL_S):
        link = FakeLink()
        connector = kind("test", read_settings(kind.settings, {**operator.settings, **given}))
        before = asyncio.all_tasks()
        running = asyncio.create_task(run_connector(connector, link))
        try:
            yield Trial(connector, operator, link)
            assert link.is_stopping or not running.done(), f"The connector ended without being asked to: {_end_of(running)}"
            link.stop()
            await asyncio.wait({running}, timeout=TRIAL_S)
            assert running.done(), f"The connector did not end within {TRIAL_S:g} s after it was asked to."
            assert _end_of(running) in ("None", "LinkStopped()"), f"The connector ended with {_end_of(running)}"
            assert link.taken == [], "It took submissions and ended without a word about them."
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        # Tasks of the operator may come to their end just now; a connector's would not.
        ours = {task for task in asyncio.all_tasks() - before if _belongs_to(task, connector)}
        assert ours == set(), f"The connector left tasks behind: {sorted(task.get_name() for task in ours)}"


def _end_of(running: "asyncio.Task[None]") -> str:
    return "cancelled" if running.cancelled() else repr(running.exception())


def _belongs_to(task: "asyncio.Task[Any]", connector: Connector) -> bool:
    """Say whether a task runs code of the connector's own package."""
    package = type(connector).__module__.partition(".")[0]
    frames = task.get_stack(limit=1)
    return bool(frames) and str(frames[0].f_globals.get("__name__", "")).partition(".")[0] == package


class LogKeeper(logging.Handler):
    """Keeps every line of every logger while it is in use."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __enter__(self) -> Self:
        self._root = logging.getLogger()
        self._level = self._root.level
        self._root.addHandler(self)
        self._root.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        self._root.setLevel(self._level)
        self._root.removeHandler(self)

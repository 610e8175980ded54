"""Runs connectors whose calls block: each call in a daemon thread, with a deadline after which its submission is in doubt."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue

from app.engine.faults import describe
from pennywire import CallConnector, Link, LinkDown, LinkStopped, Outcome, OutcomeUnknown, Submission

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0

_Answer = Outcome | LinkDown | OutcomeUnknown


@dataclass(slots=True)
class _Call:
    """One call under way. `late`: its deadline has passed; `replaced`: another thread has taken the place of the one it hangs in."""

    submission: Submission
    deadline: asyncio.TimerHandle | None = None
    late: bool = False
    replaced: bool = False


@dataclass(slots=True)
class _Crew:
    """The threads of one run. They keep what their connector keeps for each thread, such as an open HTTP connection."""

    connector: CallConnector
    answered: Callable[[_Call, _Answer], None]
    calls: SimpleQueue[_Call | None] = field(default_factory=SimpleQueue)
    thread_count: int = 0

    def hire(self) -> None:
        """Start another thread."""
        self.thread_count += 1
        threading.Thread(target=self._work, name=f"call-{self.connector.name}-{self.thread_count}", daemon=True).start()

    def dismiss(self, count: int) -> None:
        """Let threads end, each after its present call."""
        for _ in range(count):
            self.thread_count -= 1
            self.calls.put(None)

    def _work(self) -> None:
        while (call := self.calls.get()) is not None:
            self.answered(call, self._submit(call.submission))

    def _submit(self, submission: Submission) -> _Answer:
        try:
            return self.connector.submit(submission)
        except (LinkDown, OutcomeUnknown) as error:
            return error
        except Exception as error:  # noqa: BLE001  # A plugin may raise anything; bytes may have left, so the outcome is unknown.
            return OutcomeUnknown(f"The connector failed: {describe(error)}")


class CallRunner:
    """Feeds a CallConnector from its link, with at most `window` calls at a time."""

    def __init__(self, connector: CallConnector, link: Link) -> None:
        self._connector = connector
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._crew = _Crew(connector, self._answered)
        self._free = connector.window
        #: Places of threads that hang: each is filled once more, so that one hanging call does not stop the rest.
        self._spare = connector.window
        self._room = asyncio.Event()
        self._under_way: set[int] = set()
        self._pause_s = 0.0

    async def run(self) -> None:
        """Serve the link until it is to end, and wait for the calls that are under way."""
        for _ in range(self._connector.window):
            self._crew.hire()
        stopped = asyncio.create_task(self._link.stopped())
        stopped.add_done_callback(lambda _: self._room.set())
        self._link.up()
        try:
            with suppress(LinkStopped):
                await self._feed(stopped)
            while self._under_way:
                await self._wait_for_room()
        finally:
            stopped.cancel()
            self._crew.dismiss(self._crew.thread_count)
        self._link.down("stopped")

    async def _feed(self, stopped: "asyncio.Task[None]") -> None:
        while True:
            while not self._free and not stopped.done():
                await self._wait_for_room()
            if self._pause_s:
                await asyncio.wait({stopped}, timeout=self._pause_s)
            for submission in await self._link.take(max(self._free, 1)):
                self._begin(_Call(submission))

    async def _wait_for_room(self) -> None:
        self._room.clear()
        await self._room.wait()

    def _begin(self, call: _Call) -> None:
        self._free -= 1
        self._under_way.add(call.submission.attempt_id)
        call.deadline = self._loop.call_later(self._connector.deadline_s, self._overdue, call)
        self._crew.calls.put(call)

    def _overdue(self, call: _Call) -> None:
        """Put a call's submission in doubt; its thread is left to itself, and replaced as long as there are spare places."""
        call.late = True
        self._link.failed(call.submission, OutcomeUnknown(f"No answer came within {self._connector.deadline_s:g} s."))
        self._link.log(f"a call took longer than {self._connector.deadline_s:g} s and was left to itself")
        self._under_way.discard(call.submission.attempt_id)
        if self._spare:
            call.replaced = True
            self._spare -= 1
            self._crew.hire()
            self._free += 1
        self._room.set()

    def _answered(self, call: _Call, answer: _Answer) -> None:
        """Called in a thread of the crew."""
        with suppress(RuntimeError):  # The loop is closed: the call came back after the engine ended.
            self._loop.call_soon_threadsafe(partial(self._take_answer, call, answer))

    def _take_answer(self, call: _Call, answer: _Answer) -> None:
        if call.deadline is not None:
            call.deadline.cancel()
        self._under_way.discard(call.submission.attempt_id)
        if call.replaced:
            self._spare += 1
            self._crew.dismiss(1)
        else:
            self._free += 1
        self._room.set()
        if isinstance(answer, LinkDown | OutcomeUnknown):
            self._link.failed(call.submission, answer)
        else:
            self._link.outcome(call.submission, answer)
        if not call.late:
            self._mind(answer)

    def _mind(self, answer: _Answer) -> None:
        """Rest longer and longer while nothing can leave; say when it can again."""
        if isinstance(answer, LinkDown):
            self._link.down(describe(answer))
            self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        elif self._pause_s:
            self._pause_s = 0.0
            self._link.up()

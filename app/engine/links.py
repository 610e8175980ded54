"""The engine's side of a link: hands claimed submissions to a connector and takes its answers."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from app.clock import Clock
from app.engine.keeper import LinkValues
from app.engine.status import LinkState, Note, one_line
from app.engine.stock import Stock
from app.engine.writer import Writer
from app.keeping import PLUGIN_ITSELF
from app.snapshot import ConnectionView
from pennywire import Accepted, Incoming, KeyValues, LinkDown, LinkStopped, Outcome, OutcomeUnknown, Rejected, Report, Submission, Throttled

GIVE_BACK_AFTER_S = 5.0
"""A rest that is longer gives what waits for the link back to the queue, where another link of the provider may take it; so does a
connector that does not ask for longer."""

LONGEST_REST_S = 300.0
LATE_ANSWERS = 10_000
"""How many attempts without an answer a link remembers, to know a late answer from a repeated one."""

MOST_LINES = 200
"""Most lines of a link in a second; a peer that makes its connector write more is cut short."""
_OUTCOMES = frozenset({Accepted, Rejected, Throttled})


class EngineLink:
    """One run of a connector. Implements `pennywire.Link`; everything happens in the loop.

    `lease_safe` says whether this engine may still hand submissions over: near the end of a lease that could not be renewed
    another engine may be about to start.
    """

    def __init__(
        self,
        writer: Writer,
        view: ConnectionView,
        token: int,
        *,
        plugin: str,
        whole_messages: bool,
        lease_safe: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self.connection = view.name
        self.storage: KeyValues = LinkValues(writer, view, token, plugin, connection_id=view.id)
        self.plugin_storage: KeyValues = LinkValues(writer, view, token, plugin, connection_id=PLUGIN_ITSELF)
        self.stock = Stock(view, token, whole_messages=whole_messages, filled=self.stir)
        self.stock.wanted = self._wants
        self._writer = writer
        self._lease_safe = lease_safe
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._closed = False
        self._takers: list[asyncio.Future[None]] = []
        #: True from the first `take` until the link goes down or stalls: only then submissions are claimed ahead.
        self._taking = False
        #: How many calls of `take` wait, and when the last one ended.
        self._asking_count = 0
        self._asked_at = time.monotonic()
        self._rest_until = 0.0
        self._taken: dict[int, Submission] = {}
        self._unanswered: dict[int, None] = {}
        self._notes: list[Note] = []
        self._line_count = 0
        self._sent_count = 0
        self._received_count = 0

    # What a connector sees.

    async def take(self, room: int) -> list[Submission]:
        if room < 1:
            raise ValueError("There must be room for at least one submission.")
        self.stock.window = max(self.stock.window, room)
        self._taking = True
        self._asking_count += 1
        try:
            return await self._wait_for_work(room)
        finally:
            self._asking_count -= 1
            self._asked_at = time.monotonic()

    async def _wait_for_work(self, room: int) -> list[Submission]:
        while True:
            if self._ending.is_set():
                raise LinkStopped(f"The connection {self.connection} is to end.")
            if self.stock.waiting and self._may_hand_over():
                return self._hand_over(room)
            self.stock.room_at_link = room
            self._writer.ask(self.stock)
            await self._wait_for_stock()

    async def stopped(self) -> None:
        await self._ending.wait()

    def outcome(self, submission: Submission, outcome: Outcome) -> None:
        if type(outcome) not in _OUTCOMES:
            self._note(line=f"the connector gave an answer of type {type(outcome).__name__}, which says nothing")
            self.failed(submission, OutcomeUnknown("The connector gave an answer that says nothing."))
            return
        late = self._taken.pop(submission.attempt_id, None) is None
        if late and not self._may_answer_late(submission):
            return
        if isinstance(outcome, Throttled):
            self._rest(outcome.after_s)
        elif isinstance(outcome, Accepted):
            self._sent_count += 1
        self._writer.outcome(self.stock, submission, outcome)

    def failed(self, submission: Submission, error: LinkDown | OutcomeUnknown) -> None:
        if self._taken.pop(submission.attempt_id, None) is None:
            return
        if isinstance(error, LinkDown):
            self._writer.outcome(self.stock, submission, error)
            return
        self._remember(submission)
        reason = error if isinstance(error, OutcomeUnknown) else OutcomeUnknown("The connector failed without an answer.")
        self._writer.outcome(self.stock, submission, reason)

    async def report(self, report: Report) -> None:
        await self._writer.report(self.stock.view, report)

    async def incoming(self, incoming: Incoming) -> None:
        await self._writer.incoming(self.stock.view, incoming)
        self._received_count += 1

    def up(self) -> None:
        self._set_state(LinkState.UP, "")

    def down(self, reason: str) -> None:
        self._set_state(LinkState.DOWN, reason)
        if not self._takers:
            self._taking = False
            self._give_back()

    def log(self, line: str) -> None:
        self._note(line=one_line(line))

    # What the engine does with it.

    def stop(self) -> None:
        """Ask the connector to end; what waits and was not handed over goes back to the queue."""
        self._ending.set()
        self._give_back()
        self._wake_takers()

    def close(self, reason: str) -> None:
        """End the link: whatever the connector took and never answered is in doubt now. Late answers still count."""
        self._closed = True
        self.stop()
        for submission in list(self._taken.values()):
            self.failed(submission, OutcomeUnknown(reason))

    def stir(self) -> None:
        """Look at the stock again: it was filled, or the lease was renewed, or a rest is over."""
        if self._is_stalled():
            self._taking = False
        if not self._taking or self._ending.is_set():
            self._give_back()
        self._wake_takers()

    @property
    def unanswered_count(self) -> int:
        """How many submissions the connector has taken and not answered."""
        return len(self._taken)

    def set_state(self, state: LinkState, reason: str = "") -> None:
        """Say how the connection is doing, in the engine's own words."""
        self._set_state(state, reason)

    def notes(self) -> list[Note]:
        """Return the lines and counts since the last call."""
        if self._sent_count or self._received_count:
            sent, received = self._sent_count, self._received_count
            self._notes.append(Note(self.stock.view.id, self.stock.token, self._now(), sent_count=sent, received_count=received))
            self._sent_count = self._received_count = 0
        if self._line_count > MOST_LINES:
            self._notes.append(self._line(f"{self._line_count - MOST_LINES} more lines came at once and were left out"))
        notes, self._notes, self._line_count = self._notes, [], 0
        return notes

    def _is_stalled(self) -> bool:
        """The connector has not asked for a while, as one whose caps are reached: what waits may go over another link, and is no doubt."""
        return self._asking_count == 0 and time.monotonic() - self._asked_at > GIVE_BACK_AFTER_S

    def _wants(self) -> bool:
        """Called in the worker's thread: say whether submissions can be used now."""
        return self._taking and not self._ending.is_set() and self._may_hand_over()

    async def _wait_for_stock(self) -> None:
        taker: asyncio.Future[None] = self._loop.create_future()
        self._takers.append(taker)
        try:
            await taker
        finally:
            if taker in self._takers:
                self._takers.remove(taker)
            self.stock.room_at_link = 0

    def _may_hand_over(self) -> bool:
        return self._lease_safe() and (self._rest_until == 0.0 or time.monotonic() >= self._rest_until)

    def _hand_over(self, room: int) -> list[Submission]:
        waiting = self.stock.waiting
        batch = [waiting.popleft() for _ in range(min(room, len(waiting)))]
        self._taken.update((submission.attempt_id, submission) for submission in batch)
        if len(waiting) <= self.stock.window // 2:
            self._writer.ask(self.stock)
        return batch

    def _give_back(self) -> None:
        waiting = self.stock.waiting
        while waiting:
            self._writer.outcome(self.stock, waiting.popleft(), LinkDown("It was not handed to the connector."))

    def _rest(self, after_s: float) -> None:
        """Take nothing for a while. Of several wishes the one that ends last counts."""
        pause_s = min(max(after_s, 0.0), LONGEST_REST_S)
        until = time.monotonic() + pause_s
        if until <= self._rest_until:
            return
        self._rest_until = until
        if pause_s > GIVE_BACK_AFTER_S:
            self._give_back()
        self._loop.call_later(pause_s, self._wake_takers)

    def _may_answer_late(self, submission: Submission) -> bool:
        """Say whether this is the first answer after none came in time; anything else is a repeat, and changes nothing."""
        if submission.attempt_id not in self._unanswered:
            return False
        del self._unanswered[submission.attempt_id]
        return True

    def _remember(self, submission: Submission) -> None:
        self._unanswered[submission.attempt_id] = None
        if len(self._unanswered) > LATE_ANSWERS:
            del self._unanswered[next(iter(self._unanswered))]

    def _wake_takers(self) -> None:
        takers, self._takers = self._takers, []
        for taker in takers:
            if not taker.done():
                taker.set_result(None)

    def _set_state(self, state: LinkState, reason: str) -> None:
        if self._closed:
            return
        text = one_line(reason)
        line = f"{state.value}: {text}" if text else state.value
        self._writer.note([Note(self.stock.view.id, self.stock.token, self._now(), state=state, reason=text, line=line)])

    def _note(self, *, line: str) -> None:
        self._line_count += 1
        if line and self._line_count <= MOST_LINES:
            self._notes.append(self._line(line))

    def _line(self, line: str) -> Note:
        return Note(self.stock.view.id, self.stock.token, self._now(), line=line)

    def _now(self) -> datetime:
        return self._clock()

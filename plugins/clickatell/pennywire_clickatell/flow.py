"""One run of a connection: work from the link into calls, answers back, doubts settled, the balance watched."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

from pennywire import Link, LinkDown, LinkStopped, OutcomeUnknown, Submission
from pennywire_clickatell.api import Api, Balance, Verdict
from pennywire_clickatell.settings import SharedSettings

#: Units: seconds. Pauses before another try while the account is refused or cannot be reached.
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0

#: Units: seconds. When a submission in doubt is asked about, each after the one before; a late call has ended by the last one.
SETTLE_AFTER_S: Final = (5.0, 30.0, 120.0, 300.0)

_LOG = logging.getLogger(__name__)


class Flow:
    """Serves a link with one API until the link is stopped.

    While the account is refused or Clickatell cannot be reached the link is down and takes nothing: the messages wait in the queue.
    """

    def __init__(
        self,
        link: Link,
        api: Api,
        settings: SharedSettings,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        settle_after_s: Sequence[float] = SETTLE_AFTER_S,
    ) -> None:
        self._link = link
        self._api = api
        self._settings = settings
        self._first_pause_s = first_pause_s
        self._settle_after_s = settle_after_s
        self._room = settings.window
        self._room_changed = asyncio.Event()
        self._troubled = asyncio.Event()
        self._trouble = ""
        self._calls: set[asyncio.Task[None]] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._balance_told: Balance | None = None
        self._alarmed = False

    async def run(self) -> None:
        stopped = asyncio.create_task(self._link.stopped())
        stopped.add_done_callback(lambda _: self._room_changed.set())
        watch = asyncio.create_task(self._watch_balance())
        try:
            with suppress(LinkStopped):
                await self._serve(stopped)
            if self._calls:
                await asyncio.wait(self._calls)
        finally:
            for task in (stopped, watch, *self._calls, *self._settling):
                task.cancel()
            await asyncio.gather(stopped, watch, *self._calls, *self._settling, return_exceptions=True)
        self._link.down("stopped")

    async def _serve(self, stopped: "asyncio.Task[None]") -> None:
        """Connect, feed, and begin again after trouble. Raises: LinkStopped."""
        pause_s = self._first_pause_s
        while not stopped.done():
            refusal = await self._probe()
            if refusal:
                self._link.down(refusal)
                await asyncio.wait({stopped}, timeout=pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            self._troubled.clear()
            self._link.up()
            pause_s = self._first_pause_s
            await self._feed(stopped)
            self._link.down(self._trouble)
            await asyncio.wait({stopped}, timeout=pause_s)

    async def _probe(self) -> str:
        """Ask for the balance, which proves address and account; return why nothing can be sent, empty if it can."""
        try:
            self._tell_balance(await self._api.balance())
        except (LinkDown, OutcomeUnknown) as error:
            return str(error)
        return ""

    async def _feed(self, stopped: "asyncio.Task[None]") -> None:
        """Take work until there is trouble. Raises: LinkStopped."""
        troubled = asyncio.create_task(self._troubled.wait())
        try:
            while not troubled.done():
                await self._wait_for_room(stopped, troubled)
                take = asyncio.create_task(self._link.take(max(self._room, 1)))
                await asyncio.wait({take, troubled}, return_when=asyncio.FIRST_COMPLETED)
                if not take.done():
                    take.cancel()
                    await asyncio.wait({take})
                if not take.cancelled():
                    self._begin(take.result())
        finally:
            troubled.cancel()

    async def _wait_for_room(self, stopped: "asyncio.Task[None]", troubled: "asyncio.Task[bool]") -> None:
        while self._room < 1 and not stopped.done() and not troubled.done():
            self._room_changed.clear()
            await self._room_changed.wait()

    def _begin(self, submissions: Sequence[Submission]) -> None:
        self._room -= len(submissions)
        for batch in self._api.batches(submissions):
            self._spawn(self._calls, self._send(batch))

    async def _send(self, batch: Sequence[Submission]) -> None:
        """Send a batch and say of each submission what became of it."""
        try:
            if self._troubled.is_set():
                raise LinkDown(self._trouble)
            verdicts: Sequence[Verdict] = await self._api.send(batch)
        except (LinkDown, OutcomeUnknown) as error:
            verdicts = [error] * len(batch)
        for submission, verdict in zip(batch, verdicts, strict=True):
            self._answer(submission, verdict, alone=len(batch) == 1)
        self._room += len(batch)
        self._room_changed.set()

    def _answer(self, submission: Submission, verdict: Verdict, *, alone: bool) -> None:
        match verdict:
            case LinkDown():
                self._link.failed(submission, verdict)
                self._note_trouble(str(verdict))
            case OutcomeUnknown():
                self._link.failed(submission, verdict)
                if alone:
                    self._spawn(self._settling, self._settle(submission))
            case outcome:
                self._link.outcome(submission, outcome)

    def _note_trouble(self, words: str) -> None:
        self._trouble = words
        self._troubled.set()
        self._room_changed.set()

    async def _settle(self, submission: Submission) -> None:
        """Ask, several times, what became of a submission in doubt, and hand in the late answer if there is one."""
        for number, pause_s in enumerate(self._settle_after_s, start=1):
            await asyncio.sleep(pause_s)
            with suppress(LinkDown, OutcomeUnknown):
                outcome = await self._api.settle(submission, last=number == len(self._settle_after_s))
                if outcome is not None:
                    self._link.outcome(submission, outcome)
                    return

    def _spawn(self, tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _watch_balance(self) -> None:
        """Ask for the balance now and then; what goes wrong here is found out by the sending."""
        while True:
            await asyncio.sleep(self._settings.balance_every_s)
            with suppress(LinkDown, OutcomeUnknown):
                self._tell_balance(await self._api.balance())

    def _tell_balance(self, balance: Balance | None) -> None:
        """Write a balance that has changed to the connection's events, and raise the alarm once each time it falls too low."""
        if balance is None or balance == self._balance_told:
            return
        self._balance_told = balance
        self._link.log(f"balance: {balance}")
        alarm = self._settings.balance_alarm
        low = alarm is not None and balance.amount < alarm
        if low and not self._alarmed:
            self._link.log(f"ALARM: the balance {balance} is below {alarm}. Top up the Clickatell account.")
            _LOG.warning("connection %s: the balance %s is below %s", self._link.connection, balance, alarm)
        self._alarmed = low

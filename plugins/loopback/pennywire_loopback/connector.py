"""The loopback connector: an imagined network in the same process."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pennywire import (
    Accepted,
    CannotStore,
    Connector,
    Incoming,
    Link,
    LinkStopped,
    OutcomeUnknown,
    Report,
    ReportState,
    Setting,
    SettingType,
    Submission,
)
from pennywire.sms.udh import MalformedHeader, national_shifts, parse
from pennywire_loopback.behaviours import BEHAVIOURS, DEFAULT_RULES, choose, read_rules

#: How long the imagined network waits before it offers again what the gateway could not store, in seconds.
RETRY_S = 1.0

#: What the form says about the words of a rule.
WORDS = "; ".join(f"{name}: {behaviour.label}" for name, behaviour in BEHAVIOURS.items())

_Value = TypeVar("_Value")


class LoopbackConnector(Connector):
    """Accepts submissions by itself, reports them delivered, and sends them back as incoming messages if asked to."""

    kind = "loopback"
    label = "Loopback"
    description = "Needs no network: accepts messages, reports them, and can answer them. For trying out and for measuring."
    settings = (
        Setting(
            "latency_ms",
            "Answer after (ms)",
            SettingType.INTEGER,
            default=0,
            minimum=0,
            maximum=600_000,
            help="How long the imagined network takes to accept a segment.",
        ),
        Setting(
            "report_delay_ms",
            "Report after (ms)",
            SettingType.INTEGER,
            default=200,
            minimum=0,
            maximum=600_000,
            help="How long after the acceptance the delivery report comes.",
        ),
        Setting(
            "echo",
            "Send messages back",
            SettingType.BOOLEAN,
            default=False,
            help="Each accepted segment comes back as an incoming one, from its destination to its sender.",
        ),
        Setting(
            "rules",
            "Endings",
            SettingType.LINES,
            default=DEFAULT_RULES,
            max_length=10_000,
            help="One a line: the ending of a destination, or * for any, then what happens, then a share if not always, "
            f"such as “01 reject 50%”. The first that applies counts. {WORDS}.",
        ),
        Setting(
            "window",
            "Window (segments)",
            SettingType.INTEGER,
            default=1_000,
            minimum=1,
            maximum=100_000,
            help="How many segments may wait for their answer at a time.",
            advanced=True,
        ),
    )

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(name, values)
        self.rules = read_rules(values["rules"], setting="rules")

    async def run(self, link: Link) -> None:
        await _Network(link, self).serve()


@dataclass(frozen=True, slots=True)
class _Stored:
    """A submission that the imagined network accepted."""

    submission: Submission
    network_id: str
    report: ReportState | None


class _Network:
    """The imagined network behind one link. When the link is to end, whatever is still on its way arrives at once."""

    def __init__(self, link: Link, connector: LoopbackConnector) -> None:
        self._link = link
        self._rules = connector.rules
        self._latency_s: float = connector.values["latency_ms"] / 1_000
        self._report_delay_s: float = connector.values["report_delay_ms"] / 1_000
        self._echoes: bool = connector.values["echo"]
        self._room: int = connector.values["window"]
        self._room_changed = asyncio.Event()
        self._ending = asyncio.Event()

    async def serve(self) -> None:
        self._link.up()
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(self._watch())
            with contextlib.suppress(LinkStopped):
                while True:
                    batch = await self._link.take(await self._free_room())
                    self._change_room(-len(batch))
                    tasks.create_task(self._treat(batch))
            watch.cancel()
            self._end()
        self._link.down("stopped")

    async def _watch(self) -> None:
        """Learn that the link is to end even while the window is full and nothing can be taken."""
        await self._link.stopped()
        self._end()

    def _end(self) -> None:
        self._ending.set()
        self._room_changed.set()

    def _change_room(self, segment_count: int) -> None:
        self._room += segment_count
        self._room_changed.set()

    async def _free_room(self) -> int:
        while self._room < 1 and not self._ending.is_set():
            self._room_changed.clear()
            await self._room_changed.wait()
        return max(self._room, 1)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0 and not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), seconds)

    async def _treat(self, batch: Sequence[Submission]) -> None:
        """Take a batch through its whole life: answers, echoes, reports."""
        await self._pause(self._latency_s)
        stored = [each for each in map(self._answer, batch) if each is not None]
        self._change_room(len(batch))
        if self._echoes:
            await self._hand_over(self._link.incoming, [_echo(each) for each in stored])
        reported = [each for each in stored if each.report is not None and each.submission.report_requested]
        if reported:
            await self._pause(self._report_delay_s)
            done_at = datetime.now(UTC)
            await self._hand_over(self._link.report, [_report(each, done_at) for each in reported])

    def _answer(self, submission: Submission) -> _Stored | None:
        """Answer one submission; return what becomes of it, or None if it was not accepted."""
        behaviour = choose(self._rules, submission)
        if behaviour.answer is None:
            self._link.failed(submission, OutcomeUnknown("The loopback connection never answers destinations with this ending."))
            return None
        outcome = behaviour.answer(submission)
        self._link.outcome(submission, outcome)
        return _Stored(submission, outcome.network_id, behaviour.report) if isinstance(outcome, Accepted) else None

    async def _hand_over(self, give: Callable[[_Value], Awaitable[None]], values: Sequence[_Value]) -> None:
        """Give the gateway values until it has stored them all.

        They count against the window meanwhile, so that a gateway which stores slowly is not given more to store.
        """
        self._change_room(-len(values))
        try:
            await asyncio.gather(*(self._insist(give, value) for value in values))
        finally:
            self._change_room(len(values))

    async def _insist(self, give: Callable[[_Value], Awaitable[None]], value: _Value) -> None:
        while True:
            try:
                await give(value)
            except CannotStore:
                if self._ending.is_set():
                    # An SMSC would keep it for the next bind; this one lives only as long as its link.
                    self._link.log("dropped what the gateway could not store")
                    return
                await self._pause(RETRY_S)
            else:
                return


def _report(stored: _Stored, done_at: datetime) -> Report:
    assert stored.report is not None
    raw = f"id:{stored.network_id} stat:{stored.report} done date:{done_at:%y%m%d%H%M%S}"
    return Report((stored.network_id,), stored.report, done_at=done_at, raw=raw)


def _echo(stored: _Stored) -> Incoming:
    """Return the segment as its destination would send it back."""
    sent = stored.submission
    try:
        locking_shift, single_shift = national_shifts(parse(sent.udh))
    except MalformedHeader:
        locking_shift, single_shift = 0, 0
    return Incoming(
        source=sent.destination,
        destination=sent.source,
        user_data=sent.user_data,
        alphabet=sent.alphabet,
        concatenation=sent.concatenation,
        udh=sent.udh,
        locking_shift=locking_shift,
        single_shift=single_shift,
        message_class=sent.message_class,
        network_id=f"echo-{stored.network_id}",
    )

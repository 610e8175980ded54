"""A link in memory: what a connector's tests put in the engine's place."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pennywire.connector import CannotStore, LinkDown, LinkStopped, OutcomeUnknown
from pennywire.keeping import check_room, encode_changes
from pennywire.sms import segments
from pennywire.values import Accepted, Incoming, Outcome, Rejected, Report, Submission, Throttled


class Answered(NamedTuple):
    """What the connector said about one submission."""

    submission: Submission
    outcome: Outcome


class Failed(NamedTuple):
    """A submission that got no answer."""

    submission: Submission
    error: LinkDown | OutcomeUnknown


class FakeValues:
    """Key-value storage in memory, with the limits of the real one. Give two links the same one, and the second is a restart.

    `refuse_storing` makes everything fail with CannotStore, as a database that is away does.
    """

    def __init__(self) -> None:
        self.refuse_storing = False
        self._kept: dict[str, str] = {}

    async def read(self, prefix: str = "") -> dict[str, Any]:
        self._refuse()
        return {key: json.loads(value) for key, value in sorted(self._kept.items()) if key.startswith(prefix)}

    async def write(self, changes: Mapping[str, Any]) -> None:
        self._refuse()
        kept = self._kept | {key: value for key, value in encode_changes(changes).items() if value is not None}
        kept = {key: value for key, value in kept.items() if changes.get(key, value) is not None}
        check_room(len(kept))
        self._kept = kept

    def _refuse(self) -> None:
        if self.refuse_storing:
            raise CannotStore("The database is away.")


class FakeLink:
    """An engine's end of a link, in memory and strict: it raises AssertionError where a connector breaks the contract.

    `feed` gives work, `stop` ends the link. Everything that the connector says is recorded in order. `refuse_storing` makes
    reports and incoming messages fail with CannotStore; `hold_storing` lets them wait.
    """

    def __init__(self, connection: str = "test", *, storage: FakeValues | None = None, plugin_storage: FakeValues | None = None) -> None:
        self.connection = connection
        self.storage = storage or FakeValues()
        self.plugin_storage = plugin_storage or FakeValues()
        self.answers: list[Answered] = []
        self.failures: list[Failed] = []
        self.reports: list[Report] = []
        self.incomings: list[Incoming] = []
        #: True for up, and the reasons for down, in order.
        self.states: list[bool | str] = []
        self.lines: list[str] = []
        #: Everything in the order in which it came: outcomes, failures, reports, incoming segments.
        self.events: list[Answered | Failed | Report | Incoming] = []
        self.refuse_storing = False
        #: How many reports and incoming segments were refused with CannotStore.
        self.refused_count = 0
        #: How many reports and incoming segments waited for storage at the same time.
        self.most_storing = 0
        self._storing = 0
        self._may_store = asyncio.Event()
        self._may_store.set()
        self._work: deque[Submission] = deque()
        self._open: dict[int, Submission] = {}
        self._in_doubt: set[int] = set()
        self._changed = asyncio.Event()
        self._stopped = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """What the connector said last."""
        return bool(self.states) and self.states[-1] is True

    @property
    def is_stopping(self) -> bool:
        """Whether the connector was asked to end."""
        return self._stopped.is_set()

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes alone, in order."""
        return [answer.outcome for answer in self.answers]

    @property
    def waiting(self) -> list[Submission]:
        """Work that the connector has not taken."""
        return list(self._work)

    @property
    def taken(self) -> list[Submission]:
        """Submissions that the connector has and said nothing about."""
        return list(self._open.values())

    def feed(self, submissions: Iterable[Submission]) -> None:
        """Give the connector work."""
        self._work.extend(submissions)
        self._notify()

    def stop(self) -> None:
        """Ask the connector to end."""
        self._stopped.set()
        self._notify()

    def hold_storing(self) -> None:
        """Let reports and incoming segments wait, as on a slow disk."""
        self._may_store.clear()

    def release_storing(self) -> None:
        """Store what waits."""
        self._may_store.set()

    async def until(self, condition: Callable[["FakeLink"], object], *, timeout_s: float = 10.0) -> None:
        """Wait until the condition holds; it is asked after everything that the connector says. Raises: TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    async def take(self, room: int) -> list[Submission]:
        assert room >= 1, f"The connector asked for {room} submissions; it must not ask before it has room."
        while not self._work:
            if self._stopped.is_set():
                raise LinkStopped
            self._changed.clear()
            await self._changed.wait()
        if self._stopped.is_set():
            raise LinkStopped
        taken = [self._work.popleft() for _ in range(min(room, len(self._work)))]
        self._open.update((submission.attempt_id, submission) for submission in taken)
        self._notify()
        return taken

    async def stopped(self) -> None:
        await self._stopped.wait()

    def outcome(self, submission: Submission, outcome: Outcome) -> None:
        assert isinstance(outcome, Accepted | Rejected | Throttled), f"{outcome!r} is no outcome."
        self._close(submission)
        answer = Answered(submission, outcome)
        self.answers.append(answer)
        self._record(answer)

    def failed(self, submission: Submission, error: LinkDown | OutcomeUnknown) -> None:
        assert isinstance(error, LinkDown | OutcomeUnknown), f"{error!r} is neither LinkDown nor OutcomeUnknown."
        assert submission.attempt_id in self._open, f"Attempt {submission.attempt_id} failed, and was not open."
        self._close(submission)
        if isinstance(error, OutcomeUnknown):
            self._in_doubt.add(submission.attempt_id)
        failure = Failed(submission, error)
        self.failures.append(failure)
        self._record(failure)

    async def report(self, report: Report) -> None:
        await self._store()
        self.reports.append(report)
        self._record(report)

    async def incoming(self, incoming: Incoming) -> None:
        await self._store()
        self.incomings.append(incoming)
        self._record(incoming)

    def up(self) -> None:
        self.states.append(True)
        self._notify()

    def down(self, reason: str) -> None:
        assert reason.strip(), "A link that is down needs a reason for the operator."
        self.states.append(reason)
        self._notify()

    def log(self, line: str) -> None:
        self.lines.append(line)
        self._notify()

    async def _store(self) -> None:
        self._storing += 1
        self.most_storing = max(self.most_storing, self._storing)
        self._notify()
        try:
            await self._may_store.wait()
        finally:
            self._storing -= 1
        if self.refuse_storing:
            self.refused_count += 1
            self._notify()
            raise CannotStore

    def _close(self, submission: Submission) -> None:
        attempt_id = submission.attempt_id
        late = attempt_id in self._in_doubt
        assert late or attempt_id in self._open, f"Attempt {attempt_id} was answered twice, or never taken."
        self._in_doubt.discard(attempt_id)
        self._open.pop(attempt_id, None)

    def _record(self, event: Answered | Failed | Report | Incoming) -> None:
        self.events.append(event)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()


def make_submissions(
    text: str = "Hello",
    *,
    destination: str = "+36201234567",
    source: str = "Pennywire",
    first_attempt_id: int = 1,
    reference: int = 7,
    whole: bool = False,
) -> list[Submission]:
    """Return the submissions of one message, as the engine makes them; one for a connector with `whole_messages`."""
    cut: Sequence[segments.Segment] = segments.split(text, reference=reference)
    made = [
        Submission(
            attempt_id=first_attempt_id + segment.index,
            message_id=f"{first_attempt_id:013d}",
            segment_index=segment.index,
            segment_count=len(cut),
            source=source,
            destination=destination,
            alphabet=segment.alphabet,
            user_data=segment.user_data,
            text=segment.text,
            udh=segment.udh,
            concatenation=segment.concatenation,
        )
        for segment in cut
    ]
    if not whole:
        return made
    user_data = b"".join(submission.user_data for submission in made)
    return [replace(made[0], user_data=user_data, text=text, udh=b"", concatenation=None)]

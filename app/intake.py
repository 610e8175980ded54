"""Group commit: requests that arrive together are accepted in one transaction and share one disk sync.

There is no intake thread. The first that waits leads: it takes what has gathered, commits it, gives everyone his answer, and
hands over. A single request waits for nobody.
"""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from app import messages
from app.core import Core
from app.db import CommitFailed, Database, Unavailable
from app.messages import MAX_MESSAGES, Answer, Prepared, Request
from app.refusals import RequestRefused
from app.snapshot import StaleSnapshot

T = TypeVar("T")
R = TypeVar("R")

LARGEST_BATCH = 2_000
"""Most messages in one transaction, unless one request alone has more: the write lock is held for tens of milliseconds."""

STALE_RETRIES = 5
LONGEST_KEY = 128

HINT_EVERY_S = 0.1
"""How often a process wakes the engines at most; they poll anyway."""


@dataclass(slots=True)
class _Waiting(Generic[T, R]):
    """One item with its place for the result. `lead` tells its thread to wake up as the leader."""

    item: T
    weight: int
    ready: threading.Event = field(default_factory=threading.Event)
    result: R | None = None
    error: BaseException | None = None
    lead: bool = False
    done: bool = False

    def answer(self, *, result: R | None = None, error: BaseException | None = None) -> None:
        """Settle what this item's thread will return or raise, and wake it up."""
        self.result, self.error, self.done = result, error, True
        self.ready.set()


class GroupCommit(Generic[T, R]):
    """Runs `work` on batches of items, each batch in one write transaction.

    A batch that raises before COMMIT is rolled back and its items are done one by one, so that one bad item harms only itself.
    If the database is away, everyone who waits is told so: behind a batch that waited for its time-out there is no time for
    another. If COMMIT raises, everyone in the batch gets that error and `on_commit_failure` is called.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Session, list[T]], Sequence[R]],
        *,
        largest_batch: int = LARGEST_BATCH,
        on_commit_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._work = work
        self._largest_batch = largest_batch
        self._on_commit_failure = on_commit_failure
        self._lock = threading.Lock()
        self._queue: deque[_Waiting[T, R]] = deque()
        self._led = False

    def do(self, item: T, weight: int = 1) -> R:
        """Have `item` done in a batch and return its result. Raises: what `work` or the database raised for it."""
        waiting: _Waiting[T, R] = _Waiting(item, weight)
        with self._lock:
            self._queue.append(waiting)
            leads = not self._led
            self._led = True
        if not leads:
            waiting.ready.wait()
            leads = waiting.lead
        if leads:
            self._lead(waiting)
        if waiting.error is not None:
            raise waiting.error
        return waiting.result  # type: ignore[return-value]  # it is there, and may be None where R is

    def _lead(self, own: _Waiting[T, R]) -> None:
        """Do batches until the leader's own item is done, then hand over to the next that waits."""
        while not own.done:
            self._commit([])
        with self._lock:
            heir = self._queue[0] if self._queue else None
            self._led = heir is not None
        if heir is not None:
            heir.lead = True
            heir.ready.set()

    def _take(self) -> list[_Waiting[T, R]]:
        with self._lock:
            batch = [self._queue.popleft()]
            weight = batch[0].weight
            while self._queue and weight + self._queue[0].weight <= self._largest_batch:
                batch.append(self._queue.popleft())
                weight += batch[-1].weight
            return batch

    def _commit(self, batch: list[_Waiting[T, R]]) -> None:
        """Do a batch; an empty one is filled once the write lock is ours, with whatever has gathered by then."""
        try:
            results = self._database.run(lambda session: self._results(session, batch))
        except CommitFailed as error:
            for waiting in batch or self._drain():
                waiting.answer(error=error)
            self._on_commit_failure()
        except Unavailable as error:
            for waiting in (*batch, *self._drain()):
                waiting.answer(error=error)
        except Exception as error:  # noqa: BLE001  # The batch was rolled back; each item is tried alone and keeps its own error.
            self._rolled_back(batch, error)
        else:
            for waiting, result in zip(batch, results, strict=True):
                waiting.answer(result=result)

    def _rolled_back(self, batch: list[_Waiting[T, R]], error: Exception) -> None:
        """Do the items of a batch that raised one by one; one that is alone keeps the error."""
        if len(batch) > 1:
            for waiting in batch:
                self._commit([waiting])
            return
        # Without a batch not even the transaction began: that concerns everyone who waits.
        for waiting in batch or self._drain():
            waiting.answer(error=error)

    def _results(self, session: Session, batch: list[_Waiting[T, R]]) -> list[R]:
        if not batch:
            session.connection()
            batch += self._take()
        results = list(self._work(session, [waiting.item for waiting in batch]))
        # Seen after COMMIT, a missing result would have its item done twice.
        assert len(results) == len(batch)
        return results

    def _drain(self) -> list[_Waiting[T, R]]:
        with self._lock:
            waiting, self._queue = list(self._queue), deque()
            return waiting


class Intake:
    """How the web processes accept messages."""

    def __init__(self, core: Core, *, on_commit_failure: Callable[[], None] | None = None) -> None:
        self._core = core
        self._hinted_at = 0.0
        self._group: GroupCommit[Prepared, messages.Verdict] = GroupCommit(
            core.database, self._admit, on_commit_failure=on_commit_failure or end_process
        )

    def submit(self, request: Request) -> Answer:
        """Accept the request's drafts; returns when what was accepted is on disk.

        Raises: RequestRefused where nothing was accepted; with `unknown_outcome` where that is not known.
        """
        if not request.drafts:
            raise RequestRefused("missing_parameter", "The request has no message. Give at least one.", "messages")
        if len(request.drafts) > MAX_MESSAGES:
            raise RequestRefused(
                "too_many_messages", f"The request has {len(request.drafts)} messages; at most {MAX_MESSAGES} are allowed.", "messages"
            )
        if len(request.key) > LONGEST_KEY or not request.key.isprintable():
            raise RequestRefused("invalid_parameter", f"A key has at most {LONGEST_KEY} printable characters. Shorten or clean it.", "key")
        try:
            return self._submit(request)
        except CommitFailed as error:
            raise RequestRefused(
                "unknown_outcome", "Whether the messages were accepted is not known. Ask again with the same Idempotency-Key."
            ) from error
        except (Unavailable, DBAPIError) as error:
            raise RequestRefused("unavailable", "The gateway cannot take messages now; nothing was accepted. Try again.") from error

    def _submit(self, request: Request) -> Answer:
        core = self._core
        snapshot = core.snapshots.present()
        for _ in range(STALE_RETRIES):
            user = snapshot.users_by_id.get(request.user.id, request.user)
            current = Request(user, request.drafts, request.entrance, request.key, request.fingerprint, request.key_window_s)
            try:
                verdict = self._group.do(messages.prepare(snapshot, current, now=core.clock()), len(request.drafts))
            except StaleSnapshot:
                snapshot = core.snapshots.reload()
                continue
            except IntegrityError:
                # Another process gave out the same id in the same millisecond; the next try takes fresh ones.
                continue
            if isinstance(verdict, RequestRefused):
                raise verdict
            return verdict
        raise RequestRefused("unavailable", "Something kept getting in between; nothing was accepted. Try again.")

    def _admit(self, session: Session, prepared: list[Prepared]) -> Sequence[messages.Verdict]:
        verdicts = messages.admit(session, prepared, ids=self._core.ids, now=self._core.clock())
        self._hint(session)
        return verdicts

    def _hint(self, session: Session) -> None:
        """Tell engines on PostgreSQL that there is work: seldom, because a NOTIFY takes a lock over the whole server at COMMIT."""
        if self._core.database.dialect != "postgresql" or time.monotonic() - self._hinted_at < HINT_EVERY_S:
            return
        self._hinted_at = time.monotonic()
        session.execute(text("NOTIFY pennywire"))


def end_process() -> None:
    """Ask this process to end after its answers have left: its database connections are not trusted any more."""
    os.kill(os.getpid(), signal.SIGTERM)

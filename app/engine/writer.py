"""The database worker: one thread that stores whatever has gathered, in one transaction, and claims what the links want next.

It works at once when it is idle; while it is busy the next batch gathers by itself. SQLite has one writer anyway; on PostgreSQL
several engines add up.
"""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app import outbox
from app.core import Core
from app.db import CommitFailed, Unavailable
from app.engine.batches import LARGEST_BATCH, Answered, Errand, Gathered, Kind, Received, Transaction, filled_kinds, refuse_spoiled
from app.engine.faults import describe, trail
from app.engine.status import Note
from app.engine.stock import Stock
from app.engine.waking import Hints, make_hints
from app.outcomes import Result
from app.snapshot import ConnectionView, Snapshot
from pennywire import CannotStore, Incoming, Report, Submission

IDLE_S = 1.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
UNREADABLE_PAUSE_S = 10.0
"""How long a queue of which nothing could be claimed is left alone."""

MOST_WAITING = 20_000
"""Reports and incoming segments that may wait for the worker; further ones are refused, and their peers try again."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _News:
    """What the loop is to be told after a round."""

    results: list[tuple[asyncio.Future[Any], Any]] = field(default_factory=list)
    errors: list[tuple[asyncio.Future[Any], BaseException]] = field(default_factory=list)
    filled: set[Stock] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.results or self.errors or self.filled)


@dataclass(frozen=True, slots=True)
class _Claimed:
    stock: Stock
    room: int
    claim: outbox.Claim


class Writer:
    """The worker and its inbox. The methods above `_run` are called in the loop, the others in the worker's thread."""

    def __init__(self, core: Core, *, on_failure: Callable[[BaseException], None]) -> None:
        self._core = core
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._inbox = Gathered()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pennywire-database", daemon=True)
        # From here on only the worker's thread may touch it.
        self._backlog = Gathered()
        self._starving: set[Stock] = set()
        self._blocked: set[Stock] = set()
        self._news = _News()
        self._pause_s = 0.0
        self._hints: Hints = make_hints(core.database, self._wake)
        #: When the worker last wrote, by the monotonic clock; anybody may read it.
        self.worked_at = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the thread; what has not been stored by now is not stored here."""
        self._ended.set()
        self._wake.set()
        self._thread.join(timeout_s)
        self._hints.close()

    def outcome(self, stock: Stock, submission: Submission, result: Result) -> None:
        """Record what became of an attempt, sooner or later: it is kept until the database has it."""
        with self._lock:
            self._inbox.outcomes.append(Answered(stock, submission, result))
        self._rouse()

    def report(self, view: ConnectionView, report: Report) -> asyncio.Future[None]:
        """Store a report; the future is resolved when it is durable, or fails with CannotStore."""
        return self._receive(self._inbox_reports, view, report)

    def incoming(self, view: ConnectionView, incoming: Incoming) -> asyncio.Future[None]:
        """Store an incoming segment; the future is resolved when it is durable, or fails with CannotStore."""
        return self._receive(self._inbox_incoming, view, incoming)

    def _inbox_reports(self) -> list[Received]:
        return self._inbox.reports

    def _inbox_incoming(self) -> list[Received]:
        return self._inbox.incoming

    def _receive(self, inbox: Callable[[], list[Received]], view: ConnectionView, value: Any) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        with self._lock:
            waiting = inbox()
            full = len(waiting) >= MOST_WAITING
            if not full:
                waiting.append(Received(view, value, future))
        if full:
            future.set_exception(CannotStore("Too much waits to be stored."))
        else:
            self._rouse()
        return future

    def note(self, notes: Iterable[Note]) -> None:
        """Write what operators see of a connection."""
        with self._lock:
            self._inbox.notes += notes
        self._rouse()

    def ask(self, stock: Stock) -> None:
        """Say that a link has room; the stock is filled as soon as there is something for it."""
        with self._lock:
            self._inbox.askers.add(stock)
        self._rouse()

    def do(self, work: Callable[[Transaction], T]) -> asyncio.Future[T]:
        """Do `work` in a transaction of its own, between two batches. Fails with what it or the database raised."""
        done: asyncio.Future[T] = self._loop.create_future()
        with self._lock:
            self._inbox.errands.append(Errand(work, done))
        self._rouse()
        return done

    def settled(self) -> asyncio.Future[None]:
        """Return a future for the moment at which everything handed in so far is stored or refused."""
        barrier: asyncio.Future[None] = self._loop.create_future()
        with self._lock:
            self._inbox.barriers.append(barrier)
        self._rouse()
        return barrier

    def _rouse(self) -> None:
        if not self._wake.is_set():
            self._wake.set()

    # The worker's thread.

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                roused = self._wake.wait(self._hints.poll_s if self._starving else IDLE_S)
                looks = bool(self._starving) and self._hints.changed()
                if not roused and not looks:
                    continue
                self._wake.clear()
                self._round(looks=looks)
                if self._pause_s:
                    self._ended.wait(self._pause_s)
                    self._wake.set()
        except BaseException as error:  # noqa: BLE001  # Whatever ends this thread must end the process: nothing would be stored any more.
            _log.critical("database worker ended: %s\n%s", describe(error), trail(error))
            self._tell(partial(self._on_failure, error))

    def _round(self, *, looks: bool) -> None:
        """Take what has gathered, do it, and tell the loop once. `looks`: the queue may have something for links that starve."""
        with self._lock:
            fresh, self._inbox = self._inbox, Gathered()
        self._backlog.take(fresh)
        for errand in self._backlog.errands:
            self._run_errand(errand)
        self._backlog.errands.clear()
        batch = self._backlog.split()
        ready = self._ready(self._backlog.askers, batch, looks=looks)
        self._backlog.askers.clear()
        if batch.has_items or ready:
            self._transact(batch, ready)
        if self._backlog.has_items:
            self._wake.set()
        else:
            self._news.results += [(barrier, None) for barrier in self._backlog.barriers]
            self._backlog.barriers.clear()
        if self._news:
            news, self._news = self._news, _News()
            self._tell(partial(_deliver, news))

    def _tell(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # The loop is closed: nobody waits for the news.
            self._loop.call_soon_threadsafe(callback)

    def _run_errand(self, errand: Errand) -> None:
        try:
            snapshot = self._core.snapshots.present()
            result = self._core.database.run(lambda session: errand.work(self._transaction(session, snapshot)))
        except CommitFailed:
            raise
        except Exception as error:  # noqa: BLE001  # It belongs to whoever asked for the errand.
            self._news.errors.append((errand.done, error))
        else:
            self._news.results.append((errand.done, result))

    def _transaction(self, session: Session, snapshot: Snapshot) -> Transaction:
        return Transaction(self._core, session, snapshot, self._core.clock())

    def _ready(self, fresh: set[Stock], batch: Gathered, *, looks: bool) -> list[Stock]:
        """Return the stocks for which a claim is worth its statements, in a fixed order."""
        ready = set(fresh)
        if self._blocked:
            self._blocked = {stock for stock in self._blocked if stock.wanted()}
            ready |= self._blocked & {item.stock for item in batch.outcomes}
        self._starving = {stock for stock in self._starving - fresh if stock.wanted()}
        if looks and self._starving:
            now = time.monotonic()
            queued = self._hints.queued({stock.view.provider for stock in self._starving})
            ready |= {stock for stock in self._starving if stock.view.provider in queued and stock.claim_at <= now}
        self._starving -= ready
        self._blocked -= ready
        return sorted(ready, key=lambda stock: stock.view.id)

    def _transact(self, batch: Gathered, ready: list[Stock]) -> None:
        self.worked_at = time.monotonic()
        try:
            snapshot = self._core.snapshots.present()
            claimed = self._core.database.run(partial(self._work, snapshot, batch, ready))
        except Unavailable as error:
            self._put_off(batch, ready, error)
        except CommitFailed:
            raise
        except Exception as error:  # noqa: BLE001  # One bad item must not keep its neighbours from being stored.
            _log.error("batch rolled back, doing its items apart: %s\n%s", describe(error), trail(error))
            for kind, items in filled_kinds(batch):
                self._store_apart(kind, items)
            for stock in ready:
                self._claim_apart(stock)
        else:
            self._pause_s = 0.0
            for kind, items in filled_kinds(batch):
                self._stored(kind, items)
            for each in claimed:
                self._fill(each)

    def _work(self, snapshot: Snapshot, batch: Gathered, ready: list[Stock], session: Session) -> list[_Claimed]:
        transaction = self._transaction(session, snapshot)
        for kind, items in filled_kinds(batch):
            kind.store(transaction, items)
        attempts = {(item.stock, item.submission.attempt_id) for item in batch.outcomes}
        answered = Counter(stock for stock, attempt_id in attempts if attempt_id in stock.outstanding)
        claimed = [self._claim(transaction, stock, answered[stock]) for stock in ready]
        return [each for each in claimed if each is not None]

    def _claim(self, transaction: Transaction, stock: Stock, answered_count: int) -> _Claimed | None:
        """Claim what the stock has room for. One whose lease is lost is left alone: it asks again if it gets the lease back."""
        room = min(stock.room(answered_count), LARGEST_BATCH)
        if room < 1:
            return _Claimed(stock, 0, outbox.Claim([], stock.after_user))
        try:
            claim = outbox.claim(
                transaction.session,
                stock.view,
                token=stock.token,
                room=room,
                ids=self._core.ids,
                now=transaction.now,
                after_user=stock.after_user,
                whole_messages=stock.whole_messages,
            )
        except outbox.LeaseLost:
            return None
        refuse_spoiled(transaction, stock.view, claim)
        return _Claimed(stock, room, claim)

    def _claim_apart(self, stock: Stock) -> None:
        """Claim for one stock alone; where that fails its queue cannot be read, and is left alone for a while."""
        try:
            snapshot = self._core.snapshots.present()
            claimed = self._core.database.run(lambda session: self._claim(self._transaction(session, snapshot), stock, 0))
        except Unavailable as error:
            self._put_off(Gathered(), (stock,), error)
        except CommitFailed:
            raise
        except Exception as error:  # noqa: BLE001  # A message that cannot be made into a submission; other providers' queues go on.
            _log.error("nothing can be claimed for connection %s: %s\n%s", stock.view.name, describe(error), trail(error))
            stock.claim_at = time.monotonic() + UNREADABLE_PAUSE_S
            self._starving.add(stock)
        else:
            if claimed is not None:
                self._fill(claimed)

    def _fill(self, claimed: _Claimed) -> None:
        """Put committed claims into their stock; remember who got less than he has room for."""
        stock = claimed.stock
        if claimed.room == 0:
            if stock.wanted():
                self._blocked.add(stock)
            return
        submissions = claimed.claim.submissions
        stock.after_user = claimed.claim.last_user
        if submissions:
            stock.outstanding.update(submission.attempt_id for submission in submissions)
            stock.waiting.extend(submissions)
            self._news.filled.add(stock)
        if len(submissions) < claimed.room:
            self._starving.add(stock)

    # What became of a batch.

    def _stored(self, kind: Kind, items: list[Any]) -> None:
        if kind.name == "outcomes":
            for item in items:
                item.stock.outstanding.discard(item.submission.attempt_id)
        self._news.results += [(item.stored, None) for item in items if isinstance(item, Received)]

    def _put_off(self, batch: Gathered, ready: Iterable[Stock], error: Exception) -> None:
        """Keep outcomes and notes for later, refuse what a peer can send again, and pause before the next try."""
        self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        _log.warning("database unavailable, %d outcomes wait: %s", len(batch.outcomes), describe(error))
        self._backlog.outcomes[:0] = batch.outcomes
        self._backlog.notes[:0] = batch.notes
        self._refuse((*batch.reports, *batch.incoming))
        self._refuse((*self._backlog.reports, *self._backlog.incoming))
        self._backlog.reports.clear()
        self._backlog.incoming.clear()
        self._starving |= set(ready)

    def _refuse(self, items: Iterable[Received]) -> None:
        self._news.errors += [(item.stored, CannotStore("The gateway could not store it.")) for item in items]

    def _store_apart(self, kind: Kind, items: list[Any]) -> None:
        """Store items of one kind, halving the batch until those that cannot be stored are alone."""
        try:
            snapshot = self._core.snapshots.present()
            self._core.database.run(lambda session: kind.store(self._transaction(session, snapshot), items))
        except Unavailable as error:
            rest = Gathered()
            kind.of(rest).extend(items)
            self._put_off(rest, (), error)
        except CommitFailed:
            raise
        except Exception as error:  # noqa: BLE001  # It belongs to one of the items, and is narrowed down to it.
            if len(items) > 1:
                self._store_apart(kind, items[: len(items) // 2])
                self._store_apart(kind, items[len(items) // 2 :])
            else:
                self._spoiled(kind, items[0], error)
        else:
            self._stored(kind, items)

    def _spoiled(self, kind: Kind, item: Any, error: Exception) -> None:
        """Deal with an item that cannot be stored even by itself."""
        _log.error("one of %s cannot be stored: %s\n%s", kind.name, describe(error), trail(error))
        replacement = kind.replacement(item)
        if replacement is not None:
            self._store_apart(kind, [replacement])
        if isinstance(item, Received):
            self._refuse([item])


def _deliver(news: _News) -> None:
    """Tell the loop's side what a round brought."""
    for future, result in news.results:
        if not future.done():
            future.set_result(result)
    for future, error in news.errors:
        if not future.done():
            future.set_exception(error)
    for stock in news.filled:
        stock.filled()

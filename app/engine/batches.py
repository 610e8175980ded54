"""What links hand in for the database, gathered, and how each kind of it is stored.

The order of `KINDS` is the order in the transaction, the same on every path.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app import inbound, outcomes, reports
from app.core import Core
from app.engine import status
from app.engine.stock import Stock
from app.identifiers import internal_id
from app.outbox import Claim
from app.outcomes import AttemptOutcome, Result
from app.snapshot import ConnectionView, Snapshot
from pennywire import Incoming, OutcomeUnknown, Rejected, Report, Submission

LARGEST_BATCH = 300
"""Most items of one kind in a transaction: who wants to accept messages meanwhile waits for its end."""


@dataclass(slots=True)
class Transaction:
    """What the stages need: a session in a write transaction, the configuration, the time."""

    core: Core
    session: Session
    snapshot: Snapshot
    now: datetime


@dataclass(slots=True)
class Answered:
    """An attempt with what became of it."""

    stock: Stock
    submission: Submission
    result: Result


@dataclass(slots=True)
class Received:
    """A report or an incoming segment. `stored` is resolved when it is durable; the peer is answered after that."""

    view: ConnectionView
    value: Any
    stored: asyncio.Future[None]


@dataclass(slots=True)
class Gathered:
    """What has come in since the worker last looked. Filled by the loop only."""

    outcomes: list[Answered] = field(default_factory=list)
    reports: list[Received] = field(default_factory=list)
    incoming: list[Received] = field(default_factory=list)
    notes: list[status.Note] = field(default_factory=list)
    askers: set[Stock] = field(default_factory=set)
    errands: list["Errand"] = field(default_factory=list)
    barriers: list[asyncio.Future[None]] = field(default_factory=list)

    def take(self, other: "Gathered") -> None:
        """Append what `other` has, behind what is here."""
        self.outcomes += other.outcomes
        self.reports += other.reports
        self.incoming += other.incoming
        self.notes += other.notes
        self.askers |= other.askers
        self.errands += other.errands
        self.barriers += other.barriers

    def split(self) -> "Gathered":
        """Take out what fits into one transaction and return it."""
        head = Gathered()
        for kind in KINDS:
            items = kind.of(self)
            kind.of(head).extend(items[:LARGEST_BATCH])
            del items[:LARGEST_BATCH]
        return head

    @property
    def has_items(self) -> bool:
        return bool(self.outcomes or self.reports or self.incoming or self.notes)


@dataclass(slots=True)
class Errand:
    """A piece of work that gets a transaction of its own."""

    work: Callable[[Transaction], Any]
    done: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of items: where they are gathered, how a list of them is stored, and what replaces one that cannot be stored."""

    name: str
    of: Callable[[Gathered], list[Any]]
    store: Callable[[Transaction, list[Any]], None]
    replacement: Callable[[Any], Any | None]


def _record_outcomes(transaction: Transaction, items: list[Answered]) -> None:
    outcomes.record_outcomes(
        transaction.session,
        transaction.snapshot,
        [
            AttemptOutcome(
                item.submission.attempt_id,
                internal_id(item.submission.message_id),
                item.submission.segment_index,
                item.stock.view.id,
                item.result,
            )
            for item in items
        ],
        now=transaction.now,
    )


def refuse_spoiled(transaction: Transaction, view: ConnectionView, claim: Claim) -> None:
    """Refuse what was claimed and cannot be sent by anybody, in the transaction of the claim."""
    outcomes.record_outcomes(
        transaction.session,
        transaction.snapshot,
        [
            AttemptOutcome(item.attempt_id, item.message_id, item.segment_index, view.id, Rejected("unsendable", item.reason))
            for item in claim.spoiled
        ],
        now=transaction.now,
    )


def _in_doubt_instead(item: Answered) -> Answered | None:
    """An outcome that cannot be written leaves its segment in doubt, where an operator sees it."""
    if isinstance(item.result, OutcomeUnknown):
        return None
    return Answered(item.stock, item.submission, OutcomeUnknown("The network answered, and the gateway could not record it."))


def _apply_reports(transaction: Transaction, items: list[Received]) -> None:
    values: list[tuple[ConnectionView, Report]] = [(item.view, item.value) for item in items]
    reports.apply_reports(transaction.session, transaction.snapshot, values, now=transaction.now)


def _receive(transaction: Transaction, items: list[Received]) -> None:
    values: list[tuple[ConnectionView, Incoming]] = [(item.view, item.value) for item in items]
    inbound.receive(transaction.session, transaction.snapshot, values, ids=transaction.core.ids, now=transaction.now)


def _write_notes(transaction: Transaction, items: list[status.Note]) -> None:
    status.write(transaction.session, items)


def _nothing(_item: Any) -> None:
    return None


KINDS: tuple[Kind, ...] = (
    Kind("notes", lambda gathered: gathered.notes, _write_notes, _nothing),
    Kind("outcomes", lambda gathered: gathered.outcomes, _record_outcomes, _in_doubt_instead),
    Kind("reports", lambda gathered: gathered.reports, _apply_reports, _nothing),
    Kind("incoming", lambda gathered: gathered.incoming, _receive, _nothing),
)


def filled_kinds(gathered: Gathered) -> Iterator[tuple[Kind, list[Any]]]:
    """Yield the kinds of which there are items, in their order."""
    for kind in KINDS:
        items = kind.of(gathered)
        if items:
            yield kind, items

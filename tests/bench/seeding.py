"""A large history for the benchmark: a few messages go through the real stages, and their rows are written again in bulk.

Each *mould* is one message with everything that the gateway wrote of it: segments, rows of the ledger, events. A copy has an id, a
user, a number and a moment of its own, and else what the gateway wrote; so the ledger check must find nothing wrong with it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from subject import USERS, Gateway

from app import administration, closing, inbound, intake, journal, outbox, outcomes, reports, statistics
from app.bulk import insert_rows
from app.db import AnyRow, database_now
from app.identifiers import id_floor, internal_id
from app.ledger.rows import move_sums
from app.messages import Request
from app.models import ConnectionStatus, JournalEvent, Message, Segment, Transfer, User, table
from app.outcomes import AttemptOutcome, Result
from app.snapshot import ConnectionView
from pennywire import Accepted, Direction, Draft, Incoming, Rejected, Report, ReportState

BATCH = 4_000
"""Messages that are written in one transaction."""

LARGE_SHARE = 4
"""Every fourth message is of the one large customer, the others are spread over all."""

LONG = "Your parcel waits for you. " * 8
TABLES = (Message, Segment, Transfer, JournalEvent)
MOMENTS = {model: tuple(column.name for column in table(model).columns if column.name.endswith("at")) for model in TABLES}
BALANCE = {"charge": (0, 1), "settle": (-1, -1), "release": (0, -1), "refund": (1, 0), "pay": (1, 0)}
"""What one microcredit of each kind of row does to balance and reservations of the customer."""


@dataclass(frozen=True, slots=True)
class Mould:
    """The rows of one message by table, and how many of a hundred messages are like it."""

    share: int
    rows: dict[type[Any], list[dict[str, Any]]]


@dataclass(slots=True)
class Seeding:
    """What is written: messages from `since` to `until`, evenly."""

    gateway: Gateway
    since: datetime
    until: datetime
    message_count: int
    moved: dict[int, list[int]] = field(default_factory=dict)

    def run(self) -> None:
        """Write the history, count its sums, and close its months; say how far it is."""
        began = time.monotonic()
        self.write()
        _say("written", began)
        self._finish(began)

    def write(self) -> None:
        """Write the messages with everything that belongs to them."""
        core, began = self.gateway.core, time.monotonic()
        with core.database.read() as session:
            users = session.execute(select(User.id, User.username).order_by(User.id).limit(USERS)).all()
        accounts = {row.id: core.snapshots.present().users[row.username].account_id for row in users}
        moulds = [mould for mould in _cast(self.gateway, self.since) for _ in range(mould.share)]
        step = (self.until - self.since) / self.message_count
        for first in range(0, self.message_count, BATCH):
            batch = [
                _Copy(
                    number=id_floor(int(1000 * (at := self.since + step * index).timestamp())) + index % BATCH + 1,
                    index=index,
                    at=at,
                    user_id=(user_id := users[0 if index % LARGE_SHARE == 0 else index % USERS].id),
                    account_id=accounts[user_id],
                    mould=moulds[index * 37 % len(moulds)],
                )
                for index in range(first, min(first + BATCH, self.message_count))
            ]
            self._write_batch(batch)
            if first % (25 * BATCH) == 0:
                _say(f"{first + len(batch):>9,} of {self.message_count:,} messages", began)
        core.database.run(lambda session: move_sums(session, self.moved))

    def _write_batch(self, batch: list["_Copy"]) -> None:
        with self.gateway.core.database.write() as session:
            for model in (Message, Segment, Transfer):
                insert_rows(session, table(model), [row for item in batch for row in item.rows(model)])
            events: list[Any] = [row for item in batch for row in item.rows(JournalEvent)]
            journal.write(session, sorted(events, key=lambda row: row["at"]))
        for item in batch:
            moved = self.moved.setdefault(item.account_id, [0, 0])
            for row in item.mould.rows[Transfer]:
                balance, reserved = BALANCE[row["kind"]]
                moved[0] += balance * row["amount_uc"]
                moved[1] += reserved * (row["amount_uc"] + row["released_uc"])

    def _finish(self, began: float) -> None:
        """Do what a gateway would have done meanwhile: statistics of the database's planner, sums, closed months."""
        core = self.gateway.core
        with core.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        statistics.rebuild(core.database, now=self.until)
        _say("counted", began)
        closing.close_due(core.database, now=self.until, grace=timedelta(), limit=10 * USERS, counted={})
        _say("months closed", began)


def _say(words: str, began: float) -> None:
    print(f"    {words}, {time.monotonic() - began:.0f} s", flush=True)


@dataclass(frozen=True, slots=True)
class _Copy:
    """One message to be written after a mould."""

    number: int
    index: int
    at: datetime
    user_id: int
    account_id: int
    mould: Mould

    def rows(self, model: type[Any]) -> Iterator[dict[str, Any]]:
        """Return its rows of one table: the mould's, with what is its own put in their place, and later by the same time."""
        cast = self.mould.rows
        shift = self.at - cast[Message][0]["created_at"]
        was = cast[Message][0]["user_id"], next((_customer_side(row) for row in cast[Transfer]), "debit_id")
        for row in cast[model]:
            copy = dict(row)
            for name in MOMENTS[model]:
                if copy[name] is not None:
                    copy[name] += shift
            copy["id" if model is Message else "message_id"] = self.number
            if "user_id" in copy and was[0] == copy["user_id"]:
                copy["user_id"] = self.user_id
            if model is Message:
                side = "destination" if copy["direction"] == "outbound" else "source"
                copy[side] = f"+3620{self.index % 10_000_000:07}"
            elif model is Segment and copy["network_id"]:
                copy["network_id"] = f"seed{self.index}-{copy['segment_index']}"
            elif model is Transfer:
                copy[_customer_side(row)] = self.account_id
            yield copy


def _customer_side(row: dict[str, Any]) -> str:
    return "credit_id" if row["kind"] in {"refund", "pay"} else "debit_id"


# Moulds.


def _cast(gateway: Gateway, now: datetime) -> list[Mould]:
    """Send a message for each mould through the stages, and return what was written of them."""
    core = gateway.core
    with core.database.write() as session:
        administration.save_route(
            session,
            Direction.INBOUND,
            "incoming",
            targets=["bench0"],
            cost_uc=100_000,
            plugins=core.plugins,
            now=now,
            actor="bench",
        )
    snapshot = core.snapshots.reload()
    connection = next(iter(snapshot.connections.values()))
    network = _Network(gateway, connection, now)
    return [
        network.mould(60, "Your parcel has arrived", Accepted("a1"), ReportState.DELIVERED),
        network.mould(15, LONG, Accepted("b1"), ReportState.DELIVERED),
        network.mould(10, "Your parcel is late", Accepted("c1"), ReportState.UNDELIVERABLE),
        network.mould(5, "Your parcel is lost", Rejected("0x0000000B", "Invalid destination address")),
        network.mould(10, "Thank you"),
    ]


@dataclass(slots=True)
class _Network:
    """Plays the operator's network for a few messages."""

    gateway: Gateway
    connection: ConnectionView
    now: datetime

    def mould(self, share: int, words: str, result: Result | None = None, state: ReportState | None = None) -> Mould:
        """Pass one message through the stages; without a result it is one that came in."""
        number = self._received(words) if result is None else self._sent(words, result)
        if state is not None:
            assert isinstance(result, Accepted)
            self._reported(number, state)
        return Mould(share, self._rows_of(number))

    def _sent(self, words: str, result: Result) -> int:
        core = self.gateway.core
        clock, core.clock = core.clock, lambda: self.now
        user = core.snapshots.present().users["bench0"]
        answer = intake.Intake(core).submit(Request(user, (Draft("+36201234567", words),), "legacy"))
        core.clock = clock
        with core.database.write() as session:
            status = session.get_one(ConnectionStatus, self.connection.id)
            status.token, status.lease_until = status.token + 1, database_now(session) + timedelta(minutes=1)
            at, token = self.now + timedelta(milliseconds=20), status.token
            taken = outbox.claim(session, self.connection, token=token, room=10, ids=core.ids, now=at).submissions
            batch = [
                AttemptOutcome(
                    item.attempt_id,
                    internal_id(item.message_id),
                    item.segment_index,
                    self.connection.id,
                    Accepted(f"{result.network_id}{item.segment_index}") if isinstance(result, Accepted) else result,
                )
                for item in taken
            ]
            status.lease_until = None
            outcomes.record_outcomes(session, core.snapshots.present(), batch, now=at + timedelta(milliseconds=20))
        (admitted,) = answer.results
        return int(admitted.message_id)

    def _reported(self, number: int, state: ReportState) -> None:
        core, at = self.gateway.core, self.now + timedelta(seconds=3)
        with core.database.write() as session:
            names = session.scalars(select(Segment.network_id).where(Segment.message_id == number)).all()
            news = [(self.connection, Report((name,), state, "000", at)) for name in names]
            reports.apply_reports(session, core.snapshots.present(), news, now=at)

    def _received(self, words: str) -> int:
        core = self.gateway.core
        with core.database.write() as session:
            incoming = Incoming("+36201234567", "1234", words)
            inbound.receive(session, core.snapshots.present(), [(self.connection, incoming)], ids=core.ids, now=self.now)
            return session.execute(select(Message.id).where(Message.direction == "inbound")).scalar_one()

    def _rows_of(self, number: int) -> dict[type[Any], list[dict[str, Any]]]:
        with self.gateway.core.database.read() as session:
            found: dict[type[Any], list[dict[str, Any]]] = {}
            for model in TABLES:
                columns = table(model).c
                key, order = (columns.id, columns.id) if model is Message else (columns.message_id, list(table(model).primary_key)[-1])
                rows: list[AnyRow] = list(session.execute(select(table(model)).where(key == number).order_by(order)))
                found[model] = [
                    {name: value for name, value in row._mapping.items() if name != "id" or model is Message}  # noqa: SLF001  # public
                    for row in rows
                ]
            return found

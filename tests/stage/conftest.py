"""A small gateway without processes: the stages on a real database, with a clock that the test moves."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app import administration, inbound, intake, ledger, outbox, outcomes, plugins, reports, routing, sweeping
from app.config import Settings
from app.core import Core, open_core
from app.identifiers import internal_id
from app.lifecycle import Terms
from app.messages import Answer, Request
from app.models import Account, ConnectionStatus, JournalEvent, Message, OutboxRow, Segment, Transfer, User
from app.outcomes import AttemptOutcome, Result
from app.snapshot import ConnectionView
from pennywire import Accepted, Connector, Direction, Draft, Incoming, Report, Submission

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Wire(Connector):
    """A kind of connection for tests; the tests speak for its peer."""

    kind = "wire"
    label = "Wire"


@dataclass
class World:
    """The stages, with the words of a story."""

    core: Core
    now: datetime = START
    tokens: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.core.clock = lambda: self.now
        self.intake = intake.Intake(self.core, on_commit_failure=lambda: None)

    # The operator.

    def user(self, name: str = "anna", credit: str = "0", **values: Any) -> str:
        values.setdefault("accounting_enabled", True)
        with self.core.database.write() as session:
            administration.add_user(session, name, "", now=self.now, actor="test", **values)
            if ledger.parse_credits(credit):
                administration.top_up(session, name, ledger.parse_credits(credit), now=self.now, actor="test", reason="start")
        self.core.snapshots.reload()
        return name

    def connection(self, name: str = "wire", provider: str = "", *, started: bool = True) -> ConnectionView:
        core = self.core
        with core.database.write() as session:
            row = administration.add_connection(
                session, name, "wire", {}, provider=provider, plugins=core.plugins, vault=core.vault, now=self.now, actor="test"
            )
            if started:
                administration.set_desired(session, name, "started", plugins=core.plugins, now=self.now, actor="test")
            self.lease(session, row.id)
            number = row.id
        return core.snapshots.reload().connections[number]

    def lease(self, session: Any, connection_id: int, *, seconds: float = 3600) -> None:
        """Take the connection's lease; the database's clock is the real one."""
        status = session.get(ConnectionStatus, connection_id)
        status.token += 1
        status.state = "up"
        status.lease_until = datetime.now(UTC) + timedelta(seconds=seconds)
        self.tokens[connection_id] = status.token

    def route(self, name: str = "all", targets: Sequence[str] = ("wire",), *, inward: bool = False, cost: str = "", **values: Any) -> None:
        direction = Direction.INBOUND if inward else Direction.OUTBOUND
        cost_uc = ledger.parse_credits(cost) if cost else None
        values.setdefault("terms", Terms())
        with self.core.database.write() as session:
            administration.save_route(
                session, direction, name, targets=targets, cost_uc=cost_uc, plugins=self.core.plugins, now=self.now, actor="test", **values
            )
        self.core.snapshots.reload()

    # The customer.

    def submit(self, *drafts: Draft, user: str = "anna", **values: Any) -> Answer:
        view = self.core.snapshots.present().user(user)
        assert view is not None
        return self.intake.submit(Request(view, drafts, values.pop("entrance", "rest"), **values))

    def send(self, text: str = "hello", destination: str = "+36201234567", user: str = "anna", **values: Any) -> int:
        """Submit one message that must be admitted and return its id."""
        (result,) = self.submit(Draft(destination, text, **values), user=user).results
        return result.message_id  # type: ignore[union-attr]  # a refusal has none: the test fails here

    # The engine.

    def claim(self, connection: ConnectionView, room: int = 10, **values: Any) -> list[Submission]:
        with self.core.database.write() as session:
            return outbox.claim(
                session, connection, token=self.tokens[connection.id], room=room, ids=self.core.ids, now=self.now, **values
            ).submissions

    def answer(self, connection: ConnectionView, *pairs: tuple[Submission, Result]) -> None:
        batch = [
            AttemptOutcome(item.attempt_id, internal_id(item.message_id), item.segment_index, connection.id, result)
            for item, result in pairs
        ]
        with self.core.database.write() as session:
            outcomes.record_outcomes(session, self.core.snapshots.present(), batch, now=self.now)

    def accept(self, connection: ConnectionView, *network_ids: str) -> list[Submission]:
        """Claim as many segments as there are ids, and have the network accept them."""
        submissions = self.claim(connection, len(network_ids))
        self.answer(connection, *((item, Accepted(name)) for item, name in zip(submissions, network_ids, strict=True)))
        return submissions

    def report(self, connection: ConnectionView, *news: Report) -> None:
        with self.core.database.write() as session:
            reports.apply_reports(session, self.core.snapshots.present(), [(connection, item) for item in news], now=self.now)

    def receive(self, connection: ConnectionView, *segments: Incoming) -> int:
        with self.core.database.write() as session:
            batch = [(connection, item) for item in segments]
            return inbound.receive(session, self.core.snapshots.present(), batch, ids=self.core.ids, now=self.now)

    def sweep(self, after: timedelta = timedelta()) -> dict[str, int]:
        self.now += after
        return sweeping.sweep(self.core.database, self.core.snapshots.present(), ids=self.core.ids, now=self.now)

    # What is there.

    def message(self, number: int) -> Message:
        with self.core.database.read() as session:
            return session.get_one(Message, number)

    def messages(self, direction: str = "outbound") -> list[Message]:
        with self.core.database.read() as session:
            return list(session.scalars(select(Message).where(Message.direction == direction).order_by(Message.id)))

    def segments(self, number: int) -> list[Segment]:
        with self.core.database.read() as session:
            return list(session.scalars(select(Segment).where(Segment.message_id == number).order_by(Segment.segment_index)))

    def queue(self) -> list[OutboxRow]:
        with self.core.database.read() as session:
            return list(session.scalars(select(OutboxRow).order_by(OutboxRow.message_id, OutboxRow.segment_index)))

    def events(self, number: int) -> list[str]:
        with self.core.database.read() as session:
            rows = session.scalars(select(JournalEvent).where(JournalEvent.message_id == number).order_by(JournalEvent.version)).all()
            assert [row.version for row in rows] == list(range(1, len(rows) + 1))
            return [row.kind for row in rows]

    def told(self, number: int, name: str) -> list[Any]:
        """Return what the events of a message say under one name."""
        with self.core.database.read() as session:
            rows = session.scalars(select(JournalEvent).where(JournalEvent.message_id == number).order_by(JournalEvent.version))
            return [row.data[name] for row in rows if name in row.data]

    def money(self, user: str = "anna") -> tuple[str, str]:
        """Return balance and reserved of a user, as the account says; the rows must say the same."""
        with self.core.database.read() as session:
            account = session.scalars(select(Account).join(User, User.id == Account.user_id).where(User.username == user)).one()
            rows = session.scalars(select(Transfer).where((Transfer.debit_id == account.id) | (Transfer.credit_id == account.id))).all()
        assert (account.balance_uc, account.reserved_uc) == summed(rows, account.id)
        return ledger.format_credits(account.balance_uc), ledger.format_credits(account.reserved_uc)


def summed(rows: Sequence[Transfer], account_id: int) -> tuple[int, int]:
    """Return balance and reservations of an account as its rows tell them."""
    balance_uc = reserved_uc = 0
    for row in rows:
        if row.kind == "charge":
            reserved_uc += row.amount_uc
        elif row.kind == "release":
            reserved_uc -= row.amount_uc
        elif row.kind == "settle":
            reserved_uc -= row.amount_uc + row.released_uc
            balance_uc -= row.amount_uc
        else:
            balance_uc += row.amount_uc if row.credit_id == account_id else -row.amount_uc
    return balance_uc, reserved_uc


@pytest.fixture
def world(database_url: str, tmp_path: Path, make_tables: Callable[[str], None]) -> Iterator[World]:
    """A gateway with an empty database."""
    settings = Settings(data=tmp_path / "data", database_url=database_url)
    make_tables(settings.url)
    core = open_core(settings, plugins=plugins.load({}, builtins=[routing], entry_points=[]))
    core.plugins.connectors["wire"] = Wire
    yield World(core)
    core.close()


@pytest.fixture
def line(world: World) -> ConnectionView:
    """A user with 100 credits, one connection, one route at 2 credits a segment."""
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2")
    return connection

"""The small gateway of the stage tests, and the words for money that moves at a moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from app import closing, ledger, statements
from app.models import Account, ClosedStatement, User
from app.statements import Month

World = Any


class Books:
    """Moves money of one account at any moment, and reads its statements."""

    def __init__(self, world: World, username: str = "anna") -> None:
        self.world, self.username = world, username
        with world.core.database.read() as session:
            found = session.query(Account).join(User, User.id == Account.user_id).filter(User.username == username).one()
            self.account_id: int = found.id
        self.revenue_id = world.core.snapshots.present().revenue_id
        self.next_message = 1
        self._session: Any = None

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Yield the session that is open for several movements, or one of its own."""
        if self._session is not None:
            yield self._session
            return
        with self.world.core.database.write() as session:
            yield session

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make what moves within this one transaction."""
        with self.world.core.database.write() as session:
            self._session = session
            try:
                yield
            finally:
                self._session = None

    def top_up(self, amount: str, at: datetime, **values: str) -> None:
        with self.writing() as session:
            ledger.top_up(
                session, self.account_id, ledger.parse_credits(amount), now=at, actor="test", reason=values.pop("reason", "cash"), **values
            )

    def correct(self, amount: str, at: datetime) -> None:
        with self.writing() as session:
            ledger.correct(session, self.account_id, ledger.parse_credits(amount), now=at, actor="test", reason="mistake")

    def charge(self, amount: str, at: datetime) -> int:
        """Reserve credit for a message that there is no row of, and return its id."""
        self.next_message += 1
        item = ledger.Charge(self.account_id, self.next_message, ledger.parse_credits(amount))
        with self.writing() as session:
            assert ledger.charge(session, [item], now=at, actor="test", revenue_id=self.revenue_id) == [None]
        return self.next_message

    def end(self, message_id: int, amount: str, settled: str, at: datetime) -> None:
        ending = ledger.Ending(self.account_id, message_id, ledger.parse_credits(amount), ledger.parse_credits(settled), "network")
        with self.writing() as session:
            ledger.end_charges(session, [ending], now=at, actor="test", revenue_id=self.revenue_id)

    def refund(self, message_id: int, amount: str, at: datetime) -> None:
        with self.writing() as session:
            item = ledger.Refund(self.account_id, message_id, ledger.parse_credits(amount), "undeliverable")
            ledger.refund_charges(session, [item], now=at, actor="test", revenue_id=self.revenue_id)

    def close(self, month: str, at: datetime) -> list[str]:
        return closing.close_by_hand(self.world.core.database, Month.parse(month), username=self.username, now=at, actor="root")

    def statement(self, month: str) -> statements.Statement:
        with self.world.core.database.read() as session:
            account = session.get_one(Account, self.account_id)
            return statements.statement(session, account, statements.month_interval(session, account, Month.parse(month)))

    def between(self, interval: statements.Interval) -> statements.Statement:
        with self.world.core.database.read() as session:
            return statements.statement(session, session.get_one(Account, self.account_id), interval)

    def closed(self) -> list[ClosedStatement]:
        with self.world.core.database.read() as session:
            return list(reversed(statements.closed_statements(session, self.account_id)))

    def figures(self, month: str) -> tuple[str, str, str, str]:
        """Return opening, added, used and closing."""
        found = self.statement(month)
        assert found.adds_up
        amounts = (found.opening.balance_uc, found.added_uc, found.used_uc, found.closing.balance_uc)
        opening, added, used, closing_ = (ledger.format_credits(amount_uc) for amount_uc in amounts)
        return opening, added, used, closing_


@pytest.fixture
def books(world: World) -> Books:
    """The books of anna, who came on 1 March 2026 and has nothing yet."""
    world.user()
    return Books(world)


@pytest.fixture
def books_of(world: World) -> Callable[[str], Books]:
    """Return the books of another user."""
    return lambda username: Books(world, username)

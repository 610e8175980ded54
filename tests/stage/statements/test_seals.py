"""The seal of a closed month tells of every fault; and the engine's duty makes it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from app import administration, closing, statements, verify
from app.engine.closing import EVERY_S, MonthCloser
from app.models import Account, ClosedStatement, Transfer

Books = Any
World = Any


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def seals(world: World) -> list[statements.SealFinding]:
    with world.core.database.read() as session:
        return list(statements.recheck(session))


@pytest.mark.parametrize("size", [1, 3])
def test_months_are_read_page_by_page(books: Books, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows have one and the same moment: a page may end between them."""
    moment = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
    with books.together():
        for _ in range(4):
            books.top_up("3", moment)
            books.end(books.charge("1", moment), "1", "1", moment)
            books.correct("-1", at(3, 3))
    with books.world.core.database.read() as session:
        interval = statements.month_interval(session, session.get_one(Account, books.account_id), statements.Month(2026, 3))
    reader = books.world.core.database.read
    whole = list(statements.items(reader, books.account_id, interval, with_reservations=True))
    seal = statements.seal(reader, books.account_id, interval)

    monkeypatch.setattr("app.statements.rows.PAGE", size)
    monkeypatch.setattr("app.statements.sealing.PAGE", size)

    assert len(whole) == 16
    assert [item.place for item in whole] == sorted(item.place for item in whole)
    assert list(statements.items(reader, books.account_id, interval, with_reservations=True)) == whole
    assert statements.seal(reader, books.account_id, interval) == seal
    books.close("2026-03", at(4, 2))
    assert books.closed()[0].row_count == 16
    assert seals(books.world) == []


FAULTS = {
    "a row that changed": update(Transfer).where(Transfer.id == 1).values(reason="other"),
    "a row that moved": update(Transfer).where(Transfer.id == 1).values(at=at(3, 3)),
    "a row out of another month": update(Transfer).where(Transfer.id == 3).values(at=at(3, 31)),
    "a figure that changed": update(ClosedStatement).where(ClosedStatement.month == "2026-03").values(closing_uc=1),
    "a count that changed": update(ClosedStatement).where(ClosedStatement.month == "2026-03").values(sent_count=7),
    "a group that changed": update(ClosedStatement).where(ClosedStatement.month == "2026-03").values(groups={}),
}


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(books: Books, fault: str) -> None:
    books.top_up("10", at(3, 2))
    books.charge("2", at(3, 30))
    books.top_up("5", at(4, 2))
    books.close("2026-04", at(5, 2))
    assert seals(books.world) == []

    with books.world.core.database.write() as session:
        session.execute(FAULTS[fault])

    found = seals(books.world)
    assert found
    assert found[0].subject.startswith("statement 2026-03 of user:")


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_months_of_several_accounts_are_checked_page_by_page(books: Books, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages end where they will: between accounts, months and sides. Rows before the first month and after the last pass too."""
    books.world.user("bela", credit="7")
    books.top_up("10", at(2, 3))
    for month in (3, 4, 5):
        books.top_up("2", at(month, 2))
        books.end(books.charge("1", at(month, 3)), "1", "1", at(month, 3))
        books.correct("-1", at(month, 4))
    books.close("2026-04", at(5, 2))
    monkeypatch.setattr("app.statements.sealing.PAGE", size)
    told: list[tuple[int, int]] = []

    with books.world.core.database.read() as session:
        found = list(statements.recheck(session, lambda done, total: told.append((done, total))))

    row_count = sum(row.row_count for row in books.closed())
    assert found == []
    assert told == sorted(told)
    assert told[-1] == (row_count, row_count)
    assert len(told) <= 10


def test_the_ledger_check_computes_closed_months_again(books: Books) -> None:
    books.top_up("10", at(3, 2))
    books.close("2026-03", at(4, 2))
    with books.world.core.database.read() as session:
        sound = verify.verify(session)
    with books.world.core.database.write() as session:
        session.execute(update(Transfer).values(actor="somebody"))
    with books.world.core.database.read() as session:
        broken = verify.verify(session)

    assert sound.correct
    assert broken.counts == {"statement_digest": 1}
    assert broken.titles["statement_digest"]


# The engine's duty.


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_the_duty_closes_some_accounts_in_each_turn_and_then_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine.closing.AT_ONCE", 2)
    for name in ("anna", "bela", "cora"):
        world.user(name)
    duty = MonthCloser(world.core)

    early = duty.turn()
    world.now = at(4, 2)
    pauses = [duty.turn(), duty.turn(), duty.turn()]

    assert (early, pauses) == (EVERY_S, [0.0, EVERY_S, EVERY_S])
    with world.core.database.read() as session:
        assert [row.month for row in session.scalars(select(ClosedStatement))] == ["2026-03"] * 3


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_the_duty_goes_on_behind_an_account_that_does_not_add_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine.closing.AT_ONCE", 1)
    for name in ("anna", "bela"):
        world.user(name, credit="1")
    broken = world.core.snapshots.present().user("anna").account_id
    with world.core.database.write() as session:
        session.execute(update(Account).where(Account.id == broken).values(balance_uc=7))
    world.now = at(4, 2)
    duty = MonthCloser(world.core)

    with pytest.raises(closing.DoesNotAddUp, match="March 2026 of anna"):
        duty.turn()
    duty.turn()

    with world.core.database.read() as session:
        assert [row.account_id == broken for row in session.scalars(select(ClosedStatement))] == [False]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_the_duty_leaves_months_alone_where_administrators_close_them(world: World) -> None:
    world.user()
    with world.core.database.write() as session:
        administration.set_gateway_options(session, {"closing_grace_h": "off"}, now=at(3, 2), actor="root")
    world.core.snapshots.reload()
    world.now = at(4, 2)

    assert MonthCloser(world.core).turn() == EVERY_S
    with world.core.database.read() as session:
        assert session.scalars(select(ClosedStatement)).all() == []

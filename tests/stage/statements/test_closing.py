"""A closed month never changes: not by clocks that differ, not by transactions that end late, not by news that come later."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, update

from app import administration, closing, ledger, statements
from app.administration import InvalidField, NotThere
from app.ledger import MICRO
from app.models import Account, AuditEntry, ClosedStatement, Transfer, User

Books = Any
World = Any
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def dates(books: Books) -> list[datetime]:
    with books.world.core.database.read() as session:
        return list(session.scalars(select(Transfer.at).order_by(Transfer.id)))


def test_a_month_is_frozen_with_its_figures(books: Books) -> None:
    books.top_up("10", at(3, 2))
    books.end(books.charge("2", at(3, 30)), "2", "2", at(3, 31))
    books.charge("3", at(3, 31))

    assert books.close("2026-03", at(4, 2)) == ["anna"]

    (row,) = books.closed()
    assert (row.number, row.month, row.started_at, row.ends_at) == (1, "2026-03", at(3, 1, 0), APRIL)
    assert (row.opening_uc, row.added_uc, row.used_uc, row.closing_uc) == (0, 10 * MICRO, 2 * MICRO, 8 * MICRO)
    assert (row.opening_reserved_uc, row.closing_reserved_uc) == (0, 3 * MICRO)
    assert (row.row_count, row.first_id, row.last_id) == (4, 1, 4)
    assert len(row.digest) == 64


def test_what_comes_later_is_in_the_month_in_which_it_comes(books: Books) -> None:
    books.top_up("10", at(3, 2))
    settled = books.charge("2", at(3, 30))
    books.end(settled, "2", "2", at(3, 31))
    pending = books.charge("3", at(3, 31))
    before = books.statement("2026-03")
    books.close("2026-03", at(4, 2))

    books.refund(settled, "2", at(4, 5))
    books.end(pending, "3", "3", at(4, 6))

    march = books.statement("2026-03")
    assert (march.opening, march.closing, march.groups, march.reservations) == (
        before.opening,
        before.closing,
        before.groups,
        before.reservations,
    )
    assert books.figures("2026-04") == ("8", "0", "1", "7")


def test_a_clock_that_is_behind_writes_into_the_open_month(books: Books) -> None:
    """The machine whose clock is late learns from the account where its closed time ends."""
    books.top_up("10", at(3, 2))
    charged = books.charge("1", at(3, 3))
    kept = books.charge("1", at(3, 3))
    books.close("2026-03", at(4, 2))

    late = at(3, 31, 23)
    books.top_up("1", late)
    books.correct("-1", late)
    books.end(charged, "1", "1", late)
    books.refund(charged, "1", late)
    books.end(kept, "1", "0", late)
    books.charge("1", late)
    with books.world.core.database.write() as session:
        items = [ledger.Charge(books.account_id, 900, MICRO), ledger.Charge(books.account_id, 901, -MICRO)]
        ledger.take_inbound(session, items, now=late, actor="test", revenue_id=books.revenue_id, guarded=False)

    assert set(dates(books)[3:]) == {APRIL}
    assert len(dates(books)) == 3 + 9
    assert books.closed()[0].closing_uc == 10 * MICRO
    assert books.statement("2026-04").adds_up
    assert list(seals(books.world)) == []


def seals(world: World) -> list[statements.SealFinding]:
    with world.core.database.read() as session:
        return list(statements.recheck(session))


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres_url"], indirect=True)
def test_closing_waits_for_a_transaction_that_commits_late(books: Books) -> None:
    """A row dated in March whose transaction is still open when the month is closed belongs to March, and is in its statement."""
    database = books.world.core.database
    books.top_up("10", at(3, 2))
    done: list[list[str]] = []
    closer = threading.Thread(target=lambda: done.append(books.close("2026-03", at(4, 2))))
    with database.write() as session:
        ledger.top_up(session, books.account_id, MICRO, now=at(3, 31, 23), actor="test", reason="late")
        closer.start()
        closer.join(0.5)
        assert closer.is_alive()
    closer.join(30)

    assert done == [["anna"]]
    assert books.closed()[0].closing_uc == 11 * MICRO
    assert dates(books) == [at(3, 2), at(3, 31, 23)]


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres_url"], indirect=True)
def test_a_transaction_that_waited_for_the_closing_is_dated_behind_it(books: Books) -> None:
    """It began in March by its clock, and came to the account's lock only behind the closing."""
    database = books.world.core.database
    books.top_up("10", at(3, 2))
    writer = threading.Thread(target=books.top_up, args=("1", at(3, 31, 23)))
    with database.write() as session:
        ledger.lock_accounts(session, [books.account_id])
        session.execute(update(Account).where(Account.id == books.account_id).values(closed_until=APRIL))
        writer.start()
        writer.join(0.5)
        assert writer.is_alive()
    writer.join(30)

    assert dates(books) == [at(3, 2), APRIL]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_a_month_that_is_not_over_is_not_closed(books: Books) -> None:
    with pytest.raises(InvalidField, match="April 2026 is not over"):
        books.close("2026-04", at(4, 30, 23))

    assert books.closed() == []


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_the_month_of_a_later_zone_ends_later(books: Books) -> None:
    with books.world.core.database.write() as session:
        session.execute(update(Account).where(Account.id == books.account_id).values(time_zone="Pacific/Honolulu"))

    with pytest.raises(InvalidField):
        books.close("2026-03", datetime(2026, 4, 1, 9, 59, tzinfo=UTC))
    books.close("2026-03", datetime(2026, 4, 1, 10, tzinfo=UTC))

    assert books.closed()[0].ends_at == datetime(2026, 4, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_nobody_s_month_is_not_closed(books: Books) -> None:
    with pytest.raises(NotThere):
        closing.close_by_hand(books.world.core.database, statements.Month(2026, 3), username="nobody", now=at(5, 1), actor="root")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_closing_twice_changes_nothing(books: Books) -> None:
    books.close("2026-03", at(4, 2))
    (before,) = books.closed()

    assert books.close("2026-03", at(4, 3)) == []

    (after,) = books.closed()
    assert (after.digest, after.closed_at) == (before.digest, before.closed_at)


def test_two_that_close_at_once_store_one_statement(books: Books) -> None:
    with books.world.core.database.read() as session:
        (item,) = closing.due(session, over_by=at(4, 2))

    for actor in ("gateway", "root"):
        closing.close(books.world.core.database, item, now=at(4, 2), actor=actor)

    assert [row.closed_by for row in books.closed()] == ["gateway"]


def test_open_months_before_are_closed_too_and_hold_together(books: Books) -> None:
    books.top_up("10", at(3, 2))
    books.correct("-4", at(5, 2))

    books.close("2026-05", at(6, 2))

    rows = books.closed()
    assert [(row.number, row.month, row.opening_uc // MICRO, row.closing_uc // MICRO) for row in rows] == [
        (1, "2026-03", 0, 10),
        (2, "2026-04", 10, 10),
        (3, "2026-05", 10, 6),
    ]
    assert all(before.ends_at == after.started_at for before, after in pairwise(rows))


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.parametrize(("first", "then"), [("UTC", "Pacific/Kiritimati"), ("Pacific/Kiritimati", "Pacific/Honolulu")])
def test_an_account_that_moves_around_the_world_has_no_gap_and_no_month_twice(books: Books, first: str, then: str) -> None:
    def move(zone: str) -> None:
        with books.world.core.database.write() as session:
            session.execute(update(Account).where(Account.id == books.account_id).values(time_zone=zone))

    move(first)
    books.close("2026-03", at(4, 3))
    move(then)
    books.close("2026-04", at(5, 3))

    march, april = books.closed()
    assert (march.month, april.month) == ("2026-03", "2026-04")
    assert march.ends_at == april.started_at
    assert books.statement("2026-05").interval.started_at == april.ends_at


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_closing_by_hand_is_audited(books: Books) -> None:
    books.close("2026-03", at(4, 2))

    with books.world.core.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.verb == "close")).one()
    assert (entry.actor, entry.subject, entry.after["closing"]) == ("root", "statement 2026-03 of anna", "0")


# By itself.


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_months_are_closed_by_themselves_when_the_grace_is_over(books: Books) -> None:
    database = books.world.core.database

    assert closing.close_due(database, now=APRIL + timedelta(minutes=119), grace=timedelta(hours=2)).count == 0
    assert closing.close_due(database, now=APRIL + timedelta(hours=2), grace=timedelta(hours=2)).count == 1
    assert closing.close_due(database, now=APRIL + timedelta(hours=3), grace=timedelta(hours=2)).count == 0

    assert [row.closed_by for row in books.closed()] == ["gateway"]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_a_closing_that_was_cut_short_is_finished(books: Books) -> None:
    """The process died between shutting the month and storing its statement."""
    books.top_up("10", at(3, 2))
    with books.world.core.database.write() as session:
        session.execute(update(Account).where(Account.id == books.account_id).values(closed_until=APRIL))

    closing.close_due(books.world.core.database, now=at(4, 2), grace=timedelta(hours=2))

    assert [row.closing_uc for row in books.closed()] == [10 * MICRO]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_a_fault_in_one_account_does_not_keep_the_others_open(books: Books, world: World) -> None:
    books.top_up("10", at(3, 2))
    world.user("bela")
    with world.core.database.write() as session:
        session.execute(update(Account).where(Account.id == books.account_id).values(balance_uc=Account.balance_uc + 1))

    done = closing.close_due(world.core.database, now=at(4, 2), grace=timedelta(hours=2))

    assert len(done.problems) == 1
    assert "anna" in done.problems[0]
    with world.core.database.read() as session:
        closed = session.scalars(
            select(User.username).join(Account, Account.user_id == User.id).join(ClosedStatement, ClosedStatement.account_id == Account.id)
        )
        assert list(closed) == ["bela"]


@pytest.mark.parametrize(("value", "hours"), [("0", 0), ("48", 48), ("off", None), ("Off", None), ("007", 7)])
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_the_grace_is_an_option(world: World, value: str, hours: int | None) -> None:
    assert closing.grace(world.core.snapshots.reload().options) == timedelta(hours=2)
    with world.core.database.write() as session:
        administration.set_gateway_options(session, {"closing_grace_h": value}, now=at(3, 2), actor="root")

    found = closing.grace(world.core.snapshots.reload().options)

    assert found == (None if hours is None else timedelta(hours=hours))


@pytest.mark.parametrize("typed", ["", "-1", "1.5", "x", "673", "1000", "２"])
def test_a_grace_that_cannot_be_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField):
        administration.checked_option("closing_grace_h", typed)

"""Statements are sums of the ledger's rows, in the account's own time, however they are cut."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from app import statements
from app.ledger import MICRO, format_credits
from app.models import Account, ClosedStatement, Option, Transfer
from app.statements import Interval, InvalidMonth, Month

Books = Any
World = Any


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "26-01", "1999-12", "2201-01", "2026-1", "２０２６-01", "2026-01-01"])
def test_a_text_that_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidMonth):
        Month.parse(text)


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_opening_and_movements_make_the_closing(books: Books) -> None:
    books.top_up("10", at(3, 2))
    message = books.charge("2", at(3, 30))
    books.end(message, "2", "1.5", at(4, 1))
    books.refund(message, "1.5", at(4, 2))
    books.correct("-3", at(4, 3))

    assert books.figures("2026-03") == ("0", "10", "0", "10")
    assert books.figures("2026-04") == ("10", "-3", "0", "7")


def test_reservations_stand_apart(books: Books) -> None:
    books.top_up("10", at(3, 2))
    books.charge("2", at(3, 30))
    message = books.charge("3", at(3, 31))
    books.end(message, "3", "1", at(4, 1))

    march, april = books.statement("2026-03"), books.statement("2026-04")

    assert (march.closing.balance_uc, march.closing.reserved_uc) == (10 * MICRO, 5 * MICRO)
    assert (april.closing.balance_uc, april.closing.reserved_uc) == (9 * MICRO, 2 * MICRO)
    assert (april.reservations.reserved_uc, april.reservations.taken_uc, april.reservations.returned_uc) == (0, 1 * MICRO, 2 * MICRO)
    assert april.adds_up


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_lines_by_kind_and_day(books: Books) -> None:
    books.top_up("10", at(3, 2))
    books.top_up("5", at(3, 2))
    books.correct("-1", at(3, 3))
    books.correct("0.5", at(3, 3))

    march = books.statement("2026-03")

    assert [(line.key, line.row_count, format_credits(line.change_uc)) for line in march.groups["kind"]] == [
        ("top_up", 2, "15"),
        ("correct", 2, "-0.5"),
    ]
    assert [(line.key, format_credits(line.plus_uc), format_credits(line.minus_uc)) for line in march.groups["day"]] == [
        ("2026-03-02", "15", "0"),
        ("2026-03-03", "0.5", "1"),
    ]


def test_lines_by_route_and_by_country(world: World, line: Any) -> None:
    world.send(destination="+36201234567")
    world.send(destination="+36209999999")
    world.send(destination="+4915112345678")
    world.accept(line, "a", "b", "c")
    with world.core.database.read() as session:
        account = session.query(Account).filter(Account.user_id.is_not(None)).one()
        found = statements.statement(session, account, statements.month_interval(session, account, Month(2026, 3)))

    assert [(item.label, item.row_count, item.segment_count, format_credits(item.change_uc)) for item in found.groups["route"]] == [
        ("No message", 1, 0, "100"),
        ("all", 3, 3, "-6"),
    ]
    assert [(item.label, item.segment_count, format_credits(item.change_uc)) for item in found.groups["destination"]] == [
        ("No message", 0, "100"),
        ("+36", 2, "-4"),
        ("+49", 1, "-2"),
    ]
    assert found.adds_up


def test_items_name_the_message_and_shorten_its_number(world: World, line: Any) -> None:
    world.send(destination="+36201234567")
    world.accept(line, "a")
    with world.core.database.read() as session:
        account = session.query(Account).filter(Account.user_id.is_not(None)).one()
        interval = statements.month_interval(session, account, Month(2026, 3))
        start, settled = statements.items_page(session, account.id, interval, after=None, limit=10)
        everything = statements.items_page(session, account.id, interval, after=None, limit=10, with_reservations=True)
        behind = statements.items_page(session, account.id, interval, after=start.place, limit=10)

    assert (start.kind, start.reason, format_credits(start.balance_uc)) == ("top_up", "start", "100")
    assert (settled.kind, settled.destination, settled.segment_count, settled.price_uc) == ("settle", "+3620***", 1, 2 * MICRO)
    assert [item.kind for item in everything] == ["top_up", "charge", "settle"]
    assert [item.kind for item in behind] == ["settle"]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.parametrize(
    ("zone", "march"), [("UTC", "0"), ("Europe/Budapest", "0"), ("Pacific/Honolulu", "4"), ("Pacific/Kiritimati", "0")]
)
def test_a_month_begins_by_the_account_s_own_clock(books: Books, zone: str, march: str) -> None:
    with books.world.core.database.write() as session:
        session.execute(update(Account).values(time_zone=zone))
    books.top_up("4", datetime(2026, 4, 1, 9, 59, 59, tzinfo=UTC))

    assert books.figures("2026-03")[3] == march
    assert books.figures("2026-04")[3] == "4"


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_an_account_without_a_zone_has_the_gateway_s(books: Books) -> None:
    with books.world.core.database.write() as session:
        session.merge(Option(name="time_zone", value={"value": "Pacific/Honolulu"}))
    books.top_up("4", datetime(2026, 4, 1, 9, 59, tzinfo=UTC))

    assert books.figures("2026-03")[3] == "4"


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_a_fault_in_a_balance_is_seen(books: Books) -> None:
    books.top_up("4", at(3, 2))
    with books.world.core.database.write() as session:
        session.execute(update(Account).where(Account.id == books.account_id).values(balance_uc=Account.balance_uc + 1))

    assert not books.statement("2026-03").adds_up


MOVES = st.lists(
    st.tuples(st.sampled_from(["top_up", "correct", "charge", "settle", "release", "refund"]), st.integers(1, 50), st.integers(0, 90 * 96)),
    min_size=1,
    max_size=25,
)
CUTS = st.lists(st.integers(-5, 95), min_size=0, max_size=6, unique=True)


def _move(books: Books, open_: list[tuple[int, int]], settled: list[tuple[int, int]], kind: str, size: int, moment: datetime) -> None:
    amount = format_credits(size * MICRO // 4)
    match kind:
        case "top_up":
            books.top_up(amount, moment)
        case "correct":
            books.correct(f"-{amount}" if size % 2 else amount, moment)
        case "charge":
            open_.append((books.charge(amount, moment), size))
        case "settle" if open_:
            message, reserved = open_.pop()
            books.end(message, format_credits(reserved * MICRO // 4), format_credits((reserved + 1) // 2 * MICRO // 4), moment)
            settled.append((message, (reserved + 1) // 2))
        case "release" if open_:
            message, reserved = open_.pop(0)
            books.end(message, format_credits(reserved * MICRO // 4), "0", moment)
        case "refund" if settled:
            message, taken = settled.pop()
            books.refund(message, format_credits(taken * MICRO // 4), moment)


@pytest.mark.parametrize(
    "database_url", ["sqlite_url", pytest.param("postgres_url", marks=[pytest.mark.postgres, pytest.mark.full])], indirect=True
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES, cuts=CUTS, closed_months=st.integers(0, 3))
def test_statements_over_any_cuts_sum_to_the_ledger(
    books: Books, moves: list[tuple[str, int, int]], cuts: list[int], closed_months: int
) -> None:
    """Whatever the moments of the rows, the cuts between intervals, and the months that are closed on the way."""
    with books.world.core.database.write() as session:
        session.execute(delete(Transfer))
        session.execute(delete(ClosedStatement))
        session.execute(update(Account).values(balance_uc=0, reserved_uc=0, closed_until=None, unlimited=True))
    first = datetime(2026, 3, 1, tzinfo=UTC)
    open_: list[tuple[int, int]] = []
    settled: list[tuple[int, int]] = []
    with books.together():
        for kind, size, quarter in moves:
            _move(books, open_, settled, kind, size, first + timedelta(minutes=15 * quarter))
    for number in range(closed_months):
        books.close(f"2026-0{3 + number}", datetime(2026, 6, 1, tzinfo=UTC))

    edges = sorted({-30, 130, *cuts})
    parts = [books.between(Interval(first + timedelta(days=start), first + timedelta(days=end), "UTC")) for start, end in pairwise(edges)]

    assert all(part.adds_up for part in parts)
    assert parts[0].opening.balance_uc == parts[0].opening.reserved_uc == 0
    assert all(before.closing == after.opening for before, after in pairwise(parts))
    with books.world.core.database.read() as session:
        account = session.get_one(Account, books.account_id)
    assert (parts[-1].closing.balance_uc, parts[-1].closing.reserved_uc) == (account.balance_uc, account.reserved_uc)
    assert sum(part.change_uc for part in parts) == account.balance_uc

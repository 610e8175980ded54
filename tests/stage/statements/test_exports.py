"""An accountant's own tool reads our ledger, adds it up by itself, and finds what we say: beancount, unmodified."""

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from beancount import loader
from beancount.core import data, realization
from sqlalchemy import select, update

from app import exports, ledger
from app.ledger import MICRO
from app.models import Account, Transfer

Books = Any
World = Any

AWKWARD = 'paid "in cash"; \\ 50% | {x} #tag ^link\nsecond line = (a) * "'


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def written(world: World, form: str, *, zone: str = "UTC", **limits: Any) -> str:
    database = world.core.database
    chosen = exports.Range(exports.horizon(database), **limits)
    with database.read() as session:
        book = exports.open_book(session, chosen)
    return "".join(exports.journal(database.read, book, chosen, form, time_zone=zone, made_at=at(6, 1)))


def balances(text: str) -> dict[str, Decimal]:
    """Return what beancount makes of a journal; it must find nothing wrong."""
    entries, errors, _options = loader.load_string(text)
    assert errors == [], [error.message for error in errors]
    assert any(isinstance(entry, data.Balance) for entry in entries)
    root = realization.realize([entry for entry in entries if isinstance(entry, data.Transaction)])
    return {
        account.account: amount.units.number
        for account in realization.iter_children(root)
        for amount in account.balance.reduce(lambda position: position.units)
    }


def a_history(books: Books) -> None:
    books.top_up("10.000001", at(3, 2), reason=AWKWARD, reference='"R;1"')
    books.end(books.charge("2", at(3, 30)), "2", "1.5", at(4, 1))
    gone = books.charge("2", at(4, 2))
    books.end(gone, "2", "2", at(4, 2))
    books.refund(gone, "2", at(4, 3))
    books.end(books.charge("1", at(4, 4)), "1", "0", at(4, 4))
    books.charge("3", at(4, 5))
    books.correct("-20", at(5, 1))


def test_beancount_finds_our_sums(books: Books) -> None:
    a_history(books)

    found = balances(written(books.world, "beancount"))

    assert found == {
        "Assets:Funding": Decimal("-9.999999"),
        "Income:Revenue": Decimal("-1.5"),
        f"Liabilities:Customers:Anna-{books.account_id}": Decimal("11.499999"),
    }


def test_an_interval_begins_with_what_was_there(books: Books) -> None:
    a_history(books)

    text = written(books.world, "beancount", since=at(4, 1, 0), until=at(5, 1, 0))

    found = balances(text)
    assert found[f"Liabilities:Customers:Anna-{books.account_id}"] == Decimal("-8.500001")
    assert found["Income:Revenue"] == Decimal("-1.5")
    assert "2026-03-02 *" not in text
    assert "2026-05-01 *" not in text


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_one_account_alone_adds_up_too(books: Books, world: World) -> None:
    a_history(books)
    world.user("bela", credit="5")

    found = balances(written(world, "beancount", account_id=books.account_id))

    assert found[f"Liabilities:Customers:Anna-{books.account_id}"] == Decimal("11.499999")
    assert not any("Bela" in name for name in found)


@pytest.mark.parametrize(
    "fault",
    [
        update(Account).where(Account.user_id.is_not(None)).values(balance_uc=Account.balance_uc + 1),
        update(Transfer).where(Transfer.kind == "top_up").values(amount_uc=Transfer.amount_uc + 1),
    ],
    ids=["balance", "row"],
)
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_beancount_finds_a_fault_of_one_millionth(books: Books, fault: Any) -> None:
    a_history(books)
    with books.world.core.database.write() as session:
        session.execute(fault)

    _entries, errors, _options = loader.load_string(written(books.world, "beancount"))

    assert len(errors) == 1
    assert "Balance failed" in errors[0].message


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_names_that_are_alike_stay_apart(world: World) -> None:
    for name, credit in (("a.b", "1"), ("a-b", "2"), ("a_b", "4"), ("4x", "8")):
        world.user(name, credit=credit)
    with world.core.database.write() as session:
        session.execute(update(Account).values(currency='wei"rd €'))

    found = balances(written(world, "beancount"))

    assert sorted(number for name, number in found.items() if "Customers" in name) == [-8, -4, -2, -1]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_texts_stay_what_they_are(books: Books) -> None:
    a_history(books)

    entries, _errors, _options = loader.load_string(written(books.world, "beancount"))

    first = next(entry for entry in entries if isinstance(entry, data.Transaction))
    assert (first.payee, first.narration) == ("Top up", " ".join(AWKWARD.split("\n")))
    assert (first.meta["reference"], first.meta["actor"], first.meta["transfer"]) == ('"R;1"', "test", "1")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_days_are_those_of_the_zone(books: Books) -> None:
    books.top_up("1", at(3, 31, 23))

    assert '2026-03-31 * "Top up"' in written(books.world, "beancount")
    assert '2026-04-01 * "Top up"' in written(books.world, "beancount", zone="Europe/Budapest")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_an_empty_ledger_is_a_journal_too(books: Books) -> None:
    assert balances(written(books.world, "beancount")) == {}


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_hledger_gets_the_same_rows(books: Books) -> None:
    a_history(books)

    lines = written(books.world, "hledger").splitlines()

    customer = f"Liabilities:Customers:Anna-{books.account_id}"
    assert 'commodity 1.000000 "CREDIT"' in lines
    assert "2026-03-02 * (1) Top up" in lines
    assert f"    ; reason: {' '.join(AWKWARD.split(chr(10)))}" in lines
    assert '    Assets:Funding  10.000001 "CREDIT"' in lines
    assert f'    {customer}  -10.000001 "CREDIT"' in lines
    assert f'    {customer}  0 "CREDIT" = 11.499999 "CREDIT"' in lines


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres_url"], indirect=True)
def test_no_row_is_left_out_because_it_was_committed_late(books: Books, world: World) -> None:
    """A row with a smaller id is still to come: the export waits for it."""
    world.user("bela")
    found: list[int] = []
    with world.core.database.write() as session:
        ledger.top_up(session, books.account_id, MICRO, now=at(3, 2), actor="test", reason="slow")
        with world.core.database.write() as other:
            bela = other.scalars(select(Account.id).where(Account.id > books.account_id)).one()
            ledger.top_up(other, bela, MICRO, now=at(3, 2), actor="test", reason="quick")
        reader = threading.Thread(target=lambda: found.append(exports.horizon(world.core.database)))
        reader.start()
        reader.join(0.4)
        assert reader.is_alive()
    reader.join(30)

    assert found == [2]
    rows = exports.transfers(world.core.database.read, exports.Range(found[0]))
    assert [row.transfer.reason for row in rows] == ["slow", "quick"]

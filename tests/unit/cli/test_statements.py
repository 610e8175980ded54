"""`pennywire statement` and `pennywire ledger export`."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from beancount.core import data as directives
from sqlalchemy import update

from app.db import Database, make_engine
from app.models import Transfer, User

Line = Any


def last_month() -> str:
    return f"{datetime.now(UTC).replace(day=1) - timedelta(days=1):%Y-%m}"


@pytest.fixture
def past(line: Line, bob: str, data: Path) -> str:
    """Bob came two months ago, and his 10 credits the month after."""
    opened = Database(make_engine(f"sqlite+pysqlite:///{data / 'pennywire.sqlite3'}", pool_size=1))
    first = datetime.now(UTC).replace(day=1, hour=12, minute=0, second=0, microsecond=0)
    with opened.write() as session:
        session.execute(update(User).values(created_at=first - timedelta(days=40)))
        session.execute(update(Transfer).values(at=first - timedelta(days=5)))
    opened.dispose()
    line("credits", "add", bob, "2.5", "--reason", "=more", "--reference", "R-1")
    return bob


def test_a_statement_is_shown_listed_and_closed(line: Line, past: str) -> None:
    month = last_month()
    assert line.json("statement", "list", "--month", month)[0]["closing"] == "10"
    assert "open" in line("statement", "list", "--month", month)

    assert line.json("statement", "close", "--month", month)["closed"] == [past]
    assert "closed already" in line("statement", "close", "--month", month)

    told = line.json("statement", "show", past, "--month", month)
    assert (told["opening"], told["added"], told["closing"], told["closed"]["number"]) == ("0", "10", "10", 2)
    assert told["closed"]["digest"] in line("statement", "show", past, "--month", month)
    assert "Everything matches" in line("ledger", "verify")


def test_a_statement_over_days_row_by_row(line: Line, past: str) -> None:
    today = datetime.now(UTC).date()
    days = ("--from", str(today - timedelta(days=60)), "--to", str(today))

    rows = list(csv.DictReader(io.StringIO(line("statement", "show", past, *days, "--itemised", "--csv"))))
    grouped = line("statement", "show", past, *days, "--csv")
    shown = line("statement", "show", past, *days, "--itemised")

    assert [(row["movement"], row["balance"], row["reason"]) for row in rows] == [
        ("opening", "0", ""),
        ("top_up", "10", "start"),
        ("top_up", "12.5", "'=more"),
        ("closing", "12.5", ""),
    ]
    assert "Top-ups,2,0,12.5,0,12.5" in grouped
    assert "R-1" in shown


def test_the_month_end_of_all_users(line: Line, past: str) -> None:
    month = last_month()

    rows = list(csv.DictReader(io.StringIO(line("statement", "month-end", "--month", month, "--csv"))))

    assert [(row["user"], row["sent messages"], row["added"], row["closing"]) for row in rows] == [(past, "0", "10", "10")]
    assert past in line("statement", "month-end", "--month", month)
    assert line.json("statement", "month-end", "--month", month)["username"] == past


@pytest.mark.usefixtures("bob")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "bob", "--month", "March"), "not a month"),
        (("show", "nobody"), "nobody"),
        (("close", "--month", "2199-01"), "not over"),
    ],
)
def test_what_cannot_be_is_refused(line: Line, words: tuple[str, ...], told: str) -> None:
    assert told in line("statement", *words, status=1)


def test_half_an_interval_is_refused(line: Line, bob: str) -> None:
    assert "together" in line("statement", "show", bob, "--from", "2026-01-01", status=2)


@pytest.mark.usefixtures("past")
def test_beancount_reads_the_export(line: Line) -> None:
    entries, errors, _options = loader.load_string(line("ledger", "export", "--format", "beancount"))

    assert errors == []
    sums = [entry.amount.number for entry in entries if isinstance(entry, directives.Balance) and "Customers" in entry.account]
    assert sums == [Decimal("-12.5")]


def test_the_other_formats_have_the_same_rows(line: Line, past: str) -> None:
    journal = line("ledger", "export", "--format", "hledger", "--account", past, "--zone", "Europe/Budapest")
    rows = [json.loads(row) for row in line("ledger", "export", "--format", "jsonl").splitlines()]
    table = list(csv.DictReader(io.StringIO(line("ledger", "export", "--account", past))))
    since = line("ledger", "export", "--from", str(datetime.now(UTC).date().replace(day=1)))

    assert journal.count("Top up") == 2
    assert [row["amount"] for row in rows] == ["10", "2.5"]
    assert [row["reason"] for row in table] == ["start", "'=more"]
    assert len(since.splitlines()) == 2
    assert "no time zone" in line("ledger", "export", "--zone", "Moon/Base", status=1)

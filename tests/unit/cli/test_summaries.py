"""`pennywire credits show` and `summary`, and `pennywire statistics`."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.db import Database, make_engine
from app.models import QuarterSums

Line = Any


@pytest.fixture
def used(line: Line, bob: str, network: str) -> str:
    """Bob has sent two messages, and they were counted."""
    assert network
    for number in ("+36201234567", "+36301234567"):
        line("message", "send", "--user", bob, "--text", "hello", number)
    line("statistics", "rebuild")
    return bob


def test_a_summary_counts_what_was_asked_for(line: Line, used: str) -> None:
    rows = line.json("credits", "summary", used, "--interval", "today", "--count", "submitted")
    shown = line("credits", "summary", used, "--count", "submitted", "--by", "route")

    assert sum(row["submitted"] for row in rows) == 2
    assert sum(row["segments_submitted"] for row in rows) == 2
    assert {row["credits_used"] for row in rows} == {"0"}
    assert "MESSAGES SUBMITTED" in shown
    assert "together" in shown


def test_a_summary_of_days_has_a_line_for_each(line: Line, bob: str) -> None:
    rows = line.json("credits", "summary", bob, "--from", "2026-01-01", "--to", "2026-01-05")

    assert [row["day"] for row in rows] == [f"2026-01-0{day}" for day in range(1, 6)]
    assert {row["submitted"] for row in rows} == {0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "2026-02-30"), "is not a day"),
        (("--from", "2026-02-02", "--to", "2026-02-01"), "is before the first"),
        (("--to", "1e309"), "is not a day"),
    ],
)
def test_days_that_cannot_be_are_refused_by_name(line: Line, bob: str, words: tuple[str, ...], said: str) -> None:
    answer = line.json("credits", "summary", bob, *words, status=1)

    assert answer["error"]["code"] == "invalid_interval"
    assert said in answer["error"]["reason"]
    assert answer["error"]["field"] in ("from", "to")


def test_an_interval_by_name_and_days_at_once_are_refused(line: Line, bob: str) -> None:
    assert "either --interval or days" in line("credits", "summary", bob, "--interval", "today", "--from", "2026-01-01", status=2)


def test_show_tells_how_an_account_stands(line: Line, used: str) -> None:
    line("credits", "label", used, "EUR")

    shown = line.json("credits", "show", used)

    assert (shown["balance"], shown["mode"], shown["currency_label"], shown["time_zone"]) == ("10", "prepaid", "EUR", "UTC")
    assert shown["used"] == {"today": "0", "this_week": "0", "this_month": "0"}
    assert shown["last_top_up"]["amount"] == "10"
    assert shown["forecast"] == "Nothing was used in the last 7 days, so there is no pace to tell by."
    assert shown["not_counted_since"] is None
    assert shown["waiting_for_approval"] == {}
    assert "forecast" in line("credits", "show", used)


def test_the_sums_are_checked_and_made_again(line: Line, used: str, data: Path) -> None:
    assert line.json("statistics", "check") == {"correct": True, "differences": []}
    opened = Database(make_engine(f"sqlite+pysqlite:///{data / 'pennywire.sqlite3'}", pool_size=1))
    with opened.write() as session:
        session.execute(update(QuarterSums).values(charged_uc=QuarterSums.charged_uc + 1))
    opened.dispose()

    found = line.json("statistics", "check", status=1)

    assert {(row["username"], row["column"]) for row in found["differences"]} == {("everybody", "charged"), (used, "charged")}
    assert "pennywire statistics rebuild" in line("statistics", "check", status=1)
    assert "Counted" in line("statistics", "rebuild")
    assert "The sums are what" in line("statistics", "check")


def test_a_label_that_is_too_long_is_refused(line: Line, bob: str) -> None:
    assert "at most 8 printable characters" in line("credits", "label", bob, "doubloons", status=1)

"""Period limits, calendars and resellers by the command line."""

from typing import Any

import pytest

Line = Any
BAD_AMOUNTS = ["1e309", "NaN", "1,5", "\uff11\uff12", "1e-9", "0.0000001", str(2**63), "True", "[1]", "", "0x10"]


@pytest.fixture
def boss(line: Line, bob: str) -> str:
    """A reseller with 50 credits, above bob."""
    line("user", "add", "boss", "--kind", "application", "--accounting", "--no-password")
    line("credits", "add", "boss", "50", "--reason", "start")
    line("credits", "parent", bob, "boss")
    return "boss"


def test_limits_are_set_shown_and_taken_away(line: Line, bob: str) -> None:
    (made,) = line.json("credits", "period", bob, "day", "--segments", "3")
    assert (made["period"], made["unit"], made["used"], made["most"]) == ("day", "segments", "0", "3")
    line("credits", "period", bob, "all", "--segments", "100", "--credits", "12.5")

    shown = line.json("credits", "periods", bob)

    assert [(item["period"], item["unit"], item["most"]) for item in shown] == [
        ("day", "segments", "3"),
        ("all", "segments", "100"),
        ("all", "credits", "12.5"),
    ]
    assert shown[2]["ends_at"] is None
    assert "12.5" in line("credits", "periods", bob)
    line("credits", "period", bob, "all", "--segments", "none", "--credits", "none")
    assert line.json("credits", "period", bob, "day", "--segments", "none") == []
    assert "no period limits" in line("credits", "periods", bob)


def test_a_limit_without_a_figure_or_that_is_not_there_is_an_error(line: Line, bob: str) -> None:
    assert line.json("credits", "period", bob, "day", status=1)["error"]["code"] == "missing_parameter"
    assert "no limit in segments" in line("credits", "period", bob, "day", "--segments", "none", status=1)
    assert "day" in line("credits", "period", bob, "hour", "--segments", "1", status=2)


@pytest.mark.parametrize("words", [["period", "bob", "day", "--segments"], ["period", "bob", "day", "--credits"]])
def test_limits_are_read_strictly(line: Line, bob: str, words: list[str]) -> None:
    for text in [*BAD_AMOUNTS, "-1"]:
        refused = line.json("credits", *words, text, status=1)
        assert refused["error"]["field"] == "most", text

    assert line.json("credits", "periods", bob) == []


@pytest.mark.parametrize("words", [["add", "bob"], ["set", "bob"], ["limit", "bob"], ["allot", "bob"]])
@pytest.mark.usefixtures("boss")
def test_amounts_are_read_strictly(line: Line, words: list[str]) -> None:
    reason = [] if words[0] == "limit" else ["--reason", "test"]
    for text in BAD_AMOUNTS:
        said = line("credits", *words, text, *reason, status=1)
        assert "amount" in said, text

    assert line.json("credits", "show", "bob")["available"] == "10"


def test_a_calendar_is_set_and_refused(line: Line, bob: str) -> None:
    line("credits", "period", bob, "week", "--segments", "3")

    said = line.json("credits", "calendar", bob, "--time-zone", "Asia/Kathmandu", "--week-start", "Sunday")

    assert (said["time_zone"], said["week_start"]) == ("Asia/Kathmandu", 6)
    assert line.json("credits", "periods", bob)[0]["started_at"].endswith("18:15:00Z")
    assert "time zone" in line("credits", "calendar", bob, "--time-zone", "Mars/Olympus", status=1)
    assert "day of the week" in line("credits", "calendar", bob, "--time-zone", "", "--week-start", "noday", status=1)


def test_credit_is_allotted_and_taken_back(line: Line, bob: str, boss: str) -> None:
    assert line.json("credits", "allot", bob, "30", "--reason", "invoice", "--reference", "7")["available"] == "40"
    assert line.json("credits", "show", boss)["available"] == "20"
    assert line.json("credits", "allot", bob, "-40", "--reason", "end")["available"] == "0"
    assert "20 credits to give" not in line("credits", "allot", bob, "61", "--reason", "more", status=1)

    assert line.json("credits", "show", boss)["available"] == "60"
    line("credits", "parent", bob, "none")
    assert "no account above" in line("credits", "allot", bob, "1", "--reason", "more", status=1)
    assert line.json("ledger", "verify")["correct"]


@pytest.mark.parametrize("parent", ["bob", "nobody"])
@pytest.mark.usefixtures("boss")
def test_a_parent_that_cannot_be_is_refused(line: Line, parent: str) -> None:
    line("credits", "parent", "boss", parent, status=1)

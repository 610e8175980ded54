"""Price lists and pricing rules by the command line."""

from pathlib import Path
from typing import Any

import pytest

Line = Any


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.csv"
    path.write_text("prefix;price;name\n36;0.3;Hungary\n3620;0.25;\n999;1;\n*;9;\n")
    return str(path)


@pytest.mark.usefixtures("bob", "network")
def test_a_list_from_its_file_to_the_price_of_a_message(line: Line, prices: str) -> None:
    line("tariff", "add", "Retail", "--currency", "EUR")
    report = line.json("tariff", "import", "Retail", prices)
    hint = line("tariff", "assign", "Retail", "--user", "bob")
    line("pricing", "add", "tariff", "Lists", "--set", "unpriced=next")
    before = line.json("tariff", "preview", "Retail", "1")
    activated = line.json("tariff", "activate", "Retail", "1")

    assert (report["version"], report["entry_count"], report["warnings"][0]["line"]) == (1, 4, 4)
    assert "pennywire pricing add tariff" in hint
    assert before["counts"]["added"] == 4
    assert activated["version"] == 1
    assert line.json("tariff", "lookup", "+36201234567", "--user", "bob") == {
        "list": "Retail",
        "version": "Retail, version 1",
        "key": "prefix 3620",
        "price": "0.25",
        "why": "Retail, version 1, prefix 3620",
    }
    assert line.json("route", "test", "+36201234567", "--user", "bob")["price"] == "0.25"
    assert [row["state"] for row in line.json("tariff", "show", "Retail")] == ["active"]
    assert line.json("tariff", "list")[0]["assigned_to"] == ["user bob"]
    assert "0.25" in line("tariff", "entries", "Retail", "1", "--search", "3620")


def test_a_wrong_file_is_exit_status_1_and_names_the_lines(line: Line, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("prefix;price\n36;1\n36;2\n43;-1\n")
    line("tariff", "add", "Retail")

    said = line("tariff", "import", "Retail", str(path), status=1)

    assert "line 3: Its dates overlap with those of line 2" in said
    assert "line 4: The price -1 is negative" in said
    assert "Nothing is kept: 2 of 3 lines are wrong." in said


def test_what_is_refused_is_named_with_its_field(line: Line) -> None:
    line("tariff", "add", "Retail")

    twin = line.json("tariff", "add", "Retail", status=1)["error"]
    empty = line.json("tariff", "activate", "Retail", "1", status=1)["error"]
    past = line.json("tariff", "assign", "None", "--default", status=1)["error"]

    assert (twin["code"], twin["field"]) == ("invalid_parameter", "name")
    assert (empty["code"], empty["field"]) == ("not_found", "version")
    assert past["field"] == "list"


def test_pricing_rules_are_moved_changed_and_deleted(line: Line) -> None:
    line("pricing", "add", "tariff", "First")
    line("pricing", "add", "tariff", "Second", "--disabled")
    line("pricing", "move", "2", "0")
    line("pricing", "edit", "2", "--enabled", "--set", "unpriced=next")

    rows = line.json("pricing", "list")

    assert [(row["name"], row["enabled"], row["settings"]) for row in rows] == [
        ("Second", True, {"unpriced": "next"}),
        ("First", True, {"unpriced": "refuse"}),
    ]
    assert line.json("pricing", "edit", "1", "--set", "unpriced=never", status=1)["error"]["field"] == "unpriced"
    assert line.json("pricing", "add", "pigeon", "x", status=1)["error"]["field"] == "kind"
    line("pricing", "delete", "1")
    assert len(line.json("pricing", "list")) == 1

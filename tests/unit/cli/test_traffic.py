"""Connections, routes, messages and the ledger by the command line: the same pipe as the browser."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from pennywire_modem import ModemConnector
from sqlalchemy import text

from app.db import Database, make_engine

Line = Any
NUMBER = "+36201234567"


def _plant(data: Path, statement: str) -> None:
    database = Database(make_engine(f"sqlite+pysqlite:///{data / 'pennywire.sqlite3'}"))
    with database.write() as session:
        session.execute(text(statement))
    database.dispose()


# Connections.


def test_a_secret_among_the_arguments_is_refused(line: Line) -> None:
    error = line.json("connection", "add", "smsc", "--kind", "smpp", "--set", "password=hunter22", status=1)["error"]

    assert error["field"] == "password"
    assert "hunter22" not in str(error)
    assert line.json("connection", "list") == []


def test_a_secret_is_read_from_a_file_stored_encrypted_and_masked(line: Line, data: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter22\n")
    settings = ["--set", "host=127.0.0.1", "--set", "port=2775", "--set", "system_id=penny"]

    line("connection", "add", "smsc", "--kind", "smpp", *settings, "--from-file", f"password={tmp_path / 'secret'}")
    line("connection", "edit", "smsc", "--set", "port=2776", "--provider", "operator")

    shown = line.json("connection", "list", "smsc")
    assert shown["settings"]["port"] == 2776
    assert shown["settings"]["password"] == "\N{BULLET}" * 8
    assert shown["provider"] == "operator"
    assert b"hunter22" not in (data / "pennywire.sqlite3").read_bytes()


def _write_lines(data: Path, *lines: str) -> None:
    for text_ in lines:
        _plant(data, f"INSERT INTO connection_log (connection_id, at, line) SELECT id, 1700000000000000, '{text_}' FROM connections")


def test_the_log_of_a_connection_shows_its_last_lines_the_newest_last(line: Line, network: str, data: Path) -> None:
    assert "has written nothing" in line("connection", "log", network)
    _write_lines(data, "one", "two", "three")

    assert [row["line"] for row in line.json("connection", "log", network, "--lines", "2")] == ["two", "three"]
    assert "nowhere" in line("connection", "log", "nowhere", status=1)


def test_a_followed_log_goes_on_with_what_comes_and_ends_quietly(
    line: Line, network: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_lines(data, "one", "two")
    pauses = iter((lambda: _write_lines(data, "three"), lambda: None))

    def pause(_seconds: float) -> None:
        act = next(pauses, None)
        if act is None:
            raise KeyboardInterrupt
        act()

    monkeypatch.setattr("app.cli.connections.time.sleep", pause)
    told = line("connection", "log", network, "--lines", "1", "--follow").splitlines()

    assert [words.split("  ", 1)[1] for words in told] == ["two", "three"]


def _add_smsc(line: Line, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter22")
    settings = ["--set", "host=h", "--set", "system_id=p", "--from-file", f"password={tmp_path / 'secret'}"]
    line("connection", "add", "smsc", "--kind", "smpp", *settings)


def test_rotating_the_key_keeps_the_secrets_and_drops_the_old_key(line: Line, data: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter22")
    line(
        "connection",
        "add",
        "smsc",
        "--kind",
        "smpp",
        "--set",
        "host=h",
        "--set",
        "system_id=p",
        "--from-file",
        f"password={tmp_path}/secret",
    )
    before = (data / "settings.key").read_text()

    said = line.json("secret", "rotate")

    after = (data / "settings.key").read_text()
    assert said == {"rotated": 1}
    assert before != after
    assert len(after.split()) == 1
    line("connection", "edit", "smsc", "--set", "host=other")  # reads the secret to keep it


def test_a_secret_whose_key_is_gone_stops_the_rotation(line: Line, data: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter22")
    line(
        "connection",
        "add",
        "smsc",
        "--kind",
        "smpp",
        "--set",
        "host=h",
        "--set",
        "system_id=p",
        "--from-file",
        f"password={tmp_path}/secret",
    )
    (data / "settings.key").unlink()

    error = line.json("secret", "rotate", status=1)["error"]

    assert error["code"] == "cannot_decrypt"
    assert "password of smsc" in error["reason"]


def test_a_connection_is_started_and_stopped(line: Line, network: str) -> None:
    line("connection", "stop", network)
    stopped = line.json("connection", "list", network)["desired"]
    line("connection", "start", network)

    assert (stopped, line.json("connection", "list", network)["desired"]) == ("stopped", "started")


def test_a_kind_that_cannot_send_is_not_started(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModemConnector, "sends", False)
    line("connection", "add", "stick", "--kind", "modem", "--set", "device=/dev/ttyUSB0")

    assert line.json("connection", "start", "stick", status=1)["error"]["field"] == "desired"


def test_the_kinds_and_their_settings_are_listed(line: Line) -> None:
    kinds = {row["kind"]: row["sends"] for row in line.json("connection", "kinds")}
    settings = {row["name"]: row["type"] for row in line.json("connection", "kinds", "smpp")}

    assert kinds == {"clickatell": True, "clickatell-http": True, "loopback": True, "modem": True, "smpp": True}
    assert settings["password"] == "secret"


def test_a_buy_price_is_given_shown_and_taken_away(line: Line, network: str) -> None:
    given = line.json("connection", "price", network, "0.042")
    shown = line.json("connection", "list", network)["buy_price"]
    line("connection", "price", network, "none")

    assert (given["buy_price"], shown, line.json("connection", "list", network)["buy_price"]) == ("0.042", "0.042", None)
    assert line.json("connection", "price", network, "9999999", status=1)["error"]["field"] == "buy_price"


# Routes.


def test_a_test_of_a_route_says_what_each_provider_charges_and_who_is_too_dear(line: Line, network: str, bob: str) -> None:
    line("connection", "add", "dear", "--kind", "loopback", "--start")
    line("connection", "price", "dear", "0.7")
    line("connection", "price", network, "0.4")
    chosen = line.json("route", "edit", "1", "--to", "dear", "--to", network, "--choose", "least_cost", "--negative-margin", "refuse")
    shown = line.json("route", "test", "+36201234567", "--user", bob)

    assert (chosen["provider_choice"], chosen["negative_margin"]) == ("least_cost", "refuse")
    assert shown["provider"] == network
    assert [(row["provider"], row["buy_price"], row["chosen"], row["too_dear"]) for row in shown["providers"]] == [
        (network, "0.4", True, False),
        ("dear", "0.7", False, True),
    ]
    line("connection", "price", network, "0.6")
    assert line.json("route", "test", "+36201234567", "--user", bob)["refused"]["code"] == "negative_margin"


@pytest.mark.usefixtures("network")
def test_the_report_on_margin_answers_programs_too(line: Line, bob: str) -> None:
    empty = line.json("report", "margin", "--by", "provider", "--user", bob)

    assert (empty["lines"], empty["total"]["margin"]) == ([], "0")
    assert len(line.json("report", "margin", "--days", "3")["lines"]) == 3
    assert line.json("report", "margin", "--user", "nobody", status=1)["error"]["code"] == "not_found"


@pytest.mark.usefixtures("network")
def test_the_sums_of_the_report_on_margin_are_made_again(line: Line, bob: str) -> None:
    line("message", "send", NUMBER, "--user", bob, "--text", "hello")

    assert line.json("report", "rebuild")["event_count"] > 0
    assert line.json("ledger", "verify")["correct"]


def test_routes_are_asked_in_their_order_and_can_be_moved(line: Line, network: str) -> None:
    abroad = line.json("route", "add", "outbound", "abroad", "--to", network, "--when", "destination_prefix=+43,+49", "--cost", "2.5")
    line("route", "move", str(abroad["id"]), "0")

    names = [(row["name"], row["cost"]) for row in line.json("route", "list", "outbound")]
    assert names == [("abroad", "2.5"), ("all", "0.5")]


def test_a_route_keeps_what_is_not_changed(line: Line, network: str) -> None:
    words = ["--charge-on", "handset", "--undeliverable", "refund", "--when", "destination_pattern=^.43", "--validity-s", "600"]
    made = line.json("route", "add", "outbound", "abroad", "--to", network, *words)

    changed = line.json("route", "edit", str(made["id"]), "--cost", "0.25", "--in-doubt", "keep", "--disabled")

    expected = made | {"cost": "0.25", "enabled": False, "terms": made["terms"] | {"in_doubt": "keep"}}
    assert changed == expected
    assert made["terms"]["charge_on"] == "handset"


@pytest.mark.usefixtures("network")
def test_a_cost_can_be_taken_away_and_be_negative_for_incoming(line: Line, bob: str) -> None:
    line("route", "edit", "1", "--cost", "none")
    line("route", "add", "inbound", "pays", "--to", bob, "--cost", "-0.5")

    assert [row["cost"] for row in line.json("route", "list")] == [None, "-0.5"]


def test_a_condition_that_is_none_is_refused(line: Line, network: str) -> None:
    error = line.json("route", "add", "outbound", "x", "--to", network, "--when", "phase_of_moon=full", status=1)["error"]

    assert error["field"] == "when"
    assert "destination_prefix" in error["reason"]


def test_testing_a_route_says_why_and_keeps_nothing(line: Line, bob: str, network: str) -> None:
    line("route", "add", "outbound", "abroad", "--to", network, "--when", "destination_prefix=+43", "--cost", "3", "--position", "0")

    said = line.json("route", "test", NUMBER, "--user", bob)

    assert (said["route"], said["price"], said["provider"]) == ("all", "0.5", "loop")
    assert [(row["route"], row["matched"]) for row in said["verdicts"]] == [("abroad", False), ("all", True)]
    assert "+43" in said["verdicts"][0]["failed"]
    assert line.json("message", "list") == []


def test_testing_an_inbound_route_names_who_gets_it(line: Line, bob: str, network: str) -> None:
    line("route", "add", "inbound", "stop", "--to", bob, "--when", "keyword=STOP")

    taken = line.json("route", "test", "12345", "stop it", "--connection", network)
    untaken = line.json("route", "test", "12345", "hello", "--connection", network)

    assert (taken["routes"], taken["targets"]) == (["stop"], [bob])
    assert untaken["routes"] == []


# Messages.


@pytest.mark.usefixtures("network")
def test_a_message_is_sent_shown_and_cancelled(line: Line, bob: str) -> None:
    (sent,) = line.json("message", "send", NUMBER, "--user", bob, "--text", "hello", "--client-reference", "order-7")
    charged = line.json("credits", "show", bob)

    line("message", "cancel", sent["id"])

    shown = line.json("message", "show", "order-7")
    assert (sent["state"], sent["price"], sent["charged"]) == ("queued", "0.5", True)
    assert (charged["available"], charged["reserved"]) == ("9.5", "0.5")
    assert (shown["id"], shown["state"], shown["entrance"]) == (sent["id"], "cancelled", "cli")
    assert [event["event"] for event in shown["events"]] == ["queued", "cancelled"]
    assert [row["kind"] for row in shown["transfers"]] == ["charge", "release"]
    assert line.json("credits", "show", bob)["available"] == "10"


@pytest.mark.usefixtures("network")
def test_several_messages_may_be_half_accepted(line: Line, bob: str) -> None:
    good, bad = line.json("message", "send", NUMBER, "nonsense", "--user", bob, "--text", "hello", status=1)

    assert (good["state"], bad["state"], bad["code"]) == ("queued", "refused", "invalid_destination")
    assert len(line.json("message", "list", "--user", bob)) == 1


@pytest.mark.usefixtures("network")
def test_a_dry_run_keeps_nothing(line: Line, bob: str) -> None:
    (said,) = line.json("message", "send", NUMBER, "--user", bob, "--text", "a" * 200, "--dry-run")

    assert (said["state"], said["segment_count"], said["price"]) == ("dry run", 2, "1")
    assert line.json("credits", "show", bob)["available"] == "10"


@pytest.mark.usefixtures("network")
def test_a_repeat_with_the_same_key_is_sent_once(line: Line, bob: str) -> None:
    words = ["message", "send", NUMBER, "--user", bob, "--text", "hello", "--key", "k1"]
    first, second = line.json(*words), line.json(*words)
    other = line.json("message", "send", NUMBER, "--user", bob, "--text", "other", "--key", "k1", status=1)

    assert first == second
    assert other["error"]["code"] == "idempotency_conflict"
    assert len(line.json("message", "list")) == 1


@pytest.mark.usefixtures("network")
def test_a_cancelled_message_cannot_be_cancelled_again(line: Line, bob: str) -> None:
    (sent,) = line.json("message", "send", NUMBER, "--user", bob, "--text", "hello")
    line("message", "cancel", sent["id"])

    said = line.json("message", "cancel", sent["id"], status=1)

    assert said == {"cancelled": [], "not_cancelled": [sent["id"]]}


@pytest.mark.usefixtures("network")
def test_messages_are_listed_by_folder_state_and_page(line: Line, bob: str) -> None:
    line("message", "send", NUMBER, "+36301111111", "--user", bob, "--text", "hello")
    line("message", "send", NUMBER, "--user", bob, "--text", "later", "--send-at", "2027-01-01T12:00:00")

    newest = line.json("message", "list", "--limit", "1")
    older = line.json("message", "list", "--before", newest[0]["id"])

    assert [row["state"] for row in newest] == ["scheduled"]
    assert len(older) == 2
    assert len(line.json("message", "list", "--folder", "scheduled")) == 1
    assert len(line.json("message", "list", "--number", "+3630")) == 1


# The ledger.


@pytest.mark.usefixtures("network")
def test_the_ledger_matches_until_a_fault_is_planted(line: Line, data: Path, bob: str) -> None:
    line("message", "send", NUMBER, "--user", bob, "--text", "hello")
    before = line.json("ledger", "verify")
    _plant(data, "UPDATE accounts SET balance_uc = balance_uc + 1 WHERE kind = 'user'")

    after = line.json("ledger", "verify", status=1)

    assert (before["correct"], before["findings"]) == (True, [])
    assert after["counts"]["balance"] == 1
    assert {"kind": "balance", "subject": "account user:1", "expected": "10", "found": "10.000001"} in after["findings"]


@pytest.mark.usefixtures("network")
def test_the_ledger_is_exported_with_public_ids_and_exact_amounts(line: Line, bob: str) -> None:
    (sent,) = line.json("message", "send", NUMBER, "--user", bob, "--text", "hello")

    rows = [json.loads(row) for row in line("ledger", "export", "--format", "jsonl").splitlines()]
    table = list(csv.DictReader(io.StringIO(line("ledger", "export", "--user", bob))))

    assert [(row["kind"], row["amount"], row["message"]) for row in rows] == [("top_up", "10", ""), ("charge", "0.5", sent["id"])]
    assert [row["kind"] for row in table] == ["top_up", "charge"]


@pytest.mark.parametrize("reason", ["=1+1", "+cmd", "-x", "@sum"])
def test_an_export_runs_nothing_in_a_spreadsheet(line: Line, bob: str, reason: str) -> None:
    line("credits", "add", bob, "1", f"--reason={reason}")

    *_, last = csv.DictReader(io.StringIO(line("ledger", "export")))

    assert last["reason"] == f"'{reason}"


def test_unmatched_receipts_are_told_and_a_reading_is_set(line: Line, data: Path) -> None:
    line(
        "connection", "add", "smsc", "--kind", "smpp", "--set", "host=127.0.0.1", "--set", "system_id=me", "--set", "receipt_id_form=as_is"
    )
    empty = line.json("connection", "receipts", "smsc")
    _plant(
        data,
        "INSERT INTO parked_reports (provider, report_id, network_id, network_ids, destination, connection_id, state, error_code, raw,"
        " received_at) VALUES ('smsc', 'r', 'ff', '[\"ff\"]', '', 1, 'delivered', '', 'id:FF stat:DELIVRD', 1)",
    )
    unknown = line.json("connection", "receipts", "smsc", "--apply")

    assert empty == {"unmatched": 0, "meets": 0, "form": None, "prefix": None}
    assert unknown == empty | {"unmatched": 1}
    assert line.json("connection", "list", "smsc")["settings"]["receipt_id_form"] == "as_is"

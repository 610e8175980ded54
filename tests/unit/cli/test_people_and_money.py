"""Users, keys and credits by the command line."""

import os
import pty
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from werkzeug.security import check_password_hash

from app.db import Database, make_engine
from app.models import AuditEntry, User
from app.secrets import digest

Line = Any


def _stored(data: Path, model: Any) -> list[Any]:
    database = Database(make_engine(f"sqlite+pysqlite:///{data / 'pennywire.sqlite3'}"))
    with database.read() as session:
        rows = list(session.query(model).order_by(model.id))
    database.dispose()
    return rows


def test_a_program_may_use_the_legacy_api_and_a_person_may_not(line: Line) -> None:
    program = line.json("user", "add", "shop", "--kind", "application", "--no-password")
    person = line.json("user", "add", "anna", "--role", "operator", "--no-password")

    assert (program["legacy_api_enabled"], person["legacy_api_enabled"]) == (True, False)


def test_a_user_is_changed_in_what_is_given(line: Line, bob: str) -> None:
    line("user", "edit", bob, "--max-segments", "3", "--no-legacy-api", "--default-source", "Shop")

    shown = line.json("user", "list", bob)
    assert (shown["max_segments"], shown["legacy_api_enabled"], shown["default_source"]) == (3, False, "Shop")
    assert (shown["accounting_enabled"], shown["kind"]) == (True, "application")


def test_a_password_is_read_from_a_file_and_never_printed(line: Line, data: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")

    said = line.json("user", "add", "anna", "--password-file", str(tmp_path / "password"))

    (user,) = _stored(data, User)
    assert check_password_hash(user.password_hash, "correct horse")
    assert "password" not in said
    assert "correct horse" not in str(said)


def test_a_generated_password_is_printed_once_and_works(line: Line, data: Path, bob: str) -> None:
    said = line.json("user", "password", bob, "--generate-password")

    (user,) = _stored(data, User)
    assert check_password_hash(user.password_hash, said["password"])


@pytest.mark.usefixtures("line")
def test_a_person_is_asked_for_a_password(data: Path, bob: str) -> None:
    """Where there is a terminal: twice, and nothing of it is shown."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover  # The other process.
        os.execv(sys.executable, [sys.executable, "-m", "app.cli", "user", "password", bob, "--data", str(data)])
    shown = b""
    for question in (b"Password", b"Repeat"):
        while question not in shown:
            shown += os.read(terminal, 1024)
        os.write(terminal, b"asked on a terminal\n")
    status = os.waitpid(child, 0)[1]

    (user,) = _stored(data, User)
    assert status == 0
    assert b"asked on" not in shown
    assert check_password_hash(user.password_hash, "asked on a terminal")


def test_a_key_is_shown_once_listed_by_its_beginning_and_revoked(line: Line, bob: str) -> None:
    made = line.json("key", "add", bob, "--label", "shop")
    (listed,) = line.json("key", "list", bob)

    line("key", "revoke", str(listed["id"]))

    assert made["api_key"].startswith(listed["prefix"])
    assert made["api_key"] not in str(listed)
    assert digest(made["api_key"]) not in str(listed)
    assert line.json("key", "list")[0]["revoked_at"] is not None


@pytest.mark.parametrize(
    ("words", "available"),
    [
        (["add", "bob", "2.5"], "12.5"),
        (["add", "bob", "-0.000001"], "9.999999"),
        (["set", "bob", "3"], "3"),
        (["set", "bob", "-1.5"], "-1.5"),
    ],
)
def test_credit_is_moved_exactly(line: Line, bob: str, words: list[str], available: str) -> None:
    said = line.json("credits", *words, "--reason", "test")

    assert said["available"] == available
    assert Decimal(said["balance"]) == Decimal(available)
    assert line.json("credits", "show", bob)["available"] == available


def test_a_credit_line_is_a_negative_limit(line: Line, bob: str) -> None:
    said = line.json("credits", "limit", bob, "-5")
    refused = line.json("credits", "limit", bob, "5", status=1)

    assert (said["limit"], said["unlimited"]) == ("-5", False)
    assert refused["error"]["field"] == "limit"


def test_every_change_is_audited_as_the_command_lines(line: Line, data: Path, bob: str) -> None:
    line("user", "edit", bob, "--inactive")

    entries = _stored(data, AuditEntry)
    assert {entry.actor for entry in entries} == {"cli"}
    assert [entry.verb for entry in entries] == ["add", "credit", "edit"]


def test_a_key_opens_what_it_is_made_for(line: Line, bob: str) -> None:
    line("key", "add", bob, "--scope", "read", "--scope", "account")
    line("key", "add", bob)

    assert [row["scopes"] for row in line.json("key", "list", bob)] == ["read account", "send read account"]


def test_a_user_is_deleted_with_his_name_given_again(line: Line, bob: str) -> None:
    assert "--confirm bob" in line("user", "delete", bob, status=1)
    assert "Nothing was done" in line("user", "delete", bob, "--confirm", "rob", status=1)
    assert "The balance is 10 credits" in line("user", "delete", bob, "--confirm", bob, status=1)

    done = line.json("user", "delete", bob, "--confirm", bob, "--reason", "Contract ended")

    assert done == {"username": "bob", "deleted": True, "cancelled_messages": 0, "revoked_keys": 0, "moved": "-10"}
    assert line.json("user", "list") == []
    assert [row["username"] for row in line.json("user", "list", "--deleted")] == ["bob"]
    assert line.json("user", "list", bob)["deleted_at"]
    assert "was deleted" in line("user", "edit", bob, "--active", status=1)
    assert "Names are not given again" in line("user", "add", bob, "--no-password", status=1)
    assert line.json("ledger", "verify")["correct"]


def test_a_connection_is_deleted_with_its_name_given_again(line: Line) -> None:
    line("connection", "add", "spare", "--kind", "loopback", "--start")
    assert "is started" in line("connection", "delete", "spare", "--confirm", "spare", status=1)
    line("connection", "stop", "spare")

    assert line.json("connection", "delete", "spare", "--confirm", "spare") == {"name": "spare", "deleted": True}

    assert line.json("connection", "list") == []
    line("connection", "add", "spare", "--kind", "loopback")


def test_a_link_for_a_new_password_is_printed(line: Line, bob: str) -> None:
    said = line.json("user", "reset-link", bob)

    assert re.fullmatch(r"http://127\.0\.0\.1:9501/reset/[A-Za-z0-9_-]{43}", said["reset_link"])
    assert "There is no user" in line("user", "reset-link", "nobody", status=1)


def test_second_factor_and_sessions_are_shown_and_taken_away(line: Line, bob: str) -> None:
    assert line("user", "second-factor", bob) == f"{bob} has no second factor.\n"
    assert line.json("user", "second-factor", bob, "--reset") == {"username": bob, "reset": False}
    assert line.json("user", "sessions", bob) == []
    assert line.json("user", "sessions", bob, "--end-all")["ended"] == 0
    assert "has no session number 7" in line("user", "sessions", bob, "--end", "7", status=1)


def test_the_audit_log_is_shown_filtered_and_written_as_csv(line: Line, bob: str) -> None:
    line("user", "edit", bob, "--email", "bob@shop.example")
    line("option", "set", "country_code", "36")

    (entry, *_) = line.json("audit", "--object", f"user {bob}", "--limit", "1")
    assert (entry["actor"], entry["verb"], entry["after"]["email"]) == ("cli", "edit", "bob@shop.example")
    assert line.json("audit", "--actor", "nobody") == []
    assert line.json("audit", "--until", "2020-01-01") == []
    assert "country_code" in line("audit")
    rows = line("audit", "--object", f"user {bob}", "--csv").splitlines()
    assert rows[0] == "id,at,actor,verb,subject,name,before,after"
    assert any(row.endswith(",email,,bob@shop.example") for row in rows)

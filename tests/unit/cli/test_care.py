"""Two people, warnings, suspension, settings and mail by the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Line = Any
PostOffice = Any


@pytest.fixture
def keys(line: Line, bob: str, tmp_path: Path) -> Path:  # noqa: ARG001  # the customer is there
    """Two administrators whose passwords lie in files of their names; more than 100 credits take both."""
    for name in ("root", "ruth"):
        (tmp_path / name).write_text(f"password of {name}\n")
        line("user", "add", name, "--role", "administrator", "--password-file", str(tmp_path / name))
    line("option", "set", "second_person_above", "100")
    return tmp_path


def as_(keys: Path, name: str, password_of: str = "") -> tuple[str, ...]:
    return ("--as", name, "--password-file", str(keys / (password_of or name)))


def test_large_movement_waits_and_is_approved_by_another_person(line: Line, keys: Path) -> None:
    asked = line.json("credits", "add", "bob", "500", "--reason", "Invoice 7", "--key", "i7", *as_(keys, "root"))
    (waiting,) = line.json("credits", "pending")
    refused = line.json("credits", "approve", "1", *as_(keys, "root"), status=1)
    done = line.json("credits", "approve", "1", *as_(keys, "ruth"))
    again = line.json("credits", "add", "bob", "500", "--reason", "Invoice 7", "--key", "i7", *as_(keys, "root"))

    assert (asked["available"], asked["movement"]["state"], asked["movement"]["proposal"]) == ("10", "waits", 1)
    assert (waiting["username"], waiting["amount"], waiting["proposed_by"]) == ("bob", "500", "root")
    assert refused["error"]["field"] == "actor"
    assert (done["state"], done["amount"]) == ("done", "500")
    assert (again["available"], again["movement"]["state"], again["movement"]["replayed"]) == ("510", "done", True)
    assert line.json("credits", "pending", "bob") == []
    assert line.json("credits", "pending", "--decided")[0]["decided_by"] == "ruth"


@pytest.mark.full
def test_nobody_takes_another_ones_name(line: Line, keys: Path) -> None:
    nameless = line("credits", "add", "bob", "500", "--reason", "Invoice 7", status=1)
    line("credits", "add", "bob", "500", "--reason", "Invoice 7", *as_(keys, "root"))
    unproved = line.json("credits", "approve", "1", *as_(keys, "ruth", password_of="root"), status=1)
    unnamed = line.json("credits", "reject", "1", "--reason", "no", status=1)

    assert "--as NAME" in nameless
    assert (unproved["error"]["code"], unnamed["error"]["field"]) == ("unauthenticated", "actor")
    assert line.json("credits", "show", "bob")["available"] == "10"


@pytest.mark.full
def test_rejected_movement_moves_nothing(line: Line, keys: Path) -> None:
    said = line("credits", "set", "bob", "500", "--reason", "Invoice 7", *as_(keys, "root"))
    line("credits", "reject", "1", "--reason", "Not paid", *as_(keys, "ruth"))

    assert "waits for a second person" in said
    assert line.json("credits", "show", "bob")["available"] == "10"
    assert line.json("credits", "pending", "--decided")[0]["decision_reason"] == "Not paid"


def test_warnings_are_set_and_taken_away_one_by_one(line: Line, bob: str) -> None:
    line("credits", "warn", bob, "--at", "5", "--at", "20", "--email", "bob@example.com", "--suspend-below", "1", "--release-above", "5")
    changed = line.json("credits", "warn", bob, "--email", "none", "--callback", "https://example.com/credit")
    off = line.json("credits", "warn", bob, "--suspend-below", "none")

    assert changed["thresholds"] == ["20", "5"]
    assert (changed["email"], changed["callback_url"]) == ("", "https://example.com/credit")
    assert (changed["suspend_below"], changed["release_above"]) == ("1", "5")
    assert (off["suspend_below"], off["release_above"], off["thresholds"]) == (None, None, ["20", "5"])


def test_account_is_suspended_and_released_and_the_notices_tell(line: Line, bob: str) -> None:
    line("credits", "suspend", bob, "--reason", "Unpaid")
    suspended = line.json("credits", "warn", bob)["suspended"]
    line("credits", "release", bob, "--reason", "Paid")
    refused = line.json("credits", "release", bob, "--reason", "Paid", status=1)

    assert suspended == "Unpaid."
    assert refused["error"]["reason"] == "The account is not suspended."
    assert [notice["kind"] for notice in line.json("credits", "notices", bob)] == ["released", "suspended"]


@pytest.mark.full
def test_option_that_is_wrong_is_refused_with_what_is_right(line: Line) -> None:
    refused = line.json("option", "set", "ledger_check_hour", "24", status=1)
    line("option", "set", "ledger_check_hour", "off")

    values = {row["name"]: row["value"] for row in line.json("option", "list")}
    assert refused["error"]["reason"] == "Write an hour from 0 to 23, or off."
    assert (values["ledger_check_hour"], values["country_code"]) == ("off", "")


def test_mail_is_set_up_and_tried(line: Line, post_office: Callable[..., PostOffice], tmp_path: Path) -> None:
    office = post_office()
    (tmp_path / "password").write_text("not for eyes\n")
    given = ("mail_host=localhost", f"mail_port={office.port}", "mail_tls=none", "mail_from=gateway@example.com")
    line("mail", "set", *given, "operator_address=ops@example.com", "--password-file", str(tmp_path / "password"))

    said = line("mail", "test")
    shown = line.json("mail", "show")
    office.answer = "554 5.7.1 We do not like you"
    refused = line.json("mail", "test", "anna@example.com", status=1)

    assert "250 2.0.0 Ok: queued as 4711" in said
    assert office.recipients == ["ops@example.com"]
    assert "not for eyes" not in str(shown)
    assert refused["error"]["reason"] == "The server refused the mail: 554 5.7.1 We do not like you"


@pytest.mark.full
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("mail_from=nobody", "mail_from"),
        ("mail_host=mail.example.com:25", "mail_host"),
        ("mail_port=65536", "mail_port"),
        ("mail_tls=maybe", "mail_tls"),
        ("mail_password=x", "mail_password"),
        ("mail_color=red", "mail_color"),
        ("mail_host=mail.example.com", "mail_from"),
    ],
)
def test_mail_setting_that_cannot_be_is_refused_by_name(line: Line, given: str, field: str) -> None:
    assert line.json("mail", "set", given, status=1)["error"]["field"] == field


@pytest.mark.full
def test_password_is_never_sent_in_clear(line: Line) -> None:
    given = ("mail_host=mail.example.com", "mail_from=a@example.com", "mail_user=a", "mail_tls=none")

    assert line.json("mail", "set", *given, status=1)["error"]["field"] == "mail_tls"

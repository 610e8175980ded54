"""What the command line says when it cannot: one sentence, a status, and a code for programs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.cli.answers import printable, table

Line = Any


def test_a_refusal_is_one_sentence_and_status_1(line: Line, bob: str) -> None:
    said = line("user", "add", bob, "--no-password", status=1)

    assert said == "pennywire: username: There is a user bob already. Choose another name.\n"


def test_a_refusal_for_programs_has_code_reason_and_field(line: Line, bob: str) -> None:
    assert line.json("user", "add", bob, "--no-password", status=1) == {
        "error": {"code": "invalid_parameter", "reason": "There is a user bob already. Choose another name.", "field": "username"}
    }


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        (["user", "edit", "nobody", "--inactive"], "not_found", ""),
        (["credits", "add", "bob", "1.2345678", "--reason", "x"], "invalid_parameter", "amount"),
        (["credits", "add", "bob", "0", "--reason", "x"], "invalid_parameter", "amount"),
        (["credits", "add", "bob", "1", "--reason", " "], "invalid_parameter", "reason"),
        (["message", "cancel", "not-an-id"], "invalid_parameter", "id"),
        (["message", "show", "nothing"], "not_found", ""),
        (["connection", "start", "nowhere"], "not_found", ""),
        (["connection", "add", "x", "--kind", "pigeon"], "invalid_parameter", "kind"),
        (["route", "delete", "77"], "not_found", ""),
        (["plugins", "enable", "pigeon"], "not_found", "name"),
        (["user", "password", "bob"], "missing_parameter", "password"),
        (["key", "revoke", "77"], "not_found", ""),
    ],
)
@pytest.mark.usefixtures("bob")
def test_a_failure_has_its_code_and_field(line: Line, words: list[str], code: str, field: str) -> None:
    error = line.json(*words, status=1)["error"]

    assert (error["code"], error["field"]) == (code, field)
    assert error["reason"].endswith(".")


def test_a_file_that_cannot_be_written_is_named(line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere" / "announce.json"

    before = line.json("run", "--announce", str(missing), "--bind", "127.0.0.1:0", status=1)["error"]
    (tmp_path / "file").write_text("")
    status = main(["migrate", "--data", str(tmp_path / "file" / "data")])

    assert before["field"] == "announce"
    assert status == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["user", "add"],
        ["user", "add", "x", "--role", "emperor"],
        ["pigeon"],
        ["message", "send", "+36201234567", "--user", "bob"],
        ["user", "edit", "bob"],
        ["route", "test", "+36201234567"],
    ],
)
def test_wrong_usage_is_status_2(line: Line, words: list[str]) -> None:
    assert line.json(*words, status=2)["error"]["code"] == "usage"


def test_a_database_that_is_not_there_is_not_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A mistyped folder must not look like an empty gateway."""
    status = main(["user", "list", "--data", str(tmp_path / "mistyped"), "--json"])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (status, error["code"]) == (1, "not_migrated")
    assert "pennywire migrate" in error["reason"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--database-url", "mysql://host/database", "unsafe_database"),
        ("--config", "/nowhere/settings.toml", "invalid_settings"),
    ],
)
def test_unsafe_settings_are_named(capsys: pytest.CaptureFixture[str], data: Path, option: str, value: str, word: str) -> None:
    status = main(["user", "list", "--data", str(data), option, value, "--json"])

    assert (status, json.loads(capsys.readouterr().out)["error"]["code"]) == (1, word)


def test_the_options_of_all_may_stand_before_the_command(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*line.options, "--json", "user", "list"]) == 0

    assert json.loads(capsys.readouterr().out) == []


def test_what_comes_from_outside_cannot_steer_the_terminal() -> None:
    written = table([{"name": "a\x1b[31mred\x07\u202egnirts\nnext"}], {"name": "NAME"})

    assert written.count("\n") == 1
    assert not any(character in written for character in "\x1b\x07\u202e")


@pytest.mark.parametrize(("value", "shown"), [(None, ""), (True, "yes"), (False, "no"), ([1, "a"], "1, a"), (0, "0")])
def test_values_are_shown_in_words(value: object, shown: str) -> None:
    assert printable(value) == shown


def test_a_reader_that_leaves_is_no_fault(line: Line, data: Path) -> None:
    """As in `pennywire ledger export | head`."""
    for index in range(3):
        line("user", "add", f"user{index}", "--no-password")
    command = f"{sys.executable} -m app.cli user list --data {data} | true; echo ${{PIPESTATUS[0]}}"

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)

    assert done.stderr == ""


def test_help_is_quick() -> None:
    """No database library is loaded for it. The measure is the processor's time: the machine may be busy."""
    program = "import resource, sys; from app.cli import main; main(['--help']); print(resource.getrusage(resource.RUSAGE_SELF).ru_utime)"
    loaded = "; print(sorted(name for name in ('sqlalchemy', 'flask', 'alembic', 'cryptography') if name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", program + loaded], capture_output=True, text=True, timeout=60, check=True)

    seconds, modules = done.stdout.splitlines()[-2:]
    assert modules == "[]"
    assert float(seconds) < 0.5

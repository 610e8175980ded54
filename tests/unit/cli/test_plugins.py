"""Plugins by the command line, and commands that plugins bring."""

from pathlib import Path
from typing import Any

import pytest

from app.cli import main

Line = Any

_WITH_COMMAND = """
    import click
    from pennywire import hookimpl

    @click.command("{command}")
    def command():
        "Say hello."
        click.echo("hello from {name}")

    @hookimpl
    def register_commands():
        return [command]
"""


def _source(name: str, command: str) -> str:
    return _WITH_COMMAND.format(name=name, command=command)


def test_a_strange_plugin_is_listed_and_not_imported_until_it_is_enabled(line: Line, install: Any) -> None:
    install("pigeon", "raise RuntimeError('imported')")

    before = {row["name"]: row for row in line.json("plugins")}["pigeon"]
    line("plugins", "enable", "pigeon")
    after = {row["name"]: row for row in line.json("plugins", "list")}["pigeon"]

    assert (before["enabled"], before["error"], before["version"]) == (False, "", "1.0")
    assert after["enabled"]
    assert "RuntimeError: imported" in after["error"]


@pytest.mark.parametrize(
    ("api", "remedy"), [(2, "Install a newer Pennywire"), (0, "a newer version of the plugin"), ("'1'", "whole number")]
)
def test_a_plugin_of_another_contract_is_refused_in_words(line: Line, install: Any, api: object, remedy: str) -> None:
    install("pigeon", f"PENNYWIRE_API = {api}")
    line("plugins", "enable", "pigeon")

    [error] = [row["error"] for row in line.json("plugins") if row["name"] == "pigeon"]

    assert remedy in error
    assert "Traceback" not in error


def test_a_new_plugin_is_written_and_nothing_is_overwritten(line: Line, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    written = line.json("plugin", "new", "falcon", "--into", str(folder))

    assert {Path(file).name for file in written["files"]} == {"pyproject.toml", "pennywire_falcon.py", "test_falcon.py"}
    assert "acme" not in (folder / "pennywire_falcon.py").read_text().lower()
    assert "is there already" in line("plugin", "new", "falcon", "--into", str(folder), status=1)
    assert "cannot be a name" in line("plugin", "new", "Big-Bird", "--into", str(tmp_path / "other"), status=1)


def test_an_enabled_plugin_brings_its_command(line: Line, install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install("pigeon", _source("pigeon", "coo"))
    assert main([*line.options, "coo"]) == 2
    line("plugins", "enable", "pigeon")
    capsys.readouterr()

    assert main([*line.options, "coo"]) == 0
    assert capsys.readouterr().out == "hello from pigeon\n"
    main([*line.options, "--help"])
    assert "coo" in capsys.readouterr().out


def test_a_command_name_that_is_taken_is_refused_naming_both(line: Line, install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install("dove", _source("dove", "coo"))
    install("pigeon", _source("pigeon", "coo"))
    line("plugins", "enable", "pigeon")
    line("plugins", "enable", "dove")

    assert main([*line.options, "coo"]) == 1
    said = capsys.readouterr().err
    assert "dove" in said
    assert "pigeon" in said
    line("plugins", "disable", "dove")  # The way out works.


def test_a_command_of_ours_cannot_be_taken(line: Line, install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install("pigeon", _source("pigeon", "run"))
    line("plugins", "enable", "pigeon")

    assert main([*line.options, "--help"]) == 1
    assert "pennywire itself" in capsys.readouterr().err


def test_two_plugins_with_one_kind_do_not_lock_the_operator_out(line: Line, install: Any) -> None:
    twin = """
        from pennywire import Connector, hookimpl

        class Twin(Connector):
            kind = "loopback"
            label = "Twin"

        @hookimpl
        def register_connectors():
            return [Twin]
    """
    install("twin", twin)
    line("plugins", "enable", "twin")

    error = line.json("connection", "kinds", status=1)["error"]
    line("plugins", "disable", "twin")

    assert error["code"] == "duplicate_kind"
    assert "twin" in error["reason"]
    assert line.json("connection", "kinds")


def test_the_settings_of_a_plugin_are_shown_and_changed(line: Line, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    log = tmp_path / "log.sqlite3"
    changed = line.json("plugins", "set", "sqllog", "--set", f"database_url=sqlite:///{log}", "--from-file", f"database_password={secret}")
    shown = {row["name"]: row["value"] for row in line.json("plugins", "show", "sqllog")}

    assert changed["settings"] == shown
    assert shown["database_url"] == f"sqlite:///{log}"
    assert "hunter2" not in str(shown)
    assert "other users can see" in line("plugins", "set", "sqllog", "--set", "database_password=x", status=1)
    assert "database_url: This is no database URL" in line("plugins", "set", "sqllog", "--set", "database_url=x", status=1)
    assert "has no settings" in line("plugins", "set", "loopback", "--set", "a=b", status=1)


def test_the_sql_logger_is_tried_and_replayed_by_hand(line: Line, bob: str, network: str, tmp_path: Path) -> None:
    assert "There is no database yet" in line("sqllog", "test", status=1)
    line("message", "send", "+36201234567", "--user", bob, "--text", "an old text")
    line("plugins", "set", "sqllog", "--set", f"database_url=sqlite:///{tmp_path / 'log.sqlite3'}")

    assert "create-tables" in line("sqllog", "test", status=1)
    assert line("sqllog", "create-tables") == "Made: inbox, outbox.\n"
    assert "Written, read back and taken away: inbox, outbox." in line("sqllog", "test")
    assert line.json("sqllog", "replay", "--from", "2026-01-01") == {"replayed": 1}
    assert line.json("sqllog", "replay", "--from", "2026-01-01") == {"replayed": 1}
    assert line.json("sqllog", "replay", "--from", "2026-01-01", "--until", "2026-01-02") == {"replayed": 0}
    assert "is no time" in line("sqllog", "replay", "--from", "yesterday", status=1)
    assert line.json("sqllog", "status")["following"] is False
    assert network


def test_a_plugin_whose_tables_cannot_be_made_is_left_out_and_the_gateway_goes_on(line: Line, install: Any, capsys: Any) -> None:
    source = """
        from pennywire import Migrations, hookimpl

        @hookimpl
        def register_migrations():
            return [Migrations("pigeon", "/nowhere/at/all")]
    """
    install("pigeon", source)
    line("plugins", "enable", "pigeon")

    assert main(["migrate", *line.options]) == 0
    said = capsys.readouterr()

    assert "The plugin pigeon is left out" in said.err
    assert "up to date" in said.out
    assert line.json("connection", "kinds")


def test_a_command_of_a_plugin_takes_the_common_options_and_reaches_the_gateway(line: Line, install: Any, capsys: Any) -> None:
    source = """
        import click
        from pennywire import InvalidSetting, hookimpl
        from pennywire.ui import gateway

        @click.group()
        def pigeons():
            "Pigeons."

        @pigeons.command()
        @click.pass_obj
        def count(answers):
            "Count them."
            answers.answer({"users": list(gateway().users()), "who": gateway().username}, "some")

        @pigeons.command()
        def lose():
            "Lose one."
            raise InvalidSetting("pigeon", "It is gone.")

        @hookimpl
        def register_commands():
            return [pigeons]
    """
    install("pigeon", source)
    line("plugins", "enable", "pigeon")
    line("user", "add", "anna", "--no-password")
    capsys.readouterr()

    def call(*words: str) -> tuple[int, str]:
        # Which plugins are enabled is asked before the command's own options are read.
        status = main([*line.options, *words])
        return status, capsys.readouterr().out

    assert call("pigeons", "count", "--json") == (0, '{"users": ["anna"], "who": "cli"}\n')
    assert call("pigeons", "count") == (0, "some\n")
    refused = '{"error": {"code": "invalid_parameter", "reason": "It is gone.", "field": "pigeon"}}\n'
    assert call("pigeons", "lose", "--json") == (1, refused)


def test_what_a_plugin_keeps_is_removed_when_it_is_disabled_and_confirmed(line: Line) -> None:
    line("plugins", "set", "sqllog", "--set", "time_zone=UTC")
    kept = line.json("plugin", "remove-data", "tariff", "--dry-run")
    refused = line("plugin", "remove-data", "tariff", "--confirm", "tariff", status=1)
    line("plugins", "disable", "tariff")
    unconfirmed = line("plugin", "remove-data", "tariff", status=1)
    removed = line.json("plugin", "remove-data", "tariff", "--confirm", "tariff")

    assert "table tariff_alembic_version, 1 rows" in kept["kept"]
    assert kept["removed"] is False
    assert "Disable it first" in refused
    assert "--confirm tariff" in unconfirmed
    assert removed == kept | {"removed": True}
    assert line.json("plugin", "remove-data", "tariff", "--dry-run")["kept"] == []
    assert line.json("plugin", "remove-data", "sqllog", "--dry-run")["kept"] == ["its settings"]


def test_tables_of_the_gateway_are_never_a_plugins(line: Line) -> None:
    gone = line.json("plugin", "remove-data", "pigeon", "--prefix", "connection", "--dry-run")

    assert gone["kept"] == []
    assert "cannot be the prefix" in line("plugin", "remove-data", "pigeon", "--prefix", "x%", "--dry-run", status=1)
    assert "Give --prefix" in line("plugin", "remove-data", "pigeon", status=1)

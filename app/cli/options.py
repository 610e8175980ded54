"""The options that every command has, before or behind its name. Imports nothing of the gateway: `--help` must be quick."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click


@dataclass(slots=True)
class Given:
    """What the command line said about settings and the form of the answer."""

    overrides: dict[str, Any] = field(default_factory=dict)
    config: Path | None = None
    as_json: bool = False

    def answer(self, value: Any, text: str) -> None:
        """Answer for a plugin's command: `value` as JSON, or `text` for people."""
        importlib.import_module("app.cli.answers").answer(value, text)

    def answer_table(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str) -> None:
        """Answer with rows, for a plugin's command."""
        importlib.import_module("app.cli.answers").answer_table(rows, columns, empty=empty)


def given() -> Given:
    """Return what this call of the command line said."""
    return click.get_current_context().find_root().ensure_object(Given)


def _override(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def remember(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            context.find_root().ensure_object(Given).overrides[name] = value

    return remember


def _remember_config(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.find_root().ensure_object(Given).config = value


def _remember_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().ensure_object(Given).as_json = True


def _option(name: str, callback: Callable[..., None], text: str, **attributes: Any) -> click.Option:
    return click.Option([name], callback=callback, expose_value=False, is_eager=True, help=text, **attributes)


def common() -> list[click.Parameter]:
    """Return fresh options that all commands share."""
    return [
        _option("--data", _override("data"), "Folder of the database and the keys.", metavar="DIR"),
        _option("--database-url", _override("database_url"), "The database, if it is not in the data folder.", metavar="URL"),
        _option("--config", _remember_config, "Settings file (TOML).", metavar="FILE", type=click.Path(path_type=Path)),
        _option("--json", _remember_json, "Answer in JSON.", is_flag=True),
    ]


class Command(click.Command):
    """A command with the options that all have."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.params += common()


class Group(click.Group):
    """A group of commands, each with the options that all have."""

    command_class = Command

    def __init__(self, *arguments: Any, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.params += common()


def setting_override(name: str, flag: str, text: str, **attributes: Any) -> Callable[[Any], Any]:
    """Return an option that stands for a setting of the process, such as `--bind`."""
    return click.option(flag, callback=_override(name), expose_value=False, help=text, **attributes)

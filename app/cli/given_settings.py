"""Options by which a command is given settings of a kind or a plugin; secrets are asked for or read from files."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from app.cli.answers import Failed
from pennywire import Setting


def setting_options(help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: A002  # the option's own word
    """Return a decorator that adds `--set`, `--from-file` and `--ask`; `help` says where the names are found."""

    def decorate(callback: Callable[..., Any]) -> Callable[..., Any]:
        callback = click.option("--ask", multiple=True, metavar="NAME", help="Ask for a setting, without showing what is typed.")(callback)
        text = "Read a setting, such as a password, from a file."
        callback = click.option("--from-file", multiple=True, metavar="NAME=FILE", help=text)(callback)
        return click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help=help)(callback)

    return decorate


def take_settings(settings: Sequence[Setting], pairs: Sequence[str], files: Sequence[str], ask: Sequence[str]) -> dict[str, Any]:
    """Return the settings that were given. Raises: Failed for a pair that is none, or a secret among the arguments."""
    secret = {setting.name for setting in settings if setting.secret}
    given: dict[str, Any] = {}
    for pair in pairs:
        name, value = _pair(pair)
        if name in secret:
            raise Failed("invalid_parameter", f"{name} is a secret, and other users can see what is typed here. Use --ask {name}.", name)
        given[name] = value
    for pair in files:
        name, path = _pair(pair)
        with click.open_file(path) as file:
            given[name] = file.read().rstrip("\r\n")
    for name in ask:
        if not sys.stdin.isatty():
            raise Failed("missing_parameter", f"Nobody can be asked for {name} here. Use --from-file {name}=FILE.", name)
        given[name] = click.prompt(name, hide_input=True, confirmation_prompt=True, err=True)
    return given


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"{text!r} is not of the form NAME=VALUE.")
    return name.replace("-", "_"), value


SETTING_COLUMNS = {"name": "SETTING", "type": "TYPE", "required": "REQUIRED", "default": "DEFAULT", "label": "WHAT IT IS"}
"""Columns of the rows of `administration.described_settings` for people."""

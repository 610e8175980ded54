"""Confirming what cannot be undone: the name of the object, typed again."""

import sys
from collections.abc import Callable
from typing import Any

import click

from app.cli.answers import Failed


def confirmed(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option by which a script confirms what a person types."""
    return click.option("--confirm", metavar="NAME", help=f"The name of the {what} again. Without it, it is asked for.")


def require_confirmed(what: str, name: str, confirm: str | None) -> None:
    """Ask for the name where nobody gave it. Raises: Failed where it is another one, or nobody can be asked."""
    if confirm is None:
        if not sys.stdin.isatty():
            raise Failed("missing_parameter", f"This cannot be undone. Confirm it with --confirm {name}.", "confirm")
        confirm = str(click.prompt(f"This cannot be undone. Type the name of the {what} to confirm", err=True))
    if confirm != name:
        raise Failed("invalid_parameter", f"The name to confirm is {confirm[:64]!r}, not {name!r}. Nothing was done.", "confirm")

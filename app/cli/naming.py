"""Who sits at the command line: where a movement takes two people, each says his name and proves it by his password."""

import sys
from collections.abc import Callable
from typing import IO, Any

import click

from app.authentication import Authenticator
from app.cli.answers import Failed
from app.cli.opening import ACTOR, core


def named(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say who gives it."""
    text = "Read his password from a file; - is standard input. Without it he is asked."
    callback = click.option("--password-file", type=click.File("r"), metavar="FILE", help=text)(callback)
    return click.option("--as", "name", metavar="NAME", help="The administrator who does it, where two people are needed.")(callback)


def actor_of(name: str | None, password_file: IO[str] | None) -> str:
    """Return who does it, for ledger and audit log. Raises: RequestRefused for a wrong password, Failed where nobody can be asked."""
    if name is None:
        return ACTOR
    if password_file is not None:
        password = password_file.read().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = str(click.prompt(f"Password of {name}", hide_input=True, err=True))
    else:
        raise Failed("missing_parameter", "No password was given. Use --password-file FILE.", "password")
    with core() as opened:
        return Authenticator(opened).password(name, password, address="").username

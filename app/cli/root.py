"""`pennywire` itself: the table of commands, loaded when they are called, and what becomes of failures."""

import errno
import importlib
import importlib.metadata
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from app.cli.options import Given, common

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("app.cli.processes:run", "Start the gateway on this machine: web and engine."),
    "web": ("app.cli.processes:web", "Start the web process alone."),
    "engine": ("app.cli.processes:engine", "Start the engine, the delivery process, alone."),
    "migrate": ("app.cli.processes:migrate", "Make the database, or bring it to this version."),
    "setup-link": ("app.cli.processes:setup_link", "Print a one-time link that makes the administrator."),
    "doctor": ("app.cli.processes:doctor", "Look for what is wrong with this installation."),
    "user": ("app.cli.users:user", "Add, change and list users."),
    "key": ("app.cli.users:key", "Make, revoke and list API keys."),
    "application": ("app.cli.applications:application", "What users' programs are connected by, such as SMPP."),
    "credits": ("app.cli.credits:credits_", "Top up, correct and show credit; warn, suspend and release."),
    "connection": ("app.cli.connections:connection", "Service provider connections."),
    "route": ("app.cli.routes:route", "Routes, in and out."),
    "pricing": ("app.cli.pricing:pricing", "Rules that are asked for a price before the route's Cost."),
    "message": ("app.cli.messages:message", "Send, find and cancel messages."),
    "ledger": ("app.cli.ledger:ledger", "Check and export the ledger."),
    "statement": ("app.cli.statements:statement_", "Statements of accounts, and closing months."),
    "statistics": ("app.cli.counting:statistics_", "Check the sums that pages show, and count them again."),
    "report": ("app.cli.margins:report", "Costs and margin, from the gateway's sums."),
    "plugins": ("app.cli.plugins:plugins", "List, enable, disable and set up plugins."),
    "audit": ("app.cli.auditing:audit", "Who changed what, and when."),
    "option": ("app.cli.settings:option", "Settings of the whole gateway that may change while it runs."),
    "mail": ("app.cli.settings:mail", "The server by which the gateway sends e-mail."),
    "secret": ("app.cli.plugins:secret", "Change the key of stored secrets."),
}
"""Where each command is, and what the list says of it without loading it."""

ALIASES = {"plugin": "plugins"}
"""Other words for commands; they are not listed."""


class Root(click.Group):
    """The command `pennywire`. Plugins add commands of their own; none may take a name that is taken."""

    def __init__(self) -> None:
        super().__init__("pennywire", help="An SMS gateway that keeps accounts.", params=common(), subcommand_metavar="COMMAND ...")
        self.params.append(click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version))

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(_plugin_commands(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = ALIASES.get(cmd_name, cmd_name)
        if name in COMMANDS:
            command = _load(COMMANDS[name][0])
            assert isinstance(command, click.Command)
            return command
        return _plugin_commands(ctx).get(name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
        own = _plugin_commands(ctx)
        if own:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, own[name].get_short_help_str(80)) for name in sorted(own)])


def _show_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"pennywire {importlib.metadata.version('pennywire')}")
        context.exit()


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _plugin_commands(context: click.Context) -> dict[str, click.Command]:
    """Return the commands of the enabled plugins, found once for each call."""
    if "commands" not in context.meta:
        context.meta["commands"] = _load("app.cli.extensions:commands")(taken=COMMANDS | ALIASES)
    found: dict[str, click.Command] = context.meta["commands"]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = Given(as_json="--json" in words)
    try:
        status = Root().main(args=words, prog_name="pennywire", standalone_mode=False, obj=given)
    except click.UsageError as error:
        return _report_usage(error, given)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return _leave_quietly()
    except Exception as error:  # noqa: BLE001  # Here every failure becomes a sentence and a status.
        return _report(error, given)
    return status if isinstance(status, int) else OK


def _leave_quietly() -> int:
    """Whoever read our output has gone, as `head` does; Python must not complain of it when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _report_usage(error: click.UsageError, given: Given) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return USAGE
    parameter = getattr(error, "param", None)
    field = parameter.name if parameter is not None else ""
    if given.as_json:
        _write_error("usage", error.format_message(), field)
    else:
        error.show()
    return USAGE


def _report(error: Exception, given: Given) -> int:
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        return _leave_quietly()
    if isinstance(error, click.ClickException):
        code, reason, field = "failed", error.format_message(), ""
    else:
        explained = _load("app.cli.errors:explain")(error)
        if explained is None:
            click.echo(_load("app.logs:mask")("".join(traceback.format_exception(error))), err=True)
            words = f"The command failed: {type(error).__name__}. This is a fault of the gateway; the lines above say where."
            explained = ("internal", words, "")
        code, reason, field = explained
    if given.as_json:
        _write_error(code, reason, field)
    else:
        click.echo(f"pennywire: {field + ': ' if field else ''}{reason}", err=True)
    return FAILED


def _write_error(code: str, reason: str, field: str) -> None:
    click.echo(json.dumps({"error": {"code": code, "reason": reason, "field": field}}))

"""SQL logger: every message, in and out, in a database of the operator's choice, in files, or in both.

It follows the journal: at least once, in order, and nothing waits for it. While no database and no folder is set, it does nothing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pennywire import Event, LaterCommand, MenuItem, MessageView, Setting, hookimpl
from pennywire_sqllog.declared import SETTINGS

if TYPE_CHECKING:
    import flask

PENNYWIRE_API = 1


@hookimpl
def register_settings() -> Sequence[Setting]:
    """Declare where the log goes."""
    return SETTINGS


@hookimpl
def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse addresses, tables and statements that cannot work."""
    from pennywire_sqllog.settings import read_plan  # noqa: PLC0415  # As below.

    read_plan(settings)


@hookimpl
def follows_journal(settings: Mapping[str, Any]) -> bool:
    """Follow while there is something to write to."""
    return bool(settings["database_url"]) or settings["file_format"] != "off"


@hookimpl
def message_events(batch: Sequence[Event], messages: Mapping[str, MessageView], settings: Mapping[str, Any]) -> None:
    """Write a batch. Raises: NotTaken; then the batch comes again."""
    # Every command of the gateway loads this module; only the engine needs a database library here.
    from pennywire_sqllog.recording import happened, recorder  # noqa: PLC0415
    from pennywire_sqllog.settings import read_plan  # noqa: PLC0415

    recorder.record(happened(batch, messages), read_plan(settings))


@hookimpl
def register_blueprints() -> "Sequence[flask.Blueprint]":
    """Contribute the page *System / SQL logging*."""
    from pennywire_sqllog.pages import screen  # noqa: PLC0415  # The engine and the command line need no Flask.

    return [screen]


@hookimpl
def register_commands() -> Sequence[LaterCommand]:
    """Contribute `pennywire sqllog`."""
    return [LaterCommand("sqllog", "The log of messages in a database or files.", "pennywire_sqllog.commands:sqllog")]


@hookimpl
def menu_items() -> Sequence[MenuItem]:
    """Contribute the entry of the menu."""
    return [MenuItem("System", "SQL logging", "sqllog.index", icon="scroll-text", roles=("administrator", "operator", "auditor"))]

"""GSM modems for Pennywire: a connector that drives them by AT commands, and a scripted modem to try against.

What needs Flask is imported when it is asked for: every command of `pennywire` loads this module.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pennywire import Connector, LaterCommand, Panel, hookimpl
from pennywire_modem.connector import ModemConnector

if TYPE_CHECKING:
    import flask

PENNYWIRE_API = 1


@hookimpl
def register_connectors() -> Sequence[type[Connector]]:
    return [ModemConnector]


@hookimpl
def register_commands() -> Sequence[LaterCommand]:
    return [
        LaterCommand("modem-sim", "A scripted modem on a pseudo terminal, to try against.", "pennywire_modem.commands:modem_sim"),
        LaterCommand("modem-find", "Look for modems at serial devices.", "pennywire_modem.commands:modem_find"),
        LaterCommand("modem-status", "The modems of a connection and how they are doing.", "pennywire_modem.commands:modem_status"),
        LaterCommand("modem-pins", "SIM cards that refused a PIN, and trying again.", "pennywire_modem.commands:modem_pins"),
    ]


@hookimpl
def register_blueprints() -> "Sequence[flask.Blueprint]":
    return [import_module("pennywire_modem.pages").screen]


@hookimpl
def panels(page: str, subject: Any) -> Sequence[Panel]:
    if page != "connection" or subject.kind != ModemConnector.kind:
        return []
    found: Sequence[Panel] = import_module("pennywire_modem.pages").panels_of(subject.name)
    return found

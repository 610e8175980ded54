"""GSM modems for Pennywire: a connector that drives them by AT commands, and a scripted modem to try against."""

from collections.abc import Sequence

from pennywire import Connector, LaterCommand, hookimpl
from pennywire_modem.connector import ModemConnector

PENNYWIRE_API = 1


@hookimpl
def register_connectors() -> Sequence[type[Connector]]:
    return [ModemConnector]


@hookimpl
def register_commands() -> Sequence[LaterCommand]:
    return [
        LaterCommand("modem-sim", "A scripted modem on a pseudo terminal, to try against.", "pennywire_modem.commands:modem_sim"),
        LaterCommand("modem-find", "Look for modems at serial devices.", "pennywire_modem.commands:modem_find"),
    ]

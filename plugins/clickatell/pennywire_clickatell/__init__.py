"""Clickatell as a service provider connection: the platform's REST interface, and the legacy HTTP API.

What needs aiohttp or Flask is imported when it is asked for: every command of `pennywire` loads this module.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pennywire import Connector, Panel, hookimpl
from pennywire_clickatell.connector import ClickatellConnector, ClickatellHttpConnector

if TYPE_CHECKING:
    import flask

PENNYWIRE_API = 1
_KINDS = {ClickatellConnector.kind, ClickatellHttpConnector.kind}


@hookimpl
def register_connectors() -> Sequence[type[Connector]]:
    return [ClickatellConnector, ClickatellHttpConnector]


@hookimpl
def register_blueprints() -> "Sequence[flask.Blueprint]":
    return [import_module("pennywire_clickatell.receiving").callbacks]


@hookimpl
def panels(page: str, subject: Any) -> Sequence[Panel]:
    if page != "connection" or subject.kind not in _KINDS:
        return []
    context = {"connection": subject.name, "secret_set": bool(subject.settings.get("callback_secret"))}
    return [Panel("Callbacks", "clickatell/callbacks.html", context)]

"""The address that Clickatell calls with reports and incoming messages.

Whoever does not know the secret, or comes from elsewhere, finds nothing there: the answer does not tell which of the two it was.
"""

import ipaddress
import logging
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

from flask import Blueprint, abort, request
from werkzeug.wrappers import Response

from pennywire import CannotStore
from pennywire.ui import ANYONE, allow, gateway
from pennywire_clickatell.connector import ClickatellConnector, ClickatellHttpConnector
from pennywire_clickatell.news import News, NotUnderstood, read_legacy, read_platform
from pennywire_clickatell.settings import read_networks

_LOG = logging.getLogger(__name__)

callbacks = Blueprint("clickatell", __name__, template_folder="templates")


@callbacks.route("/callbacks/<connection>/<secret>", methods=["GET", "POST"])
@allow(ANYONE)
def receive(connection: str, secret: str) -> Response:
    """Take one callback. 200 says that what it brought is durable, 503 asks to call again, 400 that it is none."""
    platform = gateway().connections(ClickatellConnector.kind).get(connection)
    legacy = gateway().connections(ClickatellHttpConnector.kind).get(connection)
    values = platform or legacy
    if values is None or not _is_known(values, secret, request.remote_addr or ""):
        abort(404)
    try:
        news = read_platform(request.get_data()) if platform else read_legacy(request.values, api_id=values["api_id"])
        _hand_in(connection, news)
    except NotUnderstood as error:
        _LOG.warning("callback for connection %s refused: %s", connection, error)
        return Response(f"{error}\n", 400, mimetype="text/plain")
    except CannotStore:
        return Response("The gateway cannot store it now. Call again.\n", 503, {"Retry-After": "30"}, mimetype="text/plain")
    return Response("ok\n", mimetype="text/plain")


def _is_known(values: Mapping[str, Any], secret: str, address: str) -> bool:
    expected = values["callback_secret"]
    if not expected or not compare_digest(expected.encode(), secret.encode()):
        return False
    networks = read_networks(values["callback_sources"])
    if not networks:
        return True
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    caller = getattr(caller, "ipv4_mapped", None) or caller
    return any(caller in network for network in networks)


def _hand_in(connection: str, news: News) -> None:
    """Raises: CannotStore."""
    if news.reports:
        gateway().report(connection, news.reports)
    if news.incoming:
        gateway().incoming(connection, news.incoming)

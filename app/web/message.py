"""One message: each step with its time and data, the route and why, the segments, the ledger's rows."""

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from flask import Blueprint, abort, render_template
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.wrappers import Response

from app import journal
from app.identifiers import InvalidId, internal_id, public_id
from app.lifecycle import FINAL, State
from app.models import Message, OutboxRow, Segment, Transfer
from app.web import context, messages, pages
from app.web.database import db

screen = Blueprint("message", __name__)

_LOG = logging.getLogger("pennywire.web")

_OPERATORS = frozenset({"connection", "provider", "negative_margin"})
_BUYING = frozenset({"taken", "priced", "bought"})
"""What events say for the report on costs; the page has its own place for it."""

CANCELLABLE = frozenset({State.SCHEDULED, State.HELD, State.QUEUED})


@screen.get("/message/<message_id>")
def show(message_id: str) -> str | Response:
    """Show one message. While it is on its way, htmx asks again for what changes."""
    try:
        found = messages.visible([internal_id(message_id)])
    except InvalidId:
        abort(404)
    if not found:
        abort(404)
    values = _values(found[0])
    if pages.is_partial():
        return pages.live("message/_live.html", **values)
    return render_template("message/message.html", **values)


def _values(message: Message) -> dict[str, Any]:
    session, snapshot = db.session(), context.snapshot()
    owner = snapshot.users_by_id.get(message.user_id)
    transfers = session.scalars(select(Transfer).where(Transfer.message_id == message.id).order_by(Transfer.id)).all()
    return {
        "message": message,
        "public": public_id(message.id),
        "owner": owner.username if owner else "",
        "connection": snapshot.connection_name(message.connection_id),
        "connection_there": message.connection_id in snapshot.connections,
        "connection_name": snapshot.connection_name,
        "events": journal.of_message(session, message.id),
        "segments": session.scalars(select(Segment).where(Segment.message_id == message.id).order_by(Segment.segment_index)).all(),
        "waiting": session.scalars(select(OutboxRow).where(OutboxRow.message_id == message.id).order_by(OutboxRow.segment_index)).all(),
        # What an account above paid is not its customer's business.
        "transfers": [row for row in transfers if not row.level or context.may("connections.index")],
        "margin_uc": margin(message, [row for row in transfers if not row.level]),
        "moving": State(message.state) not in FINAL,
        "cancellable": message.state in CANCELLABLE and message.direction == "outbound",
        "panels": panels("message", message),
        "shown_data": lambda data: _shown_data(data, with_raw=context.reads_texts(message.user_id)),
    }


def _shown_data(data: dict[str, Any], *, with_raw: bool) -> dict[str, Any]:
    """Return what an event tells the signed-in user: by whom the gateway sends is the operator's business.

    What a peer said as it came may hold a part of the text.
    """
    hidden = set(_BUYING if context.may("connections.index") else _OPERATORS | _BUYING) | (set() if with_raw else {"raw"})
    inside = (set() if context.may("connections.index") else {"negative_margin"}) | (set() if with_raw else {"raw"})
    return {name: _without(value, inside) for name, value in data.items() if name not in hidden}


def _without(value: Any, hidden: AbstractSet[str]) -> Any:
    """Return a value without the members of these names, however deep they are."""
    match value:
        case dict():
            return {name: _without(inner, hidden) for name, inner in value.items() if name not in hidden}
        case list():
            return [_without(inner, hidden) for inner in value]
    return value


def margin(message: Message, transfers: Sequence[Transfer]) -> int | None:
    """Return what a message brought, or will bring as things stand, less what it costs us; None where either is not known."""
    if message.buy_uc is None or not message.charged:
        return None
    own = [transfer for transfer in transfers if transfer.level == 0]
    settled_uc = sum(transfer.amount_uc for transfer in own if transfer.kind == "settle")
    refunded_uc = sum(transfer.amount_uc for transfer in own if transfer.kind == "refund")
    ended = any(transfer.kind in ("settle", "release") for transfer in own)
    return (settled_uc - refunded_uc if ended else message.price_uc) - message.buy_uc


def panels(page: str, subject: Any) -> list[dict[str, Any]]:
    """Return what plugins add to a page; a plugin that raises, or whose template does, adds nothing."""
    drawn = []
    for plugin, given in context.core().plugins.call("panels", page=page, subject=subject, user=context.user()):
        for panel in given or ():
            try:
                drawn.append({"title": panel.title, "body": Markup(render_template(panel.template, **panel.context))})  # noqa: S704  # drawn, not typed
            except Exception:  # noqa: BLE001  # A plugin's template may fail in any way
                _LOG.exception("a panel of plugin %s cannot be drawn", plugin)
    return drawn

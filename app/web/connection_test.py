"""Send test and receive test of a connection: one message through it by hand, each the whole way."""

from secrets import token_urlsafe

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration, inbound
from app.decisions import Admitted, Preview, Request, preview
from app.refusals import RequestRefused
from app.web import context
from app.web.database import db
from app.web.forms import GENERAL, Form
from pennywire import Draft, Incoming, Setting, SettingType
from pennywire.sms import addresses

screen = Blueprint("connection_test", __name__)

_TEXT = Setting("text", "Text", SettingType.LINES, default="A test of Pennywire", required=True, max_length=1000)
_SENDING = (
    Setting("destination", "Destination", required=True, max_length=64, help="Such as +36201234567. A network delivers and charges it."),
    Setting("source", "Source", max_length=21, help="Empty: the sender that the route names."),
    _TEXT,
)
_RECEIVING = (
    Setting("source", "Source", required=True, max_length=21, help="The handset that it seems to come from."),
    Setting("destination", "Destination", required=True, max_length=21, help="The number of ours that it seems to go to."),
    _TEXT,
)
_ELSEWHERE = (
    "The route {outlook.route} would send this to {outlook.provider}, and not to {provider}. Let a route lead to {provider}, or allow "
    "{user} to choose the provider under Users / {user} / Configuration."
)


@screen.route("/connections/<name>/test", methods=["GET", "POST"])
def show(name: str) -> str | Response | tuple[str, int]:
    """Show both tests; what is posted says by the button which of them to do."""
    connection = administration.find_connection(db.session(), name)
    sending, receiving = Form(_SENDING, prefix="send_"), Form(_RECEIVING, prefix="receive_")
    done = None
    if request.method == "POST":
        done = _send(connection.provider, sending) if request.form.get("test") == "send" else _receive(name, receiving)
    if done is not None:
        return done
    kind = context.core().plugins.connectors.get(connection.kind)
    page = render_template("connections/test.html", connection=connection, kind=kind, sending=sending, receiving=receiving)
    return page, 422 if sending.errors or receiving.errors else 200


def _send(provider: str, form: Form) -> Response | None:
    """Have a message accepted that goes to the connection's provider; None where it was refused or would go elsewhere."""
    values = form.read(request.form)
    if values is None:
        return None
    text = values["text"].replace("\r\n", "\n")
    draft = Draft(values["destination"], text, source=values["source"], provider=provider)
    sending = Request(context.user(), (draft,), "ui", key=f"test-{token_urlsafe(18)}")
    (outlook,) = preview(context.snapshot(), sending, now=context.now())
    if isinstance(outlook, Preview) and outlook.provider != provider:
        form.note(GENERAL, _ELSEWHERE.format(outlook=outlook, provider=provider, user=context.user().username))
        return None
    try:
        (result,) = context.parts().intake.submit(sending).results
    except RequestRefused as error:
        form.note(error.refused.field, str(error))
        return None
    if not isinstance(result, Admitted):
        form.note(result.field, result.reason)
        return None
    flash("The test is accepted. This page follows it to the handset.")
    return redirect(url_for("message.show", message_id=result.public_id), 303)


def _receive(name: str, form: Form) -> Response | None:
    """Take a message in as if the connection had brought it: stored, routed, charged, put into an inbox."""
    values = form.read(request.form)
    if values is None:
        return None
    for field in ("source", "destination"):
        try:
            values[field] = addresses.source(values[field])
        except addresses.InvalidAddress as error:
            form.note(field, error.reason)
    if form.errors:
        return None
    core, snapshot = context.core(), context.snapshot()
    incoming = Incoming(values["source"], values["destination"], text=values["text"].replace("\r\n", "\n"), raw="receive test")
    view = next(view for view in snapshot.connections.values() if view.name == name)
    delivered = context.change(lambda session: inbound.receive(session, snapshot, [(view, incoming)], ids=core.ids, now=context.now()))
    if delivered:
        flash("It came in and is in the inbox of the user that the inbound routes chose.")
    else:
        flash("It came in, and no inbound route wanted it. Routing / Inbound routes decides who gets what.", "bad")
    return redirect(url_for("connection_test.show", name=name), 303)

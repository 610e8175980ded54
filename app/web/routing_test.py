"""Test a route: type a message, see what every rule says of it, the segments and the price. Nothing is sent."""

from typing import Any

from flask import Blueprint, render_template, request

from app import routing
from app.decisions import Preview, Request, preview, standings
from app.refusals import Refused
from app.snapshot import UserView
from app.web import context
from app.web.forms import Form, choice
from pennywire import Direction, Draft, RoutingSubject, Setting, SettingType
from pennywire.sms import InvalidAddress, normalise

screen = Blueprint("routing_test", __name__)

_FIELDS = (
    choice("direction", "Direction", (("outbound", "Outbound: from a user to a handset"), ("inbound", "Inbound: from a handset"))),
    Setting("user", "User", help="Outbound: whose message it is."),
    Setting("connection", "Connection", help="Inbound: where it came in."),
    Setting("source", "Sender"),
    Setting("destination", "Recipient"),
    Setting("text", "Text", SettingType.LINES),
)


@screen.route("/routing/test", methods=["GET", "POST"])
def show() -> str | tuple[str, int]:
    """Ask every route about a message that is not there."""
    form = Form(_FIELDS, {"text": "Hello", "user": context.user().username, **_prefilled()})
    values: dict[str, Any] = {"form": form, "verdicts": None, "result": None, "taken": None, "standings": ()}
    if request.method == "POST":
        form.read(request.form)
        values |= _outbound(form) if form.values["direction"] == "outbound" else _inbound(form)
    snapshot = context.snapshot()
    names = sorted(snapshot.users, key=str.lower)
    connections = sorted(view.name for view in snapshot.connections.values())
    return render_template("routing/test.html", **values, users=names, connections=connections), 422 if form.errors else 200


def _prefilled() -> dict[str, str]:
    return {name: request.args[name] for name in ("direction",) if name in request.args}


def _outbound(form: Form) -> dict[str, Any]:
    snapshot = context.snapshot()
    view = snapshot.user(str(form.values["user"]).strip())
    if view is None:
        form.errors["user"] = "There is no such user."
        return {}
    draft = Draft(destination=str(form.values["destination"]), text=_text(form), source=str(form.values["source"]))
    result: Preview | Refused = preview(snapshot, Request(view, (draft,), "ui"), now=context.now())[0]
    if isinstance(result, Preview):
        return {"result": result, "verdicts": result.verdicts, "standings": result.standings}
    if result.field in form.values:
        form.errors[result.field] = result.reason
    verdicts = routing.explain(snapshot.outbound, _subject(form, Direction.OUTBOUND, view))
    return {"result": result, "verdicts": verdicts, "standings": standings(snapshot, view, draft, now=context.now())}


def _inbound(form: Form) -> dict[str, Any]:
    subject = _subject(form, Direction.INBOUND, None)
    inbound = context.snapshot().inbound
    return {"verdicts": routing.explain(inbound, subject), "taken": inbound.all_matches(subject)}


def _subject(form: Form, way: Direction, view: UserView | None) -> RoutingSubject:
    """Return what the routes are asked about; a number that is not one is asked about as it stands."""
    code = (view.country_code if view else "") or str(context.snapshot().options.get("country_code", ""))
    return RoutingSubject(
        direction=way,
        source=str(form.values["source"]) or (view.default_source if view else ""),
        destination=_normalised(str(form.values["destination"]), code),
        text=_text(form),
        at=context.now(),
        username=view.username if view else "",
        connection=str(form.values["connection"]).strip() if way is Direction.INBOUND else "",
    )


def _normalised(raw: str, country_code: str) -> str:
    try:
        return normalise(raw, country_code=country_code)
    except InvalidAddress:
        return raw.strip()


def _text(form: Form) -> str:
    return str(form.values["text"] or "").replace("\r\n", "\n")

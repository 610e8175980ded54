"""Compose: write a message, and see before it is sent how many segments it has, what forced UCS-2, its route and its price."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.decisions import Preview, Request, preview
from app.messages import Admitted
from app.refusals import Refused, RequestRefused
from app.snapshot import UserView
from app.web import context
from app.web.forms import Form
from pennywire import Draft, Setting, SettingType
from pennywire.sms import NotEncodable, Plan, TooLong, replacements
from pennywire.sms import plan as plan_text

screen = Blueprint("compose", __name__)

MOST_DESTINATIONS = 1_000
_FIELDS = (
    Setting("user", "In the name of", help="The user whose credit and routes it uses."),
    Setting("source", "Sender", help="A number, a short code, or up to 11 letters. Empty uses the user's default."),
    Setting("destination", "Recipients", SettingType.LINES, required=True, help="One a line, or separated by commas: +36201234567"),
    Setting("text", "Text", SettingType.LINES),
    Setting("send_at", "Send at (UTC)", help="Empty sends now.", advanced=True),
    Setting("provider", "Service provider", help="For users who may override the routing table.", advanced=True),
    Setting("client_reference", "Reference", max_length=96, help="Shown and searchable; the gateway does nothing with it.", advanced=True),
)
_FORM_KEY = re.compile(r"[\w-]{16,64}", re.ASCII)


@screen.route("/compose", methods=["GET", "POST"])
def index() -> str | Response | tuple[str, int]:
    """Show the form, or send what it holds: a refused recipient keeps the form as it was, and says why."""
    form = Form(_FIELDS, {"user": request.args.get("user") or context.user().username, **_prefilled()})
    results: list[tuple[Draft, Any]] = []
    action = request.form.get("action", "send")
    if action in ("simplify", "look"):
        form.take(request.form)
        form.values["text"] = replacements.simplify(_text(form)) if action == "simplify" else form.values["text"]
    elif request.method == "POST":
        results = _send(form)
        if results and all(isinstance(result, Admitted) for _draft, result in results):
            return _done([result for _draft, result in results])
    refused = _beside_their_field(form, [(draft, result) for draft, result in results if isinstance(result, Refused)], len(results))
    accepted = [result for _draft, result in results if isinstance(result, Admitted)]
    if accepted:
        # What was accepted must not be sent a second time with the rest.
        form.values["destination"] = "\n".join(draft.destination for draft, _refused in refused)
    values = {"form": form, "refused": refused, "accepted": accepted, "outlook": _outlook(form), "users": _senders()}
    values["form_key"] = token_urlsafe(18) if accepted or not results else _form_key()
    return render_template("compose/compose.html", **values), 422 if form.errors or refused else 200


def _beside_their_field(form: Form, refused: list[tuple[Draft, Refused]], count: int) -> list[tuple[Draft, Refused]]:
    """Put what is wrong with every recipient's message alike beside the field that it is about; return what remains for the table."""
    alike = {result for _draft, result in refused}
    if len(refused) == count and len(alike) == 1 and (only := alike.pop()).field in form.values:
        form.errors[only.field] = only.reason
        return []
    return refused


@screen.post("/compose/preview")
def preview_form() -> str:
    """Say what would become of the form's text and first recipient; nothing is kept."""
    form = Form(_FIELDS)
    form.take(request.form)
    return render_template("compose/_preview.html", outlook=_outlook(form))


def _prefilled() -> dict[str, str]:
    return {name: request.args[name] for name in ("source", "destination") if name in request.args}


def _senders() -> list[str]:
    """Return the users in whose name the signed-in user may send."""
    if context.user().role == "customer":
        return []
    return sorted((view.username for view in context.snapshot().users.values() if view.active), key=str.lower)


def _sender(form: Form) -> UserView | None:
    if context.user().role == "customer":
        return context.user()
    view = context.snapshot().user(str(form.values["user"] or "").strip())
    if view is None:
        form.errors["user"] = "There is no such user. Choose one of the list."
    return view


def _destinations(form: Form) -> list[str]:
    lines = str(form.values["destination"] or "").replace(",", "\n").replace(";", "\n").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _text(form: Form) -> str:
    """Return the text with one character for a line's end: browsers send two, and a customer would pay for both."""
    return str(form.values["text"] or "").replace("\r\n", "\n")


def _drafts(form: Form, destinations: list[str]) -> tuple[Draft, ...]:
    source, provider, reference = (str(form.values[name] or "").strip() for name in ("source", "provider", "client_reference"))
    text, send_at = _text(form), _moment(form)
    return tuple(
        Draft(destination, text, source=source, provider=provider, client_reference=reference, send_at=send_at)
        for destination in destinations
    )


def _request(view: UserView, drafts: tuple[Draft, ...]) -> Request:
    """Return the request of one form: sent twice with the same content, as by an impatient click, it counts once."""
    fingerprint = hashlib.sha256(repr(drafts).encode("utf-8", "surrogatepass")).hexdigest()
    return Request(view, drafts, "ui", key=f"ui-{_form_key()}-{fingerprint[:24]}", fingerprint=fingerprint)


def _form_key() -> str:
    given = request.form.get("form_key", "")
    return given if _FORM_KEY.fullmatch(given) else token_urlsafe(18)


def _moment(form: Form) -> datetime | None:
    """Read the time to send, as the browser's own field writes it. Units: minutes, in UTC."""
    given = str(form.values["send_at"] or "").strip()
    if not given:
        return None
    try:
        return datetime.fromisoformat(given).replace(tzinfo=UTC)
    except ValueError:
        form.errors["send_at"] = "This is not a time. Write it as 2026-12-31T18:30."
        return None


def _send(form: Form) -> list[tuple[Draft, Any]]:
    """Submit the form. Return each draft with its result; nothing where the form itself was refused."""
    form.read(request.form)
    view, destinations = _sender(form), _destinations(form)
    if not destinations:
        form.errors["destination"] = "Give at least one recipient, such as +36201234567."
    if len(destinations) > MOST_DESTINATIONS:
        form.errors["destination"] = f"These are {len(destinations)} recipients; at most {MOST_DESTINATIONS} can be sent to at once."
    drafts = _drafts(form, destinations)
    if form.errors or view is None:
        return []
    try:
        answer = context.parts().intake.submit(_request(view, drafts))
    except RequestRefused as error:
        form.errors[error.refused.field if error.refused.field in form.values else ""] = str(error)
        return []
    return list(zip(drafts, answer.results, strict=True))


def _done(admitted: list[Admitted]) -> Response:
    if len(admitted) == 1:
        flash("The message is accepted. This page follows it.")
        return redirect(url_for("message.show", message_id=admitted[0].public_id), 303)
    flash(f"{len(admitted)} messages are accepted.")
    word = "scheduled" if admitted[0].state == "scheduled" else "outbox"
    return redirect(url_for("messages.folder", folder=word), 303)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of the form: the text's segments, and how its messages would go. Units: microcredits for all of them.

    `first` is the first recipient's message that would go; `refused` is the first refusal, of `refused_count`.
    """

    plan: Plan | None = None
    simpler: bool = False
    first: Preview | None = None
    refused: Refused | None = None
    count: int = 0
    refused_count: int = 0
    total_uc: int = 0


def _outlook(form: Form) -> Outlook:
    """Look ahead, on the present configuration; nothing is kept."""
    text, destinations = _text(form), _destinations(form)[:MOST_DESTINATIONS]
    view = context.user() if context.user().role == "customer" else context.snapshot().user(str(form.values["user"] or "").strip())
    if view is None or not text:
        return Outlook()
    plan = _plan(text)
    simpler = replacements.simplify(text) != text
    if not destinations:
        return Outlook(plan, simpler)
    drafts = _drafts(Form(form.settings, form.values), destinations)
    results = preview(context.snapshot(), Request(view, drafts, "ui"), now=context.now())
    going = [result for result in results if isinstance(result, Preview)]
    refused = [result for result in results if isinstance(result, Refused)]
    return Outlook(
        plan,
        simpler,
        first=going[0] if going else None,
        refused=refused[0] if refused else None,
        count=len(results),
        refused_count=len(refused),
        total_uc=sum(result.price_uc for result in going),
    )


def _plan(text: str) -> Plan | None:
    """Return what the text takes, or None where it cannot be sent at all; the refusal says why."""
    try:
        return plan_text(text)
    except (TooLong, NotEncodable):
        return None

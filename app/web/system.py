"""System: plugins, the HTTP API with ready lines, the ledger check, settings."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration, nightly, verify
from app.administration import GATEWAY_SETTINGS, InvalidField
from app.plugins import all_infos
from app.web import context, samples
from app.web.database import db
from app.web.forms import Form

screen = Blueprint("system", __name__)


@screen.get("/system/plugins")
def plugins() -> str:
    """Show the plugins that are installed, with what they bring and what is wrong with them."""
    infos = sorted(all_infos(context.core().plugins).values(), key=lambda info: info.name)
    return render_template("system/plugins.html", infos=infos)


@screen.route("/system/plugins/<name>/switch", methods=["GET", "POST"])
def switch_plugin(name: str) -> str | Response:
    """Ask, and then enable or disable a plugin."""
    info = all_infos(context.core().plugins).get(name)
    if info is None:
        abort(404)
    if request.method == "GET":
        return render_template("system/switch_plugin.html", info=info)
    enabled = request.form.get("enabled") == "1"
    context.change(lambda session: administration.set_plugin(session, name, enabled, **context.by()))
    flash(f"Plugin {name} will be {'enabled' if enabled else 'disabled'}: the processes finish their work and restart.")
    return redirect(url_for("system.plugins"), 303)


@screen.get("/system/http-api")
def http_api() -> str:
    """Show how programs send and receive, in the language that the visitor chose, and in the name of the user he chose."""
    snapshot, staff = context.snapshot(), context.user().role != "customer"
    view = (snapshot.user(request.args.get("user", "")) if staff else None) or context.user()
    language = request.args.get("language", "")
    language = language if language in samples.LANGUAGES else next(iter(samples.LANGUAGES))
    write = samples.LANGUAGES[language]
    modern, old = _calls(request.host_url, view.username)
    return render_template(
        "system/http_api.html",
        view=view,
        language=language,
        languages=list(samples.LANGUAGES),
        users=sorted((each.username for each in snapshot.users.values()), key=str.lower)[:500] if staff else [],
        modern=[(title, write(call)) for title, call in modern],
        legacy=[(title, write(call)) for title, call in old],
    )


def _calls(base: str, username: str) -> tuple[list[tuple[str, samples.Call]], list[tuple[str, samples.Call]]]:
    """Return the calls that most programs make: of the modern API, and of the legacy one."""
    key, password = "YOUR_KEY", "YOUR_PASSWORD"
    body = {"destination": "+36201234567", "text": "Hello"}
    modern = [
        ("Send a message", samples.modern(base, "messages", key, body, {"Idempotency-Key": "order-4711"})),
        ("See what became of it", samples.modern(base, "messages/MESSAGE_ID", key)),
        ("Credit", samples.modern(base, "account", key)),
    ]
    sent = {"recipient": "+36201234567", "messagetype": "SMS:TEXT", "messagedata": "Hello"}
    fetched = {"folder": "inbox", "limit": "10", "afterdownload": "delete"}
    old = [
        ("Send a message", samples.legacy(base, username, password, "sendmessage", **sent)),
        ("Fetch incoming messages", samples.legacy(base, username, password, "receivemessage", **fetched)),
        ("Credit", samples.legacy(base, username, password, "getcredits")),
    ]
    return modern, old


@screen.get("/system/ledger-check")
def ledger_check() -> str:
    """Recompute every balance from the rows, when asked to."""
    report = None
    if request.args.get("run"):
        with context.core().database.read() as session:
            report = verify.verify(session)
    return render_template("system/ledger_check.html", report=report, checks=nightly.last_checks(db.session()))


@screen.route("/system/settings", methods=["GET", "POST"])
def settings() -> str | Response | tuple[str, int]:
    """Change what applies to the whole gateway."""
    options = context.snapshot().options
    form = Form(GATEWAY_SETTINGS, {item.name: options.get(item.name, item.default or "") for item in GATEWAY_SETTINGS})
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        for name, text in values.items():
            try:
                administration.checked_option(name, text)
            except InvalidField as error:
                form.refuse(error)
        if not form.errors:
            context.change(lambda session: administration.set_gateway_options(session, values, **context.by()))
            flash("Saved.")
            return redirect(url_for("system.settings"), 303)
    return render_template("system/settings.html", form=form), 422 if form.errors else 200

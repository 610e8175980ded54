"""Users and applications: the list, adding, the tabs of the configuration, events."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import func, or_, select
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField
from app.models import Account, AuditEntry, JournalEvent, OutboxRow, User
from app.retirement import Retirement, retire_user
from app.snapshot import UserView
from app.web import context, pages
from app.web.database import db
from app.web.forms import Form, choice, flag, typed_name
from app.web.menu import CONFIGURATION_TABS
from app.web.pages import PAGE_SIZE
from pennywire import Setting, SettingType

screen = Blueprint("users", __name__)

EVENTS_LOOKED_AT = 200_000
"""How far back a user's events are looked for: the journal has no index by user."""

_ROLES = (
    ("customer", "Customer: own messages, credits and keys"),
    ("operator", "Operator: messages, connections, routing"),
    ("auditor", "Auditor: sees all, changes nothing"),
    ("administrator", "Administrator: everything"),
)
_KINDS = (("standard", "Standard: a person"), ("application", "Application: a program that uses the HTTP API"))
_NEW = (
    Setting("username", "User name", required=True, help="1 to 16 letters, digits, dots, dashes or underscores."),
    Setting("password", "Password", SettingType.SECRET, help="At least 8 characters. Empty: no sign-in, API keys only."),
    choice("kind", "Type", _KINDS),
    choice("role", "Role", _ROLES),
)
_PASSWORD = (Setting("password", "New password", SettingType.SECRET, required=True, help="At least 8 characters. Open sessions end."),)
_LEFT_OVER = (
    Setting("reason", "Reason", max_length=200, help="With it, a correction brings the balance to 0. Kept in the ledger for good."),
)
_TABS: dict[str, tuple[Setting, ...]] = {
    "general": (
        flag("active", "Active", help="Switched off: no sign-in and no new messages; what is queued still goes out."),
        choice("kind", "Type", _KINDS),
        choice("role", "Role", _ROLES),
        Setting(
            "email", "E-mail address", max_length=254, help="Gets a link when he forgot his password. Empty: an administrator makes one."
        ),
        Setting("default_source", "Default sender", help="For messages that name none, and for all without the sender override."),
        Setting("country_code", "Country calling code", help="For national numbers, such as 36. Empty: the gateway's own."),
    ),
    "application": (
        flag("legacy_api_enabled", "Legacy HTTP API", help="Allows /api?action=… with user name and password in the address."),
        Setting(
            "repeat_window_s",
            "Repeat window (s)",
            help="An identical legacy GET within this time gets the first answer and sends nothing. 0 is off.",
        ),
        Setting("max_segments", "Longest message (segments)", help="1 to 255; longer texts are refused."),
    ),
    "advanced": (
        flag(
            "accounting_enabled",
            "Enable accounting for this user",
            help="Charges the messages of this user, and shows Credits in the menu.",
        ),
        flag("route_override_allowed", "Allow routing table override", help="A message may name its service provider."),
        flag(
            "source_override_allowed",
            "Allow sender override",
            help="A message may name its sender; without this it gets the default sender.",
        ),
        flag("gui_enabled", "Allow the browser", help="Lets this user sign in on these pages."),
    ),
}


@screen.get("/users")
def index() -> str:
    """List the users with role, balance and state."""
    wanted, after, deleted = request.args.get("search", "").strip(), request.args.get("after", ""), request.args.get("deleted") == "1"
    statement = select(User, Account).join(Account, Account.user_id == User.id).order_by(func.lower(User.username)).limit(PAGE_SIZE + 1)
    if not deleted:
        statement = statement.where(User.retired_at.is_(None))
    if wanted:
        statement = statement.where(func.lower(User.username).contains(wanted.lower(), autoescape=True))
    if after:
        statement = statement.where(func.lower(User.username) > after.lower())
    rows = db.session.execute(statement).all()
    more = rows[PAGE_SIZE - 1][0].username if len(rows) > PAGE_SIZE else ""
    return render_template("users/users.html", rows=rows[:PAGE_SIZE], more=more, search=wanted, after=after, deleted=deleted)


@screen.route("/add/user", methods=["GET", "POST"])
def add() -> str | Response | tuple[str, int]:
    """Add a user. Accounting and the rest follow on his configuration."""
    form = Form(_NEW)
    if request.method == "POST" and (values := form.read(request.form)):
        try:
            context.change(lambda session: administration.add_user(session, **values, **context.by()))
        except InvalidField as error:
            form.refuse(error)
        else:
            flash(f"User {values['username']} is added. To charge for messages, enable accounting here.")
            return redirect(url_for("users.configure", username=values["username"], tab="advanced"), 303)
    return render_template("users/add.html", form=form), 422 if form.errors else 200


@screen.route("/users/<username>/configuration/<tab>", methods=["GET", "POST"])
def configure(username: str, tab: str) -> str | Response | tuple[str, int]:
    """Show and change one tab of a user's configuration."""
    if tab not in _TABS:
        abort(404)
    user = administration.find_user(db.session(), username)
    form = Form(_TABS[tab], {setting.name: getattr(user, setting.name) for setting in _TABS[tab]})
    if request.method == "POST" and _configured(form, username):
        flash("Saved.")
        return redirect(url_for("users.configure", username=username, tab=tab), 303)
    values = {"form": form, "view": view_of(username), "tab": tab, "tabs": CONFIGURATION_TABS}
    return render_template("users/configuration.html", **values), 422 if form.errors else 200


def _configured(form: Form, username: str) -> bool:
    values = form.read(request.form)
    if values is None:
        return False
    try:
        context.change(lambda session: administration.edit_user(session, username, **values, **context.by()))
    except InvalidField as error:
        form.refuse(error)
        return False
    return True


@screen.route("/users/<username>/password", methods=["GET", "POST"])
def password(username: str) -> str | Response | tuple[str, int]:
    """Give a user a new password."""
    form = Form(_PASSWORD)
    if request.method == "POST" and (values := form.read(request.form)):
        try:
            context.change(lambda session: administration.set_password(session, username, values["password"], **context.by()))
        except InvalidField as error:
            form.refuse(error)
        else:
            flash(f"The password of {username} is changed. Open sessions have ended.")
            return redirect(url_for("users.configure", username=username, tab="general"), 303)
    return render_template("users/password.html", form=form, view=view_of(username)), 422 if form.errors else 200


@screen.route("/users/<username>/delete", methods=["GET", "POST"])
def delete(username: str) -> str | Response | tuple[str, int]:
    """Ask, with the name to be typed, and then retire a user."""
    user = administration.find_present_user(db.session(), username)
    account = administration.account_of(db.session(), user)
    form = Form((typed_name("user"), *(_LEFT_OVER if account.balance_uc else ())))
    if request.method == "POST" and (values := form.read(request.form)):
        if values["confirmed"] != username:
            form.errors["confirmed"] = f"Type {username} here, as it is written."
        elif (done := _deleted(form, username, values.get("reason", ""))) is not None:
            kept = f"{done.cancelled_count} waiting messages are cancelled, {done.key_count} keys revoked. Messages and ledger stay."
            flash(f"User {username} is deleted. {kept}")
            return redirect(url_for("users.index"), 303)
    values = {"form": form, "view": view_of(username), "account": account, "waiting_count": _waiting_count(user.id)}
    return render_template("users/delete.html", **values), 422 if form.errors else 200


def _deleted(form: Form, username: str, reason: str) -> Retirement | None:
    snapshot = context.snapshot()
    try:
        return context.change(lambda session: retire_user(session, snapshot, username, reason=reason, **context.by()))
    except InvalidField as error:
        form.refuse(error)
        return None


def _waiting_count(user_id: int) -> int:
    waiting = select(func.count(OutboxRow.message_id.distinct())).where(OutboxRow.user_id == user_id)
    return db.session.execute(waiting).scalar_one()


@screen.get("/users/<username>/events")
def events(username: str) -> str:
    """Show what happened to the user's settings, credit and messages."""
    view = view_of(username)
    session, before = db.session(), pages.whole_number("before")
    newest = session.scalar(select(func.max(JournalEvent.id))) or 0
    happened = select(JournalEvent).where(JournalEvent.user_id == view.id, JournalEvent.id > (before or newest) - EVENTS_LOOKED_AT)
    if before is not None:
        happened = happened.where(JournalEvent.id < before)
    rows = session.scalars(happened.order_by(JournalEvent.id.desc()).limit(PAGE_SIZE + 1)).all()
    about = or_(AuditEntry.subject == f"user {username}", AuditEntry.actor == username)
    changes = session.scalars(select(AuditEntry).where(about).order_by(AuditEntry.id.desc()).limit(20)).all()
    values: dict[str, Any] = {"rows": rows[:PAGE_SIZE], "changes": changes, "view": view}
    return render_template("users/events.html", **values, older=rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None)


def view_of(username: str) -> UserView:
    """Return a user of the present configuration, also one that was deleted: what he did can still be read. Raises: NotFound."""
    snapshot = context.snapshot()
    view = snapshot.user(username) or next((one for one in snapshot.users_by_id.values() if one.username == username), None)
    if view is None:
        abort(404)
    return view

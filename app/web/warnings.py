"""Warnings under a user's Credits: thresholds and ways, suspension, and what was told to whom. Notices that pages show."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration, notices
from app.administration import InvalidField, Warnings
from app.ledger import InvalidAmount, parse_credits
from app.notices import NoticeView
from app.snapshot import UserView
from app.web import context
from app.web.credit import account_of
from app.web.database import db
from app.web.filters import credits as shown
from app.web.forms import Form
from pennywire import Setting

screen = Blueprint("warnings", __name__)

_SETTINGS = (
    Setting(
        "thresholds", "Warn below", max_length=200, help="Credits left to spend, such as 100, 20, 5. One warning each time one is passed."
    ),
    Setting("email", "E-mail", max_length=254, help="Whom to tell. The operator's address hears of it too."),
    Setting("callback_url", "Callback", max_length=500, help="An address such as https://example.com/credit, to which JSON is posted."),
    Setting(
        "suspend_below", "Suspend below", help="With less credit than this the account sends nothing, and still receives. Empty: never."
    ),
    Setting("release_above", "Release above", help="With more credit than this it sends again. Empty: the same credit."),
)
_REASON = (Setting("reason", "Reason", required=True, max_length=200, help="The customer reads it, and the audit log keeps it."),)


@screen.route("/users/<username>/credits/warnings", methods=["GET", "POST"])
def show(username: str) -> str | Response | tuple[str, int]:
    """Show and change when a user is warned and suspended."""
    view, _account = account_of(username)
    form = Form(_SETTINGS, _written(administration.warnings_of(db.session(), username)))
    if request.method == "POST" and form.read(request.form) is not None and _saved(form, username):
        flash("Saved.")
        return redirect(url_for("warnings.show", username=username), 303)
    return _page(view, form, Form(_REASON))


@screen.post("/users/<username>/credits/suspension")
def suspend(username: str) -> str | Response | tuple[str, int]:
    """Suspend an account, or release it."""
    view, _account = account_of(username)
    reason = Form(_REASON)
    act = administration.suspend_account if request.form.get("act") == "suspend" else administration.release_account
    if (values := reason.read(request.form)) is not None:
        try:
            context.change(lambda session: act(session, username, reason=values["reason"], **context.by()))
        except InvalidField as error:
            reason.refuse(error)
        else:
            flash(f"The account of {username} is suspended." if act is administration.suspend_account else f"{username} may send again.")
            return redirect(url_for("warnings.show", username=username), 303)
    return _page(view, Form(_SETTINGS, _written(administration.warnings_of(db.session(), username))), reason)


def _page(view: UserView, form: Form, reason: Form) -> str | tuple[str, int]:
    session = db.session()
    values: dict[str, Any] = {
        "view": view,
        "form": form,
        "reason": reason,
        "suspension": administration.suspension_of(session, view.username),
        "told": _told(view, {form.values["email"], form.values["callback_url"]}),
    }
    return render_template("credits/warnings.html", **values), 422 if form.errors or reason.errors else 200


def _told(view: UserView, own: set[str]) -> list[NoticeView]:
    """Return the last notices; of the ways a customer sees those to his own addresses."""
    found = notices.notices_of(db.session(), view.account_id)
    if context.user().role != "customer":
        return found
    return [replace(notice, deliveries=tuple(way for way in notice.deliveries if way.target in own)) for notice in found]


def _written(warnings: Warnings) -> dict[str, str]:
    return {
        "thresholds": ", ".join(_plain(bound) for bound in warnings.thresholds_uc),
        "email": warnings.email,
        "callback_url": warnings.callback_url,
        "suspend_below": _plain(warnings.suspend_below_uc),
        "release_above": _plain(warnings.release_above_uc),
    }


def _plain(amount_uc: int | None) -> str:
    return "" if amount_uc is None else shown(amount_uc).replace(",", "")


def _saved(form: Form, username: str) -> bool:
    wanted = Warnings(
        tuple(
            amount_uc for text in str(form.values["thresholds"]).split(",") if (amount_uc := _amount(form, "thresholds", text)) is not None
        ),
        str(form.values["email"]).strip(),
        str(form.values["callback_url"]).strip(),
        _amount(form, "suspend_below", form.values["suspend_below"]),
        _amount(form, "release_above", form.values["release_above"]),
    )
    if form.errors:
        return False
    try:
        context.change(lambda session: administration.set_warnings(session, username, wanted, **context.by()))
    except InvalidField as error:
        form.refuse(error)
        return False
    return True


def _amount(form: Form, name: str, text: str) -> int | None:
    """Return an amount in microcredits, None where nothing is written or after noting what is wrong with it."""
    try:
        return parse_credits(text) if text.strip() else None
    except InvalidAmount as error:
        form.errors[name] = str(error)
        return None


def open_notices(view: UserView | None = None) -> list[NoticeView]:
    """Return what is still true of a user, or of all; a customer hears of himself alone. For the templates."""
    own = context.user()
    about = own if own.role == "customer" else view
    if about is not None and not about.accounting_enabled:
        return []
    return notices.open_notices(db.session(), user_id=about.id if about is not None else None)

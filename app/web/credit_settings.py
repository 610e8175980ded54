"""Credits / Settings: how far an account may go, in which periods, by which calendar, below which account, and what a credit is called.

The page has several forms; the field `part` says which one was sent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import administration
from app.administration import InvalidField, NotThere
from app.limits import Unit, Use
from app.models import Account
from app.periods import WEEKDAYS, Period
from app.snapshot import UserView
from app.web import context
from app.web.database import db
from app.web.filters import credits as shown_credits
from app.web.filters import number
from app.web.forms import Form, choice
from pennywire import Setting

PREPAID, CREDIT_LINE, UNLIMITED = "prepaid", "credit_line", "unlimited"
NEARLY_USED = 80
"""From how much of a limit, in hundredths, its bar asks for attention."""

PERIOD_LABELS: Mapping[Period, str] = {
    Period.DAY: "Day",
    Period.WEEK: "Week",
    Period.MONTH: "Month",
    Period.YEAR: "Year",
    Period.ALL_TIME: "In all",
}

_MODE = (
    choice(
        "mode",
        "Mode",
        (
            (PREPAID, "Prepaid"),
            (CREDIT_LINE, "Postpaid, with a credit line"),
            (UNLIMITED, "Unlimited"),
        ),
        help="Prepaid: messages are refused when the credit is used up. Postpaid: when the credit line is too. Unlimited: never.",
    ),
    Setting("credit_line", "Credit line", default="0", help="Credits by which a postpaid account may go below zero, such as 50."),
    Setting("currency_label", "A credit is called", max_length=8, help="Such as EUR; empty: credits. It is shown and changes no sum."),
)
_CALENDAR = (
    Setting("time_zone", "Time zone", max_length=64, help="Such as Europe/Budapest: there the account's days begin. Empty: the gateway's."),
    choice("week_start", "Weeks begin on", tuple((str(day), name) for day, name in enumerate(WEEKDAYS))),
)
_LIMIT = (
    choice("period", "Period", tuple((period.value, label) for period, label in PERIOD_LABELS.items())),
    choice("unit", "Counts", ((Unit.SEGMENTS.value, "Segments"), (Unit.CREDITS.value, "Credits"))),
    Setting("most", "At most", required=True, help="What is accepted counts; what is refused or given back does not."),
)
_PARENT = (
    Setting("parent", "User of the account above", help="Empty: none."),
    choice(
        "parent_mode",
        "Way",
        (
            ("own", "Own credit"),
            ("shared", "Shared credit"),
        ),
        help="Own credit is bought from the account above. With shared credit each message debits the account above too.",
    ),
)


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit as a page shows it: what is used of it, what is left, how far its bar reaches, and when the count begins again."""

    use: Use
    label: str
    most: str
    used: str
    left: str
    share: float
    tone: str


def limit_lines(session: Session, account: Account) -> list[LimitLine]:
    """Return the limits of an account with what is used of them now."""
    return [_line(use) for use in administration.usage_of(session, account, context.now())]


def _line(use: Use) -> LimitLine:
    show: Callable[[int], str] = shown_credits if use.unit is Unit.CREDITS else number
    hundredths = min(100 * use.used // use.most, 100) if use.most > 0 else 100
    tone = "bad" if use.used >= use.most else "wait" if hundredths >= NEARLY_USED else "sent"
    label = f"{PERIOD_LABELS[use.period]}, {use.unit.value}"
    return LimitLine(use, label, show(use.most), show(use.used), show(max(use.most - use.used, 0)), float(hundredths), tone)


def _forms(session: Session, account: Account) -> dict[str, Form]:
    mode = UNLIMITED if account.unlimited else CREDIT_LINE if account.limit_uc else PREPAID
    line = shown_credits(-account.limit_uc).replace(",", "")
    return {
        "mode": Form(_MODE, {"mode": mode, "credit_line": line, "currency_label": account.currency_label}),
        "calendar": Form(_CALENDAR, {"time_zone": account.time_zone, "week_start": str(account.week_start)}),
        "limit": Form(_LIMIT),
        "parent": Form(_PARENT, {"parent": administration.parent_of(session, account), "parent_mode": account.parent_mode}),
    }


def page(view: UserView, account: Account) -> str | Response | tuple[str, int]:
    """Show the forms, or do what one of them asks for."""
    forms = _forms(db.session(), account)
    part = request.form.get("part", "")
    if request.method == "POST":
        done = _remove_limit(view.username, forms["limit"]) if part == "remove_limit" else _sent(view.username, forms, part)
        if done:
            return redirect(url_for("credits.settings", username=view.username), 303)
    refused = any(form.errors for form in forms.values())
    values = {"forms": forms, "limits": limit_lines(db.session(), account)}
    return render_template("credits/settings.html", view=view, account=account, **values), 422 if refused else 200


def _sent(username: str, forms: Mapping[str, Form], part: str) -> bool:
    """Do what the form `part` asks for; say whether it was done. What is wrong stands beside its fields."""
    form = forms.get(part)
    if form is None:
        return False
    values = form.read(request.form)
    if values is None:
        return False
    try:
        context.change(lambda session: _CHANGES[part](session, username, values))
    except InvalidField as error:
        form.refuse(InvalidField({"mode": "parent_mode"}.get(error.field, error.field), error.reason) if part == "parent" else error)
        return False
    except NotThere as error:
        form.note("parent" if part == "parent" else "", str(error))
        return False
    flash("Saved.")
    return True


def _change_mode(session: Session, username: str, values: Mapping[str, Any]) -> None:
    limit_uc = 0
    if values["mode"] == CREDIT_LINE:
        limit_uc = -administration.read_credit_line(values["credit_line"])
    administration.edit_account(session, username, limit_uc=limit_uc, unlimited=values["mode"] == UNLIMITED, **context.by())
    administration.set_currency_label(session, username, values["currency_label"], **context.by())


def _change_calendar(session: Session, username: str, values: Mapping[str, Any]) -> None:
    administration.set_calendar(session, username, time_zone=values["time_zone"], week_start=int(values["week_start"]), **context.by())


def _add_limit(session: Session, username: str, values: Mapping[str, Any]) -> None:
    most = administration.read_most(values["unit"], values["most"])
    administration.set_limit(session, username, values["period"], values["unit"], most, **context.by())


def _change_parent(session: Session, username: str, values: Mapping[str, Any]) -> None:
    administration.set_parent(session, username, values["parent"].strip() or None, mode=values["parent_mode"], **context.by())


_CHANGES: Mapping[str, Callable[[Session, str, Mapping[str, Any]], None]] = {
    "mode": _change_mode,
    "calendar": _change_calendar,
    "limit": _add_limit,
    "parent": _change_parent,
}


def _remove_limit(username: str, form: Form) -> bool:
    period, unit = request.form.get("period", ""), request.form.get("unit", "")
    try:
        context.change(lambda session: administration.remove_limit(session, username, period, unit, **context.by()))
    except (InvalidField, NotThere) as error:
        form.note("", str(error))
        return False
    flash("The limit is gone.")
    return True

"""Credits of a user whose accounting is on: Summary, Ledger, Settings, Info."""

from secrets import token_urlsafe
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration, forecast, intervals, summaries
from app.administration import InvalidField
from app.models import Account
from app.snapshot import UserView
from app.web import context, credit_settings, movements, pages, summary_page
from app.web.database import db
from app.web.filters import credits as shown
from app.web.forms import Form, choice
from app.web.sheets import csv_answer
from app.web.users import view_of
from pennywire import Setting

screen = Blueprint("credits", __name__)

_TOP_UP = (
    Setting("amount", "Amount", required=True, help="Credits, such as 100 or 12.50. A negative amount is a correction."),
    Setting("reason", "Reason", required=True, max_length=200, help="Kept in the ledger for good."),
    Setting("reference", "Reference", max_length=96, help="Such as the number of an invoice."),
)


NEW, ABOVE = "new", "above"
"""Whence credit comes: from outside, or from the account above."""


@screen.get("/users/<username>/credits")
def summary(username: str) -> str | Response:
    """Show balance and reservations, and what was counted over an interval, as a graph and a table."""
    view, account = account_of(username)
    if pages.is_partial():
        return pages.live("credits/_balance.html", view=view, account=account)
    shown_summary = _summary(view, account)
    return render_template("credits/summary.html", view=view, account=account, summary=shown_summary, behind=summary_page.behind())


@screen.get("/users/<username>/credits/summary.csv")
def summary_csv(username: str) -> Response:
    """Return the table of a summary as a file, with every figure."""
    view, account = account_of(username)
    wanted = _summary(view, account)
    name = f"{view.username}-{wanted.interval.start}-{wanted.interval.end}-by-{wanted.by}.csv"
    return csv_answer(summaries.table(wanted.lines, wanted.heading), name)


def _summary(view: UserView, account: Account) -> summary_page.SummaryPage:
    # Routes and connections are the operator's business.
    by = summaries.BY if context.may("routing.table") else {"time": summaries.BY["time"]}
    place = zone_of(account)
    return summary_page.make(
        db.session(), request.args, user_id=view.id, here=place, week_start=account.week_start, by=by, now=context.now()
    )


def account_of(username: str) -> tuple[UserView, Account]:
    """Return a user with his account; without accounting he has no *Credits*. Raises: NotFound."""
    view = view_of(username)
    if not view.accounting_enabled:
        abort(404)
    return view, db.session.get_one(Account, view.account_id)


def zone_of(account: Account) -> ZoneInfo:
    """Return the time zone in which an account's days are told."""
    return intervals.zone_of(account.time_zone, context.snapshot().options)


@screen.get("/users/<username>/credits/ledger")
def ledger(username: str) -> str:
    """Show the ledger's rows, newest first, each with the balance behind it."""
    view, _account = account_of(username)
    before = pages.whole_number("before")
    with context.core().database.read() as session:
        account = session.get_one(Account, view.account_id)
        page = movements.page(session, account, before)
    return render_template("credits/ledger.html", view=view, account=account, page=page, first=before is None)


@screen.route("/users/<username>/credits/top-up", methods=["GET", "POST"])
def top_up(username: str) -> str | Response | tuple[str, int]:
    """Top up or correct, with amount, reason and reference. Each form has a key: sent twice, it moves once."""
    view, account = account_of(username)
    above = administration.parent_of(db.session(), account)
    whence = (choice("whence", "From", ((NEW, "Outside: it was paid"), (ABOVE, f"The account of {above}"))),) if above else ()
    form = Form((*_TOP_UP, *whence))
    if request.method == "POST":
        values = form.read(request.form)
        amount_uc = form.amount("amount") if values else 0
        if values and not form.errors and _topped_up(form, username, amount_uc, values):
            return redirect(url_for("credits.ledger", username=username), 303)
    page = render_template("credits/top_up.html", view=view, account=account, form=form, key=token_urlsafe(16))
    return page, 422 if form.errors else 200


def _topped_up(form: Form, username: str, amount_uc: int, values: dict[str, Any]) -> bool:
    if values.get("whence") == ABOVE:
        return _allotted(form, username, amount_uc, values)
    try:
        movement = context.change(
            lambda session: administration.top_up(
                session,
                username,
                amount_uc,
                reason=values["reason"],
                reference=values["reference"],
                key=request.form.get("key", ""),
                **context.by(),
            )
        )
    except InvalidField as error:
        form.refuse(error)
        return False
    verb = "topped up by" if amount_uc > 0 else "corrected by"
    flash(movement.words if movement.waits else f"The account of {username} is {verb} {shown(amount_uc)}.")
    return True


def _allotted(form: Form, username: str, amount_uc: int, values: dict[str, Any]) -> bool:
    """Move credit between a user's account and the one above."""
    given = {"reason": values["reason"], "reference": values["reference"], "key": request.form.get("key", "")}
    try:
        context.change(lambda session: administration.allot(session, username, amount_uc, **given, **context.by()))
    except InvalidField as error:
        form.refuse(error)
        return False
    flash(f"{shown(amount_uc)} credits were allotted to {username}.")
    return True


@screen.route("/users/<username>/credits/settings", methods=["GET", "POST"])
def settings(username: str) -> str | Response | tuple[str, int]:
    """Change how far the account may go, its limits, its calendar and the account above."""
    return credit_settings.page(*account_of(username))


@screen.get("/users/<username>/credits/info")
def info(username: str) -> str:
    """Show how the account stands, when it is empty at its pace, and how messages are priced and charged."""
    view, account = account_of(username)
    snapshot = context.snapshot()
    now, place = context.now(), zone_of(account)
    standing = summaries.standing(db.session(), account, now=now)
    return render_template(
        "credits/info.html",
        view=view,
        account=account,
        standing=standing,
        used_in=summaries.USED_IN,
        outlook=forecast.in_words(standing.outlook, now, place),
        zone=place.key,
        behind=summary_page.behind(),
        limits=credit_settings.limit_lines(db.session(), account),
        proposals=administration.pending(db.session(), username=username),
        suspension=administration.suspension_of(db.session(), username),
        outbound=[(route, route.cost.cost_uc) for route in snapshot.outbound],
        inbound=[(route, route.cost.cost_uc) for route in snapshot.inbound],
        rules=[name for name, _rule in snapshot.rules],
    )

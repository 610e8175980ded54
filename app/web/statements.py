"""Statements: all accounts by month, the month-end report, and one account over a month or any other interval."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, stream_template, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app import closing, intervals, statements
from app.administration import InvalidField, NotThere
from app.intervals import InvalidInterval
from app.models import Account
from app.statements import Interval, InvalidMonth, Month
from app.web import context, pages
from app.web.forms import Form
from app.web.users import view_of
from pennywire import Setting

screen = Blueprint("statements", __name__)

PAGE_SIZE = 50
ITEMS_PAGE = 100

_CLOSE = (
    Setting("month", "Month", required=True, help="Such as 2026-11. Open months before it are closed too."),
    Setting("user", "User", help="Empty: every account."),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The interval that a page was asked for, or why it cannot be. The texts are as they were typed."""

    interval: Interval
    start: str
    end: str
    errors: dict[str, str]

    @property
    def arguments(self) -> dict[str, str]:
        """Return what an address needs to ask for the same interval."""
        if self.interval.month is not None:
            return {"month": str(self.interval.month)}
        return {"start": str(self.interval.first_day), "end": str(self.interval.last_day)}


def _present_month() -> Month:
    return statements.month_of(context.now(), _gateway_zone())


def _gateway_zone() -> str:
    return statements.zone_named("", str(context.snapshot().options.get(intervals.OPTION) or ""))


def _chosen_month(default: Month) -> tuple[Month, str]:
    """Return the month of the query, and what is wrong with it."""
    try:
        return (Month.parse(request.args["month"]), "") if request.args.get("month") else (default, "")
    except InvalidMonth as error:
        return default, str(error)


# All accounts.


@screen.get("/reports/statements")
def index() -> str:
    """Show a month of all accounts: opening, added, used, closing."""
    month, error = _chosen_month(_present_month().plus(-1))
    search, after = request.args.get("search", "").strip(), request.args.get("after", "")
    with context.core().database.read() as session:
        lines = statements.account_months(session, month, after=after, limit=PAGE_SIZE + 1, search=search)
    values: dict[str, Any] = {
        "month": month,
        "error": error,
        "search": search,
        "lines": lines[:PAGE_SIZE],
        "after": lines[PAGE_SIZE - 1].username if len(lines) > PAGE_SIZE else "",
        "first": not after,
        "present": _present_month(),
    }
    return render_template("reports/statements.html", **values)


@screen.get("/reports/month-end")
def month_end() -> str:
    """Show what every user sent and received in a month, what it took, and what he has."""
    month, error = _chosen_month(_present_month().plus(-1))
    after = request.args.get("after", "")
    with context.core().database.read() as session:
        lines = statements.account_months(session, month, after=after, limit=PAGE_SIZE + 1, with_traffic=True)
    values: dict[str, Any] = {
        "month": month,
        "error": error,
        "lines": lines[:PAGE_SIZE],
        "after": lines[PAGE_SIZE - 1].username if len(lines) > PAGE_SIZE else "",
        "first": not after,
        "present": _present_month(),
    }
    return render_template("reports/month_end.html", **values)


@screen.get("/reports/month-end.csv")
def month_end_file() -> Response:
    """Hand out the month-end report of every user."""
    month, error = _chosen_month(_present_month().plus(-1))
    if error:
        abort(404)
    rows = statements.month_end_rows(statements.all_account_months(context.core().database.read, month))
    return _file(statements.to_csv(statements.MONTH_END_FIELDS, rows), f"month-end-{month}.csv")


@screen.route("/reports/statements/close", methods=["GET", "POST"])
def close() -> str | Response | tuple[str, int]:
    """Ask, and then close a month by hand."""
    present = {"month": request.args.get("month") or str(_present_month().plus(-1)), "user": request.args.get("user", "")}
    form = Form(_CLOSE, present)
    if request.method == "POST" and (values := form.read(request.form)):
        done = _closed(form, values)
        if done is not None:
            words = f"Closed for {len(done)} {'account' if len(done) == 1 else 'accounts'}." if done else "It was closed already."
            flash(f"{values['month']}: {words}")
            return redirect(url_for("statements.index", month=values["month"]), 303)
    return render_template("reports/close_month.html", form=form, grace=_grace_in_words()), 422 if form.errors else 200


def _closed(form: Form, values: dict[str, Any]) -> list[str] | None:
    try:
        month = Month.parse(values["month"])
        return closing.close_by_hand(context.core().database, month, username=values["user"], **context.by())
    except InvalidMonth as error:
        form.errors["month"] = str(error)
    except NotThere as error:
        form.errors["user"] = str(error)
    except InvalidField as error:
        form.refuse(error)
    except closing.DoesNotAddUp as error:
        form.refuse(InvalidField("", f"{error} Nothing more was closed. See the ledger check."))
    return None


def _grace_in_words() -> str:
    grace = closing.grace(context.snapshot().options)
    if grace is None:
        return "Months are closed by hand only; the settings may change that."
    return f"The gateway closes each month by itself {int(grace / timedelta(hours=1))} h after it is over by the account's clock."


# One account.


@screen.get("/users/<username>/statements")
def months(username: str) -> str:
    """Show the months of one account: the closed ones, and those that are open."""
    view = view_of(username)
    with context.core().database.read() as session:
        account = session.get_one(Account, view.account_id)
        closed = statements.closed_statements(session, account.id)
        zone = statements.zone_of(session, account)
    present = statements.month_of(context.now(), zone)
    still_open = [present]
    while closed and str(still_open[-1].plus(-1)) > closed[0].month:
        still_open.append(still_open[-1].plus(-1))
    values: dict[str, Any] = {"view": view, "closed": closed, "open": still_open, "zone": zone}
    return render_template("statements/months.html", **values, start=present.first_day, end=context.now().date(), errors={})


@screen.get("/users/<username>/statements/show")
def show(username: str) -> str | tuple[str, int]:
    """Show a statement, grouped."""
    view = view_of(username)
    with context.core().database.read() as session:
        account = session.get_one(Account, view.account_id)
        choice = _choice(session, account)
        statement = statements.statement(session, account, choice.interval)
    values: dict[str, Any] = {"view": view, "statement": statement, "choice": choice}
    return render_template("statements/statement.html", **values), 422 if choice.errors else 200


@screen.get("/users/<username>/statements/items")
def items(username: str) -> str:
    """Show a statement row by row, in pages."""
    view = view_of(username)
    reservations = request.args.get("reservations") == "1"
    after = pages.whole_number("after")
    with context.core().database.read() as session:
        account = session.get_one(Account, view.account_id)
        choice = _choice(session, account)
        place = statements.place_of(session, after) if after is not None else None
        found = statements.items_page(
            session, account.id, choice.interval, after=place, limit=ITEMS_PAGE + 1, with_reservations=reservations
        )
    values: dict[str, Any] = {
        "view": view,
        "choice": choice,
        "items": found[:ITEMS_PAGE],
        "after": found[ITEMS_PAGE - 1].transfer_id if len(found) > ITEMS_PAGE else None,
        "first": after is None,
        "reservations": reservations,
        "currency": account.currency,
        "all": False,
    }
    return render_template("statements/items.html", **values)


@screen.get("/users/<username>/statements/print")
def print_items(username: str) -> Iterator[str]:
    """Show a whole statement row by row, for paper: it is sent as it is read, however long it is."""
    view = view_of(username)
    database = context.core().database
    with database.read() as session:
        account = session.get_one(Account, view.account_id)
        choice = _choice(session, account)
    found = statements.items(database.read, account.id, choice.interval)
    values: dict[str, Any] = {"view": view, "choice": choice, "after": None, "first": True, "reservations": False}
    return stream_template("statements/items.html", **values, items=found, currency=account.currency, all=True)


@screen.get("/users/<username>/statements/file/<form>")
def file(username: str, form: str) -> Response:
    """Hand out a statement as a file: `grouped.csv`, `itemised.csv` or `json`."""
    view = view_of(username)
    database = context.core().database
    if form not in ("grouped.csv", "itemised.csv", "json"):
        abort(404)
    with database.read() as session:
        account = session.get_one(Account, view.account_id)
        choice = _choice(session, account)
        if choice.errors:
            abort(404)
        name = f"statement-{view.username}-{'-'.join(choice.arguments.values())}"
        if form == "itemised.csv":
            opening_uc = statements.opening(session, account.id, choice.interval.started_at).balance_uc
        else:
            statement = statements.statement(session, account, choice.interval)
    if form == "itemised.csv":
        found = statements.items(database.read, account.id, choice.interval)
        rows = statements.itemised_rows(found, opening_uc=opening_uc, time_zone=choice.interval.time_zone)
        return _file(statements.to_csv(statements.ITEMISED_FIELDS, rows), f"{name}-itemised.csv")
    if form == "grouped.csv":
        return _file(statements.to_csv(statements.GROUPED_FIELDS, statements.grouped_rows(statement)), f"{name}.csv")
    return jsonify(statements.described(statement))


def _file(text: Iterable[str], name: str) -> Response:
    """Return a file that is sent as it is made."""
    response = Response(text, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _choice(session: Session, account: Account) -> Choice:
    """Return the interval of the query: a month, or days by the account's clock; without one, the present month."""
    zone = statements.zone_of(session, account)
    present = statements.month_of(context.now(), zone)
    start, end = request.args.get("start", ""), request.args.get("end", "")
    if start or end:
        try:
            typed = intervals.of_texts(start, end, intervals.zone_of(zone, {}))
        except InvalidInterval as error:
            return Choice(statements.month_interval(session, account, present), start, end, {error.field: str(error)})
        return Choice(statements.days(typed.start, typed.end, zone), start, end, {})
    month, wrong = _chosen_month(present)
    interval = statements.month_interval(session, account, month)
    return Choice(interval, str(interval.first_day), str(interval.last_day), {"month": wrong} if wrong else {})

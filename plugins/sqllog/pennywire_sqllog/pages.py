"""System / SQL logging: where the log goes and how far it is, buttons that try it, and a search over its tables."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from pennywire import InvalidSetting, NotTaken
from pennywire.ui import allow, gateway
from pennywire_sqllog.database import Target, create_tables, missing_tables, try_connection
from pennywire_sqllog.recording import write_test_row
from pennywire_sqllog.search import STATES, Wanted, read_day, search
from pennywire_sqllog.settings import PLUGIN, Plan, read_plan

STAFF = ("administrator", "operator", "auditor")
ADMINISTRATOR = ("administrator",)

screen = Blueprint("sqllog", __name__, template_folder="templates")
_target = Target()


def _plan() -> Plan:
    """Return what the settings ask for. Raises: InvalidSetting."""
    return read_plan(gateway().plugin_settings(PLUGIN))


@screen.get("/")
@allow(*STAFF)
def index() -> str:
    """Show where the log goes, how far it is, and what keeps it."""
    plan, fault = None, ""
    try:
        plan = _plan()
    except InvalidSetting as error:
        fault = error.reason
    return render_template("sqllog/index.html", plan=plan, fault=fault, status=gateway().journal_status(PLUGIN))


def _tried(work: Callable[[Plan], str]) -> Response:
    """Do what a button asks for, and say on the page how it went."""
    try:
        plan = _plan()
        if plan.url is None:
            flash("There is no database yet. Name one in the settings.", "bad")
        else:
            flash(work(plan))
    except NotTaken as error:
        flash(str(error), "bad")
    except InvalidSetting as error:
        flash(error.reason, "bad")
    return redirect(url_for("sqllog.index"), 303)


@screen.post("/test-connection")
@allow(*ADMINISTRATOR)
def connection() -> Response:
    """Connect to the database, and look for the tables."""

    def work(plan: Plan) -> str:
        name = try_connection(_target, plan)
        missing = missing_tables(_target, plan)
        said = f"Missing: {', '.join(missing)}. Create the tables, below." if missing else "Its tables are there."
        return f"The database answers: {name}. {said}"

    return _tried(work)


@screen.post("/test-row")
@allow(*ADMINISTRATOR)
def row() -> Response:
    """Write a message of each direction, read it back, and take it away again."""
    return _tried(lambda plan: f"Written, read back and taken away again: {', '.join(write_test_row(_target, plan))}.")


@screen.post("/create-tables")
@allow(*ADMINISTRATOR)
def tables() -> Response:
    """Make the tables that are missing."""

    def work(plan: Plan) -> str:
        made = create_tables(_target, plan)
        return f"Made: {', '.join(made)}." if made else "The tables are there already."

    return _tried(work)


@screen.get("/log/<any(inbox, outbox):box>")
@allow(*STAFF)
def log(box: str) -> str | tuple[str, int]:
    """Search the log's tables."""
    chosen = {name: request.args.get(name, "").strip() for name in ("number", "text", "username", "state", "since", "until")}
    values: dict[str, Any] = {"box": box, "chosen": chosen, "states": STATES if box == "outbox" else (), "found": None, "fault": ""}
    values["with_texts"] = gateway().reads_texts
    if not values["with_texts"]:
        # A search in what may not be read would tell it, word by word.
        chosen["text"] = ""
    values["query"] = {name: value for name, value in chosen.items() if value}
    try:
        plan = _plan()
        if plan.url is None or plan.statements is not None:
            values["fault"] = "There is nothing to search: the log is not written into tables of ours."
            return render_template("sqllog/log.html", **values)
        asked = dict(chosen)
        since, until = read_day(asked.pop("since")), read_day(asked.pop("until"), end=True)
        wanted = Wanted(box, **asked, since=since, until=until, before=request.args.get("before", ""))
        with _target.begin(plan) as opened:
            values["found"] = search(opened, plan, wanted)
    except InvalidSetting as error:
        values["fault"] = error.reason
    except ValueError:
        values["fault"] = "Write a day as 2026-01-31, or a day and a time as 2026-01-31 14:30."
    except NotTaken as error:
        values["fault"] = str(error)
    return render_template("sqllog/log.html", **values), 422 if values["fault"] else 200

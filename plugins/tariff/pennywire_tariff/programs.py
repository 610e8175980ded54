"""Price lists for programs: JSON below `/api/v1/tariff`, with an API key that opens `admin`."""

from collections.abc import Callable
from typing import Any

from flask import jsonify, request
from sqlalchemy import select

from pennywire import InvalidSetting, JobView
from pennywire.ui import allow_programs, gateway
from pennywire_tariff import comparing, importing, jobs, lists, packing, previews, words
from pennywire_tariff.blueprint import READERS, found, pages
from pennywire_tariff.models import PriceList
from pennywire_tariff.parsing import DELIMITERS, ENCODINGS, Form

MOST_ENTRIES = 1000
_VERSION = "/api/lists/<name>/versions/<int(max=2147483647):number>"


def program(rule: str, *methods: str, body_octets: int = 0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a view for programs: staff's keys may read, administrators' may change."""

    def make(view: Callable[..., Any]) -> Callable[..., Any]:
        pages.add_url_rule(
            rule, f"api_{view.__name__}", allow_programs(*READERS, body_octets=body_octets)(view), methods=methods or ("GET",)
        )
        return view

    return make


def _body(**shape: Any) -> dict[str, Any]:
    """Return the members of the JSON body, those left out with the values of `shape`. Raises: InvalidSetting."""
    given = request.get_json(silent=True)
    if not isinstance(given, dict):
        raise InvalidSetting("body", "The body is not a JSON object.")
    for name, value in given.items():
        if name not in shape or not isinstance(value, type(shape[name])) or isinstance(value, bool):
            raise InvalidSetting(name, f"{name} is not a member of this body, or of another type. It takes: {', '.join(shape)}.")
    return shape | given


def _whole(name: str, default: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 18 and int(text) <= most):
        raise InvalidSetting(name, f"{name} is a whole number up to {most}.")
    return int(text)


@program("/api/lists")
def all_lists() -> Any:
    """Return all lists."""
    with gateway().read() as session:
        return {
            "lists": [words.list_values(session, row, gateway().now) for row in session.scalars(select(PriceList).order_by(PriceList.name))]
        }


@program("/api/lists", "POST")
def add_list() -> Any:
    """Add a list."""
    given = _body(name="", direction="outbound", provider="", currency="")
    with gateway().write() as session:
        row = lists.add_list(gateway(), session, given.pop("name"), side="buy" if given["provider"] else "sell", **given)
        return jsonify(words.list_values(session, row, gateway().now))


@program("/api/lists/<name>")
def one_list(name: str) -> Any:
    """Return a list with its versions and activations."""
    with gateway().read() as session:
        row, now = lists.find_list(session, name), gateway().now
        more = {"versions": words.version_values(session, row, now), "activations": words.activation_values(session, row, now)}
        return words.list_values(session, row, now) | more


@program("/api/lists/<name>/versions", "POST", body_octets=jobs.LARGEST_OCTETS)
def import_version(name: str) -> Any:
    """Make a draft of the CSV in the body; 422 with the lines that are wrong, 202 with the address of a job for a long file."""
    known = {"encoding": ENCODINGS, "delimiter": DELIMITERS, "decimal": (".", ",")}
    given: dict[str, Any] = {key: request.args[key] for key in known if key in request.args}
    for key, value in given.items():
        if value not in known[key]:
            raise InvalidSetting(key, f"{key} is one of: {' '.join(known[key])}.")
    origin = request.args.get("origin", "HTTP")[:128]
    with jobs.spooled(request.stream) as file:
        came = jobs.start_import(gateway(), name, file, Form(**given), origin=origin if origin.isprintable() else "HTTP")
    if isinstance(came, int):
        return _accepted(came)
    response = jsonify(words.report_values(came))
    response.status_code = 422 if came.refused else 201
    return response


def _accepted(number: int) -> Any:
    """Answer that a job was started, and where it is looked at."""
    values = words.job_values(_found_job(number))
    response = jsonify(values)
    response.status_code, response.headers["Location"] = 202, values["address"]
    return response


def _found_job(number: int) -> JobView:
    job = jobs.find_job(gateway(), number)
    if job is None:
        raise lists.NotThere("job", f"There is no job {number}. Those that ended are kept for a week.")
    return job


@program("/api/jobs")
def all_jobs() -> Any:
    """Return the last jobs, newest first, without their results."""
    return {"jobs": [words.job_line(job) for job in gateway().jobs(jobs.OURS)]}


@program("/api/jobs/<int(max=9007199254740991):number>")
def one_job(number: int) -> Any:
    """Return a job, with its result when it is done."""
    return words.job_values(_found_job(number))


@program("/api/jobs/<int(max=9007199254740991):number>", "DELETE")
def cancel_job(number: int) -> Any:
    """Cancel a job; one that runs is still `running` until it has heard of it."""
    if not gateway().cancel_job(_found_job(number).number):
        raise InvalidSetting("job", f"Job {number} has ended already.")
    return words.job_values(_found_job(number))


@program(f"{_VERSION}/entries")
def entries(name: str, number: int) -> Any:
    """Return a page of a version's prices; `next` goes into `after`."""
    limit = _whole("limit", 100, MOST_ENTRIES)
    with gateway().read() as session:
        _row, version = found(session, name, number)
        search = request.args.get("search", "").replace("\x00", "")
        rows = comparing.entries(session, version, search=search, after=_whole("after", 0, 10**17), limit=limit + 1)
    return {"entries": [words.entry_values(row) for row in rows[:limit]], "next": rows[limit - 1].id if len(rows) > limit > 0 else None}


@program(_VERSION, "DELETE")
def discard(name: str, number: int) -> Any:
    """Remove a draft."""
    importing.discard_draft(gateway(), name, number)
    return {"version": number, "deleted": True}


@program(f"{_VERSION}/preview")
def preview(name: str, number: int) -> Any:
    """Say what a version would change, and what a month would have cost; of a long version, 202 with the job that finds it out."""
    with gateway().read() as session:
        row, version = found(session, name, number)
    at = words.moment(request.args.get("at", "").replace(" ", "+"))
    came = previews.preview(gateway(), row, version, at=at, month=request.args.get("month", ""))
    return _accepted(came.number) if isinstance(came, JobView) else words.preview_values(came)


@program("/api/lists/<name>/activations", "POST")
def activate(name: str) -> Any:
    """Let a version hold from a moment on, now if none is given."""
    given = _body(version=0, at="")
    packing.pack_number(gateway(), name, given["version"])
    with gateway().write() as session:
        row, version = found(session, name, given["version"])
        made = lists.activate(gateway(), session, row, version, words.moment(given["at"]))
    return {"activation": made.id, "version": version.number, "at": words.at_text(made.at)}


@program("/api/lists/<name>/activations/<int(max=2147483647):activation>", "DELETE")
def cancel(name: str, activation: int) -> Any:
    """Take back an activation that has not taken effect."""
    with gateway().write() as session:
        lists.cancel_activation(gateway(), session, lists.find_list(session, name), activation)
    return {"activation": activation, "cancelled": True}


@program("/api/lists/<name>/rollback", "POST")
def rollback(name: str) -> Any:
    """Let the version that held before the present one hold again."""
    with gateway().write() as session:
        made = lists.roll_back(gateway(), session, lists.find_list(session, name))
    return {"activation": made.id, "at": words.at_text(made.at)}


@program("/api/lists/<name>/assignments", "POST", "DELETE")
def assign(name: str) -> Any:
    """Let a user, a group or everybody else pay by a list, or no longer."""
    given = _body(kind="", name="")
    work = lists.assign if request.method == "POST" else lists.unassign
    with gateway().write() as session:
        row = lists.find_list(session, name)
        work(gateway(), session, row, given["kind"], given["name"])
        session.flush()
        return words.list_values(session, row, gateway().now)


@program("/api/look-up")
def look_up() -> Any:
    """Say what a segment to a number costs a user, and why."""
    values = {name: request.args.get(name, "").replace("\x00", "") for name in ("number", "user", "direction", "at")}
    with gateway().read() as session:
        answer = comparing.look_up(
            session,
            values["number"].strip(),
            username=values["user"],
            direction=values["direction"] or "outbound",
            at=words.moment(values["at"].replace(" ", "+")) or gateway().now,
        )
    price = words.credits_text(answer.price_uc)
    return {"list": answer.list, "version": answer.version, "key": answer.key, "price": price, "why": answer.why}


@program(f"{_VERSION}/month")
def month(name: str, number: int) -> Any:
    """Say what a month would have cost under a version."""
    with gateway().read() as session:
        row, version = found(session, name, number)
    return words.month_values(
        comparing.would_have_cost(gateway(), row, version, username=request.args.get("user", ""), month=request.args.get("month", ""))
    )

"""Routing / Price lists: lists, their versions and prices."""

import json
from datetime import datetime
from typing import IO, Any

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from pennywire import InvalidSetting, JobView, Setting, SettingType
from pennywire.forms import Form
from pennywire.ui import gateway
from pennywire_tariff import comparing, importing, jobs, lists, packing, previews, shapes, words
from pennywire_tariff.blueprint import PAGE, Answer, change, found, pages, view
from pennywire_tariff.models import Entry, PriceList
from pennywire_tariff.parsing import Form as FileForm
from pennywire_tariff.rows import CHUNK

__all__ = ["pages"]


@view("/")
def index() -> Answer:
    """Show all lists."""
    with gateway().read() as session:
        rows = [words.list_values(session, row, gateway().now) for row in session.scalars(select(PriceList).order_by(PriceList.name))]
    return render_template("tariff/index.html", rows=rows, asked="tariff" in gateway().rule_kinds())


@view("/add", methods=("GET", "POST"))
def add() -> Answer:
    """Add a list."""
    providers = (("", "None: customers pay by it"), *((name, f"{name} charges us by it") for name in gateway().providers()))
    ways = (("outbound", "Outgoing, by destination"), ("inbound", "Incoming, by sender"))
    form = Form(
        (
            shapes.NAME,
            Setting("direction", "Messages", SettingType.CHOICE, default="outbound", choices=ways),
            Setting("provider", "Service provider", SettingType.CHOICE, default="", choices=providers),
            shapes.CURRENCY,
        )
    )
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        try:
            with gateway().write() as session:
                lists.add_list(gateway(), session, values.pop("name"), side="buy" if values["provider"] else "sell", **values)
        except InvalidSetting as error:
            form.note(error.name, error.reason)
        else:
            return redirect(url_for("tariff.show", name=form.values["name"].strip()), 303)
    return render_template("tariff/add.html", form=form), 422 if form.errors else 200


@view("/lists/<name>")
def show(name: str) -> Answer:
    """Show a list: its versions, when they hold, and who pays by it."""
    with gateway().read() as session:
        row = lists.find_list(session, name)
        return render_template(
            "tariff/list.html",
            row=row,
            versions=words.version_values(session, row, gateway().now, _as_it_is),
            activations=words.activation_values(session, row, gateway().now, _as_it_is),
            assignments=lists.assignments(session, row),
            users=gateway().users(),
            groups=lists.group_names(session),
            jobs=jobs.open_jobs(gateway(), row),
            asked="tariff" in gateway().rule_kinds(),
        )


def _as_it_is(moment: datetime) -> datetime:
    """Return a moment for the template, which has a filter for moments."""
    return moment


@view("/lists/<name>/edit", methods=("GET", "POST"))
def edit(name: str) -> Answer:
    """Rename a list, or remove one that nobody ever paid by."""
    with gateway().read() as session:
        row = lists.find_list(session, name)
    form = Form((shapes.NAME, shapes.CURRENCY), {"name": row.name, "currency": row.currency})
    if request.method == "POST" and request.form.get("action") == "delete":
        if change(lambda session: lists.delete_list(gateway(), session, lists.find_list(session, name)), f"{name} is removed."):
            return redirect(url_for("tariff.index"), 303)
        return redirect(url_for("tariff.edit", name=name), 303)
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        try:
            with gateway().write() as session:
                lists.edit_list(gateway(), session, lists.find_list(session, name), **values)
        except InvalidSetting as error:
            form.note(error.name, error.reason)
        else:
            flash("Saved.")
            return redirect(url_for("tariff.show", name=values["name"]), 303)
    return render_template("tariff/edit.html", row=row, form=form), 422 if form.errors else 200


@view("/lists/<name>/import", methods=("GET", "POST"), body_octets=jobs.LARGEST_OCTETS)
def import_file(name: str) -> Answer:
    """Make a draft of a file, or tell which lines are wrong. A long file becomes a job."""
    with gateway().read() as session:
        row = lists.find_list(session, name)
    form, report = Form(shapes.FILE), None
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        file = request.files.get("file")
        if file is None or not file.filename:
            form.note("", "Choose a file.")
        elif (came := _import(form, name, file.stream, FileForm(**values), file.filename)) is not None:
            if isinstance(came, int):
                return redirect(url_for("tariff.job_page", number=came), 303)
            if not came.refused:
                flash(f"Version {came.version} is a draft with {came.entry_count:,} prices. Look at what it changes, then activate it.")
                return redirect(url_for("tariff.version", name=name, number=came.version), 303)
            report = came
    return render_template("tariff/import.html", row=row, form=form, report=report), 422 if form.errors or report else 200


def _import(form: Form, name: str, stream: IO[bytes], written: FileForm, origin: str) -> importing.Report | int | None:
    """Import a file, or start the job that does; where neither can be, the form says why."""
    try:
        return jobs.start_import(gateway(), name, stream, written, origin=origin)
    except lists.NotThere:
        raise
    except InvalidSetting as error:
        form.note(error.name, error.reason)
        return None


@view("/lists/<name>/copy", methods=("POST",))
def copy(name: str) -> Answer:
    """Make a draft of a version, or an empty one."""
    text = request.form.get("version", "")
    number = importing.copy_as_draft(gateway(), name, int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None)
    flash(f"Version {number} is a draft.")
    return redirect(url_for("tariff.version", name=name, number=number), 303)


@view("/lists/<name>/<int(max=2147483647):number>", methods=("GET", "POST"))
def version(name: str, number: int) -> Answer:
    """Show the prices of a version; those of a draft can be added and removed one by one."""
    form = Form(shapes.ENTRY)
    if request.method == "POST":
        removed = request.form.get("remove", "")
        if removed.isascii() and removed.isdigit() and len(removed) < 18:
            if change(
                lambda session: importing.remove_entry(gateway(), session, found(session, name, number)[1], int(removed)), "Removed."
            ):
                return redirect(url_for("tariff.version", name=name, number=number), 303)
        elif (values := form.read(request.form)) is not None and _added(form, values, name, number):
            return redirect(url_for("tariff.version", name=name, number=number), 303)
    search, text = request.args.get("search", "").strip()[:80], request.args.get("after", "")
    after = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
    with gateway().read() as session:
        row, of = found(session, name, number)
        rows = comparing.entries(session, of, search=search, after=after, limit=PAGE + 1)
        shown: dict[str, Any] = {
            "row": row,
            "version": of,
            "state": lists.states(session, row, gateway().now)[of.id],
            "entries": [(entry, words.entry_values(entry)) for entry in rows[:PAGE]],
            "next": rows[PAGE - 1].id if len(rows) > PAGE else None,
            "report": json.loads(of.report) if of.report else None,
        }
    page = render_template("tariff/version.html", form=form, search=search, after=after, **shown)
    return page, 422 if form.errors else 200


def _remove(session: Session, name: str, number: int, entry_id: int) -> None:
    importing.remove_entry(gateway(), session, found(session, name, number)[1], entry_id)


def _added(form: Form, values: dict[str, str], name: str, number: int) -> bool:
    def work(session: Session) -> None:
        row, of = found(session, name, number)
        importing.put_entry(gateway(), session, of, words.line_of(row, values))

    try:
        with gateway().write() as session:
            work(session)
    except lists.NotThere:
        raise
    except InvalidSetting as error:
        form.note(error.name, error.reason)
        return False
    flash(f"{values['key']} costs {values['price']}.")
    return True


@view("/lists/<name>/<int(max=2147483647):number>/discard", methods=("POST",))
def discard(name: str, number: int) -> Answer:
    """Remove a draft."""
    try:
        importing.discard_draft(gateway(), name, number)
        flash(f"The draft {number} is removed.")
    except lists.NotThere:
        raise
    except InvalidSetting as error:
        flash(error.reason, "bad")
    return redirect(url_for("tariff.show", name=name), 303)


@view("/lists/<name>/<int(max=2147483647):number>/preview")
def preview(name: str, number: int) -> Answer:
    """Show what a version would change and what last month would have cost, and offer to activate it.

    Of a long version, a job finds it out, whose page shows the same.
    """
    form = Form(shapes.PREVIEW)
    form.take(request.args)
    with gateway().read() as session:
        row, of = found(session, name, number)
    result = None
    try:
        at = words.moment(form.values["at"] or "")
        result = previews.preview(gateway(), row, of, at=at, month=(form.values["month"] or "").strip())
    except InvalidSetting as error:
        form.note(error.name, error.reason)
    if isinstance(result, JobView):
        return redirect(url_for("tariff.job_page", number=result.number), 303)
    page = render_template("tariff/preview.html", row=row, version=of, form=form, result=result, at=form.values["at"] or "")
    return page, 422 if form.errors else 200


@view("/lists/<name>/<int(max=2147483647):number>/activate", methods=("POST",))
def activate(name: str, number: int) -> Answer:
    """Let a version hold from a moment on."""

    def work(session: Session) -> None:
        lists.activate(gateway(), session, *found(session, name, number), words.moment(request.form.get("at", "")))

    at = request.form.get("at", "").strip()
    packing.pack_number(gateway(), name, number)
    if change(work, f"Version {number} holds from {at or 'now'} on."):
        return redirect(url_for("tariff.show", name=name), 303)
    return redirect(url_for("tariff.preview", name=name, number=number, at=at or None), 303)


@view("/lists/<name>/rollback", methods=("POST",))
def rollback(name: str) -> Answer:
    """Let the version before the present one hold again."""
    change(lambda session: lists.roll_back(gateway(), session, lists.find_list(session, name)), "The version before holds again.")
    return redirect(url_for("tariff.show", name=name), 303)


@view("/lists/<name>/cancel/<int(max=2147483647):activation>", methods=("POST",))
def cancel(name: str, activation: int) -> Answer:
    """Take back an activation that has not taken effect."""

    def work(session: Session) -> None:
        lists.cancel_activation(gateway(), session, lists.find_list(session, name), activation)

    change(work, "The activation is cancelled.")
    return redirect(url_for("tariff.show", name=name), 303)


@view("/lists/<name>/<int(max=2147483647):number>/export.csv")
def export(name: str, number: int) -> Answer:
    """Give a version as the file that an import reads."""
    with gateway().read() as session:
        _row, of = found(session, name, number)
    return Response(_lines(of.id), mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="prices-{number}.csv"'})


def _lines(version_id: int) -> Any:
    yield "prefix;mcc;mnc;price;effective;end;name\r\n"
    after = 0
    entries = select(Entry).where(Entry.version_id == version_id).order_by(Entry.id).limit(CHUNK)
    while True:
        with gateway().read() as session:
            rows = session.scalars(entries.where(Entry.id > after)).all()
        yield "".join(words.csv_line(row) for row in rows)
        if len(rows) < CHUNK:
            return
        after = rows[-1].id

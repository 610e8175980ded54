"""Who pays by which list, what a number costs, the table of networks: the pages beside the lists themselves."""

from typing import IO

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy import select

from pennywire import InvalidSetting, Setting, SettingType
from pennywire.forms import Form
from pennywire.ui import gateway
from pennywire_tariff import comparing, jobs, lists, networks, shapes, words
from pennywire_tariff.blueprint import Answer, change, found, view
from pennywire_tariff.importing import Report
from pennywire_tariff.models import PriceList
from pennywire_tariff.parsing import Form as FileForm


@view("/lists/<name>/assign", methods=("POST",))
def assign(name: str) -> Answer:
    """Let somebody pay by a list, or take it from him."""
    kind, holder = request.form.get("kind", ""), request.form.get("holder", "").strip()
    remove = request.form.get("action") == "remove"
    work = lists.unassign if remove else lists.assign
    who = {"user": holder, "group": f"Group {holder}"}.get(kind, "Everybody without a list of his own")
    change(
        lambda session: work(gateway(), session, lists.find_list(session, name), kind, "" if kind == "default" else holder),
        f"{who} {'does not pay by this list any more' if remove else 'pays by this list'}.",
    )
    return redirect(url_for("tariff.show", name=name), 303)


@view("/groups", methods=("GET", "POST"))
def groups() -> Answer:
    """Show the groups of users, and put a user into one."""
    if request.method == "POST":
        username, group = request.form.get("username", "").strip(), request.form.get("group", "").strip()
        said = f"{username} is in {f'the group {group}' if group else 'no group'}."
        change(lambda session: lists.set_group(gateway(), session, username, group), said)
        return redirect(url_for("tariff.groups"), 303)
    with gateway().read() as session:
        members, names = lists.members(session), lists.group_names(session)
    return render_template("tariff/groups.html", members=members, names=names, users=gateway().users())


@view("/networks", methods=("GET", "POST"), body_octets=jobs.LARGEST_OCTETS)
def networks_page() -> Answer:
    """Show the table from prefixes to networks, and replace it by a file; a long one becomes a job."""
    form, report = Form(shapes.FILE), None
    if request.method == "POST" and (values := form.read(request.form)) is not None:
        file = request.files.get("file")
        if file is None or not file.filename:
            form.note("", "Choose a file.")
        elif (came := _replace(form, file.stream, FileForm(**values), file.filename)) is not None:
            if isinstance(came, int):
                return redirect(url_for("tariff.job_page", number=came), 303)
            if not came.refused:
                flash(f"{came.entry_count:,} prefixes are known by their networks.")
                return redirect(url_for("tariff.networks_page"), 303)
            report = came
    with gateway().read() as session:
        row = networks.present_map(session)
    return render_template("tariff/networks.html", row=row, form=form, report=report), 422 if form.errors or report else 200


def _replace(form: Form, stream: IO[bytes], written: FileForm, origin: str) -> Report | int | None:
    """Replace the table of networks, or start the job that does; where neither can be, the form says why."""
    try:
        return jobs.start_networks(gateway(), stream, written, origin=origin)
    except InvalidSetting as error:
        form.note(error.name, error.reason)
        return None


@view("/look-up")
def look_up() -> Answer:
    """Say what a segment to a number costs, and by which list, version and prefix."""
    ways = (("outbound", "Outgoing, to this number"), ("inbound", "Incoming, from this number"))
    form = Form(
        (
            Setting("number", "Number", max_length=24, help="With its country code, such as +36201234567."),
            Setting("user", "User", max_length=16, help="Empty: somebody without a list of his own."),
            Setting("direction", "Message", SettingType.CHOICE, default="outbound", choices=ways),
            Setting("at", "When", max_length=35, help="Empty: now."),
        )
    )
    answer = None
    values = form.read(request.args)
    if values is not None and values["number"]:
        try:
            with gateway().read() as session:
                at = words.moment(values["at"]) or gateway().now
                answer = comparing.look_up(session, values["number"], username=values["user"], direction=values["direction"], at=at)
        except InvalidSetting as error:
            form.note(error.name, error.reason)
    page = render_template("tariff/look_up.html", form=form, answer=answer, users=gateway().users())
    return page, 422 if form.errors else 200


@view("/month")
def month() -> Answer:
    """Say what a month would have cost under a version, whatever list the users pay by."""
    with gateway().read() as session:
        rows = session.scalars(select(PriceList).order_by(PriceList.name)).all()
        choices = [
            (f"{version['number']} {row.name}", f"{row.name}, version {version['number']} ({version['state']})")
            for row in rows
            for version in words.version_values(session, row, gateway().now)
            if version["state"] != "loading"
        ]
    form = Form(
        (
            Setting("version", "Price list", SettingType.CHOICE, choices=(("", ""), *choices), default=""),
            Setting("month", "Month", max_length=7, help="Such as 2026-10; empty: last month."),
            Setting("user", "User", max_length=16, help="Empty: everybody."),
        )
    )
    result = None
    if (values := form.read(request.args)) is not None and values["version"]:
        number, _, name = values["version"].partition(" ")
        try:
            with gateway().read() as session:
                row, of = found(session, name, int(number))
            result = comparing.would_have_cost(gateway(), row, of, username=values["user"], month=values["month"])
        except InvalidSetting as error:
            form.note(error.name, error.reason)
    page = render_template("tariff/month.html", form=form, result=result, users=gateway().users())
    return page, 422 if form.errors else 200

"""`pennywire tariff`: price lists on the command line."""

import sys
from typing import IO, Any

import click

from pennywire.ui import Answers, gateway
from pennywire_tariff import comparing, importing, job_commands, lists, packing, paying, words
from pennywire_tariff.answering import answer_report, form_options
from pennywire_tariff.models import PriceList
from pennywire_tariff.parsing import Form

PROGRESS_EVERY = 50_000


@click.group()
def tariff() -> None:
    """Price lists: import, preview, activate, assign, look up."""


@tariff.command("list")
@click.pass_obj
def list_(answers: Answers) -> None:
    """List the price lists."""
    with gateway().read() as session:
        rows = [words.list_values(session, row, gateway().now) for row in session.query(PriceList).order_by(PriceList.name)]
    columns = {
        "name": "LIST",
        "side": "SIDE",
        "direction": "MESSAGES",
        "active_version": "VERSION",
        "assigned_to": "PAID BY",
        "provider": "PROVIDER",
    }
    answers.answer_table(rows, columns, empty="There is no price list. Add one with: pennywire tariff add NAME")


@tariff.command("add")
@click.argument("name")
@click.option("--buy", "provider", default="", metavar="PROVIDER", help="It says what this provider charges us.")
@click.option("--inbound", is_flag=True, help="It prices incoming messages, by their sender.")
@click.option("--currency", default="", help="A label, such as EUR.")
@click.pass_obj
def add(answers: Answers, name: str, provider: str, inbound: bool, currency: str) -> None:
    """Add a price list without versions."""
    side, direction = "buy" if provider else "sell", "inbound" if inbound else "outbound"
    with gateway().write() as session:
        row = lists.add_list(gateway(), session, name, side=side, direction=direction, provider=provider, currency=currency)
        value = words.list_values(session, row, gateway().now)
    answers.answer(value, f"Added the price list {name}. Import its first version: pennywire tariff import {name!r} FILE")


@tariff.command("edit")
@click.argument("name")
@click.option("--name", "new_name", help="A new name.")
@click.option("--currency", help="A new label.")
@click.pass_obj
def edit(answers: Answers, name: str, new_name: str | None, currency: str | None) -> None:
    """Rename a list, or change its currency's label."""
    with gateway().write() as session:
        row = lists.find_list(session, name)
        lists.edit_list(gateway(), session, row, name=new_name or name, currency=row.currency if currency is None else currency)
    answers.answer({"name": new_name or name}, f"Changed the price list {new_name or name}.")


@tariff.command("delete")
@click.argument("name")
@click.pass_obj
def delete(answers: Answers, name: str) -> None:
    """Remove a list that nobody ever paid by."""
    with gateway().write() as session:
        lists.delete_list(gateway(), session, lists.find_list(session, name))
    answers.answer({"name": name, "deleted": True}, f"The price list {name} is removed.")


@tariff.command("show")
@click.argument("name")
@click.pass_obj
def show(answers: Answers, name: str) -> None:
    """List the versions of a price list, newest first."""
    with gateway().read() as session:
        rows = words.version_values(session, lists.find_list(session, name), gateway().now)
    columns = {
        "number": "VERSION",
        "state": "STATE",
        "entry_count": "PRICES",
        "holds_from": "HOLDS FROM",
        "origin": "FROM",
        "created_by": "BY",
    }
    answers.answer_table(rows, columns, empty=f"There is no version. Import one: pennywire tariff import {name!r} FILE")


@tariff.command("entries")
@click.argument("name")
@click.argument("number", type=int)
@click.option("--search", default="", help="Beginning of a prefix, an MCC, or a piece of a name.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--after", type=int, default=0, help="Go on after the entry with this id.")
@click.pass_obj
def entries(answers: Answers, name: str, number: int, search: str, limit: int, after: int) -> None:
    """List the prices of version NUMBER."""
    with gateway().read() as session:
        version = lists.find_version(session, lists.find_list(session, name), number)
        rows = [words.entry_values(row) for row in comparing.entries(session, version, search=search, after=after, limit=limit)]
    columns = {"id": "ID", "key": "FOR", "price": "PRICE", "effective": "FROM", "end": "LAST DAY", "name": "NAME"}
    answers.answer_table(rows, columns, empty="No price fits.")


@tariff.command("import")
@click.argument("name")
@click.argument("file", type=click.File("rb"))
@form_options
@click.pass_obj
def import_(answers: Answers, /, name: str, file: IO[bytes], **form: Any) -> int:
    """Make a draft of a CSV file: prefix;price;effective;end;name, or mcc;mnc;price;… Exit status 1 if a line is wrong."""
    report = importing.import_version(gateway(), name, file, Form(**form), origin=str(getattr(file, "name", "")), progress=_progress())
    return answer_report(answers, report, f"Version {report.version} of {name} is a draft with {report.entry_count} prices.")


def _progress() -> importing.Progress:
    """Return what tells people how far it is, where one is watching."""

    def tell(count: int) -> None:
        if sys.stderr.isatty() and count % PROGRESS_EVERY == 0:
            click.echo(f"{count:,} lines …", err=True)

    return tell


@tariff.command("copy")
@click.argument("name")
@click.argument("number", type=int, required=False)
@click.pass_obj
def copy(answers: Answers, name: str, number: int | None) -> None:
    """Make a draft with the prices of version NUMBER, or an empty one."""
    made = importing.copy_as_draft(gateway(), name, number)
    answers.answer({"name": name, "version": made}, f"Version {made} of {name} is a draft.")


@tariff.command("price")
@click.argument("name")
@click.argument("number", type=int)
@click.argument("key")
@click.argument("price")
@click.option("--from", "effective", default="", metavar="DAY", help="First day, or the exact moment.")
@click.option("--until", "end", default="", metavar="DAY", help="Last day, or the exact moment.")
@click.option("--label", default="", help="A name for people.")
@click.pass_obj
def price(answers: Answers, name: str, number: int, key: str, price: str, effective: str, end: str, label: str) -> None:
    """Add the PRICE of KEY to the draft NUMBER. KEY is a prefix, `216-30`, `216-` or `*`."""
    with gateway().write() as session:
        row = lists.find_list(session, name)
        version = lists.find_version(session, row, number)
        item = words.line_of(row, {"key": key, "price": price, "effective": effective, "end": end, "name": label})
        importing.put_entry(gateway(), session, version, item)
    answers.answer({"key": item.key, "price": price}, f"{item.key} costs {price} in version {number} of {name}.")


@tariff.command("discard")
@click.argument("name")
@click.argument("number", type=int)
@click.pass_obj
def discard(answers: Answers, name: str, number: int) -> None:
    """Remove the draft NUMBER."""
    importing.discard_draft(gateway(), name, number)
    answers.answer({"name": name, "version": number, "deleted": True}, f"The draft {number} of {name} is removed.")


@tariff.command("preview")
@click.argument("name")
@click.argument("number", type=int)
@click.option("--at", default="", metavar="TIME", help="When it is to take effect; now if left out. UTC unless it says more.")
@click.option("--month", default="", metavar="YYYY-MM", help="Month whose messages are priced; last month if left out.")
@click.pass_obj
def preview(answers: Answers, name: str, number: int, at: str, month: str) -> None:
    """Say what activating version NUMBER would change, and what its customers would have paid for a month."""
    with gateway().read() as session:
        row = lists.find_list(session, name)
        version = lists.find_version(session, row, number)
    found = comparing.preview(gateway(), row, version, at=words.moment(at) or gateway().now, month=month)
    value = words.preview_values(found)
    changes = [
        f"{kind}: {item['key']} {item['before'] or '–'} → {item['after'] or '–'}"
        for kind, items in value["changes"].items()
        for item in items
    ]
    counts = ", ".join(f"{count:,} {kind}" for kind, count in found.differences.counts.items())
    answers.answer(
        value,
        "\n".join([f"Compared with {f'version {found.base}' if found.base else 'nothing'}: {counts}", *changes, *_bills(found.month)]),
    )


def _bills(month: comparing.Month) -> list[str]:
    lines = []
    for bill in (*month.bills, month.total):
        value = words.bill_values(bill)
        missing = f", {bill.unpriced_count:,} without a price" if bill.unpriced_count else ""
        lines.append(f"{month.since:%Y-%m} {bill.username}: {bill.message_count:,} messages, {value['was']} → {value['would']}{missing}")
    return lines


@tariff.command("month")
@click.argument("name")
@click.argument("number", type=int)
@click.option("--user", "username", default="", help="Only this user's messages.")
@click.option("--month", default="", metavar="YYYY-MM", help="Last month if left out.")
@click.pass_obj
def month(answers: Answers, name: str, number: int, username: str, month: str) -> None:
    """Say what a month would have cost under version NUMBER, whatever list the users pay by."""
    with gateway().read() as session:
        row = lists.find_list(session, name)
        version = lists.find_version(session, row, number)
    found = comparing.would_have_cost(gateway(), row, version, username=username, month=month)
    answers.answer(words.month_values(found), "\n".join(_bills(found)))


@tariff.command("activate")
@click.argument("name")
@click.argument("number", type=int)
@click.option("--at", default="", metavar="TIME", help="When it takes effect; now if left out. UTC unless it says more.")
@click.pass_obj
def activate(answers: Answers, name: str, number: int, at: str) -> None:
    """Let version NUMBER hold from a moment on. From then on it never changes."""
    packing.pack_number(gateway(), name, number)
    with gateway().write() as session:
        row = lists.find_list(session, name)
        made = lists.activate(gateway(), session, row, lists.find_version(session, row, number), words.moment(at))
    value = {"name": name, "version": number, "activation": made.id, "at": words.at_text(made.at)}
    answers.answer(value, f"Version {number} of {name} holds from {value['at']} on.")


@tariff.command("rollback")
@click.argument("name")
@click.pass_obj
def rollback(answers: Answers, name: str) -> None:
    """Let the version that held before the present one hold again, from now on."""
    with gateway().write() as session:
        row = lists.find_list(session, name)
        made = lists.roll_back(gateway(), session, row)
        number = next(item["version"] for item in words.activation_values(session, row, gateway().now) if item["id"] == made.id)
    answers.answer({"name": name, "version": number, "at": words.at_text(made.at)}, f"Version {number} of {name} holds again.")


@tariff.command("cancel")
@click.argument("name")
@click.argument("activation", type=int)
@click.pass_obj
def cancel(answers: Answers, name: str, activation: int) -> None:
    """Take back an ACTIVATION (its number) that has not taken effect."""
    with gateway().write() as session:
        lists.cancel_activation(gateway(), session, lists.find_list(session, name), activation)
    answers.answer({"activation": activation, "cancelled": True}, f"Activation {activation} is cancelled.")


@tariff.command("activations")
@click.argument("name")
@click.pass_obj
def activations(answers: Answers, name: str) -> None:
    """List when which version took or will take effect."""
    with gateway().read() as session:
        rows = words.activation_values(session, lists.find_list(session, name), gateway().now)
    answers.answer_table(
        rows, {"id": "NUMBER", "version": "VERSION", "at": "FROM", "past": "PAST", "by": "BY"}, empty="No version was activated."
    )


for _command in (*paying.COMMANDS, *job_commands.COMMANDS):
    tariff.add_command(_command)

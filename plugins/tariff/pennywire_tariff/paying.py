"""Commands about who pays by which list, what a number costs, and the table of networks."""

from typing import IO, Any

import click

from pennywire.ui import Answers, gateway
from pennywire_tariff import comparing, lists, networks, words
from pennywire_tariff.answering import answer_report, form_options
from pennywire_tariff.parsing import Form

_HOLDER = (
    click.option("--user", "username", default="", help="A user."),
    click.option("--group", default="", help="A group of users."),
    click.option("--default", "default", is_flag=True, help="Everybody without a list of his own."),
)


def _holder(username: str, group: str, default: bool) -> tuple[str, str]:
    if bool(username) + bool(group) + default != 1:
        raise click.UsageError("Give one of --user, --group and --default.")
    return ("user", username) if username else ("group", group) if group else ("default", "")


def _holder_options(command: Any) -> Any:
    for option in reversed(_HOLDER):
        command = option(command)
    return command


@click.command("assign")
@click.argument("name")
@_holder_options
@click.pass_obj
def assign(answers: Answers, name: str, username: str, group: str, default: bool) -> None:
    """Let a user, a group or everybody else pay by a list."""
    kind, holder = _holder(username, group, default)
    with gateway().write() as session:
        lists.assign(gateway(), session, lists.find_list(session, name), kind, holder)
    answers.answer({"name": name, "kind": kind, "to": holder}, f"{f'{kind} {holder}'.strip()} pays by {name}.{hint()}")


def hint() -> str:
    """Return what is missing before lists count at all."""
    return "" if "tariff" in gateway().rule_kinds() else " No pricing rule asks the price lists yet: pennywire pricing add tariff lists"


@click.command("unassign")
@click.argument("name")
@_holder_options
@click.pass_obj
def unassign(answers: Answers, name: str, username: str, group: str, default: bool) -> None:
    """Take a list from whom it is assigned to."""
    kind, holder = _holder(username, group, default)
    with gateway().write() as session:
        lists.unassign(gateway(), session, lists.find_list(session, name), kind, holder)
    answers.answer(
        {"name": name, "kind": kind, "to": holder, "removed": True}, f"{f'{kind} {holder}'.strip()} does not pay by {name} any more."
    )


@click.command("group")
@click.argument("username", required=False)
@click.argument("group", required=False)
@click.option("--none", is_flag=True, help="Take the user out of his group.")
@click.pass_obj
def group(answers: Answers, username: str | None, group: str | None, none: bool) -> None:
    """List the groups, or put a user into one."""
    if username is None:
        with gateway().read() as session:
            rows = [{"group": row.group_name, "user": row.username} for row in lists.members(session)]
        answers.answer_table(rows, {"group": "GROUP", "user": "USER"}, empty="Nobody is in a group.")
        return
    if (group is None) != none:
        raise click.UsageError("Give a group, or --none.")
    with gateway().write() as session:
        lists.set_group(gateway(), session, username, group or "")
    answers.answer({"user": username, "group": group or ""}, f"{username} is in {f'the group {group}' if group else 'no group'}.")


@click.command("lookup")
@click.argument("number")
@click.option("--user", "username", default="", help="Who sends; the default list if left out.")
@click.option("--inbound", is_flag=True, help="An incoming message from this number.")
@click.option("--at", default="", metavar="TIME", help="When; now if left out.")
@click.pass_obj
def lookup(answers: Answers, number: str, username: str, inbound: bool, at: str) -> None:
    """Say what a segment to NUMBER costs, and by which list."""
    with gateway().read() as session:
        moment = words.moment(at) or gateway().now
        found = comparing.look_up(session, number, username=username, direction="inbound" if inbound else "outbound", at=moment)
    price = words.credits_text(found.price_uc)
    value = {"list": found.list, "version": found.version, "key": found.key, "price": price, "why": found.why}
    answers.answer(value, f"{number} costs {price}: {found.why}" if price is not None else f"{number} has no price. {found.why}")


@click.command("networks")
@click.argument("file", type=click.File("rb"), required=False)
@form_options
@click.pass_obj
def networks_(answers: Answers, /, file: IO[bytes] | None, **form: Any) -> int:
    """Show the table from prefixes to networks, or replace it by a CSV file: prefix;mcc;mnc;name."""
    if file is not None:
        report = networks.import_map(gateway(), file, Form(**form), origin=str(getattr(file, "name", "")))
        return answer_report(answers, report, f"{report.entry_count} prefixes are known by their networks.")
    with gateway().read() as session:
        row = networks.present_map(session)
        value = {"prefix_count": row.entry_count, "origin": row.origin} if row else {"prefix_count": 0, "origin": ""}
    answers.answer(value, f"{value['prefix_count']} prefixes" + (f" from {value['origin']}." if row else ": import a file."))
    return 0


COMMANDS: tuple[click.Command, ...] = (assign, unassign, group, lookup, networks_)

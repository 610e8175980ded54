"""`pennywire option` and `pennywire mail`: what is set for the whole gateway while it runs."""

from typing import IO, Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration
from app.administration import GATEWAY_SETTINGS, MAIL_SETTINGS, InvalidField
from app.cli.answers import Failed, answer, answer_table, details
from app.cli.opening import ACTOR, core, read, write
from app.cli.options import Group
from app.clock import utc_now
from app.mailing import MailFailed, send
from app.models import Option

_PASSWORD = "mail_password"  # noqa: S105  # the name of an option


def _options(session: Session) -> dict[str, Any]:
    return {row.name: row.value["value"] for row in session.scalars(select(Option))}


@click.group("option", cls=Group)
def option() -> None:
    """Settings of the whole gateway that may change while it runs."""


@option.command("list")
def list_() -> None:
    """List them."""
    stored = read(_options)
    rows = [{"name": item.name, "value": stored.get(item.name, item.default or ""), "label": item.label} for item in GATEWAY_SETTINGS]
    answer_table(rows, {"name": "NAME", "value": "VALUE", "label": "WHAT IT IS"}, empty="There is none.")


@option.command("set")
@click.argument("name")
@click.argument("value")
def set_(name: str, value: str) -> None:
    """Change one; an empty VALUE takes it away."""
    write(lambda session: administration.set_gateway_options(session, {name: value}, now=utc_now(), actor=ACTOR))
    stored = administration.checked_option(name, value)
    answer({"name": name, "value": stored}, f"{name} is {stored or 'empty'}.")


@click.group("mail", cls=Group)
def mail() -> None:
    """The server by which the gateway sends e-mail."""


@mail.command("show")
def show() -> None:
    """Show the settings, without the password."""
    values = administration.shown_mail(read(_options))
    answer(values, details(values))


@mail.command("set")
@click.argument("values", nargs=-1, metavar="NAME=VALUE...")
@click.option("--password-file", type=click.File("r"), metavar="FILE", help="Read the password from a file; - is standard input.")
def set_mail(values: tuple[str, ...], password_file: IO[str] | None) -> None:
    """Change settings, such as mail_host=mail.example.com. The password comes from --password-file."""
    given: dict[str, Any] = {}
    for text in values:
        name, sign, value = text.partition("=")
        if not sign:
            raise click.UsageError(f"{text!r} is not NAME=VALUE. Names: {', '.join(item.name for item in MAIL_SETTINGS)}.")
        if name == _PASSWORD:
            raise InvalidField(name, "A password on the command line can be read by others. Use --password-file FILE.")
        given[name] = value
    if password_file is not None:
        given[_PASSWORD] = password_file.read().rstrip("\r\n")
    if not given:
        raise click.UsageError("Nothing to change was given.")
    with core() as opened:
        opened.database.run(lambda session: administration.set_mail(session, given, vault=opened.vault, now=utc_now(), actor=ACTOR))
    shown = administration.shown_mail(read(_options))
    answer(shown, details(shown))


@mail.command("test")
@click.argument("address", required=False)
def test(address: str | None) -> None:
    """Send a mail to ADDRESS, or to the operator's address, and show what the server says."""
    with core() as opened:
        options = opened.snapshots.present().options
        to = address or str(options.get("operator_address") or "")
        if not to:
            raise InvalidField("address", "Name an ADDRESS, or set operator_address first.")
        trial = administration.trial_mail(to, now=utc_now())
        try:
            said = send(administration.mail_server(options, opened.vault), trial)
        except MailFailed as error:
            raise Failed("mail_failed", str(error)) from error
    answer({"address": to, "answer": said}, f"The server took the mail to {to}: {said}")

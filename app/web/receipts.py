"""The receipt inspector of a connection: reports that met no message, and the one click that lets them."""

from typing import cast

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import administration, unmatched
from app.administration import InvalidField
from app.unmatched import Reading
from app.web import context
from app.web.database import db
from pennywire.sms.receipts import IdMode

screen = Blueprint("receipts", __name__)

WORDS: dict[str, str] = {
    "as_is": "as it is",
    "hex_to_decimal": "hexadecimal in the receipt, decimal in the answer",
    "decimal_to_hex": "decimal in the receipt, hexadecimal in the answer",
}


def in_words(reading: Reading) -> str:
    """Return a reading as the operator reads it."""
    return f"without {reading.prefix} in front, {WORDS[reading.mode]}" if reading.prefix else WORDS[reading.mode]


@screen.route("/connections/<name>/receipts", methods=["GET", "POST"])
def show(name: str) -> str | Response:
    """Show what is unmatched with what each reading finds; POST sets a reading."""
    core = context.core()
    if request.method == "POST":
        reading = Reading(cast(IdMode, request.form.get("form", "")), request.form.get("prefix", ""))
        try:
            context.change(lambda s: unmatched.apply_reading(s, name, reading, plugins=core.plugins, vault=core.vault, **context.by()))
        except InvalidField as error:
            flash(error.reason, "bad")
        else:
            flash(f"{name} now reads the ids of receipts {in_words(reading)}. What waits here is matched within a minute.")
        return redirect(url_for("receipts.show", name=name), 303)
    connection = administration.find_connection(db.session(), name)
    return render_template(
        "connections/receipts.html",
        connection=connection,
        kind=core.plugins.connectors.get(connection.kind),
        inspection=unmatched.inspect(db.session(), connection),
        in_words=in_words,
        with_raw=context.reads_texts(),
    )

"""How values are shown: numbers, credits, times, states. Templates use these and format nothing themselves."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, url_for
from markupsafe import Markup

from app.identifiers import public_id
from app.ledger import format_credits
from app.lifecycle import Folder, State
from app.models import Message
from app.periods import zone
from app.unmatched import can_be_told
from app.web import context

TONES: dict[str, str] = {
    State.SCHEDULED: "quiet",
    State.HELD: "wait",
    State.QUEUED: "live",
    State.SENDING: "live",
    State.SENT: "live",
    State.DELIVERED: "good",
    State.UNDELIVERABLE: "bad",
    State.EXPIRED: "bad",
    State.REJECTED: "bad",
    State.IN_DOUBT: "wait",
    State.CANCELLED: "quiet",
    "received": "good",
    "top_up": "good",
    "correct": "wait",
}
"""How a state looks: `good` is done, `live` is under way, `wait` asks for attention, `bad` has failed, `quiet` is neither."""

FOLDERS: dict[Folder, tuple[str, str, str]] = {
    Folder.INBOX: ("inbox", "Inbox", "inbox"),
    Folder.OUTBOX: ("outbox", "Outbox", "clock-arrow-up"),
    Folder.SENT: ("sent", "Sent", "send"),
    Folder.NOT_SENT: ("not-sent", "Not sent", "circle-x"),
    Folder.SCHEDULED: ("scheduled", "Scheduled", "calendar-clock"),
    Folder.DELETED: ("deleted", "Deleted", "trash-2"),
}
"""Word in the address, label and icon of each folder."""

MOVEMENTS: dict[str, str] = {
    "top_up": "Top-up",
    "correct": "Correction",
    "charge": "Charge",
    "settle": "Settlement",
    "release": "Release",
    "refund": "Refund",
    "pay": "Payment",
    "allot": "Allotment",
}
ALPHABETS: dict[str, str] = {"gsm7": "GSM 7-bit", "ucs2": "UCS-2", "latin1": "Latin-1", "binary": "Binary"}
SHORT_TEXT = 90
HIDDEN = "Hidden from your role."
"""Stands for a text that the signed-in user may not read."""

HELD_BACK = "Waits until there is credit."
"""Stands for the text of an incoming message that is not paid yet."""


def credits(amount_uc: int | None) -> str:  # noqa: A001  # the filter's name in templates
    """Show an amount of microcredits as exact credits, thousands separated."""
    if amount_uc is None:
        return "–"
    text = format_credits(abs(amount_uc))
    whole, point, decimals = text.partition(".")
    return f"{'-' if amount_uc < 0 else ''}{int(whole):,}{point}{decimals}"


def signed(amount_uc: int) -> str:
    """Show a change of credit with its sign."""
    return f"+{credits(amount_uc)}" if amount_uc > 0 else credits(amount_uc)


def number(value: int | None) -> str:
    """Show a count, thousands separated."""
    return "–" if value is None else f"{value:,}"


def at(moment: datetime | None) -> str:
    """Show a moment; the script puts it into the viewer's zone, and UTC stays in the title."""
    if moment is None:
        return Markup('<span class="muted">–</span>')
    utc = moment.astimezone(UTC)
    exact = utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    iso = utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, exact, utc.strftime("%d %b %Y %H:%M:%S"))


def local(moment: datetime, time_zone: str) -> str:
    """Show a moment by the clock of a time zone, for papers: the script leaves it alone."""
    return moment.astimezone(zone(time_zone)).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """Show a length of time in its largest whole unit: `72 h`, `90 s`."""
    if seconds is None:
        return "–"
    rest = int(seconds)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if rest >= size and (rest % size == 0 or rest >= 3 * size):
            return f"{rest // size} {unit}"
    return f"{rest} s"


def state(value: str) -> str:
    """Show a state with its colour; the word says it, the colour only helps."""
    return Markup('<span class="state {}">{}</span>').format(TONES.get(value, "quiet"), value.replace("_", " "))


def tone(value: str) -> str:
    """Return how a state looks."""
    return TONES.get(value, "quiet")


def short(text: str) -> str:
    """Show the beginning of a text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHORT_TEXT else line[: SHORT_TEXT - 1] + "…"


def content(message: Message) -> str:
    """Show what a message says: its text, or its octets in hexadecimal; nothing while it waits for credit."""
    if not context.reads_texts(message.user_id):
        return HIDDEN
    if message.direction == "inbound" and message.state == State.HELD:
        return HELD_BACK
    return message.text if message.data is None else message.data.hex(" ")


def device(said: str) -> str:
    """Show what a browser says of itself in two words, such as Firefox on Windows; the whole of it stands beside."""
    browser = next((name for mark, name in _BROWSERS if mark in said), "Unknown browser")
    system = next((name for mark, name in _SYSTEMS if mark in said), "")
    return f"{browser} on {system}" if system else browser


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrom", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux"))
"""Marks in the order that counts: browsers name those that they resemble too."""


def plain(value: Any) -> str:
    """Show a value of a journal entry or an audit entry in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{_name(name)} {plain(_counted(name, inner))}" for name, inner in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(plain(inner) for inner in value) or "–"
    return str(value)


def without_raw(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values but for what a peer said as it came, which is shown by itself."""
    return {name: value for name, value in values.items() if name != "raw"}


def typed(value: Any) -> str:
    """Return a setting's value as one would type it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _counted(name: str, value: Any) -> Any:
    """Return the value; the index of a segment counts from 1 for people."""
    return value + 1 if name == "segment" and isinstance(value, int) else value


def _name(name: str) -> str:
    return f"no. {int(name) + 1}:" if name.isascii() and name.isdigit() else name.replace("_", " ")


def differences(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[tuple[str, Any, Any]]:
    """Return what changed between two states of a setting as (name, before, after)."""
    old, new = before or {}, after or {}
    return [(name, old.get(name), new.get(name)) for name in (old | new) if old.get(name) != new.get(name)]


def age(moment: datetime, now: datetime) -> timedelta:
    """Return how long ago a moment was, never negative."""
    return max(now - moment, timedelta(0))


def folder_word(folder: int) -> str:
    """Return the word of a folder in addresses."""
    return FOLDERS[Folder(folder)][0]


def folder_tabs(word: str, username: str) -> list[tuple[str, str, bool]]:
    """Return the folders as tabs: label, address, and whether it is the present one."""
    return [
        (label, url_for("messages.folder", folder=other, user=username or None), other == word) for other, label, _icon in FOLDERS.values()
    ]


@cache
def _fingerprint(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]


def register(app: Flask) -> None:
    """Give the templates their filters and the address of static files, which changes with their content."""
    static = Path(str(app.static_folder))

    def asset(name: str) -> str:
        return url_for("static", filename=name, v=_fingerprint(str(static / name)))

    for function in (
        credits,
        signed,
        number,
        at,
        local,
        duration,
        state,
        tone,
        short,
        content,
        device,
        plain,
        without_raw,
        typed,
        public_id,
    ):
        app.add_template_filter(function)
    app.jinja_env.globals.update(
        asset=asset,
        differences=differences,
        folder_word=folder_word,
        folder_tabs=folder_tabs,
        reads_receipt_ids=can_be_told,
        ALPHABETS=ALPHABETS,
        MOVEMENTS=MOVEMENTS,
    )

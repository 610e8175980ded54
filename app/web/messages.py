"""The folders: messages of all users or of one, with filter, paging and live rows."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import mailbox, withdrawals
from app.identifiers import InvalidId, internal_id
from app.lifecycle import Folder, State
from app.models import Message
from app.web import context, pages
from app.web.database import db
from app.web.filters import FOLDERS
from app.web.pages import PAGE_SIZE

screen = Blueprint("messages", __name__)

FOLDER_OF_WORD = {word: folder for folder, (word, _label, _icon) in FOLDERS.items()}

EMPTY: dict[Folder, str] = {
    Folder.INBOX: "Incoming messages appear here once an inbound route gives them to a user.",
    Folder.OUTBOX: "Nothing waits to be sent.",
    Folder.SENT: "What the network has taken appears here, with its delivery report.",
    Folder.NOT_SENT: "What was refused, expired or cancelled appears here, with the reason.",
    Folder.SCHEDULED: "Messages with a time to send wait here.",
    Folder.DELETED: "Deleted messages are kept here.",
}


@screen.get("/messages/<folder>")
def folder(folder: str) -> str | Response:
    """Show a page of a folder. htmx asks for the rows alone, again and again, on the first page."""
    kind = FOLDER_OF_WORD.get(folder)
    if kind is None:
        abort(404)
    chosen = {name: request.args.get(name, "").strip() for name in ("user", "number", "state")}
    rows = _page(kind, chosen)
    names = {view.id: view.username for view in context.snapshot().users_by_id.values()}
    values: dict[str, Any] = {
        "folder": kind,
        "word": folder,
        "messages": rows[:PAGE_SIZE],
        "names": names,
        "chosen": chosen,
        "query": {name: value for name, value in chosen.items() if value},
        "first": pages.whole_number("before") is None,
        "older": rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None,
    }
    if pages.is_partial():
        return pages.live("messages/_rows.html", **values)
    return render_template(
        "messages/folder.html", **values, states=_states(kind), label=FOLDERS[kind][1], empty=EMPTY[kind], icon=FOLDERS[kind][2]
    )


def _page(kind: Folder, chosen: Mapping[str, str]) -> list[Message]:
    """Return a page and, if there is more, one message of the next."""
    return mailbox.page(
        db.session(),
        user_ids=_users(chosen["user"]),
        folder=kind,
        before=pages.whole_number("before"),
        limit=PAGE_SIZE + 1,
        number=chosen["number"],
        state=chosen["state"],
    )


def _users(name: str) -> list[int] | None:
    """Return whose messages are asked for, of those that the signed-in user may see. An unknown name has none."""
    own = context.visible_users()
    if own is not None or not name:
        return own
    view = context.snapshot().user(name)
    return [view.id] if view is not None else []


def _states(kind: Folder) -> list[str]:
    """Return the states that messages of a folder may have."""
    by_folder: dict[Folder, list[State]] = {
        Folder.INBOX: [State.DELIVERED, State.HELD, State.REJECTED],
        Folder.OUTBOX: [State.QUEUED, State.SENDING, State.HELD, State.IN_DOUBT],
        Folder.SENT: [State.SENT, State.DELIVERED],
        Folder.NOT_SENT: [State.UNDELIVERABLE, State.EXPIRED, State.REJECTED, State.CANCELLED],
        Folder.SCHEDULED: [State.SCHEDULED],
        Folder.DELETED: list(State),
    }
    return [state.value for state in by_folder[kind]]


@screen.post("/messages")
def act() -> Response:
    """Cancel or delete the ticked messages, and go back to their folder."""
    action, word = request.form.get("action", ""), request.form.get("folder", "")
    numbers = [number for text in request.form.getlist("message") if (number := _number(text)) is not None]
    done = {"cancel": _cancel, "delete": _delete}.get(action, lambda _numbers: 0)(numbers)
    verb = {"cancel": "cancelled", "delete": "moved to Deleted"}.get(action, "changed")
    left = len(numbers) - done
    flash(f"{done} {'message' if done == 1 else 'messages'} {verb}." + (f" {left} could not be, because of their state." if left else ""))
    back: dict[str, Any] = {name: request.form[name] for name in ("user", "number", "state") if request.form.get(name)}
    if word not in FOLDER_OF_WORD:
        return redirect(url_for("message.show", message_id=request.form.get("message", "")), 303)
    return redirect(url_for("messages.folder", folder=word, **back), 303)


def _number(text: str) -> int | None:
    try:
        return internal_id(text)
    except InvalidId:
        return None


def _cancel(numbers: list[int]) -> int:
    snapshot = context.snapshot()
    allowed = [message.id for message in visible(numbers)]
    return len(context.change(lambda session: withdrawals.cancel(session, snapshot, allowed, **context.by())))


def _delete(numbers: list[int]) -> int:
    """Delete each user's messages in his name, as the core wants it."""
    by_user: dict[int, list[int]] = {}
    for message in visible(numbers):
        by_user.setdefault(message.user_id, []).append(message.id)
    now = context.now()
    return context.change(
        lambda session: sum(len(mailbox.delete(session, user_id, ids, now=now)) for user_id, ids in sorted(by_user.items()))
    )


def visible(numbers: list[int]) -> list[Message]:
    """Return those of the messages that the signed-in user may see."""
    rows = (db.session.get(Message, number) for number in dict.fromkeys(numbers))
    own = context.visible_users()
    return [row for row in rows if row is not None and (own is None or row.user_id in own)]

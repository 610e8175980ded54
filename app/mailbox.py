"""A user's folders: what is in them, taking messages out, marking and deleting them.

Deleting moves a message to the folder *Deleted*, and only where its fate is known: what waits to be sent is cancelled instead.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from app.identifiers import InvalidId, internal_id, public_id
from app.lifecycle import Folder, State
from app.models import Message

T = TypeVar("T")

CHUNK = 500
"""Most values of one IN: SQLite and PostgreSQL plan such a statement well."""

DELETABLE = frozenset({Folder.INBOX, Folder.SENT, Folder.NOT_SENT, Folder.DELETED})
"""Folders whose messages have left the pipe."""

_WITHHELD = (State.HELD.value, State.REJECTED.value)


def page(
    session: Session,
    *,
    user_ids: Collection[int] | None,
    folder: Folder | None = None,
    before: int | None = None,
    limit: int = 50,
    number: str = "",
    state: str = "",
    direction: str = "",
) -> list[Message]:
    """Return a page of messages, newest first.

    Shape: `user_ids` None is every user; `before` is the id of the last message of the page before; `number` is how a source or
    destination begins.
    """
    conditions: list[ColumnElement[bool]] = []
    if user_ids is not None:
        conditions.append(Message.user_id.in_(sorted(user_ids)))
    if folder is not None:
        conditions.append(Message.folder == folder.value)
    if before is not None:
        conditions.append(Message.id < before)
    if state:
        conditions.append(Message.state == state)
    if direction:
        conditions.append(Message.direction == direction)
    if number:
        conditions.append(or_(Message.source.startswith(number, autoescape=True), Message.destination.startswith(number, autoescape=True)))
    return list(session.scalars(select(Message).where(*conditions).order_by(Message.id.desc()).limit(limit)))


def download(session: Session, user_id: int, folder: Folder, limit: int, *, after: str, unread_only: bool, now: datetime) -> list[Message]:
    """Return the oldest messages of a folder, and do with them what `after` says: `delete`, `mark` or `leave`.

    Two callers at once do not get the same message unless it is left. With `unread_only`, marked ones are not given again.
    Of incoming messages those are left out that want of credit held back or refused.
    """
    statement = select(Message).where(Message.user_id == user_id, Message.folder == folder.value).order_by(Message.id).limit(limit)
    if folder is Folder.INBOX:
        statement = statement.where(Message.state.not_in(_WITHHELD))
    if unread_only:
        statement = statement.where(Message.downloaded_at.is_(None))
    if after == "leave":
        return list(session.scalars(statement))
    messages = list(session.scalars(statement.with_for_update(skip_locked=True)))
    act = {"delete": delete, "mark": mark}[after]
    act(session, user_id, [message.id for message in messages], now=now)
    return messages


def find(session: Session, user_id: int | None, ids: Sequence[str]) -> dict[str, Message]:
    """Return messages by what the caller calls them: public id, or client reference, of which the newest message counts.

    Shape: `user_id` None is every user. What is not there is left out.
    """
    wanted = list(dict.fromkeys(ids))
    numbers = {text: number for text in wanted if (number := _number(text)) is not None}
    by_number = {message.id: message for message in _select(session, user_id, numbers.values())}
    found = {text: by_number[number] for text, number in numbers.items() if number in by_number}
    for chunk in _chunks([text for text in wanted if text and text not in found and "\x00" not in text]):
        # The second condition lets the partial index be used.
        conditions = [Message.client_reference.in_(chunk), Message.client_reference != ""]
        if user_id is not None:
            conditions.append(Message.user_id == user_id)
        for message in session.scalars(select(Message).where(*conditions).order_by(Message.id)):
            found[message.client_reference] = message
    return found


def delete(session: Session, user_id: int, message_ids: Iterable[int], *, now: datetime) -> set[int]:
    """Move the user's messages to the folder *Deleted*; return those that are there now.

    What is still on its way stays where it is, and so does what waits for credit.
    """
    folders = sorted(folder.value for folder in DELETABLE)
    return _update(
        session,
        user_id,
        message_ids,
        and_(Message.folder.in_(folders), Message.state != State.HELD.value),
        folder=Folder.DELETED.value,
        updated_at=now,
    )


def mark(session: Session, user_id: int, message_ids: Iterable[int], *, now: datetime) -> set[int]:
    """Mark the user's messages as downloaded; return those that are marked now. The first time counts."""
    ids = list(message_ids)
    fresh = and_(Message.downloaded_at.is_(None), Message.state != State.HELD.value)
    _update(session, user_id, ids, fresh, downloaded_at=now)
    return {message.id for message in _select(session, user_id, ids)}


def _update(session: Session, user_id: int, message_ids: Iterable[int], condition: ColumnElement[bool], **values: object) -> set[int]:
    changed: set[int] = set()
    for chunk in _chunks(sorted(set(message_ids))):
        statement = (
            update(Message)
            .where(and_(Message.id.in_(chunk), Message.user_id == user_id, condition))
            .values(**values)
            .returning(Message.id)
            .execution_options(synchronize_session=False)
        )
        changed.update(session.scalars(statement))
    return changed


def _select(session: Session, user_id: int | None, numbers: Iterable[int]) -> list[Message]:
    found: list[Message] = []
    for chunk in _chunks(sorted(set(numbers))):
        statement = select(Message).where(Message.id.in_(chunk))
        found += session.scalars(statement if user_id is None else statement.where(Message.user_id == user_id))
    return found


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]


def _number(text: str) -> int | None:
    try:
        return internal_id(text)
    except InvalidId:
        return None


def name_of(message: Message) -> str:
    """Return what the user calls the message: his own reference if he gave one, else the public id."""
    return message.client_reference or public_id(message.id)

"""Putting another message in the place of one that has not left: both moves of money in one transaction, or none."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import mailbox, messages
from app.decisions import Admitted, Prepared
from app.identifiers import IdMaker, public_id
from app.lifecycle import FOLDER_OF
from app.models import Message
from app.refusals import Refused, RequestRefused
from app.snapshot import Snapshot
from app.withdrawals import UNSENT, displace
from pennywire import Direction, Draft


class HasLeft(Exception):
    """The message is sent, being sent, or ended; or it is not the user's."""


class NotTaken(Exception):
    """The replacement was refused, and the message stays as it was."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


def draft_of(session: Session, user_id: int, name: str) -> Draft | None:
    """Return what would submit a user's message again, or nothing where he has none of that name."""
    message = mailbox.find(session, user_id, [name]).get(name)
    if message is None or message.direction != Direction.OUTBOUND.value:
        return None
    return Draft(
        message.destination,
        text=message.text if message.data is None else "",
        source=message.source,
        data=message.data,
        udh=message.udh or b"",
        message_class=message.message_class,
        priority=message.priority,
        send_at=message.send_at,
        expires_at=message.expires_at,
        report_requested=message.report_requested,
        client_reference=message.client_reference,
        parameters=message.parameters or {},
    )


def replace(session: Session, snapshot: Snapshot, prepared: Prepared, message_id: int, *, ids: IdMaker, now: datetime) -> Admitted:
    """Take a message back and accept the one draft of a request in its place: its price is released, and the new one reserved.

    What was released pays for the new one. The transaction must be rolled back where anything is raised. Raises: HasLeft, NotTaken,
    StaleSnapshot, RequestRefused.
    """
    user = prepared.request.user
    if not displace(session, snapshot, message_id, now=now, actor=user.username):
        raise HasLeft
    (verdict,) = messages.admit(session, [prepared], ids=ids, now=now)
    if isinstance(verdict, RequestRefused):
        raise verdict
    (result,) = verdict.results
    if isinstance(result, Refused):
        raise NotTaken(result)
    return result


def unsent(
    session: Session, user_id: int, *, entrance: str, source: str = "", destination: str = "", reference: str = ""
) -> dict[str, Mapping[str, Any]]:
    """Return the parameters of a user's messages of which nothing has left, by public id: those of a pair of addresses, or a reference."""
    statement = select(Message.id, Message.parameters).where(
        Message.user_id == user_id,
        Message.folder.in_(sorted({FOLDER_OF[state].value for state in UNSENT})),
        Message.state.in_([state.value for state in UNSENT]),
        Message.entrance == entrance,
    )
    if reference:
        statement = statement.where(Message.client_reference == reference, Message.client_reference != "")
    else:
        statement = statement.where(Message.source == source, Message.destination == destination)
    return {public_id(row.id): row.parameters or {} for row in session.execute(statement.order_by(Message.id))}

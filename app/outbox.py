"""The queue between acceptance and the network: narrow rows, claimed in batches, fair among users."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from app import journal
from app.arrays import among
from app.bulk import update_rows
from app.db import AnyRow, database_now
from app.identifiers import IdMaker, public_id
from app.lifecycle import State
from app.models import ConnectionStatus, Message, OutboxRow, table
from app.progress import lock_messages
from app.routing import ANY
from app.snapshot import ConnectionView
from pennywire import Alphabet, Submission
from pennywire.sms import Segment, segments

QUEUED, SENDING, IN_DOUBT, WAITING = range(4)
"""States of a row. WAITING waits for `due_at`."""

STATE_OF_ROW = {QUEUED: State.QUEUED, SENDING: State.SENDING, IN_DOUBT: State.IN_DOUBT, WAITING: State.QUEUED}

_OUTBOX = table(OutboxRow)
_MESSAGES = table(Message)


class LeaseLost(Exception):
    """Another engine holds the connection now: nothing may be claimed for it here."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed. `last_user` is where the next claim goes on with its round of the users."""

    submissions: list[Submission]
    last_user: int
    #: What cannot be made into submissions; the caller records it as refused, or it would block its queue for ever.
    spoiled: tuple["Spoiled", ...] = ()


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A claimed segment that no connector can be given, with the reason. `message_id` is the internal one."""

    attempt_id: int
    message_id: int
    segment_index: int
    reason: str


def claim(
    session: Session,
    connection: ConnectionView,
    *,
    token: int,
    room: int,
    ids: IdMaker,
    now: datetime,
    after_user: int = 0,
    whole_messages: bool = False,
) -> Claim:
    """Take up to `room` segments of the connection's provider group and mark them as being sent by this lease.

    Users take turns; among a user's segments priority goes first, then age. With `whole_messages` a submission is a message.
    Raises: LeaseLost where `token` is not in force.
    """
    check_lease(session, connection.id, token)
    keys: list[AnyRow] = []
    last_user = after_user
    for provider in (connection.provider, ANY):
        if len(keys) < room:
            found, last_user = _pick(session, provider, room - len(keys), last_user, whole_messages, now)
            keys += found
    if not keys:
        return Claim([], after_user)
    attempts = dict(zip(((key.message_id, key.segment_index) for key in keys), ids.take(len(keys)), strict=True))
    _mark(session, connection, token, attempts, whole_messages)
    messages = _load(session, {key.message_id for key in keys})
    _begin_sending(session, messages.values(), connection, now)
    return _claimed(attempts, messages, last_user, whole_messages)


def _claimed(attempts: dict[tuple[int, int], int], messages: dict[int, AnyRow], last_user: int, whole: bool) -> Claim:
    """Make submissions of what was claimed."""
    cut: dict[int, tuple[Segment, ...]] = {}
    submissions: list[Submission] = []
    spoiled: list[Spoiled] = []
    for (message_id, index), attempt_id in attempts.items():
        try:
            submissions.append(_submission(messages[message_id], index, attempt_id, cut, whole))
        except (ValueError, IndexError) as error:
            spoiled.append(Spoiled(attempt_id, message_id, index, f"It cannot be cut into the segments it was accepted with: {error}"))
    return Claim(submissions, last_user, tuple(spoiled))


_LEASE = (
    select(ConnectionStatus.token, ConnectionStatus.lease_until)
    .where(ConnectionStatus.connection_id == bindparam("connection"))
    .with_for_update(read=True)
)


def check_lease(session: Session, connection_id: int, token: int) -> None:
    """Hold the connection's lease for this transaction. Raises: LeaseLost."""
    row = session.execute(_LEASE, {"connection": connection_id}).first()
    if row is None or row.token != token or row.lease_until is None or row.lease_until <= database_now(session):
        raise LeaseLost


# The literal states let the planners use the partial indexes.
_USERS = text(
    "WITH RECURSIVE u(id) AS ("
    " SELECT (SELECT min(user_id) FROM outbox WHERE provider = :provider AND state = 0 AND user_id > :after)"
    " UNION ALL"
    " SELECT (SELECT min(user_id) FROM outbox WHERE provider = :provider AND state = 0 AND user_id > u.id)"
    " FROM u WHERE u.id IS NOT NULL"
    ") SELECT id FROM u WHERE id IS NOT NULL LIMIT :room"
)


def users_in_turn(session: Session, provider: str, room: int, after_user: int) -> list[int]:
    """Return at most `room` users with segments in a provider's queue, in a round that goes on behind `after_user`."""
    users = list(session.execute(_USERS, {"provider": provider, "after": after_user, "room": room}).scalars())
    if len(users) < room:
        users += [
            user
            for user in session.execute(_USERS, {"provider": provider, "after": 0, "room": room - len(users)}).scalars()
            if user <= after_user
        ]
    return users[:room]


def _pick(session: Session, provider: str, room: int, after_user: int, whole: bool, now: datetime) -> tuple[list[AnyRow], int]:
    """Choose rows: an equal share for each user that has any, in a round that goes on behind `after_user`."""
    users = users_in_turn(session, provider, room, after_user)
    heads: dict[int, Sequence[AnyRow]] = {}
    last_user = after_user
    left = room
    for index, user in enumerate(users):
        share = -(-left // (len(users) - index))
        heads[user] = _head(session, provider, user, share, whole, now)
        left -= len(heads[user])
        last_user = user
    # Who has more than his share takes what the others left.
    for user, rows in heads.items():
        if left and rows:
            heads[user] = _head(session, provider, user, len(rows) + left, whole, now)
            left -= len(heads[user]) - len(rows)
    return [row for rows in heads.values() for row in rows], last_user


_HEAD = (
    select(_OUTBOX.c.message_id, _OUTBOX.c.segment_index)
    .where(
        _OUTBOX.c.provider == bindparam("provider"),
        text("state = 0"),
        _OUTBOX.c.user_id == bindparam("user"),
        (_OUTBOX.c.expires_at > bindparam("now")) | _OUTBOX.c.expires_at.is_(None),
    )
    .order_by(text("priority DESC"), _OUTBOX.c.message_id, _OUTBOX.c.segment_index)
    .limit(bindparam("room"))
    .with_for_update(skip_locked=True)
)
_WHOLE_HEAD = _HEAD.where(_OUTBOX.c.segment_index == 0)


def _head(session: Session, provider: str, user_id: int, limit: int, whole: bool, now: datetime) -> Sequence[AnyRow]:
    values = {"provider": provider, "user": user_id, "now": now, "room": limit}
    return session.execute(_WHOLE_HEAD if whole else _HEAD, values).all()


_CLAIMED = ("state", "attempt_id", "connection_id", "token", "due_at")


def _mark(session: Session, connection: ConnectionView, token: int, attempts: dict[tuple[int, int], int], whole: bool) -> None:
    """Note who sends which rows under which attempt; a whole message's rows share one."""
    keys = ("message_id", "state") if whole else ("message_id", "segment_index")
    rows = [
        (SENDING, attempt_id, connection.id, token, None, message_id, QUEUED if whole else index)
        for (message_id, index), attempt_id in attempts.items()
    ]
    update_rows(session, _OUTBOX, keys, _CLAIMED, rows)


_LOADED = (
    _MESSAGES.c.id,
    _MESSAGES.c.user_id,
    _MESSAGES.c.state,
    _MESSAGES.c.version,
    _MESSAGES.c.source,
    _MESSAGES.c.destination,
    _MESSAGES.c.text,
    _MESSAGES.c.data,
    _MESSAGES.c.udh,
    _MESSAGES.c.alphabet,
    _MESSAGES.c.message_class,
    _MESSAGES.c.segment_count,
    _MESSAGES.c.concat_reference,
    _MESSAGES.c.priority,
    _MESSAGES.c.report_requested,
    _MESSAGES.c.expires_at,
    _MESSAGES.c.parameters,
)


_LOAD = select(*_LOADED).where(among(_MESSAGES.c.id, "ids"))


def _load(session: Session, message_ids: Iterable[int]) -> dict[int, AnyRow]:
    return {row.id: row for row in session.execute(_LOAD, {"ids": sorted(message_ids)})}


def _begin_sending(session: Session, messages: Iterable[AnyRow], connection: ConnectionView, now: datetime) -> None:
    """Advance messages of which the first segment leaves now."""
    starting = [row for row in messages if row.state == State.QUEUED]
    if starting and session.get_bind().dialect.name == "postgresql":
        # Another link may be claiming another segment of the same message: one of the two begins it.
        starting = [row for row in lock_messages(session, (row.id for row in starting)).values() if row.state == State.QUEUED]
    if not starting:
        return
    update_rows(
        session,
        _MESSAGES,
        ("id",),
        ("state", "version", "updated_at", "connection_id"),
        [(State.SENDING.value, row.version + 1, now, connection.id, row.id) for row in starting],
    )
    journal.write(
        session,
        [
            {
                "message_id": row.id,
                "version": row.version + 1,
                "kind": State.SENDING.value,
                "at": now,
                "user_id": row.user_id,
                "data": {"connection": connection.name},
            }
            for row in starting
        ],
    )


def _submission(row: AnyRow, index: int, attempt_id: int, cut: dict[int, tuple[Segment, ...]], whole: bool) -> Submission:
    """Make the submission of one segment; the segments of a message are cut once."""
    alphabet = Alphabet(row.alphabet)
    if whole:
        segment = _uncut(row, alphabet)
    else:
        if row.id not in cut:
            cut[row.id] = _cut(row, alphabet)
        segment = cut[row.id][index]
    return Submission(
        attempt_id=attempt_id,
        message_id=public_id(row.id),
        segment_index=index,
        segment_count=row.segment_count,
        source=row.source,
        destination=row.destination,
        alphabet=alphabet,
        user_data=segment.user_data,
        text=segment.text,
        udh=segment.udh,
        concatenation=segment.concatenation,
        message_class=row.message_class,
        priority=row.priority,
        report_requested=row.report_requested,
        expires_at=row.expires_at,
        parameters=row.parameters or {},
    )


def _cut(row: AnyRow, alphabet: Alphabet) -> tuple[Segment, ...]:
    udh = row.udh or b""
    if row.data is not None:
        return segments.split_data(row.data, udh=udh, reference=row.concat_reference % 256)
    return segments.split(row.text, alphabet=alphabet, udh=udh, reference=row.concat_reference % 256)


def _uncut(row: AnyRow, alphabet: Alphabet) -> Segment:
    """Return the whole message as one segment, for a peer that cuts by itself."""
    if row.data is not None:
        return Segment(0, "", row.data, row.udh or b"", None, alphabet)
    user_data = b"".join(segment.user_data for segment in segments.split(row.text, alphabet=alphabet))
    return Segment(0, row.text, user_data, row.udh or b"", None, alphabet)

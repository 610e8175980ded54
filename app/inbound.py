"""Incoming messages: stored raw, joined, routed, charged, and put into inboxes, in one transaction.

A segment is durable before the network is told so. A repeat that the network sends again is recognised and changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app import holding, joining, journal, ledger, pricing
from app.db import AnyRow, storable
from app.identifiers import IdMaker
from app.ledger import format_credits
from app.lifecycle import Folder, NoCredit, State
from app.models import IncomingSegment, Message, table
from app.routing import CompiledRoute
from app.snapshot import ConnectionView, Snapshot, UserView
from pennywire import Alphabet, Direction, Incoming, PriceRequest, RoutingSubject
from pennywire.sms import decode

_SEGMENTS = table(IncomingSegment)
_MESSAGES = table(Message)


def receive(
    session: Session, snapshot: Snapshot, incoming: Sequence[tuple[ConnectionView, Incoming]], *, ids: IdMaker, now: datetime
) -> int:
    """Store segments, join what is complete, and deliver it; return how many messages were delivered."""
    delivered = 0
    segments = [(connection, joining.storable_segment(segment)) for connection, segment in incoming]
    for connection, segment in joining.fresh(session, segments, now):
        place = segment.concatenation
        row_id = joining.store(session, connection, segment, now)
        if place is None or place.total <= 1:
            delivered += _deliver(session, snapshot, connection, [([row_id], segment)], ids=ids, now=now)
            continue
        series = joining.series(session, connection, segment, now)
        if len(series) == place.total:
            delivered += _deliver(session, snapshot, connection, series, ids=ids, now=now)
    return delivered


def deliver_incomplete(session: Session, snapshot: Snapshot, *, ids: IdMaker, now: datetime, limit: int = 50) -> int:
    """Deliver series that waited too long for a segment, marked incomplete; return how many."""
    first: AnyRow | None
    delivered = 0
    for _ in range(limit):
        first = session.execute(
            select(_SEGMENTS).where(_SEGMENTS.c.message_id.is_(None), _SEGMENTS.c.received_at <= now - joining.JOIN_WINDOW).limit(1)
        ).first()
        if first is None:
            break
        gone = ConnectionView(first.connection_id, "", "", first.provider, started=False)
        connection = snapshot.connections.get(first.connection_id, gone)
        segment = joining.decode_incoming(first.body)
        series = joining.overdue(session, first)
        delivered += _deliver(session, snapshot, connection, series or [([first.id], segment)], ids=ids, now=now)
    return delivered


def _deliver(
    session: Session,
    snapshot: Snapshot,
    connection: ConnectionView,
    series: Sequence[joining.Stored],
    *,
    ids: IdMaker,
    now: datetime,
) -> int:
    """Make a message for each user that the routes name; without one the message stays with the connection's events."""
    segments = [segment for _, segment in series]
    text, data = _content(segments)
    subject = RoutingSubject(Direction.INBOUND, segments[0].source, segments[0].destination, text, now, connection=connection.name)
    copies = _copies(snapshot, subject)
    place = segments[0].concatenation
    incomplete = place is not None and len(segments) < place.total
    numbers = ids.take(max(len(copies), 1))
    joined = _Joined(connection, segments, text, data, incomplete)
    for number, (user, route) in zip(numbers, copies, strict=False):
        _deliver_copy(session, snapshot, joined, user, route, number, now)
    if not copies:
        _note_unrouted(session, connection, segments[0], now)
    joined_ids = [row_id for row_ids, _ in series for row_id in row_ids]
    session.execute(update(_SEGMENTS).where(_SEGMENTS.c.id.in_(joined_ids)).values(message_id=numbers[0]))
    return len(copies)


def _content(segments: Sequence[Incoming]) -> tuple[str, bytes | None]:
    """Return the joined text, or the joined octets of a binary message. Octets are joined before they are decoded."""
    first = segments[0]
    if all(segment.text is not None for segment in segments):
        return "".join(segment.text or "" for segment in segments), None
    octets = b"".join(segment.user_data for segment in segments)
    if first.alphabet is Alphabet.BINARY:
        return "", octets
    return storable(decode(octets, first.alphabet, locking_shift=first.locking_shift, single_shift=first.single_shift)), None


def _copies(snapshot: Snapshot, subject: RoutingSubject) -> list[tuple[UserView, CompiledRoute]]:
    """Return who gets the message, each once, by the first route that names him."""
    copies: dict[int, tuple[UserView, CompiledRoute]] = {}
    for route in snapshot.inbound.all_matches(subject):
        if route.mode == "drop":
            break
        for username in route.targets:
            user = snapshot.user(username)
            if user is not None:
                copies.setdefault(user.id, (user, route))
    return list(copies.values())


@dataclass(frozen=True, slots=True)
class _Joined:
    """An incoming message, whole again, before it has an owner."""

    connection: ConnectionView
    segments: Sequence[Incoming]
    text: str
    data: bytes | None
    incomplete: bool


def _deliver_copy(
    session: Session, snapshot: Snapshot, joined: _Joined, user: UserView, route: CompiledRoute, number: int, now: datetime
) -> None:
    """Price, charge and store one user's copy."""
    first, segment_count = joined.segments[0], len(joined.segments)
    request = PriceRequest(
        Direction.INBOUND, user.username, first.source, first.destination, segment_count, route.name, joined.connection.provider, now
    )
    quote = pricing.price(request, route.cost, snapshot.rules)
    per_segment_uc, why = (0, quote.why) if isinstance(quote, pricing.NoPrice) else (quote.per_segment_uc, quote.why)
    price_uc = per_segment_uc * segment_count
    wanted = user.accounting_enabled and price_uc != 0
    state, charged = _charge(session, snapshot, user, route, number, price_uc, wanted, now)
    money = {"price_uc": price_uc, "price_why": why, "charged": charged}
    session.execute(insert(_MESSAGES), [_row(joined, user, route, now) | money | {"id": number, "state": state.value}])
    if state is State.HELD:
        holding.hold(session, user.account_id, number, price_uc)
    entry: journal.Entry = {
        "message_id": number,
        "version": 1,
        "kind": "received" if state is State.DELIVERED else state.value,
        "at": now,
        "user_id": user.id,
        "data": {"connection": joined.connection.name} | ({"settled": format_credits(price_uc)} if charged else {}),
    }
    journal.write(session, [entry])


def _row(joined: _Joined, user: UserView, route: CompiledRoute, now: datetime) -> dict[str, Any]:
    first = joined.segments[0]
    return {
        "direction": Direction.INBOUND.value,
        "user_id": user.id,
        "folder": Folder.INBOX.value,
        "source": first.source[:21],
        "destination": first.destination[:21],
        "text": joined.text,
        "data": joined.data,
        "udh": first.udh or None,
        "alphabet": first.alphabet.value,
        "message_class": first.message_class,
        "segment_count": len(joined.segments),
        "created_at": now,
        "updated_at": now,
        "send_at": first.sent_at,
        "report_requested": False,
        "entrance": "network",
        "route_id": route.id,
        "route_why": f"{route.name}: {route.why}",
        "provider": joined.connection.provider,
        "connection_id": joined.connection.id,
        "terms": route.terms.code(),
        "incomplete": joined.incomplete,
        "parameters": dict(first.parameters) or None,
    }


def _charge(
    session: Session,
    snapshot: Snapshot,
    user: UserView,
    route: CompiledRoute,
    number: int,
    price_uc: int,
    charged: bool,
    now: datetime,
) -> tuple[State, bool]:
    """Take the price of an incoming message; say what becomes of it, and whether it was charged."""
    if not charged:
        return State.DELIVERED, False
    (taken,) = ledger.take_inbound(
        session,
        [ledger.Charge(user.account_id, number, price_uc)],
        now=now,
        actor="gateway",
        revenue_id=snapshot.revenue_id,
        guarded=route.no_credit is not NoCredit.DELIVER,
    )
    if taken:
        return State.DELIVERED, True
    return (State.HELD if route.no_credit is NoCredit.HOLD else State.REJECTED), False


def _note_unrouted(session: Session, connection: ConnectionView, segment: Incoming, now: datetime) -> None:
    """Note a message that no route wanted; its segments stay stored."""
    data = {"connection": connection.name, "destination": segment.destination}
    journal.write(session, [{"message_id": None, "version": 0, "kind": "unrouted", "at": now, "user_id": None, "data": data}])

"""Movements put together by kind, by day, by route and by the country of the destination. Units: microcredits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Label, Select, case, cast, func, select
from sqlalchemy.dialects.postgresql import BIGINT
from sqlalchemy.orm import Session

from app.db import AnyRow, of_microseconds
from app.ledger import Kind
from app.models import Message, Route, Transfer, table
from app.numbering import calling_code
from app.periods import zone
from app.statements.figures import Line, Reservations, effect, sides
from app.statements.intervals import Interval

KIND_LABELS: Mapping[str, str] = {
    Kind.TOP_UP: "Top-ups",
    Kind.CORRECT: "Corrections",
    Kind.ALLOT: "Allotments",
    Kind.SETTLE: "Messages",
    Kind.REFUND: "Refunds",
    Kind.PAY: "Paid for incoming messages",
}
"""Lines by kind, in their order; a kind that is not here comes last, under its own word."""

NO_MESSAGE = "No message"
RECEIVED = "Received messages"
NOT_KEPT = "Messages no longer kept"
OTHER_DESTINATIONS = "Short codes and others"

_QUARTER_US = 900 * 1_000_000
"""A quarter of an hour: no time zone of today begins its days between two of them."""

_TRANSFERS, _MESSAGES = table(Transfer), table(Message)


def grouped(session: Session, account_id: int, interval: Interval) -> tuple[dict[str, Sequence[Line]], Reservations]:
    """Return the lines of an account's interval by grouping, and its reservations."""
    kinds, by_day, reservations = _by_time(session, account_id, interval)
    routes, destinations, segment_counts = _by_message(session, account_id, interval)
    kinds = {kind: line.joined(Line("", "", segment_count=segment_counts.get(kind, 0))) for kind, line in kinds.items()}
    ordered = sorted(kinds.values(), key=lambda line: (list(KIND_LABELS).index(line.key) if line.key in KIND_LABELS else 99, line.key))
    groups: dict[str, Sequence[Line]] = {
        "kind": tuple(ordered),
        "day": tuple(by_day[day] for day in sorted(by_day)),
        "route": _without_messages_first(routes.values()),
        "destination": _without_messages_first(destinations.values()),
    }
    return groups, reservations


def _without_messages_first(lines: Iterable[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=lambda line: (line.key != "", line.change_uc, line.label)))


def _put(lines: dict[str, Line], line: Line) -> None:
    lines[line.key] = lines[line.key].joined(line) if line.key in lines else line


def _line(key: str, label: str, row_count: int, change_uc: int, segment_count: int = 0) -> Line:
    return Line(key, label, row_count, segment_count, max(change_uc, 0), max(-change_uc, 0))


def _by_time(session: Session, account_id: int, interval: Interval) -> tuple[dict[str, Line], dict[str, Line], Reservations]:
    """Return lines by kind and by day, and the reservations: rows are summed by quarter of an hour, whatever the time zone."""
    here = zone(interval.time_zone)
    kinds: dict[str, Line] = {}
    by_day: dict[str, Line] = {}
    reserved_uc = taken_uc = returned_uc = 0
    quarter = _quarter(session)
    for debited, conditions in sides([account_id], interval.started_at, interval.ends_at):
        chosen = (
            select(
                _TRANSFERS.c.kind,
                quarter,
                func.count().label("row_count"),
                func.sum(_TRANSFERS.c.amount_uc).label("amount_uc"),
                func.sum(_TRANSFERS.c.released_uc).label("released_uc"),
            )
            .where(*conditions)
            .group_by(_TRANSFERS.c.kind, quarter)
        )
        for row in session.execute(chosen):
            amount_uc, released_uc = int(row.amount_uc), int(row.released_uc)
            reserved_uc += amount_uc if row.kind == Kind.CHARGE else 0
            taken_uc += amount_uc if row.kind == Kind.SETTLE else 0
            returned_uc += amount_uc if row.kind == Kind.RELEASE else released_uc
            if row.kind in (Kind.CHARGE, Kind.RELEASE):
                continue
            change_uc = effect(row.kind, amount_uc, released_uc, debited=debited).balance_uc
            _put(kinds, _line(row.kind, KIND_LABELS.get(row.kind, row.kind), row.row_count, change_uc))
            day = str(of_microseconds(int(row.quarter) * _QUARTER_US).astimezone(here).date())
            _put(by_day, _line(day, day, row.row_count, change_uc))
    return kinds, by_day, Reservations(reserved_uc, taken_uc, returned_uc)


def _quarter(session: Session) -> Label[Any]:
    if session.get_bind().dialect.name == "sqlite":
        return (cast(_TRANSFERS.c.at, BIGINT) // _QUARTER_US).label("quarter")
    return cast(func.floor(func.extract("epoch", _TRANSFERS.c.at) / (_QUARTER_US // 1_000_000)), BIGINT).label("quarter")


_PREFIX_LENGTH = 4
"""A plus and the longest calling code."""

_PREFIX = case((_MESSAGES.c.direction == "outbound", func.substr(_MESSAGES.c.destination, 1, _PREFIX_LENGTH)), else_="").label("prefix")


def _by_message(session: Session, account_id: int, interval: Interval) -> tuple[dict[str, Line], dict[str, Line], dict[str, int]]:
    """Return lines by route and by the country of the destination, and the segments by kind."""
    found: list[tuple[bool, AnyRow]] = []
    for debited, conditions in sides([account_id], interval.started_at, interval.ends_at):
        found += [(debited, row) for row in session.execute(_joined(conditions))]
    names = _route_names(session, {row.route_id for _, row in found if row.route_id is not None})
    routes: dict[str, Line] = {}
    destinations: dict[str, Line] = {}
    segment_counts: dict[str, int] = {}
    for debited, row in found:
        change_uc = effect(row.kind, int(row.amount_uc), 0, debited=debited).balance_uc
        segment_count = int(row.segment_count or 0)
        segment_counts[row.kind] = segment_counts.get(row.kind, 0) + segment_count
        counted = segment_count if row.kind == Kind.SETTLE else 0
        for lines, (key, label) in ((routes, _route(row, names)), (destinations, _destination(row))):
            _put(lines, _line(key, label, row.row_count, change_uc, counted))
    return routes, destinations, segment_counts


def _joined(conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    about_message = _TRANSFERS.c.message_id.is_not(None).label("about_message")
    keys = (_TRANSFERS.c.kind, about_message, _MESSAGES.c.direction, _MESSAGES.c.route_id, _PREFIX)
    return (
        select(
            *keys,
            func.count().label("row_count"),
            func.sum(_TRANSFERS.c.amount_uc).label("amount_uc"),
            func.sum(_MESSAGES.c.segment_count).label("segment_count"),
        )
        .select_from(_TRANSFERS.outerjoin(_MESSAGES, _MESSAGES.c.id == _TRANSFERS.c.message_id))
        .where(*conditions, _TRANSFERS.c.kind.not_in((Kind.CHARGE.value, Kind.RELEASE.value)))
        .group_by(*keys)
    )


def _route_names(session: Session, route_ids: set[int]) -> dict[int, str]:
    rows = session.execute(select(Route.id, Route.name).where(Route.id.in_(sorted(route_ids))))
    return {row.id: row.name for row in rows}


def _route(row: AnyRow, names: Mapping[int, str]) -> tuple[str, str]:
    if not row.about_message:
        return "", NO_MESSAGE
    if row.direction is None:
        return "gone", NOT_KEPT
    if row.route_id is None:
        return "none", "No route"
    return str(row.route_id), names.get(row.route_id, f"Route {row.route_id}, deleted")


def _destination(row: AnyRow) -> tuple[str, str]:
    if not row.about_message:
        return "", NO_MESSAGE
    if row.direction is None:
        return "gone", NOT_KEPT
    if row.direction == "inbound":
        return "received", RECEIVED
    code = calling_code(row.prefix)
    return (f"+{code}", f"+{code}") if code else ("other", OTHER_DESTINATIONS)

"""`reporting`: how many messages each user sent and received in an interval, by the legacy dialect.

The summary has the two elements that the old product answers; `detailed` adds segments and what was charged.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType

from app.ledger import format_credits
from app.refusals import RequestRefused
from app.snapshot import Snapshot
from app.web import traffic
from app.web.api import times
from app.web.api.legacy_answers import Pairs, Reply
from app.web.api.legacy_call import Call
from app.web.api.parameters import Parameters
from app.web.api.user_actions import require_administrator

DIRECTIONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("", "all", "both", "inout"), ""),
        **dict.fromkeys(("in", "inbound", "incoming", "received"), "inbound"),
        **dict.fromkeys(("out", "outbound", "outgoing", "sent"), "outbound"),
    }
)
"""Words of clients to our directions; without one both count."""

EXPORTS = frozenset({"", "summary", "detailed"})

_USER = ("repuser", "useraccount", "user", "name")
_OPERATOR = ("repoperator", "operator", "serviceprovider")
_SINCE = ("repfrom", "from", "startdate", "datefrom", "date")
_UNTIL = ("repto", "to", "enddate", "dateto", "date")


def report(call: Call) -> Reply:
    """Answer one record for each user who had messages, or for the one that is named. Raises: RequestRefused."""
    require_administrator(call)
    given, snapshot = call.parameters, call.core.snapshots.present()
    word = given.get("repdirection", given.get("direction")).strip().lower()
    if word not in DIRECTIONS:
        raise RequestRefused(
            "invalid_parameter", f"repDirection is {word[:40]!r}; it must be in or out, or left out for both.", "repDirection"
        )
    export = given.get("toexport").strip().lower()
    if export not in EXPORTS:
        raise RequestRefused("invalid_parameter", f"toExport is {export[:40]!r}; it must be summary or detailed.", "toExport")
    user_ids = _users(given, snapshot)
    since, until = _interval(given, times.zone(snapshot))
    provider, connection_id = _operator(given, snapshot)
    with call.core.database.read() as session:
        counts = traffic.count_by_user(
            session,
            since=since,
            until=until,
            user_ids=user_ids,
            direction=DIRECTIONS[word],
            provider=provider,
            connection_id=connection_id,
        )
    for user_id in user_ids or ():
        counts.setdefault(user_id, traffic.UserCount(0, 0, 0))
    names = {user_id: snapshot.users_by_id[user_id].username for user_id in counts if user_id in snapshot.users_by_id}
    ordered = sorted(names, key=lambda user_id: names[user_id].lower())
    return Reply("reporting", "user", [_record(names[user_id], counts[user_id], detailed=export == "detailed") for user_id in ordered])


def _record(username: str, count: traffic.UserCount, *, detailed: bool) -> Pairs:
    record = (("username", username), ("messages", str(count.message_count)))
    return (*record, ("segments", str(count.segment_count)), ("cost", format_credits(count.price_uc))) if detailed else record


def _first(given: Parameters, names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := given.get(name).strip())), "")


def _users(given: Parameters, snapshot: Snapshot) -> list[int] | None:
    """Return the user that is named, also one who was deleted, or None for all. Raises: RequestRefused."""
    name = _first(given, _USER)
    if not name:
        return None
    found = [view.id for view in snapshot.users_by_id.values() if view.username == name]
    if not found:
        raise RequestRefused("not_found", f"There is no user {name[:40]!r}. Check the name; it is case-sensitive.", "repUser")
    return found


def _operator(given: Parameters, snapshot: Snapshot) -> tuple[str, int | None]:
    """Return the service provider, or the connection, that is named. Raises: RequestRefused."""
    name = _first(given, _OPERATOR)
    if not name or name in snapshot.providers:
        return name, None
    for connection in snapshot.connections.values():
        if connection.name == name:
            return "", connection.id
    raise RequestRefused("not_found", f"There is no service provider and no connection {name[:64]!r}.", "repOperator")


def _interval(given: Parameters, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """Return where the interval begins, and where it is over. A day without a time counts from its beginning to its end."""
    since, until = (_plain(_first(given, names)) for names in (_SINCE, _UNTIL))
    begin = _moment(since, zone, "repFrom") if since else None
    end = _moment(until, zone, "repTo") if until else None
    if end is not None and len(until) <= len("2026-01-31"):
        end = (end.astimezone(zone) + timedelta(days=1)).astimezone(UTC)
    if begin is not None and end is not None and begin >= end:
        raise RequestRefused("invalid_parameter", "The interval ends before it begins.", "repTo")
    return begin, end


def _plain(text: str) -> str:
    """Return a time as `times.read` reads it; localised programs write `2026.01.31. 23:59:00`."""
    return text.replace(". ", " ").rstrip(".").replace(".", "-")


def _moment(text: str, zone: tzinfo, field: str) -> datetime:
    try:
        return times.read(text, zone)
    except (times.NotATime, OverflowError) as error:
        raise RequestRefused(
            "invalid_parameter", f"{text[:40]!r} is no date. Write it as 2026-01-31, or 2026-01-31 23:59:00.", field
        ) from error

"""Delivery reports of a connection that met no message: which reading of their ids would meet one, and the change that follows.

Operators differ in how a receipt writes the id that the answer gave: in another base, or with something in front. A connection whose
kind has the settings `FORM_SETTING` and `PREFIX_SETTING` can be told; here each reading is tried on what is parked (traps D1, D8).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import administration
from app.arrays import among
from app.bulk import insert_rows
from app.db import AnyRow
from app.identifiers import public_id
from app.models import Message, ParkedReport, Segment, ServiceConnection, table
from app.plugins import Plugins
from app.secrets import Vault
from pennywire import Connector
from pennywire.sms.receipts import IdMode, id_forms, said_id

FORM_SETTING: Final = "receipt_id_form"
PREFIX_SETTING: Final = "receipt_id_prefix"
MOST_SHOWN: Final = 100
#: So many parked reports are read anew when the settings change; older ones wait for their end.
MOST_READ_ANEW: Final = 10_000
_LONGEST_PREFIX: Final = 8
#: What is left behind a prefix must be long enough to be nobody else's id.
_SHORTEST_REST: Final = 6
#: Numbers may be national in a receipt: their last digits are compared.
_SAME_DIGITS: Final = 7
_MODES: Final[tuple[IdMode, ...]] = ("as_is", "hex_to_decimal", "decimal_to_hex")

_PARKED = table(ParkedReport)
_SEGMENTS = table(Segment)
_MESSAGES = table(Message)


class Reading(NamedTuple):
    """How to read a receipt's id: what to cut off its front, then how to write the rest."""

    mode: IdMode
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class UnmatchedReport:
    """A parked report. `said` is its id as the peer wrote it; `meets` is the public id of a message by each reading that meets one."""

    received_at: datetime
    said: str
    state: str
    error_code: str
    destination: str
    raw: str
    meets: Mapping[Reading, str]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is parked of a connection: how many in all, the newest, and the reading that meets most of these, if any does."""

    report_count: int
    reports: Sequence[UnmatchedReport]
    proposal: Reading | None
    met_count: int


def can_be_told(kind: type[Connector] | None) -> bool:
    """Say whether connections of a kind have the settings that say how ids are read."""
    return kind is not None and {FORM_SETTING, PREFIX_SETTING} <= {setting.name for setting in kind.settings}


def inspect(session: Session, connection: ServiceConnection) -> Inspection:
    """Try every reading of the ids of the newest parked reports against the ids that the same provider gave at submission."""
    rows = _newest(session, connection.id, MOST_SHOWN)
    said = {row.report_id: said_id(row.raw) or next(iter(row.network_ids), "") for row in rows}
    known = _known(session, connection.provider, {form for text in said.values() for _, form in _readings(text)})
    reports = [
        UnmatchedReport(
            row.received_at,
            said[row.report_id],
            row.state,
            row.error_code,
            row.destination,
            row.raw,
            {
                reading: public_id(found.message_id)
                for reading, form in _readings(said[row.report_id])
                if (found := known.get(form)) is not None and _same_number(row.destination, found.destination)
            },
        )
        for row in rows
    ]
    counts = Counter(reading for report in reports for reading in report.meets)
    # Of equals the plainest: no prefix first, then in the order of the modes.
    best = min(counts, key=lambda one: (-counts[one], len(one.prefix), _MODES.index(one.mode)), default=None)
    count = session.scalar(select(func.count(func.distinct(_PARKED.c.report_id))).where(_PARKED.c.connection_id == connection.id))
    return Inspection(count or 0, reports, best, counts[best] if best else 0)


def apply_reading(
    session: Session, name: str, reading: Reading, *, plugins: Plugins, vault: Vault, now: datetime, actor: str
) -> ServiceConnection:
    """Set how a connection reads ids, and read what is parked anew: the sweeper matches it in its next round.

    Raises: InvalidField for a reading that the settings refuse or a kind that has none, NotThere.
    """
    connection = administration.find_connection(session, name)
    kind = administration.connection_kind(plugins, connection.kind)
    if not can_be_told(kind):
        raise administration.InvalidField(FORM_SETTING, f"Connections of kind {connection.kind} have no setting for the ids of receipts.")
    given = {**administration.shown_settings(kind, connection.settings), FORM_SETTING: reading.mode, PREFIX_SETTING: reading.prefix}
    provider = connection.provider
    administration.edit_connection(session, name, given, provider=provider, plugins=plugins, vault=vault, now=now, actor=actor)
    _read_anew(session, connection.id, reading)
    return connection


def _read_anew(session: Session, connection_id: int, reading: Reading) -> None:
    rows = _newest(session, connection_id, MOST_READ_ANEW)
    anew = []
    for row in rows:
        text = said_id(row.raw)
        forms = id_forms(text.removeprefix(reading.prefix), reading.mode) if text else ()
        if forms:
            shared = {**row._asdict(), "report_id": uuid4().hex, "network_ids": list(forms)}
            del shared["id"]
            anew.append((row.report_id, [{**shared, "network_id": form[:65]} for form in forms]))
    session.execute(delete(_PARKED).where(among(_PARKED.c.report_id, "ids")), {"ids": [report_id for report_id, _ in anew]})
    insert_rows(session, _PARKED, [row for _, rows_of_one in anew for row in rows_of_one])


def _newest(session: Session, connection_id: int, limit: int) -> list[AnyRow]:
    """Return one row of each report, the newest first."""
    first = select(func.min(_PARKED.c.id).label("id")).where(_PARKED.c.connection_id == connection_id).group_by(_PARKED.c.report_id)
    return list(session.execute(select(_PARKED).where(_PARKED.c.id.in_(first)).order_by(_PARKED.c.id.desc()).limit(limit)))


def _readings(said: str) -> Iterator[tuple[Reading, str]]:
    """Yield each reading of an id with the id that it gives. Leading zeros and case never count: they are normalised away."""
    prefixes = [said[:length] for length in range(min(_LONGEST_PREFIX, max(len(said) - _SHORTEST_REST, 0)) + 1)]
    for prefix in prefixes:
        for mode in _MODES:
            for form in id_forms(said.removeprefix(prefix), mode):
                yield Reading(mode, prefix), form


def _known(session: Session, provider: str, forms: set[str]) -> dict[str, AnyRow]:
    """Return the segments of a provider by those of the ids that it has given."""
    statement = (
        select(_SEGMENTS.c.network_id, _SEGMENTS.c.message_id, _MESSAGES.c.destination)
        .join(_MESSAGES, _MESSAGES.c.id == _SEGMENTS.c.message_id)
        .where(among(_SEGMENTS.c.network_id, "ids"), _SEGMENTS.c.provider == provider)
    )
    return {row.network_id: row for row in session.execute(statement, {"ids": sorted(forms)})}


def _same_number(told: str, destination: str) -> bool:
    """Say whether a receipt may be about a destination; one that names no number may be."""
    return not told or told[-_SAME_DIGITS:] == destination[-_SAME_DIGITS:]

"""Versions of price lists between the database and memory.

A version is packed once, when its import ends or before it is activated; processes that serve read the pack. Where there is none,
they read the entries: the same prices, more slowly.
"""

import logging
from collections.abc import Iterator

from sqlalchemy import BigInteger, select, tuple_, type_coerce
from sqlalchemy.orm import Session

from pennywire import Storage
from pennywire_tariff.compiled import Compiled, EntryRow
from pennywire_tariff.lists import find_list, find_version
from pennywire_tariff.models import Entry, Pack, Version
from pennywire_tariff.packed import Prefixes, Span

_LOG = logging.getLogger(__name__)

CHUNK = 5000
"""Entries that are read at a time."""

_ENTRIES = select(
    Entry.prefix,
    Entry.mcc,
    Entry.mnc,
    Entry.price_uc,
    type_coerce(Entry.effective_at, BigInteger),
    type_coerce(Entry.end_at, BigInteger),
)


def pack(gateway: Storage, version_id: int) -> None:
    """Pack a version, unless that was done since its last change. Memory: 40 octets for each price."""
    with gateway.read() as session:
        version, present = session.get_one(Version, version_id), session.get(Pack, version_id)
        if version.state == "loading" or (present is not None and present.edit_count == version.edit_count):
            return
        edit_count = version.edit_count
        prefixes = _packed(session, version_id)
    made = Pack(version_id=version_id, edit_count=edit_count, entry_count=len(prefixes), octets=prefixes.to_octets())
    with gateway.write() as session:
        session.merge(made)


def pack_number(gateway: Storage, list_name: str, number: int) -> None:
    """Pack a version by its number; to be done before it is activated, so that no process reads it slowly then. Raises: NotThere."""
    with gateway.read() as session:
        version_id = find_version(session, find_list(session, list_name), number).id
    pack(gateway, version_id)


def read_version(session: Session, version_id: int, label: str) -> Compiled:
    """Read one version."""
    found = session.execute(
        select(Pack.octets, Pack.entry_count)
        .join(Version, Version.id == Pack.version_id)
        .where(Pack.version_id == version_id, Pack.edit_count == Version.edit_count)
    ).first()
    prefixes = _packed(session, version_id) if found is None else Prefixes.of_octets(found.octets, found.entry_count)
    others = session.execute(_ENTRIES.where(Entry.version_id == version_id, Entry.prefix == ""))
    compiled = Compiled(label, prefixes, (EntryRow(*row) for row in others))
    _LOG.info("read price list", extra={"version": label, "entry_count": len(compiled), "packed": found is not None})
    return compiled


def _packed(session: Session, version_id: int) -> Prefixes:
    return Prefixes(_spans(session, version_id))


def _spans(session: Session, version_id: int) -> Iterator[Span]:
    """Yield the prices by prefix in the order of an index, a chunk at a time: digits sort alike on every database."""
    place = tuple_(Entry.prefix, Entry.id)
    statement = (
        select(
            Entry.prefix,
            Entry.price_uc,
            type_coerce(Entry.effective_at, BigInteger),
            type_coerce(Entry.end_at, BigInteger),
            Entry.id,
        )
        .where(Entry.version_id == version_id, Entry.mcc == "", Entry.mnc == "", Entry.prefix > "")
        .order_by(Entry.prefix, Entry.id)
        .limit(CHUNK)
    )
    last: tuple[str, int] | None = None
    while True:
        rows = session.execute(statement if last is None else statement.where(place > last)).all()
        yield from (Span(prefix, price_uc, since_us, until_us) for prefix, price_uc, since_us, until_us, _id in rows)
        if len(rows) < CHUNK:
            return
        last = (rows[-1].prefix, rows[-1].id)

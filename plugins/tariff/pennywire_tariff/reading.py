"""Reads price lists into memory. Versions never change once activated, so that a process reads each of them once."""

import threading
from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from pennywire_tariff.compiled import Book, Compiled, Networks, Timeline
from pennywire_tariff.models import Activation, Assignment, Member, NetworkMap, NetworkPrefix, PriceList, Version
from pennywire_tariff.packing import read_version

PAST_KEPT = 2
"""Versions kept that held before the last change: the present one, and the one before for clocks that differ."""


class _Kept:
    """What this process has read of one database."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.versions: dict[int, Compiled] = {}
        self.networks: tuple[int, Networks] = (0, Networks())


_KEPT: WeakKeyDictionary[object, _Kept] = WeakKeyDictionary()


def read_book(session: Session) -> Book:
    """Read assignments and timelines, and those versions that are not in memory yet."""
    kept = _KEPT.setdefault(session.get_bind(), _Kept())
    with kept.lock:
        assignments = session.scalars(select(Assignment)).all()
        used = {row.list_id for row in assignments}
        lists = {row.id: row for row in session.scalars(select(PriceList)) if row.side == "buy" or row.id in used}
        timelines = _timelines(session, lists.values(), kept)
        needed = any(version.needs_networks for line in timelines.values() for version in line.versions)
        return Book(
            users=_users(session, assignments, timelines),
            defaults={row.direction: timelines[row.list_id] for row in assignments if row.kind == "default"},
            providers={(row.direction, row.provider): timelines[row.id] for row in lists.values() if row.side == "buy"},
            networks=read_networks(session, kept) if needed else Networks(),
        )


def _users(session: Session, assignments: Sequence[Assignment], timelines: dict[int, Timeline]) -> dict[tuple[str, str], Timeline]:
    """Return the list of each user: his own, else his group's."""
    found: dict[tuple[str, str], Timeline] = {}
    groups = {(row.direction, row.name): row.list_id for row in assignments if row.kind == "group"}
    if groups:
        directions = {direction for direction, _name in groups}
        for username, group in session.execute(select(Member.username, Member.group_name)):
            for direction in directions:
                if (list_id := groups.get((direction, group))) is not None:
                    found[direction, username] = timelines[list_id]
    return found | {(row.direction, row.name): timelines[row.list_id] for row in assignments if row.kind == "user"}


def _timelines(session: Session, lists: Iterable[PriceList], kept: _Kept) -> dict[int, Timeline]:
    """Return the timelines of lists, and forget the versions that none of them needs any more."""
    wanted = list(lists)
    activations: dict[int, list[tuple[Activation, int]]] = {row.id: [] for row in wanted}
    statement = (
        select(Activation, Version.number)
        .join(Version, Version.id == Activation.version_id)
        .where(Activation.cancelled_at.is_(None), Activation.list_id.in_([row.id for row in wanted]))
        .order_by(Activation.at, Activation.id)
    )
    for activation, number in session.execute(statement):
        activations[activation.list_id].append((activation, number))
    found: dict[int, Timeline] = {}
    read: dict[int, Compiled] = {}
    for row in wanted:
        rows = _relevant(activations[row.id])
        for activation, number in rows:
            version_id = activation.version_id
            if version_id not in read and version_id in kept.versions:
                read[version_id] = kept.versions[version_id]
            elif version_id not in read:
                read[version_id] = read_version(session, version_id, f"{row.name}, version {number}")
        versions = tuple(read[activation.version_id] for activation, _number in rows)
        for compiled, (_activation, number) in zip(versions, rows, strict=True):
            compiled.label = f"{row.name}, version {number}"  # The list may have been renamed.
        found[row.id] = Timeline(row.name, tuple(activation.at for activation, _number in rows), versions)
    kept.versions = read
    return found


def _relevant(rows: list[tuple[Activation, int]]) -> list[tuple[Activation, int]]:
    """Leave out what can hold no more. An activation is never made for the past, so that nothing is asked before the last was made."""
    if not rows:
        return rows
    made_at = max(activation.created_at for activation, _number in rows)
    past = sum(activation.at <= made_at for activation, _number in rows)
    return rows[max(past - PAST_KEPT, 0) :]


def read_networks(session: Session, kept: _Kept | None = None) -> Networks:
    """Read the newest table from prefixes to networks, unless it is in memory."""
    map_id = session.scalars(select(NetworkMap.id).where(NetworkMap.state == "ready").order_by(NetworkMap.id.desc()).limit(1)).first()
    if map_id is None:
        return Networks()
    if kept is not None and kept.networks[0] == map_id:
        return kept.networks[1]
    rows = session.execute(select(NetworkPrefix.prefix, NetworkPrefix.mcc, NetworkPrefix.mnc).where(NetworkPrefix.map_id == map_id))
    networks = Networks((prefix, mcc, mnc) for prefix, mcc, mnc in rows)
    if kept is not None:
        kept.networks = (map_id, networks)
    return networks

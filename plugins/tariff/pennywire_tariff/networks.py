"""The table from prefixes to networks, which the operator imports: the gateway ships none.

It knows to which network a range of numbers was given. A number that was ported to another network is still counted by its range.
"""

from collections.abc import Sequence
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pennywire import Storage
from pennywire_tariff.importing import Progress, Report
from pennywire_tariff.models import NetworkMap, NetworkPrefix
from pennywire_tariff.parsing import CannotRead, Form, NetworkLine, parse_networks
from pennywire_tariff.rows import CHUNK, delete_map, insert_rows

_NAMES = ("map_id", "line", "prefix", "mcc", "mnc", "name")


def present_map(session: Session) -> NetworkMap | None:
    """Return the table that counts, or None where none was imported."""
    return session.scalars(select(NetworkMap).where(NetworkMap.state == "ready").order_by(NetworkMap.id.desc()).limit(1)).first()


def import_again(gateway: Storage, job_number: int) -> Report | None:
    """Return what an earlier try of a job has finished; what it left half done is removed, and None says that there is nothing."""
    with gateway.read() as session:
        rows = session.scalars(select(NetworkMap).where(NetworkMap.job_number == job_number)).all()
    for row in rows:
        if row.state == "ready":
            return Report(line_count=row.entry_count, entry_count=row.entry_count)
        delete_map(gateway, row.id)
    return None


def import_map(
    gateway: Storage,
    file: IO[bytes],
    form: Form,
    *,
    origin: str = "",
    progress: Progress = lambda _count: None,
    job_number: int | None = None,
) -> Report:
    """Replace the table by a file's; nothing changes where a line is wrong. With `job_number`, `import_again` finds the table."""
    with gateway.write() as session:
        row = NetworkMap(origin=origin[:128], created_at=gateway.now, created_by=gateway.username, job_number=job_number)
        session.add(row)
        session.flush()
        map_id = row.id
    report = Report()
    try:
        _load(gateway, map_id, file, form, report, progress)
        if not report.refused and report.entry_count == 0:
            report.failure = "The file has no prefix."
    except CannotRead as error:
        report.failure = str(error)
    except BaseException:
        delete_map(gateway, map_id)
        raise
    if report.refused:
        delete_map(gateway, map_id)
        return report
    with gateway.write() as session:
        row = session.get_one(NetworkMap, map_id)
        row.state, row.entry_count = "ready", report.entry_count
        gateway.audit(session, "import", "networks", after={"prefixes": report.entry_count, "from": row.origin})
        gateway.changed(session)
        old = session.scalars(select(NetworkMap.id).where(NetworkMap.id < map_id)).all()
    for earlier in old:
        delete_map(gateway, earlier)
    return report


def _load(gateway: Storage, map_id: int, file: IO[bytes], form: Form, report: Report, progress: Progress) -> None:
    seen: dict[str, int] = {}
    chunk: list[tuple[Any, ...]] = []
    for item in parse_networks(file, form):
        report.line_count += 1
        if not isinstance(item, NetworkLine):
            report.wrong(*item)
            continue
        if (twin := seen.setdefault(item.prefix, item.line)) != item.line:
            report.wrong(item.line, f"The prefix {item.prefix} stands in line {twin} already.")
            continue
        report.entry_count += 1
        chunk.append((map_id, item.line, item.prefix, item.mcc, item.mnc, item.name))
        if len(chunk) == CHUNK:
            _store(gateway, chunk)
            chunk.clear()
            progress(report.line_count)
    _store(gateway, chunk)
    progress(report.line_count)


def _store(gateway: Storage, chunk: Sequence[tuple[Any, ...]]) -> None:
    with gateway.write() as session:
        insert_rows(session, NetworkPrefix, _NAMES, chunk)

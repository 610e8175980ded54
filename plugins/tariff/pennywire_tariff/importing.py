"""Imports: a file becomes a draft, or a report that names the lines that are wrong.

Rows go into the database as they are read, so that memory does not grow with the file; what is found twice the database says.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

import phonenumbers
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pennywire import InvalidSetting, Storage
from pennywire_tariff.lists import find_list, find_version
from pennywire_tariff.models import Entry, PriceList, Version
from pennywire_tariff.packing import pack
from pennywire_tariff.parsing import CannotRead, Form, Line, key_in_words, parse
from pennywire_tariff.rows import CHUNK, copy_version, delete_version, insert_rows

SHOWN = 200
"""Problems of each kind that a report names; it counts all of them."""

MOST_LINES = 2_000_000
"""Lines of a price list. Each price takes 40 octets in every process."""

LOOKED_AT = 2000
"""Keys that stand more than once whose dates are compared."""

_NAMES = ("version_id", "line", "prefix", "mcc", "mnc", "price_uc", "effective_at", "end_at", "name")

Progress = Callable[[int], None]


@dataclass(slots=True)
class Report:
    """What an import found. `errors` and `warnings` are (line, words), the first of them; the counts know all."""

    line_count: int = 0
    entry_count: int = 0
    error_count: int = 0
    warning_count: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)
    #: The file as a whole could not be read.
    failure: str = ""
    #: The draft that was made; None where something was wrong.
    version: int | None = None

    @property
    def refused(self) -> bool:
        return bool(self.failure or self.error_count)

    def wrong(self, line: int, words: str) -> None:
        """Note an error: the import comes to nothing."""
        self.error_count += 1
        if len(self.errors) < SHOWN:
            self.errors.append((line, words))

    def warn(self, line: int, words: str) -> None:
        """Note what somebody should look at; the import goes on."""
        self.warning_count += 1
        if len(self.warnings) < SHOWN:
            self.warnings.append((line, words))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def import_version(
    gateway: Storage,
    list_name: str,
    file: IO[bytes],
    form: Form,
    *,
    origin: str = "",
    progress: Progress = lambda _count: None,
    job_number: int | None = None,
) -> Report:
    """Make a draft of a file. Nothing is kept of a file with a line that is wrong. Raises: NotThere.

    With `job_number` the version knows its job, so that `import_again` finds it.
    """
    with gateway.write() as session:
        price_list = find_list(session, list_name)
        version = new_version(gateway, session, price_list, origin)
        version.job_number, version_id = job_number, version.id
        form = Form(form.encoding, form.delimiter, form.decimal, negative_allowed=price_list.direction == "inbound")
    report = Report()
    try:
        _load(gateway, version_id, file, form, report, progress)
        with gateway.read() as session:
            _find_overlaps(session, version_id, report)
        progress(report.line_count)
        if not report.refused and report.entry_count == 0:
            report.failure = "The file has no price."
    except CannotRead as error:
        report.failure = str(error)
    except BaseException:
        delete_version(gateway, version_id)
        raise
    report.errors.sort()
    if report.refused:
        delete_version(gateway, version_id)
    else:
        with gateway.write() as session:
            _finish(gateway, session, version_id, report)
        pack(gateway, version_id)
    return report


def too_long() -> str:
    """Return what is said of a file that has too many lines."""
    return f"The file has more than {MOST_LINES:,} lines. Leave out prefixes that cost what a shorter one costs."


def import_again(gateway: Storage, job_number: int) -> Report | None:
    """Return what an earlier try of a job has finished; what it left half done is removed, and None says that there is nothing."""
    with gateway.read() as session:
        versions = session.scalars(select(Version).where(Version.job_number == job_number)).all()
    for version in versions:
        if version.state != "loading":
            pack(gateway, version.id)
            return Report(**json.loads(version.report))
        delete_version(gateway, version.id)
    return None


def new_version(gateway: Storage, session: Session, price_list: PriceList, origin: str) -> Version:
    """Add an empty version that is still to be filled."""
    last = session.scalars(select(func.max(Version.number)).where(Version.list_id == price_list.id)).one()
    row = Version(list_id=price_list.id, number=(last or 0) + 1, origin=origin[:128], created_at=gateway.now, created_by=gateway.username)
    session.add(row)
    session.flush()
    return row


def _load(gateway: Storage, version_id: int, file: IO[bytes], form: Form, report: Report, progress: Progress) -> None:
    known = _KnownPrefixes()
    chunk: list[tuple[Any, ...]] = []
    for item in parse(file, form):
        report.line_count += 1
        if report.line_count > MOST_LINES:
            raise CannotRead(too_long())
        if not isinstance(item, Line):
            report.wrong(*item)
            continue
        if item.prefix and not known(item.prefix):
            report.warn(item.line, f"No numbering plan knows the prefix {item.prefix}.")
        report.entry_count += 1
        chunk.append((version_id, item.line, item.prefix, item.mcc, item.mnc, item.price_uc, item.effective_us, item.end_us, item.name))
        if len(chunk) == CHUNK:
            _store(gateway, chunk)
            chunk.clear()
            progress(report.line_count)
    _store(gateway, chunk)
    progress(report.line_count)


def _store(gateway: Storage, chunk: Sequence[tuple[Any, ...]]) -> None:
    with gateway.write() as session:
        insert_rows(session, Entry, _NAMES, chunk)


class _KnownPrefixes:
    """Says whether a prefix lies in the range of a country code, or is the beginning of some. Source: ITU-T E.164 §6."""

    def __init__(self) -> None:
        codes = {str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}
        self._codes = codes | {code[:length] for code in codes for length in range(1, len(code))}
        self._whole = codes

    def __call__(self, prefix: str) -> bool:
        whole = self._whole
        return prefix[:2] in whole or prefix[:3] in whole or prefix[:1] in whole or prefix in self._codes


def _find_overlaps(session: Session, version_id: int, report: Report) -> None:
    """Note the entries of one key that hold at the same moment, by their lines."""
    keys = (Entry.prefix, Entry.mcc, Entry.mnc)
    twice = select(*keys).where(Entry.version_id == version_id).group_by(*keys).having(func.count() > 1)
    for prefix, mcc, mnc in session.execute(twice.order_by(func.min(Entry.line)).limit(LOOKED_AT)).all():
        _note_overlaps(_entries_of(session, version_id, prefix, mcc, mnc), key_in_words(prefix, mcc, mnc), report)
    # Of a file that is wrong throughout, the rest is only counted: one error for each key.
    report.error_count += max(session.scalars(select(func.count()).select_from(twice.subquery())).one() - LOOKED_AT, 0)


def _entries_of(session: Session, version_id: int, prefix: str, mcc: str, mnc: str) -> Sequence[Entry]:
    same = (Entry.version_id == version_id, Entry.prefix == prefix, Entry.mcc == mcc, Entry.mnc == mnc)
    return session.scalars(select(Entry).where(*same).order_by(Entry.effective_at.is_not(None), Entry.effective_at, Entry.line)).all()


def _note_overlaps(entries: Sequence[Entry], key: str, report: Report) -> None:
    """Compare each entry, by its beginning, with the one of those before it that ends last."""
    latest = entries[0]
    for entry in entries[1:]:
        if latest.end_at is None or entry.effective_at is None or entry.effective_at < latest.end_at:
            first, second = sorted((latest.line, entry.line))
            report.wrong(second, f"Its dates overlap with those of line {first}: both are prices of {key}.")
        if latest.end_at is not None and (entry.end_at is None or entry.end_at > latest.end_at):
            latest = entry


def _finish(gateway: Storage, session: Session, version_id: int, report: Report) -> None:
    version = session.get_one(Version, version_id)
    report.version = version.number
    version.state, version.entry_count = "draft", report.entry_count
    version.report = json.dumps(report.as_dict())
    name = session.get_one(PriceList, version.list_id).name
    after = {"version": version.number, "entries": report.entry_count, "warnings": report.warning_count, "from": version.origin}
    gateway.audit(session, "import", f"price list {name}", after=after)


def copy_as_draft(gateway: Storage, list_name: str, number: int | None) -> int:
    """Make a draft with the entries of a version, or an empty one; return its number. Raises: NotThere."""
    with gateway.write() as session:
        price_list = find_list(session, list_name)
        source = _version_of(session, price_list, number)
        target = new_version(gateway, session, price_list, f"copy of version {number}" if number else "made by hand")
    count = copy_version(gateway, source, target.id) if source is not None else 0
    with gateway.write() as session:
        row = session.get_one(Version, target.id)
        row.state, row.entry_count = "draft", count
        gateway.audit(session, "copy", f"price list {list_name}", after={"version": row.number, "entries": count, "from": row.origin})
    pack(gateway, target.id)
    return target.number


def _version_of(session: Session, price_list: PriceList, number: int | None) -> Version | None:
    if number is None:
        return None
    row = session.scalars(select(Version).where(Version.list_id == price_list.id, Version.number == number)).first()
    if row is None or row.state == "loading":
        raise InvalidSetting("version", f"The price list {price_list.name} has no version {number}.")
    return row


def put_entry(gateway: Storage, session: Session, version: Version, item: Line) -> None:
    """Add an entry to a draft, by hand. Raises: InvalidSetting where it overlaps, or the version is sealed."""
    _require_draft(version)
    same = (Entry.version_id == version.id, Entry.prefix == item.prefix, Entry.mcc == item.mcc, Entry.mnc == item.mnc)
    row = (version.id, 0, item.prefix, item.mcc, item.mnc, item.price_uc, item.effective_us, item.end_us, item.name)
    insert_rows(session, Entry, _NAMES, [row])
    report = Report()
    if len(session.scalars(select(Entry.id).where(*same)).all()) > 1:
        _note_overlaps(_entries_of(session, version.id, item.prefix, item.mcc, item.mnc), item.key, report)
    if report.errors:
        raise InvalidSetting("key", f"There is a price of {item.key} with dates that overlap. Remove that one first, or change the dates.")
    version.entry_count += 1
    version.edit_count += 1
    name = session.get_one(PriceList, version.list_id).name
    gateway.audit(session, "price", f"price list {name}", after={"version": version.number, "key": item.key, "price_uc": item.price_uc})


def remove_entry(gateway: Storage, session: Session, version: Version, entry_id: int) -> None:
    """Remove an entry from a draft. Raises: InvalidSetting."""
    _require_draft(version)
    row = session.get(Entry, entry_id)
    if row is None or row.version_id != version.id:
        raise InvalidSetting("entry", "There is no such price.")
    name = session.get_one(PriceList, version.list_id).name
    key = key_in_words(row.prefix, row.mcc, row.mnc)
    gateway.audit(session, "price", f"price list {name}", before={"version": version.number, "key": key, "price_uc": row.price_uc})
    session.delete(row)
    version.entry_count -= 1
    version.edit_count += 1


def _require_draft(version: Version) -> None:
    if version.state != "draft":
        raise InvalidSetting("version", f"Version {version.number} was activated, so it never changes. Copy it, and change the copy.")


def discard_draft(gateway: Storage, list_name: str, number: int) -> None:
    """Remove a version that was never activated, or one whose import was broken off. Raises: InvalidSetting."""
    with gateway.write() as session:
        version = find_version(session, find_list(session, list_name), number)
        if version.state == "sealed":
            raise InvalidSetting("version", f"Version {number} was activated, so it stays.")
        job = gateway.job(version.job_number) if version.state == "loading" and version.job_number else None
        if job is not None and not job.state.is_end:
            raise InvalidSetting("version", f"Job {job.number} is importing version {number}. Cancel the job; that removes the version.")
        gateway.audit(session, "delete", f"price list {list_name}", before={"version": number, "entries": version.entry_count})
    delete_version(gateway, version.id)

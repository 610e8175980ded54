"""What takes too long for a request: the import of a long file, by an engine, and the preview of what it made."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from pennywire import InvalidSetting, JobFailed, JobKind, JobView, RunningJob, Storage
from pennywire_tariff import importing, networks, previews
from pennywire_tariff.importing import Report
from pennywire_tariff.lists import find_list, find_version
from pennywire_tariff.models import PriceList
from pennywire_tariff.parsing import Form

OURS = "tariff."
IMPORT = "tariff.import"
NETWORKS = "tariff.networks"

SMALL_LINES = 2_000
SMALL_OCTETS = 256 * 1024
"""A file up to these is imported while its sender waits: some tenths of a second."""

LARGEST_OCTETS = 128 * 1024 * 1024
"""The largest file that is taken over HTTP."""

_BLOCK_OCTETS = 64 * 1024


@contextmanager
def spooled(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield a body as a file that can be read twice; a large one lies on the disk, not in memory."""
    with SpooledTemporaryFile(max_size=SMALL_OCTETS) as file:
        copyfileobj(stream, file, _BLOCK_OCTETS)
        file.seek(0)
        yield file


def start_import(gateway: Storage, list_name: str, file: IO[bytes], form: Form, *, origin: str) -> Report | int:
    """Import a short file at once and return its report; of a long one, return the number of the job that imports it.

    Raises: NotThere, InvalidSetting.
    """
    line_count = _count_lines(file)
    if line_count is None:
        return importing.import_version(gateway, list_name, file, form, origin=origin)
    with gateway.read() as session:
        row = find_list(session, list_name)
    if line_count > importing.MOST_LINES + 1:
        # With a heading. It would be read for a minute, to be refused in the end.
        return Report(line_count=line_count, failure=importing.too_long())
    asked = {"list_id": row.id, "list": row.name, "origin": origin, "lines": line_count, "form": _written(form)}
    return gateway.start_job(IMPORT, asked, file)


def start_networks(gateway: Storage, file: IO[bytes], form: Form, *, origin: str) -> Report | int:
    """Replace the table of networks by a short file's at once, or start the job that does. Raises: InvalidSetting."""
    line_count = _count_lines(file)
    if line_count is None:
        return networks.import_map(gateway, file, form, origin=origin)
    return gateway.start_job(NETWORKS, {"list": "", "origin": origin, "lines": line_count, "form": _written(form)}, file)


def _written(form: Form) -> dict[str, str]:
    """Return how a file is written, as plain values."""
    return {"encoding": form.encoding, "delimiter": form.delimiter, "decimal": form.decimal}


def _count_lines(file: IO[bytes]) -> int | None:
    """Return how many lines a long file has, None of a short one. It is set back to its beginning."""
    line_count = octet_count = 0
    ending = b""
    while block := file.read(_BLOCK_OCTETS):
        ending = ending or (b"\n" if b"\n" in block or b"\r" not in block else b"\r")
        line_count, octet_count = line_count + block.count(ending), octet_count + len(block)
    file.seek(0)
    return None if line_count <= SMALL_LINES and octet_count <= SMALL_OCTETS else line_count


def find_job(gateway: Storage, number: int) -> JobView | None:
    """Return one of our jobs, or None."""
    job = gateway.job(number)
    return job if job is not None and job.kind.startswith(OURS) else None


def open_jobs(gateway: Storage, row: PriceList) -> list[JobView]:
    """Return the imports of a list that have not ended, newest first."""
    return [job for job in gateway.jobs(IMPORT) if not job.state.is_end and job.payload.get("list_id") == row.id]


def _import(job: RunningJob) -> Mapping[str, Any]:
    """Import a file; what an earlier try has left is found, or removed."""
    asked, gateway = job.payload, job.gateway
    found = importing.import_again(gateway, job.number)
    if found is not None:
        return found.as_dict()

    tell = _teller(job)
    with job.open() as file:
        name, form = _name_of(gateway, asked), Form(**asked["form"])
        try:
            report = importing.import_version(gateway, name, file, form, origin=asked["origin"], progress=tell, job_number=job.number)
        except InvalidSetting as error:
            raise JobFailed(error.reason) from error
    if report.version is not None:
        _begin_preview(gateway, name, report.version)
    return report.as_dict()


def _import_networks(job: RunningJob) -> Mapping[str, Any]:
    """Replace the table of networks; as `_import`."""
    asked, gateway = job.payload, job.gateway
    found = networks.import_again(gateway, job.number)
    if found is None:
        tell = _teller(job)
        with job.open() as file:
            form = Form(**asked["form"])
            found = networks.import_map(gateway, file, form, origin=asked["origin"], progress=tell, job_number=job.number)
    return found.as_dict()


def _teller(job: RunningJob) -> importing.Progress:
    """Return what tells how many lines of the file are read. Raises, as what it returns does: JobStopped."""

    def tell(count: int) -> None:
        job.progress(count, max(job.payload["lines"], count))

    tell(0)
    return tell


def _begin_preview(gateway: Storage, name: str, number: int) -> None:
    """Let the preview be made that people look at next. Where that cannot be now, it is made when they ask."""
    with suppress(InvalidSetting):
        with gateway.read() as session:
            row = find_list(session, name)
            version = find_version(session, row, number)
        previews.preview(gateway, row, version, at=None, month="")


def _name_of(gateway: Storage, asked: Mapping[str, Any]) -> str:
    """Return the present name of the list that was asked for. Raises: JobFailed."""
    with gateway.read() as session:
        row = session.get(PriceList, asked["list_id"])
    if row is None:
        raise JobFailed(f"The price list {asked['list']} was removed meanwhile.")
    return row.name


KINDS = (JobKind(IMPORT, _import), JobKind(NETWORKS, _import_networks), JobKind(previews.PREVIEW, previews.work))

"""Jobs: work that takes longer than a request may, kept in the database until an engine has done it. Stage functions.

A running job belongs to an engine by a lease in the database's time, fenced by a token that rises with each beginning: whatever
the job writes goes through `check` in its own transaction, so that an engine that lost the job can write nothing more for it.
"""

import io
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import IO, Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.db import Database, Unavailable, database_now
from app.models import Job, JobFile, table
from pennywire import InvalidSetting, JobState, JobStopped, JobView

PIECE_OCTETS = 1024 * 1024
"""Size of the pieces in which a file is kept: one is a short transaction, and none is long in memory."""

MOST_OPEN = 20
"""Jobs of one plugin that have not ended: each may bring a file of a hundred megabytes."""

MOST_BEGINNINGS = 3
"""How often a job is begun whose engine dies meanwhile."""

KEPT_FOR = timedelta(days=7)
UPLOAD_WITHIN = timedelta(hours=1)
SHOWN = 50
PIECES_AT_ONCE = 8

_OPEN = (JobState.RECEIVING, JobState.WAITING, JobState.RUNNING)
_JOBS = table(Job)
_FILES = table(JobFile)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that an engine has begun, and the token under which it has it."""

    number: int
    token: int
    kind: str
    payload: Mapping[str, Any]
    username: str


@dataclass(frozen=True, slots=True)
class Beat:
    """What an engine learns when it prolongs a job's lease."""

    held: bool
    cancelling: bool


# Who starts a job.


def start(database: Database, kind: str, payload: Mapping[str, Any], file: IO[bytes] | None, *, now: datetime, username: str) -> int:
    """Store a job with its file and let it wait for an engine; return its number. Nothing stays of one that breaks off.

    The file goes in by short transactions. Raises: InvalidSetting, Unavailable, CommitFailed, and whatever reading raises.
    """
    state = JobState.WAITING if file is None else JobState.RECEIVING
    with database.write() as session:
        _require_room(session, kind)
        row = Job(kind=kind, state=state, payload=dict(payload), username=username, created_at=now)
        session.add(row)
        session.flush()
        number = row.id
    if file is None:
        return number
    try:
        _store(database, number, file)
    except BaseException:
        with suppress(Unavailable), database.write() as session:
            _forget(session, Job.id == number)
        raise
    return number


def _require_room(session: Session, kind: str) -> None:
    ours = _of_plugin(kind.partition(".")[0])
    open_count = session.scalar(select(func.count()).select_from(Job).where(Job.state.in_(_OPEN), ours)) or 0
    if open_count >= MOST_OPEN:
        raise InvalidSetting("", f"{open_count} jobs have not ended yet, and there is room for {MOST_OPEN}. Wait for one, or cancel one.")


def _store(database: Database, number: int, file: IO[bytes]) -> None:
    position = 0
    while octets := _read_piece(file):
        with database.write() as session:
            session.add(JobFile(job_id=number, position=position, octets=octets))
        position += 1
    with database.write() as session:
        session.execute(update(Job).where(Job.id == number, Job.state == JobState.RECEIVING).values(state=JobState.WAITING))


def _read_piece(file: IO[bytes]) -> bytes:
    """Return the next piece, whole: a stream from a network gives less than it is asked for."""
    found = bytearray()
    while len(found) < PIECE_OCTETS and (octets := file.read(PIECE_OCTETS - len(found))):
        found += octets
    return bytes(found)


def _of_plugin(plugin: str) -> Any:
    return Job.kind.startswith(f"{plugin}.", autoescape=True)


def count(session: Session, plugin: str) -> int:
    """Return how many jobs of a plugin are kept."""
    return session.scalar(select(func.count()).select_from(Job).where(_of_plugin(plugin))) or 0


def remove_of_plugin(session: Session, plugin: str) -> None:
    """Remove the jobs of a plugin with their files."""
    _forget(session, _of_plugin(plugin))


# Who looks at jobs.


def view(session: Session, number: int) -> JobView | None:
    """Return a job, or None."""
    row = session.get(Job, number)
    return None if row is None else _view(row)


def views(session: Session, kind: str) -> list[JobView]:
    """Return the last jobs of a kind, or of all kinds that begin with it if it ends with a point, newest first."""
    named = Job.kind.startswith(kind, autoescape=True) if kind.endswith(".") else Job.kind == kind
    return [_view(row) for row in session.scalars(select(Job).where(named).order_by(Job.id.desc()).limit(SHOWN))]


def _view(row: Job) -> JobView:
    return JobView(
        number=row.id,
        kind=row.kind,
        state=JobState(row.state),
        payload=row.payload,
        done_count=row.done_count,
        total_count=row.total_count,
        result=row.result,
        error=row.error,
        cancelling=row.cancelling and row.state == JobState.RUNNING,
        username=row.username,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def cancel(session: Session, number: int, *, now: datetime) -> bool:
    """Cancel a job and say whether it had not ended: one that waits at once, one that runs when its engine hears of it."""
    waits = (Job.id == number, Job.state.in_((JobState.RECEIVING, JobState.WAITING)))
    # What was begun before left something, which its kind removes when it is begun again.
    ended = update(Job).where(*waits, Job.begun_count == 0).values(state=JobState.CANCELLED, finished_at=now)
    if session.execute(ended.returning(Job.id)).first() is not None:
        return True
    asked = update(Job).where(Job.id == number, Job.state.in_(_OPEN)).values(cancelling=True)
    return session.execute(asked.returning(Job.id)).first() is not None


# The engine.


def waits(session: Session, kinds: Collection[str], *, dead: Collection[str] = ()) -> bool:
    """Say whether there is a job to begin."""
    return session.scalar(select(Job.id).where(_is_free(session, kinds, dead)).limit(1)) is not None


def claim(
    session: Session, kinds: Collection[str], engine_id: str, *, lease_s: float, dead: Collection[str] = (), now: datetime
) -> Claim | None:
    """Take the oldest job that nobody does, or whose engine is gone, and return it with a new token.

    One that was begun too often fails: it is likely to be what its engines died of.
    """
    free = select(Job).where(_is_free(session, kinds, dead)).order_by(Job.id).limit(1).with_for_update(skip_locked=True)
    while (row := session.scalars(free).first()) is not None:
        row.token += 1
        if row.begun_count >= MOST_BEGINNINGS:
            row.state, row.finished_at, row.engine_id, row.lease_until = JobState.FAILED, now, "", None
            row.error = f"It was begun {row.begun_count} times and never came to its end: its engine died, or lost the database."
            session.flush()
            continue
        row.state, row.begun_count, row.started_at = JobState.RUNNING, row.begun_count + 1, now
        row.done_count = row.total_count = 0
        row.engine_id, row.lease_until = engine_id, database_now(session) + timedelta(seconds=lease_s)
        return Claim(row.id, row.token, row.kind, row.payload, row.username)
    return None


def _is_free(session: Session, kinds: Collection[str], dead: Collection[str]) -> Any:
    left = and_(Job.state == JobState.RUNNING, or_(Job.lease_until <= database_now(session), Job.engine_id.in_(sorted(dead))))
    return and_(Job.kind.in_(sorted(kinds)), or_(Job.state == JobState.WAITING, left))


def check(session: Session, number: int, token: int) -> None:
    """Let a transaction go on only while the job is held under this token; until its end nobody can take the job.

    Raises: JobStopped.
    """
    held = select(Job.id).where(*_held(number, token)).with_for_update(read=True)
    if session.execute(held).first() is None:
        raise JobStopped(f"Job {number} is no longer this engine's.")


def _held(number: int, token: int) -> tuple[Any, ...]:
    return Job.id == number, Job.token == token, Job.state == JobState.RUNNING


def beat(session: Session, number: int, token: int, *, done_count: int, total_count: int, lease_s: float) -> Beat:
    """Prolong the lease, tell how far the job is, and learn whether it goes on."""
    values = {
        "done_count": done_count,
        "total_count": total_count,
        "lease_until": database_now(session) + timedelta(seconds=lease_s),
    }
    found = session.execute(update(Job).where(*_held(number, token)).values(values).returning(Job.cancelling)).first()
    return Beat(held=found is not None, cancelling=found is not None and found.cancelling)


def finish(
    session: Session, number: int, token: int, state: JobState, *, result: Mapping[str, Any] | None = None, error: str = "", now: datetime
) -> bool:
    """Write how a job ended, and say whether it was still this engine's."""
    values = {"state": state, "result": result, "error": error, "finished_at": now, "engine_id": "", "lease_until": None}
    return session.execute(update(Job).where(*_held(number, token)).values(values).returning(Job.id)).first() is not None


def release(session: Session, number: int, token: int) -> None:
    """Let a job that could not reach the database wait, to be begun again."""
    session.execute(update(Job).where(*_held(number, token)).values(**_WAITING_AGAIN))


def give_back(session: Session, engine_id: str) -> None:
    """Let what an engine does wait for another one, because it ends cleanly; its beginning does not count."""
    held = (Job.engine_id == engine_id, Job.state == JobState.RUNNING)
    session.execute(update(Job).where(*held).values({**_WAITING_AGAIN, "begun_count": Job.begun_count - 1}))


_WAITING_AGAIN: Mapping[str, Any] = MappingProxyType({"state": JobState.WAITING, "engine_id": "", "lease_until": None})


def clean_up(session: Session, *, now: datetime) -> bool:
    """Remove files of jobs that have ended, a few pieces at a time, and forget jobs that nobody asks for; say whether more is left."""
    ended = select(Job.id).where(Job.state.not_in(_OPEN))
    pieces = session.execute(select(JobFile.job_id, JobFile.position).where(JobFile.job_id.in_(ended)).limit(PIECES_AT_ONCE)).all()
    for piece in pieces:
        session.execute(delete(JobFile).where(JobFile.job_id == piece.job_id, JobFile.position == piece.position))
    if pieces:
        return True
    _forget(session, Job.state.not_in(_OPEN), Job.finished_at < now - KEPT_FOR)
    # Whoever sent this file is gone: the process that took it died.
    broken_off = update(Job).where(Job.state == JobState.RECEIVING, Job.created_at < now - UPLOAD_WITHIN)
    session.execute(broken_off.values(state=JobState.FAILED, error="The file did not come whole. Send it again.", finished_at=now))
    return False


def _forget(session: Session, *those: Any) -> None:
    session.execute(delete(_JOBS).where(*those))


# The file.


def open_file(database: Database, number: int) -> IO[bytes]:
    """Open the file of a job; it is read by short transactions."""

    def read(position: int) -> bytes:
        with database.read() as session:
            return session.scalar(select(_FILES.c.octets).where(_FILES.c.job_id == number, _FILES.c.position == position)) or b""

    return io.BufferedReader(_StoredFile(read), PIECE_OCTETS)


class _StoredFile(io.RawIOBase):
    """A file that is kept in pieces. It can be set back to any place; it does not know where it ends until it gets there."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._at = 0
        self._piece: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place from the beginning, or from here. Raises: OSError from the end, which is not known."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("The end of this file is found by reading.")
        self._at = offset + (self._at if whence == io.SEEK_CUR else 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the present piece."""
        position, offset = divmod(self._at, PIECE_OCTETS)
        if self._piece[0] != position:
            self._piece = (position, self._read(position))
        octets = memoryview(self._piece[1])[offset : offset + len(buffer)]
        buffer[: len(octets)] = octets
        self._at += len(octets)
        return len(octets)

"""The duty of doing jobs: one at a time, in a thread of its own, for all engines. The turns keep its lease and tell how far it is."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from sqlalchemy.orm import Session

from app import jobs
from app.core import Core
from app.db import CommitFailed, Unavailable
from app.engine import leases
from app.engine.duties import rest_of
from app.engine.faults import describe, trail
from app.gateway import OpenGateway
from app.jobs import Claim
from pennywire import JobFailed, JobKind, JobState, JobStopped

IDLE_S = 1.0
LOOK_S = 0.1
BEAT_S = 0.5
CLEAN_EVERY_S = 60.0
BUSY_WITHIN_S = 1.0
"""Messages are on their way if this engine wrote something for them so short a time ago, in seconds."""

LONGEST_REST_S = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Result:
    """How a job ended. Without a state it is to be begun again."""

    state: JobState | None
    result: Mapping[str, Any] | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _FencedGateway(OpenGateway):
    """The gateway for a job: what it writes is kept only while the job is this engine's."""

    fence: Callable[[Session], None] = lambda _session: None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that commits at its end. Raises: JobStopped; Unavailable, CommitFailed."""
        with OpenGateway.write(self) as session:
            self.fence(session)
            yield session


@dataclass(slots=True)
class _Run:
    """One job under way. Implements `pennywire.RunningJob`."""

    core: Core
    claim: Claim
    worked_at: Callable[[], float]
    done_count: int = 0
    total_count: int = 0
    #: Why it is to stop.
    stop: str = ""
    cancelled: bool = False
    result: _Result | None = None
    _wake: threading.Event = field(default_factory=threading.Event)
    _told_at: float = field(default_factory=time.monotonic)

    @property
    def number(self) -> int:
        return self.claim.number

    @property
    def payload(self) -> Mapping[str, Any]:
        return self.claim.payload

    @property
    def gateway(self) -> OpenGateway:
        view = self.core.snapshots.present().users.get(self.claim.username)
        role = view.role if view is not None else "administrator"
        return _FencedGateway(self.core, self.claim.username, role, fence=self._fence)

    def _fence(self, session: Session) -> None:
        jobs.check(session, self.claim.number, self.claim.token)

    def open(self) -> IO[bytes]:
        """Open the file that came with the job."""
        return jobs.open_file(self.core.database, self.claim.number)

    def progress(self, done_count: int, total_count: int = 0) -> None:
        """Note how far it is, and rest while messages need the processor. Raises: JobStopped."""
        self.done_count, self.total_count = done_count, total_count
        if time.monotonic() - self.worked_at() < BUSY_WITHIN_S:
            self._wake.wait(min(rest_of(time.monotonic() - self._told_at), LONGEST_REST_S))
        self._told_at = time.monotonic()
        if self.stop:
            raise JobStopped(self.stop)

    def end(self, why: str) -> None:
        """Ask it to end where it stands."""
        self.stop = self.stop or why
        self._wake.set()

    def work(self, kind: JobKind, on_failure: Callable[[BaseException], None]) -> None:
        """Do the job, in its thread; whatever happens, `result` says how it ended."""
        try:
            self.result = _Result(JobState.DONE, dict(kind.work(self)))
        except JobStopped:
            self.result = _Result(JobState.CANCELLED if self.cancelled else None)
        except JobFailed as error:
            self.result = _Result(JobState.FAILED, error=str(error))
        except CommitFailed as error:
            on_failure(error)
        except Unavailable as error:
            _log.warning("job %d is begun again: %s", self.number, describe(error))
            self.result = _Result(None)
        except Exception as error:  # noqa: BLE001  # A kind of a plugin may raise anything; the job's page says so.
            _log.error("job %d of kind %s failed: %s\n%s", self.number, kind.kind, describe(error), trail(error))
            self.result = _Result(JobState.FAILED, error=f"It broke off ({type(error).__name__}); the engine's log says where.")


class JobRunner:
    """Does jobs, the oldest first. `worked_at` says when this engine last wrote for messages, by the monotonic clock."""

    name = "jobs"

    def __init__(self, core: Core, engine_id: str, *, worked_at: Callable[[], float], on_failure: Callable[[BaseException], None]) -> None:
        self._core = core
        self._engine_id = engine_id
        self._worked_at = worked_at
        self._on_failure = on_failure
        self._run: _Run | None = None
        self._thread: threading.Thread | None = None
        self._beat_at = 0.0
        self._clean_at = 0.0

    def stop(self) -> None:
        """Let the job end where it stands; `jobs.give_back` then lets it wait for another engine."""
        if self._run is not None:
            self._run.end("The engine ends.")

    def turn(self) -> float:
        """Look after the job that is under way, or begin one."""
        if self._run is not None:
            return self._look_after(self._run)
        database, kinds = self._core.database, self._core.plugins.job_kinds()
        with database.read() as session:
            dead = leases.dead_neighbours(session, self._engine_id)
            found = bool(kinds) and jobs.waits(session, kinds, dead=dead)
        if found:
            with database.write() as session:
                lease_s, now = self._core.settings.lease_s, self._core.clock()
                claim = jobs.claim(session, kinds, self._engine_id, lease_s=lease_s, dead=dead, now=now)
            if claim is not None:
                self._begin(claim, kinds[claim.kind])
                return LOOK_S
        return self._clean_up()

    def _begin(self, claim: Claim, kind: JobKind) -> None:
        _log.info("job %d of kind %s begins", claim.number, claim.kind)
        run = self._run = _Run(self._core, claim, self._worked_at)
        self._beat_at = time.monotonic()
        self._thread = threading.Thread(target=run.work, args=(kind, self._on_failure), name=f"job-{claim.number}", daemon=True)
        self._thread.start()

    def _look_after(self, run: _Run) -> float:
        if run.result is not None:
            self._finish(run, run.result)
            return 0.0
        if time.monotonic() - self._beat_at >= BEAT_S:
            self._beat(run)
        return LOOK_S

    def _tell(self, session: Session, run: _Run) -> jobs.Beat:
        """Write how far the job is, and prolong its lease."""
        lease_s = self._core.settings.lease_s
        return jobs.beat(session, run.number, run.claim.token, done_count=run.done_count, total_count=run.total_count, lease_s=lease_s)

    def _beat(self, run: _Run) -> None:
        with self._core.database.write() as session:
            heard = self._tell(session, run)
        self._beat_at = time.monotonic()
        if not heard.held:
            _log.error("job %d was lost to another engine", run.number)
            run.end("Another engine does this job now.")
            self._run = None
        elif heard.cancelling:
            run.cancelled = True
            run.end("It was cancelled.")

    def _finish(self, run: _Run, found: _Result) -> None:
        with self._core.database.write() as session:
            if found.state is None:
                jobs.release(session, run.number, run.claim.token)
            else:
                now = self._core.clock()
                self._tell(session, run)
                jobs.finish(session, run.number, run.claim.token, found.state, result=found.result, error=found.error, now=now)
        _log.info("job %d ended: %s", run.number, found.state or "to be begun again")
        self._run, self._clean_at = None, 0.0

    def _clean_up(self) -> float:
        if time.monotonic() < self._clean_at:
            return IDLE_S
        with self._core.database.write() as session:
            more = jobs.clean_up(session, now=self._core.clock())
        self._clean_at = 0.0 if more else time.monotonic() + CLEAN_EVERY_S
        return 0.0 if more else IDLE_S

"""Jobs: work that takes longer than a request may. It is kept in the database, and an engine does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pennywire.storage import Storage


class JobState(StrEnum):
    """Where a job stands. The last three are ends."""

    RECEIVING = "receiving"
    """Its file is still being stored."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        """Say whether nothing comes behind it."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobView:
    """What pages and programs show of a job. `done_count` of `total_count` units are done, whatever the kind counts; 0 is not known."""

    number: int
    kind: str
    state: JobState
    payload: Mapping[str, Any]
    done_count: int
    total_count: int
    #: What its kind returned, when it is done.
    result: Mapping[str, Any] | None
    #: Why it failed, in words for people.
    error: str
    #: Somebody has cancelled it, and it has not ended yet.
    cancelling: bool
    username: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobFailed(Exception):
    """A job cannot come to its end; the text says why and what to do."""


class JobStopped(Exception):
    """A job is to end where it stands: it was cancelled, its engine ends, or another engine does it now."""


class RunningJob(Protocol):
    """What a kind gets of the job that it is to do."""

    @property
    def number(self) -> int:
        """Return the job's number: the same when it is begun again."""
        ...

    @property
    def payload(self) -> Mapping[str, Any]:
        """Return what it was started with."""
        ...

    @property
    def gateway(self) -> "Storage":
        """Return the gateway, in the name of who started the job.

        Its `write` raises JobStopped as soon as another engine has the job, so that two never write for one.
        """
        ...

    def open(self) -> IO[bytes]:
        """Open the file that it was started with; empty, if there was none. It can be read again from its beginning."""
        ...

    def progress(self, done_count: int, total_count: int = 0) -> None:
        """Tell how far it is; call it some times a second. It may rest a little, to let messages pass. Raises: JobStopped."""
        ...


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of jobs. `kind` is the plugin's name, a point and a word, such as `tariff.import`.

    `work` does a job, in a thread of an engine, and returns its result: plain values. A job whose engine dies is begun again
    from its beginning, so that `work` first removes, or finds finished, what an earlier try with this number has left.
    It raises JobFailed for what people should read. JobStopped passes through it, after what is half done was removed.
    """

    kind: str
    work: Callable[[RunningJob], Mapping[str, Any]]

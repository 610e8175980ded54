"""Jobs that engines do, and the files that come with them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Json


class Job(Base):
    """Work that takes longer than a request may. `state` is a word of `pennywire.JobState`.

    An engine holds a running job by a lease with a fencing token, as it holds a connection.
    """

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    payload: Mapped[dict[str, Any]]
    done_count: Mapped[int] = mapped_column(BigInteger, default=0)
    total_count: Mapped[int] = mapped_column(BigInteger, default=0)
    result: Mapped[dict[str, Any] | None] = mapped_column(Json)
    error: Mapped[str] = mapped_column(default="")
    #: Who started it. A name is never given to a second person.
    username: Mapped[str] = mapped_column(String(64))
    cancelling: Mapped[bool] = mapped_column(default=False)
    #: How often it was begun; an engine that ended cleanly takes its beginning back.
    begun_count: Mapped[int] = mapped_column(SmallInteger, default=0)
    engine_id: Mapped[str] = mapped_column(String(32), default="")
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (Index("ix_job_state", "state", "id"),)


class JobFile(Base):
    """A piece of the file that a job was started with; all but the last have `app.jobs.PIECE_OCTETS`."""

    __tablename__ = "job_files"
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    octets: Mapped[bytes] = mapped_column(LargeBinary)

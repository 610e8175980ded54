"""What a plugin keeps: tables of its own, and the way of its pages and commands to them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from pennywire.jobs import JobView
from pennywire.values import Event, Incoming, JournalStatus, MessageView, PastMessage, Report

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Migrations:
    """The steps that make a plugin's own tables.

    `location` is a folder of Alembic's with the steps in `versions`; it needs no `env.py`. The plugin's tables begin with
    `prefix` and an underscore; the name of its version table follows from it.
    """

    prefix: str
    location: Path | str

    @property
    def version_table(self) -> str:
        return f"{self.prefix}_alembic_version"


class Storage(Protocol):
    """What a plugin's pages and commands get of the gateway; `pennywire.ui.gateway()` returns it.

    The sessions are SQLAlchemy's. A plugin writes to its own tables, and reads the gateway's by what is offered here.
    """

    def read(self) -> "AbstractContextManager[Session]":
        """Open a session that sees one state of the database; keep it no longer than a page or a chunk of an export."""
        ...

    def write(self) -> "AbstractContextManager[Session]":
        """Open a session whose work is committed at the end, or rolled back if anything is raised.

        SQLite has one writer: many rows go in by several short transactions.
        """
        ...

    def changed(self, session: "Session") -> None:
        """Raise the version of the configuration: every process reads its rules again, as `PricingRule.load` does."""
        ...

    def audit(
        self,
        session: "Session",
        verb: str,
        subject: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write who changed what, in the same transaction. No secret stands in `before` or `after`."""
        ...

    @property
    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        ...

    @property
    def username(self) -> str:
        """Return who is signed in; `cli` on the command line, empty for a caller who is not signed in."""
        ...

    @property
    def role(self) -> str:
        """Return the role of who is signed in; `administrator` on the command line, empty for a stranger."""
        ...

    @property
    def reads_texts(self) -> bool:
        """Say whether who is signed in may read what messages of others say; a page that shows texts asks this."""
        ...

    def users(self) -> Sequence[str]:
        """Return the names of all users, in the order of the alphabet."""
        ...

    def providers(self) -> Sequence[str]:
        """Return the names of all service providers, in the order of the alphabet."""
        ...

    def rule_kinds(self) -> Sequence[str]:
        """Return the kinds of the pricing rules that are enabled, in the order in which they are asked."""
        ...

    def plugin_settings(self, plugin: str) -> Mapping[str, Any]:
        """Return the plugin's own settings as its hooks get them, secrets in clear.

        Raises: InvalidSetting for a stored value that this version of the plugin refuses.
        """
        ...

    def values(self, plugin: str, connection: str = "", prefix: str = "") -> Mapping[str, Any]:
        """Return what the plugin keeps under keys that begin with `prefix`: for a connection, or without one for itself.

        A connection that is not there has none.
        """
        ...

    def keep(self, plugin: str, changes: Mapping[str, Any], connection: str = "") -> None:
        """Write values under their keys, all or nothing; None removes one. It returns when they are durable.

        Raises: CannotKeep for what the limits refuse, and for a connection that is not there.
        """
        ...

    def start_job(self, kind: str, payload: Mapping[str, Any], file: IO[bytes] | None = None) -> int:
        """Let an engine do a job of a kind of `register_jobs`, with a file that is read from where it stands; return its number.

        It returns when both are durable. Jobs that have ended are forgotten after a week, their files at once.
        Raises: InvalidSetting for an unknown kind, and where too many jobs have not ended.
        """
        ...

    def job(self, number: int) -> JobView | None:
        """Return a job, or None if there is none of that number, or it was forgotten."""
        ...

    def jobs(self, kind: str) -> Sequence[JobView]:
        """Return the last jobs of a kind, newest first; all of a plugin, if it is the plugin's name and a point."""
        ...

    def cancel_job(self, number: int) -> bool:
        """Cancel a job and say whether it had not ended: one that waits ends at once, one that runs as soon as it hears of it."""
        ...

    def journal_status(self, plugin: str) -> JournalStatus:
        """Return how far the plugin has come in the journal that `message_events` brings."""
        ...

    def past_events(self, since: datetime, until: datetime | None = None) -> Iterator[tuple[Sequence[Event], Mapping[str, MessageView]]]:
        """Yield the events of messages accepted since a moment, each message's in order, in batches as `message_events` gets.

        The messages come as they are when their batch is read; no transaction is kept between batches.
        """
        ...

    def messages(self, since: datetime, until: datetime) -> Iterator[PastMessage]:
        """Yield the messages accepted from `since` until before `until`, oldest first, in chunks of short transactions."""
        ...

    def connections(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the typed settings of the connections of a kind by their names, secrets in clear, for views that peers call.

        One whose stored settings this version of the kind refuses is left out.
        """
        ...

    def report(self, connection: str, reports: Sequence[Report]) -> None:
        """Hand over delivery reports that came by another way than the connection's link, such as a callback.

        It returns when they are durable: only then answer the peer. Repeats, late and contradicting ones change nothing.
        Raises: CannotStore; answer the peer with a temporary error, such as 503.
        """
        ...

    def incoming(self, connection: str, incoming: Sequence[Incoming]) -> None:
        """Hand over incoming segments that came by another way than the connection's link; otherwise as `report`."""
        ...

"""What a plugin keeps in the database, and its removal: tables, values and jobs of its own, its settings, its place in the journal.

Connections, routes and rules of its kinds are not the plugin's: operators made them, and messages name them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import MetaData, func, inspect, select
from sqlalchemy.orm import Session

from app import jobs, keeping
from app.administration import InvalidField, NotThere, audit, changed
from app.migrations import VERSION_TABLE
from app.models import Base, JournalCursor, PluginSettings
from app.plugins import PREFIX


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a plugin keeps: tables with their row counts, values under keys, jobs, and whether it has settings and a cursor."""

    tables: tuple[tuple[str, int], ...] = ()
    value_count: int = 0
    job_count: int = 0
    settings: bool = False
    cursor: bool = False

    def __bool__(self) -> bool:
        return bool(self.tables or self.value_count or self.job_count or self.settings or self.cursor)

    def in_words(self) -> list[str]:
        """Return a line for each thing."""
        lines = [f"table {name}, {row_count:,} rows" for name, row_count in self.tables]
        lines += [f"{self.value_count:,} value{'s' * (self.value_count != 1)} under keys"] * (self.value_count > 0)
        lines += [f"{self.job_count:,} job{'s' * (self.job_count != 1)}"] * (self.job_count > 0)
        return lines + ["its settings"] * self.settings + ["its place in the journal"] * self.cursor


def survey(session: Session, name: str, prefixes: Sequence[str]) -> Leftovers:
    """Return what a plugin keeps, whose tables begin with one of `prefixes`. Raises: InvalidField for what is no prefix."""
    metadata = _reflect(session, prefixes)
    counts = [(each.name, session.scalar(select(func.count()).select_from(each)) or 0) for each in metadata.sorted_tables]
    value_count, job_count = keeping.count(session, name), jobs.count(session, name)
    settings, cursor = session.get(PluginSettings, name), session.get(JournalCursor, name)
    return Leftovers(tuple(counts), value_count, job_count, settings is not None, cursor is not None)


def remove(session: Session, name: str, prefixes: Sequence[str], *, now: datetime, actor: str) -> Leftovers:
    """Remove what a plugin keeps, all or nothing, and return what it was. It must not be enabled: its processes would use it.

    Raises: NotThere where there is nothing; InvalidField.
    """
    found = survey(session, name, prefixes)
    if not found:
        raise NotThere(f"The plugin {name} keeps nothing.")
    _reflect(session, prefixes).drop_all(session.connection())
    keeping.remove_of_plugin(session, name)
    jobs.remove_of_plugin(session, name)
    for kept in (session.get(PluginSettings, name), session.get(JournalCursor, name)):
        if kept is not None:
            session.delete(kept)
    audit(session, now=now, actor=actor, verb="remove data", subject=f"plugin {name}", before={"kept": found.in_words()})
    changed(session)
    return found


def _reflect(session: Session, prefixes: Sequence[str]) -> MetaData:
    """Return the tables that begin with a prefix; never one of the gateway's own, however a plugin is called."""
    for prefix in prefixes:
        if not PREFIX.fullmatch(prefix):
            raise InvalidField("prefix", f"{prefix!r} cannot be the prefix of a plugin's tables: 2 to 24 small letters or digits.")
    ours = {VERSION_TABLE, *Base.metadata.tables}
    starts = tuple(f"{prefix}_" for prefix in prefixes)
    names = [name for name in inspect(session.connection()).get_table_names() if name.startswith(starts) and name not in ours]
    metadata = MetaData()
    if names:
        metadata.reflect(session.connection(), only=names)
    return metadata

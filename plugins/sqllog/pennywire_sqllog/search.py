"""Looking for messages in the log: newest first, a page at a time, by number, text, time and state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, or_, select

from pennywire_sqllog.events import Status
from pennywire_sqllog.settings import Plan
from pennywire_sqllog.tables import make_tables

PAGE_SIZE = 50
STATES = tuple(status.value for status in Status)
_TIME = {"inbox": "receivedtime", "outbox": "acceptedfordeliverytime"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. `since` and `until` are moments in the log's zone; `before` is the id behind which the page begins."""

    box: str = "outbox"
    number: str = ""
    text: str = ""
    username: str = ""
    state: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page. `older` is the id behind which the next page begins, empty on the last."""

    rows: Sequence[Mapping[str, Any]]
    older: str


def statement(table: Table, wanted: Wanted) -> Select[Any]:
    """Return the statement of a page and one row more. Ids rise with time, so they order the pages."""
    asked = select(table).order_by(table.c.msgid.desc()).limit(PAGE_SIZE + 1)
    time = table.c[_TIME[wanted.box]]
    if wanted.before:
        asked = asked.where(table.c.msgid < wanted.before)
    if wanted.number:
        asked = asked.where(
            or_(table.c.receiver.contains(wanted.number, autoescape=True), table.c.sender.contains(wanted.number, autoescape=True))
        )
    if wanted.text:
        asked = asked.where(table.c.msgdata.contains(wanted.text, autoescape=True))
    if wanted.username:
        asked = asked.where(table.c.username == wanted.username)
    if wanted.state and "status" in table.c:
        asked = asked.where(table.c.status == wanted.state)
    if wanted.since:
        asked = asked.where(time >= wanted.since)
    if wanted.until:
        asked = asked.where(time < wanted.until)
    return asked


def search(connection: Connection, plan: Plan, wanted: Wanted) -> Found:
    """Return one page of the log."""
    tables = make_tables(plan.inbox, plan.outbox)
    table = tables.inbox if wanted.box == "inbox" else tables.outbox
    rows = [dict(row) for row in connection.execute(statement(table, wanted)).mappings()]
    for row in rows:
        row["time"] = row[_TIME[wanted.box]]
    return Found(rows[:PAGE_SIZE], rows[PAGE_SIZE - 1]["msgid"] if len(rows) > PAGE_SIZE else "")


def read_day(text: str, *, end: bool = False) -> datetime | None:
    """Read a day, or a day and a time, of a filter; `end` means the moment behind that day. Raises: ValueError."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError("A time of the log has no zone.")
    return moment + timedelta(days=1) if end and len(text) == len("2026-01-31") else moment

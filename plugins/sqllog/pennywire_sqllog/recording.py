"""Writing a batch of the journal: into the tables, by the operator's own statements, and into files."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from pennywire import Alphabet, Direction, Event, MessageView, NotTaken
from pennywire_sqllog import events
from pennywire_sqllog.database import Target
from pennywire_sqllog.events import LogEvent
from pennywire_sqllog.files import FileLog, Line
from pennywire_sqllog.settings import PLUGIN, Plan
from pennywire_sqllog.tables import make_memory, make_tables, write_rows

Happened = tuple[LogEvent, Event, MessageView]

_ORDER = {event: place for place, event in enumerate(LogEvent)}


def happened(batch: Sequence[Event], messages: Mapping[str, MessageView]) -> list[Happened]:
    """Return what a batch holds for the log, in its order; what is about no message, or a step in between, is left out."""
    found = []
    for event in batch:
        message = messages.get(event.message_id)
        named = events.log_event(event, message) if message else None
        if message is not None and named is not None:
            found.append((named, event, message))
    return found


class Recorder:
    """Writes batches. Keeps the connection and the open file from one to the next."""

    def __init__(self) -> None:
        self.target = Target()
        self._files: FileLog | None = None

    def record(self, news: Sequence[Happened], plan: Plan) -> None:
        """Write a batch, all of it or nothing of it to the database. Raises: NotTaken."""
        if not news:
            return
        if plan.url is not None:
            self.record_in_database(news, plan)
        if plan.files is not None:
            if self._files is None or self._files.files != plan.files:
                self._files = FileLog(plan.files)
            self._files.append([_line(*item, plan) for item in news])

    def record_in_database(self, news: Sequence[Happened], plan: Plan, *, again: bool = False) -> None:
        """Write a batch to the database in one transaction; `again` runs the operator's own statements once more."""
        with self.target.begin(plan) as connection:
            if plan.statements is None:
                write_messages(connection, [message for _, _, message in news], plan)
            elif again or not self.target.remembers(connection):
                _run_statements(connection, news, plan)
            else:
                _run_once(connection, news, plan)

    def close(self) -> None:
        """Let go of the connection."""
        self.target.close()


def write_messages(connection: Connection, messages: Sequence[MessageView], plan: Plan) -> None:
    """Bring the rows of messages in the default tables to their present state."""
    tables = make_tables(plan.inbox, plan.outbox)
    present = {message.message_id: message for message in messages}
    # In the order of their ids, so that a replay beside the engine locks the rows in the same order.
    ordered = [present[key] for key in sorted(present)]
    received = [events.received_row(message, plan.zone) for message in ordered if message.direction is Direction.INBOUND]
    sent = [events.sent_row(message, plan.zone) for message in ordered if message.direction is Direction.OUTBOUND]
    write_rows(connection, tables.inbox, received)
    write_rows(connection, tables.outbox, sent)


def _run_statements(connection: Connection, news: Sequence[Happened], plan: Plan) -> None:
    """Run the operator's statements, each event's for all messages at once: a message passes the events in this order."""
    assert plan.statements is not None
    for named in sorted({named for named, _, _ in news}, key=_ORDER.__getitem__):
        statement = plan.statements.get(named)
        if statement is None:
            continue
        values = [
            {keyword: events.value_of(keyword, message, plan.zone) for keyword in statement.keywords}
            for kind, _, message in news
            if kind is named
        ]
        connection.execute(statement.clause, values if statement.keywords else None)


def _run_once(connection: Connection, news: Sequence[Happened], plan: Plan) -> None:
    """Run the statements for what the last batch did not hold: a batch that comes again begins with what was written."""
    memory = make_memory()
    written = connection.execute(select(memory.c.done).where(memory.c.name == PLUGIN)).scalar()
    done = set(json.loads(written)) if written else set()
    _run_statements(connection, [item for item in news if _key(item[1]) not in done], plan)
    connection.execute(delete(memory).where(memory.c.name == PLUGIN))
    connection.execute(memory.insert(), {"name": PLUGIN, "done": json.dumps([_key(event) for _, event, _ in news])})


def _key(event: Event) -> str:
    return f"{event.message_id}:{event.version}"


def _line(named: LogEvent, event: Event, message: MessageView, plan: Plan) -> Line:
    values = {keyword: events.value_of(keyword, message, plan.zone) for keyword in events.KEYWORDS}
    at = event.at.astimezone(plan.zone).isoformat(" ", "milliseconds")
    return Line(_key(event), {"event": named.value, "at": at, "version": event.version, **values})


def sample_message(direction: Direction = Direction.OUTBOUND) -> MessageView:
    """Return a message that was never sent, for a test row."""
    now = datetime.now(UTC)
    return MessageView(
        message_id="TEST" + secrets.token_hex(4).upper(),
        direction=direction,
        username="test",
        state="sent" if direction is Direction.OUTBOUND else "delivered",
        version=2,
        source="Pennywire",
        destination="+36201234567",
        text='Test row of the SQL logger: it\'s fine; \N{WINKING FACE} %s $msgid :id \\ "quoted"',
        data=None,
        alphabet=Alphabet.UCS2,
        segment_count=1,
        created_at=now,
        updated_at=now,
        network_at=now if direction is Direction.OUTBOUND else None,
    )


def write_test_row(target: Target, plan: Plan) -> list[str]:
    """Write a message of either direction as the log would, look that it is there, and take it away again.

    Everything happens in one transaction that is rolled back: the operator's own statements leave nothing either. Returns what
    was written. Raises: NotTaken.
    """
    samples = [sample_message(Direction.INBOUND), sample_message()]
    with target.begin(plan) as connection:
        if plan.statements is None:
            write_messages(connection, samples, plan)
            written = [_look(connection, message, plan) for message in samples]
        else:
            _run_statements(connection, [(named, _sample_event(), samples[named is not LogEvent.RECEIVED]) for named in LogEvent], plan)
            written = [named.value for named in LogEvent if named in plan.statements]
        connection.rollback()
    return written


def _sample_event() -> Event:
    return Event(position=0, kind="sent", at=datetime.now(UTC), version=1)


def _look(connection: Connection, message: MessageView, plan: Plan) -> str:
    tables = make_tables(plan.inbox, plan.outbox)
    table: Any = tables.inbox if message.direction is Direction.INBOUND else tables.outbox
    found = connection.execute(select(table.c.msgdata).where(table.c.msgid == message.message_id)).scalar()
    if found != message.text:
        raise NotTaken(f"The table {table.fullname} gave back another text than was written. Make its columns Unicode (utf8mb4).")
    return str(table.fullname)


recorder = Recorder()
"""The one of this process that follows the journal."""

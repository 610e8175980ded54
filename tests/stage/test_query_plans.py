"""No statement of the pipe reads a whole table on SQLite: what a message costs does not grow with the history behind it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from pennywire import Draft, Incoming, Report, ReportState

World = Any
GROWING = "messages|outbox|segments|transfers|events|parked_reports|incoming_segments|idempotency_keys|accounts"
_SCAN = re.compile(rf"SCAN ({GROWING})\b")
#: Asks whether there is any row, and reads one.
_LOOKS_FOR_ANY = re.compile(r"^SELECT parked_reports\.id\s+FROM parked_reports\s+LIMIT \?")


@contextmanager
def statements(world: World) -> Iterator[dict[str, Any]]:
    """Gather what is sent to the database, with the parameters of one execution."""
    found: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        found.setdefault(statement, parameters[0] if many else parameters)

    event.listen(world.core.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(world.core.database.engine, "before_cursor_execute", note)


def plan(world: World, statement: str, parameters: Sequence[Any]) -> list[str]:
    with world.core.database.engine.connect() as connection:
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_no_statement_of_the_pipe_reads_a_whole_table(world: World, line: Any) -> None:
    """Acceptance, claim, outcome, reports before and behind it, of short and long messages with their money; and an incoming one."""
    world.route("inbox", ("anna",), inward=True)
    with statements(world) as found:
        for number, text in enumerate(("short", "a" * 400)):
            world.submit(Draft("+36201234567", text), key=f"key{number}", fingerprint="f")
        world.report(line, Report(("1",), ReportState.DELIVERED))
        world.accept(line, "1", "2", "3", "4")
        world.report(line, *(Report((name,), ReportState.DELIVERED) for name in ("2", "3", "4")))
        world.receive(line, Incoming("+36201234567", "1234", "hello"))

    asked = {sql: values for sql, values in found.items() if re.match("SELECT|UPDATE|DELETE|WITH", sql) and not _LOOKS_FOR_ANY.match(sql)}
    scans = {sql: steps for sql, values in asked.items() if any(map(_SCAN.match, steps := plan(world, sql, values)))}
    assert len(asked) > 15
    assert scans == {}

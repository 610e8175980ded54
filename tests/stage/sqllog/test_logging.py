"""What the SQL logger writes into real databases: every message once, in its last state, whatever happens on the way."""

from datetime import timedelta
from typing import Any

import pytest
from pennywire_sqllog.database import create_tables, missing_tables, try_connection
from pennywire_sqllog.recording import Recorder, happened, write_test_row
from pennywire_sqllog.search import Wanted, search

from app import following
from app.identifiers import public_id
from pennywire import Accepted, Incoming, NotTaken, Rejected, Report, ReportState

Log = Any
World = Any
Line = Any

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database_url", [pytest.param("postgres_url", marks=pytest.mark.postgres)], indirect=True)
OUTBOX = "SELECT msgid, status, cost, price, callbackid, errormessage, operator, username FROM outbox ORDER BY msgid"


def begin(log: Log, **given: Any) -> None:
    """Set the database, make its tables, and let the consumer begin to follow."""
    log.set(**given)
    recorder = Recorder()
    try:
        create_tables(recorder.target, log.plan(**given))
    finally:
        recorder.close()
    log.turn()


@ON_SQLITE
def test_each_message_is_one_row_in_its_last_state(world: World, line: Line, log: Log) -> None:
    begin(log)
    delivered, refused, waiting = (world.send(text) for text in ("Grüße 😉 'quoted' $msgid %s", "no", "later"))
    first, second, _ = world.claim(line)
    world.answer(line, (first, Accepted("n1")), (second, Rejected("0x0B", "Invalid destination")))
    log.turn()
    world.report(line, Report(("n1",), ReportState.DELIVERED, done_at=world.now + timedelta(seconds=5)))
    log.turn()

    rows = {row.msgid: tuple(row)[1:] for row in log.query(OUTBOX)}
    (text,) = [row.msgdata for row in log.query("SELECT msgdata FROM outbox") if "Gr" in row.msgdata]

    assert [rows[public_id(number)][0] for number in (delivered, refused, waiting)] == ["deliveredtohandset", "deliveryfailed", "accepted"]
    assert rows[public_id(delivered)][3:] == ("n1", None, "wire", "anna")
    assert rows[public_id(refused)][4] == "0x0B Invalid destination"
    assert {float(row[2]) for row in rows.values()} == {2.0}
    assert text == "Grüße 😉 'quoted' $msgid %s"


@ON_SQLITE
def test_incoming_messages_are_logged_once(world: World, line: Line, log: Log) -> None:
    begin(log)
    world.route("in", targets=["anna"], inward=True)
    world.receive(line, Incoming("+36201112222", "1234", "hi; DROP TABLE inbox"))
    log.turn(2)

    (row,) = log.query("SELECT username, sender, receiver, msgdata, operator, pducount FROM inbox")

    assert tuple(row) == ("anna", "+36201112222", "1234", "hi; DROP TABLE inbox", "wire", 1)


@ON_SQLITE
def test_nothing_is_logged_before_a_database_is_set_and_everything_after(world: World, line: Line, log: Log) -> None:  # noqa: ARG001
    world.send("before")
    log.turn(2)
    idle = log.status().following
    begin(log)
    world.send("after")
    log.turn()

    assert not idle
    assert [row.msgdata for row in log.query("SELECT msgdata FROM outbox")] == ["after"]


@ON_SQLITE
def test_a_batch_that_comes_again_changes_nothing(world: World, line: Line, log: Log) -> None:
    begin(log)
    world.send("one")
    world.accept(line, "n1")
    log.turn()
    before = log.query("SELECT * FROM outbox")
    events = following.past_events(world.core.database, world.core.snapshots.present(), world.now - timedelta(days=1))
    recorder = Recorder()
    for batch, messages in events:
        recorder.record(happened(batch, messages), log.plan())
    recorder.close()

    assert log.query("SELECT * FROM outbox") == before


@ON_SQLITE
def test_an_old_state_never_replaces_a_newer_one(world: World, line: Line, log: Log) -> None:
    """A replay reads a message, the engine logs its next state, and then the replay writes what it read."""
    begin(log)
    number = world.send("one")
    (submission,) = world.claim(line)
    past = list(following.past_events(world.core.database, world.core.snapshots.present(), world.now - timedelta(days=1)))
    world.answer(line, (submission, Accepted("n1")))
    log.turn()
    recorder = Recorder()
    for batch, messages in past:
        recorder.record(happened(batch, messages), log.plan())
    recorder.close()

    (row,) = log.query("SELECT msgid, status, callbackid FROM outbox")
    assert tuple(row) == (public_id(number), "deliveredtonetwork", "n1")


@ON_SQLITE
def test_the_far_past_is_replayed_without_doubles(world: World, line: Line, log: Log) -> None:
    numbers = [world.send(f"old {index}") for index in range(5)]
    world.accept(line, "a", "b")
    begin(log)
    recorder = Recorder()
    for _ in range(2):
        past = following.past_events(world.core.database, world.core.snapshots.present(), world.now - timedelta(days=400))
        for batch, messages in past:
            recorder.record_in_database(happened(batch, messages), log.plan(), again=True)
    recorder.close()

    rows = log.query(OUTBOX)
    assert [row.msgid for row in rows] == [public_id(number) for number in numbers]
    assert [row.status for row in rows] == ["deliveredtonetwork"] * 2 + ["accepted"] * 3


@ON_SQLITE
def test_missing_tables_keep_the_batch_until_they_are_there(world: World, line: Line, log: Log) -> None:  # noqa: ARG001
    log.set()
    log.turn()
    world.send("kept")
    log.turn()
    stuck = log.status()
    recorder = Recorder()
    create_tables(recorder.target, log.plan())
    recorder.close()
    log.turn()
    paused = log.status().backlog_count
    log.monotonic += 5
    log.turn()

    assert stuck.backlog_count == 1
    assert "outbox" in stuck.last_error
    assert paused == 1
    assert (log.status().backlog_count, log.status().last_error) == (0, "")
    assert [row.msgdata for row in log.query("SELECT msgdata FROM outbox")] == ["kept"]


OWN = {
    "own_sql": True,
    "sql_received": "INSERT INTO mine (msgid, what, body) VALUES ('$id', 'received', '$messagedata')",
    "sql_accepted": "INSERT INTO mine (msgid, what, body) VALUES ($msgid, 'accepted', $msgdata);",
    "sql_delivered_to_network": "UPDATE mine SET what = 'network', at = '$deliveredtonetworktime' WHERE msgid = '$msgid'",
    "sql_delivery_error": "UPDATE mine SET what = $errormessage WHERE msgid = $msgid",
}
TABLE = "CREATE TABLE mine (msgid varchar(20), what varchar(100), body varchar(500), at varchar(30))"


@ON_SQLITE
def test_own_statements_get_bound_values_and_run_once(world: World, line: Line, log: Log) -> None:
    log.query(TABLE)
    begin(log, **OWN)
    world.send("x'); DROP TABLE mine; -- $msgid 😉")
    world.accept(line, "n1")
    world.send("second")
    taken = log.consumer.take
    batches: list[Any] = []

    def twice(*given: Any) -> None:
        taken(*given)
        batches.append(given)
        taken(*given)

    log.consumer.take = twice
    log.turn()

    rows = [tuple(row) for row in log.query("SELECT what, body, at FROM mine ORDER BY msgid")]
    assert rows == [("network", "x'); DROP TABLE mine; -- $msgid 😉", "2026-03-01 12:00:00"), ("accepted", "second", None)]
    assert len(batches) == 1


@ON_SQLITE
def test_the_test_row_leaves_nothing(log: Log) -> None:
    log.query(TABLE)
    begin(log)
    recorder = Recorder()
    answered = try_connection(recorder.target, log.plan())
    written = write_test_row(recorder.target, log.plan()), write_test_row(recorder.target, log.plan(**OWN))
    missing = missing_tables(recorder.target, log.plan(**OWN))
    recorder.close()

    assert answered.partition(" ")[0] in log.url
    assert written == (["inbox", "outbox"], ["received", "accepted", "delivered_to_network", "delivery_error"])
    assert missing == ["pennywire_sqllog"]
    assert [log.query(f"SELECT count(*) FROM {table}")[0][0] for table in ("inbox", "outbox", "mine")] == [0, 0, 0]


@ON_SQLITE
def test_the_log_is_searched_a_page_at_a_time(world: World, line: Line, log: Log) -> None:
    begin(log)
    world.user("rich", credit="1000")
    for index in range(60):
        world.send(f"text 100% {index:02}", destination=f"+362012300{index:02}", user="rich")
    world.accept(line, "n1")
    log.turn()
    recorder = Recorder()
    with recorder.target.begin(log.plan()) as connection:
        first = search(connection, log.plan(), Wanted())
        second = search(connection, log.plan(), Wanted(before=first.older))
        by_number = search(connection, log.plan(), Wanted(number="+36201230042"))
        by_text = search(connection, log.plan(), Wanted(text="100% 07", state="accepted"))
        by_state = search(connection, log.plan(), Wanted(state="deliveredtonetwork"))
        before = search(connection, log.plan(), Wanted(until=(world.now - timedelta(days=1)).replace(tzinfo=None)))
        joker = search(connection, log.plan(), Wanted(text="100_"))
    recorder.close()

    assert (len(first.rows), len(second.rows), second.older) == (50, 10, "")
    assert [row["msgdata"][-2:] for row in (*by_number.rows, *by_text.rows)] == ["42", "07"]
    assert len(by_state.rows) == 1
    assert (before.rows, joker.rows) == ([], [])


@ON_POSTGRESQL
@pytest.mark.full
@pytest.mark.parametrize("log_url", ["log_sqlite_url"], indirect=True)
def test_the_log_may_lie_in_the_gateways_own_database_under_other_names(world: World, line: Line, log: Log) -> None:
    log.url = world.core.settings.url
    with pytest.raises(NotTaken, match="There is a table outbox already, without the columns msgid, "):
        begin(log)
    begin(log, inbox_table="log_inbox", outbox_table="log_outbox")
    world.send("one")
    world.accept(line, "n1")
    while log.status().backlog_count:
        log.turn()

    assert [row.status for row in log.query(OUTBOX.replace("outbox", "log_outbox"))] == ["deliveredtonetwork"]


@ON_SQLITE
@pytest.mark.parametrize("log_url", ["log_sqlite_url"], indirect=True)
def test_a_changed_setting_ends_the_pause_at_once(world: World, line: Line, log: Log, tmp_path: Any) -> None:  # noqa: ARG001
    log.configure(database_url=f"sqlite:///{tmp_path}/no/such/folder/log.sqlite3")
    log.turn()
    world.send("kept")
    log.turn()
    error = log.status().last_error
    begin(log)
    log.turn()

    assert error == "The database says: unable to open database file."
    assert [row.msgdata for row in log.query("SELECT msgdata FROM outbox")] == ["kept"]


@ON_SQLITE
@pytest.mark.full
# PyMySQL leaves the socket of a connection that was refused to the collector, which may come at any moment.
@pytest.mark.filterwarnings("ignore:unclosed.*socket:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "log_url",
    [
        pytest.param("own_mariadb_url", id="mariadb", marks=pytest.mark.mariadb),
        pytest.param("own_postgres_url", id="postgresql", marks=pytest.mark.postgres),
    ],
    indirect=True,
)
def test_a_server_that_is_killed_in_mid_flow_has_every_message_once(world: World, line: Line, log: Log, own_server: Any) -> None:
    begin(log)
    numbers = [world.send(f"message {index}") for index in range(30)]
    world.accept(line, *(f"n{index}" for index in range(10)))
    log.turn()
    taken = log.consumer.take

    def killed(*given: Any) -> None:
        taken(*given)
        own_server.kill()
        raise NotTaken("The answer was lost.")

    world.accept(line, *(f"n{index}" for index in range(10, 20)))
    log.consumer.take = killed
    log.turn()
    log.consumer.take = taken
    world.report(line, *(Report((f"n{index}",), ReportState.DELIVERED) for index in range(5)))
    log.monotonic += 100
    log.turn()
    away = log.status()
    own_server.start()
    log.monotonic += 100
    log.turn(3)

    rows = log.query(OUTBOX)
    assert "The database says: " in away.last_error
    assert away.backlog_count > 0
    assert [row.msgid for row in rows] == [public_id(number) for number in numbers]
    assert [row.status for row in rows] == ["deliveredtohandset"] * 5 + ["deliveredtonetwork"] * 15 + ["accepted"] * 10
    assert log.status().last_error == ""

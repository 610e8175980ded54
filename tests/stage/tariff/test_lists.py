"""Price lists on both databases: imports, activation, previews, and what is read when."""

import io
from datetime import timedelta
from typing import Any

import pytest
from pennywire_tariff import comparing, importing, lists, networks, packing, reading, rows, words
from pennywire_tariff.compiled import Found, Networks
from pennywire_tariff.models import Base, Entry, NetworkMap, Pack
from pennywire_tariff.parsing import Form, Line
from sqlalchemy import event, inspect, select
from sqlalchemy.engine import make_url

from app.db import make_engine
from pennywire import InvalidSetting

Desk = Any
TO = "+36201234567"
MICRO = 1_000_000
PRICES = "prefix;price\n36;3\n3620;3.2\n*;9\n"


def refuse(desk: Desk, work: Any, name: str = "Retail") -> None:
    with desk.gateway.write() as session:
        work(session, lists.find_list(session, name))


def test_the_default_list_prices_everybody_s_messages_and_says_why(desk: Desk) -> None:
    desk.list(text=PRICES, default=True)

    number = desk.world.send(destination=TO)

    message = desk.world.message(number)
    assert (message.price_uc, message.price_why) == (3_200_000, "Retail, version 1, prefix 3620")
    assert desk.costs("+36301234567") == 3 * MICRO
    assert desk.costs("+4917012345") == 9 * MICRO
    assert desk.world.money() == ("100", "15.2")


def test_a_network_is_found_by_the_range_of_the_number(desk: Desk) -> None:
    desk.list(text="mcc;mnc;price\n216;30;3\n216;;4\n", default=True)
    before = desk.costs()
    report = networks.import_map(desk.gateway, io.BytesIO(b"prefix;mcc;mnc\n3630;216;30\n36;216;\n"), Form())

    assert (before, report.entry_count) == ("no_price", 2)
    assert [desk.costs("+36301112233"), desk.costs()] == [3 * MICRO, 4 * MICRO]
    again = networks.import_map(desk.gateway, io.BytesIO(b"prefix;mcc;mnc\n3620;216;30\n3620;216;20\n"), Form())
    assert again.errors == [(3, "The prefix 3620 stands in line 2 already.")]
    assert desk.costs() == 4 * MICRO
    networks.import_map(desk.gateway, io.BytesIO(b"3620;216;30"), Form())
    assert desk.costs() == 3 * MICRO
    with desk.gateway.read() as session:
        assert [row.entry_count for row in session.scalars(select(NetworkMap))] == [1]


def test_a_version_takes_effect_exactly_at_its_moment_without_anybody_s_doing(desk: Desk) -> None:
    desk.list(text="*;3", default=True)
    at = desk.world.now + timedelta(days=7)
    desk.activate("Retail", desk.version("Retail", "*;5"), at)
    snapshot = desk.world.core.snapshots.present()

    desk.world.now = at - timedelta(microseconds=1)
    before = desk.costs()
    desk.world.now = at
    after = desk.costs()

    assert (before, after) == (3 * MICRO, 5 * MICRO)
    assert desk.world.core.snapshots.present() is snapshot


def test_what_is_to_come_can_be_cancelled_and_what_held_cannot(desk: Desk) -> None:
    desk.list(text="*;3", default=True)
    later = desk.activate("Retail", desk.version("Retail", "*;5"), desk.world.now + timedelta(days=1))
    with desk.gateway.write() as session:
        lists.cancel_activation(desk.gateway, session, lists.find_list(session, "Retail"), later)

    desk.world.now += timedelta(days=2)

    assert desk.costs() == 3 * MICRO
    assert desk.states() == {1: "active", 2: "unused"}
    with pytest.raises(InvalidSetting, match="has taken effect"):
        refuse(desk, lambda session, row: lists.cancel_activation(desk.gateway, session, row, later - 1))


# Imports.


def test_lines_that_are_wrong_are_named_and_nothing_is_kept(desk: Desk) -> None:
    desk.list()

    report = desk.load(
        "Retail",
        "prefix;price;effective;end\n36;1;;\n999;2;;\n43;-1;;\n36;3;2026-05-01;\n44;1;2026-05-01;2026-05-31\n44;2;2026-06-01;\nx;1;;\n",
    )

    assert [line for line, _words in report.errors] == [4, 5, 8]
    assert report.errors[1] == (5, "Its dates overlap with those of line 2: both are prices of +36.")
    assert report.warnings == [(3, "No numbering plan knows the prefix 999.")]
    assert (report.line_count, report.error_count, report.version) == (7, 3, None)
    with desk.gateway.read() as session:
        assert session.scalars(select(Entry)).first() is None
    assert desk.states() == {}


def test_entries_of_one_key_that_follow_each_other_do_not_overlap(desk: Desk) -> None:
    desk.list()

    report = desk.load("Retail", "36;1;;2026-04-30\n36;2;2026-05-01;2026-05-31\n36;3;2026-06-01;\n")

    assert (report.errors, report.entry_count) == ([], 3)


def test_an_entry_that_lies_inside_an_earlier_one_overlaps_even_when_another_ended_between(desk: Desk) -> None:
    desk.list()

    report = desk.load("Retail", "36;1;2026-01-01;2026-12-31\n36;2;2026-02-01;2026-02-28\n36;3;2026-06-01;2026-06-30\n")

    assert [line for line, _words in report.errors] == [2, 3]


def test_what_is_exported_is_imported_as_it_was(desk: Desk) -> None:
    head = "prefix;mcc;mnc;price;effective;end;name\r\n"
    first = '3620;;;0.0605;2026-04-01;2026-04-30;"Yettel; ""HU"""\r\n'
    text = head + first + ';216;30;1;;2026-04-30T12:00:00Z;""\r\n*;;;9;;;"Österreich"\r\n'
    desk.list()
    number = desk.version("Retail", text)

    with desk.gateway.read() as session:
        version = lists.find_version(session, lists.find_list(session, "Retail"), number)
        exported = "prefix;mcc;mnc;price;effective;end;name\r\n" + "".join(
            words.csv_line(row) for row in comparing.entries(session, version)
        )

    assert exported == text


def test_a_long_file_goes_in_by_chunks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", 7)
    monkeypatch.setattr(rows, "CHUNK", 7)
    monkeypatch.setattr(comparing, "CHUNK", 7)
    text = "".join(f"36{number};0.{number}\n" for number in range(100, 150))
    told: list[int] = []
    desk.list()
    report = importing.import_version(desk.gateway, "Retail", io.BytesIO(text.encode()), Form(), progress=told.append)
    copied = importing.copy_as_draft(desk.gateway, "Retail", report.version)

    with desk.gateway.read() as session:
        row = lists.find_list(session, "Retail")
        first, second = lists.find_version(session, row, 1), lists.find_version(session, row, copied)
        found = comparing.compare(session, first, second, desk.world.now)

    assert told == [7, 14, 21, 28, 35, 42, 49, 50, 50]
    assert found.counts == {"added": 0, "removed": 0, "dearer": 0, "cheaper": 0, "unchanged": 50}
    importing.discard_draft(desk.gateway, "Retail", copied)
    assert desk.states() == {1: "draft"}


# What changes for whom.


def test_a_preview_says_what_changes_and_what_last_month_would_have_cost(desk: Desk) -> None:
    desk.list(text="36;3\n3620;3.2\n43;1\n", default=True)
    desk.world.user("bella", credit="100")
    desk.world.send("x", TO)
    desk.world.send("x" * 200, "+436601234567", user="bella")
    desk.world.now += timedelta(days=31)
    number = desk.version("Retail", "36;3\n3620;3.5\n44;1\n43660;0.5\n")

    with desk.gateway.read() as session:
        row = lists.find_list(session, "Retail")
        version = lists.find_version(session, row, number)
    found = comparing.preview(desk.gateway, row, version, at=desk.world.now)

    assert found.base == 1
    assert found.differences.counts == {"added": 2, "removed": 1, "dearer": 1, "cheaper": 0, "unchanged": 1}
    assert found.differences.changes["dearer"] == [comparing.Change("+3620", "", 3_200_000, 3_500_000)]
    bills = {bill.username: (bill.was_uc, bill.would_uc, bill.segment_count) for bill in found.month.bills}
    assert bills == {"anna": (3_200_000, 3_500_000, 1), "bella": (2_000_000, 1_000_000, 2)}
    assert (found.month.total.was_uc, found.month.total.would_uc, found.month.total.unpriced_count) == (5_200_000, 4_500_000, 0)
    only = comparing.would_have_cost(desk.gateway, row, version, username="anna", month="2026-03")
    assert [bill.username for bill in only.bills] == ["anna"]


def test_a_number_is_looked_up_as_it_would_be_priced(desk: Desk) -> None:
    desk.list(text=PRICES, default=True)

    with desk.gateway.read() as session:
        found = comparing.look_up(session, TO, username="anna", at=desk.world.now)

    assert (found.price_uc, found.why) == (3_200_000, "Retail, version 1, prefix 3620")


# What it costs the gateway.


def test_a_list_is_read_once_and_not_again_when_users_are_edited(desk: Desk) -> None:
    desk.list(text=PRICES, default=True)
    desk.list("Flat", "*;4")
    desk.world.user("carla", credit="100")
    desk.assign("Flat", "user", "carla")
    desk.costs(user="carla")
    statements: list[str] = []
    engine = desk.world.core.database.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    desk.world.user("bella", credit="100")
    assert desk.costs(user="bella") == 3_200_000

    assert [text for text in statements if "FROM tariff_entries" in text] == []


def test_a_process_reads_the_pack_and_not_the_entries(desk: Desk) -> None:
    """A million entries take seconds; a pack takes milliseconds."""
    desk.list(text=PRICES)
    with desk.gateway.read() as session:
        version = lists.find_version(session, lists.find_list(session, "Retail"), 1)
        session.connection().exec_driver_sql("UPDATE tariff_entries SET price_uc = 1 WHERE prefix <> ''")
        found = packing.read_version(session, version.id, "Retail").find(TO, desk.world.now, Networks())
        session.rollback()

    assert found == Found("prefix 3620", 3_200_000)


def test_a_draft_that_was_changed_by_hand_is_packed_again_and_never_read_as_it_was(desk: Desk) -> None:
    desk.list(text=PRICES, default=True)
    number = importing.copy_as_draft(desk.gateway, "Retail", 1)
    with desk.gateway.write() as session:
        version = lists.find_version(session, lists.find_list(session, "Retail"), number)
        of_3620 = next(row for row in comparing.entries(session, version) if row.prefix == "3620")
        importing.remove_entry(desk.gateway, session, version, of_3620.id)
        importing.put_entry(desk.gateway, session, version, Line(0, "3620", "", "", 7 * MICRO, None, None, ""))
        at_once = packing.read_version(session, version.id, "Retail").find(TO, desk.world.now, Networks())
    packing.pack_number(desk.gateway, "Retail", number)
    desk.activate("Retail", number)

    with desk.gateway.read() as session:
        packs = {row.version_id: row.edit_count for row in session.scalars(select(Pack))}
    assert at_once == Found("prefix 3620", 7 * MICRO)
    assert packs[version.id] == 2
    assert desk.costs() == 7 * MICRO


def test_a_file_that_is_too_long_is_refused_whole_and_says_the_limit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MOST_LINES", 3)
    desk.list()

    report = desk.load("Retail", "36;1\n43;1\n44;1\n49;1\n")

    assert report.failure.startswith("The file has more than 3 lines.")
    assert desk.states() == {}


def test_versions_that_can_hold_no_more_are_forgotten(desk: Desk) -> None:
    desk.list(text="*;1", default=True)
    for amount in range(2, 7):
        desk.world.now += timedelta(days=1)
        desk.activate("Retail", desk.version("Retail", f"*;{amount}"))

    rule = desk.world.core.snapshots.present().rules[0][1]

    assert len(rule.book.defaults["outbound"].versions) == reading.PAST_KEPT
    assert desk.costs() == 6 * MICRO


def test_the_steps_make_the_tables_of_the_models(desk: Desk, database_url: str) -> None:
    engine = desk.world.core.database.engine
    made = inspect(engine)
    found = {name: {(column["name"], column["nullable"]) for column in made.get_columns(name)} for name in Base.metadata.tables}
    indexes = {name: {index["name"] for index in made.get_indexes(name)} for name in Base.metadata.tables}

    assert make_url(database_url).get_backend_name() == engine.dialect.name
    assert found == {
        name: {(column.name, bool(column.nullable)) for column in table.columns} for name, table in Base.metadata.tables.items()
    }
    assert {name: {index.name for index in table.indexes} for name, table in Base.metadata.tables.items()} == {
        name: {index for index in names if index and index.startswith("ix_")} for name, names in indexes.items()
    }
    make_engine(database_url).dispose()

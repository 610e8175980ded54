"""Tables and statements in the words of each database; SQL Server and Oracle are proven to here."""

from typing import Any

import pytest
from pennywire_sqllog import search, tables
from sqlalchemy import create_engine, select
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.schema import CreateTable

TABLES = tables.make_tables("inbox", "billing.outbox")
TWO_STEPS = {"mssql": mssql.dialect(), "oracle": oracle.dialect()}
UPSERTS = {"postgresql": postgresql.dialect(), "sqlite": sqlite.dialect(), "mysql": mysql.dialect(paramstyle="format")}


def words(clause: Any, dialect: Any) -> str:
    return " ".join(str(clause.compile(dialect=dialect)).split())


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("mssql", ["billing.outbox", "msgid VARCHAR(40) NOT NULL", "msgdata NVARCHAR(max)", "DATETIME2(6)", "price NUMERIC(20, 6)"]),
        ("oracle", ["billing.outbox", "msgid VARCHAR2(40 CHAR) NOT NULL", "msgdata CLOB", "TIMESTAMP", "price NUMERIC(20, 6)"]),
    ],
)
def test_the_tables_are_made_in_the_databases_own_types(name: str, fragments: list[str]) -> None:
    made = words(CreateTable(TABLES.outbox), TWO_STEPS[name])

    assert [fragment for fragment in fragments if fragment not in made] == []


@pytest.mark.parametrize("name", TWO_STEPS)
def test_databases_without_an_upsert_get_a_guarded_update(name: str) -> None:
    dialect = TWO_STEPS[name]
    assert tables.upsert(TABLES.outbox, name) is None
    present, fresh, changed = tables.two_steps(TABLES.outbox)

    assert "IN (__[POSTCOMPILE_wanted])" in words(present, dialect)
    assert words(fresh, dialect).startswith("INSERT INTO billing.outbox (msgid, username,")
    update = words(changed, dialect)
    assert "WHERE billing.outbox.msgid = :found AND CASE WHEN (" in update
    assert ":fresh" in update
    assert ">= CASE WHEN (billing.outbox.status = 'accepted') THEN 0" in update
    assert words(search.statement(TABLES.outbox, search.Wanted(text="a_b", number="+36", before="X")), dialect).startswith("SELECT")


@pytest.mark.parametrize("name", UPSERTS)
def test_others_get_one_statement_that_never_goes_back(name: str) -> None:
    made = words(tables.upsert(TABLES.outbox, name), UPSERTS[name])

    assert ("ON DUPLICATE KEY UPDATE" if name == "mysql" else "ON CONFLICT (msgid) DO UPDATE SET") in made
    assert "'deliveredtohandset') THEN 2" in made


def test_mysql_assigns_the_state_last_because_it_decides() -> None:
    made = words(tables.upsert(TABLES.outbox, "mysql"), UPSERTS["mysql"])

    assert made.rindex(" status = CASE") > made.rindex(" errormessage = CASE")


def test_the_two_steps_insert_what_is_missing_and_update_what_is_there() -> None:
    """The way of SQL Server and Oracle, run on a database that is at hand."""
    plain = tables.make_tables("inbox", "outbox")
    engine = create_engine("sqlite://")
    row = dict.fromkeys((column.name for column in plain.outbox.columns), None)
    plain.metadata.create_all(engine)
    with pytest.MonkeyPatch.context() as patch, engine.begin() as connection:
        patch.setattr(tables, "upsert", lambda *_: None)
        tables.write_rows(connection, plain.outbox, [row | {"msgid": "A", "status": "accepted"}])
        tables.write_rows(
            connection, plain.outbox, [row | {"msgid": "A", "status": "deliveredtohandset"}, row | {"msgid": "B", "status": "accepted"}]
        )
        tables.write_rows(connection, plain.outbox, [row | {"msgid": "A", "status": "accepted"}])
        found = connection.execute(select(plain.outbox.c.msgid, plain.outbox.c.status).order_by(plain.outbox.c.msgid)).all()
    engine.dispose()

    assert [tuple(item) for item in found] == [("A", "deliveredtohandset"), ("B", "accepted")]

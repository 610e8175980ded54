"""Lists as one parameter, on both databases."""

from typing import Any

import pytest
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, MetaData, Table, Text, select

from app.arrays import among
from app.bulk import insert_rows
from app.db import Instant

World = Any

TABLE = Table(
    "odd_values",
    MetaData(),
    Column("id", BigInteger, primary_key=True),
    Column("text", Text),
    Column("octets", LargeBinary),
    Column("yes", Boolean),
    Column("at", Instant),
)
TEXTS = ["plain", "", "NULL", "null", "{a,b}", 'say "so"', "back\\slash", "line\nend\ttab", " spaces ", "ő€😀", "%s ? :x", None]


@pytest.fixture
def rows(world: World) -> list[dict[str, Any]]:
    now = world.core.clock()
    rows = [
        {"id": index - 2, "text": text, "octets": (text or "x").encode() + b"\x00\\", "yes": index % 2 == 0, "at": now}
        for index, text in enumerate(TEXTS)
    ]
    with world.core.database.write() as session:
        TABLE.create(session.connection())
        insert_rows(session, TABLE, rows)
    return rows


def test_what_was_written_is_read(world: World, rows: list[dict[str, Any]]) -> None:
    with world.core.database.read() as session:
        found = [row._asdict() for row in session.execute(select(TABLE).order_by(TABLE.c.id))]

    assert found == rows


@pytest.mark.parametrize("ids", [[], [-2], [-2, 3, 99], list(range(-5, 5_000))])
def test_numbers_are_found_by_their_list(world: World, rows: list[dict[str, Any]], ids: list[int]) -> None:
    with world.core.database.read() as session:
        found = session.scalars(select(TABLE.c.id).where(among(TABLE.c.id, "ids")), {"ids": ids}).all()

    assert sorted(found) == sorted(row["id"] for row in rows if row["id"] in ids)


@pytest.mark.parametrize("text", TEXTS[:-1])
def test_a_text_is_found_by_its_list(world: World, rows: list[dict[str, Any]], text: str) -> None:
    with world.core.database.read() as session:
        found = session.scalars(select(TABLE.c.id).where(among(TABLE.c.text, "texts")), {"texts": [text, "elsewhere"]}).all()

    assert found == [row["id"] for row in rows if row["text"] == text]

"""A page of a folder is read from an index, in its order: neither the table is scanned nor the folder sorted."""

from typing import Any

import pytest
from sqlalchemy import text

from app import mailbox
from app.lifecycle import Folder
from pennywire import Draft
from tests.stage.test_query_plans import plan, statements

World = Any


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.parametrize("whose", ["everybody", "one"])
@pytest.mark.parametrize("before", [None, 1 << 62])
@pytest.mark.parametrize("chosen", [{}, {"state": "sent"}, {"number": "+3620"}])
def test_a_page_of_a_folder_is_read_in_the_order_of_an_index(world: World, whose: str, before: int | None, chosen: dict[str, str]) -> None:
    """`before` continues behind a page; with it too the statement begins where that page ended."""
    world.submit(Draft("+36201234567", "hello"))
    with world.core.database.engine.connect() as connection:
        user_id = connection.scalar(text("SELECT user_id FROM messages"))
    users = None if whose == "everybody" else [user_id]
    with statements(world) as found, world.core.database.read() as session:
        rows = mailbox.page(session, user_ids=users, folder=Folder.OUTBOX, before=before, **chosen)
    listing = {sql: values for sql, values in found.items() if "ORDER BY messages.id DESC" in sql}
    steps = [step for sql, values in listing.items() for step in plan(world, sql, values)]

    assert len(rows) == (0 if "state" in chosen else 1)
    assert len(listing) == 1
    assert not [step for step in steps if step.startswith(("SCAN", "USE TEMP B-TREE"))], steps
    assert any("ix_message_folder" in step for step in steps)

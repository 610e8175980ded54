"""The databases that the tests are given."""

import pytest
from sqlalchemy import text

from app.db import make_engine


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_an_empty_database(database_url: str, round_: int) -> None:
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE leftovers (id INTEGER)"))
        connection.execute(text("INSERT INTO leftovers VALUES (:round)"), {"round": round_})
        found = connection.execute(text("SELECT id FROM leftovers")).scalars().all()
    engine.dispose()

    assert found == [round_]

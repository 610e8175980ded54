"""COMMIT that fails: a full disk is known to have kept nothing, of anything else it is not known what became."""

from collections.abc import Iterator
from typing import Any

import pysqlite3.dbapi2
import pytest
from sqlalchemy import event, text

from app.db import SQLITE_FULL, CommitFailed, Database, Unavailable, make_engine

SQLITE_IOERR_FSYNC = 10 | 4 << 8


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    opened = Database(make_engine(sqlite_url))
    with opened.write() as session:
        session.execute(text("CREATE TABLE kept (number INTEGER)"))
    yield opened
    opened.dispose()


@pytest.mark.parametrize(("code", "expected"), [(SQLITE_FULL, Unavailable), (SQLITE_IOERR_FSYNC, CommitFailed)])
def test_a_failed_commit_says_what_is_known(database: Database, code: int, expected: type[Exception]) -> None:
    """The driver fails once, as it does on a full disk and on one that cannot sync; the next transaction works."""

    def fail(_connection: Any) -> None:
        error = pysqlite3.dbapi2.OperationalError("injected")
        error.sqlite_errorcode = code
        raise error

    event.listen(database.engine, "commit", fail)
    with pytest.raises(expected), database.write() as session:
        session.execute(text("INSERT INTO kept VALUES (1)"))
    event.remove(database.engine, "commit", fail)

    with database.write() as session:
        session.execute(text("INSERT INTO kept VALUES (2)"))
    with database.read() as session:
        assert session.execute(text("SELECT number FROM kept")).scalars().all() == [2]

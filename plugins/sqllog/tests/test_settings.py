"""The logger's settings: what is refused, and what is made of the rest."""

from typing import Any

import pytest
from pennywire_sqllog.declared import SETTINGS
from pennywire_sqllog.events import LogEvent
from pennywire_sqllog.settings import Plan, read_plan

from pennywire import InvalidSetting, read_settings


def plan(**given: Any) -> Plan:
    return read_plan(read_settings(SETTINGS, given))


@pytest.mark.parametrize(
    ("given", "name", "reason"),
    [
        ({"database_url": "not a url"}, "database_url", "no database URL"),
        ({"database_url": "mongodb://h/d"}, "database_url", "mongodb is not a database that is logged into"),
        ({"database_url": "mysql://u:secret@h/d"}, "database_url", "The password does not belong here"),
        ({"database_url": "mysql://u@h/"}, "database_url", "The name of the database is missing"),
        ({"database_url": "sqlite:///log.sqlite3"}, "database_url", "four slashes"),
        ({"database_password": "x"}, "database_url", "a password and no database"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "no time zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "no time zone"),
        ({"inbox_table": "in; DROP"}, "inbox_table", "letters, digits and underscores"),
        ({"outbox_table": "Inbox"}, "outbox_table", "a table each"),
        ({"own_sql": True}, "own_sql", "No event has a statement"),
        ({"own_sql": True, "sql_accepted": "INSERT INTO t VALUES ($who)"}, "sql_accepted", "no keyword $who"),
        ({"own_sql": True, "sql_accepted": "INSERT INTO t VALUES ($msgid)"}, "database_url", "needs a database"),
        ({"file_format": "csv"}, "file_folder", "whole path"),
        ({"file_format": "jsonl", "file_folder": "logs"}, "file_folder", "whole path"),
    ],
)
def test_what_cannot_work_is_refused_beside_its_field(given: dict[str, Any], name: str, reason: str) -> None:
    with pytest.raises(InvalidSetting) as error:
        plan(**given)

    assert error.value.name == name
    assert reason in error.value.reason


def test_nothing_set_means_nothing_to_do() -> None:
    assert not plan().active


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://u@h/d", "postgresql+psycopg"),
        ("mariadb://u@h/d", "mariadb+pymysql"),
        ("mssql://u@h/d?driver=x", "mssql+pyodbc"),
        ("oracle://u@h/?service_name=x", "oracle+oracledb"),
        ("mysql+mysqldb://u@h/d", "mysql+mysqldb"),
    ],
)
def test_a_url_gets_its_driver_and_its_password(url: str, driver: str) -> None:
    made = plan(database_url=url, database_password="p@ss/word")

    assert made.url is not None
    assert (made.url.drivername, made.url.password) == (driver, "p@ss/word")
    assert "p@ss" not in repr(made)


def test_own_statements_are_kept_by_event() -> None:
    made = plan(database_url="mysql://u@h/d", own_sql=True, sql_accepted="INSERT INTO t VALUES ($id)", sql_delivery_error=" ")

    assert made.statements is not None
    assert list(made.statements) == [LogEvent.ACCEPTED]

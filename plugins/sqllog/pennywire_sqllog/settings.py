"""What the settings of the logger ask for, read into what the rest of it works with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from pennywire import InvalidSetting
from pennywire_sqllog.events import LogEvent
from pennywire_sqllog.statements import InvalidStatement, Statement, compile_statement

PLUGIN = "sqllog"
DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql", "sqlite": "pysqlite", "mssql": "pyodbc", "oracle": "oracledb"}
"""Driver of each kind of database, where the URL names none."""

_TABLE = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]{0,62}\.)?[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Files:
    """Where and how files are written. `format` is `csv` or `jsonl`."""

    folder: Path
    format: str
    size_octets: int
    daily: bool
    synced: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settings ask for. `statements` is None where the default tables are used."""

    zone: ZoneInfo
    url: URL | None = field(default=None, repr=False)
    inbox: str = "inbox"
    outbox: str = "outbox"
    statements: Mapping[LogEvent, Statement] | None = None
    files: Files | None = None

    @property
    def active(self) -> bool:
        """Say whether anything is to be written."""
        return self.url is not None or self.files is not None


def read_plan(settings: Mapping[str, Any]) -> Plan:
    """Return what the settings ask for. Raises: InvalidSetting."""
    url = _url(settings["database_url"], settings["database_password"])
    return Plan(
        zone=_zone(settings["time_zone"]),
        url=url,
        inbox=_table(settings, "inbox_table"),
        outbox=_table(settings, "outbox_table"),
        statements=_statements(settings) if settings["own_sql"] else None,
        files=_files(settings),
    )


def _url(text: str, password: str) -> URL | None:
    if not text:
        if password:
            raise InvalidSetting("database_url", "There is a password and no database. Name the database, or remove the password.")
        return None
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidSetting("database_url", "This is no database URL. Write it like postgresql://user@host/database.") from None
    backend = url.get_backend_name()
    if backend not in DRIVERS:
        raise InvalidSetting("database_url", f"{backend} is not a database that is logged into. Known: {', '.join(DRIVERS)}.")
    if url.password:
        raise InvalidSetting("database_url", "The password does not belong here, where everybody sees it. Enter it below.")
    if backend == "sqlite":
        if not url.database or not Path(url.database).is_absolute():
            raise InvalidSetting("database_url", "Name the whole path of the file, with four slashes: sqlite:////var/lib/sms/log.sqlite3.")
    elif not url.database and not url.query:
        raise InvalidSetting("database_url", "The name of the database is missing: it stands behind the host and a slash.")
    if "+" not in url.drivername:
        url = url.set(drivername=f"{backend}+{DRIVERS[backend]}")
    return url.set(password=password) if password else url


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidSetting("time_zone", f"There is no time zone {name}. Write UTC, or a name like Europe/Budapest.") from None


def _table(settings: Mapping[str, Any], name: str) -> str:
    table: str = settings[name]
    if not _TABLE.fullmatch(table):
        raise InvalidSetting(name, "A table's name has letters, digits and underscores; its schema may stand before it with a point.")
    if name == "outbox_table" and table.lower() == settings["inbox_table"].lower():
        raise InvalidSetting(name, "Received and sent messages need a table each. Choose another name.")
    return table


def _statements(settings: Mapping[str, Any]) -> dict[LogEvent, Statement]:
    found: dict[LogEvent, Statement] = {}
    for event in LogEvent:
        name = f"sql_{event.value}"
        try:
            statement = compile_statement(settings[name])
        except InvalidStatement as error:
            raise InvalidSetting(name, str(error)) from error
        if statement is not None:
            found[event] = statement
    if not found:
        raise InvalidSetting("own_sql", "No event has a statement. Write one, or use the tables.")
    if not settings["database_url"]:
        raise InvalidSetting("database_url", "Your own SQL needs a database. Name it.")
    return found


def _files(settings: Mapping[str, Any]) -> Files | None:
    if settings["file_format"] == "off":
        return None
    folder = Path(settings["file_folder"])
    if not settings["file_folder"] or not folder.is_absolute():
        raise InvalidSetting("file_folder", "Files need the whole path of a folder, such as /var/log/sms.")
    return Files(
        folder, settings["file_format"], settings["file_size_mb"] * 1_000_000, settings["file_daily"], settings["file_sync"] == "batch"
    )

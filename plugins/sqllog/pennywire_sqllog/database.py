"""The operator's database: one engine at a time for each process, and errors in words that give nothing away."""

import re
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError

from pennywire import NotTaken
from pennywire_sqllog.settings import Plan
from pennywire_sqllog.tables import LogTables, make_memory, make_tables

CONNECT_S = 5
ANSWER_S = 60
"""How long a statement may take, in seconds: a server that vanished is noticed by it."""

_LONGEST = 300
_CONNECT: dict[str, dict[str, Any]] = {
    "postgresql": {"connect_timeout": CONNECT_S, "options": f"-c statement_timeout={ANSWER_S}s", "tcp_user_timeout": ANSWER_S * 1000},
    "mysql": {"connect_timeout": CONNECT_S, "read_timeout": ANSWER_S, "write_timeout": ANSWER_S},
    "mariadb": {"connect_timeout": CONNECT_S, "read_timeout": ANSWER_S, "write_timeout": ANSWER_S},
    "sqlite": {"timeout": CONNECT_S},
    "mssql": {"timeout": CONNECT_S},
    "oracle": {"tcp_connect_timeout": CONNECT_S},
}
_PACKAGES = {"psycopg": "psycopg[binary]", "MySQLdb": "mysqlclient"}
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_FROM_SELECT = {"oracle": "SELECT 1 FROM dual"}


class Target:
    """Hands out connections to the database that is set now; when the settings name another, the old one is let go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._url: URL | None = None
        self._engine: Engine | None = None
        self._remembers: dict[str, bool] = {}

    @contextmanager
    def begin(self, plan: Plan) -> Iterator[Connection]:
        """Open a transaction that is committed at its end. Raises: NotTaken with words for operators."""
        known = {
            plan.inbox,
            plan.outbox,
            *(column.name for table in (_tables(plan).inbox, _tables(plan).outbox) for column in table.columns),
        }
        try:
            with self._present(plan).begin() as connection:
                yield connection
        except (SQLAlchemyError, ImportError, OSError, UnicodeError) as error:
            raise NotTaken(explain(error, known)) from error

    def _present(self, plan: Plan) -> Engine:
        assert plan.url is not None
        with self._lock:
            if self._engine is None or self._url != plan.url:
                if self._engine is not None:
                    self._engine.dispose()
                self._engine, self._url, self._remembers = _open(plan.url), plan.url, {}
            return self._engine

    def remembers(self, connection: Connection) -> bool:
        """Say whether the table is there in which the last batch of the operator's own SQL is kept."""
        if "there" not in self._remembers:
            self._remembers["there"] = inspect(connection).has_table(make_memory().name)
        return self._remembers["there"]

    def forget(self) -> None:
        """Look again what tables there are."""
        self._remembers = {}

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = self._url = None


def _open(url: URL) -> Engine:
    return create_engine(
        url,
        connect_args=_CONNECT.get(url.get_backend_name(), {}),
        pool_size=2,
        max_overflow=8,
        pool_pre_ping=True,
        pool_recycle=1800,
        # An error's text goes to a page, and the values of its statement are a customer's text.
        hide_parameters=True,
    )


def explain(error: BaseException, known: Collection[str] = ()) -> str:
    """Return what a database says, in one line and without values: they may be a message's text or number."""
    if isinstance(error, NoSuchModuleError | ImportError):
        name = getattr(error, "name", None) or "the driver"
        return f"The driver {name} of this database is not installed. Install it: pip install {_PACKAGES.get(name, name)}"
    if isinstance(error, DBAPIError) and error.orig is not None:
        told = error.orig.args[-1] if error.orig.args and isinstance(error.orig.args[-1], str) else str(error.orig)
        line = told.strip().splitlines()[0] if told.strip() else type(error.orig).__name__
        if not isinstance(error, OperationalError):
            line = _QUOTED.sub(lambda match: match.group() if match.group()[1:-1].rpartition(".")[2] in known else "…", line)
        return f"The database says: {line}"[:_LONGEST].rstrip(". ") + "."
    return f"The database cannot be used: {type(error).__name__}."


def _tables(plan: Plan) -> LogTables:
    return make_tables(plan.inbox, plan.outbox)


def try_connection(target: Target, plan: Plan) -> str:
    """Connect, ask for one row, and return what answered. Raises: NotTaken."""
    with target.begin(plan) as connection:
        connection.execute(text(_FROM_SELECT.get(connection.dialect.name, "SELECT 1"))).scalar_one()
        info = connection.dialect.server_version_info or ()
        return f"{connection.dialect.name} {'.'.join(map(str, info))}".strip()


def missing_tables(target: Target, plan: Plan) -> list[str]:
    """Return the names of tables that the settings use and that are not there.

    Raises: NotTaken; also for a table of that name that is somebody else's, such as the gateway's own `outbox`.
    """
    tables = [make_memory()] if plan.statements is not None else [_tables(plan).inbox, _tables(plan).outbox]
    missing = []
    with target.begin(plan) as connection:
        inspector = inspect(connection)
        for table in tables:
            if not inspector.has_table(table.name, schema=table.schema):
                missing.append(table.fullname)
                continue
            there = {column["name"].lower() for column in inspector.get_columns(table.name, schema=table.schema)}
            if absent := [column.name for column in table.columns if column.name not in there]:
                raise NotTaken(
                    f"There is a table {table.fullname} already, without the columns {', '.join(absent)}. "
                    "Choose another name for ours in the settings, or add the columns."
                )
    return missing


def create_tables(target: Target, plan: Plan) -> list[str]:
    """Make the tables that the settings use and that are not there, and return their names. Raises: NotTaken."""
    missing = missing_tables(target, plan)
    with target.begin(plan) as connection:
        metadata = make_memory().metadata if plan.statements is not None else _tables(plan).metadata
        metadata.create_all(connection)
    target.forget()
    return missing

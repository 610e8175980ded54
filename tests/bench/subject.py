"""The gateway that is measured: real processes on a fresh data folder, with honest settings."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from tools import PENNYWIRE, ROOT, free_port, stop, wait_for_port

from app import administration, ledger, migrations
from app.config import Settings
from app.core import Core, open_core
from app.db import make_engine
from app.models import Message, OutboxRow
from pennywire import Direction

USERS = 100
ROUTES = 50
PASSWORD = "correct-horse-battery"
HELLO = """
from flask import Flask

application = Flask(__name__)


@application.get("/")
def hello():
    return "hello"
"""


@dataclass
class Gateway:
    """One gateway with its processes. `workers` and `threads` are those of the web server."""

    core: Core
    environment: dict[str, str]
    port: int
    key: str = ""
    engine: subprocess.Popen[bytes] | None = None
    web: subprocess.Popen[bytes] | None = None
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, username: str, recipients: str = "%2B3620{n}", text: str = "Your+parcel+has+arrived") -> str:
        """Return the URL of a legacy submission; `{n}` counts up."""
        return (
            f"http://{self.address}/api?action=sendmessage&username={username}&password={PASSWORD}"
            f"&recipient={recipients}&messagetype=SMS:TEXT&messagedata={text}"
        )

    def start_web(self) -> None:
        self.web = self._start("web")
        wait_for_port(self.port, self.web)
        with urllib.request.urlopen(f"http://{self.address}/health", timeout=20):
            pass

    def start_engine(self) -> None:
        self.engine = self._start("engine")

    def stop_engine(self) -> None:
        if self.engine is not None:
            stop(self.engine)
            self.engine = None

    def _start(self, word: str) -> subprocess.Popen[bytes]:
        log = (self.core.settings.data / f"{word}.log").open("ab")
        process = subprocess.Popen([*PENNYWIRE, word], cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        self.running.append(process)
        return process

    def stop(self) -> None:
        for process in self.running:
            stop(process)
        self.core.close()

    # What the database says.

    def waiting(self) -> int:
        """Return how many segments wait for an answer."""
        with self.core.database.read() as session:
            return session.execute(select(func.count()).select_from(OutboxRow)).scalar_one()

    def count(self, state: str) -> int:
        with self.core.database.read() as session:
            return session.execute(select(func.count()).where(Message.state == state)).scalar_one()

    def add_links(self, ports: list[int], *, window: int = 100) -> None:
        """Add a started SMPP connection for each port, all of one provider."""
        core, now = self.core, self.core.clock()
        with core.database.write() as session:
            for index, port in enumerate(ports):
                name = f"smsc{len(core.snapshots.present().connections)}-{index}"
                settings = {"host": "127.0.0.1", "port": port, "system_id": f"bench{index}", "password": "secret", "window": window}
                administration.add_connection(
                    session, name, "smpp", settings, provider="smsc", plugins=core.plugins, vault=core.vault, now=now, actor="bench"
                )
                administration.set_desired(session, name, "started", plugins=core.plugins, now=now, actor="bench")
        core.snapshots.reload()

    def remove_links(self) -> None:
        with self.core.database.write() as session:
            for view in self.core.snapshots.reload().connections.values():
                administration.set_desired(session, view.name, "stopped", plugins=self.core.plugins, now=self.core.clock(), actor="bench")
        self.core.snapshots.reload()


@contextmanager
def gateway(database_url: str = "", *, begun_at: datetime | None = None) -> Iterator[Gateway]:
    """Make a gateway with 100 users, accounting on, and 50 routes; stop and remove it at the end.

    `begun_at` is when it was set up, for one that is to have a history; else it is now.
    """
    with tempfile.TemporaryDirectory(prefix="pennywire-bench-") as name:
        port = free_port()
        settings = Settings(data=Path(name), database_url=database_url, bind=f"127.0.0.1:{port}")
        engine = make_engine(settings.url)
        migrations.upgrade(engine)
        engine.dispose()
        environment = os.environ | {
            "PENNYWIRE_DATA": name,
            "PENNYWIRE_BIND": settings.bind,
            "PENNYWIRE_DATABASE_URL": database_url,
        }
        under_test = Gateway(open_core(settings), environment, port)
        _fill(under_test, begun_at or under_test.core.clock())
        try:
            yield under_test
        finally:
            under_test.stop()


def _fill(under_test: Gateway, now: datetime) -> None:
    core = under_test.core
    password_hash = administration.hash_password(PASSWORD)
    with core.database.write() as session:
        for index in range(USERS):
            user = administration.add_user(
                session, f"bench{index}", "", now=now, actor="bench", kind="application", accounting_enabled=True
            )
            user.password_hash = password_hash  # the real hash; the same for all spares a minute of hashing
            administration.top_up(session, user.username, 10_000_000 * ledger.MICRO, now=now, actor="bench", reason="bench")
        under_test.key = administration.add_key(session, "bench0", "bench", now=now, actor="bench")
    under_test.add_links([free_port()])
    under_test.remove_links()
    with core.database.write() as session:
        for index in range(ROUTES - 1):
            condition = {"kind": "destination_prefix", "settings": {"prefixes": f"+{900 + index}"}}
            administration.save_route(
                session,
                Direction.OUTBOUND,
                f"route{index}",
                conditions=[condition],
                targets=["smsc"],
                cost_uc=2_000_000,
                plugins=core.plugins,
                now=now,
                actor="bench",
            )
        administration.save_route(
            session, Direction.OUTBOUND, "rest", targets=["smsc"], cost_uc=500_000, plugins=core.plugins, now=now, actor="bench"
        )
    core.snapshots.reload()


@contextmanager
def hello(workers: int, threads: int) -> Iterator[str]:
    """Run a bare Flask application under the same server with the same settings; yield its address."""
    with tempfile.TemporaryDirectory(prefix="pennywire-hello-") as name:
        Path(name, "hello.py").write_text(HELLO)
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
        command += [
            "--workers",
            str(workers),
            "--threads",
            str(threads),
            "--no-control-socket",
            "--log-level",
            "error",
            "hello:application",
        ]
        process = subprocess.Popen(command, cwd=name)
        try:
            wait_for_port(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            stop(process)


def resident_mb(process: subprocess.Popen[bytes] | None) -> float:
    """Return the memory of a process and its children in MB."""
    total_kb = 0
    for pid in _family(process):
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            total_kb += sum(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return total_kb / 1024


def processor_s(process: subprocess.Popen[bytes] | None) -> float:
    """Return the processor time that a process and its children have used so far, in seconds. Source: proc_pid_stat(5)."""
    ticks = 0
    for pid in _family(process):
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():
            ticks += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(process: subprocess.Popen[bytes] | None) -> list[int]:
    pids = [process.pid] if process is not None else []
    for pid in pids:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        if children.exists():
            pids += [int(child) for child in children.read_text().split()]
    return pids


def batch(count: int, first: int, *, size_text: str = "Your parcel has arrived") -> bytes:
    """Return the body of a JSON submission of `count` messages."""
    return json.dumps({"messages": [{"destination": f"+3620{first + index:07}", "text": size_text} for index in range(count)]}).encode()

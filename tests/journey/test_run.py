"""`pennywire run` as an operator meets it: the real processes, started, used, hurt and stopped."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.journey, pytest.mark.timeout(180)]

NUMBER = "+36201234567"
PATIENCE_S = 60.0


@dataclass
class Running:
    """A gateway that was started by its command."""

    process: subprocess.Popen[str]
    data: Path
    announced: Path
    said: list[str] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    children: dict[str, int] = field(default_factory=dict)

    def until_ready(self) -> dict[str, str]:
        """Wait until it says that it is ready, and return what it announced."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if "Ctrl-C stops it." in line:
                break
        assert self.announced.exists(), self.said
        known: dict[str, str] = json.loads(self.announced.read_text())
        return known

    def until(self, event: str, child: str) -> dict[str, Any]:
        """Read its log until the supervisor tells this of a child."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            line = json.loads(text)
            self.seen.append(line)
            if line["event"] == event and line.get("child") == child:
                return line
        raise AssertionError(f"It ended without {event} of {child}: {self.seen}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit status."""
        self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode

    def family(self) -> list[psutil.Process]:
        """Return the processes it started."""
        return psutil.Process(self.process.pid).children(recursive=True)


Start = Callable[..., Running]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start gateways; those that a test leaves behind are ended."""
    started: list[Running] = []

    def begin(data: Path, *words: str, **environment: str) -> Running:
        announced = data.with_suffix(".json")
        announced.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "app.cli",
            "run",
            "--data",
            str(data),
            "--bind",
            "127.0.0.1:0",
            "--announce",
            str(announced),
            *words,
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment, start_new_session=True
        )
        started.append(Running(process, data, announced))
        return started[-1]

    yield begin
    for running in started:
        family = running.family() if running.process.poll() is None else []
        running.process.kill()
        running.process.communicate()
        for process in family:
            if process.is_running():
                process.kill()


@dataclass
class Demo:
    """A gateway with its demonstration, ready."""

    running: Running
    known: dict[str, str]


@pytest.fixture(scope="module")
def demo(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    running = start(tmp_path_factory.mktemp("run") / "data", "--demo")
    return Demo(running, running.until_ready())


def _ask(url: str, *, key: str = "", body: Any = None) -> Any:
    """Return the JSON answer of the modern API."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, headers=headers, data=json.dumps(body).encode() if body else None)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        return json.load(response)


def _send(known: dict[str, str], text: str = "hello") -> str:
    answer = _ask(f"{known['address']}/api/v1/messages", key=known["api_key"], body={"destination": NUMBER, "text": text})
    number: str = answer["id"]
    return number


def _delivered(known: dict[str, str], number: str) -> bool:
    """Say whether a message is delivered within our patience."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.1)):
        state = _ask(f"{known['address']}/api/v1/messages/{number}", key=known["api_key"])["state"]
        if state == "delivered":
            return True
        pause.wait(0.1)
    return False


def _available(known: dict[str, str]) -> Decimal:
    return Decimal(_ask(f"{known['address']}/api/v1/account", key=known["api_key"])["available"])


def _legacy(known: dict[str, str], password: str) -> str:
    query = {"action": "sendmessage", "username": known["username"], "password": password, "recipient": NUMBER, "messagedata": "hello"}
    with urllib.request.urlopen(f"{known['address']}/api?{urllib.parse.urlencode(query)}", timeout=PATIENCE_S) as response:
        answer: str = response.read().decode()
    return answer


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
            status: int = response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return status


def _command(data: Path, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words, "--data", str(data), "--json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return json.loads(done.stdout)


def test_the_announcement_is_for_its_owner_alone(demo: Demo) -> None:
    assert stat.S_IMODE(demo.running.announced.stat().st_mode) == 0o600
    assert set(demo.known) == {"address", "setup_link", "username", "password", "api_key"}
    assert demo.known["username"].startswith("demo-")
    assert len(demo.known["username"]) <= 16


def test_the_printed_line_sends_a_message_that_is_delivered_and_paid(demo: Demo) -> None:
    before = _available(demo.known)
    (line,) = [text.strip() for text in demo.running.said if "action=sendmessage" in text]
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    number = done.stdout.partition("<messageid>")[2].partition("<")[0]

    assert _delivered(demo.known, number), done.stdout
    assert before - _available(demo.known) == 1
    assert _command(demo.running.data, "ledger", "verify")["correct"]


def test_the_other_printed_line_works_too(demo: Demo) -> None:
    (line,) = [text.strip() for text in demo.running.said if "/api/v1/messages" in text]

    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    assert json.loads(done.stdout)["state"] == "queued"


def test_a_line_that_an_old_program_sends_is_understood(demo: Demo) -> None:
    """Raw blanks and octets reach the gateway through its real web server, and the request behind them on the line too."""
    address = urllib.parse.urlsplit(demo.known["address"])
    names = {"username": demo.known["username"], "password": demo.known["password"]}
    target = f"/api?action=sendmessage&{urllib.parse.urlencode(names)}&recipient=+36201234567&messagedata=two words, árvíz #1"
    lines = f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    with socket.create_connection((address.hostname or "", address.port or 0), PATIENCE_S) as peer:
        peer.sendall(lines.encode())
        said = b"".join(iter(lambda: peer.recv(65536), b"")).decode()

    assert said.count("HTTP/1.1 200 OK") == 2, said
    assert said.endswith("ok\n")
    number = said.partition("<messageid>")[2].partition("<")[0]
    request = urllib.request.Request(f"{demo.known['address']}/api/v1/messages/{number}", headers={"X-API-Key": demo.known["api_key"]})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert json.load(answer)["text"] == "two words, árvíz #1"


def test_the_set_up_link_opens(demo: Demo) -> None:
    assert _status(demo.known["setup_link"]) == 200
    assert _status(f"{demo.known['address']}/setup/{'x' * 43}") in (404, 410)


def test_no_secret_is_in_a_process_title(demo: Demo) -> None:
    titles = " ".join(" ".join(process.cmdline()) for process in demo.running.family())

    assert len(demo.running.family()) >= 4  # gunicorn, its workers, the engine
    assert not [name for name in ("password", "api_key", "setup_link") if demo.known[name] in titles]
    assert (demo.running.data / "session.key").read_text().strip() not in titles


def test_a_killed_engine_is_started_again_and_sends(demo: Demo) -> None:
    running = demo.running
    first = _child(running, "engine")
    os.kill(first, signal.SIGKILL)

    died = running.until("died", "engine")
    second = running.until("started", "engine")

    assert (died["pid"], died["status"]) == (first, -signal.SIGKILL)
    assert second["pid"] != first
    assert _delivered(demo.known, _send(demo.known))


def test_callers_wait_while_a_killed_web_process_is_started_again(demo: Demo) -> None:
    """The socket is the supervisor's: nobody is refused meanwhile."""
    first = _child(demo.running, "gunicorn")
    workers = psutil.Process(first).children()
    for process in (psutil.Process(first), *workers):
        process.kill()

    assert _delivered(demo.known, _send(demo.known))


def test_the_second_start_takes_the_same_customer_with_fresh_credentials(start: Start, tmp_path: Path) -> None:
    first_run = start(tmp_path / "data", "--demo")
    first = first_run.until_ready()
    family = first_run.family()
    address = urllib.parse.urlsplit(first["address"])

    status = first_run.stop()

    assert status == 0
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=5)
    _command(tmp_path / "data", "user", "add", "root", "--role", "administrator", "--no-password")
    second_run = start(tmp_path / "data", "--demo")
    second = second_run.until_ready()
    assert second["username"] == first["username"]
    assert "<statuscode>0<" in _legacy(second, second["password"])
    assert "<statuscode>0<" not in _legacy(second, first["password"])
    assert _status(f"{second['address']}/api/v1/account") == 401
    assert second["api_key"] != first["api_key"]
    assert second["setup_link"] == ""  # There is an administrator now.
    assert len(_command(tmp_path / "data", "connection", "list")) == 1
    assert second_run.stop(signal.SIGINT) == 0


def test_nothing_outlives_a_killed_supervisor(start: Start, tmp_path: Path) -> None:
    running = start(tmp_path / "data")
    running.until_ready()
    family = running.family()

    running.process.kill()
    running.process.wait()
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)

    assert alive == []


def test_the_end_of_the_terminal_is_a_clean_stop(start: Start, tmp_path: Path) -> None:
    running = start(tmp_path / "data")
    running.until_ready()
    family = running.family()

    status = running.stop(signal.SIGHUP)

    assert status == 0
    assert psutil.wait_procs(family, timeout=5)[1] == []


def test_it_is_ready_although_it_answers_under_its_own_name_alone(start: Start, tmp_path: Path) -> None:
    running = start(tmp_path / "data", PENNYWIRE_HOSTS="sms.example", PENNYWIRE_HTTPS="true", PENNYWIRE_PROXIES="1")

    known = running.until_ready()

    assert known["address"] == "https://sms.example"
    assert known["setup_link"].startswith("https://sms.example/setup/")
    assert running.stop() == 0


@pytest.mark.postgres
def test_it_runs_on_postgresql(start: Start, tmp_path: Path, postgres_url: str) -> None:
    """The address of the database, which may hold a password, comes by the environment."""
    running = start(tmp_path / "data", "--demo", PENNYWIRE_DATABASE_URL=postgres_url)
    known = running.until_ready()

    assert _delivered(known, _send(known))
    assert running.stop() == 0


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        words = ["run", "--data", str(tmp_path / "data"), "--bind", f"127.0.0.1:{port}"]
        done = subprocess.run([sys.executable, "-m", "app.cli", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"pennywire: bind: The port {port} is in use")
    assert done.stderr.count("\n") == 1


def _child(running: Running, word: str) -> int:
    """Return the pid of the supervisor's own child with this word in its command."""
    own = psutil.Process(running.process.pid).children()
    return next(process.pid for process in own if word in process.cmdline())

"""Load and the SMSC for the benchmark: fast tools in C where they stand beside the checkout, else our own in Python.

A folder of such tools holds `httpload.c` and `smscsim.c` with a Makefile; `PENNYWIRE_BENCH_TOOLS` names it, or it is a folder
`*/bench` beside the checkout. Without a compiler or the tools the figures are smaller, because the load takes part of the machine.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PENNYWIRE = [sys.executable, "-m", "app.cli"]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], timeout_s: float = 30) -> None:
    """Return when someone listens on `port`. Raises: RuntimeError when the process ended or the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}.")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"Nobody listens on port {port} after {timeout_s} s.")


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process that we started, with patience first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def built_tools() -> Path | None:
    """Return the folder of the C tools, built, or None where they or a compiler are missing."""
    named = os.environ.get("PENNYWIRE_BENCH_TOOLS")
    sources = [Path(named)] if named else [path.parent for path in ROOT.parent.glob("*/bench/httpload.c")]
    for source in sources:
        if not (source / "smscsim.c").is_file() or not shutil.which("make") or not shutil.which("cc"):
            continue
        target = Path(tempfile.gettempdir()) / f"pennywire-bench-tools-{os.getuid()}"
        target.mkdir(mode=0o700, exist_ok=True)
        command = ["make", "-s", "-C", str(source), f"BIN={target}", "all"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return target
    return None


class Load:
    """HTTP load: how many requests a second were answered with what means *accepted*."""

    def __init__(self, tools: Path | None) -> None:
        self._tools = tools

    @property
    def name(self) -> str:
        return "C" if self._tools else "Python"

    def get(self, urls: Sequence[str], *, connections: int, seconds: float, ok_text: str, close: bool = False) -> dict[str, float]:
        """Load each of `urls` (`{n}` counts up) with its share of the connections; return rate and latencies in ms."""
        share = max(connections // len(urls), 1)
        if self._tools is None:
            return _python_load(urls, share, seconds, ok_text, close=close)
        tool = str(self._tools / "httpload")
        options = [
            "--conns",
            str(share),
            "--duration",
            str(seconds),
            "--warmup",
            "1",
            "--ok-text",
            ok_text,
            *(["--close"] if close else []),
        ]
        running = [
            subprocess.Popen([tool, "--url", url, "--first", str(index * 10_000_000), *options], stdout=subprocess.PIPE)
            for index, url in enumerate(urls)
        ]
        answers = [json.loads(process.communicate()[0]) for process in running]
        return {
            "rate": sum(answer["ok_rate"] for answer in answers),
            "p50_ms": max(answer["ms"]["p50"] for answer in answers),
            "p99_ms": max(answer["ms"]["p99"] for answer in answers),
            "failed": sum(answer["completed"] - answer["ok"] for answer in answers),
        }


def _python_load(urls: Sequence[str], connections: int, seconds: float, ok_text: str, *, close: bool) -> dict[str, float]:
    latencies: list[float] = []
    failures = 0
    end = time.monotonic() + seconds

    def client(url: str, first: int) -> None:
        nonlocal failures
        host, _, path = url.removeprefix("http://").partition("/")
        connection = http.client.HTTPConnection(host, timeout=10)
        number = first
        while time.monotonic() < end:
            started = time.monotonic()
            connection.request("GET", "/" + path.replace("{n}", f"{number:08}"), headers={"Connection": "close"} if close else {})
            body = connection.getresponse().read().decode()
            if close:
                connection.close()
            latencies.append(time.monotonic() - started)
            failures += ok_text not in body
            number += 1

    threads = [
        threading.Thread(target=client, args=(url, (row * connections + column) * 100_000))
        for row, url in enumerate(urls)
        for column in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies.sort()
    return {
        "rate": (len(latencies) - failures) / seconds,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[len(latencies) * 99 // 100],
        "failed": failures,
    }


def post(address: str, path: str, bodies: Sequence[tuple[bytes, dict[str, str]]], *, clients: int) -> tuple[float, list[int]]:
    """Post bodies from `clients` threads, each on its connection; return seconds and the statuses."""
    statuses: list[int] = []
    queue = iter(bodies)
    lock = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection(address, timeout=60)
        while True:
            with lock:
                item = next(queue, None)
            if item is None:
                return
            connection.request("POST", path, item[0], item[1])
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started, statuses


class Smsc:
    """A simulated SMSC with figures by HTTP."""

    def __init__(self, port: int, http_port: int, *, fast: bool, log: Path) -> None:
        self.port = port
        self.log = log
        self._http_port = http_port
        self._fast = fast

    def stats(self) -> dict[str, int]:
        """Return how many submissions it accepted (`submitted`), and how many receipts we acknowledged (`receipts`)."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http_port}/stats", timeout=10) as response:
            found = json.loads(response.read())
        names = ("submit_ok", "dlr_acked") if self._fast else ("accepted", "receipts_stored")
        return {"submitted": int(found[names[0]]), "receipts": int(found[names[1]])}


@contextmanager
def smsc(tools: Path | None, folder: Path, *, latency_ms: int = 0, log: bool = False) -> Iterator[Smsc]:
    """Run a simulated SMSC that sends a receipt for everything."""
    port, http_port = free_port(), free_port()
    path = folder / "smsc.log"
    if tools is not None:
        command = [str(tools / "smscsim"), "--port", str(port), "--http-port", str(http_port), "--latency", str(latency_ms), "--track", "1"]
    else:
        command = [*PENNYWIRE, "smsc", "--port", str(port), "--http-port", str(http_port), "--latency-ms", str(latency_ms)]
    process = subprocess.Popen([*command, *(["--log", str(path)] if log else [])], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        wait_for_port(http_port, process)
        yield Smsc(port, http_port, fast=tools is not None, log=path)
    finally:
        stop(process)

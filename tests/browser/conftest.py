"""A real browser in front of the real processes, and in front of a demonstration in this process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.serving import make_server

sys.path.insert(0, str(Path(__file__).parent))

from chromium import find_chromium, launch
from demonstration import Demonstration, make_site

COMMAND = str(Path(sys.executable).with_name("pennywire"))
START_S = 40.0
PATIENCE_MS = 25_000
"""How long a page may take to show what a test expects: the machine may be busy with everything else."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of this machine.

    It ends with its module, because its driver keeps an event loop running in this thread: a test of the engine or of a link
    that came after it in the same process could start none of its own.
    """
    executable = find_chromium()
    if executable is None:
        pytest.skip("no browser: install chromium, or name one in PENNYWIRE_TEST_CHROMIUM")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = launch(playwright, executable)
        yield started
        started.close()


@dataclass
class Visitor:
    """A page with what the browser complained of."""

    page: Page
    address: str
    complaints: list[str]

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    """Open pages in contexts of their own: `visit(address, dark=True)`. A complaint of the browser fails the test."""
    visitors: list[Visitor] = []

    def make(address: str, *, dark: bool = False, width: int = 1280, script: bool = True) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": 860}, color_scheme="dark" if dark else "light", java_script_enabled=script
        )
        context.set_default_timeout(PATIENCE_MS)
        visitor = Visitor(context.new_page(), address, [])
        visitor.page.on("console", lambda said: visitor.complaints.append(said.text) if said.type in ("error", "warning") else None)
        visitor.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        visitors.append(visitor)
        return visitor

    yield make
    for visitor in visitors:
        visitor.page.context.close()
    assert [complaint for visitor in visitors for complaint in visitor.complaints] == []


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What `pennywire run` announced: the real web process and the real engine, on a fresh data folder."""
    announcement, log = tmp_path / "announcement.json", tmp_path / "log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PENNYWIRE_")}
    words = ["run", "--data", str(tmp_path / "data"), "--bind", "127.0.0.1:0", "--announce", str(announcement)]
    with log.open("wb") as output:
        process = subprocess.Popen([COMMAND, *words], env=inherited, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_S
        while not announcement.exists() and process.poll() is None and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        assert announcement.exists(), log.read_text()
        yield json.loads(announcement.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Demonstration]]:
    """A gateway that has been used for two weeks, and its address."""
    app = make_site(tmp_path_factory.mktemp("demonstration"))
    made = Demonstration(app)
    made.fill()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", made
    server.shutdown()
    server.server_close()
    thread.join()
    made.core.close()
    shutil.rmtree(made.core.settings.data, ignore_errors=True)

"""A stranger's connector: written by the generator, installed with pip beside a running gateway, enabled in the browser, and sends."""

import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from callers import Browser
from processes import Gateway, until

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(240)]

PASSWORD = "correct horse battery"

#: Runs the scripted operator of the written package until its input ends; says its port first.
OPERATOR = """
import asyncio, sys
from test_falcon import FalconOperator

async def main():
    async with FalconOperator() as operator:
        print(operator.settings["port"], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print([one.text for one in operator.received], flush=True)

asyncio.run(main())
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Have the generator write a connector."""
    folder = tmp_path / "pennywire-falcon"
    subprocess.run([sys.executable, "-m", "app.cli", "plugin", "new", "falcon", "--into", str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture
def operator(package: Path) -> Iterator[subprocess.Popen[str]]:
    """Run its scripted operator in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", OPERATOR], cwd=package, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_connector_of_a_stranger_is_installed_enabled_and_sends(
    sqlite_gateway: Gateway, package: Path, operator: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = sqlite_gateway
    # A folder for packages of this gateway alone: it is on the path of its processes from the start, empty.
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(site))
    gateway.start()
    browser = Browser(gateway.address)
    browser.send(gateway.announcement["setup_link"].removeprefix(gateway.address), username="root", password=PASSWORD, repeated=PASSWORD)
    assert "falcon" not in browser.open("/system/plugins").words

    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*pip, str(package)], check=True, capture_output=True)
    assert "pennywire-falcon" in browser.open("/system/plugins").words
    browser.send("/system/plugins/falcon/switch", enabled="1")
    until(lambda: _words(browser, "/add/connection", "Falcon"), within_s=60, what="the web processes have the new kind")

    assert operator.stdout is not None
    port = operator.stdout.readline().strip()
    given = {"host": "127.0.0.1", "port": port, "password": "open sesame", "window": "10", "answer_timeout_s": "30", "pause_s": "0.1"}
    browser.send("/add/connection?kind=falcon", name="bird", provider="", buy_price="", **given)
    browser.send("/connections/bird", to="/connections/bird/switch", desired="started")
    until(lambda: gateway.connection("bird").state == "up", within_s=60, what="the engine has the new connector, and it is up")
    gateway.cli("route", "add", "outbound", "all", "--to", "bird")
    browser.send("/connections/bird/test", test="send", send_destination="+36201234500", send_source="", send_text="Fly")
    until(lambda: gateway.states() == {"sent": 1}, within_s=60, what="the operator accepted the test")

    said, _ = operator.communicate("", timeout=60)
    assert said.strip() == "['Fly']"
    assert gateway.stop() == 0


def _words(browser: Browser, path: str, wanted: str) -> bool:
    """Ask for a page, while the processes behind it may be changing."""
    try:
        return wanted in browser.open(path).words
    except (OSError, http.client.HTTPException):
        return False

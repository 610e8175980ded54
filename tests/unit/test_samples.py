"""Samples of code do what they show: those whose language is on this machine are run against a server that notes what came."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from app.web import samples
from app.web.samples import Call

AWKWARD = 'O\'Neill $HOME \\n "é" 50 % {x} `id` \N{GRINNING FACE}'


@pytest.fixture
def calls(httpserver: HTTPServer) -> Iterator[tuple[Call, Call]]:
    httpserver.expect_request("/api", method="GET").respond_with_data("heard")
    httpserver.expect_request("/api/v1/messages", method="POST").respond_with_data("heard")
    base = httpserver.url_for("/")
    legacy = samples.legacy(base, "anna", AWKWARD, "sendmessage", recipient="+36201234567", messagedata=AWKWARD)
    yield legacy, samples.modern(base, "messages", "pk_1", {"text": AWKWARD}, {"Idempotency-Key": "order-1"})
    assert [request.method for request, _answer in httpserver.log] == ["GET", "POST"]
    (first, _), (second, _) = httpserver.log
    assert first.args["password"] == first.args["messagedata"] == AWKWARD
    assert first.args["recipient"] == "+36201234567"
    assert json.loads(second.get_data(as_text=True)) == {"text": AWKWARD}
    assert second.headers["Authorization"] == "Bearer pk_1"
    assert second.headers["Idempotency-Key"] == "order-1"
    assert second.headers["Content-Type"].startswith("application/json")


def _bash(code: str, _folder: Path) -> list[str]:
    return ["bash", "-c", code.replace("curl ", "curl -sS ", 1)]


def _python(code: str, _folder: Path) -> list[str]:
    return [sys.executable, "-c", code]


def _php(code: str, folder: Path) -> list[str]:
    (folder / "example.php").write_text(code)
    return ["php", str(folder / "example.php")]


def _java(code: str, folder: Path) -> list[str]:
    (folder / "Example.java").write_text(code)
    return ["java", str(folder / "Example.java")]


@pytest.mark.parametrize(
    ("language", "needed", "command"),
    [
        ("curl", "curl", _bash),
        ("Python", "", _python),
        pytest.param("PHP", "php", _php, marks=pytest.mark.full),
        pytest.param("Java", "java", _java, marks=pytest.mark.full),
    ],
)
def test_a_sample_sends_exactly_its_call(
    request: Any, tmp_path: Path, language: str, needed: str, command: Callable[[str, Path], list[str]]
) -> None:
    if needed and shutil.which(needed) is None:
        pytest.skip(f"no {needed}")
    for call in request.getfixturevalue("calls"):
        done = subprocess.run(command(samples.in_all(call)[language], tmp_path), capture_output=True, text=True, check=False, timeout=60)
        assert "heard" in done.stdout, done.stderr


def test_every_language_writes_both_calls() -> None:
    call = samples.modern("http://127.0.0.1:9501/", "account", "pk_1")

    written = samples.in_all(call)

    assert set(written) == {"curl", "Python", "PHP", "C#", "Java"}
    assert all("http://127.0.0.1:9501/api/v1/account" in text and "pk_1" in text for text in written.values())

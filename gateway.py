#!/usr/bin/env python3
"""Start Pennywire from a checkout: make its environment, then run it.

    python3 gateway.py run [--demo] ...       make ready if needed, start the gateway
    python3 gateway.py test [--full] [...]    run the tests; what follows goes to pytest
    python3 gateway.py test --full --again    the same, and up to 3 that failed once more, alone
    python3 gateway.py bench [...]            measure the speed on this machine
    python3 gateway.py prepare [--dev]        only make ready, for images and for work without a network
    python3 gateway.py COMMAND ...            every other word is a command of pennywire: user add, ledger verify, ...

Needs Python 3.11 and nothing else. The environment is the folder .venv beside this file. Packages are taken from the package
index that pip is set up for, and each is checked against the hashes in requirements/. What somebody else installed into the
environment, such as a plugin, stays.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
COMMAND = VENV / "bin" / "pennywire"
STAMP = VENV / "pennywire-stamp.json"

OLDEST_PYTHON = (3, 11)

#: Which lock makes which environment. `dev` holds everything of `run`, in the same versions.
LOCKS = {"run": ROOT / "requirements" / "run.txt", "dev": ROOT / "requirements" / "dev.txt"}

#: Debian's pip trusts only the certificates of this file, and a minimal Debian does not have it.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

#: pytest's exit status when a test failed, and when none was selected.
TESTS_FAILED, NO_TESTS = 1, 5

#: More test processes than this only wait for each other's database.
MOST_TEST_PROCESSES = 8

#: More failures than this are no accident of a busy machine.
MOST_LOOKED_AT_AGAIN = 3


class CannotStart(Exception):
    """The environment could not be made; the text says what, why and what to do."""


def main(arguments: Sequence[str]) -> NoReturn:
    try:
        _check_python()
        word, *rest = arguments or ["help"]
        WORDS.get(word, _pass_on)(word, rest)
    except CannotStart as error:
        sys.exit(f"pennywire: {error}")
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where this one stopped.", file=sys.stderr)
        sys.exit(130)


def _pass_on(word: str, rest: list[str]) -> NoReturn:
    make_ready("run")
    _become([str(COMMAND), word, *rest])


def _prepare(_word: str, rest: list[str]) -> NoReturn:
    if rest not in ([], ["--dev"]):
        raise CannotStart(f"prepare does not know {shlex.join(rest)}. It takes --dev, or nothing.")
    make_ready("dev" if rest else "run")
    _say(f"Ready: {VENV}")
    sys.exit(0)


def _help(_word: str, _rest: list[str]) -> NoReturn:
    print(__doc__)
    if is_ready("run"):
        sys.stdout.flush()
        _become([str(COMMAND), "--help"])
    sys.exit(0)


def _bench(_word: str, rest: list[str]) -> NoReturn:
    make_ready("dev")
    _become([str(PYTHON), str(ROOT / "tests" / "bench"), *rest])


def _test(_word: str, rest: list[str]) -> NoReturn:
    """Run the tests, in two rounds when the whole suite is asked for: journeys measure time and run alone, afterwards."""
    make_ready("dev")
    full, again = "--full" in rest, "--again" in rest
    given = [word for word in rest if word not in ("--full", "--again")]
    chosen = "" if full else "not full"
    if given:
        marks = ["-m", chosen] if chosen and "-m" not in given else []
        sys.exit(_pytest([*marks, *given]))
    processes = min(os.cpu_count() or 1, MOST_TEST_PROCESSES)
    others = " and ".join(filter(None, ["not journey", chosen]))
    journeys = " and ".join(filter(None, ["journey", chosen]))
    # Who has done his share takes of the others: a few tests last minutes.
    first = _pytest(["-m", others, "--numprocesses", str(processes), "--dist", "worksteal", "--cache-clear"])
    second = _pytest(["-m", journeys])
    if again and TESTS_FAILED in (first, second) and {first, second} <= {0, NO_TESTS, TESTS_FAILED}:
        sys.exit(_look_again())
    # Nothing selected in one of the rounds is no failure; in both it is.
    failed = [status for status in (first, second) if status not in (0, NO_TESTS)]
    sys.exit(failed[0] if failed else min(first, second))


def _look_again() -> int:
    """Run the few that failed once more, alone: a fault shows again, a machine that was too busy does not. Both are told."""
    failed = json.loads((ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed").read_text())
    print(f"\nFailed in the first run: {len(failed)}.", *sorted(failed), sep="\n  ", flush=True)
    if len(failed) > MOST_LOOKED_AT_AGAIN:
        return TESTS_FAILED
    status = _pytest(["--last-failed", "--last-failed-no-failures", "none", "-p", "no:randomly"])
    print("UNSTEADY: failed among the others, passed alone. Each is a fault to find." if status == 0 else "They failed again.")
    return status


WORDS = {"help": _help, "--help": _help, "-h": _help, "prepare": _prepare, "test": _test, "bench": _bench}


def _pytest(arguments: list[str]) -> int:
    return subprocess.run([str(PYTHON), "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode


def _become(command: list[str]) -> NoReturn:
    """Replace this process, so that signals and the exit status are those of the command."""
    os.execv(command[0], command)


# The environment


def is_ready(level: str) -> bool:
    """Say whether the environment holds what the lock of `level` asks for. Reads a few small files and starts nothing."""
    if not (PYTHON.exists() and COMMAND.exists()):
        return False
    return _read_stamp().get(level) == _fingerprint(level)


def make_ready(level: str) -> None:
    """Make the environment, or bring it up to date.

    Raises: CannotStart with the remedy.
    """
    if is_ready(level):
        return
    with _alone():
        if is_ready(level):
            return
        began = time.monotonic()
        _check_place()
        _make_environment()
        _install_locked(level)
        _install_ours()
        _write_stamp(level)
        _say(f"Ready after {time.monotonic() - began:.0f} s.")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time change the environment. The lock is on the folder itself, so that no file is left behind."""
    handle = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another start that is installing ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _projects() -> list[Path]:
    """Return the folders of our distributions, the core first."""
    return [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]


def _fingerprint(level: str) -> str:
    """Return a hash of everything that decides what is installed. Settings of our tools do not."""
    import tomllib  # noqa: PLC0415  # A Python without it must get as far as _check_python.

    digest = hashlib.sha256(LOCKS[level].read_bytes())
    for project in _projects():
        declared = tomllib.loads((project / "pyproject.toml").read_text())
        decides = [declared["project"], declared["build-system"], declared.get("tool", {}).get("hatch")]
        digest.update(json.dumps([str(project.relative_to(ROOT)), decides], sort_keys=True).encode())
    return digest.hexdigest()


def _read_stamp() -> dict[str, str]:
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) and stamp.get("folder") == str(ROOT) else {}


def _write_stamp(level: str) -> None:
    stamp = _read_stamp() | {"folder": str(ROOT), "run": _fingerprint("run"), level: _fingerprint(level)}
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(stamp, indent=1))
    fresh.replace(STAMP)


def _check_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise CannotStart(
            f"this is Python {sys.version.split()[0]}, and 3.11 is the oldest that works.\n"
            "Install a newer one and start with it, for example: python3.11 gateway.py run"
        )


def _check_place() -> None:
    """Refuse an environment that was made for another folder: its programs name that folder.

    Raises: CannotStart. It is not removed here, because it may hold plugins that somebody installed.
    """
    try:
        folder = json.loads(STAMP.read_text())["folder"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if folder != str(ROOT):
        raise CannotStart(
            f"the environment in {VENV} was made when this folder was {folder}, and works only there.\n"
            f"Remove it and start again: rm -r {shlex.quote(str(VENV))}\n"
            "Plugins that you installed yourself have to be installed again."
        )


def _make_environment() -> None:
    """Make `.venv` with pip in it, unless it is there."""
    if PYTHON.exists() and _works([str(PYTHON), "-c", "import pip"]):
        return
    _say(f"Making the environment {VENV} ...")
    # Inside the environment itself, sys.executable would be the very link that is made anew.
    base = getattr(sys, "_base_executable", sys.executable)
    uv = shutil.which("uv")
    if importlib.util.find_spec("ensurepip") is None and uv:
        _run([uv, "venv", "--quiet", "--seed", "--allow-existing", "--python", base, str(VENV)], "The environment could not be made.")
        return
    _ask_system(base)
    _run([base, "-m", "venv", str(VENV)], "The environment could not be made.")


def _ask_system(base: str) -> None:
    """Have Debian's missing pieces installed, or say which line installs them.

    Debian ships Python without `ensurepip`; a minimal one has no certificates either.
    Raises: CannotStart with the line to type.
    """
    missing = []
    if importlib.util.find_spec("ensurepip") is None:
        system = Path("/usr/bin/python3")
        is_system = system.exists() and system.resolve() == Path(base).resolve()
        missing.append("python3-venv" if is_system else f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    apt = shutil.which("apt-get")
    if apt and not CERTIFICATES.exists():
        missing.append("ca-certificates")
    if not missing:
        return
    if apt is None:
        raise CannotStart(
            f"{base} has no module ensurepip, which makes environments.\n"
            "Install what your system calls Python's venv or ensurepip, or uv, and start again."
        )
    if os.geteuid() != 0:
        raise CannotStart(
            f"this system lacks {' and '.join(missing)}, which the environment is made with.\n"
            f"Type this line, then start again:\n\n    sudo apt-get update && sudo apt-get install --yes {' '.join(missing)}\n"
        )
    _say(f"Asking apt for {' and '.join(missing)} ...")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    _run([apt, "update", "-qq"], "apt could not read its package lists.", quiet)
    _run([apt, "install", "-qq", "--yes", "--no-install-recommends", *missing], f"apt could not install {' '.join(missing)}.", quiet)
    if not _works([base, "-c", "import ensurepip"]):
        raise CannotStart(
            f"{base} still has no module ensurepip, although {' '.join(missing)} is installed.\n"
            "This Python does not come from apt. Start with the system's own: /usr/bin/python3 gateway.py run"
        )


def _install_locked(level: str) -> None:
    """Install what the lock names and nothing else.

    The lock is complete, so nothing is resolved: pip would look beyond it for a dependency with an extra, and refuse what it finds
    as soon as a newer release is out.
    """
    lock = LOCKS[level]
    count = lock.read_text().count("==")
    _say(f"Installing {count} packages from {lock.relative_to(ROOT)}; this takes up to a minute ...")
    _install(["--require-hashes", "--no-deps", "--requirement", str(lock)])


def _install_ours() -> None:
    projects = _projects()
    _say(f"Installing Pennywire and its plugins from this folder ({len(projects)} distributions) ...")
    editable = [word for project in projects for word in ("--editable", str(project))]
    _install(["--no-deps", "--no-build-isolation", *editable])


def _install(what: list[str]) -> None:
    """Install with uv where it is on the path, otherwise with pip.

    uv does not read pip's settings: where only pip was told about a mirror, uv fails and pip has the word.
    """
    uv = shutil.which("uv")
    if uv:
        with contextlib.suppress(CannotStart):
            _run([uv, "pip", "install", "--quiet", "--python", str(PYTHON), *what], "uv could not install.")
            return
        _say("uv could not install; trying pip ...")
    _run(
        [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *what],
        "The packages could not be installed.",
        remedy=(
            "Is there a network, and is pip set up for the mirror that this machine needs (pip config list)?\n"
            "The same command goes on where this one stopped."
        ),
    )


# Starting programs


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(command: list[str], failure: str, environment: dict[str, str] | None = None, *, remedy: str = "") -> None:
    """Run a command without showing its output, unless it fails.

    Raises: CannotStart with `failure`, the last lines of the output and the remedy.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env=os.environ | (environment or {}),
    )
    if done.returncode != 0:
        last = "\n".join("    " + line for line in done.stdout.strip().splitlines()[-15:])
        raise CannotStart("\n".join(filter(None, [failure, f"It was: {shlex.join(command)}", last, remedy])))


if __name__ == "__main__":
    main(sys.argv[1:])

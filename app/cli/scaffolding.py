"""Writes the package of a new plugin: it installs, passes its own tests, and is the author's to change."""

import re
import subprocess
import sys
from pathlib import Path

from app.cli.answers import Failed

FOLDER = Path(__file__).parent / "scaffolds"
KINDS = tuple(sorted(path.name for path in FOLDER.iterdir()))
"""What a new plugin may bring: the folders of scaffolds."""

_MODEL = "acme"
_ENDING = ".txt"
_NAME = re.compile(r"[a-z][a-z0-9]{1,23}", re.ASCII)


def render(kind: str, name: str) -> dict[str, str]:
    """Return the files of a new plugin by their names."""
    return {
        _named(path.name.removesuffix(_ENDING), name): _named(path.read_text(encoding="utf-8"), name)
        for path in sorted((FOLDER / kind).glob(f"*{_ENDING}"))
    }


def _named(text: str, name: str) -> str:
    return text.replace(_MODEL, name).replace(_MODEL.capitalize(), name.capitalize())


def write(kind: str, name: str, into: Path) -> list[Path]:
    """Write the files into a folder, which is made; nothing that is there is overwritten. Raises: Failed."""
    if not _NAME.fullmatch(name):
        raise Failed("invalid_parameter", f"{name!r} cannot be a name: 2 to 24 small letters and digits, a letter first.", "name")
    files = {into / file: text for file, text in render(kind, name).items()}
    present = [path for path in files if path.exists()]
    if present:
        raise Failed("conflict", f"{present[0]} is there already. Choose another folder with --into.", "into")
    try:
        into.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed("not_writable", f"{into} cannot be written: {error.strerror}.", "into") from error
    return list(files)


def install_and_test(folder: Path) -> str:
    """Install the package beside the gateway, as an author does, and run its tests; return their last line. Raises: Failed."""
    _run(
        ["pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--editable", str(folder)], folder
    )
    return _run(["pytest", "-q", "-p", "no:cacheprovider", "."], folder).strip().splitlines()[-1]


def _run(words: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  # Our own words.
    if done.returncode:
        raise Failed("failed", f"`{words[0]}` failed. It said:\n{(done.stdout + done.stderr).strip()}")
    return done.stdout

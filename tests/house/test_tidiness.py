"""What a reader may expect of every file: it is short, it stands alone, and our tools have nothing to say about it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60

#: Files or functions (`file:function`) that are longer. The list may only shrink.
LONG: frozenset[str] = frozenset()

#: The names of registries and of machines are put together here, or this file would break its own rule.
FOREIGN_PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![\w.-])/(work|root|farm)/",
        r"/opt/(pypi|wheels)",
        r"\.\./" + "shared",
        r"pypi\." + r"(org|io)|python" + "hosted",
        r"npm" + r"js\.(org|com)",
        r"deb\." + r"debian\.org",
    )
)

#: Written by tools, not by hand.
GENERATED = "/migrations/versions/"


def _tracked() -> list[str]:
    """Return the files of the repository, as git knows them, or all of them where there is no git."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    hidden = {".venv", "node_modules", "__pycache__", "data"}
    return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and not hidden & set(path.relative_to(ROOT).parts)]


TRACKED = _tracked()
MODULES = [name for name in TRACKED if name.endswith(".py") and GENERATED not in name]


def _text(name: str) -> str:
    """Return what a file holds, or nothing if it is no text."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def _long_ones(name: str) -> set[str]:
    """Return the file's name if the file is too long, and `file:function` for each function that is."""
    text = _text(name)
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f"{name}:{node.name}" for node in functions if (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION}
    return long | ({name} if len(text.splitlines()) > LONGEST_MODULE else set())


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_at_most_400_lines_and_a_function_at_most_60(name: str) -> None:
    assert _long_ones(name) - LONG == set()


def test_the_list_of_long_ones_holds_nothing_that_became_short() -> None:
    still_long = {entry for name in {entry.partition(":")[0] for entry in LONG} & set(MODULES) for entry in _long_ones(name)}

    assert still_long >= LONG


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in TRACKED
        for number, line in enumerate(_text(name).splitlines(), 1)
        if any(place.search(line) for place in FOREIGN_PLACES)
    ]

    assert found == []


def test_no_file_holds_what_was_put_off() -> None:
    marker = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    own = str(Path(__file__).relative_to(ROOT))

    found = [name for name in MODULES if name != own and marker.search(_text(name))]

    assert found == []


def test_no_test_sleeps() -> None:
    sleeping = re.compile(r"\btime\.sleep\(")
    own = str(Path(__file__).relative_to(ROOT))
    # Journeys and measurements pace real processes, which set no event here.
    paced = ("tests/bench/", "tests/journey/")
    tests = [name for name in MODULES if "tests/" in name and not name.startswith(paced)]

    found = [name for name in tests if name != own and sleeping.search(_text(name))]

    assert found == []


def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--quiet", "."], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout + done.stderr == ""


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_type_checker_has_nothing_to_say() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr

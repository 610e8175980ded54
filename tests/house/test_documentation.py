"""The documentation says what the code says: hooks, settings, words."""

import ast
import dataclasses
import re
from pathlib import Path

import pytest

from app.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]

OURS = [
    ROOT / "gateway.py",
    ROOT / "wsgi.py",
    *ROOT.glob("app/**/*.py"),
    *ROOT.glob("pennywire/**/*.py"),
    *ROOT.glob("plugins/*/pennywire_*/**/*.py"),
]

#: Where a foreign dialect is spoken, its words are right.
DIALECTS = ("app/web/api/legacy", "app/web/api/parameters.py")

MEANINGLESS = {"utils", "helpers", "manager", "common", "misc"}


def _is_specification(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and any(isinstance(mark, ast.Name) and mark.id == "hookspec" for mark in node.decorator_list)


def _specified_hooks() -> list[str]:
    """Return the signature of every hook, in order, as the documentation writes it: without quotes around annotations."""
    tree = ast.parse((ROOT / "pennywire/hooks.py").read_text())
    hooks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and _is_specification(node)]
    return [
        f"{hook.name}({ast.unparse(hook.args)}) -> {ast.unparse(hook.returns or ast.Constant(None))}".replace("'", "") for hook in hooks
    ]


def _hook_sections() -> dict[str, str]:
    """Return the text of each hook's section by its heading."""
    sections = re.split(r"^## ", (ROOT / "docs/hooks.md").read_text(), flags=re.MULTILINE)[1:]
    return {heading.strip("` "): text for heading, _, text in (section.partition("\n") for section in sections)}


def _settings_table() -> dict[str, tuple[str, str]]:
    """Return environment variable and default by name, as `docs/settings.md` gives them."""
    rows = re.findall(r"^\| `([a-z_]+)` \| `([A-Z_]+)` \| (.+?) \| .+ \|$", (ROOT / "docs/settings.md").read_text(), flags=re.MULTILINE)
    return {name: (variable, default.strip("`")) for name, variable, default in rows}


def _written(default: object) -> str:
    return {"": "empty", "True": "true", "False": "false"}.get(str(default), f"{default:g}" if isinstance(default, float) else str(default))


def _forbidden_words() -> dict[frozenset[str], str]:
    """Return the right word by each wrong one, from the glossary's table; a wrong one may be several words together."""
    rows = re.findall(r"^\| ([a-z ]+) \| .* \| ([a-z, ]+) \|$", (ROOT / "docs/glossary.md").read_text(), flags=re.MULTILINE)
    return {frozenset(wrong.split()): right for right, column in rows if right != "word" for wrong in column.split(",")}


def _defined_names(tree: ast.AST) -> set[tuple[int, str]]:
    """Return line and name of everything that a module defines: modules of others name things as they like."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add((node.lineno, name))
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add((node.lineno, name))
            case _:
                pass
    return names


def _words(name: str) -> set[str]:
    """Return the words of a name, without the plural's s."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}
    return words | {word.removesuffix("s") for word in words}


def test_each_hook_is_documented_with_its_signature_in_order() -> None:
    assert list(_hook_sections()) == _specified_hooks()


@pytest.mark.parametrize("hook", _specified_hooks())
@pytest.mark.parametrize("promise", ["**When:**", "**Return:**", "**Example:**", "```python"])
def test_a_hook_says_when_it_is_called_what_it_returns_and_shows_it(hook: str, promise: str) -> None:
    assert promise in _hook_sections()[hook]


def test_each_setting_is_documented_with_its_variable_and_default() -> None:
    settings = {field.name: (PREFIX + field.name.upper(), _written(field.default)) for field in dataclasses.fields(Settings)}

    assert _settings_table() == settings


def test_the_glossary_is_in_order() -> None:
    words = re.findall(r"^\| ([a-z ]+) \|", (ROOT / "docs/glossary.md").read_text(), flags=re.MULTILINE)[1:]

    assert words == sorted(words)
    assert len(words) > 30


@pytest.mark.parametrize("path", [path for path in OURS if path.exists()], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_name_uses_a_word_that_the_glossary_rules_out(path: Path) -> None:
    if str(path.relative_to(ROOT)).startswith(DIALECTS):
        return
    forbidden = _forbidden_words()

    wrong = [
        f"line {line}: {name} (say {right})"
        for line, name in sorted(_defined_names(ast.parse(path.read_text())))
        for words, right in forbidden.items()
        if words <= _words(name)
    ]

    assert wrong == []
    assert path.stem not in MEANINGLESS


@pytest.mark.parametrize("name", ["msisdn", "sourceMSISDN", "message_part_count", "PartIndex", "dlr_url", "recipient_list"])
def test_the_glossary_rules_out(name: str) -> None:
    assert any(words <= _words(name) for words in _forbidden_words())


@pytest.mark.parametrize("name", ["segment_count", "partition", "receive_chunk", "source", "PARTS"])
def test_the_glossary_lets_pass(name: str) -> None:
    assert not any(words <= _words(name) for words in _forbidden_words())

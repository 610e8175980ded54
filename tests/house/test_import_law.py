"""Who may import whom. The law is a table; `docs/architecture.md` tells why."""

import ast
import sys
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from app.plugins import OWN
from pennywire import API_VERSION, OLDEST_API_VERSION

ROOT = Path(__file__).parents[2]

#: Modules of `app` in layers, from left to right. A module imports from layers to its left, and from its own without a cycle.
LAYERS = (
    "callbacks config clock identifiers numbering refusals lifecycle logs mailing periods safety turnstile",
    "db",
    "arrays bulk",
    "models plugins secrets",
    "journal",
    "ledger limits notices pricing routing schema statistics intervals forecast summaries supply migrations",
    "snapshot core statements exports",
    "administration authentication carriers sales decisions following mailbox rotation",
    (
        "progress keeping jobs costs deliveries outbox messages reports outcomes quality holding joining inbound withdrawals retirement "
        "sweeping closing verify watching nightly doctor leftovers unmatched replacing"
    ),
    "intake",
    "gateway",
    "engine web",
    "factory",
    "request_line running gunicorn_settings",
    "cli",
)
PLACE = {module: place for place, layer in enumerate(LAYERS) for module in layer.split()}

#: These two meet in the database and nowhere else.
STRANGERS = {"engine", "web"}

#: Modules of `app` that speak to a browser or a shell. The domain runs without Flask.
FLASK_USERS = {"web", "factory", "cli"}
FLASK = {"flask", "flask_login", "flask_sqlalchemy", "flask_wtf", "wtforms"}

#: What `pennywire` may import beside itself and the standard library.
CONTRACT_MAY = {"pluggy"}
TESTING_MAY = CONTRACT_MAY | {"pytest"}


def _imports(path: Path, *, at_run_time: bool = False) -> Iterator[tuple[int, str]]:
    """Yield line and full name of each import, those inside functions too: a cycle hidden there is still one.

    With `at_run_time`, those for type checkers are left out.
    """
    skipped: set[ast.AST] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if at_run_time and isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively. Write the full name."
            assert node.module is not None
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _module_of_app(path: Path) -> str:
    """Return the top-level module of `app` that a file belongs to: `app/web/users.py` is `web`."""
    return path.relative_to(ROOT / "app").with_suffix("").parts[0]


def _named(paths: Iterable[Path]) -> list[ParameterSet]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


APP_PATHS = [path for path in sorted(ROOT.glob("app/**/*.py")) if path != ROOT / "app/__init__.py"]
APP = _named(APP_PATHS)
PLUGINS = _named(sorted(ROOT.glob("plugins/*/pennywire_*/**/*.py")))
CONTRACT = _named(sorted(ROOT.glob("pennywire/**/*.py")))


def _imported_modules_of_app(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and top-level module of `app` for each import of another one."""
    for line, name in _imports(path):
        if name.startswith("app.") and (other := name.split(".")[1]) != _module_of_app(path):
            yield line, other


@pytest.mark.parametrize("path", APP)
def test_a_module_of_app_imports_only_to_its_left(path: Path) -> None:
    module = _module_of_app(path)
    assert module in PLACE, f"app/{module} has no place in the layers yet. Give it one here and in docs/architecture.md."

    wrong = [
        f"line {line}: app.{other}"
        for line, other in _imported_modules_of_app(path)
        if PLACE.get(other, len(LAYERS)) > PLACE[module] or {module, other} == STRANGERS
    ]

    assert wrong == []


def test_the_modules_of_app_import_each_other_without_a_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for path in APP_PATHS:
        graph.setdefault(_module_of_app(path), set()).update(other for _, other in _imported_modules_of_app(path))

    TopologicalSorter(graph).prepare()  # Raises CycleError, which names the modules.


@pytest.mark.parametrize("path", APP)
def test_flask_stays_in_web_factory_and_cli(path: Path) -> None:
    if _module_of_app(path) in FLASK_USERS:
        return

    wrong = [f"line {line}: {name}" for line, name in _imports(path) if name.split(".")[0] in FLASK]

    assert wrong == []


@pytest.mark.parametrize("path", PLUGINS)
def test_a_plugin_never_imports_the_gateway(path: Path) -> None:
    own = path.relative_to(ROOT / "plugins").parts[1]
    ours = {"app", "tests", "wsgi", "gateway"} | {folder.name for folder in ROOT.glob("plugins/*/pennywire_*")} - {own}

    wrong = [f"line {line}: {name}" for line, name in _imports(path) if name.split(".")[0] in ours]

    assert wrong == []


@pytest.mark.parametrize("path", CONTRACT)
def test_the_contract_needs_only_pluggy(path: Path) -> None:
    allowed = TESTING_MAY if path.is_relative_to(ROOT / "pennywire/testing") else CONTRACT_MAY

    wrong = [
        f"line {line}: {name}"
        for line, name in _imports(path, at_run_time=True)
        if name.split(".")[0] not in sys.stdlib_module_names | allowed | {"pennywire"}
    ]

    assert wrong == []


def test_the_bootstrap_needs_only_the_standard_library() -> None:
    wrong = [name for _, name in _imports(ROOT / "gateway.py") if name.split(".")[0] not in sys.stdlib_module_names]

    assert wrong == []


def test_the_architecture_tells_the_same_layers() -> None:
    page = " ".join((ROOT / "docs/architecture.md").read_text().split())

    assert " → ".join(f"`{layer}`" for layer in LAYERS).replace("`engine web`", "`engine | web`") in page


def test_the_app_package_itself_is_empty() -> None:
    assert (ROOT / "app/__init__.py").read_text() == ""


def test_the_law_sees_an_import_inside_a_function(tmp_path: Path) -> None:
    module = tmp_path / "hidden.py"
    module.write_text("def late():\n    from app.web import users\n    import flask.views\n")

    assert list(_imports(module)) == [(2, "app.web.users"), (3, "flask.views")]


def test_the_law_forgives_an_import_for_type_checkers_only_where_asked(tmp_path: Path) -> None:
    module = tmp_path / "typed.py"
    module.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import flask\n")

    assert [name for _, name in _imports(module)] == ["typing.TYPE_CHECKING", "flask"]
    assert [name for _, name in _imports(module, at_run_time=True)] == ["typing.TYPE_CHECKING"]


@pytest.mark.parametrize("plugin", sorted(OWN))
def test_our_plugins_declare_the_contract_that_they_were_written_for(plugin: str) -> None:
    """As strangers are asked to: a number of its own, not the gateway's present one, which would always fit."""
    tree = ast.parse((ROOT / f"plugins/{plugin}/pennywire_{plugin}/__init__.py").read_text())
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}

    declared = assigned.get("PENNYWIRE_API")
    assert isinstance(declared, ast.Constant)
    assert OLDEST_API_VERSION <= declared.value <= API_VERSION

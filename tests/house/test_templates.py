"""Templates and assets keep the rules that the content security policy and the sprite ask for."""

import re
from pathlib import Path

import pytest

from app.web.access import RULES
from app.web.filters import FOLDERS

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted([*(ROOT / "templates").rglob("*.html"), *ROOT.glob("plugins/*/pennywire_*/templates/**/*.html")])
SPRITE = (ROOT / "static/vendor/lucide/sprite.svg").read_text(encoding="utf-8")
LARGEST_STYLESHEET_OCTETS = 30_000


def _used_icons() -> set[str]:
    names = {icon for _word, _label, icon in FOLDERS.values()}
    for path in [*TEMPLATES, *sorted((ROOT / "app/web").glob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(r"parts\.(?:icon|empty)\(\"([a-z0-9-]+)\"", text))
        names |= set(re.findall(r"\bicon\(\"([a-z0-9-]+)\"", text))
        names |= set(re.findall(r"icon=\"([a-z0-9-]+)\"", text))
        names |= set(re.findall(r"\"(?:circle-check|triangle-alert|info)\"", text) and ["circle-check", "triangle-alert", "info"])
    menu = (ROOT / "app/web/menu.py").read_text(encoding="utf-8")
    names |= set(re.findall(r"Entry\([^)]*\"([a-z0-9-]+)\"\)", menu))
    return names


def test_the_sprite_holds_the_icons_that_are_used_and_no_other() -> None:
    held = set(re.findall(r'<symbol id="([^"]+)"', SPRITE))

    assert held - _used_icons() - {"puzzle"} == set()
    assert _used_icons() - held == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_needs_more_than_the_policy_allows(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\bstyle\s*=|<style", text)
    assert not re.search(r"\bon[a-z]+\s*=\s*[\"']", text)
    assert not re.search(r"hx-on|js:|javascript:", text)
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_form_that_changes_something_carries_a_token(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for form in re.findall(r"<form [^>]*method=\"post\".*?</form>", text, re.DOTALL):
        assert "token()" in form


def test_the_stylesheet_stays_small() -> None:
    assert (ROOT / "static/app.css").stat().st_size < LARGEST_STYLESHEET_OCTETS


def test_no_rule_gives_a_customer_what_belongs_to_operators() -> None:
    """A second look at the table: these parts hold what concerns other customers."""
    closed = ("users.index", "users.events", "connections.", "routing.", "routing_test.", "audit.", "system.ledger", "system.plugins")

    opened = {name for name, rule in RULES.items() if "customer" in rule.read | rule.write and name.startswith(closed)}

    assert opened == set()


def test_vendored_files_carry_their_licences() -> None:
    folders = [path for path in (ROOT / "static/vendor").iterdir() if path.is_dir()]

    assert folders
    assert all((folder / "LICENSE").is_file() for folder in folders)

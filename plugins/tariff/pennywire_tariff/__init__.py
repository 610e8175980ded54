"""Price lists: by prefix or network, per customer or group, with versions that take effect by themselves.

What needs the database is imported when it is asked for: every command of `pennywire` loads this module.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pennywire import JobKind, LaterCommand, MenuItem, Migrations, PricingRule, hookimpl
from pennywire_tariff.rule import PriceLists

if TYPE_CHECKING:
    import flask

PENNYWIRE_API = 1
_READERS = ("administrator", "operator", "auditor")


@hookimpl
def register_pricing_rules() -> Sequence[type[PricingRule]]:
    return [PriceLists]


@hookimpl
def register_migrations() -> Sequence[Migrations]:
    return [Migrations("tariff", Path(__file__).parent / "migrations")]


@hookimpl
def register_jobs() -> Sequence[JobKind]:
    kinds: Sequence[JobKind] = import_module("pennywire_tariff.jobs").KINDS
    return kinds


@hookimpl
def register_blueprints() -> "Sequence[flask.Blueprint]":
    for name in ("desk", "work", "programs"):
        import_module(f"pennywire_tariff.{name}")
    return [import_module("pennywire_tariff.pages").pages]


@hookimpl
def register_commands() -> Sequence[LaterCommand]:
    return [LaterCommand("tariff", "Price lists, for customers and of providers.", "pennywire_tariff.commands:tariff")]


@hookimpl
def menu_items(user: Any) -> Sequence[MenuItem]:  # noqa: ARG001  # what the hook gives; the gateway looks at the roles
    return [MenuItem("Routing", "Price lists", "tariff.index", icon="coins", roles=_READERS)]

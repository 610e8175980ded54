"""Plugins: found by entry point, enabled by the operator, isolated when they fail."""

import importlib
import importlib.metadata
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pluggy

from pennywire import (
    API_VERSION,
    OLDEST_API_VERSION,
    PROJECT,
    Application,
    Condition,
    Connector,
    JobKind,
    Migrations,
    PricingRule,
    Setting,
    hooks,
)

GROUP = PROJECT
OWN = frozenset({"smpp", "loopback", "clickatell", "modem", "tariff", "sqllog"})
"""Plugins of this repository: enabled on a new installation."""

PREFIX = re.compile(r"[a-z][a-z0-9]{1,23}", re.ASCII)
"""What the prefix of a plugin's own tables looks like."""

_JOB = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+", re.ASCII)


class OtherApi(Exception):
    """A plugin was written for a contract that this gateway does not keep; the text says which, and what to install."""


class DuplicateKind(Exception):
    """Two plugins bring the same kind; the text names both. Disable one of them."""


@dataclass(slots=True)
class PluginInfo:
    """What the *Plugins* page shows of one plugin. `error` is a traceback where it failed."""

    name: str
    distribution: str = ""
    version: str = ""
    #: Version of the contract that it declares; None where it declares none, or was not imported.
    api: int | None = None
    author: str = ""
    enabled: bool = False
    error: str = ""
    hooks: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Plugins:
    """The loaded plugins and the kinds they bring. One is made for each process (and each test): there is no global."""

    manager: pluggy.PluginManager
    infos: dict[str, PluginInfo] = field(default_factory=dict)
    connectors: dict[str, type[Connector]] = field(default_factory=dict)
    applications: dict[str, type[Application]] = field(default_factory=dict)
    pricing_rules: dict[str, type[PricingRule]] = field(default_factory=dict)
    conditions: dict[str, type[Condition]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    #: Tables of plugins' own, as (plugin, migrations); prefixes are unique.
    migrations: list[tuple[str, Migrations]] = field(default_factory=list)
    #: Settings of plugins themselves, by the plugin's name.
    settings: dict[str, tuple[Setting, ...]] = field(default_factory=dict)
    _jobs: dict[str, JobKind] | None = None

    def call(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """Call a hook of every plugin by itself and return (plugin, result) pairs; one that raises is marked and left out."""
        results = []
        for implementation in list(getattr(self.manager.hook, hook).get_hookimpls()):
            name = implementation.plugin_name
            try:
                accepted = {key: value for key, value in arguments.items() if key in implementation.argnames}
                results.append((name, implementation.function(**accepted)))
            except Exception:  # noqa: BLE001  # A plugin may raise anything; it is shown on the Plugins page.
                self._failed(name)
        return results

    def named(self, owner: str, kinds: Any) -> list[tuple[str, Any]]:
        """Return what a plugin contributed with its names, or nothing if they are not kinds; then the plugin is marked."""
        try:
            return [(str(kind.kind), kind) for kind in kinds or ()]
        except Exception:  # noqa: BLE001  # A plugin may return anything; it is shown on the Plugins page.
            self._failed(owner)
            return []

    def job_kinds(self) -> Mapping[str, JobKind]:
        """Return the kinds of jobs by their names. What does them is loaded when this is first asked."""
        if self._jobs is None:
            found: dict[str, JobKind] = {}
            for owner, brought in self.call("register_jobs"):
                try:
                    for one in brought or ():
                        if not _JOB.fullmatch(one.kind) or not one.kind.startswith(f"{owner}.") or one.kind in found:
                            raise ValueError(f"A kind of jobs called {one.kind!r} must be one of its own: {owner}. and a word.")
                        found[one.kind] = one
                except Exception:  # noqa: BLE001  # A plugin may return anything; it is shown on the Plugins page.
                    self._failed(owner)
            self._jobs = found
        return {kind: one for kind, one in self._jobs.items() if self.manager.has_plugin(kind.partition(".")[0])}

    def _failed(self, name: str) -> None:
        info = self.infos.setdefault(name, PluginInfo(name))
        info.error = traceback.format_exc()

    def isolate(self, name: str, error: str) -> None:
        """Go on without a plugin: nothing that it brought stays, and `error` is shown on the *Plugins* page."""
        self.infos.setdefault(name, PluginInfo(name)).error = error
        if self.manager.has_plugin(name):
            self.manager.unregister(name=name)
        for key in [key for key, owner in self.owners.items() if owner == name]:
            attribute, _, kind = key.partition(":")
            getattr(self, attribute).pop(kind, None)
            del self.owners[key]
        self.migrations = [pair for pair in self.migrations if pair[0] != name]
        self.settings.pop(name, None)
        self.infos[name].kinds.clear()


_KINDS: tuple[tuple[str, str], ...] = (
    ("register_connectors", "connectors"),
    ("register_applications", "applications"),
    ("register_pricing_rules", "pricing_rules"),
    ("register_conditions", "conditions"),
)


def load(
    enabled: Mapping[str, bool],
    *,
    builtins: Iterable[ModuleType] = (),
    entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
) -> Plugins:
    """Import the enabled plugins, register them and collect their kinds.

    `enabled` holds the operator's choices by plugin name; without one, a plugin of ours is enabled, a stranger's is not.
    `builtins` are our own modules that use the same hooks. Raises: DuplicateKind.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hooks)
    plugins = Plugins(manager)
    for module in builtins:
        manager.register(module, name=module.__name__)
    found = importlib.metadata.entry_points(group=GROUP) if entry_points is None else entry_points
    for entry_point in sorted(found, key=lambda entry: entry.name):
        info = _describe(entry_point, enabled)
        if info.name in plugins.infos:
            plugins.infos[info.name].error = f"{info.distribution} brings a plugin of this name too, which was not loaded. Remove one."
            continue
        plugins.infos[info.name] = info
        if info.enabled:
            _register(plugins, info, entry_point.load)
    _collect(plugins)
    _collect_settings(plugins)
    _collect_migrations(plugins)
    return plugins


def all_infos(plugins: Plugins) -> dict[str, PluginInfo]:
    """Return the plugins that are loaded or were found at start, and those that were installed since; these are not enabled yet."""
    importlib.invalidate_caches()
    fresh = {entry.name: _describe(entry, {}) for entry in importlib.metadata.entry_points(group=GROUP) if entry.name not in plugins.infos}
    for info in fresh.values():
        info.enabled = False
    return plugins.infos | fresh


def _describe(entry_point: importlib.metadata.EntryPoint, enabled: Mapping[str, bool]) -> PluginInfo:
    distribution = entry_point.dist
    metadata = distribution.metadata if distribution else None
    return PluginInfo(
        name=entry_point.name,
        distribution=distribution.name if distribution else "",
        version=distribution.version if distribution else "",
        author=_author(metadata) if metadata else "",
        enabled=enabled.get(entry_point.name, entry_point.name in OWN),
    )


def _author(metadata: importlib.metadata.PackageMetadata) -> str:
    return next((metadata[name] for name in ("Author", "Author-email") if name in metadata), "")


def _register(plugins: Plugins, info: PluginInfo, load_module: Callable[[], Any]) -> None:
    """Import one plugin; a mistyped hook, another API version or any exception disables it with the reason."""
    try:
        module = load_module()
        info.api = _declared_api(module)
        plugins.manager.register(module, name=info.name)
        plugins.manager.check_pending()
    except OtherApi as refused:
        info.error = str(refused)
        return
    except (Exception, SystemExit):  # noqa: BLE001  # A plugin may raise anything at import; it is shown on the Plugins page.
        info.error = traceback.format_exc()
        if plugins.manager.has_plugin(info.name):  # One of its hooks was refused: none of the others may stay.
            plugins.manager.unregister(name=info.name)
        return
    info.hooks = sorted(caller.name for caller in plugins.manager.get_hookcallers(module) or [])


def _declared_api(module: Any) -> int | None:
    """Return the version of the contract that a plugin declares; without one it takes the present. Raises: OtherApi."""
    declared = getattr(module, "PENNYWIRE_API", None)
    if declared is None:
        return None
    if type(declared) is not int:
        raise OtherApi(f"PENNYWIRE_API is {declared!r}. It is a whole number: the version of the contract that the plugin was written for.")
    if declared > API_VERSION:
        raise OtherApi(f"It was written for plugin API {declared}; this gateway has {API_VERSION}. Install a newer Pennywire.")
    if declared < OLDEST_API_VERSION:
        raise OtherApi(
            f"It was written for plugin API {declared}; this gateway keeps {OLDEST_API_VERSION} to {API_VERSION}. "
            "Install a newer version of the plugin."
        )
    return declared


def _collect(plugins: Plugins) -> None:
    for hook, attribute in _KINDS:
        registry: dict[str, Any] = getattr(plugins, attribute)
        for owner, kinds in plugins.call(hook):
            for name, kind in plugins.named(owner, kinds):
                if name in registry:
                    other = plugins.owners[f"{attribute}:{name}"]
                    raise DuplicateKind(f"The plugins {other} and {owner} both bring {name}. Disable one of them.")
                registry[name] = kind
                plugins.owners[f"{attribute}:{name}"] = owner
                if owner in plugins.infos:
                    plugins.infos[owner].kinds.append(name)


def _collect_settings(plugins: Plugins) -> None:
    """Take the settings that plugins declare of themselves; what is no list of settings marks its plugin."""
    for owner, declared in plugins.call("register_settings"):
        try:
            settings = tuple(declared or ())
            names = [setting.name for setting in settings]
            if len(set(names)) < len(names):
                raise ValueError(f"register_settings gave one name twice: {', '.join(names)}.")
        except Exception:  # noqa: BLE001  # A plugin may return anything; it is shown on the Plugins page.
            plugins.infos.setdefault(owner, PluginInfo(owner)).error = traceback.format_exc()
            continue
        if settings:
            plugins.settings[owner] = settings


def _collect_migrations(plugins: Plugins) -> None:
    """Take the tables that plugins have of their own; one that brings another's prefix, or none that can be, is isolated."""
    owners: dict[str, str] = {}
    for owner, brought in plugins.call("register_migrations"):
        try:
            for migrations in brought or ():
                if not PREFIX.fullmatch(migrations.prefix):
                    raise ValueError(f"The prefix {migrations.prefix!r} of its tables must be 2 to 24 small letters or digits.")
                if migrations.prefix in owners:
                    raise ValueError(f"The plugins {owners[migrations.prefix]} and {owner} both have tables {migrations.prefix}_….")
                owners[migrations.prefix] = owner
                plugins.migrations.append((owner, migrations))
        except Exception:  # noqa: BLE001  # A plugin may return anything; it is shown on the Plugins page.
            plugins.isolate(owner, traceback.format_exc())

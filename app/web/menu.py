"""The menu tree, as operators know it. What a user may not open is not in his tree: the access table decides that too."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Any

from flask import current_app, request, url_for

from app.lifecycle import Folder
from app.snapshot import Snapshot, UserView
from app.unmatched import can_be_told
from app.web import context
from app.web.filters import FOLDERS
from pennywire import MenuItem

LONGEST_LIST = 12
"""Users and connections that the tree names; the others are on their lists."""

OPEN_AT_FIRST = frozenset({"messages", "users", "connections", "routing", "mine"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: a page, or a branch with entries below it. `key` names a branch, so that the browser can keep it open."""

    label: str
    endpoint: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    icon: str = ""
    key: str = ""
    children: tuple["Entry", ...] = ()
    current: bool = False
    opened: bool = False


def tree() -> list[Entry]:
    """Return the signed-in user's tree, with the present page marked and its branches open."""
    user = context.user()
    choices = dict(word.split(".") for word in request.cookies.get("menu", "").split("-") if word.count(".") == 1)
    marked = (_mark(entry, choices) for entry in _all(context.snapshot(), user))
    return [entry for entry in marked if entry is not None]


def _mark(entry: Entry, choices: dict[str, str]) -> Entry | None:
    """Return the entry with what the user may open of it, or None where that is nothing."""
    if not entry.key:
        if not context.may(entry.endpoint):
            return None
        return replace(entry, current=_is_current(entry))
    children = tuple(child for child in (_mark(child, choices) for child in entry.children) if child is not None)
    if not children:
        return None
    inside = any(child.current or (child.key and child.opened and _holds_current(child)) for child in children)
    default = "1" if entry.key in OPEN_AT_FIRST else "0"
    return replace(entry, children=children, opened=inside or choices.get(entry.key, default) == "1")


def _holds_current(entry: Entry) -> bool:
    return any(child.current or _holds_current(child) for child in entry.children)


def _is_current(entry: Entry) -> bool:
    """Say whether an entry leads to the present page. Parameters that the address's path does not name may be in its query."""
    if entry.endpoint != request.endpoint:
        return False
    present = {**request.args.to_dict(), **(request.view_args or {})}
    if "user" in present and present["user"] and "user" not in entry.arguments:
        return False
    return all(str(present.get(name, "")) == str(value) for name, value in entry.arguments.items())


def _all(snapshot: Snapshot, user: UserView) -> Iterator[Entry]:
    """Yield the whole tree, whatever the user may open of it."""
    plugins = _plugin_entries(user)
    for entry in _core_entries(snapshot, user):
        yield replace(entry, children=(*entry.children, *plugins.get(entry.label, ()))) if entry.key else entry


def _core_entries(snapshot: Snapshot, user: UserView) -> Iterator[Entry]:
    yield Entry("Dashboard", "home.index", icon="layout-dashboard")
    yield _branch("Messages", "messages", _messages())
    customer = user.role == "customer"
    if customer:
        yield _branch("My account", "mine", _mine(user))
    else:
        yield _branch("Users and applications", "users", _users(snapshot))
    yield _branch("Service provider connections", "connections", _connections(snapshot))
    yield _branch("Routing", "routing", _ROUTING)
    yield _branch("Reports", "reports", _own_reports(user) if customer else _REPORTS)
    # A customer finds what is his of it under My account.
    yield _branch("System", "system", () if customer else _SYSTEM)


def _branch(label: str, key: str, children: Iterable[Entry], icon: str = "") -> Entry:
    return Entry(label, key=key, children=tuple(children), icon=icon)


def _messages() -> Iterator[Entry]:
    yield Entry("Compose", "compose.index", icon="pencil-line")
    for folder in Folder:
        word, label, icon = FOLDERS[folder]
        yield Entry(label, "messages.folder", {"folder": word}, icon)


def _users(snapshot: Snapshot) -> Iterator[Entry]:
    yield Entry("All users", "users.index", icon="users")
    yield Entry("Add user", "users.add", icon="user-plus")
    names = nsmallest(LONGEST_LIST, snapshot.users, key=str.lower)
    present = _present_user()
    if present in snapshot.users and present not in names:
        names.append(present)
    for name in names:
        yield _branch(name, f"user_{snapshot.users[name].id}", _user(snapshot.users[name]), icon="user")


def _present_user() -> str:
    return str((request.view_args or {}).get("username") or request.args.get("user", ""))


def _user(view: UserView) -> Iterator[Entry]:
    name = {"username": view.username}
    yield Entry("Messages", "messages.folder", {"folder": "sent", "user": view.username})
    if view.accounting_enabled:
        yield _branch("Credits", f"credits_{view.id}", _credits(view))
    yield _branch(
        "Configuration",
        f"configuration_{view.id}",
        (Entry(label, "users.configure", name | {"tab": tab}) for tab, label in CONFIGURATION_TABS.items()),
    )
    yield Entry("Applications", "applications.index", name)
    yield Entry("API keys", "keys.index", name)
    yield Entry("Sign-in", "signing.show", name)
    yield Entry("Events", "users.events", name)


CONFIGURATION_TABS = {"general": "General", "application": "Application", "advanced": "Advanced"}


def user_tabs(view: UserView) -> list[tuple[str, str, bool]]:
    """Return the pages of a user as tabs that the signed-in user may open: label, address, whether it is the present one."""
    name = {"username": view.username}
    pages: list[tuple[str, str, dict[str, Any]]] = [
        ("Messages", "messages.folder", {"folder": "sent", "user": view.username}),
        ("Configuration", "users.configure", name | {"tab": "general"}),
        ("Applications", "applications.index", name),
        ("API keys", "keys.index", name),
        ("Sign-in", "signing.show", name),
        ("Events", "users.events", name),
    ]
    if view.accounting_enabled:
        pages.insert(1, ("Credits", "credits.summary", name))
    present = (request.endpoint or "").partition(".")[0]
    first_pages = dict.fromkeys(("credits", "statements", "warnings", "approvals"), "credits.summary")
    first_pages |= {"keys": "keys.index", "signing": "signing.show"}
    current = first_pages.get(present, request.endpoint)
    return [(label, url_for(endpoint, **given), endpoint == current) for label, endpoint, given in pages if context.may(endpoint)]


def _credits(view: UserView) -> tuple[Entry, ...]:
    name = {"username": view.username}
    pages = (
        ("Summary", "credits.summary"),
        ("Ledger", "credits.ledger"),
        ("Statements", "statements.months"),
        ("Settings", "credits.settings"),
        ("Info", "credits.info"),
        ("Warnings", "warnings.show"),
        ("Approvals", "approvals.of_user"),
    )
    return tuple(Entry(label, endpoint, name) for label, endpoint in pages)


def _own_reports(view: UserView) -> Iterator[Entry]:
    yield Entry("Traffic", "reports.traffic", icon="chart-column")
    if view.accounting_enabled:
        yield Entry("Statements", "statements.months", {"username": view.username}, "scroll-text")


def _mine(view: UserView) -> Iterator[Entry]:
    if view.accounting_enabled:
        yield _branch("Credits", f"credits_{view.id}", _credits(view), icon="coins")
    yield Entry("API keys", "keys.index", {"username": view.username}, "key-round")
    yield Entry("HTTP API", "system.http_api", icon="code-xml")
    yield Entry("Password", "profile.password", icon="lock")
    yield Entry("Second factor", "profile.second_factor", icon="shield")
    yield Entry("Sessions", "profile.open_sessions", icon="monitor")


def _connections(snapshot: Snapshot) -> Iterator[Entry]:
    yield Entry("All connections", "connections.index", icon="cable")
    yield Entry("Add connection", "connections.add", icon="plus")
    views = nsmallest(LONGEST_LIST, snapshot.connections.values(), key=lambda view: view.name.lower())
    kinds = context.core().plugins.connectors
    present = (request.view_args or {}).get("name")
    views += [view for view in snapshot.connections.values() if view.name == present and view not in views]
    for view in views:
        name = {"name": view.name}
        pages = [("Status", "connections.show"), ("Configuration", "connections.configure"), ("Events", "connections.events")]
        pages.append(("Test", "connection_test.show"))
        if can_be_told(kinds.get(view.kind)):
            pages.append(("Receipts", "receipts.show"))
        yield _branch(view.name, f"connection_{view.id}", (Entry(label, page, name) for label, page in pages), icon="plug")


_REPORTS = (
    Entry("Traffic", "reports.traffic", icon="chart-column"),
    Entry("Costs and margin", "margin.report", icon="coins"),
    Entry("Statements", "statements.index", icon="scroll-text"),
    Entry("Month end", "statements.month_end", icon="calendar-clock"),
)
_ROUTING = (
    Entry("Inbound", "routing.table", {"direction": "inbound"}, "arrow-down-to-line"),
    Entry("Outbound", "routing.table", {"direction": "outbound"}, "arrow-up-from-line"),
    Entry("Test a route", "routing_test.show", icon="flask-conical"),
    Entry("Pricing rules", "pricing.table", icon="coins"),
)
_SYSTEM = (
    Entry("Plugins", "system.plugins", icon="puzzle"),
    Entry("HTTP API", "system.http_api", icon="code-xml"),
    Entry("Ledger check", "system.ledger_check", icon="scale"),
    Entry("Approvals", "approvals.index", icon="circle-check"),
    Entry("Mail", "mail.settings", icon="send"),
    Entry("Audit log", "audit.log", icon="scroll-text"),
    Entry("Settings", "system.settings", icon="settings"),
)


def _plugin_entries(user: UserView) -> dict[str, list[Entry]]:
    """Return what plugins add, by the label of the branch that it belongs to; an endpoint that is not there is left out."""
    added: dict[str, list[Entry]] = {}
    for _plugin, items in context.core().plugins.call("menu_items", user=user):
        for item in items or ():
            if isinstance(item, MenuItem) and user.role in item.roles and item.endpoint in _views():
                added.setdefault(item.parent, []).append(Entry(item.label, item.endpoint, icon=item.icon))
    return added


def _views() -> dict[str, Callable[..., Any]]:
    return current_app.view_functions

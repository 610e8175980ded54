"""The configuration in memory: users, keys, connections, routes and rules as of one version.

Decisions are made on it before the write transaction, which checks that the version still holds.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Database, Unavailable
from app.ledger import REVENUE, SHARED
from app.lifecycle import NegativeMargin, NoCredit, ProviderChoice, Terms
from app.models import (
    Account,
    ApiKey,
    Configuration,
    Option,
    PluginSettings,
    PricingRow,
    Route,
    SecondFactor,
    ServiceConnection,
    Suspension,
    User,
)
from app.plugins import Plugins
from app.pricing import RouteCost, Unusable, compile_rules, load_rules
from app.routing import BrokenRoute, CompiledRoute, RoutingTable, compile_conditions, describe_conditions
from app.supply import Supply, gather, read_quality
from pennywire import Direction, InvalidSetting, PricingRule

_LOG = logging.getLogger(__name__)

CHECK_EVERY_S = 0.5
"""How often a process asks for the version: a change of rights acts within a second."""

QUALITY_EVERY_S = 60.0
"""How often a process asks how well providers deliver, while a route chooses by it."""


class StaleSnapshot(Exception):
    """The configuration changed between the decision and the transaction: decide again on the present one."""


@dataclass(frozen=True, slots=True)
class UserView:
    """What the pipe needs to know of a user. `account_id` is his account whether accounting is on or not."""

    id: int
    username: str
    role: str
    password_hash: str = field(repr=False)
    active: bool
    account_id: int
    accounting_enabled: bool
    legacy_api_enabled: bool
    gui_enabled: bool
    route_override_allowed: bool
    source_override_allowed: bool
    default_source: str
    country_code: str
    repeat_window_s: int
    max_segments: int
    session_epoch: int
    retired: bool = False
    #: Whether signing in asks for a second factor.
    second_factor: bool = False
    #: Why his account is suspended and sends nothing; empty where it is not.
    suspended: str = ""
    #: Accounts above that pay for his messages too, the nearest first.
    payers: tuple["Payer", ...] = ()


@dataclass(frozen=True, slots=True)
class Payer:
    """An account above that each message debits too, at the price of its own user."""

    account_id: int
    username: str


@dataclass(frozen=True, slots=True)
class KeyView:
    """Whose an API key is, and what it opens."""

    user_id: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """What routing needs to know of a connection."""

    id: int
    name: str
    kind: str
    provider: str
    started: bool
    #: What it charges for a segment where no buy list says.
    buy_uc: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The configuration as of `version`. Immutable: a change makes a new one."""

    version: int
    #: Those who are there, by name.
    users: Mapping[str, UserView]
    #: Everybody, those who were retired too: their messages and rows are still there.
    users_by_id: Mapping[int, UserView]
    #: By the SHA-256 of the API key.
    keys: Mapping[str, KeyView]
    connections: Mapping[int, ConnectionView]
    #: Provider name to its connections.
    providers: Mapping[str, tuple[ConnectionView, ...]]
    outbound: RoutingTable
    inbound: RoutingTable
    routes: Mapping[int, CompiledRoute]
    rules: tuple[tuple[str, PricingRule], ...]
    revenue_id: int
    options: Mapping[str, Any]
    broken: tuple[BrokenRoute, ...] = ()
    supply: Supply = Supply()  # noqa: RUF009  # frozen
    #: Stored settings of plugins themselves, by the plugin's name.
    plugin_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    #: Names of connections that were retired.
    past_connections: Mapping[int, str] = field(default_factory=dict)

    def user(self, username: str) -> UserView | None:
        return self.users.get(username)

    @property
    def least_cost(self) -> bool:
        """Say whether a route chooses by price, and by quality between equal prices."""
        return any(route.provider_choice is ProviderChoice.LEAST_COST for route in self.outbound)

    def connection_name(self, connection_id: int | None) -> str:
        """Return a connection's name, also of one that was retired; empty for what never was one."""
        found = self.connections.get(connection_id or 0)
        return found.name if found else self.past_connections.get(connection_id or 0, "")

    def route_by_id(self, route_id: int | None) -> CompiledRoute | None:
        return self.routes.get(route_id) if route_id is not None else None


_VERSION = select(Configuration.version)


def version(session: Session) -> int:
    """Return the present version of the configuration."""
    number: int = session.connection().execute(_VERSION).scalar_one()
    return number


def read(session: Session, plugins: Plugins) -> Snapshot:
    """Read the whole configuration."""
    users = _users(session)
    connections = {
        row.id: ConnectionView(row.id, row.name, row.kind, row.provider, row.desired == "started", row.buy_uc)
        for row in session.scalars(select(ServiceConnection).where(ServiceConnection.retired_at.is_(None)))
    }
    providers: dict[str, tuple[ConnectionView, ...]] = {}
    for view in connections.values():
        providers[view.provider] = (*providers.get(view.provider, ()), view)
    routes, broken = _routes(session, plugins)
    rules = compile_rules(
        [
            (row.name, row.kind, row.settings)
            for row in session.scalars(select(PricingRow).where(PricingRow.enabled).order_by(PricingRow.position))
        ],
        plugins.pricing_rules,
    )
    rules = load_rules(session, rules)
    broken += [BrokenRoute(name, rule.reason) for name, rule in rules if isinstance(rule, Unusable)]
    return Snapshot(
        version=version(session),
        users={user.username: user for user in users if not user.retired},
        users_by_id={user.id: user for user in users},
        keys={
            row.digest: KeyView(row.user_id, frozenset(row.scopes.split()))
            for row in session.execute(select(ApiKey.digest, ApiKey.user_id, ApiKey.scopes).where(ApiKey.revoked_at.is_(None)))
        },
        connections=connections,
        providers=providers,
        outbound=RoutingTable(routes[Direction.OUTBOUND]),
        inbound=RoutingTable(routes[Direction.INBOUND]),
        routes={route.id: route for table in routes.values() for route in table},
        rules=tuple(rules),
        revenue_id=session.execute(select(Account.id).where(Account.name == REVENUE)).scalar_one(),
        options={row.name: row.value["value"] for row in session.scalars(select(Option))},
        broken=tuple(broken),
        supply=gather(
            rules,
            [(view.provider, view.buy_uc, view.started) for members in providers.values() for view in members],
            read_quality(session),
        ),
        plugin_settings={row.name: row.settings for row in session.scalars(select(PluginSettings))},
        past_connections={
            row.id: row.name
            for row in session.execute(
                select(ServiceConnection.id, ServiceConnection.name).where(ServiceConnection.retired_at.is_not(None))
            )
        },
    )


def _users(session: Session) -> list[UserView]:
    with_factor = set(session.scalars(select(SecondFactor.user_id).where(SecondFactor.confirmed_at.is_not(None))))
    rows = session.execute(
        select(User, Account, Suspension.reason)
        .join(Account, Account.user_id == User.id)
        .join(Suspension, Suspension.account_id == Account.id, isouter=True)
    ).all()
    accounts = {account.id: (user, account) for user, account, _ in rows}
    stopped = {account.id for _, account, suspended in rows if suspended}
    payers = {user.id: _payers(accounts, user, account) for user, account, _ in rows}
    return [
        UserView(
            id=user.id,
            username=user.username,
            role=user.role,
            password_hash=user.password_hash,
            active=user.active,
            account_id=account.id,
            accounting_enabled=user.accounting_enabled,
            legacy_api_enabled=user.legacy_api_enabled,
            gui_enabled=user.gui_enabled,
            route_override_allowed=user.route_override_allowed,
            source_override_allowed=user.source_override_allowed,
            default_source=user.default_source,
            country_code=user.country_code,
            repeat_window_s=user.repeat_window_s,
            max_segments=user.max_segments,
            session_epoch=user.session_epoch,
            retired=user.retired_at is not None,
            second_factor=user.id in with_factor,
            suspended=suspended or ("An account above it is." if any(payer.account_id in stopped for payer in payers[user.id]) else ""),
            payers=payers[user.id],
        )
        for user, account, suspended in rows
    ]


def _payers(accounts: Mapping[int, tuple[User, Account]], user: User, account: Account) -> tuple[Payer, ...]:
    """Return who above pays for a user's messages: as far up as accounts share, those that are counted."""
    found: list[Payer] = []
    if not user.accounting_enabled:
        return ()
    for _ in accounts:  # Accounts never stand in a circle, and a damaged database must not stop the gateway.
        if account.parent_mode != SHARED or account.parent_id is None:
            break
        above, account = accounts[account.parent_id]
        if above.accounting_enabled:
            found.append(Payer(account.id, above.username))
    return tuple(found)


def _routes(session: Session, plugins: Plugins) -> tuple[dict[Direction, list[CompiledRoute]], list[BrokenRoute]]:
    """Compile the enabled routes. One that cannot be asked stays out and is named: it must not be skipped in silence."""
    routes: dict[Direction, list[CompiledRoute]] = {direction: [] for direction in Direction}
    broken: list[BrokenRoute] = []
    for row in session.scalars(select(Route).where(Route.enabled).order_by(Route.position, Route.id)):
        try:
            routes[Direction(row.direction)].append(compile_route(row, plugins))
        except InvalidSetting as error:
            broken.append(BrokenRoute(row.name, error.reason))
        except Exception:  # noqa: BLE001  # A condition of a plugin may raise anything; the other routes go on.
            _LOG.exception("route %s cannot be made", row.name)
            broken.append(BrokenRoute(row.name, "One of its conditions failed; the log says how."))
    return routes, broken


def compile_route(row: Route, plugins: Plugins) -> CompiledRoute:
    """Make one row ready to be asked. Raises: InvalidSetting."""
    conditions = compile_conditions(row.conditions, plugins.conditions)
    return CompiledRoute(
        id=row.id,
        name=row.name,
        conditions=conditions,
        why=describe_conditions(conditions),
        targets=tuple(row.targets),
        cost=RouteCost(row.name, row.cost_uc, row.price_required),
        terms=Terms.of_code(row.terms),
        mode=row.mode,
        no_credit=NoCredit(row.no_credit),
        provider_choice=ProviderChoice(row.provider_choice),
        negative_margin=NegativeMargin(row.negative_margin),
        resend_in_doubt=row.resend_in_doubt,
        source_rewrite=row.source_rewrite,
        report_timeout_s=row.report_timeout_s,
        validity_s=row.validity_s,
    )


@dataclass(slots=True)
class SnapshotCache:
    """Keeps the newest snapshot of a process; `present()` is cheap."""

    database: Database
    plugins: Plugins
    monotonic: Callable[[], float] = time.monotonic
    _snapshot: Snapshot | None = None
    _checked_at: float = 0.0
    _failed_at: float = float("-inf")
    _quality_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def latest(self) -> Snapshot | None:
        """Return the snapshot that was read last, however old it is; None before the first. Reads nothing."""
        return self._snapshot

    def present(self) -> Snapshot:
        """Return a snapshot that is at most `CHECK_EVERY_S` old. Raises: Unavailable."""
        snapshot, asked_at = self._snapshot, self.monotonic()
        if snapshot is not None and asked_at - self._checked_at < CHECK_EVERY_S:
            return snapshot
        with self._lock:
            if self._snapshot is not None and self.monotonic() - self._checked_at < CHECK_EVERY_S:
                return self._snapshot
            if self._failed_at >= asked_at:
                # Somebody waited for the database while we waited for him: waiting again would pass the time of an answer.
                raise Unavailable("The database cannot be read now.")
            return self._refresh()

    def reload(self) -> Snapshot:
        """Return a snapshot that is fresh now, after a change."""
        with self._lock:
            return self._refresh()

    def _refresh(self) -> Snapshot:
        try:
            with self.database.read() as session:
                if self._snapshot is None or version(session) != self._snapshot.version:
                    self._snapshot = read(session, self.plugins)
                    self._quality_at = self.monotonic()
                elif self.monotonic() - self._quality_at >= QUALITY_EVERY_S:
                    self._snapshot = _with_quality(session, self._snapshot)
                    self._quality_at = self.monotonic()
        except Unavailable:
            self._failed_at = self.monotonic()
            raise
        self._checked_at = self.monotonic()
        return self._snapshot


def _with_quality(session: Session, snapshot: Snapshot) -> Snapshot:
    """Return the same configuration with what is known now of how well providers deliver."""
    if not snapshot.least_cost:
        return snapshot
    return replace(snapshot, supply=replace(snapshot.supply, delivered_permille=read_quality(session)))

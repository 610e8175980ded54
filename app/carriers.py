"""Who may carry a message: the providers of its route in the order in which they are tried, and what each charges.

A route tries its providers in the order of its list, or the cheapest first. In neither case is a provider that is stopped
chosen before one that is started. Failover goes on in the same order; what must not be carried at a loss skips who is too dear.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from app.lifecycle import NegativeMargin, ProviderChoice
from app.pricing import UNKNOWN, Buying
from app.routing import ANY, CompiledRoute
from app.snapshot import Snapshot
from app.supply import Ask
from pennywire import Direction, PriceRequest


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider that a route names. Units: tenths of a per cent; None where too little is known."""

    provider: str
    started: bool
    buying: Buying
    delivered_permille: int | None = None


class Stored(Protocol):
    """What is read of a stored message to choose who carries it on."""

    user_id: int
    source: str
    destination: str
    segment_count: int
    price_uc: int


def choose_provider(snapshot: Snapshot, targets: Iterable[str]) -> str | None:
    """Return the first target with a started connection, else the first with any, else None. `*` is any provider."""
    fallback = None
    for target in targets:
        connections = tuple(snapshot.connections.values()) if target == ANY else snapshot.providers.get(target, ())
        for connection in connections:
            if connection.started:
                return target
        if connections and fallback is None:
            fallback = target
    return fallback


def candidates(snapshot: Snapshot, route: CompiledRoute, ask: Ask) -> Iterator[Candidate]:
    """Yield the providers of a route that are there, in the order in which they are tried; in the list's order none too early."""
    if route.provider_choice is ProviderChoice.LEAST_COST:
        yield from by_cost(candidate(snapshot, name, ask) for name in _spelt_out(snapshot, route.targets))
        return
    there = [name for name in route.targets if name == ANY or name in snapshot.providers]
    for name in sorted(there, key=lambda name: not _started(snapshot, name)):
        yield candidate(snapshot, name, ask)


def _started(snapshot: Snapshot, target: str) -> bool:
    connections = snapshot.connections.values() if target == ANY else snapshot.providers.get(target, ())
    return any(connection.started for connection in connections)


def _spelt_out(snapshot: Snapshot, targets: Sequence[str]) -> Iterator[str]:
    """Yield the names of providers that are there; `*` is every one that has not been named before."""
    seen: set[str] = set()
    for target in targets:
        for name in sorted(snapshot.providers) if target == ANY else (target,):
            if name in snapshot.providers and name not in seen:
                seen.add(name)
                yield name


def candidate(snapshot: Snapshot, provider: str, ask: Ask) -> Candidate:
    """Return what is known of one provider; of `*` what is certain whoever takes the message."""
    supply = snapshot.supply
    if provider == ANY:
        return Candidate(ANY, _started(snapshot, ANY), _of_anybody(snapshot, ask) if supply.priced else UNKNOWN)
    buying = supply.of_provider(provider, ask) if supply.priced else UNKNOWN
    return Candidate(provider, _started(snapshot, provider), buying, supply.delivered_permille.get(provider))


def _of_anybody(snapshot: Snapshot, ask: Ask) -> Buying:
    """Return the dearest price of those who may take the message, if all are known."""
    able = [name for name in snapshot.providers if _started(snapshot, name)] or list(snapshot.providers)
    prices = [snapshot.supply.of_provider(name, ask) for name in able]
    if not prices or any(price.per_segment_uc is None for price in prices):
        return UNKNOWN
    dearest = max(prices, key=lambda price: price.per_segment_uc or 0)
    return replace(dearest, why=f"Whoever takes it, at most: {dearest.why}")


def by_cost(found: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates as least cost tries them.

    Who is started comes first; then the cheapest, a price that nobody knows last; then who delivers best, where too little is
    known counting as good; then the order of the list.
    """
    return sorted(found, key=_cost_key)


def _cost_key(item: Candidate) -> tuple[bool, bool, int, int]:
    price_uc = item.buying.per_segment_uc
    quality = 1000 if item.delivered_permille is None else item.delivered_permille
    return (not item.started, price_uc is None, price_uc or 0, -quality)


def loses(buying: Buying, sold_uc: int) -> bool:
    """Say whether a segment that is sold for `sold_uc` costs us more; what nobody knows is no loss."""
    return buying.per_segment_uc is not None and buying.per_segment_uc > sold_uc


def onward(snapshot: Snapshot, route: CompiledRoute, message: Stored, *, holder: str, now: datetime) -> tuple[str, ...]:
    """Return the providers that may carry a stored message, in the order in which they are tried.

    Its price stays what it was; what the providers charge is asked anew. `holder`, who has it now, stays in his place.
    """
    if route.provider_choice is ProviderChoice.ORDER and route.negative_margin is not NegativeMargin.REFUSE:
        return route.targets
    user = snapshot.users_by_id.get(message.user_id)
    ask = asking(snapshot, route, message, now=now)
    if route.provider_choice is ProviderChoice.LEAST_COST:
        found = list(candidates(snapshot, route, ask))
    else:
        found = [candidate(snapshot, name, ask) for name in route.targets]
    guarded = route.negative_margin is NegativeMargin.REFUSE and user is not None and user.accounting_enabled
    sold_uc = message.price_uc // message.segment_count
    return tuple(item.provider for item in found if item.provider == holder or not (guarded and loses(item.buying, sold_uc)))


def asking(snapshot: Snapshot, route: CompiledRoute | None, message: Stored, *, now: datetime) -> Ask:
    """Return what makes the requests about a stored message."""
    user = snapshot.users_by_id.get(message.user_id)
    username, name = user.username if user else "", route.name if route else ""
    return lambda provider: PriceRequest(
        Direction.OUTBOUND, username, message.source, message.destination, message.segment_count, name, provider, now
    )

"""What is known of providers beside their connections: what they charge, and how well they deliver."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import ConnectionQuality, ServiceConnection
from app.pricing import UNKNOWN, Buying, buying, buying_rules, own_price
from pennywire import PriceRequest, PricingRule

Ask = Callable[[str], PriceRequest]
"""Makes the request about a provider; it is called only where a rule is asked."""

FEWEST_ENDED = 20
"""Of fewer messages whose end is known no share is told: the first failure would make a provider look bad."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What providers charge for a segment, and the share that they deliver. Units: microcredits; tenths of a per cent."""

    #: The pricing rules that know buy prices, in the operator's order.
    rules: tuple[tuple[str, PricingRule], ...] = ()
    #: A provider's own price: of its connections that are started (of all where none is) the dearest, to be on the safe side.
    own: Mapping[str, Buying] = field(default_factory=dict)
    #: Share of messages delivered in the last hours, of those whose end is known. A provider without enough of them is left out.
    delivered_permille: Mapping[str, int] = field(default_factory=dict)
    #: False where nobody has told any price: then nothing is asked.
    priced: bool = False
    #: Providers whose connections do not all have one price.
    uneven: frozenset[str] = frozenset()

    def of_provider(self, provider: str, ask: Ask) -> Buying:
        """Return what a provider charges; rules are asked with the request that `ask` makes."""
        own = self.own.get(provider, UNKNOWN)
        return buying(ask(provider), own, self.rules) if self.rules else own

    def of_connection(self, provider: str, own_uc: int | None, ask: Ask) -> Buying:
        """Return what a connection of a provider charges, whose own price is `own_uc`."""
        return buying(ask(provider), own_price(provider, own_uc), self.rules)


def gather(
    rules: Sequence[tuple[str, PricingRule]], connections: Sequence[tuple[str, int | None, bool]], delivered_permille: Mapping[str, int]
) -> Supply:
    """Return what is known. `connections` are (provider, own price, whether it is started)."""
    every_uc: dict[str, tuple[int | None, ...]] = {}
    started_uc: dict[str, tuple[int | None, ...]] = {}
    for provider, price_uc, started in connections:
        every_uc[provider] = (*every_uc.get(provider, ()), price_uc)
        if started:
            started_uc[provider] = (*started_uc.get(provider, ()), price_uc)
    knowing = buying_rules(rules)
    return Supply(
        rules=knowing,
        own={provider: own_price(provider, _dearest(prices)) for provider, prices in (every_uc | started_uc).items()},
        delivered_permille=delivered_permille,
        priced=bool(knowing) or any(price_uc is not None for _, price_uc, _ in connections),
        uneven=frozenset(provider for provider, prices in every_uc.items() if len(set(prices)) > 1),
    )


def _dearest(prices_uc: Sequence[int | None]) -> int | None:
    """Return the highest price; where one of them is not known, nothing is certain."""
    known = [price_uc for price_uc in prices_uc if price_uc is not None]
    return max(known) if known and len(known) == len(prices_uc) else None


def read_quality(session: Session) -> dict[str, int]:
    """Return the delivered share of each provider that has enough messages to tell. Units: tenths of a per cent."""
    rows = session.execute(
        select(
            ServiceConnection.provider,
            func.sum(ConnectionQuality.delivered_count).label("delivered"),
            func.sum(ConnectionQuality.ended_count).label("ended"),
        )
        .join(ConnectionQuality, ConnectionQuality.connection_id == ServiceConnection.id)
        .group_by(ServiceConnection.provider)
    )
    return {row.provider: int(row.delivered) * 1000 // int(row.ended) for row in rows if row.ended >= FEWEST_ENDED}

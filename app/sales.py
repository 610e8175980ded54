"""Who carries a message, and at which prices it is sold and bought.

The first provider of the route's order that is started is asked, unless it charges more than its route allows. Where nobody has
told what a provider charges, nothing else is looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app import carriers, pricing
from app.carriers import Candidate, choose_provider
from app.lifecycle import NegativeMargin, ProviderChoice
from app.pricing import UNKNOWN, Buying
from app.refusals import Refused
from app.routing import CompiledRoute
from app.snapshot import Snapshot, UserView
from app.supply import Ask
from pennywire import PriceRequest, Quote


class NotSold(Exception):
    """A message has no price, nobody who carries it, or nobody who does at its price; `refused` tells the customer."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.refused = Refused(code, reason)


@dataclass(frozen=True, slots=True)
class Sale:
    """Who carries a message and at which prices."""

    provider: str
    quote: Quote
    buying: Buying
    margin_alarm: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A provider of the route in the order in which it is tried, and in words what becomes of it. Units: microcredits a segment."""

    candidate: Candidate
    sold_uc: int | None
    chosen: bool
    #: It charges more than its route allows.
    barred: bool
    why: str


def sell(snapshot: Snapshot, user: UserView, route: CompiledRoute, ask: Ask, *, named: str | None = None) -> Sale:
    """Choose who carries a message; `named` is the provider that its user chose. Raises: NotSold."""
    if not snapshot.supply.priced and route.provider_choice is ProviderChoice.ORDER:
        provider = named or choose_provider(snapshot, route.targets)
        if provider is None:
            raise _no_connection(route)
        return Sale(provider, _quote(snapshot, route, ask(provider)), UNKNOWN)
    for item in _able(snapshot, route, ask, named):
        quote = _quote(snapshot, route, ask(item.provider))
        loss = user.accounting_enabled and carriers.loses(item.buying, quote.per_segment_uc)
        if not loss or route.negative_margin is not NegativeMargin.REFUSE:
            return Sale(item.provider, quote, item.buying, loss and route.negative_margin is NegativeMargin.ALARM)
    raise NotSold("negative_margin", "The message cannot be carried at its price now. Ask the operator.")


def _able(snapshot: Snapshot, route: CompiledRoute, ask: Ask, named: str | None) -> Iterator[Candidate]:
    """Yield who can carry the message, in the order in which they are tried; those that are stopped only where nobody is started."""
    if named:
        yield carriers.candidate(snapshot, named, ask)
        return
    first = None
    for item in carriers.candidates(snapshot, route, ask):
        first = first or item
        if first.started and not item.started:
            return
        yield item
    if first is None:
        raise _no_connection(route)


def _no_connection(route: CompiledRoute) -> NotSold:
    return NotSold("no_route", f"The route {route.name} names {', '.join(route.targets)}, where there is no connection.")


def _quote(snapshot: Snapshot, route: CompiledRoute, request: PriceRequest) -> Quote:
    quote = pricing.price(request, route.cost, snapshot.rules)
    if isinstance(quote, pricing.NoPrice):
        raise NotSold("no_price", quote.why)
    return quote


def above(snapshot: Snapshot, user: UserView, route: CompiledRoute, request: PriceRequest) -> tuple[tuple[int, int], ...]:
    """Price a message for the accounts above that pay too, each by the rules for its own user. Raises: NotSold."""
    prices = []
    for payer in user.payers:
        quote = pricing.price(replace(request, username=payer.username), route.cost, snapshot.rules)
        if isinstance(quote, pricing.NoPrice):
            raise NotSold("no_price", "There is no price of this message for an account above yours. Ask your provider.")
        prices.append((payer.account_id, quote.per_segment_uc * request.segment_count))
    return tuple(prices)


def standings(snapshot: Snapshot, user: UserView, route: CompiledRoute, ask: Ask) -> tuple[Standing, ...]:
    """Return every provider of a route as the choice sees it."""
    found = list(carriers.candidates(snapshot, route, ask))
    able = {item.provider for item in found if item.started} or {item.provider for item in found}
    chosen = False
    shown = []
    for item in found:
        sold = pricing.price(ask(item.provider), route.cost, snapshot.rules)
        sold_uc = sold.per_segment_uc if isinstance(sold, Quote) else None
        loss = sold_uc is not None and user.accounting_enabled and carriers.loses(item.buying, sold_uc)
        barred = loss and route.negative_margin is NegativeMargin.REFUSE
        refused = barred or item.provider not in able or sold_uc is None
        shown.append(Standing(item, sold_uc, chosen=not chosen and not refused, barred=barred, why=_why(item, able, sold, loss=loss)))
        chosen = chosen or not refused
    return tuple(shown)


def _why(item: Candidate, able: set[str], sold: Quote | pricing.NoPrice, *, loss: bool) -> str:
    """Say in words what speaks for a provider or against it."""
    words = []
    if item.provider not in able:
        words.append("It is stopped.")
    if isinstance(sold, pricing.NoPrice):
        words.append(sold.why)
    if loss:
        words.append("It charges more than the message is sold for.")
    words.append(item.buying.why if item.buying.why.endswith(".") else f"{item.buying.why or 'Its price is not known'}.")
    return " ".join(words)

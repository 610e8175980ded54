"""The price of a message: configured rules in their order, then the route's Cost, then the default of the direction.

And what its provider charges us: the rules that know buy prices in the same order, then the connection's own.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.ledger import LARGEST_UC, MICRO, format_credits
from pennywire import Direction, InvalidSetting, NoQuote, PriceRequest, PricingRule, Quote, read_settings

_LOG = logging.getLogger(__name__)

DEFAULT_UC: dict[Direction, int] = {Direction.OUTBOUND: MICRO, Direction.INBOUND: 0}
"""1 credit for each segment sent, 0 for each received."""


@dataclass(frozen=True, slots=True)
class NoPrice:
    """There is no price, and `why`: none was found on a route that requires one, or a rule failed."""

    route: str
    why: str


@dataclass(frozen=True, slots=True)
class Buying:
    """What a provider charges us for a segment, None where nobody knows; `why` says who told it. Units: microcredits."""

    per_segment_uc: int | None
    why: str = ""


UNKNOWN = Buying(None)


@dataclass(frozen=True, slots=True)
class RouteCost:
    """What pricing needs to know of a route."""

    name: str
    cost_uc: int | None
    price_required: bool


class Unusable(PricingRule):
    """Stands where a configured rule cannot be made: nothing is sold past it, at a price that it might have changed."""

    kind = "unusable"
    label = "Unusable"

    def __init__(self, reason: str) -> None:
        super().__init__({})
        self.reason = reason


def price(request: PriceRequest, cost: RouteCost, rules: Sequence[tuple[str, PricingRule]]) -> Quote | NoPrice:
    """Return the price of a segment. `rules` are (name, rule) in the operator's order; the first answer counts."""
    for name, rule in rules:
        answer = _ask(name, rule, request, cost)
        if answer is not None:
            return answer
    if cost.cost_uc is not None:
        return Quote(cost.cost_uc, f"Cost {format_credits(cost.cost_uc)} of route {cost.name}")
    if cost.price_required:
        return NoPrice(cost.name, f"The route {cost.name} requires a price, and no price list has one for this message.")
    default_uc = DEFAULT_UC[request.direction]
    return Quote(default_uc, f"Default {format_credits(default_uc)} for each segment")


def _ask(name: str, rule: PricingRule, request: PriceRequest, cost: RouteCost) -> Quote | NoPrice | None:
    """Return what one rule says; None where it leaves the price to the next."""
    if isinstance(rule, Unusable):
        return NoPrice(cost.name, f"The pricing rule {name} cannot be asked. {rule.reason}")
    try:
        quote = rule.quote(request)
        if isinstance(quote, NoQuote):
            return NoPrice(cost.name, quote.why)
        return None if quote is None else _checked(quote, request, name)
    except Exception:  # noqa: BLE001  # A rule of a plugin may raise anything; nothing is sold at a price that is not known.
        _LOG.exception("pricing rule %s failed", name)
        return NoPrice(cost.name, f"The pricing rule {name} failed. The log says how; disable or mend it.")


def own_price(provider: str, per_segment_uc: int | None) -> Buying:
    """Return what a provider charges by its connection's own price, which counts where no rule knows better."""
    return UNKNOWN if per_segment_uc is None else Buying(per_segment_uc, f"Buy price {format_credits(per_segment_uc)} of {provider}")


def buying(request: PriceRequest, own: Buying, rules: Sequence[tuple[str, PricingRule]]) -> Buying:
    """Return what `request.provider` charges us. `rules` are those of `buying_rules`; `own` counts where none of them answers.

    A rule that fails leaves the price unknown: a figure that nobody vouches for would choose routes.
    """
    for name, rule in rules:
        if isinstance(rule, Unusable):
            return Buying(None, f"The pricing rule {name} cannot be asked. {rule.reason}")
        try:
            quote = rule.quote_buying(request)
            if isinstance(quote, NoQuote):
                return Buying(None, quote.why)
            if quote is not None:
                return Buying(_checked(quote, request, name).per_segment_uc, quote.why)
        except Exception:  # noqa: BLE001  # A rule of a plugin may raise anything.
            _LOG.exception("pricing rule %s failed to tell a buy price", name)
            return Buying(None, f"The pricing rule {name} failed. The log says how; disable or mend it.")
    return own


def buying_rules(rules: Sequence[tuple[str, PricingRule]]) -> tuple[tuple[str, PricingRule], ...]:
    """Return the rules that know what providers charge, and those that might, had they not failed."""
    return tuple((name, rule) for name, rule in rules if isinstance(rule, Unusable) or _knows_buying(name, rule))


def _knows_buying(name: str, rule: PricingRule) -> bool:
    try:
        return rule.knows_buying()
    except Exception:  # noqa: BLE001  # A rule of a plugin may raise anything; asked for a price it is told why.
        _LOG.exception("pricing rule %s cannot say whether it knows buy prices", name)
        return True


def _checked(quote: Quote, request: PriceRequest, name: str) -> Quote:
    """Hold a plugin to the contract: a whole number, in bounds, and negative only where the user is to be paid."""
    amount_uc = quote.per_segment_uc
    if isinstance(amount_uc, bool) or not isinstance(amount_uc, int) or abs(amount_uc) > LARGEST_UC // 255:
        raise TypeError(f"The pricing rule {name} gave {amount_uc!r}; a price is a whole number of microcredits.")
    if amount_uc < 0 and request.direction is Direction.OUTBOUND:
        raise ValueError(f"The pricing rule {name} gave a negative price for an outgoing message.")
    return quote


def compile_rules(
    rows: Sequence[tuple[str, str, Mapping[str, object]]], kinds: Mapping[str, type[PricingRule]]
) -> list[tuple[str, PricingRule]]:
    """Make rules of (name, kind, settings) rows; one that cannot be made becomes `Unusable`, with the reason."""
    return [(name, _compile_rule(name, kinds.get(kind), settings)) for name, kind, settings in rows]


def load_rules(session: Session, rules: Sequence[tuple[str, PricingRule]]) -> list[tuple[str, PricingRule]]:
    """Let rules read their plugins' own tables; one that cannot becomes `Unusable`, with the reason."""
    return [(name, _load_rule(session, name, rule)) for name, rule in rules]


def _load_rule(session: Session, name: str, rule: PricingRule) -> PricingRule:
    if type(rule).load is PricingRule.load:
        return rule
    try:
        # A statement that fails would else take the rest of the configuration with it, on PostgreSQL.
        with session.begin_nested():
            rule.load(session)
    except Exception:  # noqa: BLE001  # A rule of a plugin may raise anything.
        _LOG.exception("pricing rule %s cannot read its tables", name)
        return Unusable("It could not read its tables; the log says why.")
    return rule


def _compile_rule(name: str, kind: type[PricingRule] | None, settings: Mapping[str, object]) -> PricingRule:
    if kind is None:
        return Unusable("Its kind of pricing rule is not there. Is the plugin enabled?")
    try:
        return kind(read_settings(kind.settings, settings))
    except InvalidSetting as error:
        return Unusable(error.reason)
    except Exception:  # noqa: BLE001  # A rule of a plugin may raise anything.
        _LOG.exception("pricing rule %s cannot be made", name)
        return Unusable("It failed when it was made; the log says how.")

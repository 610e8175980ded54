"""Pricing rules: what a message costs its user, and what its provider charges us."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pennywire.settings import Setting
from pennywire.values import Direction

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class PriceRequest:
    """What a rule may look at. `destination` and `source` are normalised; `route` and `provider` are names."""

    direction: Direction
    username: str
    source: str
    destination: str
    segment_count: int
    route: str
    provider: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Quote:
    """A price. Units: microcredits (1 credit = 1,000,000) for one segment; negative pays the user, for incoming messages only.

    `why` is shown on the message's page: `Route "Hungary", Cost 1.2`.
    """

    per_segment_uc: int
    why: str


@dataclass(frozen=True, slots=True)
class NoQuote:
    """There is no price, and no other rule may find one: the message is refused. `why` tells the customer."""

    why: str


class PricingRule:
    """A kind of pricing rule. Rows that the operator configured are asked in their order; the first answer counts.

    A rule does no I/O when it is asked: that is before the transaction, for every message. What it keeps in tables of its own
    it reads in `load`. A rule that knows what providers charge us overrides `quote_buying`; one that does not is not asked for it.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def load(self, session: "Session") -> None:
        """Read the plugin's own tables, once for each state of the configuration, in a transaction that reads.

        Called after the rule is made and before it is asked, whenever any setting of the gateway changed: what did not change
        should not be read again. What it raises makes the rule unusable, and nothing is sold past it.
        """

    def quote(self, request: PriceRequest) -> Quote | NoQuote | None:
        """Return the price, None to leave it to the next rule, or NoQuote to refuse the message."""
        raise NotImplementedError

    def knows_buying(self) -> bool:
        """Say whether it may know a buy price, asked once after `load`. Where no rule does, nobody spends time on the question."""
        return type(self).quote_buying is not PricingRule.quote_buying

    def quote_buying(self, request: PriceRequest) -> Quote | NoQuote | None:  # noqa: ARG002  # for those that override it
        """Return what `request.provider` charges us for a segment, None to leave it to the next rule, or NoQuote where nobody knows.

        Shape: not negative. Asked for each provider that might carry the message, so it must be quick.
        """
        return None

"""The pricing rule that asks the price lists."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pennywire import NoQuote, PriceRequest, PricingRule, Quote, Setting, SettingType
from pennywire_tariff.compiled import Book, Timeline

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

REFUSE, NEXT = "refuse", "next"


class PriceLists(PricingRule):
    """Prices a message by the customer's list, his group's, or the default one."""

    kind = "tariff"
    label = "Price lists"
    description = "Asks the price list of the customer, else that of his group, else the default list. Customers without any go on."
    settings = (
        Setting(
            "unpriced",
            "Where a customer's list has no price",
            SettingType.CHOICE,
            default=REFUSE,
            choices=((REFUSE, "Refuse the message"), (NEXT, "Ask the next rule, then the route's Cost")),
        ),
    )

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.book = Book()
        self._refuse = values["unpriced"] == REFUSE

    def load(self, session: "Session") -> None:
        """Read who pays by which list; versions that this process has read before are not read again."""
        # The command line loads this module for every call; SQLAlchemy comes with the first list.
        self.book = import_module("pennywire_tariff.reading").read_book(session)

    def quote(self, request: PriceRequest) -> Quote | NoQuote | None:
        """Return the price by the customer's list; None for a customer without one."""
        timeline = self.book.selling(request.direction, request.username)
        if timeline is None:
            return None
        number = request.destination if request.direction == "outbound" else request.source
        return self._quote(timeline, number, request)

    def knows_buying(self) -> bool:
        """Say whether any provider has a buy list."""
        return bool(self.book.providers)

    def quote_buying(self, request: PriceRequest) -> Quote | None:
        """Return the price by the provider's buy list; None where it has none for the number now."""
        timeline = self.book.buying(request.direction, request.provider)
        version = timeline.at(request.at) if timeline is not None else None
        number = request.destination if request.direction == "outbound" else request.source
        found = version.find(number, request.at, self.book.networks) if version is not None else None
        return None if found is None or version is None else Quote(found.price_uc, f"{version.label}, {found.key}")

    def _quote(self, timeline: Timeline, number: str, request: PriceRequest) -> Quote | NoQuote | None:
        version = timeline.at(request.at)
        found = version.find(number, request.at, self.book.networks) if version is not None else None
        if found is not None and version is not None:
            return Quote(found.price_uc, f"{version.label}, {found.key}")
        if not self._refuse:
            return None
        if version is None:
            return NoQuote(f"The price list {timeline.name} has no version that holds now.")
        return NoQuote(f"The price list {timeline.name} has no price for {number or 'this sender'}.")

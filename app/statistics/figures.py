"""What is summed, and what people may ask for: columns, totals, and the figures made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta

QUARTER_S = 900
"""A quarter of an hour, in seconds: the offsets of time zones are whole ones."""

QUARTER = timedelta(seconds=QUARTER_S)

EVERYBODY = 0
"""The user of the sums over all users."""

KEYS = ("user_id", "quarter", "direction", "route_id", "provider")


@dataclass(slots=True)
class Sums:
    """The columns of the sums, with their names; see `models.QuarterSums`. Units: microcredits."""

    accepted_count: int = 0
    accepted_segment_count: int = 0
    sent_count: int = 0
    sent_segment_count: int = 0
    delivered_count: int = 0
    delivered_segment_count: int = 0
    undeliverable_count: int = 0
    undeliverable_segment_count: int = 0
    rejected_count: int = 0
    rejected_segment_count: int = 0
    expired_count: int = 0
    expired_segment_count: int = 0
    cancelled_count: int = 0
    cancelled_segment_count: int = 0
    in_doubt_count: int = 0
    in_doubt_segment_count: int = 0
    charged_uc: int = 0
    settled_uc: int = 0
    released_uc: int = 0
    refunded_uc: int = 0
    standing_sent_count: int = 0
    standing_delivered_count: int = 0
    standing_failed_count: int = 0

    @property
    def used_uc(self) -> int:
        """What was taken for good: settled, less what was refunded."""
        return self.settled_uc - self.refunded_uc

    @property
    def failed_count(self) -> int:
        return self.undeliverable_count + self.rejected_count + self.expired_count

    @property
    def failed_segment_count(self) -> int:
        return self.undeliverable_segment_count + self.rejected_segment_count + self.expired_segment_count

    @property
    def standing_waiting_count(self) -> int:
        """Of what was accepted, what the network has neither taken nor ended."""
        return self.accepted_count - self.standing_sent_count - self.standing_delivered_count - self.standing_failed_count


COLUMNS = tuple(item.name for item in fields(Sums))


@dataclass(slots=True)
class Totals:
    """Sums of both directions."""

    outbound: Sums = field(default_factory=Sums)
    inbound: Sums = field(default_factory=Sums)

    @property
    def used_uc(self) -> int:
        return self.outbound.used_uc + self.inbound.used_uc

    def add(self, direction: str, values: Sequence[int]) -> None:
        """Add a row's numbers, in the order of `COLUMNS`."""
        sums = self.inbound if direction == "inbound" else self.outbound
        for name, value in zip(COLUMNS, values, strict=True):
            setattr(sums, name, getattr(sums, name) + int(value))

    def take(self, other: "Totals") -> None:
        """Add the sums of others."""
        for direction, sums in (("outbound", other.outbound), ("inbound", other.inbound)):
            self.add(direction, [getattr(sums, name) for name in COLUMNS])


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that may be counted, as the list to choose from says it. `amount` means microcredits."""

    name: str
    label: str
    value: Callable[[Totals], int]
    amount: bool = False

    @property
    def short(self) -> str:
        """The label where it is plain that messages are counted."""
        return self.label.removeprefix("Messages ").capitalize()


def _both(column: str) -> Callable[[Totals], int]:
    """Return what sums a column over both directions."""
    return lambda totals: int(getattr(totals.outbound, column)) + int(getattr(totals.inbound, column))


FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure("credits_used", "Credits used", lambda totals: totals.used_uc, amount=True),
        Figure("messages_sent", "Messages sent", lambda totals: totals.outbound.sent_count),
        Figure("segments_sent", "Segments sent", lambda totals: totals.outbound.sent_segment_count),
        Figure("messages_received", "Messages received", lambda totals: totals.inbound.accepted_count),
        Figure("segments_received", "Segments received", lambda totals: totals.inbound.accepted_segment_count),
        Figure("submitted", "Messages submitted", lambda totals: totals.outbound.accepted_count),
        Figure("segments_submitted", "Segments submitted", lambda totals: totals.outbound.accepted_segment_count),
        Figure("delivered", "Delivered", lambda totals: totals.outbound.delivered_count),
        Figure("segments_delivered", "Segments delivered", lambda totals: totals.outbound.delivered_segment_count),
        Figure("failed", "Not delivered", lambda totals: totals.outbound.failed_count),
        Figure("undeliverable", "Undeliverable", lambda totals: totals.outbound.undeliverable_count),
        Figure("rejected", "Rejected", lambda totals: totals.outbound.rejected_count),
        Figure("expired", "Expired", lambda totals: totals.outbound.expired_count),
        Figure("cancelled", "Cancelled", lambda totals: totals.outbound.cancelled_count),
        Figure("in_doubt", "In doubt", lambda totals: totals.outbound.in_doubt_count),
        Figure("credits_charged", "Credits charged", _both("charged_uc"), amount=True),
        Figure("credits_settled", "Credits settled", _both("settled_uc"), amount=True),
        Figure("credits_released", "Credits released", _both("released_uc"), amount=True),
        Figure("credits_refunded", "Credits refunded", _both("refunded_uc"), amount=True),
    )
}
"""By their names in addresses and on the command line; the first is the default."""


def quarter_of(moment: datetime) -> int:
    """Return the quarter of an hour in which a moment lies."""
    return int(moment.timestamp()) // QUARTER_S


def start_of(quarter: int) -> datetime:
    """Return when a quarter of an hour began."""
    return datetime.fromtimestamp(quarter * QUARTER_S, UTC)

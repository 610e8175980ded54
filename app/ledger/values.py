"""What the ledger is asked and what it answers: kinds of transfers, charges, and their ends. Units: microcredits."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.limits import Reached

FUNDING = "funding"
REVENUE = "revenue"
OWN, SHARED = "own", "shared"
"""How an account stands to the one above: it buys its credit there, or its messages debit both."""

CHARGE_PHASE, END_PHASE, REFUND_PHASE = 0, 1, 2


class Kind(StrEnum):
    """What a transfer is."""

    TOP_UP = "top_up"
    CORRECT = "correct"
    CHARGE = "charge"
    SETTLE = "settle"
    RELEASE = "release"
    REFUND = "refund"
    #: A route with a negative Cost pays the user for an incoming message.
    PAY = "pay"
    #: Credit that an account gives to one below it, or takes back.
    ALLOT = "allot"


class NotPossible(Exception):
    """The movement would break a rule of the ledger; the text says which."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A wish to reserve `amount_uc` of an account for a message of `segment_count` segments; 0 reserves nothing and is counted.

    `above` are the accounts above that pay too, the nearest first, each with its own amount.
    """

    account_id: int
    message_id: int
    amount_uc: int
    segment_count: int = 0
    above: tuple[tuple[int, int], ...] = ()

    def legs(self) -> tuple[tuple[int, int], ...]:
        """Return (account, amount) by level."""
        return ((self.account_id, self.amount_uc), *self.above)


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a charge was not granted: the account at `level` has reached a period limit, or has no credit where `reached` is None."""

    level: int
    reached: Reached | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How the charge of a message ends: `settled_uc` of `amount_uc` is taken, the rest is given back; 0 releases it all.

    `returned_count` segments, accepted at `accepted_at`, count no longer towards the limits of the account.
    """

    account_id: int
    message_id: int
    amount_uc: int
    settled_uc: int
    reason: str
    level: int = 0
    accepted_at: datetime | None = None
    returned_count: int = 0


@dataclass(frozen=True, slots=True)
class Refund:
    """A settled charge that is given back; `returned_count` and `accepted_at` as in `Ending`."""

    account_id: int
    message_id: int
    amount_uc: int
    reason: str
    level: int = 0
    accepted_at: datetime | None = None
    returned_count: int = 0

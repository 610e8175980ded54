"""The ledger: every movement of credit is a row that never changes. Units: microcredits, whole numbers.

A charge is pending until it ends once, by settle or release; a settled charge may be refunded once. The unique index over
`(message_id, level, phase)` is the judge: who comes second finds the place taken. Level 0 is the account of the message's user;
accounts above it that pay for the message too have the levels behind, and everything about a message moves all of them together.
"""

from app.ledger.booking import allot, correct, set_available, top_up
from app.ledger.charging import charge, charges_above, take_inbound
from app.ledger.ending import end_charges, refund_charges
from app.ledger.rows import dated, lock_accounts, system_account
from app.ledger.values import (
    CHARGE_PHASE,
    END_PHASE,
    FUNDING,
    OWN,
    REFUND_PHASE,
    REVENUE,
    SHARED,
    Charge,
    Ending,
    Kind,
    Lack,
    NotPossible,
    Refund,
)
from pennywire.money import LARGEST_UC, MICRO, InvalidAmount, format_credits, parse_credits

# Amounts belong to the contract; the gateway's own modules know them by the ledger.
__all__ = [
    "CHARGE_PHASE",
    "END_PHASE",
    "FUNDING",
    "LARGEST_UC",
    "MICRO",
    "OWN",
    "REFUND_PHASE",
    "REVENUE",
    "SHARED",
    "Charge",
    "Ending",
    "InvalidAmount",
    "Kind",
    "Lack",
    "NotPossible",
    "Refund",
    "allot",
    "charge",
    "charges_above",
    "correct",
    "dated",
    "end_charges",
    "format_credits",
    "lock_accounts",
    "parse_credits",
    "refund_charges",
    "set_available",
    "system_account",
    "take_inbound",
    "top_up",
]

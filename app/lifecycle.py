"""The life of a message as tables: states, transitions, folders, and what each end does to the money.

Nobody sets a state with an `if`: a change goes through `TRANSITIONS`, a movement of money through `SETTLEMENT`.
"""

from dataclasses import dataclass, fields
from enum import IntEnum, StrEnum
from functools import cache

from pennywire import ReportState


class State(StrEnum):
    """States of a message, and of a segment. An inbound message is `delivered` once it is in the user's inbox."""

    #: Waits for its time.
    SCHEDULED = "scheduled"
    #: Waits for an operator, or for credit.
    HELD = "held"
    #: Waits for a link.
    QUEUED = "queued"
    #: Handed to a link; no answer yet.
    SENDING = "sending"
    #: The network took it.
    SENT = "sent"
    #: The handset has it.
    DELIVERED = "delivered"
    #: The network gave up.
    UNDELIVERABLE = "undeliverable"
    #: Its time was over before it was delivered.
    EXPIRED = "expired"
    #: The network, or the route, refused it.
    REJECTED = "rejected"
    #: Bytes left and no answer came.
    IN_DOUBT = "in_doubt"
    #: Taken back before it was sent.
    CANCELLED = "cancelled"


class Folder(IntEnum):
    """Folders of a user, as operators know them."""

    INBOX = 1
    OUTBOX = 2
    SENT = 3
    NOT_SENT = 4
    SCHEDULED = 5
    DELETED = 6


FINAL = frozenset({State.DELIVERED, State.UNDELIVERABLE, State.EXPIRED, State.REJECTED, State.CANCELLED})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.SCHEDULED: frozenset({State.QUEUED, State.CANCELLED, State.EXPIRED}),
    State.HELD: frozenset({State.QUEUED, State.DELIVERED, State.CANCELLED, State.EXPIRED, State.REJECTED}),
    # SENT: the late answer to an attempt that was in doubt, come before the resend left.
    State.QUEUED: frozenset({State.SENDING, State.SENT, State.CANCELLED, State.EXPIRED, State.REJECTED}),
    State.SENDING: frozenset({State.QUEUED, State.SENT, State.DELIVERED, State.REJECTED, State.IN_DOUBT, State.EXPIRED}),
    # SENDING: one of several segments in doubt is sent once more, or was refused for the moment.
    State.IN_DOUBT: frozenset(
        {State.QUEUED, State.SENDING, State.SENT, State.DELIVERED, State.UNDELIVERABLE, State.EXPIRED, State.REJECTED}
    ),
    State.SENT: frozenset({State.DELIVERED, State.UNDELIVERABLE, State.EXPIRED, State.REJECTED}),
    State.DELIVERED: frozenset(),
    State.UNDELIVERABLE: frozenset(),
    State.EXPIRED: frozenset(),
    State.REJECTED: frozenset(),
    State.CANCELLED: frozenset(),
}

FOLDER_OF: dict[State, Folder] = {
    State.SCHEDULED: Folder.SCHEDULED,
    State.HELD: Folder.OUTBOX,
    State.QUEUED: Folder.OUTBOX,
    State.SENDING: Folder.OUTBOX,
    State.IN_DOUBT: Folder.OUTBOX,
    State.SENT: Folder.SENT,
    State.DELIVERED: Folder.SENT,
    State.UNDELIVERABLE: Folder.NOT_SENT,
    State.EXPIRED: Folder.NOT_SENT,
    State.REJECTED: Folder.NOT_SENT,
    State.CANCELLED: Folder.NOT_SENT,
}
"""Folder of an outbound message by its state; inbound messages live in the inbox."""

STATE_OF_REPORT: dict[ReportState, State | None] = {
    ReportState.ENROUTE: None,
    ReportState.ACCEPTED: None,
    ReportState.UNKNOWN: None,
    ReportState.DELIVERED: State.DELIVERED,
    ReportState.UNDELIVERABLE: State.UNDELIVERABLE,
    ReportState.EXPIRED: State.EXPIRED,
    ReportState.DELETED: State.UNDELIVERABLE,
    ReportState.REJECTED: State.REJECTED,
}
"""State that a report asks for; None for intermediate and unknown states, which are never final (trap D5)."""


class IllegalTransition(Exception):
    """A message was asked to go where its state does not lead; the table `TRANSITIONS` says where it does."""


def advance(state: State, target: State) -> State:
    """Return `target` if the table allows it. Raises: IllegalTransition."""
    if target not in TRANSITIONS[state]:
        raise IllegalTransition(f"A message that is {state} cannot become {target}.")
    return target


def may_advance(state: State, target: State) -> bool:
    """Say whether the table allows `target` next."""
    return target in TRANSITIONS[state]


def joint_state(states: list[State]) -> State:
    """Return the state of a message from those of its segments.

    What is still to be decided comes first; after that one failed segment fails the message, since the handset cannot join
    it (trap S15). A message that waits in part and has left in part is being sent.
    """
    present = set(states)
    for state in _JOINT_ORDER:
        if state in present:
            return State.SENDING if state is State.QUEUED and len(present) > 1 else state
    raise AssertionError("A message has at least one segment.")


_JOINT_ORDER = (
    State.SCHEDULED,
    State.HELD,
    State.SENDING,
    State.QUEUED,
    State.IN_DOUBT,
    State.REJECTED,
    State.UNDELIVERABLE,
    State.EXPIRED,
    State.CANCELLED,
    State.SENT,
    State.DELIVERED,
)


class ChargeOn(StrEnum):
    """When a charge is settled."""

    #: The network accepted it.
    NETWORK = "network"
    #: The handset has it.
    HANDSET = "handset"


class Remedy(StrEnum):
    """What becomes of the money of a message that did not arrive."""

    KEEP = "keep"
    REFUND = "refund"


class NoCredit(StrEnum):
    """What an inbound charge without credit does."""

    DELIVER = "deliver"
    HOLD = "hold"
    REFUSE = "refuse"


class ProviderChoice(StrEnum):
    """How a route chooses among its service providers."""

    #: The first of its list that is started; the others stand in.
    ORDER = "order"
    #: The cheapest, of equally cheap ones the one that delivers best.
    LEAST_COST = "least_cost"


class NegativeMargin(StrEnum):
    """What a route does with a message that is sold for less than its provider charges."""

    IGNORE = "ignore"
    #: Accept it, and say so in its events and in the log.
    ALARM = "alarm"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Terms:
    """The charge rule of a route, frozen with the message. `in_doubt` refund means release at the deadline."""

    charge_on: ChargeOn = ChargeOn.NETWORK
    undeliverable: Remedy = Remedy.KEEP
    expired: Remedy = Remedy.KEEP
    report_missing: Remedy = Remedy.KEEP
    in_doubt: Remedy = Remedy.REFUND

    def code(self) -> str:
        """Return the terms as five letters, as they are stored with a message."""
        return _code(self)

    @classmethod
    def of_code(cls, code: str) -> "Terms":
        """Read what `code` wrote."""
        return _TERMS[code]


@cache
def _code(terms: Terms) -> str:
    return "".join(getattr(terms, field.name)[0] for field in fields(terms))


_TERMS: dict[str, Terms] = {
    terms.code(): terms
    for terms in (
        Terms(charge_on, undeliverable, expired, missing, in_doubt)
        for charge_on in ChargeOn
        for undeliverable in Remedy
        for expired in Remedy
        for missing in Remedy
        for in_doubt in Remedy
    )
}


class End(StrEnum):
    """Ways in which the money of a message may be decided."""

    NETWORK = "network"
    HANDSET = "handset"
    REFUSED = "refused"
    UNDELIVERABLE = "undeliverable"
    EXPIRED = "expired"
    REPORT_MISSING = "report_missing"
    DOUBT_OVER = "doubt_over"
    WITHDRAWN = "withdrawn"


class Movement(StrEnum):
    """What an end does. `settle` takes the accepted segments, `release` gives a pending charge back, `refund` a settled one."""

    NONE = "none"
    SETTLE = "settle"
    RELEASE = "release"
    REFUND = "refund"


_BY_REMEDY: dict[ChargeOn, dict[Remedy, Movement]] = {
    ChargeOn.NETWORK: {Remedy.KEEP: Movement.NONE, Remedy.REFUND: Movement.REFUND},
    ChargeOn.HANDSET: {Remedy.KEEP: Movement.SETTLE, Remedy.REFUND: Movement.RELEASE},
}

_AT_ONCE: dict[End, dict[ChargeOn, Movement]] = {
    End.NETWORK: {ChargeOn.NETWORK: Movement.SETTLE, ChargeOn.HANDSET: Movement.NONE},
    End.HANDSET: {ChargeOn.NETWORK: Movement.NONE, ChargeOn.HANDSET: Movement.SETTLE},
    End.REFUSED: {ChargeOn.NETWORK: Movement.RELEASE, ChargeOn.HANDSET: Movement.RELEASE},
    End.WITHDRAWN: {ChargeOn.NETWORK: Movement.RELEASE, ChargeOn.HANDSET: Movement.RELEASE},
}


def movement(terms: Terms, end: End) -> Movement:
    """Return what `end` does to the money under `terms`; a charge that is not pending or settled any more is left alone."""
    if end in _AT_ONCE:
        return _AT_ONCE[end][terms.charge_on]
    if end is End.DOUBT_OVER:
        return Movement.RELEASE if terms.in_doubt is Remedy.REFUND else Movement.SETTLE
    return _BY_REMEDY[terms.charge_on][getattr(terms, end.value)]

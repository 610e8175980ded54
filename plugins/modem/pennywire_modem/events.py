"""What a session tells its transport."""

from dataclasses import dataclass

from pennywire import Incoming, LinkDown, Outcome, OutcomeUnknown, Report, Submission


@dataclass(frozen=True, slots=True)
class Up:
    """The modem can send."""


@dataclass(frozen=True, slots=True)
class Down:
    """The modem cannot send, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over. `blocked`: opening again would not help before somebody acts."""

    reason: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The network answered for a submission."""

    submission: Submission
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Failed:
    """A submission got no answer."""

    submission: Submission
    error: LinkDown | OutcomeUnknown


@dataclass(frozen=True, slots=True)
class Received:
    """A report or an incoming segment: store it, then call `stored` or `not_stored` with its handle."""

    handle: int
    value: Report | Incoming


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the connection's events."""

    line: str


@dataclass(frozen=True, slots=True)
class PinDue:
    """The SIM card asks for its PIN: note that it is tried, then call `pin_claimed`."""

    card: str


@dataclass(frozen=True, slots=True)
class CardOpen:
    """The SIM card asks for no PIN, or no longer."""

    card: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The modem was asked how it is doing."""


Event = Up | Down | Ended | Answered | Failed | Received | Note | PinDue | CardOpen | Checked

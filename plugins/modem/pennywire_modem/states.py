"""The states of a session with a modem, as a table, and the ladder that brings a silent modem back. No I/O."""

from enum import Enum, auto
from typing import Final, NamedTuple


class State(Enum):
    """Where a session stands."""

    PREPARING = auto()
    REGISTERING = auto()
    READY = auto()
    #: The modem owes an answer: the reset ladder is climbed.
    RECOVERING = auto()
    #: It answers again; what it still has to say to older commands is let pass.
    SETTLING = auto()
    ENDED = auto()


class Turn(Enum):
    """What moves a session on."""

    PREPARED = auto()
    REGISTERED = auto()
    UNREGISTERED = auto()
    SILENT = auto()
    ANSWERED = auto()
    SETTLED = auto()
    END = auto()


TURNS: Final[dict[tuple[State, Turn], State]] = {
    (State.PREPARING, Turn.PREPARED): State.REGISTERING,
    (State.PREPARING, Turn.SILENT): State.RECOVERING,
    (State.PREPARING, Turn.END): State.ENDED,
    (State.REGISTERING, Turn.REGISTERED): State.READY,
    (State.REGISTERING, Turn.SILENT): State.RECOVERING,
    (State.REGISTERING, Turn.END): State.ENDED,
    (State.READY, Turn.UNREGISTERED): State.REGISTERING,
    (State.READY, Turn.SILENT): State.RECOVERING,
    (State.READY, Turn.END): State.ENDED,
    (State.RECOVERING, Turn.ANSWERED): State.SETTLING,
    (State.RECOVERING, Turn.SILENT): State.RECOVERING,
    (State.RECOVERING, Turn.END): State.ENDED,
    (State.SETTLING, Turn.SETTLED): State.PREPARING,
    (State.SETTLING, Turn.END): State.ENDED,
}


class Rung(NamedTuple):
    """One step of the reset ladder. `share` is its time, as a share of what a command gets."""

    command: str
    escape: bool
    words: str
    share: float
    #: The modem starts anew: the link is opened again when it is done.
    restarts: bool = False


#: Each rung disturbs more than the one before. A session that becomes ready begins at the first again.
LADDER: Final = (
    Rung("AT", escape=False, words="asking once more", share=0.5),
    Rung("AT", escape=True, words="leaving an open prompt", share=0.5),
    Rung("ATZ", escape=True, words="resetting its settings", share=0.5),
    Rung("AT+CFUN=1,1", escape=True, words="restarting it", share=1.5, restarts=True),
)

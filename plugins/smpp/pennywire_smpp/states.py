"""The states of an SMPP session, and what may be said in them: tables only. Source: SMPP v3.4 §2."""

from enum import StrEnum
from typing import NamedTuple

from pennywire_smpp.pdu import Command


class Role(StrEnum):
    """Which end of the session we are."""

    ESME = "esme"
    SMSC = "smsc"


class State(StrEnum):
    """Where a session stands. Source: SMPP v3.4 §2.2."""

    OPEN = "open"
    BINDING_TX = "binding_tx"
    BINDING_RX = "binding_rx"
    BINDING_TRX = "binding_trx"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"
    CLOSED = "closed"


BOUND = frozenset({State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX})

_TO_SMSC = (Command.SUBMIT_SM, Command.SUBMIT_MULTI, Command.QUERY_SM, Command.CANCEL_SM, Command.REPLACE_SM, Command.DATA_SM)
_TO_ESME = (Command.DELIVER_SM, Command.DATA_SM, Command.ALERT_NOTIFICATION)
_ANY_TIME = (Command.ENQUIRE_LINK,)


def _stay(state: State, *commands: Command) -> dict[int, State]:
    """Return the requests that a bound end may issue: these leave the state as it is, unbind does not."""
    return {**dict.fromkeys((*commands, *_ANY_TIME), state), Command.UNBIND: State.UNBINDING}


_NOTHING_BOUND: dict[State, dict[int, State]] = {
    state: dict.fromkeys(_ANY_TIME, state) for state in (State.BINDING_TX, State.BINDING_RX, State.BINDING_TRX, State.UNBINDING)
}

#: Which requests an end may issue in which state, and the state that follows. Source: SMPP v3.4 §2.3, table 2-1. data_sm on a
#: receiver bind is allowed in both directions there; no ESME of ours does it.
MAY_ISSUE: dict[Role, dict[State, dict[int, State]]] = {
    Role.ESME: {
        State.OPEN: {
            Command.BIND_TRANSMITTER: State.BINDING_TX,
            Command.BIND_RECEIVER: State.BINDING_RX,
            Command.BIND_TRANSCEIVER: State.BINDING_TRX,
            Command.ENQUIRE_LINK: State.OPEN,
        },
        State.BOUND_TX: _stay(State.BOUND_TX, *_TO_SMSC),
        State.BOUND_RX: _stay(State.BOUND_RX, Command.DATA_SM),
        State.BOUND_TRX: _stay(State.BOUND_TRX, *_TO_SMSC),
        State.CLOSED: {},
        **_NOTHING_BOUND,
    },
    Role.SMSC: {
        State.OPEN: {Command.OUTBIND: State.OPEN, Command.ENQUIRE_LINK: State.OPEN},
        State.BOUND_TX: _stay(State.BOUND_TX, Command.DATA_SM),
        State.BOUND_RX: _stay(State.BOUND_RX, *_TO_ESME),
        State.BOUND_TRX: _stay(State.BOUND_TRX, *_TO_ESME),
        State.CLOSED: {},
        **_NOTHING_BOUND,
    },
}


class Turn(NamedTuple):
    """Where an answer leads."""

    accepted: State
    refused: State


#: The states that wait for an answer.
AFTER_ANSWER: dict[State, Turn] = {
    State.BINDING_TX: Turn(State.BOUND_TX, State.OPEN),
    State.BINDING_RX: Turn(State.BOUND_RX, State.OPEN),
    State.BINDING_TRX: Turn(State.BOUND_TRX, State.OPEN),
    State.UNBINDING: Turn(State.CLOSED, State.CLOSED),
}

BINDS = frozenset({Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER})
TURNING = BINDS | {Command.UNBIND}
#: Requests that nobody answers. Source: SMPP v3.4 §4.1.7, §4.12.
UNANSWERED = frozenset({Command.OUTBIND, Command.ALERT_NOTIFICATION})

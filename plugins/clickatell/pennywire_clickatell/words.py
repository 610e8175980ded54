"""What Clickatell's numbers mean: errors of both APIs with what to do about them, and states of messages.

Sources: One API, *Errors table* and *Message status table* (docs.clickatell.com); HTTP API Specification V2.4.6, appendices *Error
codes* and *Message status codes*.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from pennywire import ReportState


class Remedy(Enum):
    """What an error asks of us."""

    #: The same message would be refused again.
    GIVE_UP = "give up"
    #: This provider cannot take it; another may.
    ELSEWHERE = "elsewhere"
    #: Nothing was taken; the same may be sent again after a rest.
    LATER = "later"
    #: Nothing will be taken until somebody puts the account right: the link goes down, and its messages wait in the queue.
    ACCOUNT = "account"
    #: The session has ended; sign in again and send once more.
    SESSION = "session"
    #: Nobody knows whether it was taken.
    UNKNOWN = "unknown"


class Trouble(NamedTuple):
    """An error in words."""

    words: str
    remedy: Remedy = Remedy.GIVE_UP


PLATFORM_ERRORS: Final[Mapping[int, Trouble]] = {
    1: Trouble("the API key is invalid or missing", Remedy.ACCOUNT),
    2: Trouble("the account is not active", Remedy.ACCOUNT),
    3: Trouble("the integration is not active", Remedy.ACCOUNT),
    7: Trouble("the gateway's IP address is not approved in the account", Remedy.ACCOUNT),
    18: Trouble("internal error", Remedy.UNKNOWN),
    19: Trouble("internal error, to be tried again", Remedy.LATER),
    20: Trouble("the account's balance is too small", Remedy.ACCOUNT),
    21: Trouble("the request is malformed"),
    22: Trouble("too many messages in one call"),
    23: Trouble("a parameter is invalid or missing"),
    24: Trouble("the message is too long"),
    25: Trouble("the destination is invalid"),
    26: Trouble("the recipient opted out"),
    27: Trouble("the recipient is not available on the channel", Remedy.ELSEWHERE),
    28: Trouble("the recipient is not available in the sandbox", Remedy.ELSEWHERE),
    30: Trouble("the content type is not supported"),
    38: Trouble("the channel is not active on the integration", Remedy.ACCOUNT),
    39: Trouble("the channel is not available on the integration", Remedy.ACCOUNT),
    40: Trouble("the character set is not supported"),
    41: Trouble("the address of the API does not exist there", Remedy.ACCOUNT),
    42: Trouble("the address of the API is not called this way", Remedy.ACCOUNT),
    43: Trouble("rate limit", Remedy.LATER),
    44: Trouble("the source is suspended", Remedy.ELSEWHERE),
    45: Trouble("the source does not belong to the integration", Remedy.ELSEWHERE),
    46: Trouble("the demonstration access has expired", Remedy.ACCOUNT),
    100: Trouble("the message has too many segments"),
    101: Trouble("the destination does not support two-way messages", Remedy.ELSEWHERE),
    110: Trouble("the USA need a two-way integration", Remedy.ELSEWHERE),
    111: Trouble("the USA need STOP and SUBSCRIBE commands on the integration", Remedy.ELSEWHERE),
}

LEGACY_ERRORS: Final[Mapping[int, Trouble]] = {
    1: Trouble("authentication failed", Remedy.ACCOUNT),
    2: Trouble("the user or password is wrong", Remedy.ACCOUNT),
    3: Trouble("the session has expired", Remedy.SESSION),
    4: Trouble("the account is frozen", Remedy.ACCOUNT),
    5: Trouble("the session id is missing", Remedy.SESSION),
    7: Trouble("the gateway's IP address is locked out of the account", Remedy.ACCOUNT),
    101: Trouble("a parameter is invalid or missing"),
    102: Trouble("the user data header is invalid"),
    103: Trouble("the API message id is not known"),
    104: Trouble("the client message id is not known"),
    105: Trouble("the destination is invalid"),
    106: Trouble("the source is invalid", Remedy.ELSEWHERE),
    107: Trouble("the message is empty"),
    108: Trouble("the API id is invalid or missing", Remedy.ACCOUNT),
    109: Trouble("the message id is missing"),
    111: Trouble("the protocol is invalid"),
    112: Trouble("the message type is invalid"),
    113: Trouble("the message has too many segments"),
    114: Trouble("the message cannot be routed", Remedy.ELSEWHERE),
    115: Trouble("the message has expired"),
    116: Trouble("the Unicode data is invalid"),
    120: Trouble("the delivery time is invalid"),
    121: Trouble("the destination is blocked"),
    122: Trouble("the destination opted out"),
    123: Trouble("the sender id is invalid", Remedy.ELSEWHERE),
    128: Trouble("the number is delisted"),
    130: Trouble("the account's limit of messages is reached", Remedy.ACCOUNT),
    301: Trouble("no credit is left", Remedy.ACCOUNT),
    302: Trouble("the account's credit limit is reached", Remedy.ACCOUNT),
    901: Trouble("internal error, to be tried again", Remedy.LATER),
}

#: A number that no table has refuses this message here, and says nothing about other providers.
STRANGE: Final = Trouble("an error that is not documented", Remedy.ELSEWHERE)

PLATFORM_STATES: Final[Mapping[int, ReportState]] = {
    2: ReportState.ACCEPTED,
    3: ReportState.ACCEPTED,
    4: ReportState.ENROUTE,
    5: ReportState.DELIVERED,
    6: ReportState.DELIVERED,
    20: ReportState.EXPIRED,
    21: ReportState.DELETED,
    22: ReportState.DELETED,
    23: ReportState.UNDELIVERABLE,
    25: ReportState.REJECTED,
    26: ReportState.REJECTED,
    27: ReportState.REJECTED,
    28: ReportState.REJECTED,
    29: ReportState.UNDELIVERABLE,
    100: ReportState.UNDELIVERABLE,
}

LEGACY_STATES: Final[Mapping[int, ReportState]] = {
    2: ReportState.ENROUTE,
    3: ReportState.ENROUTE,
    4: ReportState.DELIVERED,
    5: ReportState.UNDELIVERABLE,
    6: ReportState.DELETED,
    7: ReportState.UNDELIVERABLE,
    8: ReportState.ACCEPTED,
    9: ReportState.UNDELIVERABLE,
    10: ReportState.EXPIRED,
    11: ReportState.ENROUTE,
    12: ReportState.REJECTED,
    14: ReportState.REJECTED,
}


def state_of(states: Mapping[int, ReportState], code: int) -> ReportState:
    """Return what a status code says; one that no table has is never final (trap D5)."""
    return states.get(code, ReportState.UNKNOWN)

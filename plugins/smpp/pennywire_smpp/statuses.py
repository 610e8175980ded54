"""command_status: what the peer says with it and what we do about it. Source: SMPP v3.4 §5.1.3."""

from enum import StrEnum
from typing import NamedTuple


class Policy(StrEnum):
    """What a refused submission means for us."""

    #: The same submission would be refused again.
    PERMANENT = "permanent"
    #: It may pass later, or with another provider.
    TEMPORARY = "temporary"
    #: Nothing was refused; the peer asks for patience (trap S1).
    THROTTLE = "throttle"
    #: As THROTTLE, for a time that the operator has set.
    PAUSE = "pause"


class Status(NamedTuple):
    """One command_status in words."""

    name: str
    words: str
    policy: Policy = Policy.PERMANENT


ESME_ROK = 0x00
ESME_RINVMSGLEN = 0x01
ESME_RINVCMDLEN = 0x02
ESME_RINVCMDID = 0x03
ESME_RINVBNDSTS = 0x04
ESME_RALYBND = 0x05
ESME_RSYSERR = 0x08
ESME_RINVDSTADR = 0x0B
ESME_RINVMSGID = 0x0C
ESME_RBINDFAIL = 0x0D
ESME_RINVPASWD = 0x0E
ESME_RINVSYSID = 0x0F
ESME_RCANCELFAIL = 0x11
ESME_RMSGQFUL = 0x14
ESME_RTHROTTLED = 0x58
ESME_RX_T_APPN = 0x64
ESME_RX_P_APPN = 0x65
ESME_RQUERYFAIL = 0x67
ESME_RINVOPTPARSTREAM = 0xC0

_TEMPORARY, _THROTTLE = Policy.TEMPORARY, Policy.THROTTLE

STATUSES: dict[int, Status] = {
    0x00: Status("ESME_ROK", "no error", _TEMPORARY),
    0x01: Status("ESME_RINVMSGLEN", "the length of the message is invalid"),
    0x02: Status("ESME_RINVCMDLEN", "the length of the command is invalid"),
    0x03: Status("ESME_RINVCMDID", "the command is unknown"),
    0x04: Status("ESME_RINVBNDSTS", "this bind may not send this command", _TEMPORARY),
    0x05: Status("ESME_RALYBND", "already bound, too many binds for this account", _TEMPORARY),
    0x06: Status("ESME_RINVPRTFLG", "the priority is invalid"),
    0x07: Status("ESME_RINVREGDLVFLG", "registered_delivery is invalid"),
    0x08: Status("ESME_RSYSERR", "the peer has a system error", _TEMPORARY),
    0x0A: Status("ESME_RINVSRCADR", "the source address is invalid"),
    0x0B: Status("ESME_RINVDSTADR", "the destination address is invalid"),
    0x0C: Status("ESME_RINVMSGID", "the message id is unknown"),
    0x0D: Status("ESME_RBINDFAIL", "the bind failed", _TEMPORARY),
    0x0E: Status("ESME_RINVPASWD", "the password is wrong", _TEMPORARY),
    0x0F: Status("ESME_RINVSYSID", "the system_id is unknown", _TEMPORARY),
    0x11: Status("ESME_RCANCELFAIL", "the message could not be cancelled"),
    0x13: Status("ESME_RREPLACEFAIL", "the message could not be replaced"),
    0x14: Status("ESME_RMSGQFUL", "the queue of the peer is full", _THROTTLE),
    0x15: Status("ESME_RINVSERTYP", "the service_type is invalid"),
    0x33: Status("ESME_RINVNUMDESTS", "the number of destinations is invalid"),
    0x34: Status("ESME_RINVDLNAME", "the distribution list is unknown"),
    0x40: Status("ESME_RINVDESTFLAG", "the destination flag is invalid"),
    0x42: Status("ESME_RINVSUBREP", "replacing is not allowed with this command"),
    0x43: Status("ESME_RINVESMCLASS", "the esm_class is invalid"),
    0x44: Status("ESME_RCNTSUBDL", "the distribution list cannot be used"),
    0x45: Status("ESME_RSUBMITFAIL", "the peer could not accept the message", _TEMPORARY),
    0x48: Status("ESME_RINVSRCTON", "the TON of the source is invalid"),
    0x49: Status("ESME_RINVSRCNPI", "the NPI of the source is invalid"),
    0x50: Status("ESME_RINVDSTTON", "the TON of the destination is invalid"),
    0x51: Status("ESME_RINVDSTNPI", "the NPI of the destination is invalid"),
    0x53: Status("ESME_RINVSYSTYP", "the system_type is invalid"),
    0x54: Status("ESME_RINVREPFLAG", "replace_if_present is invalid"),
    0x55: Status("ESME_RINVNUMMSGS", "the number of messages is invalid"),
    0x58: Status("ESME_RTHROTTLED", "the allowed rate is exceeded", _THROTTLE),
    0x61: Status("ESME_RINVSCHED", "the scheduled time is invalid"),
    0x62: Status("ESME_RINVEXPIRY", "the validity period is invalid"),
    0x63: Status("ESME_RINVDFTMSGID", "the predefined message is unknown"),
    0x64: Status("ESME_RX_T_APPN", "the receiver has a temporary error", _TEMPORARY),
    0x65: Status("ESME_RX_P_APPN", "the receiver has a permanent error"),
    0x66: Status("ESME_RX_R_APPN", "the receiver rejected the message"),
    0x67: Status("ESME_RQUERYFAIL", "the query failed"),
    0xC0: Status("ESME_RINVOPTPARSTREAM", "the optional parameters are malformed"),
    0xC1: Status("ESME_ROPTPARNOTALLWD", "an optional parameter is not allowed"),
    0xC2: Status("ESME_RINVPARLEN", "the length of an optional parameter is invalid"),
    0xC3: Status("ESME_RMISSINGOPTPARAM", "an expected optional parameter is missing"),
    0xC4: Status("ESME_RINVOPTPARAMVAL", "the value of an optional parameter is invalid"),
    0xFE: Status("ESME_RDELIVERYFAILURE", "the delivery failed"),
    0xFF: Status("ESME_RUNKNOWNERR", "the peer has an unknown error", _TEMPORARY),
}

#: Refused binds after which a quick new try could lock the account out (trap S6).
BIND_REFUSALS = frozenset({ESME_RALYBND, ESME_RBINDFAIL, ESME_RINVPASWD, ESME_RINVSYSID})

_VENDOR = Status("an error of its own", "see the operator's list of errors", Policy.TEMPORARY)


def find_status(code: int) -> Status:
    """Return what a command_status means. Codes of vendors (0x400 and up) and reserved ones count as temporary."""
    return STATUSES.get(code, _VENDOR)


def status_code(code: int) -> str:
    """Return a command_status as operators write it: `0x0000000B`."""
    return f"0x{code:08X}"


def describe_status(code: int) -> str:
    """Return a command_status in words for the operator: `ESME_RINVPASWD (0x0000000E): the password is wrong`."""
    status = find_status(code)
    return f"{status.name} ({status_code(code)}): {status.words}"

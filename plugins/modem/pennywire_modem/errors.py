"""What +CMS ERROR and +CME ERROR mean, in words, and what follows for the message. No I/O.

Source: 3GPP TS 27.005 §3.2.5; TS 27.007 §9.2; TS 24.011 annex E.
"""

import re
from enum import Enum, auto
from typing import Final, NamedTuple


class Fate(Enum):
    """What an error of AT+CMGS means for the message."""

    #: The same message would be refused anywhere.
    PERMANENT = auto()
    #: The network or the SIM refuses it now; another provider may take it.
    TEMPORARY = auto()
    #: The network asks for patience.
    THROTTLE = auto()
    #: The modem could not try: the message goes back to the queue and the modem is looked after.
    UNTRIED = auto()
    #: Nobody knows whether the network has it.
    IN_DOUBT = auto()


class Failure(NamedTuple):
    """An error as a modem tells it. `code` is what the operator finds in the manual, such as `CMS 38`."""

    code: str
    words: str
    fate: Fate


_P, _T, _W, _U, _D = Fate.PERMANENT, Fate.TEMPORARY, Fate.THROTTLE, Fate.UNTRIED, Fate.IN_DOUBT

_CMS: Final[dict[int, tuple[str, Fate]]] = {
    1: ("the number does not exist", _P),
    8: ("the operator bars this SIM card from sending", _P),
    10: ("the SIM card is barred from short messages", _P),
    21: ("the network refused the message", _P),
    27: ("the destination is out of service", _P),
    28: ("the subscriber is unknown", _P),
    29: ("the service was rejected by the network", _P),
    30: ("the subscriber is unknown to the network", _P),
    38: ("the network is out of order", _T),
    41: ("the network failed temporarily", _T),
    42: ("the network is congested", _W),
    47: ("the network has no resources left", _W),
    50: ("the SIM card is not subscribed to short messages", _P),
    69: ("the network does not offer this service", _P),
    81: ("the message reference is not valid", _T),
    95: ("the network calls the message invalid", _P),
    96: ("the network misses a mandatory element", _P),
    97: ("the network does not know this kind of message", _P),
    98: ("the message does not fit the state of the network", _T),
    99: ("the network does not know an element of the message", _P),
    111: ("the network reports a protocol error", _T),
    127: ("the network cannot interwork", _T),
    128: ("telematic interworking is not supported", _P),
    129: ("this kind of short message is not supported", _P),
    130: ("the short message cannot be replaced", _P),
    145: ("the alphabet is not supported", _P),
    146: ("the message class is not supported", _P),
    176: ("the TPDU is not supported", _P),
    192: ("the service centre is busy", _W),
    193: ("the service centre has no subscription for this SIM card", _P),
    194: ("the service centre failed", _T),
    195: ("the destination address is not valid", _P),
    196: ("the destination is barred", _P),
    197: ("a short message with the same reference was rejected", _P),
    208: ("the SIM card's storage is full", _T),
    300: ("the modem failed", _U),
    301: ("the modem's SMS service is reserved", _U),
    302: ("the modem does not allow this now", _U),
    303: ("the modem does not support this", _P),
    304: ("the modem calls the PDU invalid", _P),
    305: ("the modem calls a parameter invalid", _P),
    310: ("no SIM card is inserted", _U),
    311: ("the SIM card asks for its PIN", _U),
    312: ("the modem asks for its phone-to-SIM code", _U),
    313: ("the SIM card failed", _U),
    314: ("the SIM card is busy", _U),
    315: ("the SIM card is of the wrong kind", _U),
    316: ("the SIM card asks for its PUK", _U),
    317: ("the SIM card asks for its PIN2", _U),
    318: ("the SIM card asks for its PUK2", _U),
    320: ("the modem's memory failed", _U),
    321: ("the place in the modem's memory is empty or does not exist", _U),
    322: ("the modem's memory is full", _U),
    330: ("the address of the service centre is unknown; set it in the connection", _U),
    331: ("there is no network", _U),
    332: ("the network did not answer in time", _D),
    340: ("the modem expected no acknowledgement", _U),
    500: ("the modem gives no reason", _T),
    512: ("the modem aborted the message", _T),
}

_CME: Final[dict[int, tuple[str, Fate]]] = {
    0: ("the modem failed", _U),
    1: ("the modem has no connection to its phone part", _U),
    3: ("the modem does not allow this now", _U),
    4: ("the modem does not support this", _P),
    10: ("no SIM card is inserted", _U),
    11: ("the SIM card asks for its PIN", _U),
    12: ("the SIM card asks for its PUK", _U),
    13: ("the SIM card failed", _U),
    14: ("the SIM card is busy", _U),
    15: ("the SIM card is of the wrong kind", _U),
    16: ("the PIN is wrong", _U),
    17: ("the SIM card asks for its PIN2", _U),
    20: ("the memory is full", _U),
    21: ("the index is not valid", _U),
    23: ("the memory failed", _U),
    30: ("there is no network", _U),
    31: ("the network did not answer in time", _D),
    32: ("the network allows emergency calls only", _U),
    100: ("the modem gives no reason", _T),
}

_ERROR = re.compile(r"\+(CM[SE]) ERROR:\s*(.*)")
_TABLES: Final = {"CMS": _CMS, "CME": _CME}


def read_failure(line: str) -> Failure:
    """Return what a final result other than OK says. Numbers without an entry, and plain ERROR, count as temporary."""
    found = _ERROR.fullmatch(line)
    if found is None:
        return Failure(line[:20], "the modem refused the command without a reason", Fate.TEMPORARY)
    kind, rest = found.group(1), found.group(2).strip()
    if not rest.isdecimal() or len(rest) > 5:
        return Failure(kind, f"the modem says: {rest[:80]}", Fate.TEMPORARY)
    words, fate = _TABLES[kind].get(int(rest), ("an error that no standard names; see the modem's manual", Fate.TEMPORARY))
    return Failure(f"{kind} {int(rest)}", words, fate)

"""The AT codec: octets from a modem become lines and prompts, and lines are told apart. No I/O.

Source: 3GPP TS 27.007 §4 (ITU-T V.250 §5.7), TS 27.005 §3.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

#: No answer has longer lines; a PDU takes 2 × 176 characters at most. What is longer is noise.
MAX_LINE_OCTETS: Final = 4096


class Kind(Enum):
    """What a line is to the command that runs."""

    #: The command is over.
    FINAL = auto()
    #: Nobody asked for it.
    UNSOLICITED = auto()
    #: Unsolicited, and the next line is its PDU.
    UNSOLICITED_PDU = auto()
    #: Anything else: an answer where a command runs, and noise where none does.
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its ends."""

    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """`> `: the modem waits for the PDU. It has no line end."""


_FINAL = re.compile(r"OK|ERROR|\+CM[SE] ERROR:.*|NO CARRIER|BUSY|NO ANSWER|NO DIALTONE|COMMAND NOT SUPPORT|TOO MANY PARAMETERS")
#: +CREG and its kin answer a query too; there they have two figures or more, and unsolicited ones begin with one. `session` knows.
_UNSOLICITED = re.compile(
    r"\+CMTI:.*|\+CDSI:.*|\+CUSD:.*|RING|\+CRING:.*|\+CLIP:.*|\^[A-Z]+:.*|\+CIEV:.*|\+CBM:.*|\+PBREADY|Call Ready|SMS Ready|RDY"
)
_UNSOLICITED_PDU = re.compile(r"\+CMT:.*|\+CDS:.*")
_PDU = re.compile(r"(?:[0-9A-Fa-f]{2}){8,400}").fullmatch


def kind_of(text: str) -> Kind:
    """Tell what a line is."""
    if _FINAL.fullmatch(text):
        return Kind.FINAL
    if _UNSOLICITED_PDU.fullmatch(text):
        return Kind.UNSOLICITED_PDU
    return Kind.UNSOLICITED if _UNSOLICITED.fullmatch(text) else Kind.OTHER


def is_pdu(text: str) -> bool:
    """Say whether a line can be a PDU in hexadecimal."""
    return _PDU(text) is not None


class Splitter:
    """Cuts a stream of octets into lines and prompts, whatever pieces they come in. Octets that are no ASCII become U+FFFD."""

    def __init__(self) -> None:
        self._rest = b""
        #: Set while the modem owes a prompt: only then `>` at the beginning of a line is one.
        self.prompt_due = False

    def feed(self, octets: bytes) -> list[Line | Prompt]:
        """Take octets and return what is complete."""
        found: list[Line | Prompt] = []
        self._rest += octets
        while True:
            self._rest = self._rest.lstrip(b"\r\n\x00")
            if self.prompt_due and self._rest.startswith(b">"):
                self.prompt_due = False
                self._rest = self._rest[1:].lstrip(b" ")
                found.append(Prompt())
                continue
            end = next((place for place, octet in enumerate(self._rest) if octet in b"\r\n"), None)
            if end is None:
                break
            text = self._rest[:end].decode("ascii", "replace").lstrip("> ").rstrip()
            self._rest = self._rest[end:]
            if text:
                found.append(Line(text))
        if len(self._rest) > MAX_LINE_OCTETS:
            self._rest = b""
        return found

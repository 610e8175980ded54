"""Answers of USSD services, such as the balance of a prepaid SIM card. No I/O. Source: 3GPP TS 27.007 §7.15."""

import re
from typing import Final

from pennywire import Alphabet
from pennywire.sms import dcs

_LONGEST: Final = 182
_ANSWER = re.compile(r'\+CUSD:\s*([0-9])(?:,"(.*)"(?:,([0-9]+))?)?')
_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{4})+").fullmatch
#: 0x11 announces UCS-2 behind a language; 0x48 is what SMSCs send. Source: 3GPP TS 23.038 §5.
_UCS2_CODINGS: Final = frozenset({0x11, 0x48})


def read(line: str) -> str:
    """Return the text of a +CUSD line in one line of at most 182 characters, or what the network said instead."""
    found = _ANSWER.match(line)
    if found is None or found[2] is None:
        return "no text came"
    text, coding = found[2], int(found[3] or 15)
    wide = coding in _UCS2_CODINGS or (coding < 256 and dcs.read(coding).alphabet is Alphabet.UCS2)
    if wide and _HEXADECIMAL(text):
        text = bytes.fromhex(text).decode("utf-16-be", "replace")
    return " ".join(text.split())[:_LONGEST]

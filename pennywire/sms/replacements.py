"""Typographic characters that force a text out of GSM 7-bit, and what to write instead.

Nothing is replaced unless the customer asks for it: a text goes out as it came in.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from pennywire.sms.gsm0338 import first_unencodable

#: What stands for what. Only typography: a letter that GSM 7-bit lacks (`ç`, `ő`) is not exchanged for another one.
_INSTEAD: Final[dict[str, str]] = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043", "-"),
    **dict.fromkeys("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t", " "),
    **dict.fromkeys("\u2028\u2029\u0085\v", "\n"),
    # Invisible: soft hyphen, zero-width space, word joiner, byte-order mark, direction marks.
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff\u200e\u200f", ""),
    "\u2026": "...",
    "\u2022": "*",
    "\u00b7": ".",
    "\u2039": "<",
    "\u203a": ">",
    "\u2044": "/",
    "\u00d7": "x",
    "\u2016": "||",
    "\ufb01": "fi",
    "\ufb02": "fl",
}
#: A letter followed by combining marks is one character to the reader; composed it may be in GSM 7-bit.
_COMBINED: Final = "[^\\W\\d_][\u0300-\u036f]+"
_REPLACEABLE = re.compile(f"{_COMBINED}|[{re.escape(''.join(_INSTEAD))}]")
_CHARACTERS = re.compile(f"{_COMBINED}|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A character that GSM 7-bit lacks. `position` counts characters from 0; `replacement` is None where we know none."""

    position: int
    character: str
    replacement: str | None


def suggest_replacements(text: str) -> list[Replacement]:
    """Return the characters that GSM 7-bit lacks and that have a replacement within it, in their order."""
    found = [_replacement(match) for match in _REPLACEABLE.finditer(text)]
    return [replacement for replacement in found if replacement.replacement is not None]


def describe_forced(text: str) -> list[Replacement]:
    """Return every character that forces the text into UCS-2, in order, with a replacement where there is one."""
    return [_replacement(match) for match in _CHARACTERS.finditer(text) if first_unencodable(match[0])]


def simplify(text: str) -> str:
    """Replace typography so that the text fits GSM 7-bit; a text that would need UCS-2 all the same is returned unchanged."""
    simplified = _REPLACEABLE.sub(_simplified, text)
    return text if first_unencodable(simplified) else simplified


def _replacement(match: re.Match[str]) -> Replacement:
    return Replacement(match.start(), match[0], _instead(match[0]))


def _simplified(match: re.Match[str]) -> str:
    instead = _instead(match[0])
    return match[0] if instead is None else instead


def _instead(character: str) -> str | None:
    if character in _INSTEAD:
        return _INSTEAD[character]
    composed = unicodedata.normalize("NFC", character)
    return None if first_unencodable(composed) else composed

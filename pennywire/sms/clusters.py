"""Grapheme clusters, as far as cutting a text between segments needs them.

A cluster is what a reader takes for one character: a letter with its accents, an emoji with its skin tone, a family joined by
zero-width joiners, a flag. The rules are those of Unicode Standard Annex #29, with the classes taken from `unicodedata`; where
the two differ in rare characters, a cut is only less pretty, never wrong.
"""

import re
import unicodedata
from typing import Final

_JOINER: Final = "\u200d"
#: Canonical combining class of a virama, after which Indic scripts build a conjunct.
_VIRAMA_CLASS: Final = 9
_MARK_CATEGORIES: Final = frozenset({"Mn", "Me", "Mc"})
#: Characters that continue a cluster without being marks: joiners, vowel and final jamo, Thai and Lao vowels, halfwidth voice
#: marks, skin tones, tags.
_CONTINUING = re.compile("[\u200c\u200d\u1160-\u11ff\ud7b0-\ud7fb\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_FLAG_LETTERS: Final = ("\U0001f1e6", "\U0001f1ff")
#: Texts without any of these have clusters of one character each: Latin, Greek and Cyrillic letters, kana, CJK, plain emoji.
_SIMPLE = re.compile(
    "[\x00-\x0c\x0e-\u02ff\u0370-\u0482\u048a-\u058f\u1e00-\u1fff\u2010-\u20cf\u2100-\u2bff\u3001-\u3029\u3030-\u3098\u309b-\u9fff"
    "\uac00-\ud7a3\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff]*"
)


def simple(text: str) -> bool:
    """Say whether every character is certainly a cluster of its own, so that any cut is a good one. Fast, may say no."""
    return _SIMPLE.fullmatch(text) is not None


def continues(text: str, index: int) -> bool:
    """Say whether the character at `index` belongs to the cluster before it. `index` is 1 to the last; `text` starts a cluster."""
    before, character = text[index - 1], text[index]
    if before == "\r":
        return character == "\n"
    if before == _JOINER or _CONTINUING.match(character) or unicodedata.category(character) in _MARK_CATEGORIES:
        return True
    if _flag_letter(character) and _flag_letter(before):
        return _flag_letters_before(text, index) % 2 == 1
    return unicodedata.combining(before) == _VIRAMA_CLASS and unicodedata.category(character) == "Lo"


def _flag_letter(character: str) -> bool:
    return _FLAG_LETTERS[0] <= character <= _FLAG_LETTERS[1]


def _flag_letters_before(text: str, index: int) -> int:
    start = index
    while start and _flag_letter(text[start - 1]):
        start -= 1
    return index - start

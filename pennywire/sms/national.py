"""The tables of GSM 7-bit: default alphabet, extension, and the national language shift tables.

Source: 3GPP TS 23.038 V18.0.0 §6.2.1 and annex A. A table is a string of 128 characters, one per septet; `UNDEFINED` stands
where the standard leaves a place empty and where it puts a control that is not a character (the escape to a further table).

The tables for the languages of India differ only in the script: the free places of one layout take a Unicode block in order.
Two misprints of the standard are put right as handsets do: Kannada 0x24 (it repeats U+0CAA of 0x3D; U+0CA1 belongs there)
and Tamil single shift 0x24 (U+0BEE).
"""

from dataclasses import dataclass
from enum import IntEnum

ESCAPE = 0x1B
UNDEFINED = "\ufffd"


class Language(IntEnum):
    """National language identifiers. Source: 3GPP TS 23.038 §6.2.1.2.4."""

    DEFAULT = 0
    TURKISH = 1
    SPANISH = 2
    PORTUGUESE = 3
    BENGALI = 4
    GUJARATI = 5
    HINDI = 6
    KANNADA = 7
    MALAYALAM = 8
    ORIYA = 9
    PUNJABI = 10
    TAMIL = 11
    TELUGU = 12
    URDU = 13


#: The default alphabet; the escape stands at its own place.
DEFAULT_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)  # fmt: skip

#: The extension table: septet after the escape → character.
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

#: The layouts that Indic scripts and Urdu share; the free places, which take the script's characters in order, are marked `·`.
_LOCKING_LAYOUT = (
    "··········\n··\r··"
    "···········\x1b····"
    " !······)(··,·.·"
    "0123456789:;···?"
    "················"
    "················"
    "·abcdefghijklmno"
    "pqrstuvwxyz·····"
)  # fmt: skip
_SINGLE_LAYOUT = (
    "@£$¥¿\"¤%&'\f*+\ufffd-/"
    "<=>¡^¡_#*··\ufffd····"
    "········{}·····\\"
    "············[~]·"
    "|ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZ\ufffd\ufffd\ufffd\ufffd\ufffd"
    "\ufffd\ufffd\ufffd\ufffd\ufffd€"
).ljust(128, UNDEFINED)

#: In the specifications below, numbers of two digits are offsets in the script's Unicode block; others are code points.
_OFFSET_DIGITS = 2
#: What the free places of the locking layout take, as offsets in the script's Unicode block; the last six are the script's own.
_BLOCK_ORDER = "01-03 05-39 3C-4D"


@dataclass(frozen=True, slots=True)
class _Script:
    """One Indic script: `block` is the start of its Unicode block; the rest are offsets in hexadecimal, see `_expand`.

    `gaps` are the offsets of `_BLOCK_ORDER` that the table leaves empty, `tail` follows that order (`0x60`, `0x7B` to
    `0x7F`), `single` fills the single shift table; U+0964 and U+0965, the dandas, are written in full.
    """

    block: int
    gaps: str
    tail: str
    single: str


_SCRIPTS = {
    Language.BENGALI: _Script(0x0980, "0D 0E 11 12 29 31 33-35 45 46 49 4A", "4E 57 5C 5D 70 71", "66-6F 5F-63 72-7A"),
    Language.GUJARATI: _Script(0x0A80, "0E 12 29 31 34 46 4A", "50 60-63 71", "0964 0965 66-6F"),
    Language.HINDI: _Script(0x0900, "", "50 72 7B 7C 7E 7F", "0964 0965 66-6F 51-54 58-63 70 71"),
    Language.KANNADA: _Script(0x0C80, "01 0D 11 29 34 45 49", "55 56 60-63", "0964 0965 66-6F 5E 71 72"),
    Language.MALAYALAM: _Script(0x0D00, "01 0D 11 29 3C 45 49", "57 60-63 79", "0964 0965 66-75 7A-7F"),
    Language.ORIYA: _Script(0x0B00, "0D 0E 11 12 29 31 34 45 46 49 4A", "56 57 60-63", "0964 0965 66-6F 5C 5D 5F 70 71"),
    Language.PUNJABI: _Script(0x0A00, "0B-0E 11 12 29 31 34 37 3D 43-46 49 4A", "51 70-74", "0964 0965 66-6F 59-5C 5E 75"),
    Language.TAMIL: _Script(
        0x0B80, "01 0B-0D 11 16-18 1B 1D 20-22 25-27 2B-2D 3C 3D 43-45 49", "50 57 70-72 79", "0964 0965 66-6F 73-78 7A"
    ),
    Language.TELUGU: _Script(0x0C00, "0D 11 29 34 3C 45 49", "55 56 60-63", ". . 66-6F 58 59 78-7F"),
}

#: Arabic script, in the order of the free places. Source: 3GPP TS 23.038 §A.3.13 and §A.2.13.
_URDU_LOCKING = (
    "0627 0622 0628 067B 0680 067E 06A6 062A 06C2 067F 0679 067D 067A 067C 062B 062C 0681 0684 0683 0685 0686 0687 062D 062E"
    " 062F 068C 0688-068A 068F 068D 0630 0631 0691 0693 0699 0632 0696 0698 069A 0633 0634 0635-0639 0641 0642 06A9-06AB"
    " 06AF 06B3 06B1 0644-0646 06BA-06BC 0648 06C4 06D5 06C1 06BE 0621 06CC 06D0 06D2 064D 0650 064F 0657 0654 0655 0651 0653"
    " 0656 0670"
)
_URDU_SINGLE = "0600 0601 06F0-06F9 060C-0614 061B 061F 0640 0652 0658 066B 066C 0672 0673 06CD 06D4"

#: What the European locking tables change in the default alphabet. Source: 3GPP TS 23.038 §A.3.1 and §A.3.3.
_LOCKING_CHANGES = {
    Language.TURKISH: {
        0x04: "€", 0x07: "\u0131", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç",
    },
    Language.PORTUGUESE: {
        0x04: "ê", 0x06: "ú", 0x07: "í", 0x08: "ó", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á",
        0x12: "ª", 0x13: "Ç", 0x14: "À", 0x15: "∞", 0x16: "^", 0x17: "\\", 0x18: "€", 0x19: "Ó", 0x1A: "|",
        0x1C: "Â", 0x1D: "â", 0x1E: "Ê", 0x24: "º", 0x40: "Í", 0x5B: "Ã", 0x5C: "Õ", 0x5D: "Ú", 0x60: "~",
        0x7B: "ã", 0x7C: "õ", 0x7D: "`",
    },
}  # fmt: skip

#: What the European single shift tables add to the extension table. Source: 3GPP TS 23.038 §A.2.1 to §A.2.3.
_SINGLE_CHANGES = {
    Language.DEFAULT: {},
    Language.TURKISH: {0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "\u0131", 0x73: "ş"},
    Language.SPANISH: {
        0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú",
    },
    Language.PORTUGUESE: {
        0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "Φ", 0x13: "Γ", 0x15: "Ω", 0x16: "Π",
        0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê", 0x41: "À", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x5B: "Ã", 0x5C: "Õ",
        0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú", 0x7B: "ã", 0x7C: "õ", 0x7F: "â",
    },
}  # fmt: skip


def _expand(specification: str, block: int = 0) -> list[str]:
    """Return the characters of `0901 0905-0908 .`: hexadecimal, ranges inclusive, two digits counted from `block`, `.` empty."""
    characters: list[str] = []
    for word in specification.split():
        if word == ".":
            characters.append(UNDEFINED)
            continue
        first, _, last = word.partition("-")
        base = block if len(first) == _OFFSET_DIGITS else 0
        characters.extend(chr(base + point) for point in range(int(first, 16), int(last or first, 16) + 1))
    return characters


def _fill(layout: str, characters: list[str]) -> str:
    """Put the characters into the free places of the layout, in order; what is left free is undefined."""
    rest = iter(characters)
    return "".join(next(rest, UNDEFINED) if place == "·" else place for place in layout)


def _changed(table: str, changes: dict[int, str]) -> str:
    places = list(table)
    for septet, character in changes.items():
        places[septet] = character
    return "".join(places)


def _indic_locking(script: _Script) -> str:
    gaps = set(_expand(script.gaps, script.block))
    ordered = [UNDEFINED if character in gaps else character for character in _expand(_BLOCK_ORDER, script.block)]
    return _fill(_LOCKING_LAYOUT, ordered + _expand(script.tail, script.block))


_EXTENSION_TABLE = _changed(UNDEFINED * 128, _EXTENSION)

#: Locking shift tables, 128 characters each. Spanish has none.
LOCKING: dict[int, str] = {
    Language.DEFAULT: DEFAULT_ALPHABET,
    **{language: _changed(DEFAULT_ALPHABET, changes) for language, changes in _LOCKING_CHANGES.items()},
    **{language: _indic_locking(script) for language, script in _SCRIPTS.items()},
    Language.URDU: _fill(_LOCKING_LAYOUT, _expand(_URDU_LOCKING)),
}

#: Single shift tables, 128 characters each: what a septet after the escape means.
SINGLE: dict[int, str] = {
    **{language: _changed(_EXTENSION_TABLE, changes) for language, changes in _SINGLE_CHANGES.items()},
    **{language: _fill(_SINGLE_LAYOUT, _expand(script.single, script.block)) for language, script in _SCRIPTS.items()},
    Language.URDU: _fill(_SINGLE_LAYOUT, _expand(_URDU_SINGLE)),
}

"""Data coding: TP-DCS of the air interface and `data_coding` of SMPP, which share most values and differ below 0x10.

Source: 3GPP TS 23.038 §4; SMPP v3.4 §5.2.19.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from pennywire.values import Alphabet


class Indication(IntEnum):
    """What a message waiting indication is about. Source: 3GPP TS 23.038 §4."""

    VOICEMAIL = 0
    FAX = 1
    EMAIL = 2
    OTHER = 3


@dataclass(frozen=True, slots=True)
class Coding:
    """What a data coding says.

    `message_class` is 0 (shown at once, not stored: a flash message) to 3, or None. Compressed text cannot be read here, so its
    alphabet is BINARY. `indication` and `waiting` tell of messages waiting elsewhere; such a message may be a mere signal
    (`store` False). `codec` names Python's codec where SMPP allows an alphabet that is not one of ours: recode it to UTF-16BE.
    """

    alphabet: Alphabet
    message_class: int | None = None
    compressed: bool = False
    delete_after_reading: bool = False
    indication: Indication | None = None
    waiting: bool = False
    store: bool = True
    codec: str = ""


_COMPRESSED: Final = 0x20
_HAS_CLASS: Final = 0x10
_CLASS_BITS: Final = 0x03
_ACTIVE: Final = 0x08
_EIGHT_BIT: Final = 0x04
_AUTOMATIC_DELETION: Final = 0x40
_GENERAL_GROUPS: Final = range(0x8)
_GROUP_OF_CLASS: Final = 0xF
#: Bits 3 and 2 of the general groups. The reserved value means GSM 7-bit, as the standard asks.
_ALPHABETS: Final = (Alphabet.GSM7, Alphabet.BINARY, Alphabet.UCS2, Alphabet.GSM7)
#: The message waiting groups by their upper four bits: alphabet, and whether the message is to be stored.
_WAITING_GROUPS: Final = {0xC: (Alphabet.GSM7, False), 0xD: (Alphabet.GSM7, True), 0xE: (Alphabet.UCS2, True)}

#: Values of SMPP that TP-DCS reads otherwise. JIS, pictogram and extended Kanji (5, 9, 13) vary too much to be read as text.
_SMPP_CODINGS: Final = {
    1: Coding(Alphabet.LATIN1),
    2: Coding(Alphabet.BINARY),
    3: Coding(Alphabet.LATIN1),
    4: Coding(Alphabet.BINARY),
    5: Coding(Alphabet.BINARY),
    6: Coding(Alphabet.BINARY, codec="iso8859-5"),
    7: Coding(Alphabet.BINARY, codec="iso8859-8"),
    8: Coding(Alphabet.UCS2),
    9: Coding(Alphabet.BINARY),
    10: Coding(Alphabet.BINARY, codec="iso2022_jp"),
    13: Coding(Alphabet.BINARY),
    14: Coding(Alphabet.BINARY, codec="euc_kr"),
}

#: What we send: alphabet → data coding without a class, and with class 0. Latin-1 exists in SMPP only, and has no classes.
_SENT: Final[dict[Alphabet, tuple[int, int | None]]] = {
    Alphabet.GSM7: (0x00, 0x10),
    Alphabet.BINARY: (0x04, 0x14),
    Alphabet.UCS2: (0x08, 0x18),
    Alphabet.LATIN1: (0x03, None),
}


def read(dcs: int) -> Coding:
    """Read TP-DCS, 0 to 255. Reserved codings mean GSM 7-bit, as the standard asks. Source: 3GPP TS 23.038 §4."""
    group = dcs >> 4
    if group in _GENERAL_GROUPS:
        return _read_general(dcs)
    if group in _WAITING_GROUPS:
        alphabet, store = _WAITING_GROUPS[group]
        return Coding(alphabet, indication=Indication(dcs & _CLASS_BITS), waiting=bool(dcs & _ACTIVE), store=store)
    if group == _GROUP_OF_CLASS:
        return Coding(Alphabet.BINARY if dcs & _EIGHT_BIT else Alphabet.GSM7, dcs & _CLASS_BITS)
    return Coding(Alphabet.GSM7)


def _read_general(dcs: int) -> Coding:
    compressed = bool(dcs & _COMPRESSED)
    return Coding(
        alphabet=Alphabet.BINARY if compressed else _ALPHABETS[dcs >> 2 & 0x03],
        message_class=dcs & _CLASS_BITS if dcs & _HAS_CLASS else None,
        compressed=compressed,
        delete_after_reading=bool(dcs & _AUTOMATIC_DELETION),
    )


def read_smpp(data_coding: int, *, default: Alphabet = Alphabet.GSM7) -> Coding:
    """Read `data_coding` of SMPP, 0 to 255.

    `default` is what this SMSC means by its default alphabet (0); nobody but its operator knows. What SMPP v3.4 does not define
    below 0xC0 is read as TP-DCS, which SMSCs pass through. Source: SMPP v3.4 §5.2.19.
    """
    coding = _SMPP_CODINGS.get(data_coding) or read(data_coding)
    return replace(coding, alphabet=default) if coding.alphabet is Alphabet.GSM7 else coding


def write(alphabet: Alphabet, message_class: int | None = None) -> int:
    """Return the data coding of what we send; the same value serves TP-DCS and SMPP (Latin-1: SMPP only).

    Raises: ValueError for a class outside 0 to 3, or for Latin-1 with a class.
    """
    plain, with_class = _SENT[alphabet]
    if message_class is None:
        return plain
    if with_class is None:
        raise ValueError("Latin-1 text cannot carry a message class. Send it as GSM 7-bit or UCS-2, or without the class.")
    if not 0 <= message_class <= _CLASS_BITS:
        raise ValueError(f"Message class {message_class} does not exist; classes are 0 to 3.")
    return with_class | message_class

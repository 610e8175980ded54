"""Addresses: numbers as people type them, brought to the one form in which they are compared, routed and stored.

International numbers are E.164 with `+`, short codes stay as they are, alphanumeric senders have up to 11 characters.
These are rules of form; whether a number exists is not decided here. Source: ITU-T E.164 §6; 3GPP TS 23.040 §9.1.2.5.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Final

from pennywire.sms.gsm0338 import NotEncodable, septet_length

#: ITU-T E.164 §6.2 allows 15 digits; no country has numbers of fewer than 7 with its code.
MIN_DIGITS: Final = 7
MAX_DIGITS: Final = 15
SHORT_CODE_DIGITS: Final = range(3, 7)
#: An alphanumeric address holds 10 octets of packed septets. Source: 3GPP TS 23.040 §9.1.2.5.
ALPHANUMERIC_SEPTETS: Final = 11
#: Numbers that begin with the country code and have at least so many digits behind it are taken for international ones.
_NATIONAL_DIGITS: Final = 8
_MASK_HEAD: Final = 4
_MASK_TAIL: Final = 2


class InvalidAddress(ValueError):
    """The address cannot be used; `reason` tells what is wrong and what to do. It never repeats the address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AddressKind(StrEnum):
    """What an address is, as TON and NPI tell it to an SMSC. Source: SMPP v3.4 §5.2.5."""

    INTERNATIONAL = "international"
    NATIONAL = "national"
    SHORT = "short"
    ALPHANUMERIC = "alphanumeric"


_E164 = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_DIGITS = re.compile(r"[0-9]+").fullmatch
_SHORT_CODE = re.compile(r"[0-9]{3,6}").fullmatch
_NUMERIC = re.compile(r"\+?[0-9]+").fullmatch
#: What people put between digits: blanks, hyphens and dashes, dots, strokes, brackets; and the invisible marks that
#: address books paste along.
_SEPARATORS: Final = dict.fromkeys(
    map(ord, " \t\r\n\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
             "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212._/()[]\uff08\uff09"
             "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)  # fmt: skip
_PLUS_SIGNS: Final = dict.fromkeys(map(ord, "\uff0b\ufe62\u207a"), "+")
#: `+44 (0)20 …`: the national prefix in brackets is for callers at home only.
_BRACKETED_PREFIX = re.compile(r"(?<=[0-9])\s*\(0\)")


def normalise(raw: str, *, international_prefix: str = "00", country_code: str = "", national_prefix: str = "0") -> str:
    """Bring a destination to E.164 with `+`, or leave it as the short code that it is.

    Blanks, separators, brackets and the digits of any script are accepted. A leading blank before an international number is
    the `+` that a query string lost. `country_code` (digits) is the country of numbers without one; with "" a bare number of
    7 to 15 digits is taken for international. A number that begins with the country code and is at least 8 digits longer has it
    already. Prefixes may be empty, for countries that have none.
    Raises: InvalidAddress with the reason and the remedy.
    """
    if _E164(raw):
        return raw
    digits = _strip(raw)
    if not digits:
        raise InvalidAddress("The destination is empty. Give a number with its country code, such as +36201234567.")
    if digits[0] == "+":
        return _international(digits[1:])
    if not _DIGITS(digits):
        raise InvalidAddress(f"The destination contains {_stranger(digits)}, which no number has. Give digits only, with + in front.")
    if len(digits) in SHORT_CODE_DIGITS:
        return digits
    if international_prefix and digits.startswith(international_prefix):
        digits = digits.removeprefix(international_prefix)
    elif not _lost_its_plus(raw, digits):
        digits = _with_country(digits, country_code.removeprefix("+"), national_prefix)
    return _international(digits)


def source(raw: str) -> str:
    """Check a sender and return it as it is stored: E.164, digits, or alphanumeric. A blank one stays empty: the route names one.

    Numeric: 1 to 15 digits, with a `+` 7 to 15; separators are left out, and a leading blank before an international number is
    the `+` that a query string lost. Alphanumeric: up to 11 septets of GSM 7-bit with at least one letter.
    Raises: InvalidAddress with the reason and the remedy.
    """
    text = raw.strip()
    if not text or _E164(text):
        return text
    digits = _strip(text)
    if not _NUMERIC(digits):
        return _alphanumeric(text)
    if digits[0] == "+":
        return _international(digits[1:], what="sender")
    if len(digits) > MAX_DIGITS:
        raise InvalidAddress(f"The sender has {len(digits)} digits; at most {MAX_DIGITS} are allowed. Shorten it.")
    return "+" + digits if _lost_its_plus(raw, digits) else digits


def kind(address: str) -> AddressKind:
    """Return the kind of an address in the form that `normalise` and `source` return."""
    if address.startswith("+"):
        return AddressKind.INTERNATIONAL
    if not _DIGITS(address):
        return AddressKind.ALPHANUMERIC
    return AddressKind.SHORT if len(address) < SHORT_CODE_DIGITS.stop else AddressKind.NATIONAL


def mask(address: str) -> str:
    """Return the address as logs may show it: the first 4 digits and the last 2. Short codes and names say nothing of a person."""
    head = _MASK_HEAD + address.startswith("+")
    if len(address) <= head + _MASK_TAIL or (len(address) <= ALPHANUMERIC_SEPTETS and kind(address) is AddressKind.ALPHANUMERIC):
        return address
    return address[:head] + "*" * (len(address) - head - _MASK_TAIL) + address[-_MASK_TAIL:]


def _strip(raw: str) -> str:
    """Leave out what stands between digits, and write the digits of any script in ASCII."""
    text = raw
    if not text.isascii():
        text = "".join([str(unicodedata.decimal(character)) if character.isdecimal() else character for character in text])
        text = text.translate(_PLUS_SIGNS)
    return _BRACKETED_PREFIX.sub("", text).translate(_SEPARATORS)


def _lost_its_plus(raw: str, digits: str) -> bool:
    """Say whether a leading blank was the `+` of an unquoted query string: only where an international number follows."""
    return raw[0].isspace() and digits[0] != "0" and MIN_DIGITS <= len(digits) <= MAX_DIGITS


def _with_country(digits: str, country_code: str, national_prefix: str) -> str:
    """Return a number without international prefix as country code and national number."""
    if not country_code or (digits.startswith(country_code) and len(digits) >= len(country_code) + _NATIONAL_DIGITS):
        return digits
    return country_code + digits.removeprefix(national_prefix)


def _international(digits: str, *, what: str = "destination") -> str:
    if not _DIGITS(digits):
        problem = f"contains {_stranger(digits)}, which no number has" if digits else "has no digits"
        raise InvalidAddress(f"The {what} {problem}. Give a number with its country code, such as +36201234567.")
    if digits[0] == "0":
        raise InvalidAddress(
            f"The {what} begins with 0 where its country code should be, and no country is set for such numbers."
            " Give it with + and the country code."
        )
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        raise InvalidAddress(
            f"The {what} has {len(digits)} digits with its country code; there must be {MIN_DIGITS} to {MAX_DIGITS}. Check for missing"
            " or repeated digits."
        )
    return "+" + digits


def _alphanumeric(text: str) -> str:
    try:
        size_septets = septet_length(text)
    except NotEncodable as error:
        raise InvalidAddress(
            f"The sender contains {_named(error.character)}, which GSM 7-bit lacks. Use plain letters, digits and spaces."
        ) from None
    if size_septets > ALPHANUMERIC_SEPTETS:
        raise InvalidAddress(
            f"The sender takes {size_septets} characters; at most {ALPHANUMERIC_SEPTETS} are allowed with letters,"
            f" {MAX_DIGITS} digits without. Shorten it."
        )
    if not text.isprintable():
        raise InvalidAddress("The sender contains a line break or another control character. Remove it.")
    if not any(map(str.isalpha, text)):
        raise InvalidAddress("The sender has neither a letter nor only digits. Give a number, or a name with at least one letter.")
    return text


def _stranger(text: str) -> str:
    """Name the first character that is not a digit."""
    return _named(next(character for character in text if character not in "0123456789"))


def _named(character: str) -> str:
    return f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"

"""How people in a country dial, so that numbers as they type them find their international form.

Source: ITU-T E.164 §6 and the national plans, as the package phonenumbers keeps them.
"""

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

USUAL_INTERNATIONAL_PREFIX = "00"
"""ITU-T Recommendation E.164 asks for it; a country with another, or with several, is an exception."""

_UNKNOWN_REGION = "ZZ"

LONGEST_CALLING_CODE = 3
"""Source: ITU-T E.164 §6.2.1."""

SHOWN_LENGTH = 5
"""Characters of a number that logs and statements keep: the plus and four digits."""


@dataclass(frozen=True, slots=True)
class Dialling:
    """What is dialled before a number: to another country, and within the country (empty where nothing is)."""

    international_prefix: str = USUAL_INTERNATIONAL_PREFIX
    national_prefix: str = "0"


@lru_cache(maxsize=256)
def dialling(country_code: str) -> Dialling:
    """Return the prefixes of the country with that calling code (digits); those of most countries where it is not known."""
    region = phonenumbers.region_code_for_country_code(int(country_code)) if country_code.isdecimal() else _UNKNOWN_REGION
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return Dialling()
    international = metadata.international_prefix or ""
    return Dialling(international if international.isdecimal() else USUAL_INTERNATIONAL_PREFIX, metadata.national_prefix or "")


def calling_code(address: str) -> str:
    """Return the country's calling code of an international number, or of its beginning; empty where it has none."""
    if not address.startswith("+"):
        return ""
    digits = address[1 : 1 + LONGEST_CALLING_CODE]
    return next((digits[:size] for size in range(1, len(digits) + 1) if _is_calling_code(digits[:size])), "")


@lru_cache(maxsize=2048)
def _is_calling_code(digits: str) -> bool:
    return digits.isdecimal() and int(digits) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE


def shortened(address: str) -> str:
    """Return an address as it may stand in what is handed around: a number keeps its beginning, country and operator."""
    return address[:SHOWN_LENGTH] + "***" if address.startswith("+") and len(address) > SHOWN_LENGTH + 2 else address

"""Amounts: whole microcredits inside, exact decimal text outside. No float comes near them."""

import re
from functools import lru_cache

MICRO = 1_000_000
"""Microcredits in a credit."""

LARGEST_UC = 10**15
"""Largest single amount: a thousand million credits. Sums of a million such amounts still fit 63 bits."""

_AMOUNT = re.compile(r"([+-]?)([0-9]{1,12})(?:\.([0-9]{1,6}))?", re.ASCII)


class InvalidAmount(ValueError):
    """The text is not an amount of credits; the message says why and what is right."""


def parse_credits(text: object) -> int:
    """Read an amount of credits such as `12`, `-0.5` or `3.141592` into microcredits.

    Only decimal text and whole numbers: a float has already lost what it was. Raises: InvalidAmount.
    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise InvalidAmount("An amount must be a whole number or a text such as 12.50.")
    match = _AMOUNT.fullmatch(str(text).strip())
    if match is None:
        raise InvalidAmount(f"{str(text)[:40]!r} is not an amount. Write digits with at most 6 decimals after a point, such as 12.50.")
    sign, whole, decimals = match.groups()
    amount_uc = int(whole) * MICRO + int((decimals or "").ljust(6, "0"))
    if amount_uc > LARGEST_UC:
        raise InvalidAmount("The amount is larger than 1,000,000,000 credits.")
    return -amount_uc if sign == "-" else amount_uc


@lru_cache(maxsize=4096)
def format_credits(amount_uc: int) -> str:
    """Return an amount as exact decimal text, without needless zeros: `12.5`, `-0.000001`, `3`."""
    whole, micro = divmod(abs(amount_uc), MICRO)
    decimals = f".{micro:06d}".rstrip("0") if micro else ""
    return f"{'-' if amount_uc < 0 else ''}{whole}{decimals}"

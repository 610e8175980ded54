"""Key-value storage: small values that a plugin keeps for itself or for one of its connections, without tables of its own.

A value is what JSON can hold and give back unchanged: texts, whole numbers, decimals, booleans, lists, and dictionaries with texts as
keys. What is kept goes with `pennywire plugins remove-data`, and what belongs to a connection also when that is deleted.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

MOST_VALUES: Final = 1_000
"""How many values a plugin may keep for itself, and as many again for each connection."""

LONGEST_VALUE_OCTETS: Final = 32_768
"""Length of a value as JSON in UTF-8."""

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}", re.ASCII)


class CannotKeep(ValueError):
    """A key or a value is none that can be kept; the text says which, why and what would be right. Nothing was written."""


class KeyValues(Protocol):
    """What a plugin keeps under keys, as a running connector reaches it. Each connection has its own; so has the plugin."""

    async def read(self, prefix: str = "") -> dict[str, Any]:
        """Return the values whose keys begin with `prefix`. Raises: CannotStore while the database is away."""
        ...

    async def write(self, changes: Mapping[str, Any]) -> None:
        """Write values under their keys, all or nothing; None removes one. Returns when they are durable.

        Raises: CannotKeep for what the limits refuse; CannotStore while the database is away: write it again later.
        """
        ...


def encode_changes(changes: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the values of `changes` as JSON, None for one that is removed. Raises: CannotKeep."""
    return {_checked(key): None if value is None else _encode(key, value) for key, value in changes.items()}


def check_room(count: int) -> None:
    """Refuse more values than one plugin or connection may keep. Raises: CannotKeep."""
    if count > MOST_VALUES:
        raise CannotKeep(f"There would be {count:,} values; {MOST_VALUES:,} may be kept. Remove some, or have tables of your own.")


def _checked(key: str) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise CannotKeep(f"{key!r:.120} cannot be a key: 1 to 100 letters, digits and ._:/- of ASCII, a letter or digit first.")
    return key


def _encode(key: str, value: Any) -> str:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        length_octets = len(text.encode())
        is_same = json.loads(text) == value
    except (TypeError, ValueError, RecursionError) as error:
        raise CannotKeep(f"The value of {key} cannot be kept as JSON: {error}. Use texts, numbers, lists, dictionaries.") from None
    if not is_same:
        raise CannotKeep(f"The value of {key} would come back changed: JSON has lists for tuples, and texts as keys. Keep it in that form.")
    if length_octets > LONGEST_VALUE_OCTETS:
        raise CannotKeep(
            f"The value of {key} has {length_octets:,} octets as JSON; at most {LONGEST_VALUE_OCTETS:,} can be kept. "
            "Spread it over several keys, or have tables of your own."
        )
    return text

"""Rows whose order decides: a form moves one up, down, or to the place where it was dropped."""

from collections.abc import Sequence


def asked_place(ids: Sequence[int], row_id: int, word: str) -> int | None:
    """Return the place, from 0, that a form asks for: `up`, `down`, or a place from 1. None where the row is to stay.

    `ids` are those of all rows in their order; places beyond the ends are the ends.
    """
    present = ids.index(row_id)
    named = word.isascii() and word.isdigit() and len(word) < 10
    place = int(word) - 1 if named else present + {"up": -1, "down": 1}.get(word, 0)
    place = max(0, min(place, len(ids) - 1))
    return None if place == present else place

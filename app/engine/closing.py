"""The duty of closing months: when a month is over by an account's clock, and the grace is too, its statement is made."""

from app import closing
from app.core import Core

EVERY_S = 60.0
AT_ONCE = 20
"""Accounts of one turn: the lease is prolonged between turns."""


class MonthCloser:
    """Closes the months of all accounts, some in each turn."""

    name = "closing"

    def __init__(self, core: Core) -> None:
        self._core = core
        self._behind = 0
        self._counted: closing.Counted = {}

    def turn(self) -> float:
        """Close what is due of the next accounts. An account whose ledger does not add up does not keep the others waiting."""
        grace = closing.grace(self._core.snapshots.present().options)
        if grace is None:
            return EVERY_S
        done = closing.close_due(
            self._core.database, now=self._core.clock(), grace=grace, after_id=self._behind, limit=AT_ONCE, counted=self._counted
        )
        ended = done.count < AT_ONCE
        self._behind = 0 if ended else done.last_id
        if ended:
            self._counted.clear()
        if done.problems:
            raise closing.DoesNotAddUp(" ".join(done.problems))
        return EVERY_S if ended else 0.0

"""The duty of counting: follows the journal and keeps the sums that pages and reports show."""

import time

from app import statistics
from app.core import Core
from app.engine.duties import rest_of

EVERY_S = 1.0
"""How long it waits between two batches: the longer, the fewer rows are written again and again."""

AT_ONCE = 5_000
"""Events counted in a turn: a turn of a backlog must not make messages wait."""


class Statistician:
    """Counts for all engines. Should two do it at a time, the cursor lets only one of them."""

    name = "statistics"

    def __init__(self, core: Core) -> None:
        self._core = core

    def turn(self) -> float:
        """Count what has happened since the last turn, and of a long backlog a part."""
        began = time.monotonic()
        counted = statistics.count_next(self._core.database, now=self._core.clock(), limit=AT_ONCE)
        return rest_of(time.monotonic() - began) if counted == AT_ONCE else EVERY_S

"""The duty of adding up what was sold and bought; it rests for as long as nobody has told any buy price."""

import time

from app.core import Core
from app.engine.duties import rest_of
from app.statistics import margins

EVERY_S = 2.0
REST_S = 10.0
AT_ONCE = 5_000


class MarginKeeper:
    """Counts for all engines. Should two do it at a time, the cursor lets only one of them."""

    name = "margins"

    def __init__(self, core: Core) -> None:
        self._core = core

    def turn(self) -> float:
        """Count what has happened since the last turn, and of a long backlog a part."""
        if not self._core.snapshots.present().supply.priced:
            return REST_S
        began = time.monotonic()
        counted = margins.count_next(self._core.database, now=self._core.clock(), limit=AT_ONCE)
        return rest_of(time.monotonic() - began) if counted == AT_ONCE else EVERY_S

"""The duty of collecting what applications are told."""

from datetime import datetime, timedelta

from app import deliveries
from app.core import Core

IDLE_S = 0.2
FORGET_EVERY = timedelta(hours=1)


class Collector:
    """Collects for all engines. Should two do it at a time, the lock on the cursor lets only one of them."""

    name = "deliveries"

    def __init__(self, core: Core) -> None:
        self._core = core
        self._forgot_at: datetime | None = None

    def turn(self) -> float:
        """Queue what has happened since the last turn."""
        now = self._core.clock()
        if self._forgot_at is None or self._forgot_at < now - FORGET_EVERY:
            self._forgot_at = now
            self._core.database.run(lambda session: deliveries.forget_old(session, now=now))
        with self._core.database.read() as session:
            if not deliveries.behind(session):
                return IDLE_S
        collected = self._core.database.run(lambda session: deliveries.collect(session, now=now))
        return 0.0 if collected == deliveries.BATCH else IDLE_S

"""The engine's side of key-value storage: what a running connector reads and keeps, by the database worker."""

from collections.abc import Mapping
from typing import Any

from app import keeping
from app.db import Unavailable
from app.engine.batches import Transaction
from app.engine.writer import Writer
from app.outbox import LeaseLost, check_lease
from app.snapshot import ConnectionView
from pennywire import CannotStore


class LinkValues:
    """What a plugin keeps for one connection, or with `connection_id` 0 for itself. Implements `pennywire.KeyValues`.

    Only who holds the connection's lease writes: an engine that lost it must not overwrite what its successor remembers.
    """

    def __init__(self, writer: Writer, view: ConnectionView, token: int, plugin: str, *, connection_id: int) -> None:
        self._writer, self._view, self._token = writer, view, token
        self._plugin, self._connection_id = plugin, connection_id

    async def read(self, prefix: str = "") -> dict[str, Any]:
        """Return the values whose keys begin with `prefix`. Raises: CannotStore."""
        try:
            return await self._writer.do(lambda transaction: keeping.read(transaction.session, self._plugin, self._connection_id, prefix))
        except Unavailable as error:
            raise CannotStore(str(error)) from error

    async def write(self, changes: Mapping[str, Any]) -> None:
        """Write values and return when they are durable. Raises: CannotKeep, CannotStore."""
        kept = dict(changes)

        def work(transaction: Transaction) -> None:
            check_lease(transaction.session, self._view.id, self._token)
            keeping.write(transaction.session, self._plugin, kept, self._connection_id)

        try:
            await self._writer.do(work)
        except Unavailable as error:
            raise CannotStore(str(error)) from error
        except LeaseLost as error:
            raise CannotStore(f"Another engine holds the connection {self._view.name} now; it keeps what is to be remembered.") from error

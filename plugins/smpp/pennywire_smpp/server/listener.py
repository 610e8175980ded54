"""The ports on which customers bind: one listener for all accounts of a process, there while any account is."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from pennywire_smpp.server.account import Account
from pennywire_smpp.server.peer import Peer
from pennywire_smpp.server.settings import ListenerSettings
from pennywire_smpp.session import Session
from pennywire_smpp.states import Role
from pennywire_smpp.transport import Wire, listen

#: Threads in which accounts wait for the database: each has one batch at a time.
THREAD_COUNT: Final = 16
#: Connections that are not bound; more are closed at once.
MAX_STRANGERS: Final = 200
#: Units: seconds.
_BIND_TIMEOUT_S: Final = 15.0
_RESPONSE_TIMEOUT_S: Final = 30.0
_ENQUIRE_EVERY_S: Final = 60.0
#: The account's window bounds what is in flight; the session needs a number that is never smaller.
_SESSION_WINDOW: Final = 5_000


class Listener:
    """Listens for customers, and finds the account of each."""

    def __init__(self, settings: ListenerSettings) -> None:
        self.settings = settings
        self.accounts: dict[str, Account] = {}
        self.ports: list[int] = []
        self.threads = ThreadPoolExecutor(THREAD_COUNT, thread_name_prefix="smpp-server")
        self._servers: list[asyncio.Server] = []
        self._peers: set[Peer] = set()

    async def open(self) -> None:
        """Listen. Raises: OSError where a port is taken, InvalidSetting for a certificate that cannot be read."""
        settings = self.settings
        try:
            if settings.port:
                await self._listen(settings.port, None)
            if settings.tls_port:
                await self._listen(settings.tls_port, settings.tls())
        except BaseException:
            self.close()
            raise

    async def _listen(self, port: int, tls: ssl.SSLContext | None) -> None:
        make_peer = partial(self._make_peer, tls=tls is not None)
        server = await listen(self.settings.host, port, _make_session, make_peer, tls=tls)
        self._servers.append(server)
        self.ports.append(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening, and cut who is left."""
        for server in self._servers:
            server.close()
        for peer in list(self._peers):
            peer.wire.abort("The server was stopped.")
        self.threads.shutdown(wait=False)

    def _make_peer(self, wire: Wire, *, tls: bool) -> Peer:
        self._peers = {peer for peer in self._peers if peer.wire.connected}
        peer = Peer(wire, self.accounts.get, tls=tls)
        self._peers.add(peer)
        if sum(one.account is None for one in self._peers) > MAX_STRANGERS:
            wire.abort("There are too many connections that are not bound.")
        return peer


def _make_session(now: float) -> Session:
    return Session(
        Role.SMSC,
        now=now,
        window=_SESSION_WINDOW,
        response_timeout_s=_RESPONSE_TIMEOUT_S,
        enquire_link_interval_s=_ENQUIRE_EVERY_S,
        init_timeout_s=_BIND_TIMEOUT_S,
    )


class _Shared:
    """A listener with the number of those who use it."""

    def __init__(self, settings: ListenerSettings) -> None:
        self.listener = Listener(settings)
        self.user_count = 0
        self.opening = asyncio.get_running_loop().create_task(self.listener.open())


_shared: dict[tuple[asyncio.AbstractEventLoop, ListenerSettings], _Shared] = {}
"""The listeners of this process: the applications of all users share one."""


@asynccontextmanager
async def shared_listener(settings: ListenerSettings) -> AsyncIterator[Listener]:
    """Use the listener with these settings, which is opened for the first user and closed after the last.

    Raises: OSError, InvalidSetting.
    """
    key = asyncio.get_running_loop(), settings
    if key not in _shared:
        _shared[key] = _Shared(settings)
    shared = _shared[key]
    shared.user_count += 1
    try:
        await asyncio.shield(shared.opening)
        yield shared.listener
    finally:
        shared.user_count -= 1
        if not shared.user_count:
            _shared.pop(key, None)
            shared.opening.cancel()
            shared.listener.close()

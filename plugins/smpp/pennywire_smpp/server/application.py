"""The application kind `smpp`: one user's binds, for as long as the engine runs it."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from pennywire import Application, Gateway, Setting
from pennywire_smpp.server.settings import ACCOUNT, read_account, read_listener

#: How long binds may take to answer our unbind. Units: seconds.
_LEAVE_S = 1.0


class SmppServer(Application):
    """Lets a user bind by SMPP."""

    kind: ClassVar[str] = "smpp"
    label: ClassVar[str] = "SMPP"
    description: ClassVar[str] = "The user's programs bind to this gateway by SMPP v3.4; the system_id is the user name."
    settings: ClassVar[tuple[Setting, ...]] = ACCOUNT

    def __init__(self, username: str, values: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        super().__init__(username, values, shared)
        self._account = read_account(values)
        self._listener = read_listener(shared)

    async def run(self, gateway: Gateway) -> None:
        """Serve the user's binds until cancelled. Raises: OSError where the port is taken."""
        # The command line and the pages know this kind without what it stands on.
        from pennywire_smpp.server.account import Account  # noqa: PLC0415
        from pennywire_smpp.server.listener import shared_listener  # noqa: PLC0415

        async with shared_listener(self._listener) as listener:
            account = Account(self.username, self._account, gateway, listener.threads)
            listener.accounts[self.username] = account
            try:
                await account.call(lambda: gateway.up(f"Listens on port {' and '.join(map(str, listener.ports))}."))
                await account.serve()
            finally:
                del listener.accounts[self.username]
                account.close("The application was stopped.")
                with suppress(TimeoutError):
                    await asyncio.wait_for(account.empty(), _LEAVE_S)

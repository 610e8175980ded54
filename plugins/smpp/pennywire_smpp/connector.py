"""The connector: one or several binds, and one flow of work to them."""

import asyncio
import ssl
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final

from pennywire import Connector, Link, LinkDown, LinkStopped, Setting, Submission
from pennywire_smpp.bind import Bind, Mode
from pennywire_smpp.pacing import Throttle
from pennywire_smpp.settings import SETTINGS, SmppSettings, read_smpp_settings
from pennywire_smpp.tls import make_context

_MODES: Final[dict[str, tuple[Mode, ...]]] = {
    "transceiver": (Mode.TRANSCEIVER,),
    "transmitter": (Mode.TRANSMITTER,),
    "receiver": (Mode.RECEIVER,),
    "pair": (Mode.TRANSMITTER, Mode.RECEIVER),
}
#: Units: seconds. How long the end of `take` may lag behind the stop of the link.
_LAST_TAKE_S: Final = 5.0


class SmppConnector(Connector):
    """An SMPP v3.4 client (ESME)."""

    kind: ClassVar[str] = "smpp"
    label: ClassVar[str] = "SMPP client"
    description: ClassVar[str] = "Connects to an operator's SMSC by SMPP 3.4, with a window, delivery reports and incoming messages."
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        """Raises: InvalidSetting for settings that contradict each other."""
        super().__init__(name, values)
        self._settings = read_smpp_settings(values)
        self.whole_messages = self._settings.long_messages == "message_payload"

    async def run(self, link: Link) -> None:
        try:
            tls = make_context(self._settings)
        except (ssl.SSLError, ValueError) as error:
            link.down(f"The TLS settings cannot be used: {error}. Correct the certificates and start the connection again.")
            await link.stopped()
            return
        async with asyncio.TaskGroup() as group:
            await _Flow(self._settings, link, tls, group).run()


class _Flow:
    """One run of a connection: takes work for all binds and gives it to the one with the most room."""

    def __init__(self, settings: SmppSettings, link: Link, tls: ssl.SSLContext | None, group: asyncio.TaskGroup) -> None:
        self.settings = settings
        self.link = link
        self.tls = tls
        self._group = group
        self._loop = asyncio.get_running_loop()
        self.throttle = Throttle(now=self._loop.time())
        self._wake = asyncio.Event()
        self._stopping = False
        self._is_up = False
        self._spawned: set[asyncio.Task[None]] = set()
        modes = _MODES[settings.bind_mode] * settings.bind_count
        self._binds = [Bind(f"Bind {number}: " if len(modes) > 1 else "", mode, self) for number, mode in enumerate(modes, start=1)]
        self._senders = [bind for bind in self._binds if bind.mode.transmits]

    async def run(self) -> None:
        """Serve until the link is stopped, then finish what is in the windows."""
        running = [self._group.create_task(bind.run()) for bind in self._binds]
        stopped = self._group.create_task(self.link.stopped())
        feeding = self._group.create_task(self._feed())
        await asyncio.wait((stopped, feeding), return_when=asyncio.FIRST_COMPLETED)
        self._stopping = True
        self._wake.set()
        await asyncio.gather(*(bind.drain() for bind in self._binds))
        await asyncio.wait((feeding,), timeout=_LAST_TAKE_S)
        for task in (*running, *self._spawned, stopped, feeding):
            task.cancel()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

    def bind_changed(self, bind: Bind, reason: str) -> None:
        """Say that the link is up once it can send and receive as its mode promises, and down when it no longer can."""
        complete = all(any(one.bound for one in self._binds if one.mode is mode) for mode in _MODES[self.settings.bind_mode])
        if bind.label or not reason:
            words = reason or f"Bound as {bind.mode.name.lower()} to {self.settings.host}:{self.settings.port}."
            self.link.log(f"{bind.label}{words}")
        if complete and not self._is_up:
            self.link.up()
        elif not complete and reason:
            self.link.down(f"{bind.label}{reason}")
        self._is_up = complete
        self._wake.set()

    def room_changed(self) -> None:
        self._wake.set()

    async def _feed(self) -> None:
        """Take work while a bind has room for it."""
        with suppress(LinkStopped):
            while not self._stopping:
                room = self._room()
                if room:
                    for submission in await self.link.take(room):
                        self._hand_over(submission)
                else:
                    await self._wait_for_room()

    def _room(self) -> int:
        now = self._loop.time()
        return int(min(sum(bind.room(now) for bind in self._senders), self.throttle.available(now)))

    async def _wait_for_room(self) -> None:
        now = self._loop.time()
        delays = [delay_s for bind in self._senders if (delay_s := bind.delay_s(now)) is not None]
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(min(delays), 0.001) if delays else None):
                await self._wake.wait()

    def _hand_over(self, submission: Submission) -> None:
        """Give a submission to the bind with the most room. While `take` waited, all of them may have gone."""
        bound = [bind for bind in self._senders if bind.bound]
        if self._stopping or not bound:
            self.link.failed(submission, LinkDown("No bind was up when the submission arrived."))
            return
        max(bound, key=lambda bind: bind.free).submit(submission)

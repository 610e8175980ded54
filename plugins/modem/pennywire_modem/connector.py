"""The connector: one modem or a bank of them, and one flow of work to them."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from pennywire import CannotStore, Connector, Link, LinkDown, LinkStopped, Setting, Submission
from pennywire_modem.device import Device
from pennywire_modem.memory import Tally, device_key
from pennywire_modem.settings import SETTINGS, ModemSettings, read_modem_settings

#: How long the end of `take` may lag behind the stop of the link. Units: seconds.
_LAST_TAKE_S: Final = 5.0
_SHORTEST_WAIT_S: Final = 0.001


class ModemConnector(Connector):
    """Modems or phones on serial lines or terminal servers, driven by AT commands in PDU mode.

    Source: 3GPP TS 27.005, 27.007 and 23.040.
    """

    kind: ClassVar[str] = "modem"
    label: ClassVar[str] = "GSM modem"
    description: ClassVar[str] = (
        "Modems on serial lines or terminal servers, one or a bank of them, with delivery reports and incoming messages."
    )
    settings: ClassVar[tuple[Setting, ...]] = SETTINGS

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        """Raises: InvalidSetting for settings that contradict each other."""
        super().__init__(name, values)
        self._modems = read_modem_settings(values)

    async def run(self, link: Link) -> None:
        async with asyncio.TaskGroup() as group:
            await _Flow(self._modems, link, group).run()


class _Flow:
    """One run of a connection: takes work and gives each segment to a modem that is free, in turn."""

    def __init__(self, modems: list[ModemSettings], link: Link, group: asyncio.TaskGroup) -> None:
        self.link = link
        self._group = group
        self._wake = asyncio.Event()
        self._stopping = False
        self._is_up: bool | None = None
        self._devices = [
            Device(modem, self, place, f"{modem.device}: " if len(modems) > 1 else "") for place, modem in enumerate(modems, start=1)
        ]

    async def run(self) -> None:
        """Serve until the link is stopped, then finish the segments on their way."""
        running = [self._group.create_task(device.run()) for device in self._devices]
        running += [self._group.create_task(notebook.run()) for device in self._devices for notebook in device.notebooks]
        await self._forget_strangers()
        stopped = self._group.create_task(self.link.stopped())
        feeding = self._group.create_task(self._feed())
        await asyncio.wait((stopped, feeding), return_when=asyncio.FIRST_COMPLETED)
        self._stopping = True
        self._wake.set()
        await asyncio.wait((feeding,), timeout=_LAST_TAKE_S)
        await asyncio.gather(*(device.drain() for device in self._devices))
        await asyncio.gather(*(device.leave() for device in self._devices))
        for task in (*running, stopped, feeding):
            task.cancel()

    async def _forget_strangers(self) -> None:
        """Forget the modems that the connection has no longer, and the SIM cards of which nothing was heard for a day."""
        known = {device_key(device.settings.device) for device in self._devices}
        with suppress(CannotStore):
            modems = await self.link.storage.read()
            await self.link.storage.write({key: None for key in modems if key.partition("/")[2] not in known})
            cards = await self.link.plugin_storage.read("sim/")
            now = datetime.now(UTC)
            await self.link.plugin_storage.write({key: None for key, kept in cards.items() if not Tally(kept).of_day(now)})

    def changed(self, device: Device, reason: str) -> None:
        """The link is up while any modem is; what happens to single ones of a bank stands in the events."""
        is_up = any(one.ready for one in self._devices)
        if device.label:
            self.link.log(f"{device.label}{reason or 'ready.'}")
        if is_up and not self._is_up:
            self.link.up()
        elif not is_up and reason:
            self.link.down(f"{device.label}{reason}")
        self._is_up = is_up
        self._wake.set()

    def wake(self) -> None:
        """Look for room again."""
        self._wake.set()

    async def _feed(self) -> None:
        """Take work while a modem is free."""
        with suppress(LinkStopped):
            while not self._stopping:
                free = [device for device in self._devices if device.free]
                if free:
                    for submission in await self.link.take(len(free)):
                        self._hand_over(submission)
                else:
                    await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        delays = [delay_s for device in self._devices if (delay_s := device.delay_s) is not None]
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(min(delays), _SHORTEST_WAIT_S) if delays else None):
                await self._wake.wait()

    def _hand_over(self, submission: Submission) -> None:
        """Give a segment to the next free modem. While `take` waited, it may have gone, or begun to look after its storage."""
        device = next((device for device in self._devices if device.free), None)
        if self._stopping or device is None:
            self.link.failed(submission, LinkDown("No modem was free when the segment arrived."))
            return
        self._devices.append(self._devices.pop(self._devices.index(device)))
        device.submit(submission)

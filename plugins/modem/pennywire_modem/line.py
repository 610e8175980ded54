"""The line to a modem: a serial device or a terminal server, opened at a speed at which the modem answers."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import serialx

#: How long a modem may take to answer AT while its speed is looked for, and how often it is asked. Units: seconds.
PROBE_S: Final = 0.6
_PROBES: Final = 2
_OPENING_S: Final = 15.0


class CannotOpen(Exception):
    """The line cannot be opened; the text says why and what to do."""


class Line(asyncio.Protocol):
    """An open line. `received` gets what the modem writes, `lost` the reason when the line breaks; both may be set later."""

    def __init__(self) -> None:
        self.received: Callable[[bytes], None] = lambda _octets: None
        self.lost: Callable[[str], None] = lambda _reason: None
        self.bit_rate = 0
        self._transport: serialx.BaseSerialTransport | None = None

    def data_received(self, data: bytes) -> None:
        self.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost(f"The line broke: {exc}." if exc else "The line was closed at the other end.")

    def write(self, octets: bytes) -> None:
        """Write octets; on a line that is breaking they are lost, and `lost` tells."""
        if octets and self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)

    async def close(self) -> None:
        """Close the line and wait until the device is free."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
            with suppress(Exception):  # The device may be gone; what it says on leaving helps nobody.
                await transport.wait_closed()

    async def answers(self) -> bool:
        """Say whether a modem answers AT. The escape closes a prompt that an earlier program left open."""
        heard = asyncio.Event()
        rest = b""

        def listen(octets: bytes) -> None:
            nonlocal rest
            rest = (rest + octets)[-256:]
            if b"OK\r" in rest:
                heard.set()

        self.received = listen
        try:
            for _ in range(_PROBES):
                self.write(b"\x1b\rAT\r")
                with suppress(TimeoutError):
                    async with asyncio.timeout(PROBE_S):
                        await heard.wait()
                        return True
            return False
        finally:
            self.received = lambda _octets: None

    @classmethod
    async def open(cls, device: str, bit_rate: int) -> "Line":
        """Open a device. Raises: CannotOpen."""
        line = cls()
        try:
            async with asyncio.timeout(_OPENING_S):
                loop = asyncio.get_running_loop()
                line._transport, _ = await serialx.create_serial_connection(loop, lambda: line, device, bit_rate)
        except TimeoutError:
            raise CannotOpen(f"{device} did not open within {_OPENING_S:g} s. Check the terminal server.") from None
        except (OSError, serialx.SerialException) as error:
            raise CannotOpen(
                f"{device} cannot be opened: {error}. Check the device, and that this program may read and write it."
            ) from error
        line.bit_rate = bit_rate
        return line


async def find(device: str, rates: Sequence[int]) -> Line:
    """Open a device at the first speed at which a modem answers; with one speed only, at that one in any case. Raises: CannotOpen."""
    for rate in rates:
        line = await Line.open(device, rate)
        try:
            found = len(rates) == 1 or await line.answers()
        except BaseException:
            await line.close()
            raise
        if found:
            return line
        await line.close()
        if "://" in device and not device.startswith("rfc2217://"):
            break  # A socket has no speed of its own.
    raise CannotOpen(f"No modem answers at {device}, at any bit rate. Check cable and power, or set the bit rate.")

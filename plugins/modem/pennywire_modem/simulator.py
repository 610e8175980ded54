"""The scripted modem on a pseudo terminal, or on a TCP port as behind a terminal server."""

import asyncio
import os
import tty
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from pennywire_modem.script import ModemOptions
from pennywire_modem.simulation import SimulatedModem

_CHUNK_OCTETS = 4096


class ModemSimulator:
    """A simulated modem that programs can open: `async with ModemSimulator(ModemOptions()) as simulator`, then `simulator.device`.

    With a `port` (0 takes a free one) it listens on TCP instead of a pseudo terminal.
    """

    def __init__(self, options: ModemOptions, *, port: int | None = None) -> None:
        self.device = ""
        self._port = port
        self._master = self._slave = -1
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._changed = asyncio.Event()
        self._later: list[asyncio.TimerHandle] = []
        self.modem = SimulatedModem(options, utc=lambda: datetime.now(UTC), write=self._write, unplug=self.unplug, later=self._call_later)

    async def __aenter__(self) -> Self:
        if self._port is None:
            self._open_terminal()
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self.device = f"socket://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.unplug()
        for timer in self._later:
            timer.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def until(self, condition: Callable[[SimulatedModem], object], *, timeout_s: float = 20.0) -> None:
        """Wait until the condition holds; it is asked after everything that happens at the modem. Raises: TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition(self.modem):
                self._changed.clear()
                await self._changed.wait()

    def unplug(self) -> None:
        """Cut the line, as when somebody pulls the plug."""
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._slave)
            os.close(self._master)
            self._master = self._slave = -1
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    def plug(self) -> None:
        """Give the modem a pseudo terminal again, under another name: what a replug does. Nothing to do on TCP."""
        if self._port is None and self._master < 0:
            self._open_terminal()

    def _open_terminal(self) -> None:
        self._master, self._slave = os.openpty()
        # Both ends pass octets on unchanged; our own handle of the slave keeps the line up while nobody has it open.
        tty.setraw(self._master)
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.device = os.ttyname(self._slave)
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def _readable(self) -> None:
        with suppress(OSError):
            self._receive(os.read(self._master, _CHUNK_OCTETS))

    def _receive(self, octets: bytes) -> None:
        self.modem.receive(octets)
        self._changed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        with suppress(OSError):
            while octets := await reader.read(_CHUNK_OCTETS):
                self._receive(octets)
        writer.close()

    def _write(self, octets: bytes) -> None:
        if self._master >= 0:
            with suppress(BlockingIOError):  # Nobody reads, and the terminal is full: a real modem loses octets too.
                os.write(self._master, octets)
        elif self._writer is not None:
            self._writer.write(octets)

    def _call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        def run() -> None:
            action()
            self._changed.set()

        self._later.append(asyncio.get_running_loop().call_later(delay_s, run))

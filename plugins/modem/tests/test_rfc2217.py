"""A terminal server by RFC 2217: its answers go between those of the modem, and its options are agreed first."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from pennywire_modem.connector import ModemConnector
from pennywire_modem.script import ModemOptions
from pennywire_modem.settings import SETTINGS
from pennywire_modem.simulation import SimulatedModem

from pennywire import read_settings
from pennywire.testing import FakeLink, make_submissions

#: IAC DO COM-PORT-OPTION, and binary both ways. Source: RFC 854, RFC 856, RFC 2217 §2.
OFFER = b"\xff\xfd\x2c\xff\xfb\x00\xff\xfd\x00\xff\xfb\x03"
#: A subnegotiation of COM-PORT-OPTION, or another command of three octets.
_COMMAND = re.compile(rb"\xff\xfa\x2c(.)(.*?)\xff\xf0|\xff[\xfb-\xfe].", re.DOTALL)
#: A server answers with the client's code and 100.
_ANSWER = 100


@asynccontextmanager
async def terminal_server() -> AsyncIterator[tuple[SimulatedModem, int]]:
    """Serve a simulated modem, and yield it with its port."""
    writers: list[asyncio.StreamWriter] = []
    loop = asyncio.get_running_loop()
    modem = SimulatedModem(
        ModemOptions(),
        utc=lambda: datetime.now(UTC),
        write=lambda octets: writers[-1].write(octets.replace(b"\xff", b"\xff\xff")),
        unplug=lambda: writers[-1].transport.abort(),  # noqa: PLW0108  # there is no writer yet
        later=loop.call_later,
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(OFFER)
        while octets := await reader.read(4096):
            for found in _COMMAND.finditer(octets):
                if found[1]:
                    writer.write(b"\xff\xfa\x2c" + bytes((found[1][0] + _ANSWER,)) + found[2] + b"\xff\xf0")
            modem.receive(_COMMAND.sub(b"", octets))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield modem, server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.close()


def test_a_modem_behind_rfc_2217_sends_and_reports() -> None:
    async def scenario() -> None:
        async with terminal_server() as (modem, port):
            values = read_settings(SETTINGS, {"device": f"rfc2217://127.0.0.1:{port}", "bit_rate": "9600"})
            link = FakeLink()
            task = asyncio.create_task(ModemConnector("test", values).run(link))
            try:
                link.feed(make_submissions("x" * 300))
                await link.until(lambda one: len(one.reports) == 2, timeout_s=60)
                link.stop()
                await asyncio.wait_for(task, 60)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

            assert [len(one.text) for one in modem.submitted] == [153, 147]

    asyncio.run(scenario())

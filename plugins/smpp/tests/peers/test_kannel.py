"""Kannel, which we did not write, as client of the simulator: its bearerbox binds, its smsbox sends and answers."""

import asyncio
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from pennywire_smpp.simulation import SimulatorOptions
from pennywire_smpp.simulator import Simulator

from pennywire.testing import reserved_port

pytestmark = pytest.mark.peers

#: Debian keeps daemons outside the path of an ordinary user.
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
BEARERBOX = shutil.which("bearerbox", path=SEARCH)
SMSBOX = shutil.which("smsbox", path=SEARCH)

CONFIGURATION = """
group = core
admin-port = {admin_port}
admin-password = nobody
smsbox-port = {smsbox_port}
box-allow-ip = "127.0.0.1"
log-level = 1
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = simulator
host = 127.0.0.1
port = {smsc_port}
transceiver-mode = true
smsc-username = me
smsc-password = pw
system-type = ""
enquire-link-interval = 1
max-pending-submits = 10

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {smsbox_port}
sendsms-port = {http_port}
log-level = 1

group = sendsms-user
username = tester
password = tester
concatenation = true
max-messages = 10

group = sms-service
keyword = default
text = "You said %a"
"""


@asynccontextmanager
async def kannel(folder: Path, smsc_port: int) -> AsyncIterator[int]:
    """Start both boxes and yield the port of smsbox. Kannel cannot be told to take any port and say which."""
    if BEARERBOX is None or SMSBOX is None:
        pytest.skip("no Kannel: install Debian's package kannel")
    with ExitStack() as reserved:
        admin_port, smsbox_port, http_port = (reserved.enter_context(reserved_port()) for _ in range(3))
        file = folder / "kannel.conf"
        file.write_text(CONFIGURATION.format(admin_port=admin_port, smsbox_port=smsbox_port, http_port=http_port, smsc_port=smsc_port))
        processes = []
        try:
            for program, port in ((BEARERBOX, smsbox_port), (SMSBOX, http_port)):
                silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                processes.append(await asyncio.create_subprocess_exec(program, str(file), **silent))
                await _until_listening(port)
            yield http_port
        finally:
            for process in reversed(processes):
                process.terminate()
                await asyncio.wait_for(process.wait(), 20)


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


async def send(port: int, text: str, destination: str) -> str:
    query = urllib.parse.urlencode(
        {"username": "tester", "password": "tester", "from": "12345", "to": destination, "text": text, "coding": "0", "dlr-mask": "31"}
    )

    def ask() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/cgi-bin/sendsms?{query}", timeout=20) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(ask)


def test_kannel_sends_takes_receipts_and_answers_a_message(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Simulator(SimulatorOptions(password="pw", enquire_link_interval_s=1)) as smsc, kannel(tmp_path, smsc.port) as port:
            await smsc.until(lambda one: one.bind_count == 1, timeout_s=30)
            said = await send(port, "Grüße @ €", "+36201234567")
            await smsc.until(lambda one: one.statistics.receipts_stored == 1, timeout_s=20)
            await send(port, "x" * 200, "+36201234568")
            # Kannel asks for a report on one segment of a message only.
            await smsc.until(lambda one: one.statistics.receipts_stored == 2 and len(one.submissions) == 3, timeout_s=20)
            stored = await smsc.mo("Kannel", source="+36301112233")
            await smsc.until(lambda one: len(one.submissions) == 4, timeout_s=20)

            texts = [(one.destination, one.text) for one in smsc.submissions]
            assert said.startswith("0: ")
            assert texts[0] == ("36201234567", "Grüße @ €")
            assert sorted(text for _, text in texts[1:3]) == ["x" * 47, "x" * 153]
            assert stored == [0]
            assert texts[3][1] == "You said Kannel"
            assert smsc.statistics.redelivered == 0

    asyncio.run(scenario())

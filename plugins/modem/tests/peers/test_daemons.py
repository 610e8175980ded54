"""The daemons of Gammu and of smstools, which we did not write, at the simulated modem: they send through it and receive from it."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from pennywire_modem.script import ModemOptions
from pennywire_modem.simulator import ModemSimulator

pytestmark = [pytest.mark.peers, pytest.mark.full]

LIMIT_S = 60
#: Debian keeps daemons outside the path of an ordinary user.
PATH = "/usr/bin:/usr/sbin:/bin:/sbin"
LONG = "0123456789" * 30


class Daemon(NamedTuple):
    """One daemon: how it is started, what its configuration says, and where a message is put in and comes out."""

    package: str
    program: str
    arguments: tuple[str, ...]
    folders: tuple[str, ...]
    configuration: str
    message: str
    content: str
    inbox: str


GAMMU_SMSD = Daemon(
    package="gammu-smsd",
    program="gammu-smsd",
    arguments=("-c", "{folder}/configuration"),
    folders=("inbox", "outbox", "sent", "error"),
    configuration="""\
[gammu]
port = {device}
connection = at115200
[smsd]
service = files
inboxpath = {folder}/inbox/
outboxpath = {folder}/outbox/
sentsmspath = {folder}/sent/
errorsmspath = {folder}/error/
inboxformat = unicode
deliveryreport = sms
loopsleep = 1
statusfrequency = 0
""",
    message="outbox/OUTA20260101_000000_00_+36201234567_x.txtd",
    content="{text}",
    inbox="inbox",
)
SMSTOOLS = Daemon(
    package="smstools",
    program="smsd",
    arguments=("-c{folder}/configuration", "-t"),
    folders=("incoming", "outgoing", "checked", "sent", "failed", "report", "stats"),
    configuration="""\
devices = GSM1
logfile = {folder}/log
outgoing = {folder}/outgoing
checked = {folder}/checked
incoming = {folder}/incoming
report = {folder}/report
sent = {folder}/sent
failed = {folder}/failed
stats = {folder}/stats
infofile = {folder}/info
pidfile = {folder}/pid
autosplit = 3
delaytime = 1
errorsleeptime = 1
[GSM1]
device = {device}
incoming = yes
report = yes
baudrate = 115200
rtscts = no
init = AT
""",
    message="outgoing/message",
    content="To: 36201234567\n\n{text}\n",
    inbox="incoming",
)
DAEMONS = pytest.mark.parametrize("daemon", [GAMMU_SMSD, SMSTOOLS], ids=lambda daemon: daemon.package)


@asynccontextmanager
async def running(daemon: Daemon, folder: Path, device: str) -> AsyncIterator[None]:
    """Run a daemon in a folder; when the block is left it has ended."""
    program = shutil.which(daemon.program, path=PATH)
    if program is None:
        pytest.skip(f"no {daemon.program}: install Debian's package {daemon.package}")
    (folder / "configuration").write_text(daemon.configuration.format(folder=folder, device=device))
    arguments = [argument.format(folder=folder) for argument in daemon.arguments]
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=sys.stderr, stderr=sys.stderr)
    try:
        yield
        assert process.returncode is None, f"{daemon.program} ended by itself."
        process.terminate()
        await asyncio.wait_for(process.wait(), LIMIT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@DAEMONS
@pytest.mark.parametrize("text", ["Hello [from] a daemon", LONG], ids=["short", "long"])
def test_it_sends_through_the_modem(tmp_path: Path, daemon: Daemon, text: str) -> None:
    async def scenario() -> None:
        for name in daemon.folders:
            (tmp_path / name).mkdir()
        (tmp_path / daemon.message).write_text(daemon.content.format(text=text))
        async with ModemSimulator(ModemOptions()) as simulator:
            async with running(daemon, tmp_path, simulator.device):
                await simulator.until(lambda modem: len("".join(one.text for one in modem.submitted)) >= len(text), timeout_s=LIMIT_S)
            sent = simulator.modem.submitted

        assert "".join(one.text for one in sent) == text
        assert {(one.submit.destination, one.submit.report_requested) for one in sent} == {("+36201234567", True)}

    asyncio.run(scenario())


@DAEMONS
def test_it_receives_from_the_modem(tmp_path: Path, daemon: Daemon) -> None:
    async def scenario() -> None:
        for name in daemon.folders:
            (tmp_path / name).mkdir()
        async with ModemSimulator(ModemOptions()) as simulator:
            simulator.modem.deliver("Jó reggelt ő", source="+36301112233")
            async with running(daemon, tmp_path, simulator.device):
                await simulator.until(lambda modem: not modem.storage, timeout_s=LIMIT_S)

        (found,) = (tmp_path / daemon.inbox).iterdir()
        assert "Jó reggelt ő".encode("utf-16-be") in found.read_bytes()
        assert "36301112233" in found.name or b"36301112233" in found.read_bytes()

    asyncio.run(scenario())

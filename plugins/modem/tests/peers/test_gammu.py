"""Gammu, which we did not write, at the simulated modem: it identifies it, sends through it and receives from it."""

import asyncio
import shutil
from pathlib import Path

import pytest
from pennywire_modem.script import ModemOptions
from pennywire_modem.simulator import ModemSimulator

pytestmark = [pytest.mark.peers, pytest.mark.full]

GAMMU = shutil.which("gammu")
LIMIT_S = 60


class Gammu:
    """Gammu at one device."""

    def __init__(self, folder: Path, device: str) -> None:
        if GAMMU is None:
            pytest.skip("no Gammu: install Debian's package gammu")
        self._program = GAMMU
        self._file = folder / "gammurc"
        self._file.write_text(f"[gammu]\nport = {device}\nconnection = at115200\n")

    async def __call__(self, *arguments: str) -> str:
        """Run one command and return what it printed."""
        process = await asyncio.create_subprocess_exec(
            self._program, "-c", str(self._file), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            printed, _ = await asyncio.wait_for(process.communicate(), LIMIT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, printed.decode()
        return printed.decode()


def test_it_identifies_the_modem(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with ModemSimulator(ModemOptions(imei="356938035643809", imsi="216019876543210")) as simulator:
            printed = await Gammu(tmp_path, simulator.device)("identify")

        assert "356938035643809" in printed
        assert "216019876543210" in printed
        assert "Simulated Modem" in printed

    asyncio.run(scenario())


@pytest.mark.parametrize(("text", "options"), [("Hello [€] from Gammu", ()), ("Árvíztűrő tükörfúrógép", ("-unicode",))])
def test_it_sends_through_the_modem(tmp_path: Path, text: str, options: tuple[str, ...]) -> None:
    async def scenario() -> None:
        async with ModemSimulator(ModemOptions()) as simulator:
            await Gammu(tmp_path, simulator.device)("sendsms", "TEXT", "+36201234567", "-report", *options, "-text", text)
            (sent,) = simulator.modem.submitted

        assert (sent.text, sent.submit.destination, sent.submit.report_requested) == (text, "+36201234567", True)

    asyncio.run(scenario())


def test_it_sends_a_long_message_in_segments(tmp_path: Path) -> None:
    async def scenario() -> None:
        text = "0123456789" * 30
        async with ModemSimulator(ModemOptions()) as simulator:
            await Gammu(tmp_path, simulator.device)("sendsms", "TEXT", "+36201234567", "-len", "300", "-text", text)
            sent = simulator.modem.submitted

        assert len(sent) == 2
        assert "".join(one.text for one in sent) == text

    asyncio.run(scenario())


def test_it_receives_from_the_modem(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with ModemSimulator(ModemOptions(zone_quarters=-14)) as simulator:
            simulator.modem.deliver("Good morning from a handset", source="+36301112233")
            simulator.modem.deliver("Jó reggelt ő", source="+36301112233")
            printed = await Gammu(tmp_path, simulator.device)("getallsms")

        assert "Good morning from a handset" in printed
        assert "Jó reggelt ő" in printed
        assert printed.count("+36301112233") == 2

    asyncio.run(scenario())

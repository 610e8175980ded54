"""Several modems in one connection, terminal servers, speeds, settings that contradict each other, and the pace."""

import asyncio
from typing import Any

import pytest
from pennywire_modem import __name__ as package
from pennywire_modem import register_commands, register_connectors
from pennywire_modem.connector import ModemConnector
from pennywire_modem.line import CannotOpen, find
from pennywire_modem.pacing import Backoff, Pace
from pennywire_modem.script import ModemOptions
from pennywire_modem.settings import BIT_RATES, SETTINGS, read_modem_settings
from pennywire_modem.simulator import ModemSimulator

from pennywire import Accepted, InvalidSetting, read_settings
from pennywire.testing import FakeLink, make_submissions


def test_the_plugin_brings_its_kind_and_its_commands() -> None:
    assert [kind.kind for kind in register_connectors()] == ["modem"]
    assert [command.name for command in register_commands()] == ["modem-sim", "modem-find", "modem-status", "modem-pins"]
    assert all(command.target.startswith(package) for command in register_commands())


def test_a_bank_shares_the_work_and_a_lost_modem_does_not_stop_it() -> None:
    async def scenario() -> None:
        async with ModemSimulator(ModemOptions(imsi="216301111111111")) as one, ModemSimulator(ModemOptions(imsi="216302222222222")) as two:
            values = read_settings(SETTINGS, {"device": f"{one.device}\n{two.device}", "bit_rate": "115200", "reopen_pause_s": 0.01})
            link = FakeLink()
            task = asyncio.create_task(ModemConnector("bank", values).run(link))
            try:
                await link.until(lambda link: sum("ready." in line for line in link.lines) == 2, timeout_s=60)
                link.feed([submission for number in range(6) for submission in make_submissions(first_attempt_id=number + 1)])
                await link.until(lambda link: len(link.reports) == 6, timeout_s=60)
                assert one.modem.submitted
                assert two.modem.submitted

                one.unplug()
                await link.until(lambda link: any("broke" in line or "closed" in line for line in link.lines), timeout_s=60)
                link.feed(make_submissions(first_attempt_id=7))
                await link.until(lambda link: len(link.answers) == 7, timeout_s=60)
                assert link.is_up
                assert isinstance(link.outcomes[-1], Accepted)
                link.stop()
                await asyncio.wait_for(task, 60)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())


def test_a_terminal_server_serves_as_well(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(port=0, bit_rate="auto") as served:
            served.link.feed(make_submissions("x" * 300))
            await served.until(lambda link: len(link.reports) == 2)

    asyncio.run(scenario())


def test_the_speed_is_found_out() -> None:
    async def scenario() -> int:
        async with ModemSimulator(ModemOptions()) as simulator:
            line = await find(simulator.device, BIT_RATES)
            await line.close()
            return line.bit_rate

    assert asyncio.run(scenario()) in BIT_RATES


@pytest.mark.full
def test_where_nobody_answers_that_is_told() -> None:
    async def scenario() -> None:
        async with ModemSimulator(ModemOptions(overrides={"AT": ()})) as simulator:
            with pytest.raises(CannotOpen, match="No modem answers"):
                await find(simulator.device, BIT_RATES[:2])

    asyncio.run(scenario())


@pytest.mark.parametrize("device", ["ttyUSB0", "socket://192.0.2.7", "/dev/ttyUSB0 USB1", "COM3"])
def test_a_device_that_is_none_is_refused(device: str) -> None:
    with pytest.raises(InvalidSetting, match="Device"):
        read_settings(SETTINGS, {"device": device})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"device": "/dev/a /dev/a"}, "twice"),
        ({"device": "/dev/a /dev/b /dev/c", "pin": "1234 5678"}, "3 devices and 2 PINs"),
        ({"device": "/dev/a /dev/b", "identity": "490154203237518"}, "2 devices and 1 identities"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSetting, match=words):
        read_modem_settings(read_settings(SETTINGS, given))


def test_the_pace_counts_the_hour_and_the_day_before() -> None:
    pace = Pace(pause_s=2, per_hour=2, per_day=3)
    for now in (0, 10, 3_700):
        assert pace.delay_s(now) == 0
        pace.count(now)

    assert pace.delay_s(3_701) == 86_400 - 3_701
    assert pace.delay_s(86_400) == 0


def test_the_pause_is_kept_and_the_backoff_doubles() -> None:
    pace = Pace(pause_s=2, per_hour=0, per_day=0)
    pace.count(100)
    backoff = Backoff(1)

    assert (pace.delay_s(101), pace.delay_s(102)) == (1, 0)
    assert [backoff.pause_s() for _ in range(7)] == [1, 2, 4, 8, 16, 32, 32]

"""What comes in: the modem forgets a message only when the gateway has stored it."""

import asyncio
from typing import Any

import pytest
from pennywire_modem.script import ModemOptions

from pennywire import Incoming
from pennywire.sms import text as texts

TEXTS = ["Hello", "Árvíztűrő 😀", "[€]" * 100, "ő" * 100]


def read(incomings: list[Incoming]) -> str:
    """Return the text of segments in the order of their places."""
    ordered = sorted(incomings, key=lambda one: one.concatenation.index if one.concatenation else 1)
    return "".join(texts.decode(one.user_data, one.alphabet) for one in ordered)


@pytest.mark.parametrize("way", ["stored", "direct"])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:5])
def test_a_message_comes_in_and_the_modem_forgets_it(serve: Any, way: str, text: str) -> None:
    async def scenario() -> None:
        async with serve(incoming=way) as served:
            modem = served.simulator.modem
            modem.deliver(text)
            count = len(modem.storage) or len(modem.unacknowledged)
            await served.until(lambda link: len(link.incomings) == count)
            await served.simulator.until(lambda one: not one.storage and not one.unacknowledged)

            assert read(served.link.incomings) == text
            assert {(one.source, one.destination) for one in served.link.incomings} == {("+36301112233", "+36209999999")}

    asyncio.run(scenario())


@pytest.mark.parametrize("way", ["stored", "direct"])
def test_until_it_is_stored_the_modem_keeps_it(serve: Any, way: str) -> None:
    async def scenario() -> None:
        async with serve(incoming=way) as served:
            modem = served.simulator.modem
            served.link.hold_storing()
            modem.deliver("Hello")
            await served.until(lambda link: link.most_storing)

            assert not any(command.startswith(("AT+CMGD", "AT+CNMA")) for command in modem.commands)
            assert len(modem.storage) + len(modem.unacknowledged) == 1
            served.link.release_storing()
            await served.simulator.until(lambda one: not one.storage and not one.unacknowledged)

    asyncio.run(scenario())


def test_what_could_not_be_stored_is_read_again(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(check_interval_s=0.05) as served:
            served.link.refuse_storing = True
            served.simulator.modem.deliver("Hello")
            await served.until(lambda link: any("could not store" in line for line in link.lines))
            assert len(served.simulator.modem.storage) == 1
            served.link.refuse_storing = False
            await served.until(lambda link: link.incomings)
            await served.simulator.until(lambda one: not one.storage)

    asyncio.run(scenario())


def test_what_waited_before_the_start_is_fetched(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(wait=False) as served:
            served.simulator.modem.deliver("Hello")
            await served.until(lambda link: link.incomings)
            await served.simulator.until(lambda one: not one.storage)

    asyncio.run(scenario())


def test_a_pdu_that_nobody_can_read_is_told_and_deleted(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(check_interval_s=0.05) as served:
            served.simulator.modem.storage[3] = "07916303988800F0FF" + "F" * 14
            await served.simulator.until(lambda one: not one.storage)

            assert any("cannot be read" in line for line in served.link.lines)
            assert served.link.incomings == []

    asyncio.run(scenario())


def test_a_full_storage_is_told(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(capacity=2), check_interval_s=0.05) as served:
            served.link.refuse_storing = True
            served.simulator.modem.deliver("Hello")
            served.simulator.modem.deliver("Hello again")
            await served.until(lambda link: any("nearly full" in line for line in link.lines))

    asyncio.run(scenario())


def test_balance_signal_operator_and_identity_stand_in_the_events(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(balance_code="*100#") as served:
            await served.until(lambda link: any("1,250 Ft" in line for line in link.lines))

            status = next(line for line in served.link.lines if "IMEI" in line)
            assert "490154203237518" in status
            assert "216301234567890" not in status
            assert "Penny Mobile" in status
            assert "-73 dBm" in status
            assert "registered at home" in status

    asyncio.run(scenario())

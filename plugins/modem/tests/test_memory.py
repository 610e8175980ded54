"""What outlives a restart: caps of SIM cards, PINs that were tried, and how the modems have been doing."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pennywire_modem.memory import MOST_SAMPLES, SAMPLE_EVERY, History, Tally, device_key
from pennywire_modem.preparation import Facts
from pennywire_modem.script import ModemOptions

from pennywire.keeping import encode_changes
from pennywire.testing import make_submissions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
IMSI = "216301234567890"


def messages(count: int) -> list[Any]:
    return [submission for number in range(count) for submission in make_submissions(first_attempt_id=number + 1)]


async def pass_by(served: Any) -> None:
    """Let a message from a handset through: whatever the connector was about to do before, it has done then."""
    before = len(served.link.incomings)
    served.simulator.modem.deliver("Hello")
    await served.until(lambda link: len(link.incomings) > before)


# Caps.


@pytest.mark.parametrize("cap", ["per_hour", "per_day"])
def test_the_cap_of_a_sim_card_outlives_a_restart(serve: Any, memory: Any, cap: str) -> None:
    async def scenario() -> None:
        async with serve(memory=memory, **{cap: 2}) as served:
            served.link.feed(messages(2))
            await served.until(lambda link: len(link.answers) == 2)
        async with serve(memory=memory, **{cap: 2}) as served:
            served.link.feed(messages(1))
            await pass_by(served)

            assert len(served.link.waiting) == 1
            assert served.simulator.modem.submitted == []

    asyncio.run(scenario())


def test_another_sim_card_has_a_cap_of_its_own(serve: Any, memory: Any) -> None:
    async def scenario() -> None:
        async with serve(memory=memory, per_hour=1) as served:
            served.link.feed(messages(1))
            await served.until(lambda link: link.answers)
        async with serve(ModemOptions(imsi="216309999999999"), memory=memory, per_hour=1) as served:
            served.link.feed(messages(1))
            await served.until(lambda link: link.answers)

    asyncio.run(scenario())


def test_a_capped_segment_waits_until_the_one_before_is_counted_on_disk(serve: Any, memory: Any) -> None:
    async def scenario() -> None:
        async with serve(memory=memory, per_hour=10) as served:
            memory.cards.refuse_storing = True
            served.link.feed(messages(2))
            await served.until(lambda link: link.answers)
            await pass_by(served)
            sent_meanwhile = len(served.simulator.modem.submitted)
            memory.cards.refuse_storing = False
            await served.until(lambda link: len(link.answers) == 2)

            assert sent_meanwhile == 1

    asyncio.run(scenario())


def test_a_tally_never_makes_a_segment_older_than_it_is() -> None:
    tally = Tally()
    for minutes in (0, 1, 59, 600):
        tally.count(NOON + timedelta(minutes=minutes))
    now = NOON + timedelta(minutes=601)

    restored = Tally(tally.as_value())

    assert all(restored_s <= real_s * 60 for restored_s, real_s in zip(restored.ages(now), (601, 600, 542, 1), strict=True))
    assert (restored.of_hour(now), restored.of_day(now)) == (1, 4)
    assert restored.of_day(now + timedelta(days=1, minutes=10)) == 0


def test_a_tally_of_a_busy_day_is_small() -> None:
    tally = Tally()
    for minute in range(3 * 24 * 60):
        tally.count(NOON + timedelta(minutes=minute))

    assert encode_changes({"sim/1": tally.as_value()})
    assert len(tally.as_value()) < 300


# PINs.


def test_a_refused_pin_is_not_sent_again_after_a_restart(serve: Any, memory: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(pin="1234"), wait=False, memory=memory, pin="9999") as served:
            await served.until(lambda link: any("refused the PIN" in str(state) for state in link.states))
        async with serve(ModemOptions(pin="1234"), wait=False, memory=memory, pin="9999") as served:
            await served.until(lambda link: any("was sent to the SIM card before" in str(state) for state in link.states))

            assert served.simulator.modem.pins_tried == []
        kept = str(await memory.cards.read())
        assert "9999" not in kept

    asyncio.run(scenario())


def test_the_last_try_is_left_for_a_person_whatever_is_set(serve: Any, memory: Any) -> None:
    """So no series of wrong settings ever makes the card ask for its PUK."""

    async def scenario() -> None:
        tried = []
        for pin in ("1111", "2222", "1234"):
            async with serve(ModemOptions(pin="1234"), wait=False, memory=memory, pin=pin) as served:
                await served.until(lambda link: any("PIN" in str(state) for state in link.states))
                tried += served.simulator.modem.pins_tried
                reason = str(served.link.states[-1])

        assert tried == ["1111", "2222"]
        assert "Two PINs did not open" in reason

    asyncio.run(scenario())


def test_a_right_pin_is_sent_at_every_start_and_wrong_ones_stay_known(serve: Any, memory: Any) -> None:
    async def scenario() -> None:
        locked = ModemOptions(pin="1234")
        async with serve(locked, wait=False, memory=memory, pin="9999") as served:
            await served.until(lambda link: any("refused the PIN" in str(state) for state in link.states))
        for _ in range(3):
            async with serve(locked, memory=memory, pin="1234") as served:
                assert served.simulator.modem.pins_tried == ["1234"]
        async with serve(locked, wait=False, memory=memory, pin="9999") as served:
            await served.until(lambda link: any("was sent to the SIM card before" in str(state) for state in link.states))
            assert served.simulator.modem.pins_tried == []

    asyncio.run(scenario())


def test_a_pin_whose_answer_was_lost_counts_as_tried(serve: Any, memory: Any) -> None:
    async def scenario() -> None:
        cut = ModemOptions(pin="1234", overrides={'AT+CPIN="': None})
        async with serve(cut, wait=False, port=0, memory=memory, pin="1234") as served:
            await served.until(lambda link: any("was sent to the SIM card before" in str(state) for state in link.states))

            assert [one for one in served.simulator.modem.commands if one.startswith("AT+CPIN=")] == ['AT+CPIN="1234"']

    asyncio.run(scenario())


def test_no_pin_is_sent_before_it_is_noted(serve: Any, memory: Any) -> None:
    async def scenario() -> None:
        memory.cards.refuse_storing = True
        async with serve(ModemOptions(pin="1234"), wait=False, memory=memory, pin="1234") as served:
            await served.simulator.until(lambda modem: "AT+CPIN?" in modem.commands)
            tried = list(served.simulator.modem.pins_tried)
            memory.cards.refuse_storing = False
            await served.until(lambda link: link.is_up)

            assert tried == []
            assert served.simulator.modem.pins_tried == ["1234"]

    asyncio.run(scenario())


# How the modems have been doing.


def test_a_history_has_a_look_now_and_then_and_every_change() -> None:
    history = History()
    facts = Facts(signal_dbm=-71, operator="Penny Mobile", imei="490154203237518", imsi=IMSI)

    kept = [history.look(facts, NOON), history.look(facts, NOON + SAMPLE_EVERY / 2)]
    facts.operator = "Other Mobile"
    kept += [history.look(facts, NOON + SAMPLE_EVERY / 2), history.look(facts, NOON + SAMPLE_EVERY * 2)]

    assert kept == [True, False, True, True]
    assert [sample["operator"] for sample in history.samples] == ["Penny Mobile", "Other Mobile", "Other Mobile"]
    assert IMSI not in str(history.samples)


def test_a_long_history_is_cut_and_can_be_kept() -> None:
    history = History()
    for number in range(MOST_SAMPLES * 2):
        history.look(Facts(signal_dbm=-71, operator="Ő" * 40, imei="4" * 15, imsi=IMSI), NOON + SAMPLE_EVERY * number)

    assert len(history.samples) == MOST_SAMPLES
    assert encode_changes({"history/1": history.samples})


def test_the_state_of_each_modem_is_kept_and_that_of_strangers_forgotten(serve: Any, memory: Any) -> None:
    async def scenario() -> None:
        await memory.modems.write({"modem/stranger": {"device": "/dev/gone"}, "history/stranger": []})
        await memory.cards.write({"sim/1": {"1000000200": 7}})
        async with serve(memory=memory) as served:
            key = device_key(served.simulator.device)
            while not (running := (await memory.modems.read(f"modem/{key}")).get(f"modem/{key}", {})).get("ready"):
                await pass_by(served)
        kept = await memory.modems.read()
        assert await memory.cards.read() == {}

        assert (running["operator"], running["signal"], running["masked_imsi"]) == ("Penny Mobile", -73, "21630…90")
        assert kept[f"modem/{key}"]["ready"] is False
        assert len(kept[f"history/{key}"]) == 1
        assert set(kept) == {f"modem/{key}", f"history/{key}"}

    asyncio.run(scenario())

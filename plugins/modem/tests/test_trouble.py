"""Bad input: noise, lines in the middle of answers, plugs pulled at every step, wrong PINs, silent modems."""

import asyncio
import random
from typing import Any

import pytest
from pennywire_modem.preparation import CHECKS, Facts, steps
from pennywire_modem.script import Behaviour, ModemOptions

from pennywire import Accepted, LinkDown, Rejected
from pennywire.testing import make_submissions

#: What the modem is told before it is ready, once each.
STEPS = (
    "ATE0",
    "AT+CMEE",
    "AT+CGMI",
    "AT+CGMM",
    "AT+CGSN",
    "AT+CCID",
    "AT+CPIN?",
    "AT+CIMI",
    "AT+CMGF",
    "AT+CSMS",
    "AT+CPMS=",
    "AT+CNMI",
    "AT+CREG",
    "AT+CSQ",
    "AT+COPS",
    "AT+CPMS?",
)
UNASKED = '+CMTI: "SM",29\r\nRING\r\n^BOOT:1,2\r\n+CREG: 1'


def test_the_steps_that_are_tried_are_all_there_are(settings: Any) -> None:
    commands = {step.commands(settings(), Facts())[0].split("=")[0] for step in steps(settings()) if step.commands(settings(), Facts())}
    commands |= {command for command, _ in CHECKS}

    untried = {command for command in commands if not any(command.startswith(step.rstrip("=")) for step in STEPS)}
    assert untried == {"AT"}


@pytest.mark.parametrize("step", STEPS)
def test_a_plug_pulled_at_a_step_is_told_and_tried_again(serve: Any, step: str) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(overrides={step: None}), wait=False, port=0) as served:
            await served.until(lambda link: len(link.states) >= 2)

            assert any("Next try in" in str(state) for state in served.link.states)
            assert not served.link.is_up

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("step", "given"),
    [
        ("AT+CMGS", {}),
        ("AT+CMGL", {}),
        ("AT+CMGR", {}),
        ("AT+CMGD", {}),
        ("AT+CNMA", {"incoming": "direct"}),
        ("AT+CUSD", {"balance_code": "*100#"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_plug_pulled_while_it_works_loses_nothing(serve: Any, step: str, given: dict[str, Any]) -> None:
    """The plug is pulled once; then the modem is found again, and everything goes on."""
    overrides: dict[str, tuple[str, ...] | None] = {step: None}

    async def scenario() -> None:
        async with serve(ModemOptions(overrides=overrides), wait=False, port=0, **given) as served:
            await served.until(lambda link: True in link.states)
            served.simulator.modem.deliver("Hello")
            if step == "AT+CMGS":
                served.link.feed(make_submissions())
            await served.until(lambda link: any("Next try in" in str(state) for state in link.states))
            overrides.clear()
            await served.until(lambda link: link.is_up)
            served.link.feed(make_submissions(first_attempt_id=2))
            served.simulator.modem.deliver("Hello again", reference=2)
            await served.until(lambda link: link.reports and len({incoming.raw for incoming in link.incomings}) == 2)

            assert [one.text for one in served.simulator.modem.submitted] == ["Hello"]
            assert {type(failure.error) for failure in served.link.failures} <= {LinkDown}

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(8))
def test_a_line_that_echoes_garbage_changes_nothing(serve: Any, seed: int) -> None:
    dice = random.Random(seed)
    noise = b"\r\n" + dice.randbytes(dice.randint(1, 400)) + b"\r\n"

    async def scenario() -> None:
        async with serve(ModemOptions(noise=noise)) as served:
            submissions = make_submissions("x" * 300)
            served.link.feed(submissions)
            served.simulator.modem.deliver("Hello")
            await served.until(lambda link: len(link.reports) == len(submissions) and link.incomings)

            assert [one.text for one in served.simulator.modem.submitted] == [submission.text for submission in submissions]
            assert all(isinstance(outcome, Accepted) for outcome in served.link.outcomes)

    asyncio.run(scenario())


def test_a_terminal_that_vanishes_is_told(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(behaviours={"": Behaviour(unplug=True)})) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.failures)
            await served.until(lambda link: any("cannot be opened" in str(state) for state in link.states))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "options",
    [
        ModemOptions(interjected=UNASKED),
        ModemOptions(noise=b"\xff\xfe\x00\r\nAT+CMGS=1\r\r\n garbage \x80\r\n"),
        ModemOptions(echo=True, overrides={"ATE0": ("OK",)}),
    ],
    ids=["unasked", "noise", "echo"],
)
def test_lines_that_nobody_asked_for_change_nothing(serve: Any, options: ModemOptions) -> None:
    async def scenario() -> None:
        async with serve(options) as served:
            submissions = make_submissions("x" * 300)
            served.link.feed(submissions)
            await served.until(lambda link: len(link.reports) == len(submissions))
            served.simulator.modem.deliver("Hello")
            await served.until(lambda link: link.incomings)

            assert all(isinstance(outcome, Accepted) for outcome in served.link.outcomes)

    asyncio.run(scenario())


def test_a_refused_pin_is_tried_once(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(pin="1234"), wait=False, pin="9999") as served:
            await served.until(lambda link: any("refused the PIN" in str(state) for state in link.states))

            assert served.simulator.modem.pins_tried == ["9999"]
            assert not any("9999" in line for line in [*served.link.lines, *map(str, served.link.states)])

    asyncio.run(scenario())


def test_the_right_pin_opens_the_card(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(pin="1234"), pin="1234") as served:
            assert served.simulator.modem.pins_tried == ["1234"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        (ModemOptions(pin="1234"), {}, "asks for its PIN. Set it"),
        (ModemOptions(overrides={"AT+CPIN?": ("+CPIN: SIM PUK", "OK")}), {"pin": "1234"}, "SIM PUK"),
        (ModemOptions(), {"identity": "123456789012345"}, "Another modem or SIM card"),
        (ModemOptions(registration=3), {}, "refused by the network"),
        (ModemOptions(overrides={"AT+CMGF": ("ERROR",)}), {}, "refused AT+CMGF"),
    ],
    ids=["no-pin", "puk", "stranger", "denied", "no-pdu-mode"],
)
def test_why_a_modem_is_not_used_is_told(serve: Any, options: ModemOptions, given: dict[str, str], words: str) -> None:
    async def scenario() -> None:
        async with serve(options, wait=False, **given) as served:
            await served.until(lambda link: any(words in str(state) for state in link.states))

            assert True not in served.link.states

    asyncio.run(scenario())


@pytest.mark.full
def test_a_silent_modem_is_led_up_the_ladder_and_opened_again(serve: Any) -> None:
    async def scenario() -> None:
        silent = {"AT+CSQ": ()}
        async with serve(ModemOptions(overrides=silent), wait=False, command_timeout_s=0.3) as served:
            await served.until(lambda link: any("was restarted" in str(state) for state in link.states))

            words = [str(state) for state in served.link.states]
            rungs = ("asking once", "open prompt", "resetting", "restarting")
            climbed = [next(word for word in words if rung in word) for rung in rungs]
            assert climbed == sorted(climbed, key=words.index)
            assert "ATZ" in served.simulator.modem.commands

    asyncio.run(scenario())


def test_an_error_before_the_prompt_is_an_answer(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(overrides={"AT+CMGS": ("+CMS ERROR: 302",)})) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.failures)

            assert [type(failure.error) for failure in served.link.failures] == [LinkDown]

    asyncio.run(scenario())


def test_an_error_that_no_standard_names_is_passed_on(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(behaviours={"": Behaviour(error="+CMS ERROR: 999")})) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.answers)

            assert isinstance(served.link.outcomes[0], Rejected)
            assert served.link.outcomes[0].code == "CMS 999"

    asyncio.run(scenario())

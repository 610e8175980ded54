"""The operator's table of errors: read line by line, refused with the line's number, obeyed on the wire."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from pennywire_smpp.pacing import Throttle
from pennywire_smpp.policies import Ruling, find_ruling, read_policies
from pennywire_smpp.simulation import Behaviour, SimulatorOptions
from pennywire_smpp.statuses import Policy

from pennywire import Accepted, InvalidSetting, Rejected, Throttled
from pennywire.testing import make_submissions


@pytest.mark.parametrize(
    ("line", "code", "ruling"),
    [
        ("0x00000045 permanent", 0x45, Ruling(Policy.PERMANENT)),
        ("  0X45   Temporary ", 0x45, Ruling(Policy.TEMPORARY)),
        ("69 throttle", 0x45, Ruling(Policy.THROTTLE)),
        ("esme_rsubmitfail pause 2.5", 0x45, Ruling(Policy.PAUSE, 2.5)),
        ("0x401 pause 300", 0x401, Ruling(Policy.PAUSE, 300)),
    ],
)
def test_an_error_is_named_by_number_or_name(line: str, code: int, ruling: Ruling) -> None:
    assert read_policies(f"\n{line}\n\n") == {code: ruling}
    assert find_ruling(code, line) == ruling


def test_what_the_table_leaves_out_means_what_the_standard_says() -> None:
    assert find_ruling(0x0B, "0x45 temporary") == Ruling(Policy.PERMANENT)
    assert find_ruling(0x58, "") == Ruling(Policy.THROTTLE)
    assert find_ruling(0x401, "") == Ruling(Policy.TEMPORARY)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("0x45", "Line 1: what to do is missing"),
        ("0x45 temporary\n0x46 maybe", "Line 2: what to do is missing or unknown"),
        ("0x45 temporary now", "Line 1: what to do"),
        ("0x45 pause", "Line 1: a pause has seconds"),
        ("0x45 pause 0", "Line 1: a pause has seconds"),
        ("0x45 pause 301", "at most 300"),
        ("0x45 pause -1", "Line 1: a pause has seconds"),
        ("0 temporary", "Line 1: 0 is no error"),
        ("4294967296 temporary", "is no error"),
        ("0x1FFFFFFFF temporary", "is no command_status"),
        ("ESME_RNOTHING temporary", "ESME_RNOTHING is no command_status"),
        ("0x45 temporary\n69 permanent", "Line 2: 69 has a line already"),
        ("\n".join(f"{code} temporary" for code in range(1, 202)), "at most 200"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(settings: Any, table: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=said) as raised:
        settings(error_policies=table)

    assert raised.value.name == "error_policies"


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("permanent", Rejected("0x00000008", "ESME_RSYSERR: the peer has a system error", permanent=True)),
        ("temporary", Rejected("0x00000008", "ESME_RSYSERR: the peer has a system error", permanent=False)),
        ("throttle", Throttled(0.5, "0x00000008")),
    ],
)
def test_the_operators_table_decides_what_a_refusal_means(serve: Any, word: str, outcome: object) -> None:
    async def scenario() -> None:
        options = SimulatorOptions(behaviours={"67": Behaviour(command_status=8)})
        async with serve(options, error_policies=f"0x08 {word}") as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.answers)

            assert served.link.outcomes == [outcome]

    asyncio.run(scenario())


def test_s1_a_pause_of_the_operators_rests_the_link_and_burns_no_attempt(serve: Any) -> None:
    async def scenario() -> None:
        options = SimulatorOptions(behaviours={"67": Behaviour(command_status=0x401)})
        async with serve(options, window=1, error_policies="0x401 pause 0.4") as served:
            first = make_submissions()[0]
            served.link.feed([first, replace(first, attempt_id=2, destination="+36201234568")])
            started = asyncio.get_running_loop().time()
            await served.link.until(lambda link: len(link.answers) == 2)

            paused, accepted = served.link.outcomes
            assert paused == Throttled(pytest.approx(0.4), "0x00000401")
            assert isinstance(accepted, Accepted)
            assert asyncio.get_running_loop().time() - started >= 0.4

    asyncio.run(scenario())


def test_a_pause_changes_no_rate_and_never_ends_an_earlier_one() -> None:
    throttle = Throttle(now=0)

    assert throttle.rest(10, now=0) == 10
    assert throttle.rest(2, now=1) == 9
    assert throttle.delay_s(4) == 6
    assert throttle.delay_s(10) == 0
    assert throttle.ceiling_per_s == 0

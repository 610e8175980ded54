"""The connector sends through the simulated modem, over a pseudo terminal."""

import asyncio
from typing import Any

import pytest
from pennywire_modem.script import Behaviour, ModemOptions

from pennywire import Accepted, LinkDown, OutcomeUnknown, Rejected, ReportState, Throttled
from pennywire.testing import make_submissions

#: Ctrl-Z ends a PDU and ESC cancels it; both are characters that a text may hold.
HOSTILE = "before\x1aafter\x1bend\r\nAT+CFUN=0\r"


@pytest.mark.parametrize("text", ["Hello", "[€uro]{}", "Árvíztűrő 😀", "x" * 500, "ő" * 150, "@" * 161], ids=lambda text: text[:6])
def test_every_alphabet_and_length_arrives_and_is_reported(serve: Any, text: str) -> None:
    async def scenario() -> None:
        async with serve() as served:
            submissions = make_submissions(text)
            served.link.feed(submissions)
            await served.until(lambda link: len(link.reports) == len(submissions))

            taken = served.simulator.modem.submitted
            assert "".join(one.text for one in taken) == text
            assert [one.submit.user_data.udh for one in taken] == [submission.udh for submission in submissions]
            ids = [outcome.network_id for outcome in served.link.outcomes]
            assert [report.network_ids for report in served.link.reports] == [(network_id,) for network_id in ids]
            assert {report.state for report in served.link.reports} == {ReportState.DELIVERED}

    asyncio.run(scenario())


@pytest.mark.parametrize("text", [HOSTILE, "\x1b\x1a\x1a", "Ctrl-Z: ‚\x1a’"])
def test_control_characters_in_a_text_reach_the_handset_and_not_the_modem(serve: Any, text: str) -> None:
    """In PDU mode nothing but hexadecimal digits goes over the line."""

    async def scenario() -> None:
        async with serve() as served:
            served.link.feed(make_submissions(text))
            await served.until(lambda link: link.answers)
            seen = list(served.simulator.modem.commands)

            assert isinstance(served.link.outcomes[0], Accepted)
            assert [one.text for one in served.simulator.modem.submitted] == [text]
            assert "AT+CFUN=0" not in seen

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("number", "permanent", "words"),
    [
        (38, False, "out of order"),
        (41, False, "temporarily"),
        (1, True, "does not exist"),
        (21, True, "refused"),
        (500, False, "no reason"),
    ],
)
def test_g5_an_error_is_told_in_words_and_by_class(serve: Any, number: int, permanent: bool, words: str) -> None:
    async def scenario() -> None:
        behaviours = {"": Behaviour(error=f"+CMS ERROR: {number}")}
        async with serve(ModemOptions(behaviours=behaviours)) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.answers)

            (outcome,) = served.link.outcomes
            assert isinstance(outcome, Rejected)
            assert (outcome.code, outcome.permanent) == (f"CMS {number}", permanent)
            assert words in outcome.reason

    asyncio.run(scenario())


@pytest.mark.parametrize("number", [42, 47])
def test_g5_congestion_burns_no_attempt(serve: Any, number: int) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(behaviours={"": Behaviour(error=f"+CMS ERROR: {number}")})) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.answers)

            assert isinstance(served.link.outcomes[0], Throttled)

    asyncio.run(scenario())


def test_a_modem_that_cannot_try_gives_the_segment_back_and_rests(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(behaviours={"": Behaviour(error="+CMS ERROR: 330")})) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.failures and not link.is_up)

            assert [type(failure.error) for failure in served.link.failures] == [LinkDown]
            assert "service centre is unknown" in str(served.link.states[-1])

    asyncio.run(scenario())


@pytest.mark.parametrize("behaviour", [Behaviour(answer=False), Behaviour(unplug=True), Behaviour(error="+CMS ERROR: 332")])
def test_a_prompt_answered_and_no_result_is_in_doubt(serve: Any, behaviour: Behaviour) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(behaviours={"": behaviour}), response_timeout_s=0.2) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.failures)

            assert [type(failure.error) for failure in served.link.failures] == [OutcomeUnknown]
            assert len(served.simulator.modem.submitted) == 1

    asyncio.run(scenario())


@pytest.mark.full
def test_without_a_prompt_nothing_left(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(behaviours={"": Behaviour(prompt=False)}), command_timeout_s=1) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.failures)
            await served.until(lambda link: link.is_up)

            assert [type(failure.error) for failure in served.link.failures] == [LinkDown]
            assert served.simulator.modem.submitted == []

    asyncio.run(scenario())


@pytest.mark.parametrize("zone_quarters", [0, 23, -14, 56])
def test_v7_the_time_of_a_report_is_utc_whatever_the_zone(serve: Any, zone_quarters: int) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(zone_quarters=zone_quarters)) as served:
            before = served.simulator.modem._utc()  # noqa: SLF001  # the simulator's own clock
            served.link.feed(make_submissions())
            await served.until(lambda link: link.reports)

            done_at = served.link.reports[0].done_at
            assert done_at is not None
            assert abs((done_at - before).total_seconds()) < 600

    asyncio.run(scenario())


@pytest.mark.parametrize(("status", "state"), [(0x46, ReportState.EXPIRED), (0x30, ReportState.ENROUTE), (0x41, ReportState.UNDELIVERABLE)])
def test_a_report_tells_what_became_of_the_segment(serve: Any, status: int, state: ReportState) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(behaviours={"": Behaviour(status=status)})) as served:
            served.link.feed(make_submissions())
            await served.until(lambda link: link.reports)

            assert served.link.reports[0].state is state

    asyncio.run(scenario())


def test_g3_the_reference_wraps_and_ids_stay_apart(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(ModemOptions(first_reference=255)) as served:
            first = make_submissions(destination="+36201234567")
            served.link.feed([*first, *make_submissions(destination="+36201234568", first_attempt_id=2)])
            await served.until(lambda link: len(link.reports) == 2)

            references = [one.reference for one in served.simulator.modem.submitted]
            assert references == [255, 0]
            assert len({outcome.network_id for outcome in served.link.outcomes}) == 2

    asyncio.run(scenario())


def test_caps_hold_segments_back_and_stopping_does_not_wait_for_them(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(per_hour=1) as served:
            served.link.feed([*make_submissions(), *make_submissions(first_attempt_id=2)])
            await served.until(lambda link: link.answers)
            await served.stop()

            assert len(served.link.waiting) == 1

    asyncio.run(scenario())

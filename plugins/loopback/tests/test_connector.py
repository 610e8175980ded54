"""The loopback connector on a link in memory."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from pennywire_loopback import connector as module
from pennywire_loopback.connector import LoopbackConnector

from pennywire import Accepted, InvalidSetting, OutcomeUnknown, Rejected, ReportState, Submission, Throttled, read_settings
from pennywire.sms import decode
from pennywire.testing import FakeLink, make_submissions

#: Far longer than a test may take: what comes anyway did not wait for it.
NEVER_MS = 600_000


def run(scenario: Callable[[FakeLink], Awaitable[None]], **given: Any) -> FakeLink:
    """Run the connector with settings beside a scenario, end the link, and return it with all that was said."""

    async def both() -> FakeLink:
        link = FakeLink()
        connector = LoopbackConnector("loop", read_settings(LoopbackConnector.settings, {"report_delay_ms": 0} | given))
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(connector.run(link))
            await scenario(link)
            link.stop()
            await running
        return link

    return asyncio.run(both())


def many(count: int) -> list[Submission]:
    return [submission for attempt in range(1, count + 1) for submission in make_submissions("Hello", first_attempt_id=attempt)]


def test_a_rule_that_cannot_be_read_is_refused_with_the_settings_name() -> None:
    with pytest.raises(InvalidSetting) as refused:
        LoopbackConnector("loop", read_settings(LoopbackConnector.settings, {"rules": "01 dance"}))

    assert refused.value.name == "rules"


@pytest.mark.parametrize(
    ("ending", "outcome", "report"),
    [
        ("67", Accepted, ReportState.DELIVERED),
        ("01", Rejected, None),
        ("02", Throttled, None),
        ("04", Accepted, ReportState.UNDELIVERABLE),
        ("05", Accepted, ReportState.EXPIRED),
        ("06", Accepted, None),
    ],
)
def test_a_destination_gets_the_outcome_and_report_of_its_ending(ending: str, outcome: type, report: ReportState | None) -> None:
    async def scenario(link: FakeLink) -> None:
        link.feed(make_submissions("Hello", destination=f"+362012345{ending}"))
        await link.until(lambda link: link.answers)

    link = run(scenario)

    assert [type(answer.outcome) for answer in link.answers] == [outcome]
    assert [each.state for each in link.reports] == ([report] if report else [])


def test_a_silent_destination_is_in_doubt_and_leaves_the_window() -> None:
    async def scenario(link: FakeLink) -> None:
        link.feed(make_submissions("Hello", destination="+36201234503"))
        link.feed(make_submissions("Hello", destination="+36201234567", first_attempt_id=2))
        await link.until(lambda link: link.answers)

    link = run(scenario, window=1)

    assert [type(failure.error) for failure in link.failures] == [OutcomeUnknown]
    assert [answer.submission.attempt_id for answer in link.answers] == [2]


def test_a_report_names_the_id_of_its_own_acceptance() -> None:
    async def scenario(link: FakeLink) -> None:
        link.feed(many(50))
        await link.until(lambda link: len(link.reports) == 50)

    link = run(scenario)

    accepted = [outcome.network_id for outcome in link.outcomes if isinstance(outcome, Accepted)]
    assert sorted(each.network_ids[0] for each in link.reports) == sorted(accepted)
    assert len(set(accepted)) == 50


def test_a_report_comes_only_where_one_was_asked_for() -> None:
    first, second = many(2)

    async def scenario(link: FakeLink) -> None:
        link.feed([replace(first, report_requested=False), second])
        await link.until(lambda link: len(link.answers) == 2)

    link = run(scenario)

    assert [each.network_ids for each in link.reports] == [
        (outcome.network_id,) for outcome in link.outcomes[1:] if isinstance(outcome, Accepted)
    ]


def test_an_echo_comes_back_segment_by_segment_with_source_and_destination_exchanged() -> None:
    text = "Szép jó napot kívánok! " * 12
    submissions = make_submissions(text, destination="+36201234567", source="+36301111111")

    async def scenario(link: FakeLink) -> None:
        link.feed(submissions)
        await link.until(lambda link: len(link.incomings) == len(submissions))

    echoes = sorted(run(scenario, echo=True).incomings, key=lambda each: each.concatenation.index if each.concatenation else 0)

    assert len(echoes) > 1
    assert {(each.source, each.destination) for each in echoes} == {("+36201234567", "+36301111111")}
    assert "".join(decode(each.user_data, each.alphabet) for each in echoes) == text


def test_an_echo_says_which_national_tables_it_was_written_in() -> None:
    turkish = bytes([6, 0x24, 1, 1, 0x25, 1, 1])

    async def scenario(link: FakeLink) -> None:
        link.feed([replace(many(1)[0], udh=turkish)])
        await link.until(lambda link: link.incomings)

    [echo] = run(scenario, echo=True).incomings

    assert (echo.locking_shift, echo.single_shift) == (1, 1)


def test_a_header_that_cannot_be_read_is_echoed_as_it_is() -> None:
    async def scenario(link: FakeLink) -> None:
        link.feed([replace(many(1)[0], udh=b"\x07\x00")])
        await link.until(lambda link: link.incomings)

    [echo] = run(scenario, echo=True).incomings

    assert echo.udh == b"\x07\x00"


def test_what_was_refused_is_not_echoed() -> None:
    async def scenario(link: FakeLink) -> None:
        link.feed(make_submissions("Hello", destination="+36201234501"))
        await link.until(lambda link: link.answers)

    assert run(scenario, echo=True).incomings == []


def test_the_window_is_never_exceeded() -> None:
    async def scenario(link: FakeLink) -> None:
        link.feed(many(10))
        await link.until(lambda link: len(link.taken) == 4)

        assert len(link.waiting) == 6

    run(scenario, window=4, latency_ms=NEVER_MS)


def test_a_gateway_that_stores_slowly_is_given_no_more_than_a_window_to_store() -> None:
    async def scenario(link: FakeLink) -> None:
        link.hold_storing()
        link.feed(many(100))
        await link.until(lambda link: link.most_storing == 10)
        link.release_storing()
        await link.until(lambda link: len(link.reports) == 100)

    link = run(scenario, window=10)

    assert link.most_storing <= 20


def test_a_report_that_could_not_be_stored_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.001)

    async def scenario(link: FakeLink) -> None:
        link.refuse_storing = True
        link.feed(many(3))
        await link.until(lambda link: link.most_storing)
        link.refuse_storing = False
        await link.until(lambda link: len(link.reports) == 3)

    assert len({each.network_ids for each in run(scenario).reports}) == 3


def test_at_the_end_what_is_still_on_its_way_arrives_at_once() -> None:
    async def scenario(link: FakeLink) -> None:
        link.feed(many(3))
        await link.until(lambda link: len(link.taken) == 3)

    link = run(scenario, latency_ms=NEVER_MS, report_delay_ms=NEVER_MS)

    assert len(link.answers) == len(link.reports) == 3
    assert link.taken == []
    assert not link.is_up


def test_at_the_end_a_full_window_does_not_hold_it_up() -> None:
    async def scenario(link: FakeLink) -> None:
        link.feed(many(3))
        await link.until(lambda link: link.taken)

    link = run(scenario, latency_ms=NEVER_MS, window=1)

    assert len(link.answers) == 1
    assert len(link.waiting) == 2


def test_at_the_end_a_gateway_that_cannot_store_is_not_waited_for() -> None:
    async def scenario(link: FakeLink) -> None:
        link.refuse_storing = True
        link.feed(many(2))
        await link.until(lambda link: link.most_storing)

    link = run(scenario)

    assert link.reports == []
    assert link.lines == ["dropped what the gateway could not store"] * 2


def test_five_thousand_segments_are_done_within_two_seconds() -> None:
    submissions = many(5_000)

    async def scenario(link: FakeLink) -> None:
        link.feed(submissions)
        await link.until(lambda link: len(link.reports) == 5_000)

    began = time.perf_counter()
    run(scenario)

    assert time.perf_counter() - began < 2

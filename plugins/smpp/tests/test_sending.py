"""The connector sends to the simulator: answers, refusals, throttling, time-outs, lost links."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pennywire_smpp import bodies, statuses
from pennywire_smpp.simulation import Behaviour, SimulatorOptions

from pennywire import Accepted, LinkDown, OutcomeUnknown, Rejected, ReportState, Throttled
from pennywire.testing import FakeLink, make_submissions

LONG = "x" * 200


def run(scenario: Any) -> None:
    asyncio.run(scenario)


def answered(count: int) -> Callable[[FakeLink], bool]:
    return lambda link: len(link.answers) >= count


def test_a_submission_is_accepted_with_the_id_of_the_network(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(first_id=41, receipts=False)) as served:
            served.link.feed(make_submissions("Grüße @ €5"))
            await served.link.until(answered(1))

            (submitted,) = served.smsc.submissions
            assert served.link.outcomes == [Accepted("42")]
            assert (submitted.source, submitted.destination, submitted.text) == ("Pennywire", "36201234567", "Grüße @ €5")

    run(scenario())


@pytest.mark.parametrize(
    ("method", "esm_classes", "texts"),
    [("udh", [0x40, 0x40], ["x" * 153, "x" * 47]), ("sar", [0, 0], ["x" * 153, "x" * 47]), ("message_payload", [0], [LONG])],
)
def test_s12_long_messages_go_as_the_operator_wants_them(serve: Any, method: str, esm_classes: list[int], texts: list[str]) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(receipts=False), long_messages=method) as served:
            served.link.feed(make_submissions(LONG, whole=method == "message_payload"))
            await served.link.until(answered(len(texts)))

            assert [one.esm_class for one in served.smsc.submissions] == esm_classes
            assert [one.text for one in served.smsc.submissions] == texts

    run(scenario())


def test_s15_a_report_is_asked_for_on_every_segment(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            served.link.feed(make_submissions("x" * 500))
            await served.link.until(lambda link: len(link.reports) == 4)

            assert [one.pdu.body.registered_delivery for one in served.smsc.submissions] == [1, 1, 1, 1]

    run(scenario())


def test_without_a_report_asked_for_none_comes(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            served.link.feed([replace(make_submissions()[0], report_requested=False)])
            await served.link.until(answered(1))
            await served.stop()

            assert served.smsc.statistics.receipts_sent == 0

    run(scenario())


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x0B, Rejected("0x0000000B", "ESME_RINVDSTADR: the destination address is invalid", permanent=True)),
        (0x08, Rejected("0x00000008", "ESME_RSYSERR: the peer has a system error", permanent=False)),
        (0x401, Rejected("0x00000401", "an error of its own: see the operator's list of errors", permanent=False)),
    ],
)
def test_a_refusal_carries_the_code_of_the_peer(serve: Any, status: int, outcome: Rejected) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(behaviours={"67": Behaviour(command_status=status)})) as served:
            served.link.feed(make_submissions())
            await served.link.until(answered(1))

            assert served.link.outcomes == [outcome]

    run(scenario())


@pytest.mark.parametrize("status", [statuses.ESME_RTHROTTLED, statuses.ESME_RMSGQFUL])
def test_s1_throttling_gives_the_submission_back_and_rests_the_link(serve: Any, status: int) -> None:
    """Nothing else is sent until the pause is over."""

    async def scenario() -> None:
        async with serve(SimulatorOptions(behaviours={"67": Behaviour(command_status=status)}), window=1) as served:
            first, second = make_submissions("x" * 200)
            served.link.feed([first, replace(second, destination="+36201234568")])
            started = asyncio.get_running_loop().time()
            await served.link.until(answered(2))

            throttled, accepted = served.link.outcomes
            assert throttled == Throttled(0.5, f"0x{status:08X}")
            assert isinstance(accepted, Accepted)
            assert asyncio.get_running_loop().time() - started >= 0.5

    run(scenario())


def test_s1_the_rate_settles_near_what_the_smsc_takes(serve: Any) -> None:
    """The engine gives throttled submissions again, in their order; none is refused."""

    async def scenario() -> None:
        async with serve(SimulatorOptions(receipts=False, max_per_s=200), window=20) as served:
            link = served.link
            link.feed(replace(make_submissions()[0], attempt_id=number) for number in range(300))
            given_back = 0
            while sum(isinstance(outcome, Accepted) for outcome in link.outcomes) < 300:
                throttled = [answer.submission for answer in link.answers if isinstance(answer.outcome, Throttled)]
                link.feed(throttled[given_back:])
                given_back = len(throttled)
                seen = len(link.answers)
                await link.until(lambda one, seen=seen: len(one.answers) > seen)

            assert 0 < given_back < 150
            assert served.smsc.statistics.accepted == 300

    run(scenario())


def test_the_rate_limit_holds(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(receipts=False), rate_limit_per_s=50, window=100) as served:
            started = asyncio.get_running_loop().time()
            served.link.feed(replace(make_submissions()[0], attempt_id=number) for number in range(25))
            await served.link.until(answered(25))

            # Five segments are the burst of a tenth of a second.
            assert asyncio.get_running_loop().time() - started >= 20 / 50 - 0.01

    run(scenario())


def test_s2_no_more_than_the_window_is_in_flight(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(receipts=False, latency_s=0.05), window=3) as served:
            served.link.feed(replace(make_submissions()[0], attempt_id=number) for number in range(7))
            await served.smsc.until(lambda smsc: smsc.statistics.submitted == 3)

            assert len(served.link.taken) == 3
            assert len(served.link.waiting) == 4
            await served.link.until(answered(7))

    run(scenario())


def test_s3_without_an_answer_the_outcome_is_unknown_and_a_late_answer_counts(serve: Any) -> None:
    async def scenario() -> None:
        options = SimulatorOptions(behaviours={"67": Behaviour(latency_s=0.4, receipt_states=())}, first_id=0)
        async with serve(options, response_timeout_s=0.1) as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.failures)
            assert isinstance(served.link.failures[0].error, OutcomeUnknown)
            assert served.link.answers == []
            await served.link.until(answered(1))

            assert served.link.outcomes == [Accepted("1")]

    run(scenario())


def test_s3_nothing_is_sent_twice_by_itself(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(drop_rate=1.0), response_timeout_s=0.1) as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.failures)
            served.link.feed(make_submissions(destination="+36209999999", first_attempt_id=2))
            await served.link.until(lambda link: len(link.failures) == 2)

            assert [one.destination for one in served.smsc.submissions] == ["36201234567", "36209999999"]

    run(scenario())


def test_a_link_lost_in_mid_window_leaves_what_was_written_in_doubt(serve: Any) -> None:
    async def scenario() -> None:
        options = SimulatorOptions(receipts=False, latency_s=0.5)
        async with serve(options, window=5) as served:
            served.link.feed(replace(make_submissions()[0], attempt_id=number) for number in range(8))
            await served.smsc.until(lambda smsc: smsc.statistics.submitted == 5)
            served.smsc.cut_links()
            await served.link.until(lambda link: len(link.failures) == 5)

            assert {type(failure.error) for failure in served.link.failures} == {OutcomeUnknown}
            assert len(served.link.waiting) == 3
            await served.smsc.until(lambda smsc: smsc.statistics.submitted == 8)

    run(scenario())


def test_s1_what_a_pause_holds_back_returns_when_the_link_breaks(serve: Any) -> None:
    """Nothing of it left, so it goes back to the queue at once."""

    async def scenario() -> None:
        behaviours = {"67": Behaviour(command_status=statuses.ESME_RTHROTTLED)}
        async with serve(SimulatorOptions(behaviours=behaviours), window=2) as served:
            # The connector waits for work when the pause begins, so it takes one submission more than it may send.
            first, second = make_submissions("x" * 200)
            served.link.feed([first])
            await served.link.until(answered(1))
            served.link.feed([second])
            await served.link.until(lambda link: not link.waiting)
            served.smsc.cut_links()
            await served.link.until(lambda link: link.failures)

            (failure,) = served.link.failures
            assert (failure.submission, type(failure.error)) == (second, LinkDown)
            assert served.smsc.statistics.submitted == 1

    run(scenario())


def test_v5_what_expired_while_it_waited_is_not_sent(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            expired = datetime.now(UTC) - timedelta(seconds=1)
            served.link.feed([replace(make_submissions()[0], expires_at=expired)])
            await served.link.until(answered(1))

            (outcome,) = served.link.outcomes
            assert isinstance(outcome, Rejected)
            assert outcome.code == "expired"
            assert served.smsc.statistics.submitted == 0

    run(scenario())


def test_what_does_not_fit_a_field_is_refused_with_the_reason(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            served.link.feed([replace(make_submissions()[0], destination="+" + "1" * 30), make_submissions(first_attempt_id=2)[0]])
            await served.link.until(answered(2))

            refused, accepted = served.link.outcomes
            assert isinstance(refused, Rejected)
            assert refused.code == "field"
            assert isinstance(accepted, Accepted)

    run(scenario())


def test_s16_several_binds_share_the_work_and_the_reports(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(latency_s=0.02), bind_count=4, window=2) as served:
            await served.smsc.until(lambda smsc: smsc.bind_count == 4)
            served.link.feed(replace(make_submissions()[0], attempt_id=number) for number in range(8))
            await served.smsc.until(lambda smsc: smsc.statistics.submitted == 8)

            assert served.link.answers == []
            await served.link.until(lambda link: len(link.reports) == 8)

    run(scenario())


def test_a_pair_sends_on_one_bind_and_receives_on_the_other(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(bind_mode="pair") as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.reports)

            assert served.smsc.statistics.binds == 2
            assert served.link.reports[0].state is ReportState.DELIVERED

    run(scenario())


def test_a_receiver_takes_no_work(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(bind_mode="receiver") as served:
            served.link.feed(make_submissions())

            assert await served.smsc.mo("Hello") == [0]
            assert len(served.link.waiting) == 1

    run(scenario())


def test_stopping_waits_for_the_window_and_takes_leave(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(receipts=False, latency_s=0.1), window=2) as served:
            served.link.feed(replace(make_submissions()[0], attempt_id=number) for number in range(5))
            await served.smsc.until(lambda smsc: smsc.statistics.submitted == 2)
            await served.stop()

            assert len(served.link.answers) == 2
            assert served.link.failures == []
            assert len(served.link.waiting) == 3
            assert served.smsc.bind_count == 0

    run(scenario())


def test_stopping_does_not_wait_for_ever(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(drop_rate=1.0), response_timeout_s=0.2) as served:
            served.link.feed(make_submissions())
            await served.smsc.until(lambda smsc: smsc.statistics.submitted == 1)
            await served.stop()

            assert [type(failure.error) for failure in served.link.failures] == [OutcomeUnknown]

    run(scenario())


def test_a_priority_and_parameters_reach_the_wire(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(receipts=False), service_type="VMA") as served:
            parameters = {"source_addr_ton": "0", "dest_addr_npi": 9, "data_coding": "240"}
            served.link.feed([replace(make_submissions()[0], priority=9, parameters=parameters)])
            await served.link.until(answered(1))

            body = served.smsc.submissions[0].pdu.body
            assert isinstance(body, bodies.ShortMessage)
            assert (body.priority_flag, body.source_addr_ton, body.dest_addr_npi, body.data_coding) == (3, 0, 9, 240)
            assert body.service_type == "VMA"

    run(scenario())

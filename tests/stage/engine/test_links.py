"""Links: what reaches a connector, what becomes of its answers, and how much may be on its way."""

import asyncio
import time
from typing import Any

import pytest

from app.engine import links
from app.outbox import IN_DOUBT, QUEUED, SENDING
from pennywire import (
    Accepted,
    Incoming,
    Link,
    LinkDown,
    LinkStopped,
    OutcomeUnknown,
    Rejected,
    Report,
    ReportState,
    Throttled,
)

Stage = Any
Until = Any


def test_queued_message_reaches_the_connector_and_its_answer_is_recorded(stage: Stage, until: Until) -> None:
    stage.network.serve = lambda link: stage.network.answer_all(link, lambda submission: Accepted(f"n{submission.attempt_id}"))
    number = stage.world.send("hello")

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.world.message(number).state == "sent")
            await until(lambda: stage.connection().sent_count == 1)

    stage.play(story())

    assert [submission.text for submission in stage.network.taken] == ["hello"]
    assert stage.world.queue() == []
    assert stage.world.money() == ("998", "0")


def test_message_that_is_queued_while_a_link_waits_leaves_at_once(stage: Stage) -> None:
    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            for _ in range(3):
                taking = asyncio.create_task(link.take(1))
                await asyncio.sleep(0)
                await asyncio.to_thread(stage.world.send)
                committed_at = time.monotonic()
                (submission,) = await taking
                delays_s.append(time.monotonic() - committed_at)
                link.outcome(submission, Accepted(""))

    delays_s: list[float] = []
    stage.play(story())

    # Most of it is the poll; the limit leaves room for a machine that is busy with other tests.
    assert sorted(delays_s)[1] < 0.5


def test_report_returns_when_it_is_on_disk(stage: Stage) -> None:
    number = stage.world.send()
    states: list[str] = []

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            (submission,) = await link.take(1)
            link.outcome(submission, Accepted("n1"))
            await link.report(Report(("n1",), ReportState.DELIVERED))
            states.append(stage.world.message(number).state)

    stage.play(story())

    assert states == ["delivered"]


def test_incoming_segment_is_in_the_inbox_when_the_peer_is_answered(stage: Stage, until: Until) -> None:
    stage.world.route("in", ["anna"], inward=True)
    texts: list[str] = []

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            await link.incoming(Incoming("+36209999999", "+36201111111", text="hi"))
            texts.extend(message.text for message in stage.world.messages("inbound"))
            await until(lambda: stage.connection().received_count == 1)

    stage.play(story())

    assert texts == ["hi"]


def test_no_more_than_two_windows_are_being_sent(stage: Stage, until: Until) -> None:
    """One window at the connector and one waiting for it, however the answers come (promise 9)."""
    for _ in range(30):
        stage.world.send()
    most: list[int] = []

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            window = await link.take(5)
            await until(lambda: stage.counts().get(SENDING) == 10)
            for _ in range(20):
                link.outcome(window.pop(0), Accepted(""))
                window += await link.take(1)
                most.append(stage.counts()[SENDING])
            for submission in window:
                link.outcome(submission, Accepted(""))

    stage.play(story())

    assert max(most) == 10


def test_what_waits_for_a_connector_that_does_not_ask_goes_back_to_the_queue(
    stage: Stage, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A modem whose caps are reached asks for hours no more; a crash would put in doubt what waits for it."""
    monkeypatch.setattr(links, "GIVE_BACK_AFTER_S", 0.0)
    for _ in range(20):
        stage.world.send()

    async def story() -> None:
        async with stage.engine() as engine:
            link = await stage.network.link()
            window = await link.take(5)
            await until(lambda: stage.counts() == {SENDING: 10, QUEUED: 10})
            engine.hosts[0].renewed(time.monotonic())
            await until(lambda: stage.counts() == {SENDING: 5, QUEUED: 15})
            window += await link.take(5)
            for submission in window:
                link.outcome(submission, Accepted(""))
            assert len({submission.attempt_id for submission in window}) == 10

    stage.play(story())

    assert stage.counts() == {QUEUED: 10}


def test_stop_gives_back_what_was_not_handed_over_and_waits_for_the_window(stage: Stage, until: Until) -> None:
    """A clean stop leaves nothing in doubt (P12)."""
    for _ in range(20):
        stage.world.send()

    async def serve(link: Link) -> None:
        window = await link.take(5)
        await link.stopped()
        for submission in window:
            link.outcome(submission, Accepted(""))
        with pytest.raises(LinkStopped):
            await link.take(5)

    stage.network.serve = serve

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.counts().get(SENDING) == 10)
            stage.desire("wire", "stopped")
            await until(lambda: stage.connection().engine_id == "")

    stage.play(story())

    assert stage.counts() == {QUEUED: 15}
    assert stage.connection().state == "down"


def test_end_of_the_engine_is_a_clean_stop_of_its_links(stage: Stage, until: Until) -> None:
    for _ in range(20):
        stage.world.send()

    async def serve(link: Link) -> None:
        window = await link.take(5)
        await link.stopped()
        for submission in window:
            link.outcome(submission, Accepted(""))

    stage.network.serve = serve

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.counts().get(SENDING) == 10)

    stage.play(story())

    assert stage.counts() == {QUEUED: 15}
    assert stage.connection().engine_id == ""


def test_connector_that_ignores_the_stop_is_cancelled_and_its_window_is_in_doubt(stage: Stage, until: Until) -> None:
    for _ in range(20):
        stage.world.send()

    async def serve(link: Link) -> None:
        await link.take(5)
        await asyncio.Event().wait()

    stage.network.serve = serve

    async def story() -> None:
        async with stage.engine(grace_s=0.1):
            await until(lambda: stage.counts().get(SENDING) == 10)
            stage.desire("wire", "stopped")
            await until(lambda: stage.connection().engine_id == "")

    stage.play(story())

    assert stage.counts() == {QUEUED: 15, IN_DOUBT: 5}


def test_lost_link_leaves_only_in_doubt_what_was_handed_over(stage: Stage, until: Until) -> None:
    for _ in range(20):
        stage.world.send()

    async def serve(link: Link) -> None:
        if len(stage.network.links) > 1:
            await link.stopped()
            return
        await link.take(5)
        await until(lambda: stage.counts().get(SENDING) == 10)
        raise ConnectionResetError

    stage.network.serve = serve

    async def story() -> None:
        async with stage.engine():
            await until(lambda: IN_DOUBT in stage.counts())
            await until(lambda: SENDING not in stage.counts())

    stage.play(story())

    assert stage.counts() == {QUEUED: 15, IN_DOUBT: 5}


def test_link_that_goes_down_gives_back_what_waits_for_it(stage: Stage, until: Until) -> None:
    """Another link of the provider may take it meanwhile."""
    for _ in range(20):
        stage.world.send()

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            window = await link.take(5)
            await until(lambda: stage.counts().get(SENDING) == 10)
            link.down("the peer went away")
            await until(lambda: stage.counts() == {QUEUED: 15, SENDING: 5})
            window += await link.take(5)
            for submission in window:
                link.outcome(submission, Accepted(""))

    stage.play(story())

    assert stage.counts() == {QUEUED: 10}


def test_submission_that_did_not_leave_is_taken_again(stage: Stage, until: Until) -> None:
    number = stage.world.send()
    attempts: list[int] = []

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            (first,) = await link.take(1)
            link.failed(first, LinkDown("nothing left"))
            (second,) = await link.take(1)
            link.outcome(second, Accepted("n1"))
            attempts.extend((first.attempt_id, second.attempt_id))
            await until(lambda: stage.world.message(number).state == "sent")

    stage.play(story())

    assert attempts[0] < attempts[1]


def test_throttled_link_rests_and_burns_nothing(stage: Stage, until: Until) -> None:
    """The network asks for patience (trap S1): no attempt, no money, no final state."""
    number = stage.world.send()
    rested_s: list[float] = []
    counted: list[int] = []

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            (first,) = await link.take(1)
            link.outcome(first, Throttled(0.4))
            throttled_at = time.monotonic()
            (second,) = await link.take(1)
            rested_s.append(time.monotonic() - throttled_at)
            counted.extend(row.attempt_count for row in stage.world.queue())
            link.outcome(second, Accepted("n1"))
            await until(lambda: stage.world.message(number).state == "sent")

    stage.play(story())

    assert rested_s[0] >= 0.4
    assert counted == [0]
    assert stage.world.money() == ("998", "0")


def test_late_answer_counts_and_a_repeated_one_does_not(stage: Stage, until: Until) -> None:
    number = stage.world.send()

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            (submission,) = await link.take(1)
            link.failed(submission, OutcomeUnknown("no answer came"))
            await until(lambda: stage.world.message(number).state == "in_doubt")
            link.outcome(submission, Accepted("n1"))
            await until(lambda: stage.world.message(number).state == "sent")
            link.outcome(submission, Rejected("1", "a second answer"))
            link.failed(submission, OutcomeUnknown("a third"))
            await link.incoming(Incoming("+36209999999", "+36201111111", text="stored behind them"))

    stage.play(story())

    assert stage.world.message(number).state == "sent"
    assert stage.world.events(number) == ["queued", "sending", "in_doubt", "sent"]


def test_answer_that_says_nothing_leaves_the_submission_in_doubt(stage: Stage, until: Until) -> None:
    number = stage.world.send()

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            (submission,) = await link.take(1)
            link.outcome(submission, None)
            await until(lambda: stage.world.message(number).state == "in_doubt")
            await until(lambda: any("NoneType" in text for text in stage.connection().lines))

    stage.play(story())


def test_two_links_of_a_provider_share_its_queue_without_sharing_a_segment(stage: Stage, until: Until) -> None:
    stage.world.connection("second", provider="wire")
    stage.network.serve = lambda link: stage.network.answer_all(link, lambda _: Accepted(""), room=3)
    for _ in range(30):
        stage.world.send()

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.counts() == {})

    stage.play(story())

    assert len({submission.message_id for submission in stage.network.taken}) == len(stage.network.taken) == 30

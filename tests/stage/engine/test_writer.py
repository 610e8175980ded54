"""The database worker: one bad item harms only itself, a database that is away loses nothing, and a failed COMMIT ends the process."""

import asyncio
import logging
from typing import Any, TypeVar

import pytest
from sqlalchemy import event, select, text, update

from app.engine.process import COMMIT_FAILED_EXIT, Engine
from app.models import Message, ParkedReport
from app.outbox import IN_DOUBT, QUEUED, SENDING
from pennywire import Accepted, CannotStore, Incoming, Report, ReportState

T = TypeVar("T")
Stage = Any
Until = Any
Outage = Any


def parked_count(stage: Stage) -> int:
    with stage.world.core.database.read() as session:
        return session.query(ParkedReport).count()


def test_report_that_cannot_be_stored_harms_only_itself(stage: Stage) -> None:
    """All of them are in one batch, which is rolled back and stored apart."""
    good = [Report((f"n{number}",), ReportState.DELIVERED) for number in range(9)]
    bad = Report((object(),), ReportState.DELIVERED)  # type: ignore[arg-type]  # A plugin may hand over anything.
    fates: list[object] = []

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            reports = [*good[:4], bad, *good[4:]]
            fates.extend(await asyncio.gather(*map(link.report, reports), return_exceptions=True))

    stage.play(story())

    assert [type(fate) for fate in fates] == [type(None)] * 4 + [CannotStore] + [type(None)] * 5
    assert parked_count(stage) == 9


def test_outcome_that_cannot_be_stored_leaves_its_segment_in_doubt(stage: Stage, until: Until) -> None:
    numbers = [stage.world.send() for _ in range(3)]

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            submissions = await link.take(3)
            for submission, network_id in zip(submissions, ("n1", object(), "n3"), strict=True):
                link.outcome(submission, Accepted(network_id))
            await until(lambda: stage.counts() == {IN_DOUBT: 1})

    stage.play(story())

    assert [stage.world.message(number).state for number in numbers] == ["sent", "in_doubt", "sent"]


def test_outcomes_wait_for_a_database_that_is_away(stage: Stage, outage: Outage, until: Until) -> None:
    number = stage.world.send()
    refused: list[BaseException | None] = []

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            (submission,) = await link.take(1)
            outage.away = True
            link.outcome(submission, Accepted("n1"))
            refused.extend(await asyncio.gather(link.incoming(Incoming("+361", "+362", text="x")), return_exceptions=True))
            outage.away = False
            await until(lambda: stage.world.message(number).state == "sent")

    stage.play(story())

    assert isinstance(refused[0], CannotStore)


def test_links_go_on_after_an_outage(stage: Stage, outage: Outage, until: Until) -> None:
    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            outage.away = True
            taking = asyncio.create_task(link.take(1))
            with pytest.raises(CannotStore):
                await link.report(Report(("n",), ReportState.DELIVERED))
            outage.away = False
            stage.world.send()
            (submission,) = await taking
            link.outcome(submission, Accepted(""))
            await until(lambda: stage.counts() == {})

    stage.play(story())


def test_failed_commit_ends_the_process_and_nothing_more_is_written(stage: Stage) -> None:
    """Whether that transaction was kept is not known, so the connection is not trusted (finding 1 of reliability)."""
    stage.world.send()
    codes: list[int] = []

    def fail(_connection: object) -> None:
        raise OSError("the disk is gone")

    async def story() -> None:
        engine = Engine(stage.world.core, grace_s=1.0, watch=False)
        running = asyncio.create_task(engine.run())
        link = await stage.network.link()
        (submission,) = await link.take(1)
        event.listen(stage.world.core.database.engine, "commit", fail)
        link.outcome(submission, Accepted("n1"))
        codes.append(await running)
        event.remove(stage.world.core.database.engine, "commit", fail)

    stage.play(story())

    assert codes == [COMMIT_FAILED_EXIT]
    assert stage.counts() == {SENDING: 1}
    assert stage.connection().engine_id != ""


def test_message_that_cannot_be_made_into_segments_is_refused(stage: Stage, until: Until) -> None:
    stage.network.serve = lambda link: stage.network.answer_all(link, lambda _: Accepted(""))
    broken, sound = stage.world.send(), stage.world.send()
    with stage.world.core.database.write() as session:
        session.execute(update(Message).where(Message.id == broken).values(alphabet="none"))

    async def story() -> None:
        async with stage.engine():
            await until(lambda: stage.world.message(sound).state == "sent")

    stage.play(story())

    message = stage.world.message(broken)
    assert (message.state, message.error_code) == ("rejected", "unsendable")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)  # PostgreSQL lets no row become unreadable.
def test_queue_that_cannot_be_read_stops_no_other(stage: Stage, until: Until, caplog: pytest.LogCaptureFixture) -> None:
    stage.world.connection("other")
    stage.world.user("carla", credit="10", route_override_allowed=True)
    stage.network.serve = lambda link: stage.network.answer_all(link, lambda _: Accepted(""))
    broken = stage.world.send()
    with stage.world.core.database.write() as session:
        session.execute(text("UPDATE messages SET expires_at = 'never'"))

    async def story() -> None:
        async with stage.engine():
            await until(lambda: "nothing can be claimed for connection wire" in caplog.text)
            number = await asyncio.to_thread(stage.world.send, user="carla", provider="other")
            await until(lambda: stage.world.message(number).state == "sent")

    with caplog.at_level(logging.ERROR):
        stage.play(story())

    with stage.world.core.database.read() as session:
        assert session.execute(select(Message.state).where(Message.id == broken)).scalar_one() == "queued"


def test_claim_that_meets_an_empty_queue_waits(stage: Stage) -> None:
    done: list[bool] = []

    async def story() -> None:
        async with stage.engine():
            link = await stage.network.link()
            taking = asyncio.create_task(link.take(1))
            await link.report(Report(("n",), ReportState.ENROUTE))
            done.append(taking.done())
            taking.cancel()

    stage.play(story())

    assert done == [False]
    assert stage.counts().get(QUEUED) is None

"""What time, doubts, take-overs and withdrawals do to messages, on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from app import administration
from app.lifecycle import Remedy, Terms
from app.messages import cancel
from app.outbox import LeaseLost
from app.outcomes import put_in_doubt
from pennywire import (
    Accepted,
    OutcomeUnknown,
    Rejected,
    Report,
    ReportState,
)

World = Any


def test_s3_unanswered_segment_is_in_doubt_and_not_sent_again(world: World, line: Any) -> None:
    number = world.send()

    world.answer(line, (world.claim(line)[0], OutcomeUnknown("timeout")))
    world.sweep(timedelta(hours=1))

    assert world.message(number).state == "in_doubt"
    assert world.claim(line) == []
    assert world.money() == ("100", "2")


def test_late_answer_settles_a_doubt(world: World, line: Any) -> None:
    number = world.send()
    (submission,) = world.claim(line)
    world.answer(line, (submission, OutcomeUnknown("timeout")))

    world.answer(line, (submission, Accepted("n")))

    assert world.message(number).state == "sent"
    assert world.money() == ("98", "0")


def test_report_settles_a_doubt_that_only_it_can_mean(world: World, line: Any) -> None:
    number = world.send()
    world.answer(line, (world.claim(line)[0], OutcomeUnknown("timeout")))

    world.report(line, Report(("77",), ReportState.DELIVERED, destination="+36201234567"))
    world.sweep()

    assert world.message(number).state == "delivered"
    assert world.money() == ("98", "0")


@pytest.mark.parametrize(("remedy", "balance"), [(Remedy.REFUND, "100"), (Remedy.KEEP, "98")])
def test_doubt_ends_at_its_deadline(world: World, remedy: Remedy, balance: str) -> None:
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2", terms=Terms(in_doubt=remedy))
    number = world.send()
    world.answer(connection, (world.claim(connection)[0], OutcomeUnknown("timeout")))

    world.sweep(timedelta(hours=25))

    assert world.message(number).state == "expired"
    assert world.money() == (balance, "0")


def test_doubt_is_resent_once_where_the_route_allows_it(world: World) -> None:
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2", resend_in_doubt=True)
    number = world.send()
    (first,) = world.claim(connection)
    world.answer(connection, (first, OutcomeUnknown("timeout")))

    world.sweep(timedelta(minutes=5))
    (second,) = world.claim(connection)
    world.answer(connection, (second, OutcomeUnknown("timeout")))
    world.sweep(timedelta(minutes=5))

    assert world.claim(connection) == []
    assert world.message(number).state == "in_doubt"


def test_late_acceptance_takes_back_a_resend_that_has_not_left(world: World) -> None:
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2", resend_in_doubt=True)
    number = world.send()
    (first,) = world.claim(connection)
    world.answer(connection, (first, OutcomeUnknown("timeout")))
    world.sweep(timedelta(minutes=5))

    world.answer(connection, (first, Accepted("n")))

    assert world.claim(connection) == []
    assert world.message(number).state == "sent"
    assert world.money() == ("98", "0")


def test_v5_message_that_waits_too_long_expires_and_is_released(world: World, line: Any) -> None:
    number = world.send()

    world.now += timedelta(hours=49)
    assert world.claim(line) == []
    world.sweep()

    assert world.message(number).state == "expired"
    assert world.money() == ("100", "0")


def test_d14_missing_report_is_flagged_and_paid_by_the_terms(world: World) -> None:
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2", terms=Terms(report_missing=Remedy.REFUND))
    number = world.send()
    world.accept(connection, "n")

    world.sweep(timedelta(hours=73))
    world.sweep(timedelta(hours=73))

    message = world.message(number)
    assert (message.state, message.report_missing) == ("sent", True)
    assert world.money() == ("100", "0")


def test_scheduled_message_waits_for_its_time(world: World, line: Any) -> None:
    number = world.send(send_at=world.now + timedelta(hours=2))
    world.sweep(timedelta(hours=1))
    assert (world.message(number).state, world.claim(line)) == ("scheduled", [])

    world.sweep(timedelta(hours=1, seconds=1))

    assert world.message(number).state == "queued"
    assert len(world.claim(line)) == 1


def test_temporary_refusal_goes_to_the_next_provider_then_pauses(world: World) -> None:
    world.user(credit="100")
    first, second = world.connection("first"), world.connection("second")
    world.route(targets=["first", "second"])
    world.send()
    busy = Rejected("0x00000008", "System error", permanent=False)

    world.answer(first, (world.claim(first)[0], busy))
    world.answer(second, (world.claim(second)[0], busy))
    assert (world.claim(first), world.claim(second)) == ([], [])
    world.sweep(timedelta(minutes=3))

    assert len(world.claim(first)) == 1


def test_stopped_provider_hands_its_queue_on(world: World) -> None:
    world.user(credit="100")
    world.connection("first", started=False)
    second = world.connection("second", started=False)
    world.route(targets=["first", "second"])
    world.send()
    with world.core.database.write() as session:
        administration.set_desired(session, "second", "started", plugins=world.core.plugins, now=world.now, actor="test")
    world.core.snapshots.reload()

    world.sweep()

    assert len(world.claim(second)) == 1


def test_claim_with_an_old_token_is_refused(world: World, line: Any) -> None:
    world.send()
    with world.core.database.write() as session:
        world.lease(session, line.id)
    world.tokens[line.id] -= 1

    with pytest.raises(LeaseLost):
        world.claim(line)


def test_take_over_puts_the_old_engine_s_claims_in_doubt(world: World, line: Any) -> None:
    number = world.send()
    (submission,) = world.claim(line)
    with world.core.database.write() as session:
        world.lease(session, line.id)
        put_in_doubt(session, world.core.snapshots.present(), connection_id=line.id, below_token=world.tokens[line.id], now=world.now)
    assert world.message(number).state == "in_doubt"

    world.answer(line, (submission, Accepted("n")))

    assert world.message(number).state == "sent"


def test_cancelled_message_is_released(world: World, line: Any) -> None:
    number, gone = world.send(), world.send("second")
    world.claim(line, 1)
    with world.core.database.write() as session:
        taken = cancel(session, world.core.snapshots.present(), [number, gone], now=world.now, actor="anna")

    assert taken == {gone}
    assert world.message(gone).state == "cancelled"
    assert world.money() == ("100", "2")

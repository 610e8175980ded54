"""Messages whose segments fare differently: state and money follow from each, in whatever order the news comes."""

from datetime import timedelta
from typing import Any

import pytest

from app.lifecycle import ChargeOn, Remedy, Terms
from pennywire import Accepted, Draft, LinkDown, OutcomeUnknown, Rejected, Report, ReportState, Throttled

World = Any
TWO, THREE = "a" * 200, "a" * 400
REFUSED = Rejected("0x0000000B", "Invalid destination address")
BUSY = Rejected("0x00000008", "System error", permanent=False)
UNKNOWN = OutcomeUnknown("no answer")


def furnish(world: World, **values: Any) -> Any:
    """A user with 100 credits, one connection, one route at 2 credits a segment."""
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2", **values)
    return connection


def reported(network_id: str, state: ReportState) -> Report:
    return Report((network_id,), state)


@pytest.mark.parametrize("news", [Throttled(1.0), LinkDown("gone"), BUSY])
def test_segment_that_comes_back_is_not_sent_after_its_sibling_was_refused(world: World, news: Any) -> None:
    line = furnish(world)
    number = world.send(THREE)
    first, second, third = world.claim(line)
    world.answer(line, (first, Accepted("a")), (second, REFUSED))

    world.answer(line, (third, news))

    assert world.message(number).state == "rejected"
    assert [segment.state for segment in world.segments(number)] == ["sent", "rejected", "rejected"]
    assert world.money() == ("98", "0")


def test_segment_that_comes_back_with_its_sibling_s_refusal_is_not_sent(world: World) -> None:
    line = furnish(world)
    number = world.send(TWO)
    first, second = world.claim(line)

    world.answer(line, (first, Throttled(1.0)), (second, REFUSED))

    assert world.message(number).state == "rejected"
    assert world.queue() == []
    assert world.money() == ("100", "0")


def test_message_that_is_in_doubt_and_queued_ends_when_its_time_is_over(world: World) -> None:
    """The link broke in the middle of a message and never came back."""
    line = furnish(world)
    number = world.send(TWO)
    first, second = world.claim(line)
    world.answer(line, (first, UNKNOWN), (second, LinkDown("gone")))
    assert world.message(number).state == "sending"

    world.sweep(timedelta(hours=49))
    world.sweep()

    assert world.message(number).state == "expired"
    assert world.queue() == []
    assert world.money() == ("100", "0")


def test_late_answer_to_a_message_that_expired_in_part_is_paid(world: World) -> None:
    line = furnish(world, terms=Terms(expired=Remedy.REFUND))
    with world.core.database.write() as session:
        from app import administration  # noqa: PLC0415

        administration.set_option(session, "doubt_deadline_s", 7 * 24 * 3600, now=world.now, actor="test")
    world.core.snapshots.reload()
    number = world.send(TWO)
    first, second = world.claim(line)
    world.answer(line, (first, UNKNOWN), (second, LinkDown("gone")))
    world.sweep(timedelta(hours=49))
    assert world.message(number).state == "in_doubt"

    world.answer(line, (first, Accepted("a")))

    assert world.message(number).state == "expired"
    assert world.money() == ("98", "0")


@pytest.mark.parametrize("early", [True, False])
def test_refusal_by_report_costs_the_same_before_and_after_the_last_answer(world: World, early: bool) -> None:
    line = furnish(world)
    number = world.send(TWO)
    first, second = world.claim(line)
    world.answer(line, (first, Accepted("a")))

    if early:
        world.report(line, reported("a", ReportState.REJECTED))
    world.answer(line, (second, Accepted("b")))
    world.report(line, reported("a", ReportState.REJECTED))

    assert world.message(number).state == "rejected"
    assert world.money() == ("96", "0")


def test_doubtful_message_of_which_one_segment_is_refused_for_the_moment_is_sent_again(world: World) -> None:
    line = furnish(world)
    number = world.send(TWO)
    first, second = world.claim(line)
    world.answer(line, (first, UNKNOWN), (second, UNKNOWN))

    world.answer(line, (first, BUSY))

    assert world.message(number).state == "sending"
    assert sorted(row.state for row in world.queue()) == [2, 3]


@pytest.mark.parametrize(("remedy", "balance"), [(Remedy.REFUND, "98"), (Remedy.KEEP, "96")])
def test_doubt_s_deadline_charges_what_was_taken_and_never_what_was_refused(world: World, remedy: Remedy, balance: str) -> None:
    line = furnish(world, terms=Terms(in_doubt=remedy))
    number = world.send(THREE)
    first, second, third = world.claim(line)
    world.answer(line, (first, Accepted("a")), (second, UNKNOWN), (third, REFUSED))

    world.sweep(timedelta(hours=25))

    assert world.message(number).state == "expired"
    assert world.money() == (balance, "0")


def test_only_the_segment_in_doubt_is_resent_and_the_message_cannot_be_taken_back(world: World) -> None:
    line = furnish(world, resend_in_doubt=True)
    number = world.send(TWO)
    first, second = world.claim(line)
    world.answer(line, (first, Accepted("a")), (second, UNKNOWN))

    world.sweep(timedelta(minutes=5))
    assert world.message(number).state == "sending"
    (again,) = world.claim(line)
    world.answer(line, (again, Accepted("b")))

    assert again.segment_index == 1
    assert world.message(number).state == "sent"
    assert world.money() == ("96", "0")


def test_message_with_a_refused_segment_is_not_resent(world: World) -> None:
    line = furnish(world, resend_in_doubt=True)
    world.send(TWO)
    first, second = world.claim(line)
    world.answer(line, (first, REFUSED), (second, UNKNOWN))

    world.sweep(timedelta(minutes=5))

    assert world.claim(line) == []


def test_late_acceptance_counts_while_the_resend_is_under_way(world: World) -> None:
    """The network has the segment; that it refuses the second copy changes nothing."""
    line = furnish(world, resend_in_doubt=True)
    number = world.send()
    (first,) = world.claim(line)
    world.answer(line, (first, UNKNOWN))
    world.sweep(timedelta(minutes=5))
    (second,) = world.claim(line)

    world.answer(line, (first, Accepted("a")))
    world.answer(line, (second, REFUSED))
    world.report(line, reported("a", ReportState.DELIVERED))

    assert world.message(number).state == "delivered"
    assert world.money() == ("98", "0")


def test_late_acceptances_of_both_attempts_in_one_batch_count_once(world: World) -> None:
    line = furnish(world, resend_in_doubt=True)
    number = world.send()
    (first,) = world.claim(line)
    world.answer(line, (first, UNKNOWN))
    world.sweep(timedelta(minutes=5))
    (second,) = world.claim(line)

    world.answer(line, (first, Accepted("a")), (second, Accepted("b")))

    assert [segment.network_id for segment in world.segments(number)] == ["a"]
    assert world.money() == ("98", "0")


def test_late_acceptance_of_a_whole_message_takes_back_its_resend(world: World) -> None:
    line = furnish(world, resend_in_doubt=True)
    number = world.send(TWO)
    (whole,) = world.claim(line, whole_messages=True)
    world.answer(line, (whole, UNKNOWN))
    world.sweep(timedelta(minutes=5))

    world.answer(line, (whole, Accepted("a")))

    assert world.message(number).state == "sent"
    assert world.queue() == []


def test_handset_s_charge_asks_for_a_report_and_ends_without_one(world: World) -> None:
    line = furnish(world, terms=Terms(charge_on=ChargeOn.HANDSET))
    world.send(report_requested=False)
    (submission,) = world.accept(line, "a")
    assert world.money() == ("100", "2")

    world.sweep(timedelta(hours=73))

    assert submission.report_requested
    assert world.money() == ("98", "0")


def test_older_report_does_not_settle_a_doubt(world: World) -> None:
    """It is about a message that somebody else sent to that number."""
    line = furnish(world)
    world.report(line, Report(("77",), ReportState.DELIVERED, destination="+36201234567"))
    world.now += timedelta(hours=1)
    number = world.send()
    world.answer(line, (world.claim(line)[0], UNKNOWN))

    world.sweep()

    assert world.message(number).state == "in_doubt"


def test_report_without_an_id_does_not_settle_a_doubt(world: World) -> None:
    line = furnish(world)
    number = world.send()
    world.answer(line, (world.claim(line)[0], UNKNOWN))

    world.report(line, Report((), ReportState.DELIVERED, destination="+36201234567"))
    world.sweep()

    assert world.message(number).state == "in_doubt"


def test_ten_thousand_messages_are_taken_back_at_once(world: World) -> None:
    furnish(world)
    world.user("bela", credit="20000")
    answer = world.submit(*(Draft(f"+3620{index:07}", "bulk") for index in range(10_000)), user="bela")
    from app.messages import cancel  # noqa: PLC0415

    with world.core.database.write() as session:
        taken = cancel(
            session, world.core.snapshots.present(), [result.message_id for result in answer.results], now=world.now, actor="bela"
        )

    assert len(taken) == 10_000
    assert world.money("bela") == ("20000", "0")

"""The pipe: what becomes of messages, segments, money and events, stage by stage, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app import administration, outbox, unmatched
from app.identifiers import public_id
from app.lifecycle import ChargeOn, Remedy, State, Terms
from app.models import Message, PricingRow
from pennywire import (
    Accepted,
    Concatenation,
    Draft,
    LinkDown,
    PriceRequest,
    PricingRule,
    Quote,
    Rejected,
    Report,
    ReportState,
    Throttled,
)

World = Any
LONG = "a" * 400  # three segments


def delivered(*network_ids: str) -> Report:
    return Report(network_ids, ReportState.DELIVERED)


def failed(*network_ids: str) -> Report:
    return Report(network_ids, ReportState.UNDELIVERABLE, error_code="027")


def test_message_is_charged_sent_and_delivered(world: World, line: Any) -> None:
    number = world.send()
    assert world.money() == ("100", "2")

    (submission,) = world.accept(line, "n1")
    world.report(line, delivered("n1"))

    message = world.message(number)
    assert (message.state, message.folder, message.report_due_at) == ("delivered", 3, None)
    assert (submission.text, submission.destination, submission.user_data) == ("hello", "+36201234567", b"hello")
    assert world.money() == ("98", "0")
    assert world.events(number) == ["queued", "sending", "sent", "delivered"]
    assert world.queue() == []


def test_refused_message_gets_its_money_back(world: World, line: Any) -> None:
    number = world.send()

    world.answer(line, (world.claim(line)[0], Rejected("0x0000000B", "Invalid destination address")))

    message = world.message(number)
    assert (message.state, message.folder, message.error_code) == ("rejected", 4, "0x0000000B")
    assert world.money() == ("100", "0")


@pytest.mark.usefixtures("line")
def test_too_long_a_text_is_refused_beside_one_that_fits(world: World) -> None:
    answer = world.submit(Draft("+36201111111", LONG * 16), Draft("+36202222222", "fits"))

    assert [getattr(result, "code", "ok") for result in answer.results] == ["text_too_long", "ok"]
    assert world.money() == ("100", "2")


def test_exactly_enough_credit_is_enough(world: World) -> None:
    world.user(credit="2")
    world.connection()
    world.route(cost="2")

    first, second = world.submit(Draft("+36201111111", "a"), Draft("+36201111112", "b")).results

    assert first.price_uc == 2_000_000
    assert second.code == "no_credit"
    assert world.money() == ("2", "2")


def test_user_without_accounting_is_not_charged(world: World) -> None:
    world.user(accounting_enabled=False)
    connection = world.connection()
    world.route(cost="5")
    world.send()

    world.accept(connection, "n")

    assert world.money() == ("0", "0")


@pytest.mark.usefixtures("line")
def test_same_key_and_content_is_one_message(world: World) -> None:
    first = world.submit(Draft("+36201234567", "x"), key="k", fingerprint="f")
    second = world.submit(Draft("+36201234567", "x"), key="k", fingerprint="f")

    assert second.replayed
    assert second.results == first.results
    assert len(world.messages()) == 1


def test_segments_accepted_and_refused_settle_in_part(world: World, line: Any) -> None:
    """The second segment is refused for good: the third is not sent, the first is paid, the rest given back."""
    number = world.send(LONG)
    first, second = world.claim(line, 2)

    world.answer(line, (first, Accepted("a")), (second, Rejected("0x0000000B", "no")))

    assert world.message(number).state == "rejected"
    assert [segment.state for segment in world.segments(number)] == ["sent", "rejected", "rejected"]
    assert world.money() == ("98", "0")
    assert world.queue() == []


def test_long_message_is_delivered_when_all_segments_are(world: World, line: Any) -> None:
    number = world.send(LONG)
    submissions = world.accept(line, "a", "b", "c")

    world.report(line, delivered("a"), delivered("c"))
    assert world.message(number).state == "sent"
    world.report(line, delivered("b"))

    assert [item.concatenation for item in submissions] == [Concatenation(1, 3, index) for index in (1, 2, 3)]
    assert world.message(number).state == "delivered"
    assert world.money() == ("94", "0")


def test_d8_report_before_the_response_is_parked_and_matched(world: World, line: Any) -> None:
    number = world.send()
    (submission,) = world.claim(line)

    world.report(line, delivered("255", "ff"))
    world.answer(line, (submission, Accepted("ff")))

    assert world.message(number).state == "delivered"
    assert world.events(number) == ["queued", "sending", "sent", "delivered"]


def test_d9_repeated_report_changes_nothing(world: World, line: Any) -> None:
    number = world.send()
    world.accept(line, "n")
    world.report(line, delivered("n"))

    world.report(line, delivered("n"), delivered("n"))

    assert world.events(number) == ["queued", "sending", "sent", "delivered"]


def test_d11_contradicting_report_is_noted_only(world: World, line: Any) -> None:
    number = world.send()
    world.accept(line, "n")

    world.report(line, failed("n"))
    world.report(line, delivered("n"))

    assert world.message(number).state == "undeliverable"
    assert world.events(number) == ["queued", "sending", "sent", "undeliverable", "report"]


def test_d12_report_days_late_meets_its_message_and_strangers_are_counted(world: World, line: Any) -> None:
    """The id of a segment is kept for as long as the segment; a report that meets none is parked for 14 days and counted."""
    number = world.send()
    world.accept(line, "n")
    world.sweep(timedelta(days=9))

    world.report(line, delivered("n"), delivered("stranger"))

    assert State.DELIVERED in {segment.state for segment in world.segments(number)}
    with world.core.database.read() as session:
        connection = administration.find_connection(session, "wire")
        assert unmatched.inspect(session, connection).report_count == 1
    world.sweep(timedelta(days=14))
    with world.core.database.read() as session:
        assert unmatched.inspect(session, connection).report_count == 0


def test_s16_report_counts_only_within_the_provider(world: World, line: Any) -> None:
    other = world.connection("other")
    number = world.send()
    world.accept(line, "n")

    world.report(other, delivered("n"))

    assert world.message(number).state == "sent"


@pytest.mark.parametrize(
    ("terms", "balance"),
    [
        (Terms(), "98"),
        (Terms(undeliverable=Remedy.REFUND), "100"),
        (Terms(charge_on=ChargeOn.HANDSET), "98"),
        (Terms(charge_on=ChargeOn.HANDSET, undeliverable=Remedy.REFUND), "100"),
    ],
)
def test_undelivered_message_is_paid_as_its_terms_say(world: World, terms: Terms, balance: str) -> None:
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2", terms=terms)
    world.send()
    world.accept(connection, "n")

    world.report(connection, failed("n"))
    world.report(connection, failed("n"))

    assert world.money() == (balance, "0")


def test_s1_throttled_segment_goes_back_without_burning_an_attempt(world: World, line: Any) -> None:
    number = world.send()

    world.answer(line, (world.claim(line)[0], Throttled(1.0)))

    assert world.message(number).state == "queued"
    assert [(row.state, row.attempt_count, row.attempt_id) for row in world.queue()] == [(0, 0, None)]
    assert world.money() == ("100", "2")


def test_segment_that_never_left_goes_back(world: World, line: Any) -> None:
    number = world.send()

    world.answer(line, (world.claim(line)[0], LinkDown("gone")))

    assert world.message(number).state == "queued"
    assert len(world.claim(line)) == 1


def test_claim_takes_turns_among_users_and_honours_priority(world: World) -> None:
    for name in ("anna", "bela", "cora"):
        world.user(name, credit="1000")
    connection = world.connection()
    world.route()
    world.submit(*(Draft(f"+3620{index:07}", "bulk") for index in range(50)), user="anna")
    world.submit(Draft("+36301111111", "plain"), Draft("+36302222222", "urgent", priority=3), user="bela")
    world.send("one", user="cora")

    texts = [item.text for item in world.claim(connection, 6)]

    assert sorted(texts) == ["bulk", "bulk", "bulk", "one", "plain", "urgent"]
    assert texts.index("urgent") < texts.index("plain")


def test_whole_messages_are_claimed_and_answered_at_once(world: World, line: Any) -> None:
    number = world.send(LONG)
    (submission,) = world.claim(line, whole_messages=True)

    world.answer(line, (submission, Accepted("n")))
    world.report(line, delivered("n"))

    assert (submission.text, submission.segment_count) == (LONG, 3)
    assert world.message(number).state == "delivered"
    assert world.money() == ("94", "0")


def test_message_that_cannot_be_cut_any_more_does_not_block_the_queue(world: World, line: Any) -> None:
    """A row that was spoiled after it was accepted is handed to nobody; what waits behind it is."""
    spoiled, sound = world.send("first"), world.send("second")
    with world.core.database.write() as session:
        session.execute(update(Message).where(Message.id == spoiled).values(text="\u0151", alphabet="gsm7"))

    with world.core.database.write() as session:
        claim = outbox.claim(session, line, token=world.tokens[line.id], room=10, ids=world.core.ids, now=world.now)

    assert [item.message_id for item in claim.submissions] == [public_id(sound)]
    assert [item.message_id for item in claim.spoiled] == [spoiled]


def test_pricing_rule_that_raises_refuses_and_sells_nothing_unpriced(world: World) -> None:
    class Broken(PricingRule):
        kind = "broken"
        label = "Broken"

        def quote(self, request: PriceRequest) -> Quote | None:
            raise RuntimeError(request.destination)

    world.user(credit="100")
    world.connection()
    world.route()
    world.core.plugins.pricing_rules["broken"] = Broken
    with world.core.database.write() as session:
        session.add(PricingRow(position=1, name="list", kind="broken", settings={}, enabled=True))
        administration.changed(session)
    world.core.snapshots.reload()

    (result,) = world.submit(Draft("+36201234567", "x")).results

    assert (result.code, world.queue()) == ("no_price", [])

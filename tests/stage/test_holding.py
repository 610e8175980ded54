"""Incoming messages that wait for credit: charged once, in order, when there is some; never lost."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app import administration, holding, mailbox, messages, verify
from app.ledger import MICRO, parse_credits
from app.lifecycle import Folder, NoCredit, Remedy, Terms
from app.models import HeldMessage
from pennywire import Accepted, Draft, Incoming, Report, ReportState

World = Any


@pytest.fixture
def waiting(world: World) -> Any:
    """A customer without credit, and a route whose messages wait at 2 credits a segment; returns how a message comes."""
    world.user()
    wire = world.connection()
    world.route("in", ["anna"], inward=True, cost="2", no_credit=NoCredit.HOLD)

    def come(text: str = "x") -> int:
        world.receive(wire, Incoming("+36205555555", "1700", text=text))
        world.now += timedelta(seconds=1)
        return int(world.messages("inbound")[-1].id)

    world.wire = wire
    return come


def pay(world: World, amount: str) -> None:
    world.core.database.run(
        lambda session: administration.top_up(session, "anna", parse_credits(amount), now=world.now, actor="root", reason="test")
    )


def states(world: World) -> list[str]:
    return [message.state for message in world.messages("inbound")]


def held_count(world: World) -> int:
    with world.core.database.read() as session:
        return int(session.execute(select(func.count()).select_from(HeldMessage)).scalar_one())


def correct(world: World) -> bool:
    with world.core.database.read() as session:
        return verify.verify(session).correct


def test_messages_are_delivered_in_their_order_as_far_as_the_credit_goes(world: World, waiting: Any) -> None:
    numbers = [waiting() for _ in range(3)]
    assert (states(world), world.sweep()["held"]) == (["held"] * 3, 0)

    pay(world, "5")
    done = [world.sweep()["held"], world.sweep()["held"]]

    assert (done, states(world), world.money()) == ([2, 0], ["delivered", "delivered", "held"], ("1", "0"))
    assert [world.events(number) for number in numbers] == [["held", "received"], ["held", "received"], ["held"]]
    pay(world, "1")
    world.sweep()
    assert (states(world)[-1], world.money(), held_count(world), correct(world)) == ("delivered", ("0", "0"), 0, True)


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_cheap_message_does_not_overtake_a_dear_one(world: World, waiting: Any) -> None:
    route = next(iter(world.core.snapshots.present().inbound))
    waiting()
    world.route("in", ["anna"], inward=True, cost="0.5", no_credit=NoCredit.HOLD, route_id=route.id)
    waiting()

    pay(world, "1")
    world.sweep()
    assert states(world) == ["held", "held"]
    pay(world, "1.5")
    world.sweep()

    assert (states(world), world.money()) == (["delivered", "delivered"], ("0", "0"))


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_price_is_that_of_the_arrival(world: World, waiting: Any) -> None:
    route = next(iter(world.core.snapshots.present().inbound))
    waiting()
    world.route("in", ["anna"], inward=True, cost="7", no_credit=NoCredit.HOLD, route_id=route.id)

    pay(world, "10")
    world.sweep()

    assert world.money() == ("8", "0")


@pytest.mark.parametrize(
    "how",
    ["refund", *(pytest.param(word, marks=pytest.mark.full) for word in ("correction", "credit line", "unlimited", "no accounting"))],
)
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_whatever_brings_credit_delivers(world: World, waiting: Any, how: str) -> None:
    def do(work: Any, *values: Any, **named: Any) -> None:
        world.core.database.run(lambda session: work(session, "anna", *values, now=world.now, actor="root", **named))
        world.core.snapshots.reload()

    money = {"correction": "0", "credit line": "-2", "unlimited": "-2", "no accounting": "0", "refund": "0"}
    if how == "refund":
        pay(world, "2")
        world.route(cost="2", terms=Terms(undeliverable=Remedy.REFUND))
        world.send()
        world.accept(world.wire, "n1")
    waiting()
    match how:
        case "correction":
            do(administration.top_up, 2 * MICRO, reason="test")
        case "credit line":
            do(administration.edit_account, limit_uc=-2 * MICRO, unlimited=False)
        case "unlimited":
            do(administration.edit_account, limit_uc=0, unlimited=True)
        case "no accounting":
            do(administration.edit_user, accounting_enabled=False)
        case "refund":
            world.report(world.wire, Report(("n1",), ReportState.UNDELIVERABLE))
    world.sweep()

    assert (states(world), world.money(), held_count(world)) == (["delivered"], (money[how], "0"), 0)


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_held_message_is_neither_handed_out_nor_deleted_nor_marked(world: World, waiting: Any) -> None:
    number = waiting("secret")
    user_id = world.core.snapshots.present().users["anna"].id

    def read(session: Any, after: str = "mark") -> list[str]:
        found = mailbox.download(session, user_id, Folder.INBOX, 10, after=after, unread_only=True, now=world.now)
        return [message.text for message in found]

    run = world.core.database.run
    before = run(read)
    run(lambda session: mailbox.delete(session, user_id, [number], now=world.now))
    run(lambda session: mailbox.mark(session, user_id, [number], now=world.now))
    pay(world, "2")
    world.sweep()

    assert (before, run(read), run(read)) == ([], ["secret"], [])


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_message_that_was_taken_back_waits_no_longer_and_costs_nothing(world: World, waiting: Any) -> None:
    number = waiting()
    world.core.database.run(lambda session: messages.cancel(session, world.core.snapshots.present(), [number], now=world.now, actor="anna"))

    pay(world, "2")
    world.sweep()

    assert (states(world), world.money(), held_count(world)) == (["cancelled"], ("2", "0"), 0)


def test_two_sweepers_at_once_charge_once(world: World, waiting: Any) -> None:
    """A lease may be lost in the middle of a turn, and another engine begins."""
    waiting()
    pay(world, "10")
    snapshot = world.core.snapshots.present()
    counts = [world.core.database.run(lambda session: holding.release(session, snapshot, now=world.now)) for _ in range(2)]

    assert (counts, world.money(), correct(world)) == ([1, 0], ("8", "0"), True)


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_outgoing_messages_take_credit_before_what_waits(world: World, waiting: Any) -> None:
    world.route(cost="2")
    waiting()
    pay(world, "2")
    (result,) = world.submit(Draft("+36201234567", "x")).results

    world.sweep()

    assert (result.state, states(world), world.money()) == ("queued", ["held"], ("2", "2"))
    world.answer(world.wire, *((item, Accepted("n")) for item in world.claim(world.wire)))
    assert correct(world)

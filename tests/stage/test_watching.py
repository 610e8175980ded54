"""Watched accounts: warnings once for each threshold, suspension for want of credit, release when there is some."""

from typing import Any

import pytest
from sqlalchemy import select

from app import administration, notices, watching
from app.administration import Conflict, InvalidField, Warnings
from app.ledger import MICRO, parse_credits
from app.models import AuditEntry
from pennywire import Draft, Incoming

World = Any
Line = Any


def do(world: World, work: Any, *values: Any, **named: Any) -> Any:
    result = world.core.database.run(lambda session: work(session, *values, now=world.now, actor="root", **named))
    world.core.snapshots.reload()
    return result


def watch(world: World, *thresholds: str, **bounds: str) -> None:
    """Say when anna is warned and suspended."""
    amounts = {f"{name}_uc": parse_credits(text) for name, text in bounds.items()}
    wanted = Warnings(tuple(parse_credits(text) for text in thresholds), "anna@example.com", "https://example.com/credit", **amounts)
    do(world, administration.set_warnings, "anna", wanted)


def look(world: World) -> int:
    """Do what the engine does once a second; return how many accounts it had something to do with."""
    with world.core.database.read() as session:
        found = watching.crossed(session)
    world.core.database.run(lambda session: watching.act(session, found, now=world.now))
    world.core.snapshots.reload()
    return len(found)


def have(world: World, credits_: str) -> None:
    """Let anna have so much credit left to spend."""
    do(world, administration.set_credits, "anna", parse_credits(credits_), reason="story")


def told(world: World) -> list[tuple[str, int | None, bool]]:
    """Return kind, threshold and whether it is over, of every notice, oldest first."""
    with world.core.database.read() as session:
        account = administration.account_of(session, administration.find_user(session, "anna"))
        found = notices.notices_of(session, account.id)
    return [(item.kind, item.threshold_uc and item.threshold_uc // MICRO, item.over_at is not None) for item in reversed(found)]


def code(world: World) -> str:
    (result,) = world.submit(Draft("+36201234567", "hello")).results
    return getattr(result, "code", "accepted")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_warning_is_raised_once_and_armed_again_above_its_threshold(world: World) -> None:
    world.user(credit="100")
    watch(world, "20", "5")
    assert look(world) == 0

    have(world, "19.999999")
    counts = [look(world), look(world)]
    have(world, "10")
    counts.append(look(world))
    have(world, "20")
    counts.append(look(world))
    assert counts == [1, 0, 0, 0]
    assert told(world) == [("low_credit", 20, False)]

    have(world, "20.000001")
    look(world)
    have(world, "19")
    look(world)

    assert told(world) == [("low_credit", 20, True), ("low_credit", 20, False)]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_every_threshold_that_is_passed_is_told_and_the_page_shows_the_lowest(world: World) -> None:
    user = world.user(credit="100")
    watch(world, "5", "20", "50")

    have(world, "4")
    look(world)

    with world.core.database.read() as session:
        shown = notices.open_notices(session, user_id=world.core.snapshots.present().users[user].id)
    assert told(world) == [("low_credit", 50, False), ("low_credit", 20, False), ("low_credit", 5, False)]
    assert [(item.threshold_uc, item.available_uc) for item in shown] == [(5 * MICRO, 4 * MICRO)]
    assert "below 5: 4 are left" in shown[0].text


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_reservations_count_and_a_credit_line_is_left_to_spend(world: World, line: Line) -> None:  # noqa: ARG001  # it can be sent on
    watch(world, "95")
    have(world, "96")
    look(world)
    world.send()
    do(world, administration.edit_account, "anna", limit_uc=-10 * MICRO, unlimited=False)
    assert look(world) == 0

    do(world, administration.edit_account, "anna", limit_uc=0, unlimited=False)
    look(world)

    assert told(world) == [("low_credit", 95, False)]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_notice_goes_to_the_account_the_operator_and_the_callback(world: World) -> None:
    do(world, administration.set_mail, {"operator_address": "ops@example.com"}, vault=world.core.vault)
    world.user(credit="1")
    watch(world, "20")
    look(world)

    with world.core.database.read() as session:
        found = [item for way in ("mail", "callback") for item in notices.due(session, way, 10, now=world.now)]
    assert [(item.way, item.target) for item in found] == [
        ("mail", "anna@example.com"),
        ("mail", "ops@example.com"),
        ("callback", "https://example.com/credit"),
    ]


def test_suspended_account_sends_nothing_receives_and_is_released_by_credit(world: World, line: Line) -> None:
    world.route("in", ["anna"], inward=True)
    watch(world, suspend_below="10", release_above="50")
    before = code(world)

    have(world, "9")
    look(world)
    refused = code(world)
    world.receive(line, Incoming("+36205555555", "1700", text="x"))
    have(world, "50")
    assert look(world) == 0
    still = code(world)
    have(world, "50.5")
    look(world)

    assert [before, refused, still, code(world)] == ["accepted", "account_suspended", "account_suspended", "accepted"]
    assert [message.state for message in world.messages("inbound")] == ["delivered"]
    assert told(world) == [("suspended", 10, True), ("released", None, True)]
    with world.core.database.read() as session:
        verbs = session.scalars(select(AuditEntry.verb).where(AuditEntry.actor == "gateway").order_by(AuditEntry.id)).all()
    assert list(verbs) == ["suspend account", "release account"]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_release_by_hand_holds_until_there_was_credit_in_between(world: World, line: Line) -> None:  # noqa: ARG001  # it can be sent on
    watch(world, suspend_below="10", release_above="50")
    have(world, "9")
    look(world)

    do(world, administration.release_account, "anna", reason="He pays tomorrow")
    assert [look(world), code(world)] == [0, "accepted"]
    have(world, "60")
    look(world)
    have(world, "9")
    look(world)

    assert code(world) == "account_suspended"


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_suspension_by_hand_is_not_ended_by_credit(world: World, line: Line) -> None:  # noqa: ARG001  # it can be sent on
    watch(world, suspend_below="10")
    do(world, administration.suspend_account, "anna", reason="Complaints about spam")
    have(world, "1000")
    look(world)

    (result,) = world.submit(Draft("+36201234567", "hello")).results
    assert (result.code, "Complaints about spam." in result.reason) == ("account_suspended", True)
    with pytest.raises(Conflict):
        do(world, administration.suspend_account, "anna", reason="again")
    do(world, administration.release_account, "anna", reason="Cleared")
    with pytest.raises(Conflict):
        do(world, administration.release_account, "anna", reason="Cleared")
    assert code(world) == "accepted"


@pytest.mark.full
@pytest.mark.parametrize("change", ["unlimited", "no accounting", "switched off"])
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_account_that_cannot_want_credit_is_released(world: World, line: Line, change: str) -> None:  # noqa: ARG001  # it can be sent on
    watch(world, "20", suspend_below="10")
    have(world, "9")
    look(world)
    match change:
        case "unlimited":
            do(world, administration.edit_account, "anna", limit_uc=0, unlimited=True)
        case "no accounting":
            do(world, administration.edit_user, "anna", accounting_enabled=False)
        case "switched off":
            watch(world, "20")
    look(world)

    assert code(world) == "accepted"
    assert look(world) == 0


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_scheduled_message_of_a_suspended_account_still_goes_out(world: World, line: Line) -> None:
    number = world.send()
    do(world, administration.suspend_account, "anna", reason="Unpaid")

    world.accept(line, "n1")

    assert world.message(number).state == "sent"


@pytest.mark.full
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("email", {"email": "anna"}),
        ("email", {"email": "a@b, c@d"}),
        ("callback_url", {"callback_url": "http://127.0.0.1/x"}),
        ("callback_url", {"callback_url": "ftp://example.com/x"}),
        ("thresholds", {"thresholds_uc": (-1,)}),
        ("thresholds", {"thresholds_uc": tuple(range(11))}),
        ("release_above", {"suspend_below_uc": 10, "release_above_uc": 9}),
        ("suspend_below", {"release_above_uc": 9}),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_warning_that_cannot_be_is_refused_by_its_field(world: World, field: str, values: dict[str, Any]) -> None:
    world.user()

    with pytest.raises(InvalidField) as refused:
        do(world, administration.set_warnings, "anna", Warnings(**values))

    assert refused.value.field == field

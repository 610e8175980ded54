"""The duties beside the pipe, in a real engine: warnings that arrive, callbacks that fail and come again, the nightly check."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import select, text
from werkzeug import Request, Response

from app import administration, nightly, notices
from app.administration import Warnings
from app.engine.couriers import Courier, NightlyCheck, Watcher
from app.ledger import MICRO
from app.lifecycle import NoCredit
from app.models import LedgerCheck, NoticeDelivery
from pennywire import Incoming

Stage = Any
Until = Any
PostOffice = Any


def do(stage: Stage, work: Any, *values: Any, **named: Any) -> Any:
    world = stage.world
    result = world.core.database.run(lambda session: work(session, *values, now=world.now, actor="root", **named))
    world.core.snapshots.reload()
    return result


def set_up(stage: Stage, office: PostOffice, url: str) -> None:
    """Let anna, who has 1,000 credits, be warned below 100 and suspended below 10."""
    mail = {"mail_host": "localhost", "mail_port": office.port, "mail_tls": "none", "mail_from": "gateway@example.com"}
    do(stage, administration.set_mail, mail | {"operator_address": "ops@example.com"}, vault=stage.world.core.vault)
    do(stage, administration.set_gateway_options, {"callback_hosts": "localhost"})
    wanted = Warnings((100 * MICRO,), "anna@example.com", url, 10 * MICRO, 50 * MICRO)
    do(stage, administration.set_warnings, "anna", wanted)


def have(stage: Stage, credits_: int) -> None:
    do(stage, administration.set_credits, "anna", credits_ * MICRO, reason="story")


def deliveries(stage: Stage) -> list[tuple[str, int, bool, str]]:
    """Return way, tries, whether it has arrived, and the last error of each delivery."""
    with stage.world.core.database.read() as session:
        rows = session.scalars(select(NoticeDelivery).order_by(NoticeDelivery.id))
        return [(row.way, row.try_count, row.delivered_at is not None, row.last_error) for row in rows]


def turns(duty: Any, condition: Callable[[], bool]) -> None:
    """Do turns of a duty until something holds; what it started runs in threads."""
    pause = threading.Event()
    for _ in range(500):
        duty.turn()
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("It never happened.")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_warning_reaches_mail_and_callback_and_the_account_is_suspended(
    stage: Stage, until: Until, post_office: Callable[..., PostOffice], httpserver: HTTPServer
) -> None:
    office = post_office()
    said: list[dict[str, Any]] = []

    def take(request: Request) -> Response:
        said.append(request.get_json())
        return Response()

    httpserver.expect_request("/credit").respond_with_handler(take)
    set_up(stage, office, httpserver.url_for("/credit"))

    async def story() -> None:
        async with stage.engine():
            have(stage, 9)
            await until(lambda: stage.world.core.snapshots.reload().users["anna"].suspended)
            await until(lambda: len(deliveries(stage)) == 6 and all(done for _, _, done, _ in deliveries(stage)))

    stage.play(story())

    assert sorted(mail["To"] for mail in office.mails) == ["anna@example.com"] * 2 + ["ops@example.com"] * 2
    assert {mail["Subject"] for mail in office.mails} == {"Pennywire: credit runs low (anna)", "Pennywire: account suspended (anna)"}
    low, suspended = sorted(said, key=lambda item: item["notice"])
    assert (low["kind"], low["username"], low["threshold"], low["available"]) == ("low_credit", "anna", "100", "9")
    assert (suspended["kind"], suspended["threshold"]) == ("suspended", "10")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_held_message_is_delivered_within_two_seconds_of_the_credit(stage: Stage, until: Until) -> None:
    world = stage.world
    world.route("in", ["anna"], inward=True, cost="5", no_credit=NoCredit.HOLD)
    have(stage, 0)
    world.receive(stage.line, Incoming("+36205555555", "1700", text="x"))

    async def story() -> None:
        async with stage.engine():
            await until(lambda: world.messages("inbound")[0].state == "held")
            have(stage, 5)
            await until(lambda: world.messages("inbound")[0].state == "delivered", within_s=2.0)

    stage.play(story())

    assert world.money() == ("0", "0")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_callback_that_fails_comes_again_after_a_pause_that_grows(
    stage: Stage, post_office: Callable[..., PostOffice], httpserver: HTTPServer
) -> None:
    world = stage.world
    httpserver.expect_ordered_request("/credit").respond_with_data("", 500)
    httpserver.expect_ordered_request("/credit").respond_with_data("", 503)
    httpserver.expect_ordered_request("/credit").respond_with_data("")
    set_up(stage, post_office(), httpserver.url_for("/credit"))
    have(stage, 99)
    Watcher(world.core).turn()
    courier = Courier(world.core)

    def callback() -> tuple[str, int, bool, str]:
        return next(line for line in deliveries(stage) if line[0] == "callback")

    turns(courier, lambda: callback()[1] == 1)
    first = callback()
    world.now += timedelta(seconds=9)
    courier.turn()
    world.now += timedelta(seconds=2)
    turns(courier, lambda: callback()[1] == 2)
    second = callback()
    world.now += timedelta(seconds=21)
    turns(courier, lambda: callback()[2])

    assert (first, second, callback()) == (
        ("callback", 1, False, "The other side answered 500."),
        ("callback", 2, False, "The other side answered 503."),
        ("callback", 3, True, ""),
    )
    assert len(httpserver.log) == 3


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_mail_server_that_hangs_keeps_no_callback_waiting(
    stage: Stage, post_office: Callable[..., PostOffice], httpserver: HTTPServer
) -> None:
    office = post_office()
    office.hold = threading.Event()
    httpserver.expect_request("/credit").respond_with_data("")
    set_up(stage, office, httpserver.url_for("/credit"))
    have(stage, 99)
    Watcher(stage.world.core).turn()
    courier = Courier(stage.world.core)

    turns(courier, lambda: any(line[0] == "callback" and line[2] for line in deliveries(stage)))
    mails = [line[2] for line in deliveries(stage) if line[0] == "mail"]
    office.hold.set()
    turns(courier, lambda: all(line[2] for line in deliveries(stage)))

    assert mails == [False, False]


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_delivery_is_given_up_after_three_days_and_says_why(stage: Stage) -> None:
    """Without a mail server the notice waits for one, and is not lost."""
    world = stage.world
    do(stage, administration.set_mail, {"operator_address": "ops@example.com"}, vault=world.core.vault)
    do(stage, administration.set_warnings, "anna", Warnings((2000 * MICRO,)))
    Watcher(world.core).turn()
    courier = Courier(world.core)
    turns(courier, lambda: deliveries(stage)[0][1] == 1)
    world.now += timedelta(days=3)
    turns(courier, lambda: deliveries(stage)[0][1] == 2)

    with world.core.database.read() as session:
        account = administration.account_of(session, administration.find_user(session, "anna"))
        ((way,),) = (notice.deliveries for notice in notices.notices_of(session, account.id))
    assert (way.state, way.last_error) == ("given up", "No mail server is set. Set one under System / Mail.")


# The nightly check.


def checks(stage: Stage) -> list[LedgerCheck]:
    with stage.world.core.database.read() as session:
        return nightly.last_checks(session)


def test_ledger_is_checked_once_a_night_and_a_fault_is_an_alarm(stage: Stage) -> None:
    world = stage.world
    do(stage, administration.set_mail, {"operator_address": "ops@example.com"}, vault=world.core.vault)
    do(stage, administration.set_gateway_options, {"ledger_check_hour": "3", "time_zone": "Europe/Budapest"})
    duty = NightlyCheck(world.core)
    duty.turn()
    assert checks(stage) == []

    world.now = datetime.fromisoformat("2026-03-02T01:59:59+00:00")
    duty.turn()
    assert checks(stage) == []
    world.now = datetime.fromisoformat("2026-03-02T02:00:00+00:00")
    duty.turn()
    duty.turn()
    (good,) = checks(stage)
    with world.core.database.write() as session:
        session.execute(text("UPDATE accounts SET balance_uc = balance_uc + 1 WHERE user_id IS NOT NULL"))
    world.now += timedelta(days=1)
    duty.turn()
    bad = checks(stage)[0]

    assert (good.correct, good.totals["messages"], good.counts) == (True, 0, {})
    assert (bad.correct, len(bad.findings)) == (False, sum(bad.counts.values()))
    assert any(finding["subject"].startswith("account user:") for finding in bad.findings)
    with world.core.database.read() as session:
        (alarm,) = notices.open_notices(session, gateway_only=True)
        (due,) = notices.due(session, "mail", 10, now=world.now)
    assert (alarm.kind, due.target) == ("ledger_fault", "ops@example.com")

    with world.core.database.write() as session:
        session.execute(text("UPDATE accounts SET balance_uc = balance_uc - 1 WHERE user_id IS NOT NULL"))
    world.now += timedelta(days=1)
    duty.turn()

    with world.core.database.read() as session:
        assert notices.open_notices(session, gateway_only=True) == []


@pytest.mark.parametrize(
    ("hour", "now", "due_at"),
    [
        ("3", "2026-03-02T02:59:00+00:00", "2026-03-01T03:00:00+00:00"),
        ("3", "2026-03-02T03:00:00+00:00", "2026-03-02T03:00:00+00:00"),
        ("0", "2026-03-02T23:59:00+00:00", "2026-03-02T00:00:00+00:00"),
        ("off", "2026-03-02T03:00:00+00:00", None),
    ],
)
def test_hour_says_when_the_last_check_was_due(hour: str, now: str, due_at: str | None) -> None:
    found = nightly.last_due({"ledger_check_hour": hour}, now=datetime.fromisoformat(now))

    assert found == (None if due_at is None else datetime.fromisoformat(due_at))


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_check_whose_engine_died_or_that_failed_is_begun_again(stage: Stage) -> None:
    world = stage.world
    options: dict[str, Any] = {}

    def begin() -> int | None:
        found: int | None = world.core.database.run(lambda session: nightly.begin(session, options, now=world.now))
        return found

    world.now += timedelta(days=1)
    first = begin()
    world.now += timedelta(hours=1)
    early = begin()
    world.now += timedelta(hours=1, minutes=1)
    second = begin()
    world.core.database.run(lambda session: nightly.give_up(session, second, "The database is away.", now=world.now))
    again = [begin()]
    world.now += timedelta(minutes=11)
    again.append(begin())

    assert (early, again[0]) == (None, None)
    assert None not in (first, second, again[1])
    with world.core.database.read() as session:
        assert ["could not be finished" in notice.text for notice in notices.open_notices(session, gateway_only=True)] == [True]

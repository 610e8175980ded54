"""Period limits: what is counted, when it is refused, what is given back, and by which calendar."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from app import administration, verify
from app.administration import NotThere
from app.ledger import MICRO
from app.lifecycle import NoCredit, Remedy, Terms
from app.models import Account, AccountUsage, AuditEntry
from app.refusals import Refused
from app.withdrawals import cancel
from pennywire import Accepted, Draft, Incoming, Rejected, Report, ReportState

World = Any
pytestmark = pytest.mark.parametrize(
    "database_url", ["sqlite_url", pytest.param("postgres_url", marks=[pytest.mark.full, pytest.mark.postgres])], indirect=True
)
LONG = "x" * 200  # two segments


class Office:
    """What an operator does to limits, and reads of them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def do(self, change: Any, *words: Any, **values: Any) -> None:
        with self.world.core.database.write() as session:
            change(session, *words, now=self.world.now, actor="test", **values)
        self.world.core.snapshots.reload()

    def limit(self, period: str, unit: str, most: int, user: str = "anna") -> None:
        self.do(administration.set_limit, user, period, unit, most * MICRO if unit == "credits" else most)

    def used(self, user: str = "anna") -> dict[tuple[str, str], int]:
        """Return what is used of each limit, in segments or whole credits. The counters are what the rows say."""
        with self.world.core.database.read() as session:
            account = administration.account_of(session, administration.find_user(session, user))
            uses = administration.usage_of(session, account, self.world.now)
        with self.world.core.database.read() as session:
            assert verify.verify(session).findings == ()
        return {(use.period.value, use.unit.value): use.used // (MICRO if use.unit == "credits" else 1) for use in uses}

    def refusal(self, text: str = "x", user: str = "anna", **values: Any) -> Refused:
        (result,) = self.world.submit(Draft("+36201234567", text, **values), user=user).results
        assert isinstance(result, Refused), result
        return result


@pytest.fixture
def office(world: World, line: Any) -> Office:
    """A user with 100 credits, one connection, one route at 2 credits a segment."""
    assert line.name == "wire"
    return Office(world)


@pytest.mark.parametrize(
    ("period", "unit", "most"),
    [("day", "segments", 3), ("week", "credits", 6), ("month", "segments", 3), ("year", "credits", 6), ("all", "segments", 3)],
)
def test_a_message_beyond_a_limit_is_refused_and_nothing_is_kept_of_it(office: Office, period: str, unit: str, most: int) -> None:
    office.limit(period, unit, most)
    office.world.send()

    refused = office.refusal(LONG + LONG)

    assert (refused.code, refused.refusal.status, refused.refusal.number) == ("limit_reached", 402, 305)
    assert office.used() == {(period, unit): most // 3}
    office.world.send(LONG)
    assert office.used() == {(period, unit): most}
    assert office.refusal().code == "limit_reached"
    assert (office.world.money(), len(office.world.messages())) == (("100", "6"), 2)


REASONS = {
    ("day", "segments", 1): (
        "The account may send 1 segments a day; 1 are used, and this message has 2. The count begins again on 2026-03-02 at 00:00 (UTC)."
    ),
    ("month", "credits", 3): (
        "The account may spend 3 credits a month; 2 are used, and this message costs 4."
        " The count begins again on 2026-04-01 at 00:00 (UTC)."
    ),
    ("all", "segments", 2): (
        "The account may send 2 segments in all; 1 are used, and this message has 2. Ask the operator for a higher limit."
    ),
}


@pytest.mark.parametrize(("period", "unit", "most"), REASONS)
def test_a_refusal_says_which_limit_what_is_used_and_when_it_begins_again(office: Office, period: str, unit: str, most: int) -> None:
    office.limit(period, unit, most)
    office.world.send()

    assert office.refusal(LONG).reason == REASONS[period, unit, most]


def test_the_next_period_counts_from_nothing(office: Office) -> None:
    office.limit("day", "segments", 1)
    office.limit("week", "segments", 2)
    office.world.send()
    assert office.refusal().code == "limit_reached"

    office.world.now = datetime(2026, 3, 2, tzinfo=UTC)  # A Monday: day and week are new.

    office.world.send()
    assert office.used() == {("day", "segments"): 1, ("week", "segments"): 1}
    office.world.now += timedelta(days=1)
    office.world.send()
    assert office.used() == {("day", "segments"): 1, ("week", "segments"): 2}
    office.world.now += timedelta(days=1)
    assert "a week" in office.refusal().reason


def test_the_first_limit_that_is_reached_refuses_and_the_others_count_on(office: Office) -> None:
    office.limit("year", "credits", 50)
    office.limit("month", "segments", 10)
    office.limit("day", "segments", 2)
    office.limit("day", "credits", 3)
    office.world.send()

    assert "3 credits a day" in office.refusal().reason
    assert office.used() == {("day", "segments"): 1, ("day", "credits"): 2, ("month", "segments"): 1, ("year", "credits"): 2}


def test_messages_of_a_request_are_admitted_in_their_order_while_the_limit_lasts(office: Office) -> None:
    office.limit("day", "segments", 3)

    answer = office.world.submit(*(Draft("+36201234567", text) for text in ("a", LONG, "b", LONG, "c")))

    assert [getattr(result, "code", "accepted") for result in answer.results] == [
        *("accepted", "accepted", "limit_reached", "limit_reached", "limit_reached")
    ]
    assert office.used() == {("day", "segments"): 3}


def test_what_was_accepted_before_the_limit_was_set_counts(office: Office) -> None:
    office.world.send(LONG)
    office.world.now += timedelta(days=1)
    office.world.send()

    for period, segments in (("day", 1), ("week", 1), ("month", 3), ("all", 3)):
        office.limit(period, "segments", 3)
        office.limit(period, "credits", 9)
        assert office.used()[period, "segments"] == segments
        assert office.used()[period, "credits"] == 2 * segments


def test_a_limit_below_what_is_used_refuses_everything_and_a_higher_one_lets_go_on(office: Office) -> None:
    office.limit("day", "segments", 5)
    office.world.send(LONG)
    office.limit("day", "segments", 1)
    assert office.refusal().code == "limit_reached"

    office.limit("day", "segments", 3)

    office.world.send()
    assert office.used() == {("day", "segments"): 3}


def _refuse(world: World) -> None:
    connection = world.core.snapshots.present().connections[1]
    world.answer(connection, *((item, Rejected("0x0B", "Invalid destination address")) for item in world.claim(connection, 2)))


def _refuse_in_part(world: World) -> None:
    connection = world.core.snapshots.present().connections[1]
    first, second = world.claim(connection, 2)
    world.answer(connection, (first, Accepted("n1")), (second, Rejected("0x0B", "Invalid destination address")))


def _accept_then_refund(world: World) -> None:
    connection = world.core.snapshots.present().connections[1]
    world.accept(connection, "n1", "n2")
    world.report(connection, *(Report((name,), ReportState.UNDELIVERABLE) for name in ("n1", "n2")))
    world.report(connection, *(Report((name,), ReportState.UNDELIVERABLE) for name in ("n1", "n2")))


def _cancel(world: World) -> None:
    numbers = [message.id for message in world.messages() if message.segment_count == 2]
    with world.core.database.write() as session:
        cancel(session, world.core.snapshots.present(), numbers, now=world.now, actor="test")


def _accept(world: World) -> None:
    world.accept(world.core.snapshots.present().connections[1], "n1", "n2")


@pytest.mark.parametrize(("end", "segments"), [(_refuse, 0), (_refuse_in_part, 1), (_accept_then_refund, 0), (_cancel, 0), (_accept, 2)])
@pytest.mark.parametrize("cost", ["2", pytest.param("0", marks=pytest.mark.full)])
def test_what_is_given_back_counts_no_longer_in_the_period_that_accepted_it(office: Office, end: Any, segments: int, cost: str) -> None:
    """A free message too gives its segments back; a day later nothing is taken off the new day."""
    world = office.world
    (route,) = world.core.snapshots.present().outbound
    world.route(cost=cost, terms=Terms(undeliverable=Remedy.REFUND), route_id=route.id)
    office.limit("day", "segments", 10)
    office.limit("month", "credits", 40)
    world.send(LONG)
    accepted_at = world.now
    world.now += timedelta(days=1)
    world.send()

    end(world)

    assert office.used()["month", "credits"] == (segments + 1) * int(cost)
    assert office.used()["day", "segments"] == 1
    with world.core.database.read() as session:
        rows = session.scalars(select(AccountUsage).where(AccountUsage.period == "day").order_by(AccountUsage.started_at)).all()
    assert [(row.started_at.date(), row.segment_count) for row in rows] == [
        (accepted_at.date(), segments),
        ((accepted_at + timedelta(days=1)).date(), 1),
    ]


def test_free_messages_count_in_segments_and_not_in_credits(office: Office) -> None:
    (route,) = office.world.core.snapshots.present().outbound
    office.world.route(cost="0", route_id=route.id)
    office.limit("day", "segments", 2)
    office.limit("day", "credits", 0)

    office.world.send(LONG)

    assert office.used() == {("day", "segments"): 2, ("day", "credits"): 0}
    assert "segments" in office.refusal().reason
    assert office.world.money() == ("100", "0")


@pytest.mark.parametrize("rule", NoCredit)
def test_incoming_messages_count_in_credits_and_are_never_refused_by_a_limit(office: Office, rule: NoCredit) -> None:
    world = office.world
    world.route("in", ["anna"], inward=True, cost="3", no_credit=rule)
    office.limit("day", "credits", 4)
    office.limit("day", "segments", 0)
    connection = world.core.snapshots.present().connections[1]

    for number in range(2):
        world.receive(connection, Incoming("+36305550000", "1700", text=f"{number}"))

    assert [row.state for row in world.messages("inbound")] == ["delivered", "delivered"]
    assert office.used() == {("day", "segments"): 0, ("day", "credits"): 6}
    assert office.refusal().code == "limit_reached"


def test_what_pays_the_user_is_not_taken_off(office: Office) -> None:
    office.world.route("in", ["anna"], inward=True, cost="-3")
    office.limit("day", "credits", 4)

    office.world.receive(office.world.core.snapshots.present().connections[1], Incoming("+36305550000", "1700", text="x"))

    assert office.used() == {("day", "credits"): 0}


def test_an_unlimited_account_obeys_its_period_limits(office: Office) -> None:
    office.do(administration.edit_account, "anna", limit_uc=0, unlimited=True)
    office.limit("day", "credits", 3)
    office.world.send()

    assert office.refusal().code == "limit_reached"


def test_without_accounting_nothing_is_counted(office: Office) -> None:
    office.limit("day", "segments", 1)
    office.do(administration.edit_user, "anna", accounting_enabled=False)

    for _ in range(3):
        office.world.send()

    assert office.used() == {("day", "segments"): 0}


def test_a_repeat_with_the_same_key_counts_once_and_a_refused_key_is_free_again(office: Office) -> None:
    office.limit("day", "segments", 1)
    for _ in range(2):
        office.world.submit(Draft("+36201234567", "x"), key="k", fingerprint="f")
    refused = office.world.submit(Draft("+36201234567", "y"), key="l", fingerprint="g")
    assert [result.code for result in refused.results] == ["limit_reached"]

    office.limit("day", "segments", 2)

    again = office.world.submit(Draft("+36201234567", "y"), key="l", fingerprint="g")
    assert (again.replayed, again.results[0].segment_count) == (False, 1)
    assert office.used() == {("day", "segments"): 2}


# Calendars.


def test_days_begin_at_midnight_of_the_accounts_time_zone(office: Office) -> None:
    office.limit("day", "segments", 1)
    office.do(administration.set_calendar, "anna", time_zone="Asia/Kathmandu", week_start=0)
    office.world.send()  # 12:00 UTC is 17:45 there.
    assert office.refusal().reason.endswith("again on 2026-03-02 at 00:00 (Asia/Kathmandu).")

    office.world.now = datetime(2026, 3, 1, 18, 14, 59, tzinfo=UTC)
    assert office.refusal().code == "limit_reached"
    office.world.now = datetime(2026, 3, 1, 18, 15, tzinfo=UTC)

    office.world.send()
    assert office.used() == {("day", "segments"): 1}


def test_the_gateways_time_zone_counts_where_the_account_names_none(office: Office) -> None:
    office.limit("day", "segments", 2)
    office.world.now = datetime(2026, 3, 1, 2, tzinfo=UTC)
    office.world.send()
    office.world.now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    office.world.send()
    assert office.used() == {("day", "segments"): 2}

    office.do(administration.set_gateway_options, {"time_zone": "America/New_York"})

    assert office.used() == {("day", "segments"): 1}  # 02:00 UTC is still the day before there.


def test_weeks_begin_on_the_day_that_the_account_says(office: Office) -> None:
    office.limit("week", "segments", 5)
    office.world.now = datetime(2026, 2, 28, 12, tzinfo=UTC)  # a Saturday
    office.world.send()
    office.world.now += timedelta(days=1)
    office.world.send()
    assert office.used() == {("week", "segments"): 2}

    office.do(administration.set_calendar, "anna", time_zone="", week_start=6)

    assert office.used() == {("week", "segments"): 1}


@pytest.mark.parametrize(("day", "hour", "allowed"), [(29, 22, True), (29, 21, False), (28, 23, False)])
def test_a_day_in_which_clocks_change_is_one_day(office: Office, day: int, hour: int, allowed: bool) -> None:
    """On 29 March 2026 Budapest has 23 hours: the day ends at 22:00 UTC and began at 23:00 UTC the day before."""
    office.do(administration.set_calendar, "anna", time_zone="Europe/Budapest", week_start=0)
    office.limit("day", "segments", 1)
    office.world.now = datetime(2026, 3, 29, 10, tzinfo=UTC)
    office.world.send()

    office.world.now = datetime(2026, 3, day, hour, tzinfo=UTC)

    (result,) = office.world.submit(Draft("+36201234567", "x")).results
    assert isinstance(result, Refused) is not allowed


# Administration.


def test_a_limit_that_is_taken_away_refuses_no_longer_and_leaves_no_counter(office: Office) -> None:
    office.limit("day", "segments", 0)
    office.limit("month", "credits", 50)
    assert office.refusal().code == "limit_reached"

    office.do(administration.remove_limit, "anna", "day", "segments")

    office.world.send()
    assert office.used() == {("month", "credits"): 2}
    office.do(administration.remove_limit, "anna", "month", "credits")
    assert office.used() == {}
    with pytest.raises(NotThere):
        office.do(administration.remove_limit, "anna", "month", "credits")
    with office.world.core.database.read() as session:
        assert session.scalars(select(AccountUsage)).all() == []
        assert not session.scalars(select(Account).where(Account.limited)).all()
        verbs = session.scalars(select(AuditEntry.verb).where(AuditEntry.verb.like("% limit")).order_by(AuditEntry.id)).all()
    assert verbs == ["set limit", "set limit", "remove limit", "remove limit"]


# What it costs those who do not use it.


@contextmanager
def _statements(world: World) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(world.core.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(world.core.database.engine, "before_cursor_execute", note)


def test_an_account_without_limits_and_parents_costs_no_statement_about_them(office: Office) -> None:
    world = office.world
    connection = world.core.snapshots.present().connections[1]
    with _statements(world) as seen:
        world.send()
        world.accept(connection, "n1")
        world.send()
        _refuse(world)

    assert [statement for statement in seen if "account_limits" in statement or "account_usage" in statement] == []
    assert not any("level > " in statement for statement in seen)

"""Resellers: accounts above accounts, credit that moves between them, and messages that debit several at once."""

from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from app import administration, verify
from app.administration import InvalidField, NotThere
from app.ledger import MICRO
from app.lifecycle import Remedy, Terms
from app.models import AuditEntry, JournalEvent, Message, PricingRow, Transfer
from app.refusals import Refused
from app.withdrawals import cancel
from pennywire import Accepted, Draft, PriceRequest, PricingRule, Quote, Rejected, Report, ReportState

World = Any
pytestmark = pytest.mark.parametrize(
    "database_url", ["sqlite_url", pytest.param("postgres_url", marks=[pytest.mark.full, pytest.mark.postgres])], indirect=True
)
LONG = "x" * 200  # two segments


class ByName(PricingRule):
    """A price for each user by name."""

    kind = "by_name"
    label = "By name"
    prices = {"shop": 3 * MICRO, "boss": 2 * MICRO, "chief": MICRO // 2, "generous": 0}  # noqa: RUF012  # the tests read it

    def quote(self, request: PriceRequest) -> Quote | None:
        price_uc = self.prices.get(request.username)
        return None if price_uc is None else Quote(price_uc, f"price of {request.username}")


class Office:
    """What an operator does to resellers, and reads of them."""

    def __init__(self, world: World) -> None:
        self.world = world

    def do(self, change: Any, *words: Any, **values: Any) -> None:
        with self.world.core.database.write() as session:
            change(session, *words, now=self.world.now, actor="test", **values)
        self.world.core.snapshots.reload()

    def parent(self, user: str, parent: str | None, mode: str = "own") -> None:
        self.do(administration.set_parent, user, parent, mode=mode)

    def allot(self, user: str, amount: float) -> None:
        self.do(administration.allot, user, round(amount * MICRO), reason="bought")

    def money(self, *users: str) -> list[tuple[str, str]]:
        """Return balance and reserved of users; everything must match the rows."""
        with self.world.core.database.read() as session:
            assert verify.verify(session).findings == ()
        return [self.world.money(user) for user in users]

    def send(self, text: str = "x", user: str = "shop") -> Any:
        (result,) = self.world.submit(Draft("+36201234567", text), user=user).results
        return result


@pytest.fixture
def office(world: World) -> Office:
    """A shop with 10 credits at 3 a segment, a reseller with 100 at 2, and one above him with 50 at a half."""
    for name, credit in (("boss", "100"), ("shop", "10"), ("chief", "50"), ("generous", "0")):
        world.user(name, credit=credit)
    world.connection()
    world.route(terms=Terms(undeliverable=Remedy.REFUND))
    world.core.plugins.pricing_rules["by_name"] = ByName
    with world.core.database.write() as session:
        session.add(PricingRow(position=1, name="by name", kind="by_name", settings={}, enabled=True))
        administration.changed(session)
    world.core.snapshots.reload()
    return Office(world)


@pytest.fixture
def shared(office: Office) -> Office:
    """The shop stands below the reseller, and its messages debit both."""
    office.parent("shop", "boss", "shared")
    return office


# Credit bought from the account above.


def test_credit_is_bought_from_the_account_above_by_one_transfer(office: Office) -> None:
    office.parent("shop", "boss")
    office.allot("shop", 40)

    assert office.money("boss", "shop") == [("60", "0"), ("50", "0")]
    with office.world.core.database.read() as session:
        (row,) = session.scalars(select(Transfer).where(Transfer.kind == "allot"))
        events = session.scalars(select(JournalEvent).where(JournalEvent.kind == "allot").order_by(JournalEvent.id)).all()
        audit = session.scalars(select(AuditEntry).where(AuditEntry.verb == "allot")).one()
    assert (row.amount_uc, row.reason, row.actor, row.message_id) == (40 * MICRO, "bought", "test", None)
    assert [event.data["amount"] for event in events] == ["-40", "40"]
    assert (audit.subject, audit.after) == ("user shop", {"amount": "40", "from": "boss", "reason": "bought"})


def test_messages_of_an_account_that_buys_its_credit_debit_it_alone(office: Office) -> None:
    office.parent("shop", "boss")

    office.send()

    assert office.money("boss", "shop") == [("100", "0"), ("10", "3")]


def test_what_was_allotted_can_be_taken_back_as_far_as_it_lies_free(office: Office) -> None:
    office.parent("shop", "boss")
    office.send()
    office.allot("shop", -7)
    assert office.money("boss", "shop") == [("107", "0"), ("3", "3")]

    with pytest.raises(InvalidField, match="Only 0 credits lie free"):
        office.allot("shop", -0.000001)
    assert office.money("boss", "shop") == [("107", "0"), ("3", "3")]


@pytest.mark.parametrize(
    ("line", "unlimited", "amount", "allowed"),
    [(0, False, 100, True), (0, False, 101, False), (-5, False, 105, True), (-5, False, 105.000001, False), (0, True, 5000, True)],
)
def test_the_giver_keeps_his_limit(office: Office, line: int, unlimited: bool, amount: float, allowed: bool) -> None:
    office.parent("shop", "boss")
    office.do(administration.edit_account, "boss", limit_uc=line * MICRO, unlimited=unlimited)

    if not allowed:
        with pytest.raises(InvalidField, match="The account above has"):
            office.allot("shop", amount)
        assert office.money("boss", "shop") == [("100", "0"), ("10", "0")]
        return
    office.allot("shop", amount)
    assert office.money("shop") == [(str(10 + int(amount)), "0")]


@pytest.mark.parametrize("amount_uc", [0, 10**15 + 1, -(10**15) - 1, 2**63])
def test_an_allotment_that_cannot_be_is_refused(office: Office, amount_uc: int) -> None:
    office.parent("shop", "boss")
    office.do(administration.edit_account, "boss", limit_uc=0, unlimited=True)

    with pytest.raises(InvalidField):
        office.do(administration.allot, "shop", amount_uc, reason="bought")

    assert office.money("boss", "shop") == [("100", "0"), ("10", "0")]


def test_an_allotment_needs_an_account_above_and_a_reason(office: Office) -> None:
    with pytest.raises(InvalidField, match="no account above"):
        office.allot("shop", 1)
    office.parent("shop", "boss")
    with pytest.raises(InvalidField, match="Say why"):
        office.do(administration.allot, "shop", MICRO, reason="  ")


# Places.


def test_an_account_never_stands_above_itself(office: Office) -> None:
    office.parent("shop", "boss")
    office.parent("boss", "chief")

    for user, parent in (("boss", "boss"), ("boss", "shop"), ("chief", "shop")):
        with pytest.raises(InvalidField, match="above itself"):
            office.parent(user, parent)


def test_at_most_five_accounts_stand_above_one(office: Office) -> None:
    names = [f"u{number}" for number in range(7)]
    for name in names:
        office.world.user(name)
    for child, parent in pairwise(names[:5]):
        office.parent(child, parent)
    office.parent(names[5], names[6])

    with pytest.raises(InvalidField, match="At most 5"):
        office.parent(names[4], names[5])  # The first would have six.
    office.parent(names[4], names[6])
    office.parent("shop", names[1])

    assert office.money("shop") == [("10", "0")]


def test_an_unknown_parent_or_mode_is_refused_and_nobody_takes_an_account_out(office: Office) -> None:
    with pytest.raises(NotThere):
        office.parent("shop", "ghost")
    with pytest.raises(InvalidField, match="one of"):
        office.parent("shop", "boss", "stolen")
    office.parent("shop", "boss", "shared")

    office.parent("shop", None)

    office.send()
    assert office.money("boss", "shop") == [("100", "0"), ("10", "3")]


# Messages that debit the accounts above too.


def test_each_level_pays_its_own_price_and_all_move_together(shared: Office) -> None:
    result = shared.send(LONG)
    assert (result.price_uc, shared.money("boss", "shop")) == (6 * MICRO, [("100", "4"), ("10", "6")])

    connection = shared.world.core.snapshots.present().connections[1]
    first, second = shared.world.claim(connection, 2)
    shared.world.answer(connection, (first, Accepted("n1")), (second, Rejected("0x0B", "no")))
    assert shared.money("boss", "shop") == [("98", "0"), ("7", "0")]
    with shared.world.core.database.read() as session:
        rows = session.execute(
            select(Transfer.level, Transfer.kind, Transfer.amount_uc, Transfer.released_uc)
            .where(Transfer.message_id == result.message_id)
            .order_by(Transfer.phase, Transfer.level)
        ).all()
    assert [tuple(row) for row in rows] == [
        (0, "charge", 6 * MICRO, 0),
        (1, "charge", 4 * MICRO, 0),
        (0, "settle", 3 * MICRO, 3 * MICRO),
        (1, "settle", 2 * MICRO, 2 * MICRO),
    ]


def test_release_and_refund_reach_every_level_once(shared: Office) -> None:
    world = shared.world
    connection = world.core.snapshots.present().connections[1]
    cancelled, sent = shared.send().message_id, shared.send().message_id
    for _ in range(2):
        with world.core.database.write() as session:
            cancel(session, world.core.snapshots.present(), [cancelled], now=world.now, actor="test")
    assert shared.money("boss", "shop") == [("100", "2"), ("10", "3")]
    world.accept(connection, "n1")
    assert shared.money("boss", "shop") == [("98", "0"), ("7", "0")]

    for _ in range(2):
        world.report(connection, Report(("n1",), ReportState.UNDELIVERABLE))

    assert shared.money("boss", "shop") == [("100", "0"), ("10", "0")]
    assert world.message(sent).state == "undeliverable"


def test_a_message_that_the_account_above_cannot_pay_is_refused_without_its_figures(shared: Office) -> None:
    shared.do(administration.set_credits, "boss", 3 * MICRO, reason="spent")
    shared.send()

    refused = shared.send()

    assert (refused.code, refused.reason) == ("no_credit", "An account above yours has no credit for this message. Ask your provider.")
    assert shared.money("boss", "shop") == [("3", "2"), ("10", "3")]


def test_a_message_that_the_user_cannot_pay_debits_nobody(shared: Office) -> None:
    shared.do(administration.set_credits, "shop", 2 * MICRO, reason="spent")

    refused = shared.send()

    assert (refused.code, "costs 3" in refused.reason) == ("no_credit", True)
    assert shared.money("boss", "shop") == [("100", "0"), ("2", "0")]


def test_customers_of_one_reseller_share_his_credit_in_one_request_after_another(shared: Office) -> None:
    shared.world.user("kiosk", credit="50")
    shared.parent("kiosk", "boss", "shared")
    shared.do(administration.set_credits, "boss", 5 * MICRO, reason="spent")

    results = [shared.send(), shared.send(user="kiosk"), shared.send(user="kiosk"), shared.send()]

    assert [isinstance(result, Refused) for result in results] == [False, False, True, True]
    assert shared.money("boss") == [("5", "4")]


def test_accounts_share_as_far_up_as_they_say(shared: Office) -> None:
    shared.parent("boss", "chief", "shared")
    shared.send()
    assert shared.money("chief", "boss", "shop") == [("50", "0.5"), ("100", "2"), ("10", "3")]

    shared.parent("boss", "chief", "own")

    shared.send()
    assert shared.money("chief", "boss", "shop") == [("50", "0.5"), ("100", "4"), ("10", "6")]


def test_an_account_above_whose_accounting_is_off_pays_nothing_and_those_above_it_do(shared: Office) -> None:
    shared.parent("boss", "chief", "shared")
    shared.do(administration.edit_user, "boss", accounting_enabled=False)

    shared.send()

    assert shared.money("chief", "boss", "shop") == [("50", "0.5"), ("100", "0"), ("10", "3")]


def test_an_account_whose_accounting_is_off_debits_nobody_above(shared: Office) -> None:
    shared.do(administration.edit_user, "shop", accounting_enabled=False)

    shared.send()

    assert shared.money("boss", "shop") == [("100", "0"), ("10", "0")]


def test_a_message_on_its_way_stays_with_those_who_were_charged(shared: Office) -> None:
    """Neither another price nor another place changes what it costs whom."""
    shared.send()
    shared.parent("shop", "chief", "shared")
    shared.do(administration.edit_user, "boss", accounting_enabled=False)

    shared.world.accept(shared.world.core.snapshots.present().connections[1], "n1")

    assert shared.money("chief", "boss", "shop") == [("50", "0"), ("98", "0"), ("7", "0")]


def test_a_message_that_is_free_below_is_paid_above_and_the_other_way_round(shared: Office) -> None:
    shared.parent("generous", "boss", "shared")
    free = shared.send(user="generous")
    assert (free.charged, shared.money("boss", "generous")) == (False, [("100", "2"), ("0", "0")])
    shared.parent("shop", "generous", "shared")
    shared.parent("generous", None)
    paid = shared.send()
    assert (paid.charged, shared.money("generous", "shop")) == (True, [("0", "0"), ("10", "3")])

    shared.world.accept(shared.world.core.snapshots.present().connections[1], "n1", "n2")
    connection = shared.world.core.snapshots.present().connections[1]
    shared.world.report(connection, *(Report((name,), ReportState.UNDELIVERABLE) for name in ("n1", "n2")))

    assert shared.money("boss", "generous", "shop") == [("100", "0"), ("0", "0"), ("10", "0")]


def test_limits_of_an_account_above_hold_for_the_messages_below(shared: Office) -> None:
    shared.do(administration.set_limit, "boss", "day", "segments", 2)
    shared.do(administration.set_limit, "boss", "month", "credits", 10 * MICRO)
    shared.send(LONG)

    refused = shared.send()

    assert (refused.code, refused.reason) == ("limit_reached", "An account above yours has reached a limit. Ask your provider.")
    shared.world.sweep()
    connection = shared.world.core.snapshots.present().connections[1]
    shared.world.answer(connection, *((item, Rejected("0x0B", "no")) for item in shared.world.claim(connection, 2)))
    shared.send()
    assert shared.money("boss", "shop") == [("100", "2"), ("10", "3")]


def test_nothing_is_sent_at_the_cost_of_an_account_that_is_suspended(shared: Office) -> None:
    shared.do(administration.suspend_account, "boss", reason="Complaints.")
    refused = shared.send()
    assert (refused.code, "An account above it is." in refused.reason) == ("account_suspended", True)

    shared.parent("shop", "boss", "own")

    shared.send()
    assert shared.money("boss", "shop") == [("100", "0"), ("10", "3")]


def test_no_price_for_an_account_above_refuses_the_message(shared: Office) -> None:
    (route,) = shared.world.core.snapshots.present().outbound
    shared.world.route(terms=route.terms, route_id=route.id, price_required=True)
    shared.world.user("nameless")
    shared.parent("boss", "nameless", "shared")

    refused = shared.send()

    assert refused.code == "no_price"
    assert "above yours" in refused.reason
    with shared.world.core.database.read() as session:
        assert session.scalars(select(Message)).all() == []


def test_the_books_tell_who_stands_where(office: Office) -> None:
    office.parent("shop", "boss", "shared")
    office.parent("generous", "boss")

    with office.world.core.database.read() as session:
        boss = administration.account_of(session, administration.find_user(session, "boss"))
        children = administration.children_of(session, boss)
        parents = [administration.parent_of(session, account) for _, account in children]

    assert [(name, account.parent_mode) for name, account in children] == [("generous", "own"), ("shop", "shared")]
    assert parents == ["boss", "boss"]

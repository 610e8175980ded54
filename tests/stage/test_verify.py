"""The ledger check: it finds nothing in a history of every kind, and every fault that is planted in it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import administration
from app.lifecycle import ChargeOn, NoCredit, Remedy, Terms
from app.statistics import margins
from app.verify import EXAMPLES, MARGIN_TITLE, MONTHS_TITLE, Verification, compare, verify, verify_balances
from app.verify.statements import STATEMENTS
from app.withdrawals import cancel
from pennywire import Accepted, Draft, Incoming, OutcomeUnknown, Rejected, Report, ReportState

World = Any
LONG = "a" * 400  # three segments


@pytest.fixture
def history(world: World) -> World:
    """Messages in every state, under every end of a charge, in and out, with and without accounting."""
    world.user(credit="1000")
    world.user("bob", credit="50")
    world.user("free", accounting_enabled=False)
    line = world.connection()
    with world.core.database.write() as session:
        administration.set_buy_price(session, "wire", 400_000, now=world.now, actor="test")
    world.route("handset", cost="2", terms=Terms(ChargeOn.HANDSET, undeliverable=Remedy.REFUND), conditions=_prefix("+361"))
    world.route("generous", cost="3", terms=Terms(undeliverable=Remedy.REFUND, report_missing=Remedy.REFUND), conditions=_prefix("+362"))
    world.route(cost="1")
    world.route("inbox", ["anna", "bob"], inward=True, cost="0.5", conditions=_prefix("+36"))
    _send_all(world, line)
    world.receive(line, Incoming("+36305550000", "+36700", text="hello"), Incoming("+36305550001", "+36700", text="again"))
    world.route("pays", ["anna"], inward=True, cost="-0.25", conditions=_prefix("+36"))
    _resell(world, line)
    world.user("poor")
    world.route("held", ["poor"], inward=True, cost="0.5", no_credit=NoCredit.HOLD, conditions=_prefix("+49"))
    world.receive(line, Incoming("+36305550002", "+49700", text="held"))
    world.send("waits", "+49301234567", user="bob")
    world.send("later", "+49301234567", send_at=world.now + timedelta(days=1))
    return world


def _resell(world: World, line: Any) -> None:
    """Send for a customer of a reseller, both with limits, into every end of a charge."""
    world.user("shop")
    world.user("boss", credit="100")
    with world.core.database.write() as session:
        by = {"now": world.now, "actor": "test"}
        administration.set_parent(session, "shop", "boss", mode="shared", **by)
        administration.allot(session, "shop", 40_000_000, reason="start", **by)
        administration.set_limit(session, "shop", "day", "segments", 100, **by)
        administration.set_limit(session, "shop", "month", "credits", 90_000_000, **by)
        administration.set_limit(session, "boss", "all", "segments", 100, **by)
    world.core.snapshots.reload()
    world.claim(line, 50)  # Whatever waits goes first.
    for number in range(4):
        world.send("resold", f"+3621234567{number}", user="shop")
    for number, submission in enumerate(world.claim(line, 4)):
        world.answer(line, (submission, [Accepted, Accepted, _rejected, _unknown][number](f"r{number}")))
    world.report(line, Report(("r0",), ReportState.DELIVERED), Report(("r1",), ReportState.UNDELIVERABLE))


def _prefix(prefix: str) -> list[dict[str, Any]]:
    return [{"kind": "destination_prefix", "settings": {"prefixes": prefix}}]


def _send_all(world: World, line: Any) -> None:
    for prefix in ("+3611", "+3621", "+4930"):
        for ending in ("1", "2", "3", "4", "5"):
            world.send("text", f"{prefix}23456{ending}")
    for number, submission in enumerate(world.claim(line, 15)):
        outcome = [Accepted, Accepted, Accepted, _rejected, _unknown][number % 5](f"n{number}")
        world.answer(line, (submission, outcome))
    for number in (0, 5, 10):
        world.report(line, Report((f"n{number}",), ReportState.DELIVERED), Report((f"n{number + 1}",), ReportState.UNDELIVERABLE))
    world.sweep(timedelta(hours=73))
    _send_long(world, line)
    world.send("free", "+49301234567", user="free")
    cancelled = world.send("cancelled", "+49301234567")
    with world.core.database.write() as session:
        cancel(session, world.core.snapshots.present(), [cancelled], now=world.now, actor="test")


def _send_long(world: World, line: Any) -> None:
    """Send a message that is refused in the middle, and leave one on its way."""
    world.send(LONG, "+49301234567")
    first, second, _ = world.claim(line, 3)
    world.answer(line, (first, Accepted("long")), (second, Rejected("0x01", "no")))
    world.send(LONG, "+49301234567")
    world.claim(line, 2)


def _rejected(_name: str) -> Rejected:
    return Rejected("0x0B", "Invalid destination address")


def _unknown(_name: str) -> OutcomeUnknown:
    return OutcomeUnknown("no answer")


def _check(world: World) -> Verification:
    with world.core.database.read() as session:
        return verify(session)


def test_a_history_of_every_kind_is_correct(history: World) -> None:
    states = {message.state for message in history.messages()}
    assert states >= {"scheduled", "queued", "sending", "sent", "delivered", "undeliverable", "expired", "rejected", "cancelled"}

    result = _check(history)

    assert result.findings == ()
    assert result.correct
    assert result.totals["messages"] > 20


#: A statement that plants a fault, by the check that must find it.
FAULTS: dict[str, tuple[str, ...]] = {
    "balance": ("UPDATE accounts SET balance_uc = balance_uc + 1 WHERE kind = 'user'",),
    "reserved": ("UPDATE accounts SET reserved_uc = reserved_uc + 1 WHERE kind = 'user'",),
    "pending": ("DELETE FROM transfers WHERE kind = 'release'",),
    "system": ("UPDATE accounts SET balance_uc = 5 WHERE kind = 'revenue'", "UPDATE accounts SET reserved_uc = 5 WHERE kind = 'funding'"),
    "zero_sum": ("UPDATE accounts SET currency = 'EUR' WHERE kind = 'revenue'",),
    "parties": (
        "UPDATE transfers SET debit_id = 9999 WHERE kind = 'settle'",
        "UPDATE transfers SET credit_id = debit_id WHERE kind = 'top_up'",
        "UPDATE accounts SET currency = 'EUR' WHERE kind = 'revenue'",
    ),
    "shape": (
        "UPDATE transfers SET kind = 'gift' WHERE kind = 'top_up'",
        "UPDATE transfers SET phase = NULL WHERE kind = 'settle'",
        "UPDATE transfers SET phase = 2 WHERE kind = 'release'",
    ),
    "allotment": ("UPDATE transfers SET credit_id = 1 WHERE kind = 'allot'",),
    "line": (
        "UPDATE accounts SET parent_id = id WHERE name = 'user:3'",
        "UPDATE accounts SET parent_id = (SELECT id FROM accounts WHERE name = 'user:4') WHERE name = 'user:5'",
    ),
    "above": (
        "UPDATE transfers SET debit_id = (SELECT id FROM accounts WHERE name = 'user:2') WHERE kind = 'settle' AND level = 1",
        "UPDATE transfers SET level = 2 WHERE kind = 'release' AND level = 1",
        "DELETE FROM transfers WHERE kind = 'charge' AND level = 1",
        "UPDATE transfers SET credit_id = debit_id WHERE kind = 'refund' AND level = 1",
    ),
    "levels": (
        "DELETE FROM transfers WHERE kind = 'charge' AND level = 1",
        "UPDATE transfers SET level = 2 WHERE level = 1",
        "UPDATE messages SET level_count = 2 WHERE level_count = 1",
    ),
    "limited": (
        "UPDATE accounts SET limited = (1 = 0) WHERE name = 'user:4'",
        "UPDATE accounts SET limited = (1 = 1) WHERE name = 'user:1'",
        "DELETE FROM account_limits",
    ),
    "counted_segments": (
        "UPDATE account_usage SET segment_count = segment_count + 1",
        "UPDATE account_usage SET segment_count = segment_count - 1 WHERE account_id = (SELECT id FROM accounts WHERE name = 'user:5')",
        "UPDATE messages SET counted_count = 0 WHERE state = 'delivered' AND level_count = 1",
    ),
    "counted_credits": (
        "UPDATE account_usage SET amount_uc = amount_uc + 1 WHERE period = 'day'",
        "DELETE FROM transfers WHERE kind = 'refund' AND level = 1",
        "DELETE FROM transfers WHERE kind = 'release' AND level = 0",
    ),
    "owner": ("UPDATE transfers SET debit_id = (SELECT id FROM accounts WHERE name = 'user:2') WHERE kind = 'charge' AND debit_id = 3",),
    "repeated": (
        "DROP INDEX uq_transfer_phase",
        (
            "INSERT INTO transfers"
            " (at, kind, debit_id, credit_id, amount_uc, released_uc, message_id, level, phase, actor, reason, reference) "
            "SELECT at, kind, debit_id, credit_id, amount_uc, released_uc, message_id, level, phase, actor, reason, reference "
            "FROM transfers WHERE kind = 'settle'"
        ),
    ),
    "uncharged": ("DELETE FROM transfers WHERE kind = 'charge'", "DELETE FROM transfers WHERE message_id IS NOT NULL"),
    "unowed": ("UPDATE messages SET charged = (1 = 0)", "UPDATE transfers SET message_id = -message_id WHERE kind = 'refund'"),
    "price": ("UPDATE messages SET price_uc = price_uc + 1 WHERE charged", "UPDATE transfers SET amount_uc = 1 WHERE kind = 'charge'"),
    "ending": (
        "UPDATE transfers SET released_uc = released_uc + 1 WHERE kind = 'settle'",
        "UPDATE transfers SET amount_uc = amount_uc - 1 WHERE kind = 'release'",
        "DELETE FROM transfers WHERE kind = 'charge'",
    ),
    "refund": (
        "UPDATE transfers SET amount_uc = amount_uc + 1 WHERE kind = 'refund'",
        "UPDATE transfers SET kind = 'release' WHERE kind = 'settle'",
    ),
    "decided": (
        "DELETE FROM transfers WHERE kind = 'settle'",
        "DELETE FROM transfers WHERE kind = 'release'",
        "UPDATE messages SET state = 'queued' WHERE state = 'delivered'",
    ),
    "terms": (
        "DELETE FROM transfers WHERE kind = 'refund'",
        "UPDATE messages SET terms = 'nrkkr' WHERE terms = 'nkkkr' AND state = 'undeliverable'",
        "UPDATE transfers SET kind = 'release' WHERE kind = 'settle'",
    ),
    "segment_price": ("UPDATE transfers SET amount_uc = amount_uc - 1, released_uc = released_uc + 1 WHERE kind = 'settle'",),
    "queue": (
        "DELETE FROM outbox",
        "UPDATE messages SET state = 'delivered' WHERE state = 'queued'",
        "UPDATE messages SET state = 'in_doubt' WHERE state = 'sending'",
        "UPDATE outbox SET state = 1",
        "UPDATE outbox SET state = 0",
    ),
    "stray_queue": ("UPDATE outbox SET message_id = -message_id WHERE state = 0", "UPDATE messages SET direction = 'inbound'"),
    "held": ("DELETE FROM held_messages", "UPDATE held_messages SET price_uc = 1", "UPDATE held_messages SET account_id = 1"),
    "segments": ("DELETE FROM segments", "DELETE FROM outbox WHERE state = 1", "UPDATE messages SET segment_count = segment_count + 1"),
    "bought": (
        "UPDATE messages SET buy_uc = buy_uc + 1 WHERE state = 'delivered'",
        "UPDATE messages SET buy_uc = NULL WHERE state = 'rejected'",
        "UPDATE segments SET buy_uc = NULL WHERE state = 'delivered'",
        "UPDATE segments SET buy_uc = 400000 WHERE state = 'rejected'",
    ),
    "version": (
        "DELETE FROM events WHERE version = 2",
        "DELETE FROM events",
        "UPDATE messages SET version = version + 1",
        "UPDATE events SET version = version + 100 WHERE version = 1",
    ),
    "stray_event": ("UPDATE events SET message_id = 7 WHERE kind = 'cancelled'",),
    "folder": ("UPDATE messages SET folder = 4 WHERE state = 'delivered'", "UPDATE messages SET state = 'lost' WHERE state = 'delivered'"),
}


def test_every_planted_fault_is_found(history: World) -> None:
    """Each statement is planted by itself, in a transaction that is not kept."""
    found = {(kind, plant): _with_fault(history, kind, plant) for kind in FAULTS for plant in _plants(kind)}

    missed = [plant for (kind, plant), result in found.items() if kind not in result.counts]
    unclear = [item for result in found.values() for item in result.findings if item.expected == item.found or not result.titles[item.kind]]
    assert missed == []
    assert unclear == []


def _plants(kind: str) -> list[tuple[str, ...]]:
    return [FAULTS[kind]] if kind == "repeated" else [(statement,) for statement in FAULTS[kind]]


def _with_fault(world: World, kind: str, statements: tuple[str, ...]) -> Verification:
    """Plant a fault, check, and take it back."""
    with Session(world.core.database.engine) as session:
        for statement in statements:
            assert session.execute(text(statement)).rowcount, f"The history has no row for {kind}: {statement}"  # type: ignore[attr-defined]
        result = compare(session, STATEMENTS)
        session.rollback()
    return result


def test_every_check_has_a_planted_fault() -> None:
    assert set(FAULTS) == {statement.kind for statement in STATEMENTS}


def test_a_finding_names_the_message_and_shows_credits(history: World) -> None:
    with history.core.database.write() as session:
        session.execute(text("UPDATE transfers SET amount_uc = amount_uc + 500000 WHERE kind = 'refund'"))

    finding = next(item for item in _check(history).findings if item.kind == "refund")

    assert finding.subject.startswith("message 0")
    assert (finding.expected, finding.found) == ("3", "3.5")


def test_all_findings_are_counted_and_some_are_shown(world: World) -> None:
    world.user(credit="1000")
    world.connection()
    world.route()
    world.submit(*(Draft("+36201234567", str(number)) for number in range(EXAMPLES + 5)))
    with world.core.database.write() as session:
        session.execute(text("DELETE FROM events WHERE message_id IS NOT NULL"))

    result = _check(world)

    assert result.counts["version"] == EXAMPLES + 5
    assert sum(finding.kind == "version" for finding in result.findings) == EXAMPLES


def test_the_quick_check_looks_at_accounts_alone(history: World) -> None:
    with history.core.database.write() as session:
        session.execute(text("UPDATE accounts SET balance_uc = balance_uc + 1 WHERE name = 'user:1'"))
        session.execute(text("UPDATE messages SET folder = 4"))

    with history.core.database.read() as session:
        result = verify_balances(session)

    assert set(result.counts) == {"balance"}


def test_inbound_charges_are_checked_too(history: World) -> None:
    with history.core.database.write() as session:
        session.execute(text("UPDATE messages SET price_uc = 1 WHERE direction = 'inbound'"))

    assert "price" in _check(history).counts


def test_a_message_that_pays_its_user_is_correct(world: World) -> None:
    world.user(credit="1")
    line = world.connection()
    world.route("pays", ["anna"], inward=True, cost="-0.25", no_credit=NoCredit.REFUSE)
    world.receive(line, Incoming("+36305550000", "12345", text="hello"))

    assert world.money() == ("1.25", "0")
    assert _check(world).findings == ()


def test_progress_is_told_before_each_check(history: World) -> None:
    told: list[tuple[str, int, int]] = []

    with history.core.database.read() as session:
        verify(session, progress=lambda *step: told.append(step))

    titles = [*(statement.title for statement in STATEMENTS), MARGIN_TITLE, MONTHS_TITLE]
    assert told == [(title, index, len(titles)) for index, title in enumerate(titles)]


# Sums of costs and margin.

#: A statement that plants a fault into what the sums say or into what they were made of, and the checks that must find it.
MARGIN_FAULTS = {
    "UPDATE margin_sums SET sold_uc = sold_uc + 1": {"margin_journal", "margin_rows"},
    "UPDATE margin_sums SET bought_uc = bought_uc - 1": {"margin_journal", "margin_rows"},
    "UPDATE margin_sums SET segment_count = segment_count + 1": {"margin_journal"},
    "UPDATE margin_sums SET priced_count = 0": {"margin_journal"},
    "UPDATE margin_sums SET day = day - 1": {"margin_journal"},
    "UPDATE margin_sums SET route_id = route_id + 100": {"margin_journal"},
    "UPDATE margin_sums SET country_code = '999'": {"margin_journal"},
    "UPDATE margin_sums SET user_id = user_id + 100": {"margin_journal", "margin_rows"},
    "DELETE FROM margin_sums": {"margin_journal", "margin_rows"},
    "UPDATE transfers SET amount_uc = amount_uc + 1 WHERE kind = 'settle'": {"margin_rows"},
    "UPDATE segments SET buy_uc = buy_uc + 1 WHERE state = 'delivered'": {"margin_rows"},
    "DELETE FROM events WHERE kind = 'delivered'": {"margin_journal"},
}


def _add_up(world: World, *, limit: int) -> None:
    """Count half of the journal in small steps: the rest waits, as behind a busy engine."""
    for _ in range(3):
        assert margins.count_next(world.core.database, now=world.now, limit=limit)


def test_sums_of_costs_and_margin_are_checked_however_far_they_reach(history: World) -> None:
    _add_up(history, limit=7)
    behind = _check(history)
    while margins.count_next(history.core.database, now=history.now):
        pass
    level = _check(history)

    assert (behind.findings, level.findings) == ((), ())
    with history.core.database.read() as session:
        assert session.execute(text("SELECT SUM(sold_uc) > 0 AND SUM(bought_uc) > 0 FROM margin_sums")).scalar_one()


@pytest.mark.parametrize("plant", MARGIN_FAULTS)
def test_faults_in_costs_and_margin_are_found(history: World, plant: str) -> None:
    while margins.count_next(history.core.database, now=history.now):
        pass
    with history.core.database.write() as session:
        assert session.execute(text(plant)).rowcount  # type: ignore[attr-defined]  # of a statement that changes rows

    result = _check(history)

    assert {kind for kind in result.counts if kind.startswith("margin")} == MARGIN_FAULTS[plant]
    assert all(item.expected != item.found and result.titles[item.kind] for item in result.findings)


def test_sums_of_costs_and_margin_are_repaired(history: World) -> None:
    _add_up(history, limit=20)
    with history.core.database.write() as session:
        session.execute(text("UPDATE margin_sums SET sold_uc = sold_uc + 1, segment_count = 0"))
    broken = _check(history)

    count = margins.rebuild(history.core.database, now=history.now)

    finding = next(item for item in broken.findings if item.kind == "margin_journal")
    assert finding.subject.startswith("margin of ")
    assert count == broken.totals["events"]
    assert _check(history).findings == ()

"""What was sold and bought by day: sums of the journal against the rows they sum."""

from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from app import administration
from app.identifiers import internal_id
from app.ledger import parse_credits
from app.models import Segment, Transfer
from app.statistics import margins
from pennywire import Accepted, OutcomeUnknown, Rejected

World = Any
HALF = 500_000
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""Where the clock of these tests begins."""


def buy(world: World, name: str, amount: str) -> None:
    with world.core.database.write() as session:
        administration.set_buy_price(session, name, parse_credits(amount), now=world.now, actor="test")
    world.core.snapshots.reload()


def test_sums_by_day_say_what_the_rows_say(world: World, line: Any) -> None:
    buy(world, "wire", "0.5")
    world.user("ben", accounting_enabled=False)
    answers: dict[int, Any] = {
        world.send(): Accepted("a"),
        world.send("x" * 400, destination="+447700900123"): Accepted("b"),
        world.send(destination="1700", user="ben"): Accepted("c"),
        world.send(): Rejected("no", "No such number."),
        world.send(): OutcomeUnknown("?"),
    }
    items = world.claim(line, 50)
    world.answer(line, *((item, answers[internal_id(item.message_id)]) for item in items))
    world.sweep(timedelta(hours=25))
    while margins.count_next(world.core.database, now=world.now, limit=4):
        pass

    since, until = START.date(), world.now.date() + timedelta(days=1)
    with world.core.database.read() as session:
        countries = margins.lines(session, "country", since=since, until=until)
        users = margins.lines(session, "user", since=since, until=until)
        days = margins.lines(session, "day", since=since, until=until)
        bought_uc = session.execute(select(func.sum(Segment.buy_uc))).scalar_one()
        settled_uc = session.execute(select(func.sum(Transfer.amount_uc)).where(Transfer.kind == "settle")).scalar_one()
        waits_since = margins.uncounted_since(session)
    assert [astuple(line) for line in countries] == [
        ("44", 3, 3, 6_000_000, 3 * HALF),
        ("36", 2, 2, 2_000_000, 2 * HALF),
        ("", 1, 1, 0, HALF),
    ]
    assert [line.sold_uc for line in users] == [8_000_000, 0]
    assert len(days) == 2
    for lines in (countries, users, days):
        total = margins.together(lines)
        assert (total.bought_uc, total.sold_uc) == (bought_uc, settled_uc)
    assert waits_since is None


def test_what_was_taken_before_any_price_was_known_counts_as_not_known(world: World, line: Any) -> None:
    world.send("x" * 200)
    world.accept(line, "n1", "n2")
    buy(world, "wire", "0.5")
    world.send()
    world.accept(line, "n3")
    while margins.count_next(world.core.database, now=world.now, limit=3):
        pass

    today = world.now.date()
    with world.core.database.read() as session:
        (day,) = margins.lines(session, "day", since=today, until=today + timedelta(days=1))
    assert (day.segment_count, day.priced_count, day.sold_uc, day.bought_uc, day.unknown_permille) == (3, 1, 6_000_000, HALF, 667)

"""The month end of every user: the same figures whether the month is open or closed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app import closing, ledger, statements
from app.identifiers import IdMaker
from app.ledger import format_credits
from app.statements import Month
from pennywire import Accepted, Incoming, Rejected

World = Any
MARCH = Month(2026, 3)


def months(world: World, **values: Any) -> list[tuple[Any, ...]]:
    with world.core.database.read() as session:
        found = statements.account_months(session, values.pop("month", MARCH), with_traffic=True, **values)
    return [
        (
            line.username,
            line.traffic.sent_count,
            line.traffic.sent_segment_count,
            line.traffic.received_count,
            *(format_credits(amount_uc) for amount_uc in (line.opening_uc, line.added_uc, line.used_uc, line.closing_uc, line.reserved_uc)),
        )
        for line in found
    ]


def a_month(world: World, line: Any) -> None:
    world.core.ids = IdMaker(lambda: int(world.now.timestamp()) * 1_000_000_000)
    world.user("bela", accounting_enabled=False)
    world.user("cora", credit="7")
    world.route("in", ["anna"], inward=True, cost="0.5")
    world.send("x" * 200)
    world.send()
    world.send(user="bela")
    (first, second, third, fourth) = world.claim(line)
    world.answer(line, (first, Accepted("a")), (second, Accepted("b")), (third, Rejected("11", "no")), (fourth, Accepted("c")))
    world.receive(line, Incoming("+36205555555", "1700", text="x"))
    world.send()


EXPECTED = [
    ("anna", 3, 4, 1, "0", "100", "4.5", "95.5", "2"),
    ("bela", 1, 1, 0, "0", "0", "0", "0", "0"),
    ("cora", 0, 0, 0, "0", "7", "0", "7", "0"),
]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_every_user_has_a_line(world: World, line: Any) -> None:
    a_month(world, line)

    assert months(world) == EXPECTED


def test_a_closed_month_says_the_same(world: World, line: Any) -> None:
    a_month(world, line)
    closing.close_by_hand(world.core.database, MARCH, now=datetime(2026, 4, 2, tzinfo=UTC), actor="root")
    world.now = datetime(2026, 4, 3, tzinfo=UTC)
    with world.core.database.write() as session:
        account_id = world.core.snapshots.present().user("anna").account_id
        ledger.top_up(session, account_id, 1, now=world.now, actor="test", reason="later")

    assert months(world) == EXPECTED
    assert months(world, month=MARCH.plus(1))[0][4:] == ("95.5", "0.000001", "0", "95.500001", "2")


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_pages_follow_each_other(world: World, line: Any) -> None:
    a_month(world, line)

    assert [row[0] for row in months(world, limit=2)] == ["anna", "bela"]
    assert [row[0] for row in months(world, limit=2, after="bela")] == ["cora"]
    assert [row[0] for row in months(world, search="or")] == ["cora"]
    everybody = list(statements.all_account_months(world.core.database.read, MARCH))
    assert [line.username for line in everybody] == ["anna", "bela", "cora"]
    assert everybody[0].traffic == statements.Traffic(3, 4, 1, 1)

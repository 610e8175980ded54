"""Sums of accounts are moved in one statement, which says whether every account was hit."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.ledger import MICRO, rows
from app.models import Account, User

World = Any
pytestmark = pytest.mark.parametrize(
    "database_url", ["sqlite_url", pytest.param("postgres_url", marks=[pytest.mark.full, pytest.mark.postgres])], indirect=True
)


def accounts(world: World) -> dict[str, Any]:
    with world.core.database.read() as session:
        found = session.execute(
            select(User.username, Account.id, Account.balance_uc, Account.reserved_uc).join(User, User.id == Account.user_id)
        )
        return {row.username: row for row in found}


@pytest.fixture
def three(world: World) -> dict[str, int]:
    """Return the accounts of three users with 1, 2 and 3 credits, by the user."""
    for name, credit in (("anna", "1"), ("bela", "2"), ("cora", "3")):
        world.user(name, credit)
    return {name: row.id for name, row in accounts(world).items()}


def figures(world: World) -> list[tuple[int, int]]:
    return sorted((row.balance_uc // MICRO, row.reserved_uc // MICRO) for row in accounts(world).values())


def test_each_account_is_moved_by_its_own_amounts(world: World, three: dict[str, int]) -> None:
    with world.core.database.write() as session:
        rows.reserve(session, {three["cora"]: 3 * MICRO, three["anna"]: MICRO})
        rows.move_sums(session, {three["bela"]: (5 * MICRO, 0), three["anna"]: (-MICRO, -MICRO)})

    assert figures(world) == [(0, 0), (3, 3), (7, 0)]


def test_nothing_is_reserved_where_one_account_has_too_little(world: World, three: dict[str, int]) -> None:
    with pytest.raises(AssertionError, match="changed under its lock"), world.core.database.write() as session:
        rows.reserve(session, {three["anna"]: MICRO, three["bela"]: 2 * MICRO + 1, three["cora"]: MICRO})

    assert figures(world) == [(1, 0), (2, 0), (3, 0)]


def test_what_is_reserved_already_and_a_credit_line_count(world: World, three: dict[str, int]) -> None:
    with world.core.database.write() as session:
        session.execute(update(Account).where(Account.id == three["anna"]).values(limit_uc=-MICRO))
        rows.reserve(session, {three["anna"]: MICRO})
        rows.reserve(session, {three["anna"]: MICRO})
        with pytest.raises(AssertionError, match="changed under its lock"):
            rows.reserve(session, {three["anna"]: 1})

    assert figures(world) == [(1, 2), (2, 0), (3, 0)]


def test_an_unlimited_account_reserves_whatever_is_asked(world: World, three: dict[str, int]) -> None:
    with world.core.database.write() as session:
        session.execute(update(Account).where(Account.id == three["anna"]).values(unlimited=True))
        rows.reserve(session, {three["anna"]: 9 * MICRO})

    assert figures(world) == [(1, 9), (2, 0), (3, 0)]


def test_an_account_that_is_not_there_is_noticed(world: World, three: dict[str, int]) -> None:
    with pytest.raises(AssertionError, match="changed under its lock"), world.core.database.write() as session:
        rows.move_sums(session, {three["anna"]: (1, 0), max(three.values()) + 1: (1, 0)})

    assert figures(world) == [(1, 0), (2, 0), (3, 0)]

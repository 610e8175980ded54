"""Limits, calendars and resellers in the random walk: what operators do to accounts, and what is free of each."""

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from app import administration
from app.ledger import MICRO
from app.limits import Unit

World = Any
USERS = ("anna", "bela", "cora", "dora")
RESELLERS = ("rosa", "soma")


class Present:
    """What is free of each account and used of its limits, as the books say, while a request is followed draft by draft."""

    def __init__(self, world: World, books: Any) -> None:
        rows = books.accounts.values()
        self.free = {row.id: row.balance_uc - row.reserved_uc - row.limit_uc for row in rows if row.user_id}
        self.endless = {row.id for row in rows if row.unlimited}
        with world.core.database.read() as session:
            self.uses: dict[int, list[list[Any]]] = {
                row.id: [[use.unit, use.most, use.used] for use in administration.usage_of(session, row, world.now)]
                for row in rows
                if row.user_id
            }

    def lacks(self, number: int, count: int, price_uc: int) -> str:
        """Return the code of what an account lacks for a message, empty where it lacks nothing."""
        if price_uc and number not in self.endless and price_uc > self.free[number]:
            return "no_credit"
        wanted = {Unit.SEGMENTS: count, Unit.CREDITS: price_uc}
        reached = any(wanted[unit] and used + wanted[unit] > most for unit, most, used in self.uses[number])
        return "limit_reached" if reached else ""

    def take(self, number: int, count: int, price_uc: int) -> None:
        self.free[number] -= price_uc
        for use in self.uses[number]:
            use[2] += count if use[0] is Unit.SEGMENTS else price_uc


class Accounts(RuleBasedStateMachine):
    """Does to limits and places of accounts what operators may do while messages are on their way."""

    world: World
    read: Any

    @rule(
        user=st.sampled_from((*USERS, *RESELLERS)),
        period=st.sampled_from(administration.PERIODS),
        unit=st.sampled_from(Unit),
        most=st.none() | st.integers(0, 12),
    )
    def limit(self, user: str, period: str, unit: Unit, most: int | None) -> None:
        """Limit an account, or take a limit away; what was accepted in the period counts from the first moment."""
        world = self.world
        with world.core.database.write() as session:
            values = {"now": world.now, "actor": "test"}
            if most is not None:
                administration.set_limit(session, user, period, unit, most * (MICRO if unit is Unit.CREDITS else 1), **values)
                return
            with suppress(administration.NotThere):
                administration.remove_limit(session, user, period, unit, **values)

    @rule(
        user=st.sampled_from((*USERS, *RESELLERS)), zone=st.sampled_from(["", "Asia/Kathmandu", "America/New_York"]), day=st.integers(0, 6)
    )
    def set_calendar(self, user: str, zone: str, day: int) -> None:
        with self.world.core.database.write() as session:
            administration.set_calendar(session, user, time_zone=zone, week_start=day, now=self.world.now, actor="test")

    @rule(
        user=st.sampled_from((*USERS, *RESELLERS)),
        parent=st.sampled_from([None, *RESELLERS, *RESELLERS]),
        mode=st.sampled_from(["own", "shared", "shared"]),
    )
    def place(self, user: str, parent: str | None, mode: str) -> None:
        """Put an account below a reseller's while messages are on their way; circles are refused."""
        world = self.world
        with world.core.database.write() as session, suppress(administration.InvalidField):
            administration.set_parent(session, user, parent, mode=mode, now=world.now, actor="test")
        world.core.snapshots.reload()

    @rule(user=st.sampled_from((*USERS, *RESELLERS)), amount=st.integers(-20, 20))
    def allot(self, user: str, amount: int) -> None:
        """Move credit between an account and the one above; who gives keeps his limit."""
        world = self.world
        before = self.read(world)
        with world.core.database.write() as session:
            try:
                administration.allot(session, user, amount * MICRO // 2, now=world.now, actor="test", reason="cash")
            except administration.InvalidField:
                return
        after = self.read(world)
        account = after.account(world.core.snapshots.present().users[user].id)
        giver = after.accounts[account.parent_id if amount > 0 else account.id]
        assert giver.unlimited or giver.balance_uc - giver.reserved_uc >= (giver.limit_uc if amount > 0 else 0)
        assert sum(row.balance_uc for row in after.accounts.values()) == sum(row.balance_uc for row in before.accounts.values())

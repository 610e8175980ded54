"""Words of the stories about period limits and resellers."""

import contextlib
from typing import Any

import pytest

from app import administration
from app.ledger import parse_credits

PERIODS = {"a day": "day", "a week": "week", "a month": "month", "a year": "year", "in all": "all"}


def limit_period(stage: Any, amount: str, unit: str, every: str) -> None:
    """Set a period limit, or take it away."""
    world, period = stage.world, PERIODS[every]
    with world.core.database.write() as session:
        by = {"now": world.now, "actor": "test"}
        if amount == "no":
            administration.remove_limit(session, "anna", period, unit, **by)
        else:
            administration.set_limit(session, "anna", period, unit, administration.read_most(unit, amount), **by)


def check_used(stage: Any, amount: str, unit: str, every: str) -> None:
    with stage.world.core.database.read() as session:
        account = administration.account_of(session, administration.find_user(session, "anna"))
        uses = administration.usage_of(session, account, stage.world.now)
    found = {(use.period, use.unit): administration.show_most(use.unit, use.used) for use in uses}
    assert found[PERIODS[every], unit] == amount


def resell(stage: Any, amount: str, shared: str | None) -> None:
    """Let anna be a customer of boss."""
    world = stage.world
    world.user("boss", credit=amount)
    with world.core.database.write() as session:
        administration.set_parent(session, "anna", "boss", mode="shared" if shared else "own", now=world.now, actor="test")
    world.core.snapshots.reload()


def allot(stage: Any, amount: str, forbidden: str | None) -> None:
    refused = pytest.raises(administration.InvalidField) if forbidden else contextlib.nullcontext()
    with refused, stage.world.core.database.write() as session:
        administration.allot(session, "anna", parse_credits(amount), now=stage.world.now, actor="boss", reason="story")


def check_boss(stage: Any, balance: str, reserved: str | None) -> None:
    assert stage.world.money("boss") == (balance, reserved or "0")

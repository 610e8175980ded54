"""Words of the stories about two people, warnings, suspension, and messages that wait for credit."""

import contextlib
from typing import Any

import pytest

from app import administration, notices, watching
from app.administration import Warnings
from app.ledger import parse_credits

Stage = Any
NAME, AMOUNT = "([A-Z])", r"(-?[0-9.]+)"


def set_care(stage: Stage) -> None:
    """Set what takes a second person, and when anna is warned and suspended."""
    world, options, now = stage.world, stage.options, stage.world.now
    if "second person" in options:
        for name in ("root", "ruth"):
            world.user(name, role="administrator", accounting_enabled=False)
    below, above = options.get("suspend", (None, None))
    wanted = Warnings(tuple(options.get("warnings", ())), suspend_below_uc=below, release_above_uc=above)
    with world.core.database.write() as session:
        given = {"second_person_above": options.get("second person", "")}
        administration.set_gateway_options(session, given, now=now, actor="test")
        administration.set_warnings(session, "anna", wanted, now=now, actor="test")
    world.core.snapshots.reload()


def decide(stage: Stage, actor: str, word: str, may_not: str | None) -> None:
    """Decide about the oldest movement that waits for a second person."""
    act = administration.approve if word == "approves" else administration.reject
    refused = pytest.raises(administration.InvalidField) if may_not else contextlib.nullcontext()
    with refused, stage.world.core.database.write() as session:
        proposal = administration.pending(session)[0]
        act(session, proposal.id, now=stage.world.now, actor=actor, reason="story")


def invoice(stage: Stage, number: str, amount: str) -> None:
    values = {"now": stage.world.now, "actor": "root", "reason": f"Invoice {number}", "key": f"invoice-{number}"}
    with stage.world.core.database.write() as session:
        administration.top_up(session, "anna", parse_credits(amount), **values)


def look(stage: Stage, name: str | None = None) -> None:
    """Do what the engine does every second."""
    world = stage.world
    world.sweep()
    with world.core.database.write() as session:
        watching.act(session, watching.crossed(session), now=world.now)
    world.core.snapshots.reload()
    stage.last = stage.numbers[name] if name else stage.last


def check_warned(stage: Stage, count: str) -> None:
    with stage.world.core.database.read() as session:
        account = administration.account_of(session, administration.find_user(session, "anna"))
        told = [item for item in notices.notices_of(session, account.id) if item.kind == "low_credit"]
    assert len(told) == int(count)


def check_suspended(stage: Stage, words: str) -> None:
    with stage.world.core.database.read() as session:
        assert (administration.suspension_of(session, "anna") is not None) == (words == "is suspended")


CARE_STEPS = {
    f"invoice ([0-9]+) tops up {AMOUNT}": invoice,
    "(ruth|root) (approves|rejects)(?: and (may not))?": decide,
    f"the engine looks(?: at {NAME})?": look,
    "anna was warned ([0-9]+) times?": check_warned,
    "anna (is suspended|may send)": check_suspended,
}
CARE_SETTINGS = {
    f"second person above {AMOUNT}": lambda options, amount: options.update({"second person": amount}),
    f"warn below {AMOUNT}": lambda options, amount: options.setdefault("warnings", []).append(parse_credits(amount)),
    f"suspend below {AMOUNT}, release above {AMOUNT}": lambda options, below, above: options.update(
        suspend=(parse_credits(below), parse_credits(above))
    ),
}

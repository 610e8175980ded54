"""Credit under many hands: exactly as much is sold as there is, and the same key at the same instant is one message."""

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app import administration, verify
from app.identifiers import public_id
from app.ledger import MICRO
from app.models import Account, User

World = Any
ROOT = Path(__file__).parents[2]
SELLER = Path(__file__).with_name("seller.py")
PROCESSES, THREADS = 2, 8


def sell(world: World, attempt_count: int, key: str = "") -> Counter[str]:
    """Let several processes submit at once, and count what became of the attempts."""
    settings = world.core.settings
    command = [sys.executable, str(SELLER), str(settings.data), settings.url, str(THREADS), str(attempt_count), key]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    sellers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(PROCESSES)
    ]
    for seller in sellers:
        assert seller.stdout is not None
        assert seller.stdout.readline() == "ready\n"
    for seller in sellers:
        assert seller.stdin is not None
        seller.stdin.write("go\n")
        seller.stdin.flush()
    words: Counter[str] = Counter()
    for seller in sellers:
        written, _ = seller.communicate(timeout=60)
        assert seller.returncode == 0
        words.update(written.split())
    return words


@contextmanager
def watched(world: World) -> Iterator[list[int]]:
    """Read the account without a break, as a reader of another process would, and gather what was free of it."""
    free: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            with world.core.database.read() as session:
                account = session.scalars(select(Account).join(User, User.id == Account.user_id)).one()
            free.append(account.balance_uc - account.reserved_uc - account.limit_uc)

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        yield free
    finally:
        ended.set()
        reader.join()


@pytest.mark.parametrize(("credit", "line"), [("300", 0), ("100", 200)])
def test_many_processes_sell_exactly_what_the_credit_allows(world: World, credit: str, line: int) -> None:
    world.user(credit=credit)
    world.connection()
    world.route(cost="1")
    with world.core.database.write() as session:
        administration.edit_account(session, "anna", limit_uc=-line * MICRO, unlimited=False, now=world.now, actor="test")

    with watched(world) as free:
        words = sell(world, 200)

    assert words["no_credit"] == 100
    assert len(words) == 301
    assert world.money() == (credit, "300")
    assert min(free) >= 0
    with world.core.database.read() as session:
        assert verify.verify(session).correct


def test_same_key_at_the_same_instant_is_one_message_with_one_charge(world: World) -> None:
    world.user(credit="300")
    world.connection()
    world.route(cost="1")

    words = sell(world, 40, key="only-once")

    (message,) = world.messages()
    assert words == {public_id(message.id): PROCESSES * 40}
    assert world.money() == ("300", "1")

"""Programs that submit by SMPP while the gateway is killed: what was committed stays, is charged once, and no answer promises more."""

import random
import time
from collections import Counter
from contextlib import suppress

import pytest
from esmes import Esme
from pennywire_smpp.bodies import Empty
from pennywire_smpp.pdu import Command
from processes import Gateway, kill, say, until
from sqlalchemy import text

from app.identifiers import public_id

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(240)]

PASSWORD = "secret12"
#: More submissions than the gateway reads from a program that does not read, and requests between two of them.
MANY = 5_000
ASKED_BETWEEN = 200
KILLS = 5
BURST = 300
#: Units: octets. The smallest buffer that Linux gives.
SMALLEST_BUFFER = 2_304
CREDIT = 1_000_000
#: Who cannot write for so long is not read any more. Units: seconds.
PATIENCE_S = 3.0


@pytest.fixture
def port(gateway: Gateway) -> int:
    """A gateway that runs, with a customer who may bind, and a connection that sends nothing; returns the port."""
    gateway.start()
    gateway.cli("connection", "add", "wire", "--kind", "loopback")
    gateway.cli("route", "add", "outbound", "all", "--to", "wire", "--cost", "1")
    gateway.add_customer("anna", str(CREDIT))
    number = gateway.serve_smpp("anna", PASSWORD, window=5_000)
    until(lambda: binds(number), within_s=60, what="the customer can bind")
    return number


def binds(port: int) -> bool:
    """Say whether the customer can bind now."""
    with suppress(OSError):
        Esme(port, "anna", PASSWORD).close()
        return True
    return False


def bound(port: int, *, receive_octets: int = 0) -> Esme:
    """Return a bind, as soon as the gateway takes one."""
    until(lambda: binds(port), within_s=60, what="the customer can bind again")
    return Esme(port, "anna", PASSWORD, receive_octets=receive_octets, timeout_s=PATIENCE_S)


def kill_engine(gateway: Gateway) -> None:
    """Kill the engine, which has the listener, with no warning. The gateway starts another."""
    (pid,) = until(lambda: gateway.roles()["engine"], what="an engine runs")
    kill(pid)


def check(gateway: Gateway, answered: dict[str, list[str]], tried: Counter[str]) -> None:
    """Check that every answer is kept, nothing is there more often than it was tried, and each message is charged once."""
    stored = gateway.rows("SELECT id, destination FROM messages")
    copies = Counter(row.destination for row in stored)
    promised = {name for names in answered.values() for name in names}
    assert promised <= {public_id(row.id) for row in stored}
    assert sum(map(len, answered.values())) == len(promised)
    assert copies.keys() == tried.keys()
    assert [destination for destination, count in copies.items() if count > tried[destination]] == []
    charges = gateway.rows("SELECT message_id, COUNT(*) AS n FROM transfers WHERE kind = 'charge' GROUP BY message_id")
    assert {(row.message_id, row.n) for row in charges} == {(row.id, 1) for row in stored}
    shown = gateway.cli("credits", "show", "anna")
    assert (shown["available"], shown["reserved"]) == (str(CREDIT - len(stored)), str(len(stored)))
    assert gateway.cli("ledger", "verify")["correct"] is True


def fill(esme: Esme) -> list[str]:
    """Submit, and ask whether the link lives, until the gateway reads no further because its answers are not read; return where to."""
    with suppress(TimeoutError):
        for index in range(MANY):
            esme.submit(f"+3620{index:07}")
            for _ in range(ASKED_BETWEEN):
                esme.send(Command.ENQUIRE_LINK, Empty())
    return list(esme.submitted.values())


def test_what_was_committed_and_not_answered_before_a_kill_is_kept_and_its_repeat_is_a_message_of_its_own(
    gateway: Gateway, port: int
) -> None:
    """The program does not read, so that answers are left over behind those that fill the way to it."""
    first = bound(port, receive_octets=SMALLEST_BUFFER)
    destinations = fill(first)
    until(lambda: settled(gateway), what="what was read is committed")
    committed = gateway.count("SELECT COUNT(*) FROM messages")
    kill_engine(gateway)
    answered = {destination: [name] for destination, status, name in first.answers(MANY) if not status}
    first.close()
    left = [destination for destination in destinations if destination not in answered]

    second = bound(port)
    for destination in left:
        second.submit(destination)
    repeats = {destination: [name] for destination, status, name in second.answers(len(left)) if not status}
    second.close()

    say("SMPP kill", submitted=len(destinations), committed=committed, answered_before=len(answered), repeated=len(left))
    assert committed > len(answered), "The kill must come between a commit and its answer."
    assert repeats.keys() == set(left)
    check(gateway, answered | repeats, Counter([*destinations, *left]))
    assert gateway.count("SELECT COUNT(*) FROM messages") == committed + len(left)


def settled(gateway: Gateway) -> bool:
    """Say whether nothing more is committed."""
    before = gateway.count("SELECT COUNT(*) FROM messages")
    time.sleep(0.5)  # Nothing tells that nothing comes.
    return 0 < before == gateway.count("SELECT COUNT(*) FROM messages")


def test_kills_at_any_moment_take_back_no_answer_and_charge_nothing_twice(gateway: Gateway, port: int) -> None:
    chance = random.Random(20_261_124)
    answered: dict[str, list[str]] = {}
    tried: Counter[str] = Counter()
    waiting = [f"+3620{index:07}" for index in range(KILLS * BURST)]
    for turn in range(KILLS + 1):
        esme = bound(port)
        burst = waiting if turn == KILLS else waiting[:BURST]
        for destination in burst:
            esme.submit(destination)
        tried.update(burst)
        if turn < KILLS:
            for destination, status, name in esme.answers(chance.randrange(BURST)):
                assert status == 0
                answered.setdefault(destination, []).append(name)
            kill_engine(gateway)
        for destination, status, name in esme.answers(len(burst)):
            assert status == 0
            answered.setdefault(destination, []).append(name)
            if turn == KILLS and len(answered) == KILLS * BURST:
                break
        esme.close()
        waiting = [destination for destination in waiting if destination not in answered]

    say("SMPP kills", kills=KILLS, repeats=tried.total() - KILLS * BURST, stored=gateway.count("SELECT COUNT(*) FROM messages"))
    assert waiting == []
    check(gateway, answered, tried)


def test_no_answer_leaves_while_the_commit_cannot_be_made(gateway: Gateway, port: int) -> None:
    """The database's lock is held by the test; the link lives on, and says nothing of submissions."""
    esme = bound(port)
    destinations = [f"+3620{index:07}" for index in range(20)]
    with gateway.database.write() as session:
        session.execute(text("UPDATE accounts SET reserved_uc = reserved_uc"))
        for destination in destinations:
            esme.submit(destination)
            esme.answers_at_once()
        assert gateway.count("SELECT COUNT(*) FROM messages") == 0

    names = []
    for _, status, name in esme.answers(len(destinations)):
        stored = {public_id(row.id) for row in gateway.rows("SELECT id FROM messages")}
        assert (status, name in stored) == (0, True)
        names.append(name)
    esme.close()
    assert len(set(names)) == len(destinations)

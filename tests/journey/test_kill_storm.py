"""Kill -9 of whatever runs, again and again, while thousands of messages are submitted and delivered.

Nothing that was accepted may be lost, sent twice or charged twice; what was at the network in such a moment may be in doubt.
"""

import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from callers import Answer, Caller
from processes import Customer, Gateway, Smsc, kill, say, until

from app.identifiers import public_id

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(300)]

SEED_VARIABLE = "PENNYWIRE_TEST_SEED"
MESSAGES = 5_000
KILLS = 30
STORM_S = 40.0
WINDOW = 20
CREDIT = 100_000
BATCH = 20
RETRY_S = 0.2
#: How many of ten messages come singly over REST, by legacy GET, and in batches; each share has its own clients.
SHARES = {"single": (4, 4), "legacy": (2, 2), "batch": (4, 1)}
#: Who is killed, and how often in proportion.
VICTIMS = ("worker", "worker", "engine", "engine", "engine", "master")
#: Share of the engines that are killed whatever they do; the others are bound, with messages in their window.
ANY_MOMENT = 0.25


@dataclass
class Client:
    """A customer's program that gives up nothing: on anything but an answer it asks again with the same key."""

    gateway: Gateway
    customer: Customer
    kind: str
    destinations: list[str]
    started_at: float
    accepted: dict[str, str] = field(default_factory=dict)
    repeats: int = 0
    replays: int = 0

    def run(self) -> None:
        """Submit everything, spread evenly over the storm."""
        caller = Caller(self.gateway.address, timeout_s=15)
        size = BATCH if self.kind == "batch" else 1
        for index in range(0, len(self.destinations), size):
            due_s = self.started_at + STORM_S * index / len(self.destinations) - time.monotonic()
            time.sleep(max(due_s, 0))
            part = self.destinations[index : index + size]
            self.accepted.update(self._insist(caller, part))
        caller.close()

    def _insist(self, caller: Caller, part: list[str]) -> dict[str, str]:
        while True:
            try:
                answer = SUBMISSIONS[self.kind](caller, self.customer, part)
                if answer.status < 500:
                    self.replays += "Idempotency-Replayed" in answer.headers
                    return READERS[self.kind](answer)
            except (OSError, http.client.HTTPException):
                pass
            self.repeats += 1
            time.sleep(RETRY_S)


def _submit_single(caller: Caller, customer: Customer, part: list[str]) -> Answer:
    body = json.dumps({"destination": part[0], "text": "storm"}).encode()
    return caller.request("POST", "/api/v1/messages", body=body, headers=customer.bearer | {"Idempotency-Key": part[0]})


def _submit_legacy(caller: Caller, customer: Customer, part: list[str]) -> Answer:
    """The legacy API has no key: within the user's window an identical GET is its own."""
    return caller.request("GET", "/api", query=customer.query("sendmessage", recipient=part[0], messagedata="storm"))


def _submit_batch(caller: Caller, customer: Customer, part: list[str]) -> Answer:
    body = json.dumps({"messages": [{"destination": destination, "text": "storm"} for destination in part]}).encode()
    return caller.request("POST", "/api/v1/messages", body=body, headers=customer.bearer | {"Idempotency-Key": f"batch-{part[0]}"})


def _read_single(answer: Answer) -> dict[str, str]:
    value = answer.json()
    return {value["destination"]: value["id"]}


def _read_legacy(answer: Answer) -> dict[str, str]:
    (report,) = answer.records("acceptreport")
    return {report["recipient"]: report["messageid"]}


def _read_batch(answer: Answer) -> dict[str, str]:
    return {message["destination"]: message["id"] for message in answer.json()["messages"]}


SUBMISSIONS: dict[str, Callable[[Caller, Customer, list[str]], Answer]] = {
    "single": _submit_single,
    "legacy": _submit_legacy,
    "batch": _submit_batch,
}
READERS = {"single": _read_single, "legacy": _read_legacy, "batch": _read_batch}


def test_thirty_kills_lose_nothing_and_send_nothing_twice(gateway: Gateway, smsc: Callable[..., Smsc]) -> None:
    seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(2**32))
    say("kill storm", seed=f"{seed} ({SEED_VARIABLE} repeats it)")
    gateway.start()
    peer = smsc("--latency-ms", "80", "--jitter-ms", "80")
    gateway.add_connection("smsc", peer, window=WINDOW)
    gateway.cli("route", "add", "outbound", "all", "--to", "smsc", "--cost", "1")
    anna = gateway.add_customer("anna", str(CREDIT), repeat_window_s="3600")
    until(lambda: gateway.connection().state == "up", what="the connection is bound")

    clients = list(_make_clients(gateway, anna))
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    kills = _rage(gateway, random.Random(seed))
    for thread in threads:
        thread.join()
    until(lambda: gateway.states().keys() <= {"delivered", "in_doubt"}, within_s=120, what="everything is settled or in doubt")

    accepted = {destination: number for client in clients for destination, number in client.accepted.items()}
    _check(gateway, peer, accepted, kills)
    say(
        "kill storm",
        kills=dict(kills),
        repeats=sum(client.repeats for client in clients),
        replays=sum(client.replays for client in clients),
        states=gateway.states(),
        submit_sm=len(peer.submissions()),
        receipts_again=peer.stats()["redelivered"],
    )


def _make_clients(gateway: Gateway, anna: Customer) -> Iterator[Client]:
    """Give every client recipients of its own, so that a second copy of anything would be seen."""
    destinations = [f"+3620{1_000_000 + index}" for index in range(MESSAGES)]
    started_at = time.monotonic()
    begin = 0
    for kind, (tenths, count) in SHARES.items():
        share = destinations[begin : begin + MESSAGES * tenths // 10]
        begin += len(share)
        for index in range(count):
            yield Client(gateway, anna, kind, share[index::count], started_at)


def _rage(gateway: Gateway, chance: random.Random) -> Counter[str]:
    """Kill a random process at random moments; return how many of each role."""
    kills: Counter[str] = Counter()
    last_token = 0
    while kills.total() < KILLS:
        time.sleep(chance.uniform(0.3, 2 * STORM_S / KILLS - 0.3))
        role = chance.choice(VICTIMS)
        connection = gateway.connection()
        is_bound = connection.state == "up" and connection.token > last_token
        present = gateway.roles()
        if not present[role] or (role == "engine" and not is_bound and chance.random() > ANY_MOMENT):
            role = "worker"
        if present[role]:
            kill(chance.choice(sorted(present[role])))
            kills[role] += 1
            last_token = connection.token if role == "engine" else last_token
    return kills


def _check(gateway: Gateway, peer: Smsc, accepted: dict[str, str], kills: Counter[str]) -> None:
    stored = gateway.rows("SELECT destination, id, state FROM messages")
    copies = Counter(line["destination"] for line in peer.submissions())
    states = Counter(row.state for row in stored)

    # Accepted is what the database has, each once.
    assert len(accepted) == len(stored) == MESSAGES
    assert {row.destination: public_id(row.id) for row in stored} == accepted
    # The network saw no recipient twice, and everything that is delivered.
    assert [recipient for recipient, count in copies.items() if count > 1] == []
    assert {row.destination[1:] for row in stored if row.state == "delivered"} <= copies.keys() <= {row.destination[1:] for row in stored}
    # Everything is charged exactly once: settled where it was sent, reserved where that is not known.
    charges = gateway.rows("SELECT message_id, COUNT(*) AS n FROM transfers WHERE kind = 'charge' GROUP BY message_id")
    assert {(row.message_id, row.n) for row in charges} == {(row.id, 1) for row in stored}
    assert gateway.count("SELECT COUNT(*) FROM transfers WHERE kind = 'settle'") == states["delivered"]
    shown = gateway.cli("credits", "show", "anna")
    assert (shown["available"], shown["reserved"]) == (str(CREDIT - MESSAGES), str(states["in_doubt"]))
    assert gateway.cli("ledger", "verify")["correct"] is True
    # No death of an engine put more in doubt than two windows.
    doubts = [row.n for row in gateway.rows("SELECT COUNT(*) AS n FROM events WHERE kind = 'in_doubt' GROUP BY at ORDER BY at")]
    say("kill storm", in_doubt_after_each_death=doubts, window=WINDOW)
    assert len(doubts) <= kills["engine"]
    assert max(doubts) <= 2 * WINDOW, "Some death of an engine must hit a full window."

"""How processes end, and what becomes of their work: asked to, killed, frozen; and an SMSC that answers when nobody waits any more."""

import http.client
import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from callers import Caller
from processes import Customer, Gateway, Smsc, end, kill, say, until

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(180)]

WINDOW = 10
LEASE_S = 8.0
"""An engine may freeze with a transaction open, which PostgreSQL ends after 10 s only: twice the lease has to be more."""


def _queue(gateway: Gateway, customer: Customer, count: int, first: int = 0) -> None:
    """Submit `count` messages to as many recipients in one request."""
    messages = [{"destination": f"+3620{first + index:07}", "text": "stop"} for index in range(count)]
    answer = gateway.post("/api/v1/messages", body=json.dumps({"messages": messages}).encode(), headers=customer.bearer)
    assert answer.status == 202, answer.text[:500]


def _settled(gateway: Gateway) -> bool:
    return gateway.states().keys() <= {"delivered", "in_doubt"}


def _check_each_once(peer: Smsc) -> None:
    copies = Counter(line["destination"] for line in peer.submissions())
    assert [recipient for recipient, count in copies.items() if count > 1] == []


# A clean stop.


def test_a_clean_stop_under_load_puts_nothing_in_doubt(gateway: Gateway, smsc: Callable[..., Smsc]) -> None:
    """Promise 12: what is in the windows is finished, the rest waits for the next start; a caller only has to ask again."""
    count, singles = 1_000, 100
    gateway.start()
    peer = smsc("--latency-ms", "60", "--jitter-ms", "30")
    anna = gateway.provision(peer, window=WINDOW)
    _queue(gateway, anna, count)
    until(lambda: peer.stats()["accepted"] > 100, what="it is sending")
    stopping = threading.Event()
    caller = threading.Thread(target=_submit_singles, args=(gateway, anna, singles, stopping))
    caller.start()

    stopping.set()
    began = time.monotonic()
    assert gateway.stop() == 0
    took_s = time.monotonic() - began

    sent = len(peer.submissions())
    assert gateway.count("SELECT COUNT(*) FROM outbox WHERE state <> 0") == 0, "Nothing is being sent, nothing is in doubt."
    assert gateway.count("SELECT COUNT(*) FROM events WHERE kind = 'in_doubt'") == 0
    assert gateway.count("SELECT COUNT(*) FROM segments") == sent, "Every answer of the SMSC was taken."
    assert sent < count, "The stop must fall into the work."

    gateway.start()
    caller.join()
    until(lambda: gateway.states() == {"delivered": count + singles}, within_s=60, what="the rest is delivered")
    _check_each_once(peer)
    assert gateway.cli("ledger", "verify")["correct"] is True
    say("clean stop", took=f"{took_s:.1f} s", sent_before=sent, sent_after=len(peer.submissions()) - sent, in_doubt=0)


def _submit_singles(gateway: Gateway, anna: Customer, count: int, begin: threading.Event) -> None:
    """Submit one after the other through stop and start, and repeat with the same key whatever is not accepted."""
    caller = Caller(gateway.address)
    begin.wait()
    for index in range(count):
        key = f"+3670{index:07}"
        body = json.dumps({"destination": key, "text": "stop"}).encode()
        while not _accepted(caller, body, anna.bearer | {"Idempotency-Key": key}):
            time.sleep(0.1)
    caller.close()


def _accepted(caller: Caller, body: bytes, headers: dict[str, str]) -> bool:
    try:
        status = caller.request("POST", "/api/v1/messages", body=body, headers=headers).status
    except (OSError, http.client.HTTPException):
        return False
    assert status in (202, 503), status
    return status == 202


# Several engines.


def _start_engine(gateway: Gateway) -> tuple[subprocess.Popen[bytes], str]:
    """Start an engine and return it with its id."""
    known = {row.id for row in gateway.rows("SELECT id FROM engines")}
    process = gateway.spawn("engine")
    (new,) = until(lambda: {row.id for row in gateway.rows("SELECT id FROM engines")} - known, what="the engine is registered")
    return process, new


def _taken_over(gateway: Gateway, engine_id: str) -> float:
    """Wait until that engine has the connection and is bound, and return how long that took."""
    began = time.monotonic()
    until(lambda: gateway.connection().engine_id == engine_id, what="the other engine has the connection")
    took_s = time.monotonic() - began
    until(lambda: gateway.connection().state == "up", what="the other engine is bound")
    return took_s


@pytest.mark.postgres
def test_engines_take_over_from_one_that_is_frozen_and_one_that_is_killed(postgres_gateway: Gateway, smsc: Callable[..., Smsc]) -> None:
    """Promise 9, and leases: nobody sends what another had in his window, and what the frozen one hears later is still taken."""
    gateway, count = postgres_gateway, 1_000
    gateway.settings = {"lease_s": str(LEASE_S)}
    gateway.start_web()
    peer = smsc("--latency-ms", "60", "--jitter-ms", "30")
    first, first_id = _start_engine(gateway)
    anna = gateway.provision(peer, window=WINDOW)
    until(lambda: gateway.connection().state == "up", what="the first engine is bound")
    second, second_id = _start_engine(gateway)
    _queue(gateway, anna, count)
    until(lambda: peer.stats()["accepted"] > 100, what="it is sending")

    kill(first.pid, signal.SIGSTOP)
    frozen_s = _taken_over(gateway, second_id)
    sent = peer.stats()["accepted"]
    until(lambda: peer.stats()["accepted"] > sent + 50, what="the second engine sends")
    kill(first.pid, signal.SIGCONT)
    sent = peer.stats()["accepted"]
    until(lambda: peer.stats()["accepted"] > sent + 50, what="they run side by side")
    assert gateway.connection().engine_id == second_id
    kill(second.pid)
    killed_s = _taken_over(gateway, first_id)
    until(lambda: _settled(gateway), within_s=60, what="everything is settled or in doubt")

    states = gateway.states()
    doubts = gateway.rows("SELECT at, COUNT(*) AS n FROM events WHERE kind = 'in_doubt' GROUP BY at")
    say(
        "take-over",
        frozen=f"{frozen_s:.1f} s",
        killed=f"{killed_s:.1f} s",
        lease=f"{LEASE_S} s",
        states=states,
        doubts=[row.n for row in doubts],
    )
    assert max(frozen_s, killed_s) < 2 * LEASE_S
    assert sum(states.values()) == count
    assert max(row.n for row in doubts) <= 2 * WINDOW
    _check_each_once(peer)
    assert gateway.cli("ledger", "verify")["correct"] is True
    assert end(first) == 0


# An SMSC that answers too late.


def test_a_late_answer_is_taken_and_nothing_is_sent_again(sqlite_gateway: Gateway, smsc: Callable[..., Smsc]) -> None:
    """The SMSC answers after 8 s, we wait 5: each message is in doubt for a while, and its answer and report still count."""
    gateway, count = sqlite_gateway, 20
    gateway.start()
    peer = smsc("--latency-ms", "8000")
    anna = gateway.provision(peer, window=WINDOW, response_timeout_s=5)
    _queue(gateway, anna, count)
    until(lambda: gateway.states() == {"delivered": count}, within_s=60, what="everything is delivered")

    doubted = gateway.count("SELECT COUNT(DISTINCT message_id) FROM events WHERE kind = 'in_doubt'")
    say("late SMSC", messages=count, submit_sm=len(peer.submissions()), were_in_doubt=doubted, binds=peer.stats()["binds"])
    assert doubted == count, "Each was in doubt meanwhile."
    assert len(peer.submissions()) == count
    _check_each_once(peer)
    assert gateway.count("SELECT COUNT(*) FROM transfers WHERE kind = 'settle'") == count
    assert gateway.available("anna") == str(1_000_000 - count)
    assert gateway.cli("ledger", "verify")["correct"] is True

"""Nobody's bulk stands before another's few messages, and what is urgent overtakes what is not."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from processes import Customer, Gateway, Smsc, say, until

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(240)]

BULK = 100_000
REQUEST = 10_000
RATE_PER_S = 500
WINDOW = 50
LIMIT_S = 1.0


def test_a_hundred_thousand_queued_messages_delay_nobody_else(gateway: Gateway, smsc: Callable[..., Smsc]) -> None:
    gateway.start()
    peer = smsc("--latency-ms", "20", "--max-tps", str(2 * RATE_PER_S), "--no-receipts")
    big, anna = gateway.add_customer("big"), gateway.add_customer("anna")
    gateway.add_connection("smsc", peer, window=WINDOW, rate_limit_per_s=RATE_PER_S)
    gateway.cli("route", "add", "outbound", "all", "--to", "smsc", "--cost", "1")
    gateway.cli("connection", "stop", "smsc")
    until(lambda: gateway.connection().state == "down", what="the connection is down")
    for first in range(0, BULK, REQUEST):
        _submit(gateway, big, [f"+3670{first + index:07}" for index in range(REQUEST)])
    gateway.cli("connection", "start", "smsc")
    until(lambda: peer.stats()["accepted"] > RATE_PER_S, within_s=60, what="the bulk is on its way")

    urgent = f"+3670{BULK + 1:07}"
    others = [f"+3620{index:07}" for index in range(10)]
    singles = {others[index]: _submit(gateway, anna, others[index : index + 1])[0] for index in range(5)}
    together = dict(zip(others[5:], _submit(gateway, anna, others[5:]), strict=True))
    overtaking = {urgent: _submit(gateway, big, [urgent], priority=3)[0]}
    ours = singles | together | overtaking
    until(lambda: ours.keys() <= _arrivals(peer).keys(), within_s=30, what="all eleven are sent")

    arrivals = _arrivals(peer)
    delays = {
        number: arrivals[number] - _accepted_at(gateway, customer, ours[number]) for number, customer in _owners(anna, others, big, urgent)
    }
    left = gateway.count("SELECT COUNT(*) FROM outbox")
    elapsed_s = max(arrivals.values()) - min(arrivals.values())
    say("fairness", others=_shown(delays[number] for number in others), priority=_shown([delays[urgent]]), left=left)
    say("fairness", rate=f"{len(arrivals) / elapsed_s:.0f}/s of {RATE_PER_S}")
    assert left > BULK / 2, "The bulk must still be queued."
    assert max(delays.values()) < LIMIT_S
    # What is sent while the urgent one is under way is no more than the window that was claimed before it came, and a little.
    accepted_at = arrivals[urgent] - delays[urgent]
    assert sum(accepted_at < at < arrivals[urgent] for at in arrivals.values()) < RATE_PER_S * LIMIT_S


def _owners(anna: Customer, others: list[str], big: Customer, urgent: str) -> list[tuple[str, Customer]]:
    return [*((number, anna) for number in others), (urgent, big)]


def _submit(gateway: Gateway, customer: Customer, destinations: list[str], **values: Any) -> list[str]:
    """Submit in one request and return the ids."""
    messages = [{"destination": destination, "text": "fair", **values} for destination in destinations]
    answer = gateway.post("/api/v1/messages", body=json.dumps({"messages": messages}).encode(), headers=customer.bearer)
    assert answer.status == 202, answer.text[:500]
    return [message["id"] for message in answer.json()["messages"]]


def _accepted_at(gateway: Gateway, customer: Customer, message_id: str) -> float:
    """Return the moment of acceptance, in seconds since 1970; SMSC and gateway share a clock here."""
    found = gateway.get(f"/api/v1/messages/{message_id}", headers=customer.bearer).json()
    return datetime.fromisoformat(found["created_at"]).timestamp()


def _arrivals(peer: Smsc) -> dict[str, float]:
    """Return when the SMSC accepted each recipient's message."""
    return {f"+{line['destination']}": line["at"] for line in peer.submissions() if line["command_status"] == 0}


def _shown(delays: Any) -> str:
    values = sorted(delays)
    return f"{1000 * values[len(values) // 2]:.0f} ms, at most {1000 * values[-1]:.0f} ms"

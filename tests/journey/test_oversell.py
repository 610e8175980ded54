"""Credit for 1,000 segments, sold by two web processes to 64 clients at once: 1,000 are sold, and nobody ever reads less than the limit."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from callers import Caller
from processes import Customer, Gateway, Smsc, say, until

from app.ledger import parse_credits

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(300)]

SEGMENTS = 1_000
CLIENTS = 64
UNAVAILABLE = "unavailable"
TEXTS = {1: "x", 2: "x" * 200, 3: "x" * 400}


@dataclass(frozen=True)
class Case:
    """How an account is given exactly 1,000 segments, and the SQL that says how many are left. `code` refuses the rest."""

    name: str
    code: str
    prepare: Callable[[Gateway], list[Customer]]
    left: str


def _prepaid(gateway: Gateway) -> list[Customer]:
    return [gateway.add_customer("anna", str(SEGMENTS))]


def _line(gateway: Gateway) -> list[Customer]:
    customer = gateway.add_customer("anna", "300")
    gateway.cli("credits", "limit", "anna", "-700")
    return [customer]


def _limit(gateway: Gateway) -> list[Customer]:
    customer = gateway.add_customer("anna", "1")
    gateway.cli("credits", "limit", "anna", "0", "--unlimited")
    gateway.cli("credits", "period", "anna", "all", "--segments", str(SEGMENTS))
    return [customer]


def _reseller(gateway: Gateway) -> list[Customer]:
    """Two customers with plenty, below an account that has credit for 1,000 segments and pays for both."""
    gateway.add_customer("boss", str(SEGMENTS))
    customers = [gateway.add_customer(name) for name in ("anna", "bela")]
    for customer in customers:
        gateway.cli("credits", "parent", customer.username, "boss", "--mode", "shared")
    return customers


_FREE = "SELECT a.balance_uc - a.reserved_uc - a.limit_uc FROM accounts a JOIN users u ON u.id = a.user_id WHERE u.username = '{}'"
_USED = "SELECT CAST({} - COALESCE(SUM(segment_count), 0) AS BIGINT) FROM account_usage"

CASES = [
    Case("prepaid", "no_credit", _prepaid, _FREE.format("anna")),
    Case("credit line", "no_credit", _line, _FREE.format("anna")),
    Case("period limit", "limit_reached", _limit, _USED.format(SEGMENTS)),
    Case("reseller", "no_credit", _reseller, _FREE.format("boss")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_sixty_four_clients_on_two_web_processes_are_sold_exactly_what_there_is(
    gateway: Gateway, smsc: Callable[..., Smsc], case: Case
) -> None:
    gateway.settings = {"web_workers": "2", "web_threads": "32"}
    gateway.start()
    gateway.add_connection("smsc", smsc("--no-receipts"))
    gateway.cli("route", "add", "outbound", "all", "--to", "smsc", "--cost", "1")
    customers = case.prepare(gateway)
    assert len(gateway.roles()["worker"]) == 2

    with _readers(gateway, case, customers[0]) as seen, ThreadPoolExecutor(CLIENTS) as pool:
        start = threading.Barrier(CLIENTS)
        words: Counter[str] = Counter()
        for counted in pool.map(lambda index: _buy(gateway, customers[index % len(customers)], index, start), range(CLIENTS)):
            words += counted
    until(lambda: not gateway.count("SELECT COUNT(*) FROM outbox"), within_s=60, what="everything is sent")

    assert set(words) - {UNAVAILABLE} == {"sold", case.code}
    assert words["sold"] == SEGMENTS
    assert gateway.count("SELECT SUM(segment_count) FROM messages") == SEGMENTS
    assert min(seen["database"] + seen["api"]) >= 0
    assert min(len(seen["database"]), len(seen["api"])) > 10
    assert gateway.count(case.left) == 0
    assert gateway.cli("ledger", "verify")["correct"]
    say(
        f"oversell, {case.name}",
        sold=words["sold"],
        refused=words[case.code],
        unavailable=words[UNAVAILABLE],
        readings={name: len(read) for name, read in seen.items()},
    )


def _buy(gateway: Gateway, customer: Customer, index: int, start: threading.Barrier) -> Counter[str]:
    """Submit messages of one to three segments until not even one is sold any more; count segments, and refusals by their code."""
    caller = Caller(gateway.address)
    words: Counter[str] = Counter()
    count = 1 + index % 3
    start.wait(30)
    try:
        while True:
            code = (_rest if index % 2 else _legacy)(caller, customer, TEXTS[count])
            words[code or "sold"] += 1 if code else count
            if code == UNAVAILABLE:
                continue  # Nothing was accepted: a busy machine lets one wait too long for the database.
            if code and count == 1:
                return words
            if code:
                count = 1
    finally:
        caller.close()


def _rest(caller: Caller, customer: Customer, text: str) -> str:
    """Return the code of the refusal, empty for a message that was accepted."""
    body = json.dumps({"destination": "+36201234567", "text": text}).encode()
    answer = caller.request("POST", "/api/v1/messages", body=body, headers=customer.bearer)
    if answer.status == 202:
        return ""
    code = str(answer.json()["code"])
    assert answer.status == 402 or code == UNAVAILABLE, answer.text
    return code


_CODES = {"303": "no_credit", "305": "limit_reached"}


def _legacy(caller: Caller, customer: Customer, text: str) -> str:
    query = customer.query("sendmessage", recipient="+36201234567", messagedata=text)
    answer = caller.request("GET", "/api", query=query)
    records = answer.records("acceptreport")
    if not records:
        assert "<errorcode>502</errorcode>" in answer.text, answer.text
        return UNAVAILABLE
    return "" if records[0]["statuscode"] == "0" else _CODES[records[0]["statuscode"]]


@contextmanager
def _readers(gateway: Gateway, case: Case, customer: Customer) -> Iterator[dict[str, list[int]]]:
    """Read without a break what is left, in the database and as the customer's program does."""
    seen: dict[str, list[int]] = {"database": [], "api": []}
    ended = threading.Event()

    def ask_database() -> None:
        while not ended.is_set():
            seen["database"].append(gateway.count(case.left))

    def ask_api() -> None:
        caller = Caller(gateway.address)
        while not ended.is_set():
            found: dict[str, Any] = caller.request("GET", "/api/v1/account", headers=customer.bearer).json()
            free_uc = parse_credits(found["available"]) - parse_credits(found["limit"])
            seen["api"].append(0 if found["unlimited"] else free_uc)
        caller.close()

    threads = [threading.Thread(target=ask) for ask in (ask_database, ask_api)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()

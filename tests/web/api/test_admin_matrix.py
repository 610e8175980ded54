"""Who may call which address: every address of the administration, by every method, called as everybody."""

from typing import Any

import pytest

from app.administration.resellers import set_parent
from app.web.api.admin import ADDRESSES

A, O, U, C, R = "administrator", "operator", "auditor", "customer", "reseller"  # noqa: E741  # letters of a table
CALLERS = {A: "root", O: "olga", U: "udo", C: "cora", R: "rita"}
LETTERS = {A: "A", O: "O", U: "U", C: "C", R: "R"}

#: Name and method to who gets in, at an account of anna's. `R` is the reseller above her, `C` another customer.
ALLOWED: dict[str, dict[str, str]] = {
    "users": {"GET": "AOU", "POST": "A"},
    "user": {"GET": "AOU", "PATCH": "A", "DELETE": "A"},
    "keys": {"GET": "AU", "POST": "A"},
    "key": {"DELETE": "A"},
    "sessions": {"GET": "AOU", "DELETE": "A"},
    "session": {"DELETE": "A"},
    "second_factor": {"GET": "AOU", "DELETE": "A"},
    "reset_link": {"POST": "A"},
    "applications": {"GET": "AOU"},
    "application_kinds": {"GET": "AOU"},
    "application": {"GET": "AOU", "PATCH": "A", "DELETE": "A"},
    "audit": {"GET": "AOU"},
    "connections": {"GET": "AOU"},
    "connection": {"GET": "AOU", "DELETE": "AO"},
    "connection_start": {"POST": "AO"},
    "connection_stop": {"POST": "AO"},
    "accounts": {"GET": "AOUCR"},
    "one_account": {"GET": "AOUR", "PATCH": "A"},
    "movements": {"POST": "A"},
    "transfers": {"GET": "AOUR"},
    "limits": {"GET": "AOUR"},
    "limit": {"PUT": "A", "DELETE": "A"},
    "calendar": {"PUT": "A"},
    "parent": {"PUT": "A"},
    "suspension": {"GET": "AOUR", "PUT": "A", "DELETE": "A"},
    "warnings": {"GET": "AOUR", "PUT": "A"},
    "allotments": {"POST": "AR"},
    "statements": {"GET": "AOUR"},
    "statement": {"GET": "AOUR"},
    "proposals": {"GET": "AOU"},
    "approve": {"POST": "A"},
    "reject": {"POST": "A"},
    "ledger_checks": {"GET": "AOU", "POST": "AOU"},
    "ledger_check": {"GET": "AOU"},
    "pricing_rules": {"GET": "AOU"},
}

#: What a customer's own key reads of himself, with the scope `account` alone.
OWN = frozenset({"one_account", "transfers", "limits", "suspension", "warnings", "statements", "statement"})

NAMES = {"username": "anna", "number": "77", "name": "nowhere", "kind": "ghost", "period": "week", "unit": "segments", "month": "2026-03"}


def address(name: str, **names: str) -> str:
    path = ADDRESSES[name][0].replace("<int(max=2147483647):number>", "<number>")
    for word, value in (NAMES | names).items():
        path = path.replace(f"<{word}>", value)
    return "/api/v1" + path


@pytest.fixture(scope="module")
def staffed(standing: Any) -> Any:
    """Everybody of the table, with keys that open everything, and anna below the reseller."""
    for role, name in CALLERS.items():
        standing.user(name, role="customer" if role == R else role, credit="5")
    with standing.core.database.write() as session:
        set_parent(session, "anna", "rita", now=standing.now, actor="test")
    standing.core.snapshots.reload()
    standing.keys = {role: standing.key(name, "send", "read", "account", "admin") for role, name in CALLERS.items()}
    return standing


def test_the_table_knows_every_address() -> None:
    assert {name: set(works) for name, (_, works) in ADDRESSES.items()} == {name: set(methods) for name, methods in ALLOWED.items()}


CALLS = [(name, method) for name, methods in ALLOWED.items() for method in methods]


def test_nobody_gets_in_without_a_key(standing: Any) -> None:
    answers = {(name, method): standing.client.open(address(name), method=method, json={}).json["code"] for name, method in CALLS}

    assert set(answers.values()) == {"unauthenticated"}


@pytest.mark.parametrize("role", CALLERS)
def test_only_those_of_the_table_get_in(staffed: Any, role: str) -> None:
    """An empty body lets nothing happen: who is let in is told what is missing in it, or that there is no such thing."""
    wrong = []
    for name, method in CALLS:
        if (name, method) == ("ledger_checks", "POST"):
            # It needs no body; it has a test of its own.
            continue
        answer = staffed.client.open(address(name), method=method, json=[], headers={"X-API-Key": staffed.keys[role]})
        code = answer.json.get("code", "") if answer.is_json else ""
        hidden = code == "not_found" and "anna" in address(name) and role != A and name not in ("user", "key", "application")
        refused = code == "forbidden" or hidden
        if refused == (LETTERS[role] in ALLOWED[name][method]):
            wrong.append((name, method, answer.status_code, code))

    assert wrong == []


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_a_customers_key_reads_his_own_account_and_no_other(staffed: Any, name: str) -> None:
    if "GET" not in ALLOWED[name]:
        return
    key = {"X-API-Key": staffed.key("cora")}

    own = staffed.client.get(address(name, username="cora"), headers=key)
    others = staffed.client.get(address(name), headers=key)

    assert own.status_code == (200 if name in OWN else 403)
    assert others.json["code"] in ("forbidden", "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_a_method_that_an_address_does_not_take_is_said_so(standing: Any, method: str) -> None:
    answer = standing.client.open(address("accounts"), method=method)

    assert (answer.status_code, answer.json["code"], answer.headers["Allow"]) == (405, "method_not_allowed", "GET")

"""Administration over the modern API: users, keys, connections, accounts, and movements of credit."""

from typing import Any

import pytest
from sqlalchemy import select

from app.models import AuditEntry, Transfer, User

V1 = "/api/v1"


# Users.


@pytest.mark.full
def test_a_user_is_added_edited_and_shown(office: Any) -> None:
    made = office.call("POST", "/users", {"username": "shop", "password": "a good one", "kind": "application", "max_segments": 3})
    changed = office.call("PATCH", "/users/shop", {"active": False, "password": "another one"})

    assert (made.status_code, changed.status_code) == (201, 200)
    assert (made.json["max_segments"], made.json["legacy_api_enabled"], made.json["active"]) == (3, True, True)
    assert office.call("GET", "/users/shop").json == changed.json | {"active": False}
    assert "password" not in changed.text
    with office.gateway.core.database.read() as session:
        actors = set(session.scalars(select(AuditEntry.actor).where(AuditEntry.subject == "user shop")))
    assert actors == {"boss"}


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "field"),
    [
        ("POST", "/users", {}, "missing_parameter", "username"),
        ("POST", "/users", {"username": "two words"}, "invalid_field", "username"),
        ("POST", "/users", {"username": "ANNA"}, "conflict", "username"),
        ("POST", "/users", {"username": "shop", "password": "short"}, "invalid_field", "password"),
        ("POST", "/users", {"username": "shop", "role": "king"}, "invalid_field", "role"),
        ("POST", "/users", {"username": "shop", "max_segments": 0}, "invalid_field", "max_segments"),
        ("POST", "/users", {"username": "shop", "max_segments": 1.5}, "invalid_parameter", "$.max_segments"),
        ("POST", "/users", {"username": "shop", "active": "yes"}, "invalid_parameter", "$.active"),
        ("POST", "/users", {"username": "shop", "balance": "100"}, "invalid_parameter", ""),
        ("POST", "/users", ["shop"], "invalid_parameter", ""),
        ("PATCH", "/users/anna", {"username": "hanna"}, "invalid_field", "username"),
        ("PATCH", "/users/nobody", {"active": False}, "not_found", ""),
        ("PATCH", "/users/boss", {"active": False}, "conflict", "role"),
        ("PATCH", "/users/anna", {"default_source": "a\x00b"}, "invalid_parameter", ""),
        ("GET", "/users/nobody", None, "not_found", ""),
        ("GET", "/users/%00", None, "not_found", ""),
        ("PUT", "/users/anna", {}, "method_not_allowed", ""),
        ("DELETE", "/users/boss", None, "conflict", "name"),
        ("DELETE", "/users/anna", None, "conflict", "reason"),
        ("DELETE", "/users/anna", {"why": "x"}, "invalid_parameter", ""),
        ("POST", "/users/anna/keys", {"scopes": ["everything"]}, "invalid_field", "scopes"),
        ("POST", "/users/anna/keys", {"scopes": []}, "invalid_field", "scopes"),
        ("DELETE", "/users/anna/keys/99", None, "not_found", ""),
        ("GET", "/users?limit=0", None, "invalid_parameter", "limit"),
        ("GET", "/users?limit=x", None, "invalid_parameter", "limit"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    calm: Any, refused: Any, method: str, path: str, body: Any, code: str, field: str
) -> None:
    before = calm.gateway.count(AuditEntry)

    assert refused(calm.call(method, path, body), code, field)

    assert calm.gateway.count(AuditEntry) == before


def test_half_a_change_is_none(calm: Any, refused: Any) -> None:
    """The password is right and the role is not: neither is changed."""
    before = calm.gateway.core.snapshots.present().users["anna"].password_hash

    assert refused(calm.call("PATCH", "/users/anna", {"password": "quite a new one", "role": "king"}), "invalid_field", "role")

    assert calm.gateway.core.snapshots.reload().users["anna"].password_hash == before


@pytest.mark.full
def test_users_come_in_pages(either: Any) -> None:
    for name in ("Bob", "carl", "Dora"):
        either.gateway.user(name, credit="0")

    names, cursor = [], ""
    while cursor is not None:
        page = either.call("GET", f"/users?limit=2&cursor={cursor}").json
        names += [user["username"] for user in page["users"]]
        cursor = page["next"]

    assert names == ["anna", "Bob", "boss", "carl", "Dora"]
    assert [user["username"] for user in either.call("GET", "/users?search=OB").json["users"]] == ["Bob"]


def test_a_user_is_deleted_with_a_reason_and_stays_readable(either: Any, refused: Any) -> None:
    gateway = either.gateway
    gateway.send()
    customers_key = gateway.key("anna")

    done = either.call("DELETE", "/users/anna", {"reason": "Contract ended"})

    assert (done.status_code, done.json) == (200, {"username": "anna", "cancelled_messages": 1, "revoked_keys": 1, "moved": "-10"})
    assert gateway.money() == ("0", "0")
    assert either.call("GET", "/users/anna").json["deleted_at"] == "2026-03-01T12:00:00Z"
    assert [user["username"] for user in either.call("GET", "/users").json["users"]] == ["boss"]
    assert [user["username"] for user in either.call("GET", "/users?deleted=1").json["users"]] == ["anna", "boss"]
    assert [row["kind"] for row in either.call("GET", "/accounts/anna/transfers").json["transfers"]] == [
        "correct",
        "release",
        "charge",
        "top_up",
    ]
    assert refused(gateway.client.get(f"{V1}/account", headers={"X-API-Key": customers_key}), "unauthenticated")
    assert refused(either.call("DELETE", "/users/anna"), "not_found")
    assert refused(either.move(amount="1"), "not_found")
    assert refused(either.call("POST", "/users", {"username": "anna"}), "conflict", "username")


# Keys.


@pytest.mark.full
def test_a_key_is_made_used_and_revoked(office: Any, refused: Any) -> None:
    made = office.call("POST", "/users/anna/keys", {"label": "Shop", "scopes": ["read"]})
    key = {"X-API-Key": made.json["api_key"]}
    client = office.gateway.client

    assert (made.status_code, made.json["scopes"], made.json["label"]) == (201, ["read"], "Shop")
    assert client.get(f"{V1}/messages/none", headers=key).status_code == 404
    listed = office.call("GET", "/users/anna/keys").json["keys"]
    assert [(entry["id"], "api_key" in entry) for entry in listed] == [(made.json["id"], False)]
    assert office.call("DELETE", f"/users/anna/keys/{made.json['id']}").json["revoked_at"]
    assert client.get(f"{V1}/messages/none", headers=key).status_code == 401
    assert refused(office.call("DELETE", f"/users/boss/keys/{made.json['id']}"), "not_found")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/messages", "send"),
        ("GET", "/messages/x", "read"),
        ("GET", "/account", "account"),
        ("GET", "/accounts/boss", "account"),
        ("GET", "/accounts/anna", "admin"),
        ("GET", "/accounts", "admin"),
        ("GET", "/users", "admin"),
        ("POST", "/connections/wire/stop", "admin"),
    ],
)
def test_a_key_opens_what_it_was_made_for(calm: Any, refused: Any, method: str, path: str, scope: str) -> None:
    others = {"send", "read", "account", "admin"} - {scope}
    client, gateway = calm.gateway.client, calm.gateway
    body = {"destination": "+36201234567", "text": "x"} if method == "POST" else None

    closed = client.open(V1 + path, method=method, json=body, headers={"X-API-Key": gateway.key("boss", *others)})
    opened = client.open(V1 + path, method=method, json=body, headers={"X-API-Key": gateway.key("boss", scope)})

    assert refused(closed, "forbidden")
    assert f"does not open {scope}" in closed.json["detail"]
    assert opened.status_code not in (401, 403)


# Connections.


def test_a_connection_is_stopped_started_and_deleted(either: Any, refused: Any) -> None:
    gateway = either.gateway
    shown = either.call("GET", "/connections/wire").json
    assert (shown["name"], shown["desired"], shown["state"], shown["waiting"]) == ("wire", "started", "down", 0)

    assert either.call("POST", "/connections/wire/stop").json["desired"] == "stopped"
    assert refused(either.call("DELETE", "/connections/wire"), "conflict", "name")
    gateway.route("all", ("*",), route_id=1)
    assert either.call("DELETE", "/connections/wire").status_code == 200

    assert either.call("GET", "/connections").json == {"connections": []}
    assert refused(either.call("POST", "/connections/wire/start"), "not_found")
    gateway.connection()
    assert [entry["name"] for entry in either.call("GET", "/connections").json["connections"]] == ["wire"]


# Accounts.


def test_an_account_is_shown_with_exact_text(office: Any) -> None:
    office.gateway.send()

    shown = office.call("GET", "/accounts/anna").json

    assert {name: shown[name] for name in ("username", "balance", "reserved", "available", "limit", "unlimited", "parent")} == {
        "username": "anna",
        "balance": "10",
        "reserved": "1",
        "available": "9",
        "limit": "0",
        "unlimited": False,
        "parent": None,
    }
    assert [account["username"] for account in office.call("GET", "/accounts").json["accounts"]] == ["anna", "boss"]
    limited = office.call("PATCH", "/accounts/anna", {"limit": "-12.5"})
    assert (limited.status_code, limited.json["limit"], limited.json["unlimited"]) == (200, "-12.5", False)


@pytest.mark.parametrize(
    ("body", "moved", "balance"),
    [
        ({"amount": "2.500001"}, "2.500001", "12.500001"),
        pytest.param({"amount": 3}, "3", "13", marks=pytest.mark.full),
        ({"kind": "correct", "amount": "-0.000001"}, "-0.000001", "9.999999"),
        pytest.param({"kind": "set", "amount": "25"}, "15", "25", marks=pytest.mark.full),
        ({"kind": "set", "amount": 10}, "0", "10"),
    ],
)
def test_credit_is_moved_exactly(office: Any, body: dict[str, Any], moved: str, balance: str) -> None:
    answer = office.move(**body, reference="INV-7")

    assert answer.status_code == 201
    assert (answer.json["state"], answer.json["amount"], answer.json["account"]["balance"]) == ("done", moved, balance)
    assert answer.json["proposal"] is None
    with office.gateway.core.database.read() as session:
        row = session.scalars(select(Transfer).order_by(Transfer.id.desc())).first()
        assert (row.reference, row.actor) == (("INV-7", "boss") if moved != "0" else ("", "test"))


@pytest.mark.parametrize(
    "amount",
    [1.5, 1.0, 1e309, True, None, [1], "1,5", "1e3", "NaN", "Infinity", "\uff11", "0.0000001", "", " ", 2**63, -(2**70), "9" * 30, "-5", 0],
)
def test_an_amount_that_is_not_exact_is_refused(calm: Any, amount: Any) -> None:
    before = (calm.gateway.count(Transfer), calm.gateway.money())

    answer = calm.move(amount=amount)

    assert answer.status_code in (400, 422), answer.json
    assert answer.json["code"] in ("invalid_parameter", "invalid_field", "malformed_body")
    assert (calm.gateway.count(Transfer), calm.gateway.money()) == before


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"amount": "1", "reason": " "}, "invalid_field", "reason"),
        ({"amount": "1", "reason": "two\nlines"}, "invalid_field", "reason"),
        ({"amount": "1", "reference": "x" * 97}, "invalid_field", "reference"),
        ({"amount": "1", "kind": "gift"}, "invalid_field", "kind"),
        ({"amount": "1", "currency": "EUR"}, "invalid_parameter", ""),
        ({}, "invalid_parameter", ""),
    ],
)
def test_a_movement_that_cannot_be_is_refused(calm: Any, refused: Any, body: dict[str, Any], code: str, field: str) -> None:
    before = calm.gateway.count(Transfer)

    assert refused(calm.move(**body), code, field)

    assert calm.gateway.count(Transfer) == before


def test_a_movement_needs_a_key_and_a_repeat_moves_nothing_twice(either: Any, refused: Any) -> None:
    body = {"kind": "top_up", "amount": "5", "reason": "paid"}
    assert refused(either.call("POST", "/accounts/anna/movements", body), "missing_parameter", "Idempotency-Key")

    first, again = either.move(amount="5", key="pay-1"), either.move(amount="5", key="pay-1")
    other = either.move(amount="6", key="pay-1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    assert ("Idempotency-Replayed" in first.headers, again.headers.get("Idempotency-Replayed")) == (False, "true")
    assert refused(other, "idempotency_conflict", "Idempotency-Key")
    assert either.gateway.money() == ("15", "0")


def test_a_movement_above_the_amount_of_one_person_waits(office: Any) -> None:
    office.gateway.option("second_person_above", "100")

    answer = office.move(amount="250")

    assert answer.status_code == 202
    assert (answer.json["state"], answer.json["proposal"], answer.json["account"]["balance"]) == ("waits", 1, "10")
    assert "waits for a second person" in answer.json["detail"]
    assert office.gateway.money() == ("10", "0")


def test_the_ledger_is_read_in_pages_and_narrowed(either: Any) -> None:
    for number in range(1, 6):
        either.move(amount=str(number), reference=f"r{number % 2}")
    sent = either.gateway.send()
    assert sent.status_code == 200

    amounts, cursor = [], ""
    while cursor is not None:
        page = either.call("GET", f"/accounts/anna/transfers?limit=2&cursor={cursor}").json
        amounts += [(row["kind"], row["amount"]) for row in page["transfers"]]
        cursor = page["next"]

    tops = [("top_up", amount) for amount in ("5", "4", "3", "2", "1", "10")]
    assert amounts == [("charge", "1"), *tops]
    (charge,) = either.call("GET", "/accounts/anna/transfers?kind=charge").json["transfers"]
    assert (charge["balance"], charge["reserved"]) == ("0", "1")
    assert either.call("GET", f"/accounts/anna/transfers?message={charge['message']}").json["transfers"] == [charge]
    assert len(either.call("GET", "/accounts/anna/transfers?reference=r0").json["transfers"]) == 2
    assert either.call("GET", "/accounts/anna/transfers?since=2026-03-02T00:00:00Z").json["transfers"] == []
    assert len(either.call("GET", "/accounts/anna/transfers?until=2026-03-02T00:00:00+01:00").json["transfers"]) == 7


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=gift", "kind"),
        ("message=I", "message"),
        ("since=yesterday", "since"),
        ("since=2026-03-01T00:00:00", "since"),
        ("until=0001-01-01T00:00:00%2B10:00", "until"),
        ("cursor=x", "cursor"),
        ("limit=201", "limit"),
        ("reference=" + "x" * 101, "reference"),
    ],
)
def test_a_wrong_filter_is_named(calm: Any, refused: Any, query: str, field: str) -> None:
    assert refused(calm.call("GET", f"/accounts/anna/transfers?{query}"), "invalid_parameter", field)


def test_a_user_is_found_by_his_own_name_only(office: Any, refused: Any) -> None:
    gateway = office.gateway
    gateway.user("ben", credit="3")
    key = {"X-API-Key": gateway.key("ben")}
    admin_key = {"X-API-Key": gateway.key("ben", "admin")}

    assert gateway.client.get(f"{V1}/accounts/ben", headers=key).json["balance"] == "3"
    assert len(gateway.client.get(f"{V1}/accounts/ben/transfers", headers=key).json["transfers"]) == 1
    assert refused(gateway.client.get(f"{V1}/accounts/anna", headers=admin_key), "not_found")
    assert refused(gateway.client.get(f"{V1}/accounts/nobody", headers=admin_key), "not_found")
    assert gateway.client.get(f"{V1}/accounts", headers=admin_key).json == {"accounts": [], "next": None}
    with gateway.core.database.read() as session:
        assert session.scalars(select(User.username)).all()

"""Limits, suspension, warnings, parents and allotments, proposals, statements and checks of the ledger over the modern API."""

import threading
from typing import Any

import pytest

from app.models import Transfer


def test_limits_are_set_used_and_taken_away(office: Any, xml: Any, refused: Any) -> None:
    assert office.call("PUT", "/accounts/anna/calendar", {"time_zone": "Europe/Budapest", "week_start": "Sunday"}).status_code == 200
    office.call("PUT", "/accounts/anna/limits/day/segments", {"most": 2})
    office.call("PUT", "/accounts/anna/limits/all/credits", {"most": "7.5"})
    office.gateway.send(messagedata="x" * 200)

    shown = office.call("GET", "/accounts/anna/limits").json

    assert (shown["time_zone"], shown["week_start"]) == ("Europe/Budapest", "Sunday")
    assert [(one["period"], one["unit"], one["most"], one["used"]) for one in shown["limits"]] == [
        ("day", "segments", "2", "2"),
        ("all", "credits", "7.5", "2"),
    ]
    assert xml(office.gateway.send()).text("statuscode") != "0"
    assert len(office.call("DELETE", "/accounts/anna/limits/day/segments").json["limits"]) == 1
    assert refused(office.call("DELETE", "/accounts/anna/limits/day/segments"), "not_found")


@pytest.mark.parametrize(
    ("path", "body", "code", "field"),
    [
        ("limits/day/segments", {"most": "1.5"}, "invalid_field", "most"),
        ("limits/day/segments", {"most": -1}, "invalid_field", "most"),
        ("limits/day/segments", {"most": 2.0}, "invalid_parameter", "$.most"),
        ("limits/day/segments", {"most": True}, "invalid_parameter", "$.most"),
        ("limits/day/credits", {"most": "1e3"}, "invalid_field", "most"),
        ("limits/decade/segments", {"most": 1}, "invalid_field", "period"),
        ("limits/day/bytes", {"most": 1}, "invalid_field", "unit"),
        ("calendar", {"time_zone": "Mars/Olympus"}, "invalid_field", "time_zone"),
        ("calendar", {"week_start": "Someday"}, "invalid_field", "week_start"),
        ("parent", {"parent": "anna"}, "invalid_field", "parent"),
        ("parent", {"parent": "nobody"}, "not_found", ""),
        ("suspension", {}, "invalid_field", "reason"),
        ("warnings", {"thresholds": ["-1"]}, "invalid_field", "thresholds"),
        ("warnings", {"thresholds": [0.5]}, "invalid_parameter", "$.thresholds[0]"),
        ("warnings", {"email": "nobody"}, "invalid_field", "email"),
        ("warnings", {"release_above": "5"}, "invalid_field", "suspend_below"),
    ],
)
def test_what_cannot_be_set_is_refused(calm: Any, refused: Any, path: str, body: Any, code: str, field: str) -> None:
    assert refused(calm.call("PUT", f"/accounts/anna/{path}", body), code, field)


def test_an_account_is_suspended_and_released(office: Any, xml: Any, refused: Any) -> None:
    assert office.call("GET", "/accounts/anna/suspension").json["suspended"] is False

    done = office.call("PUT", "/accounts/anna/suspension", {"reason": "Not paid"})

    assert (done.json["suspended"], done.json["actor"], done.json["reason"]) == (True, "boss", "Not paid.")
    assert xml(office.gateway.send()).text("messageid") == ""
    assert refused(office.call("PUT", "/accounts/anna/suspension", {"reason": "again"}), "conflict", "suspended")
    assert office.call("DELETE", "/accounts/anna/suspension", {"reason": "Paid"}).json["suspended"] is False
    assert xml(office.gateway.send()).text("statuscode") == "0"


@pytest.mark.full
def test_warnings_are_set_and_shown(office: Any) -> None:
    wanted = {"thresholds": ["5", 2], "email": "anna@example.com", "suspend_below": "1", "release_above": "3.5"}

    office.call("PUT", "/accounts/anna/warnings", wanted)

    assert office.call("GET", "/accounts/anna/warnings").json == {
        "thresholds": ["5", "2"],
        "email": "anna@example.com",
        "callback_url": "",
        "suspend_below": "1",
        "release_above": "3.5",
    }


@pytest.fixture
def resale(either: Any) -> Any:
    """A reseller with 100 credits, whose key administers, and anna below him."""
    either.gateway.user("seller", credit="100")
    either.call("PUT", "/accounts/anna/parent", {"parent": "seller", "mode": "own"})
    either.sellers_key = either.gateway.key("seller", "admin", "account")
    return either


def allot(office: Any, amount: Any, key: str, name: str = "anna", **body: Any) -> Any:
    given = {"amount": amount, "reason": "monthly", **body}
    return office.call("POST", f"/accounts/{name}/allotments", given, Idempotency_Key=key, X_API_Key=office.sellers_key)


def test_a_reseller_allots_to_those_below_him_once_for_each_key(resale: Any, refused: Any) -> None:
    first, again = allot(resale, "30.5", "a1"), allot(resale, "30.5", "a1")

    assert (first.status_code, again.status_code, again.json) == (201, 201, first.json)
    assert (first.json["account"]["balance"], first.json["account"]["parent"]) == ("40.5", "seller")
    assert ("Idempotency-Replayed" in first.headers, again.headers.get("Idempotency-Replayed")) == (False, "true")
    assert refused(allot(resale, "31", "a1"), "idempotency_conflict", "Idempotency-Key")
    assert allot(resale, "-40.5", "a2").json["account"]["balance"] == "0"
    assert (resale.gateway.money("seller"), resale.gateway.money()) == (("110", "0"), ("0", "0"))


@pytest.mark.full
def test_what_a_reseller_cannot_give_is_refused(resale: Any, refused: Any) -> None:
    before = resale.gateway.count(Transfer)

    assert refused(allot(resale, "100.000001", "b1"), "invalid_field", "amount")
    assert refused(allot(resale, "0", "b2"), "invalid_field", "amount")
    assert refused(allot(resale, 1.5, "b3"), "invalid_parameter", "$.amount")
    assert refused(allot(resale, "1", "b4", name="boss"), "not_found")
    assert refused(allot(resale, "1", "b5", name="seller"), "not_found")
    assert refused(allot(resale, "1", "b6", reason=" "), "invalid_field", "reason")
    assert refused(allot(resale, "1", ""), "invalid_parameter", "Idempotency-Key")

    assert resale.gateway.count(Transfer) == before
    assert allot(resale, "1", "b1").status_code == 201


def test_a_reseller_sees_those_below_him(resale: Any, refused: Any) -> None:
    def see(path: str) -> Any:
        return resale.call("GET", path, X_API_Key=resale.sellers_key)

    assert [account["username"] for account in see("/accounts").json["accounts"]] == ["anna"]
    assert see("/accounts/anna").json["parent"] == "seller"
    assert see("/accounts/anna/transfers").json["transfers"][0]["kind"] == "top_up"
    assert see("/accounts/anna/limits").status_code == 200
    assert refused(see("/accounts/boss"), "not_found")


def test_a_proposal_takes_another_administrator(office: Any, refused: Any) -> None:
    gateway = office.gateway
    gateway.user("second", role="administrator", credit="0")
    other = {"X_API_Key": gateway.key("second", "admin")}
    gateway.option("second_person_above", "100")
    office.move(amount="250")
    office.move(amount="300")

    (waiting, _) = office.call("GET", "/proposals").json["proposals"]
    assert (waiting["id"], waiting["username"], waiting["amount"], waiting["proposed_by"]) == (1, "anna", "250", "boss")
    assert office.call("POST", "/proposals/1/approve").json["code"] in ("invalid_field", "conflict", "forbidden")
    assert office.call("POST", "/proposals/1/approve", **other).json["account"]["balance"] == "260"
    assert office.call("POST", "/proposals/2/reject", {"reason": "too much"}, **other).json["state"] == "rejected"
    assert office.call("POST", "/proposals/1/approve", **other).status_code in (409, 422)
    assert refused(office.call("POST", "/proposals/9/approve", **other), "not_found")

    assert office.call("GET", "/proposals").json["proposals"] == []
    decided = office.call("GET", "/proposals?state=decided&username=anna").json["proposals"]
    assert {(one["id"], one["state"], one["decided_by"]) for one in decided} == {(1, "approved", "second"), (2, "rejected", "second")}
    assert gateway.money() == ("260", "0")


@pytest.mark.full
def test_a_statement_is_shown_and_written_as_a_table(office: Any, refused: Any) -> None:
    office.move(amount="5")

    shown = office.call("GET", "/accounts/anna/statements/2026-03").json
    table = office.call("GET", "/accounts/anna/statements/2026-03?form=csv")

    assert (shown["opening"], shown["added"], shown["closing"], shown["adds_up"], shown["closed"]) == ("0", "15", "15", True, None)
    assert table.content_type == "text/csv; charset=utf-8"
    assert table.text.splitlines()[0].startswith("user,interval,section")
    assert office.call("GET", "/accounts/anna/statements").json == {"statements": []}
    assert refused(office.call("GET", "/accounts/anna/statements/2026-13"), "invalid_parameter", "month")
    assert refused(office.call("GET", "/accounts/anna/statements/2026-03?form=pdf"), "invalid_parameter", "form")


def test_a_check_of_the_ledger_is_begun_and_tells_its_result(either: Any, refused: Any) -> None:
    begun = either.call("POST", "/ledger/checks")
    assert begun.status_code == 202

    address = begun.headers["Location"].removeprefix("/api/v1")
    for thread in threading.enumerate():
        if thread.name == f"ledger check {begun.json['id']}":
            thread.join(20)
    shown = either.call("GET", address).json

    assert (shown["correct"], shown["counts"], shown["error"]) == (True, {}, "")
    assert either.call("GET", "/ledger/checks").json["checks"][0] == shown
    assert refused(either.call("GET", "/ledger/checks/99"), "not_found")


def test_pricing_rules_are_listed(calm: Any) -> None:
    assert calm.call("GET", "/pricing-rules").json == {"rules": []}

"""The modern API: one message or thousands, keys, dry runs, a message's state, the account."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from app import administration
from app.db import CommitFailed, Unavailable
from app.models import Message
from app.refusals import REFUSALS
from app.web.api.problem import TYPE_PREFIX

URL = "/api/v1/messages"
PLAIN = {"destination": "+36201234567", "text": "hello"}


@pytest.fixture
def post(request: pytest.FixtureRequest) -> Any:
    """Send JSON with anna's key to the test's gateway."""
    gateway = request.getfixturevalue("both" if "both" in request.fixturenames else "gateway")
    key = gateway.key()

    def call(body: Any, url: str = URL, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return gateway.client.post(url, data=content, content_type="application/json", headers={"Authorization": f"Bearer {key}", **named})

    return call


def is_problem(response: Any, code: str, status: int | None = None) -> bool:
    """Say whether an answer is that problem, complete and consistent."""
    body = response.get_json()
    refusal = REFUSALS[code]
    assert response.content_type == "application/problem+json"
    assert body["status"] == response.status_code
    assert body["detail"]
    assert "Set-Cookie" not in response.headers
    expected = (TYPE_PREFIX + code, refusal.title, code, refusal.number, status or refusal.status)
    assert (body["type"], body["title"], body["code"], body["number"], body["status"]) == expected
    return True


def test_one_message_is_accepted_and_shown_with_its_price(both: Any, post: Any) -> None:
    response = post({**PLAIN, "source": "Shop", "client_reference": "order 7", "priority": 2})

    assert (response.status_code, response.content_type) == (202, "application/json")
    (message,) = both.messages()
    body = response.get_json()
    assert body == {
        "id": body["id"],
        "state": "queued",
        "destination": "+36201234567",
        "source": "Shop",
        "segment_count": 1,
        "alphabet": "gsm7",
        "price": "1",
        "charged": True,
        "route": "all",
        "provider": "wire",
        "client_reference": "order 7",
    }
    assert (message.client_reference, message.priority, message.entrance) == ("order 7", 2, "rest")
    assert both.money() == ("10", "1")


def test_the_key_may_stand_in_its_own_header(gateway: Any) -> None:
    response = gateway.client.post(URL, json=PLAIN, headers={"X-API-Key": gateway.key()})

    assert response.status_code == 202


def test_binary_and_timed_messages(gateway: Any, post: Any) -> None:
    response = post(
        {
            "destination": "+36201234567",
            "data": "00fF",
            "udh": "06050415811581",
            "message_class": 1,
            "report": False,
            "send_at": "2026-03-01T14:00:00+01:00",
            "expires_at": "2026-03-02T00:00:00Z",
        }
    )

    assert response.get_json()["state"] == "scheduled"
    (message,) = gateway.messages()
    assert (message.data, message.udh, message.message_class) == (b"\x00\xff", bytes.fromhex("06050415811581"), 1)
    assert (message.report_requested, message.send_at) == (False, datetime(2026, 3, 1, 13, tzinfo=UTC))
    assert message.expires_at == datetime(2026, 3, 2, tzinfo=UTC)


def test_a_batch_is_answered_in_its_order(both: Any, post: Any) -> None:
    response = post({"messages": [{**PLAIN, "client_reference": str(number)} for number in range(5)]})

    body = response.get_json()
    assert response.status_code == 202
    assert (body["accepted"], body["refused"]) == (5, 0)
    assert [item["client_reference"] for item in body["messages"]] == list("01234")
    assert (both.count(Message), both.money()) == (5, ("10", "5"))


def test_a_batch_may_be_accepted_in_part(both: Any, post: Any) -> None:
    messages = [PLAIN, {"destination": "12x", "text": "x", "client_reference": "b"}, *[PLAIN] * 10]

    response = post({"messages": messages})

    body = response.get_json()
    assert response.status_code == 200
    assert (body["accepted"], body["refused"]) == (10, 2)
    refused = [item for item in body["messages"] if item["state"] == "refused"]
    assert [(item["code"], item["number"], item["destination"]) for item in refused] == [
        ("invalid_destination", 202, "12x"),
        ("no_credit", 303, "+36201234567"),
    ]
    assert (refused[0]["field"], refused[0]["client_reference"]) == ("destination", "b")
    assert (both.count(Message), both.money()) == (10, ("10", "10"))


@pytest.mark.parametrize(
    ("messages", "code", "status"),
    [
        ([{"destination": "12x", "text": "x"}] * 2, "invalid_destination", 422),
        ([{**PLAIN, "text": "x" * 1600}, {"destination": "x", "text": "x"}], "text_too_long", 422),
        ([{**PLAIN, "text": "x" * 1500}, {**PLAIN, "text": "y" * 1500}], "no_credit", 402),
        ([{**PLAIN, "text": "x" * 1500}, {"destination": "x", "text": "x"}], "no_credit", 422),
    ],
)
def test_a_batch_of_which_nothing_was_accepted_is_a_problem(gateway: Any, post: Any, messages: Any, code: str, status: int) -> None:
    with gateway.core.database.write() as session:
        administration.set_credits(session, "anna", 5_000_000, now=gateway.now, actor="test", reason="test")
    before = gateway.traces()

    response = post({"messages": messages})

    assert is_problem(response, code, status)
    body = response.get_json()
    assert (body["accepted"], body["refused"], len(body["messages"])) == (0, 2, 2)
    assert gateway.traces() == before


@pytest.mark.parametrize(
    ("item", "code", "field"),
    [
        ({**PLAIN, "destination": ""}, "missing_destination", "destination"),
        ({**PLAIN, "destination": "hello"}, "invalid_destination", "destination"),
        ({**PLAIN, "destination": "+1\u0000"}, "invalid_destination", "destination"),
        ({**PLAIN, "source": "12345678901234567"}, "invalid_source", "source"),
        ({**PLAIN, "source": "ABCDEFGHIJKLMNOPQ"}, "invalid_source", "source"),
        ({**PLAIN, "text": ""}, "empty_text", "text"),
        ({**PLAIN, "text": "a\u0000b"}, "invalid_text", "text"),
        ({**PLAIN, "text": "x" * 1600}, "text_too_long", "text"),
        ({**PLAIN, "expires_at": "2026-02-01T00:00:00Z"}, "invalid_time", "expires_at"),
        ({**PLAIN, "send_at": "2028-02-01T00:00:00Z"}, "invalid_time", "send_at"),
        ({**PLAIN, "client_reference": "x" * 97}, "invalid_parameter", "client_reference"),
        ({**PLAIN, "client_reference": "a\u0000"}, "invalid_parameter", "client_reference"),
        ({**PLAIN, "udh": "05"}, "invalid_parameter", "udh"),
        ({"destination": "+36201234567", "data": "00" * 20000}, "text_too_long", "data"),
        ({**PLAIN, "destination": "+12125550123"}, "no_route", None),
        # What the shape of the request itself does not allow names its place.
        ({"text": "hello"}, "invalid_parameter", None),
        ({**PLAIN, "to": "+36"}, "invalid_parameter", None),
        ({**PLAIN, "destination": 36201234567}, "invalid_parameter", "$.destination"),
        ({**PLAIN, "priority": 4}, "invalid_parameter", "$.priority"),
        ({**PLAIN, "priority": "high"}, "invalid_parameter", "$.priority"),
        ({**PLAIN, "message_class": 9}, "invalid_parameter", "$.message_class"),
        ({**PLAIN, "send_at": "2026-03-01T14:00:00"}, "invalid_parameter", "$.send_at"),
        ({**PLAIN, "send_at": "0001-01-01T00:00:00+14:00"}, "invalid_parameter", "$.send_at"),
        ({**PLAIN, "data": "00"}, "invalid_parameter", "$.data"),
        ({"destination": "+36201234567", "data": "0"}, "invalid_parameter", "$.data"),
        ({**PLAIN, "provider": None}, "invalid_parameter", "$.provider"),
    ],
)
def test_a_message_that_cannot_be_is_refused_without_a_trace(
    gateway: Any, post: Any, item: dict[str, Any], code: str, field: str | None
) -> None:
    gateway.route("all", conditions=[{"kind": "destination_prefix", "settings": {"prefixes": "+36"}}], route_id=1)
    before = gateway.traces()

    response = post(item)

    assert is_problem(response, code)
    assert response.get_json().get("field") == field
    assert (gateway.traces(), gateway.money()) == (before, ("10", "0"))


def test_a_wrong_value_in_a_batch_refuses_all_of_it_and_names_its_place(gateway: Any, post: Any) -> None:
    response = post({"messages": [PLAIN, {**PLAIN, "text": 5}]})

    assert is_problem(response, "invalid_parameter")
    assert response.get_json()["field"] == "$.messages[1].text"
    assert gateway.count(Message) == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_body"),
        (b'{"destination": "+36', "malformed_body"),
        (b'{"destination": "\xff"}', "malformed_body"),
        (b'{"destination": "+36201234567", "text": "\\ud800"}', "malformed_body"),
        (b"[]", "invalid_parameter"),
        (b"5", "invalid_parameter"),
        (b'{"messages": {}}', "invalid_parameter"),
        (b'{"messages": [], "x": 1}', "invalid_parameter"),
        (b'{"messages": []}', "missing_parameter"),
        (b'{"messages": [' + b",".join([b'{"destination":"1"}'] * 10_001) + b"]}", "too_many_messages"),
        (b" " * (1024 * 1024 + 1), "body_too_large"),
    ],
)
@pytest.mark.parametrize("url", [URL, f"{URL}?dry_run=1"])
def test_a_body_that_cannot_be_is_refused(gateway: Any, post: Any, body: bytes, code: str, url: str) -> None:
    before = gateway.traces()

    assert is_problem(post(body, url), code)
    assert gateway.traces() == before


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer pw_wrong"}, {"X-API-Key": "x"}, {"Authorization": "Basic YTpi"}])
@pytest.mark.parametrize(("method", "url"), [("POST", URL), ("GET", f"{URL}/0123456789ABC"), ("GET", "/api/v1/account")])
def test_strangers_are_refused(gateway: Any, headers: dict[str, str], method: str, url: str) -> None:
    response = gateway.client.open(url, method=method, json=PLAIN if method == "POST" else None, headers=headers)

    assert is_problem(response, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert gateway.count(Message) == 0


def test_a_user_who_is_switched_off_is_refused_at_once(gateway: Any, post: Any) -> None:
    gateway.edit(active=False)

    assert is_problem(post(PLAIN), "user_suspended")


def test_the_legacy_switch_does_not_rule_this_api(gateway: Any, post: Any) -> None:
    gateway.edit(legacy_api_enabled=False)

    assert post(PLAIN).status_code == 202


@pytest.mark.parametrize(
    ("method", "url", "code"),
    [
        ("GET", URL, "method_not_allowed"),
        ("DELETE", f"{URL}/0123456789ABC", "method_not_allowed"),
        ("POST", "/api/v1/account", "method_not_allowed"),
        ("GET", "/api/v1/nothing/here", "not_found"),
    ],
)
def test_what_is_not_there_is_answered_as_a_problem(gateway: Any, method: str, url: str, code: str) -> None:
    assert is_problem(gateway.client.open(url, method=method, headers={"X-API-Key": gateway.key()}), code)


# What is stored.


def test_a_message_is_shown_with_its_steps(both: Any, post: Any) -> None:
    number = post({**PLAIN, "client_reference": "order-7"}).get_json()["id"]
    key = {"X-API-Key": both.key()}

    shown = both.client.get(f"{URL}/{number}", headers=key).get_json()

    assert (shown["id"], shown["state"], shown["text"], shown["price"], shown["segment_count"]) == (number, "queued", "hello", "1", 1)
    assert shown["timeline"] == [{"event": "queued", "at": "2026-03-01T12:00:00Z"}]
    assert both.client.get(f"{URL}/order-7", headers=key).get_json() == shown
    assert both.client.get(f"{URL}/{number.lower()}", headers=key).get_json() == shown


@pytest.mark.parametrize("reference", ["0123456789ABC", "nothing", "a%00b", "x" * 200])
def test_a_message_that_is_not_there_is_not_found(gateway: Any, reference: str) -> None:
    assert is_problem(gateway.client.get(f"{URL}/{reference}", headers={"X-API-Key": gateway.key()}), "not_found")


def test_the_messages_of_others_are_not_there(gateway: Any, post: Any) -> None:
    gateway.user("ben")
    number = post({**PLAIN, "client_reference": "mine"}).get_json()["id"]

    key = {"X-API-Key": gateway.key("ben")}

    assert is_problem(gateway.client.get(f"{URL}/{number}", headers=key), "not_found")
    assert is_problem(gateway.client.get(f"{URL}/mine", headers=key), "not_found")


def test_the_account_is_shown_in_exact_text(both: Any, post: Any) -> None:
    post(PLAIN)

    shown = both.client.get("/api/v1/account", headers={"X-API-Key": both.key()}).get_json()

    assert shown == {
        "username": "anna",
        "accounting": True,
        "currency": "credit",
        "balance": "10",
        "reserved": "1",
        "available": "9",
        "limit": "0",
        "unlimited": False,
    }


# When things break.


@pytest.mark.parametrize(("error", "code"), [(Unavailable("away"), "unavailable"), (CommitFailed("?"), "unknown_outcome")])
def test_a_database_that_fails_is_told_as_503(
    gateway: Any, post: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(gateway.core.database, "run", failing)

    response = post(PLAIN)

    assert is_problem(response, code)
    assert "Retry-After" in response.headers


def test_a_fault_of_ours_is_a_problem_without_detail(gateway: Any, post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(gateway.core.database, "run", broken)

    response = post(PLAIN)

    assert is_problem(response, "internal")
    assert b"secret" not in response.data

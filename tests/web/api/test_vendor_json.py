"""The vendor's JSON dialect, as each of its clients writes it, and as strictly as they read it."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.administration import hash_password
from app.models import Message, User

PLAIN = {"to_address": "+36201234567", "text": "hello"}
STATUS_OF_A_WRONG_REQUEST = 400


def number_of_nulls(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(number_of_nulls, value.values()))
    if isinstance(value, list):
        return sum(map(number_of_nulls, value))
    return value is None


def send(gateway: Any, *messages: Any, **values: Any) -> Any:
    return gateway.json("sendmsg", {"messages": list(messages)}, **values)


def test_messages_are_accepted_and_answered_as_clients_read_it(both: Any) -> None:
    full = {
        "message_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "from_connection": "",
        "from_address": "Me",
        "from_station": "",
        "to_connection": "",
        "to_address": "+36201111111",
        "to_station": "",
        "text": "Hello",
        "create_date": "2026-03-01T12:00:00",
        "valid_until": "2026-03-08T12:00:00",
        "time_to_send": "2026-03-01T12:00:00",
        "submit_report_requested": True,
        "delivery_report_requested": True,
        "view_report_requested": False,
        "tags": [{"name": "k", "value": "v"}],
    }

    response = send(both, full)

    assert response.status_code == 200
    assert response.get_json() == {
        "http_code": 200,
        "response_code": "SUCCESS",
        "response_msg": "1 accepted.",
        "data": {
            "total_count": 1,
            "success_count": 1,
            "failed_count": 0,
            "messages": [
                {
                    **{name: value for name, value in full.items() if value != ""},
                    "create_date": "2026-03-01 12:00:00",
                    "valid_until": "2026-03-08 12:00:00",
                    "time_to_send": "2026-03-01 12:00:00",
                    "status": "SUCCESS",
                }
            ],
        },
    }
    (message,) = both.messages()
    assert (message.state, message.source, message.entrance, message.client_reference) == ("queued", "Me", "json", full["message_id"])
    assert message.expires_at == datetime(2026, 3, 8, 12, tzinfo=UTC)
    assert both.money() == ("10", "1")


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(PLAIN, id="unset fields left out"),
        pytest.param({**dict.fromkeys(("message_id", "from_address", "valid_until", "time_to_send", "tags"), None), **PLAIN}, id="null"),
        pytest.param({**dict.fromkeys(("message_id", "from_address", "create_date", "time_to_send", "status"), ""), **PLAIN}, id="empty"),
        pytest.param({**PLAIN, "create_date": "2026-03-01 12:00:00", "time_to_send": "2026-03-01 12:00:00"}, id="dates with a blank"),
        pytest.param({**PLAIN, "create_date": "2026-03-01T12:00:00.123456"}, id="fractions"),
        pytest.param({**PLAIN, "vaild_date": "2026-03-02T12:00:00"}, id="vaild_date"),
        pytest.param({**PLAIN, "tags": [{"k": "v"}]}, id="tags by name"),
    ],
)
def test_each_clients_way_of_writing_is_understood(gateway: Any, item: dict[str, Any]) -> None:
    answer = send(gateway, item).get_json()

    assert answer["data"]["success_count"] == 1
    (shown,) = answer["data"]["messages"]
    assert shown["status"] == "SUCCESS"
    assert isinstance(shown["tags"], list)
    assert all(set(tag) == {"name", "value"} for tag in shown["tags"])
    assert shown["message_id"]
    assert number_of_nulls(answer) == 0
    for name in ("create_date", "valid_until", "time_to_send"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|", shown.get(name, ""))


def test_perls_tags_are_understood(gateway: Any) -> None:
    body = (
        b'{"messages": [{"message_id": "abc","to_address": "+36201111111","text": "Hello","submit_report_requested": true,'
        b'"tags": [{campaign: spring},{shop: 7}]}, {"message_id": "d","to_address": "+36201111112","text": "x","tags": []}]}'
    )

    response = gateway.client.post("/api?action=sendmsg", data=body, content_type="application/json; charset=utf8", headers=gateway.basic())

    first, second = response.get_json()["data"]["messages"]
    assert first["tags"] == [{"name": "campaign", "value": "spring"}, {"name": "shop", "value": "7"}]
    assert (second["tags"], second["status"]) == ([], "SUCCESS")


def test_perls_broken_lines_of_credentials_are_understood(gateway: Any) -> None:
    header = gateway.basic()["Authorization"]

    response = send(gateway, PLAIN, headers={"Authorization": header[:20] + " " + header[20:] + " "})

    assert response.status_code == 200


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_credentials_may_come_in_either_encoding(gateway: Any, encoding: str) -> None:
    password = "jelszó-éáű-ok".replace("ű", "ü")
    with gateway.core.database.write() as session:
        session.query(User).filter_by(username="anna").one().password_hash = hash_password(password)
    gateway.edit()

    header = "Basic " + base64.b64encode(f"anna:{password}".encode(encoding)).decode()

    assert send(gateway, PLAIN, headers={"Authorization": header}).status_code == 200


def test_a_time_in_the_future_schedules(both: Any) -> None:
    send(both, {**PLAIN, "create_date": "2026-03-01T12:00:00", "time_to_send": "2026-03-01T13:00:00"})

    (message,) = both.messages()
    assert (message.state, message.send_at) == ("scheduled", datetime(2026, 3, 1, 13, tzinfo=UTC))


def test_times_are_those_of_the_gateways_zone(gateway: Any) -> None:
    gateway.option("time_zone", "Europe/Budapest")

    answer = send(gateway, {**PLAIN, "create_date": "2026-03-01T13:00:00", "time_to_send": "2026-03-01T15:00:00"}).get_json()

    assert gateway.messages()[0].send_at == datetime(2026, 3, 1, 14, tzinfo=UTC)
    assert answer["data"]["messages"][0]["time_to_send"] == "2026-03-01 15:00:00"


def test_a_client_in_another_zone_that_means_now_is_not_made_to_wait(gateway: Any) -> None:
    """Clients set both times to their own present."""
    send(gateway, {**PLAIN, "create_date": "2026-03-01T19:00:00", "time_to_send": "2026-03-01T19:00:00"})

    assert gateway.messages()[0].state == "queued"


def test_each_message_has_its_own_fate(both: Any) -> None:
    both.user("poor", credit="1")
    messages = [PLAIN, {**PLAIN, "message_id": "b"}, {**PLAIN, "to_address": "12x"}, {**PLAIN, "time_to_send": "soon"}]

    response = send(both, *messages, headers=both.basic("poor"))

    data = response.get_json()["data"]
    assert response.status_code == 200
    assert (data["total_count"], data["success_count"], data["failed_count"]) == (4, 1, 3)
    assert [item["status"] for item in data["messages"]] == ["SUCCESS", "INSUFFICIENT_CREDIT", "INVALID_DESTINATION", "INVALID_TIME"]
    assert [item["message_id"] for item in data["messages"]][1:] == ["b", "", ""]
    assert "costs 1" in data["messages"][1]["status_message"]
    assert (both.count(Message), both.money("poor")) == (1, ("1", "1"))


@pytest.mark.parametrize(
    ("item", "status"),
    [
        ({"text": "x"}, "MISSING_DESTINATION"),
        ({**PLAIN, "to_address": "hello"}, "INVALID_DESTINATION"),
        ({**PLAIN, "from_address": "12345678901234567"}, "INVALID_SOURCE"),
        ({**PLAIN, "text": None}, "EMPTY_TEXT"),
        ({**PLAIN, "text": "a\0b"}, "INVALID_TEXT"),
        ({**PLAIN, "text": "x" * 1600}, "TEXT_TOO_LONG"),
        ({**PLAIN, "valid_until": "2026-02-28T12:00:00"}, "INVALID_TIME"),
        ({**PLAIN, "time_to_send": "2028-03-01T12:00:00"}, "INVALID_TIME"),
        ({**PLAIN, "message_id": "x" * 97}, "INVALID_PARAMETER"),
        ({**PLAIN, "message_id": "a\0"}, "INVALID_PARAMETER"),
        ({**PLAIN, "to_address": "+12125550123"}, "NO_ROUTE"),
    ],
)
def test_a_message_that_cannot_be_is_refused_without_a_trace(gateway: Any, item: dict[str, Any], status: str) -> None:
    gateway.route("all", conditions=[{"kind": "destination_prefix", "settings": {"prefixes": "+36"}}], route_id=1)
    before = gateway.traces()

    response = send(gateway, item)

    assert response.status_code == 200
    assert [message["status"] for message in response.get_json()["data"]["messages"]] == [status]
    assert (gateway.traces(), gateway.money()) == (before, ("10", "0"))


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        pytest.param({"user": "nobody"}, 401, "UNAUTHENTICATED", id="unknown user"),
        pytest.param({"password": "wrong"}, 401, "UNAUTHENTICATED", id="wrong password"),
        pytest.param({"headers": {}}, 401, "UNAUTHENTICATED", id="no credentials"),
        pytest.param({"headers": {"Authorization": "Basic !!!"}}, 401, "UNAUTHENTICATED", id="no base64"),
        pytest.param({"headers": {"Authorization": "Bearer abc"}}, 401, "UNAUTHENTICATED", id="another scheme"),
        pytest.param({"data": b'{"messages": ['}, 400, "MALFORMED_BODY", id="broken JSON"),
        pytest.param({"data": b"\xff"}, 400, "MALFORMED_BODY", id="no UTF-8"),
        pytest.param({"data": b"[]"}, 400, "INVALID_PARAMETER", id="a list"),
        pytest.param({"data": b"{}"}, 400, "INVALID_PARAMETER", id="no messages"),
        pytest.param({"data": b'{"messages": [{"text": 5}]}'}, 400, "INVALID_PARAMETER", id="a number for a text"),
        pytest.param({"data": b" " * (1024 * 1024 + 1)}, 413, "BODY_TOO_LARGE", id="a body over the limit"),
        pytest.param({"content_type": "text/plain"}, 400, "MALFORMED_BODY", id="not said to be JSON"),
        pytest.param({"method": "GET"}, 405, "METHOD_NOT_ALLOWED", id="GET"),
        pytest.param({"data": b'{"messages": [' + b",".join([b"{}"] * 10_001) + b"]}"}, 422, "TOO_MANY_MESSAGES", id="too many"),
    ],
)
def test_a_refused_request_keeps_the_shape_that_clients_need(gateway: Any, call: dict[str, Any], status: int, code: str) -> None:
    before = gateway.traces()
    headers = call.get("headers", gateway.basic(call.get("user", "anna"), call.get("password", "s3cret&+pass")))

    response = gateway.client.open(
        "/api?action=sendmsg",
        method=call.get("method", "POST"),
        data=call.get("data", msgspec.json.encode({"messages": [PLAIN]})),
        content_type=call.get("content_type", "application/json"),
        headers=headers,
    )

    answer = response.get_json()
    assert (response.status_code, answer["http_code"], answer["response_code"]) == (status, status, code)
    assert answer["response_msg"]
    data = answer["data"]
    assert (data["total_count"], data["success_count"], data["failed_count"], data["messages"], data["message_ids"]) == (0, 0, 0, [], [])
    assert gateway.traces() == before


def test_the_place_of_a_wrong_value_is_named(gateway: Any) -> None:
    response = send(gateway, PLAIN, {**PLAIN, "text": 5})

    assert "$.messages[1].text" in response.get_json()["response_msg"]


def test_the_switch_of_the_user_rules_this_dialect_too(gateway: Any) -> None:
    gateway.edit(legacy_api_enabled=False)

    assert send(gateway, PLAIN).get_json()["response_code"] == "LEGACY_API_OFF"


def test_received_messages_are_answered_as_clients_read_them(both: Any) -> None:
    both.receive("one")

    answer = both.json("receivemsg&folder=inbox").get_json()

    data = answer["data"]
    assert (answer["http_code"], answer["response_code"], data["folder"], data["limit"]) == (200, "SUCCESS", "inbox", "1000")
    (message,) = data["data"]
    assert (message["from_address"], message["to_address"], message["text"]) == ("+36209999999", "+36201111111", "one")
    assert (message["create_date"], message["tags"], message["from_connection"]) == ("2026-03-01 12:00:00", [], "wire")
    assert number_of_nulls(answer) == 0


def test_marked_messages_are_not_answered_again(both: Any) -> None:
    both.receive("one", "two")
    first = both.json("receivemsg").get_json()["data"]["data"][0]["message_id"]

    answer = both.json("markmsg", {"folder": "inbox", "message_ids": [first, "unknown"]}).get_json()

    assert (answer["response_code"], answer["data"]) == ("SUCCESS", {"folder": "inbox", "message_ids": [first]})
    assert [message["text"] for message in both.json("receivemsg").get_json()["data"]["data"]] == ["two"]


def test_deleted_messages_are_in_their_folder(both: Any) -> None:
    both.receive("one")
    (message,) = both.json("receivemsg").get_json()["data"]["data"]

    answer = both.json("deletemsg", {"folder": "inbox", "message_ids": [message["message_id"]]}).get_json()

    assert answer["data"]["message_ids"] == [message["message_id"]]
    assert both.json("receivemsg").get_json()["data"]["data"] == []
    assert [shown["text"] for shown in both.json("receivemsg&folder=deleted").get_json()["data"]["data"]] == ["one"]


def test_deleting_nothing_succeeds(gateway: Any) -> None:
    answer = gateway.json("deletemsg", {"folder": "inbox", "message_ids": []}).get_json()

    assert (answer["response_code"], answer["data"]["message_ids"]) == ("SUCCESS", [])


def test_a_message_is_deleted_only_from_the_folder_that_is_named(gateway: Any) -> None:
    gateway.receive("one")
    (message,) = gateway.json("receivemsg").get_json()["data"]["data"]

    answer = gateway.json("deletemsg", {"folder": "sent", "message_ids": [message["message_id"]]}).get_json()

    assert answer["data"]["message_ids"] == []
    assert len(gateway.json("receivemsg").get_json()["data"]["data"]) == 1


def test_the_messages_of_others_cannot_be_touched(gateway: Any) -> None:
    gateway.user("ben")
    gateway.receive("for anna")
    (message,) = gateway.json("receivemsg").get_json()["data"]["data"]

    for action in ("markmsg", "deletemsg"):
        answer = gateway.json(action, {"folder": "inbox", "message_ids": [message["message_id"]]}, headers=gateway.basic("ben"))
        assert answer.get_json()["data"]["message_ids"] == []

    assert len(gateway.json("receivemsg").get_json()["data"]["data"]) == 1


@pytest.mark.parametrize(("delay", "folder"), [(timedelta(), "outbox"), (timedelta(hours=1), "scheduled")])
def test_what_waits_is_cancelled_and_paid_back_when_it_is_deleted(both: Any, delay: timedelta, folder: str) -> None:
    send(both, {**PLAIN, "message_id": "mine", "time_to_send": (both.now + delay).strftime("%Y-%m-%dT%H:%M:%S")})
    assert both.money() == ("10", "1")

    answer = both.json("deletemsg", {"folder": folder, "message_ids": ["mine"]}).get_json()

    assert answer["data"]["message_ids"] == ["mine"]
    (message,) = both.messages()
    assert message.state == "cancelled"
    assert both.money() == ("10", "0")


def test_unknown_folders_are_refused(gateway: Any) -> None:
    response = gateway.json("deletemsg", {"folder": "attic", "message_ids": ["x"]})

    assert (response.status_code, response.get_json()["response_code"]) == (STATUS_OF_A_WRONG_REQUEST, "INVALID_PARAMETER")

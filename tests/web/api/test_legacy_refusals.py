"""What the legacy dialect refuses: each time with a number and a reason, and without a trace."""

from typing import Any

import pytest

from app.db import CommitFailed, Unavailable
from app.models import Message
from app.refusals import REFUSALS

MD5 = "0123456789abcdef0123456789ABCDEF"


def number(code: str) -> str:
    return str(REFUSALS[code].number)


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        pytest.param({"user": "nobody"}, "unauthenticated", "user name or the password", id="unknown user"),
        pytest.param({"password": "wrong"}, "unauthenticated", "user name or the password", id="wrong password"),
        pytest.param({"user": ""}, "missing_parameter", "username and password", id="no user"),
        pytest.param({"password": ""}, "missing_parameter", "username and password", id="no password"),
        pytest.param({"action": "sendit"}, "unknown_action", "'sendit'", id="unknown action"),
        pytest.param({"action": ""}, "missing_parameter", "action", id="no action"),
        pytest.param({"recipient": ""}, "missing_destination", "recipient", id="empty recipient"),
        pytest.param({"recipient": " ,;"}, "missing_destination", "recipient", id="only separators"),
        pytest.param({"messagetype": "SMS:WAPPUSH"}, "unsupported_message_type", "SMS:BINARY", id="another message type"),
        pytest.param({"messagetype": "SMS:TEXT:CLASS4"}, "unsupported_message_type", "CLASS0", id="no such class"),
        pytest.param({"messagetype": "SMS:BINARY", "messagedata": "0"}, "invalid_text", "hex", id="half an octet"),
        pytest.param({"messagetype": "SMS:BINARY", "messagedata": ""}, "invalid_text", "hex", id="no octet"),
        pytest.param({"_charset_": "zip"}, "invalid_parameter", "UTF-8", id="unknown character set"),
        pytest.param({"_charset_": "utf-8\0"}, "invalid_parameter", "UTF-8", id="NUL in the character set"),
        pytest.param({"action": "sendmessage\0"}, "unknown_action", "\\x00", id="NUL in the action"),
        pytest.param({"user": "anna\0"}, "unauthenticated", "user name", id="NUL in the user name"),
    ],
)
def test_a_request_that_cannot_be_is_refused_as_a_whole(gateway: Any, xml: Any, changes: dict[str, str], code: str, word: str) -> None:
    before = gateway.traces()

    response = gateway.send(**changes)

    answer = xml(response)
    assert (response.status_code, answer.text("errorcode")) == (200, number(code))
    assert word in answer.text("errormessage")
    assert answer.all("acceptreport") == []
    assert (gateway.traces(), gateway.money()) == (before, ("10", "0"))


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        pytest.param({"recipient": "hello"}, "invalid_destination", "number", id="a word for a number"),
        pytest.param({"recipient": "+36\x00201234567"}, "invalid_destination", "number", id="NUL in the number"),
        pytest.param({"originator": "12345678901234567"}, "invalid_source", "at most 15", id="17 digits as sender"),
        pytest.param({"originator": "ABCDEFGHIJKLMNOPQ"}, "invalid_source", "at most", id="17 letters as sender"),
        pytest.param({"messagedata": ""}, "empty_text", "empty", id="no text"),
        pytest.param({"messagedata": "x" * 1600}, "text_too_long", "10", id="a text of 11 segments"),
        pytest.param({"messagedata": "a\0b"}, "invalid_text", "NUL", id="NUL in the text"),
        pytest.param({"messagedata": "\u0151", "messagetype": "SMS:TEXT:GSM7BIT"}, "invalid_text", "GSM", id="no GSM text"),
        pytest.param({"messagedata": "x" * 1530, "recipient": "+36201111111"}, "", "", id="the longest that fits"),
        pytest.param({"recipient": "+1" + "2" * 10}, "no_route", "route", id="no route"),
    ],
)
def test_a_message_that_cannot_be_is_refused_in_its_report(gateway: Any, xml: Any, changes: dict[str, str], code: str, word: str) -> None:
    gateway.route("all", conditions=[{"kind": "destination_prefix", "settings": {"prefixes": "+36"}}], route_id=1)
    before = gateway.traces()

    response = gateway.send(**changes)

    answer = xml(response)
    assert (response.status_code, answer.text("statuscode")) == (200, number(code) if code else "0")
    assert word in answer.text("statusmessage")
    assert (answer.text("messageid") == "") == bool(code)
    assert (gateway.traces() == before) == bool(code)


def test_without_credit_nothing_is_queued(both: Any, xml: Any) -> None:
    both.user("poor", credit="0")
    before = both.traces()

    answer = xml(both.send(user="poor"))

    assert answer.text("statuscode") == number("no_credit")
    assert "costs 1" in answer.text("statusmessage")
    assert (both.traces(), both.money("poor")) == (before, ("0", "0"))


def test_a_refusal_is_answered_in_html_too(gateway: Any) -> None:
    response = gateway.send(responseformat="HTML", password="wrong")

    assert response.content_type == "text/html; charset=utf-8"
    assert f"Error code: {number('unauthenticated')}<br>\nError message: The user name" in response.text


def test_a_refusal_is_answered_to_message_server_6(gateway: Any) -> None:
    response = gateway.client.get("/ozeki?action=sendMessage&ozmsUserInfo=anna:wrong&recepient=%2B36201234567&messageData=x")

    assert response.text.startswith("<Response><Action>sendMessage</Action><Data><ErrorCode>101</ErrorCode><ErrorMessage>")


def test_a_password_as_md5_is_refused_with_the_reason(gateway: Any) -> None:
    response = gateway.client.get(f"/ozeki?action=sendMessage&ozmsUserInfo=anna:{MD5}&recepient=%2B36201234567&messageData=x")

    assert "<ErrorCode>112</ErrorCode>" in response.text
    assert "MD5" in response.text
    assert MD5 not in response.text


def test_the_switch_of_the_user_rules_the_dialect(gateway: Any, xml: Any) -> None:
    gateway.edit(legacy_api_enabled=False)

    answer = xml(gateway.send())

    assert answer.text("errorcode") == number("legacy_api_off")
    assert gateway.count(Message) == 0


def test_who_is_switched_off_is_told_only_with_the_right_password(gateway: Any, xml: Any) -> None:
    gateway.edit(active=False)

    assert xml(gateway.send()).text("errorcode") == number("user_suspended")
    assert xml(gateway.send(password="wrong")).text("errorcode") == number("unauthenticated")


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_do_nothing(gateway: Any, method: str) -> None:
    response = gateway.client.open(
        "/api",
        method=method,
        query_string={
            "action": "sendmessage",
            "username": "anna",
            "password": "s3cret&+pass",
            "recipient": "+36201234567",
            "messagedata": "x",
        },
    )

    assert response.status_code == 405
    assert gateway.count(Message) == 0


def test_a_parameter_with_two_values_is_refused(gateway: Any, xml: Any) -> None:
    response = gateway.client.post(
        "/api?action=sendmessage&username=anna&messagedata=a",
        data="messagedata=b&password=x&recipient=1",
        content_type="application/x-www-form-urlencoded",
    )

    assert xml(response).text("errorcode") == number("invalid_parameter")
    assert "messagedata is given twice" in xml(response).text("errormessage")


def test_a_body_over_the_limit_is_refused(gateway: Any, xml: Any) -> None:
    body = "messagedata=" + "x" * gateway.core.settings.max_body_octets

    response = gateway.client.post("/api?action=sendmessage", data=body, content_type="application/x-www-form-urlencoded")

    assert (response.status_code, xml(response).text("errorcode")) == (413, number("body_too_large"))


def test_too_many_recipients_are_refused_before_any_work(gateway: Any, xml: Any) -> None:
    body = "recipient=" + ",".join(["+36201234567"] * 10_001)

    response = gateway.client.post(
        "/api?action=sendmessage&username=anna&password=s3cret%26%2Bpass&messagedata=x",
        data=body,
        content_type="application/x-www-form-urlencoded",
    )

    assert xml(response).text("errorcode") == number("too_many_messages")
    assert gateway.count(Message) == 0


def test_bytes_that_are_not_of_the_named_character_set_are_refused(gateway: Any, xml: Any) -> None:
    response = gateway.client.get("/api?action=sendmessage&username=anna&password=x&_charset_=utf-8&messagedata=%E9")

    assert xml(response).text("errorcode") == number("invalid_parameter")
    assert "messagedata is not utf-8" in xml(response).text("errormessage")


def test_the_status_line_tells_of_refusals_where_the_operator_wants_it(gateway: Any, xml: Any) -> None:
    gateway.option("legacy_refusal_status", value=True)

    response = gateway.send(password="wrong")

    assert (response.status_code, xml(response).text("errorcode")) == (401, number("unauthenticated"))


def test_too_many_attempts_are_told_to_wait(gateway: Any, xml: Any) -> None:
    for _ in range(5):
        gateway.send(password="wrong")

    response = gateway.send()

    assert (response.status_code, xml(response).text("errorcode")) == (429, number("too_many_attempts"))
    assert int(response.headers["Retry-After"]) >= 1
    assert gateway.count(Message) == 0


@pytest.mark.parametrize(("error", "code"), [(Unavailable("away"), "unavailable"), (CommitFailed("?"), "unknown_outcome")])
def test_a_database_that_fails_is_told_as_503(gateway: Any, xml: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str) -> None:
    """Nothing was done, or it is not known: the status line says so, since programs look at it."""

    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(gateway.core.database, "run", failing)

    response = gateway.send()

    assert (response.status_code, xml(response).text("errorcode")) == (503, number(code))
    assert "Retry-After" in response.headers


def test_a_fault_of_ours_is_answered_in_the_dialect(gateway: Any, xml: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(gateway.core.database, "run", broken)

    response = gateway.send()

    assert (response.status_code, xml(response).text("errorcode")) == (500, number("internal"))
    assert "secret" not in response.text

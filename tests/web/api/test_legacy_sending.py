"""`sendmessage` as legacy programs send it, in all its spellings, and what they get back."""

from typing import Any
from urllib.parse import quote

import pytest

from app.models import Message

CREDENTIALS = f"username=anna&password={quote('s3cret&+pass')}"
PLAIN = f"action=sendmessage&{CREDENTIALS}&recipient=%2B36201234567&messagetype=SMS:TEXT&messagedata=hello+world"
XML_ANSWER = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE smsapi PUBLIC "-//OZEKI//DTD XML 1.0//EN" "http://www.ozekisms.com/DTD/smsapi.xml">
<response>
  <action>sendmessage</action>
  <data>
    <acceptreport>
      <statuscode>0</statuscode>
      <statusmessage>Message accepted for delivery</statusmessage>
      <messageid>{id}</messageid>
      <recipient>+36201234567</recipient>
    </acceptreport>
  </data>
</response>
"""


def test_a_message_is_accepted_charged_and_reported_as_documented(both: Any, xml: Any) -> None:
    response = both.client.get(f"/api?{PLAIN}")

    number = xml(response).text("messageid")
    assert response.status_code == 200
    assert response.data.decode() == XML_ANSWER.format(id=number)
    assert len(number) == 13
    (message,) = both.messages()
    assert (message.destination, message.text, message.entrance, message.state) == ("+36201234567", "hello world", "legacy", "queued")
    assert both.money() == ("10", "1")


@pytest.mark.parametrize("path", ["/api", "/ozeki", "/httpapi", "/api/"])
def test_all_addresses_of_the_dialect_answer(gateway: Any, xml: Any, path: str) -> None:
    assert xml(gateway.client.get(f"{path}?{PLAIN}")).text("statuscode") == "0"


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(PLAIN.replace("action=sendmessage", "action=sendMessage"), id="action in capitals"),
        pytest.param(PLAIN.replace("action=", "ACTION=").replace("recipient=", "Recipient="), id="names in capitals"),
        pytest.param(PLAIN.replace("action=sendmessage", "command=SendMessage"), id="command instead of action"),
        pytest.param("command=SendMessage&" + PLAIN, id="command and action"),
        pytest.param(PLAIN.replace("recipient=", "recepient="), id="recepient"),
        pytest.param(PLAIN.replace("messagetype=", "messageType=").replace("messagedata=", "messageData="), id="camel case"),
        pytest.param(PLAIN.replace("&messagetype=SMS:TEXT", ""), id="no message type"),
        pytest.param(PLAIN.replace("%2B36", "+36"), id="a raw plus"),
        pytest.param(PLAIN.replace("%2B36", "%2036"), id="a plus that became a blank"),
        pytest.param(PLAIN + "&_charset_=UTF-8&unknown=x&", id="more than is known"),
    ],
)
def test_requests_of_real_programs_are_understood(gateway: Any, xml: Any, query: str) -> None:
    answer = xml(gateway.client.get(f"/api?{query}"))

    assert answer.text("statuscode") == "0", answer.text("statusmessage") + answer.text("errormessage")
    assert [(message.destination, message.text) for message in gateway.messages()] == [("+36201234567", "hello world")]


def test_a_form_in_the_body_is_understood(gateway: Any, xml: Any) -> None:
    response = gateway.client.post("/api", data=PLAIN, content_type="application/x-www-form-urlencoded")

    assert xml(response).text("statuscode") == "0"


def test_a_multipart_form_is_understood(gateway: Any, xml: Any) -> None:
    fields = {"action": "sendmessage", "username": "anna", "password": "s3cret&+pass", "recipient": "+36201234567", "messagedata": "é"}

    response = gateway.client.post("/api", data=fields, content_type="multipart/form-data")

    assert xml(response).text("statuscode") == "0"
    assert gateway.messages()[0].text == "é"


def test_fields_may_stand_in_the_query_of_a_post_without_a_body(gateway: Any, xml: Any) -> None:
    assert xml(gateway.client.post(f"/api?{PLAIN}")).text("statuscode") == "0"


def test_fields_may_be_spread_over_query_and_body(gateway: Any, xml: Any) -> None:
    response = gateway.client.post(
        "/api?action=sendmessage&username=anna",
        data=f"{PLAIN.partition('&')[2]}".encode(),
        content_type="application/x-www-form-urlencoded; charset=UTF-8",
    )

    assert xml(response).text("statuscode") == "0"


@pytest.mark.parametrize(
    ("value", "charset", "text"),
    [
        ("caf%C3%A9", "", "café"),
        ("caf%E9", "ISO-8859-1", "café"),
        ("%A4", "iso-8859-15", "€"),
        ("caf%E9+%80", "", "café €"),
    ],
)
def test_text_is_utf8_or_what_the_client_says(gateway: Any, value: str, charset: str, text: str) -> None:
    named = f"&_charset_={charset}" if charset else ""

    gateway.client.get(f"/api?{PLAIN.replace('hello+world', value)}{named}")

    assert gateway.messages()[0].text == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("%2B36201111111,%2B36202222222", ["+36201111111", "+36202222222"]),
        ("06203105366;+36201234567", ["+36203105366", "+36201234567"]),
        ("+36201111111,+36202222222", ["+36201111111", "+36202222222"]),
        ("+36201111111%2C+36202222222", ["+36201111111", "+36202222222"]),
        ("+36201111111;;,", ["+36201111111"]),
        ("%2B36201111111%3B+06202222222", ["+36201111111", "+36202222222"]),
        ("1234,+1235", ["1234"]),
        ("%2B36201111111&recipient=%2B36202222222", ["+36201111111", "+36202222222"]),
        ("%2B36201111111,%2B36201111111", ["+36201111111", "+36201111111"]),
    ],
)
def test_several_recipients_get_a_report_each(gateway: Any, xml: Any, value: str, expected: list[str]) -> None:
    gateway.edit(country_code="36")

    answer = xml(gateway.client.get(f"/api?{PLAIN.replace('%2B36201234567', value)}"))

    accepted = [recipient for recipient, code in zip(answer.all("recipient"), answer.all("statuscode"), strict=True) if code == "0"]
    assert accepted == expected
    assert len(set(filter(None, answer.all("messageid")))) == len(expected)


def test_a_blank_behind_a_quoted_comma_is_no_plus(gateway: Any) -> None:
    """A form's `12345678, 87654321` must not reach another country."""
    gateway.edit(country_code="45")

    gateway.client.get(f"/api?{PLAIN.replace('%2B36201234567', '12345678%2C+87654321')}")

    assert [message.destination for message in gateway.messages()] == ["+4512345678", "+4587654321"]


def test_half_of_two_recipients_may_be_accepted(both: Any, xml: Any) -> None:
    answer = xml(both.send(recipient="+36201234567,12x"))

    assert answer.all("statuscode") == ["0", "202"]
    assert answer.all("recipient") == ["+36201234567", "12x"]
    assert "no number has" in answer.all("statusmessage")[1]
    assert (both.count(Message), both.money()) == (1, ("10", "1"))


@pytest.mark.parametrize(
    ("message_type", "text", "alphabet", "message_class", "stored"),
    [
        ("SMS:TEXT", "hello", "gsm7", None, "hello"),
        ("sms:text", "ő", "ucs2", None, "ő"),
        ("SMS:TEXT:GSM7BIT", "hello", "gsm7", None, "hello"),
        ("SMS:TEXT:GSM7BIT:CLASS0", "hello", "gsm7", 0, "hello"),
        ("SMS:TEXT:CLASS3", "hello", "gsm7", 3, "hello"),
        ("SMS:TEXT:UCS2", "hello", "ucs2", None, "hello"),
        ("SMS:TEXT:UCS2:CLASS1", "hello", "ucs2", 1, "hello"),
    ],
)
def test_message_types_of_text(
    gateway: Any, xml: Any, message_type: str, text: str, alphabet: str, message_class: int | None, stored: str
) -> None:
    answer = xml(gateway.send(messagetype=message_type, messagedata=text))

    assert answer.text("statuscode") == "0"
    (message,) = gateway.messages()
    assert (message.alphabet, message.message_class, message.text) == (alphabet, message_class, stored)


def test_binary_messages_come_as_hex(gateway: Any, xml: Any) -> None:
    assert xml(gateway.send(messagetype="SMS:BINARY", messagedata="00fFa5")).text("statuscode") == "0"
    assert gateway.messages()[0].data == b"\x00\xff\xa5"


def test_the_sender_is_the_originator(gateway: Any) -> None:
    gateway.send(originator="Shop")

    assert gateway.messages()[0].source == "Shop"


def test_the_sender_is_the_users_own_where_he_may_not_choose(gateway: Any) -> None:
    gateway.edit(source_override_allowed=False, default_source="+36701111111")

    gateway.send(originator="Shop")

    assert gateway.messages()[0].source == "+36701111111"


@pytest.mark.parametrize(("allowed", "provider"), [(True, "other"), (False, "wire")])
def test_the_service_provider_is_chosen_only_with_the_right(gateway: Any, allowed: bool, provider: str) -> None:
    gateway.connection("second", provider="other")
    gateway.edit(route_override_allowed=allowed)

    gateway.send(serviceprovider="other")

    assert gateway.messages()[0].provider == provider


def test_html_is_answered_on_request(gateway: Any) -> None:
    response = gateway.send(responseformat="html", continueurl="http://shop.example/?a=1&b='2'")

    number = gateway.client.get(f"/api?{PLAIN}")  # another one, so that ids differ
    assert response.content_type == "text/html; charset=utf-8"
    assert number.content_type.startswith("application/xml")
    lines = response.text.splitlines()
    assert "<title>SMS</title>" in lines[1]
    assert lines[2:4] == ["Status code: 0<br>", "Status message: Message accepted for delivery<br>"]
    assert lines[4].startswith("Message ID: ")
    assert lines[5:7] == ["Recipient: +36201234567<br>", "<br>"]
    assert lines[7] == "<a href='http://shop.example/?a=1&amp;b=&#x27;2&#x27;'>Click here to continue</a>"


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "/next", "http:///x", "http://a b", "https://a\n"]
)
def test_only_web_addresses_are_linked(gateway: Any, url: str) -> None:
    assert "<a " not in gateway.send(responseformat="html", continueurl=url).text


def test_what_a_client_sends_is_never_markup(gateway: Any) -> None:
    text = gateway.send(responseformat="html", recipient="<script>1</script>").text

    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_answers_are_not_kept_and_their_address_does_not_travel(gateway: Any) -> None:
    headers = gateway.send().headers

    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "Set-Cookie" not in headers


def test_message_server_6_is_answered_in_its_own_elements(gateway: Any, xml: Any) -> None:
    query = f"action=sendMessage&ozmsUserInfo=anna:{quote('s3cret&+pass')}&recepient=%2B36201234567&messageData=hello"

    response = gateway.client.get(f"/ozeki?{query}")

    number = xml(response).text("MessageID")
    assert response.text == (
        "<Response><Action>sendMessage</Action><Data><AcceptReport><StatusCode>0</StatusCode><StatusText></StatusText>"
        f"<MessageID>{number}</MessageID></AcceptReport></Data></Response>\n"
    )
    assert gateway.count(Message) == 1


def test_cookies_mean_nothing(gateway: Any, xml: Any) -> None:
    gateway.client.set_cookie("session", "whoever")

    assert xml(gateway.client.get("/api?action=sendmessage&recipient=%2B36201234567&messagedata=x")).text("errorcode") == "111"


def test_an_identical_get_within_the_window_gets_the_first_answer(both: Any) -> None:
    both.edit(repeat_window_s=60)

    first = both.send()
    again = both.client.get(
        f"/api?messagedata=hello&{CREDENTIALS}&recipient=%2B36201234567&action=SENDMESSAGE".replace("SENDMESSAGE", "sendmessage")
    )

    assert again.data == first.data
    assert (both.count(Message), both.money()) == (1, ("10", "1"))


def test_another_get_within_the_window_is_another_message(gateway: Any) -> None:
    gateway.edit(repeat_window_s=60)

    first, second, third = gateway.send(), gateway.send(messagedata="other"), gateway.send(recipient="+36201234568")

    assert len({first.data, second.data, third.data}) == 3
    assert gateway.count(Message) == 3


def test_without_a_window_every_get_is_a_message(gateway: Any) -> None:
    assert gateway.send().data != gateway.send().data
    assert gateway.count(Message) == 2


def test_a_post_is_never_a_repeat(gateway: Any) -> None:
    gateway.edit(repeat_window_s=60)

    gateway.client.post(f"/api?{PLAIN}")
    gateway.client.post(f"/api?{PLAIN}")

    assert gateway.count(Message) == 2

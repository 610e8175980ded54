"""Send test and receive test on the page of a connection."""

from typing import Any

import pytest

PAGE = "/connections/wire/test"
SENDING = {"test": "send", "send_destination": "+36201234567", "send_source": "", "send_text": "Try"}
RECEIVING = {"test": "receive", "receive_source": "+36301112233", "receive_destination": "12345", "receive_text": "Back"}


def test_a_test_is_sent_through_the_connection_and_followed(site: Any, read: Any) -> None:
    site.connection()
    site.route()
    answer = site.client().post(PAGE, data=SENDING)
    site.work()

    [message] = site.messages()
    assert (message.text, message.provider, message.state) == ("Try", "wire", "sent")
    assert answer.status_code == 303
    assert "Try" in read(site.client().get(answer.location))


def test_a_test_that_would_go_elsewhere_is_not_sent_and_says_what_to_do(site: Any, read: Any) -> None:
    site.connection("other")
    site.connection()
    site.route(targets=("other",))
    answer = site.client().post(PAGE, data=SENDING)

    assert answer.status_code == 422
    assert "would send this to other, and not to wire" in read(answer)
    assert "Try" in answer.text
    assert site.messages() == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (SENDING | {"send_destination": "nobody"}, "which no number has"),
        (SENDING, "No outbound route matches"),
        (RECEIVING | {"receive_source": "x" * 20}, "sender"),
        (RECEIVING | {"receive_text": "x" * 1001}, "at most 1000"),
    ],
)
def test_what_cannot_be_is_refused_and_kept_in_the_form(site: Any, read: Any, given: dict[str, str], words: str) -> None:
    site.connection()
    answer = site.client().post(PAGE, data=given)

    assert answer.status_code == 422
    assert words in read(answer)
    assert site.messages() == []


def test_a_receive_test_is_routed_into_an_inbox(site: Any, read: Any) -> None:
    site.connection()
    site.user("anna")
    browser = site.client()
    unrouted = browser.post(PAGE, data=RECEIVING, follow_redirects=True)
    site.route("answers", ("anna",), inward=True)
    routed = browser.post(PAGE, data=RECEIVING, follow_redirects=True)

    assert "no inbound route wanted it" in read(unrouted)
    assert "in the inbox of the user" in read(routed)
    [message] = site.messages()
    assert (message.direction, message.text, message.source) == ("inbound", "Back", "+36301112233")


def test_auditors_do_not_test(site: Any) -> None:
    site.connection()
    site.user("olga", role="auditor")

    assert site.client("olga").get(PAGE).status_code == 403
    assert f'href="{PAGE}"' not in site.client("olga").get("/connections/wire").text

"""Callbacks of Clickatell: what they move, and all that has no effect."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.db import Unavailable
from pennywire import Accepted

SECRET = "a-secret-of-more-than-24-characters"
ID = "205e85d0578314037a96175249fc6a2b"


@pytest.fixture
def sent(site: Any) -> str:
    """A message that the platform has taken; returns its id."""
    site.connection("click", "clickatell", api_key="k", callback_secret=SECRET, callback_sources="127.0.0.0/8")
    site.connection("old", "clickatell-http", api_id="123", user="u", password="p", callback_secret=SECRET)
    site.user("anna", credit="10")
    site.route(targets=("click",))
    site.route("in", ("anna",), inward=True)
    message = site.send()
    site.work(Accepted(ID))
    return message


def status(code: int, network_id: str = ID) -> dict[str, Any]:
    update = {"channel": "sms", "messageId": network_id, "statusCode": code, "timestamp": 1506607698000}
    return {"integrationId": "i", "event": {"messageStatusUpdate": [update]}}


def call(site: Any, content: Any, *, connection: str = "click", secret: str = SECRET, address: str = "127.0.0.1") -> int:
    client: FlaskClient = site.app.test_client()
    path = f"/plugins/clickatell/callbacks/{connection}/{secret}"
    return client.post(path, json=content, environ_overrides={"REMOTE_ADDR": address}).status_code


def state(site: Any) -> str:
    return str(site.messages()[0].state)


@pytest.mark.usefixtures("sent")
def test_a_delivery_is_taken_from_a_stranger_with_the_secret(site: Any) -> None:
    assert call(site, status(5)) == 200
    assert state(site) == "delivered"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"secret": SECRET + "x"}, 404),
        ({"secret": "é" * 30}, 404),
        ({"connection": "nobody"}, 404),
        ({"address": "203.0.113.9"}, 404),
        ({"address": "::ffff:203.0.113.9"}, 404),
    ],
)
@pytest.mark.usefixtures("sent")
def test_a_forged_report_has_no_effect(given: dict[str, str], code: int, site: Any) -> None:
    assert call(site, status(23), **given) == code
    assert state(site) == "sent"


@pytest.mark.usefixtures("sent")
def test_an_address_of_the_list_is_heard_in_either_form(site: Any) -> None:
    assert call(site, status(5), address="::ffff:127.0.0.1") == 200


@pytest.mark.usefixtures("sent")
def test_doubled_late_and_contradicting_reports_change_nothing(site: Any) -> None:
    answers = [call(site, status(code)) for code in (5, 5, 4, 23, 20)]

    assert answers == [200] * 5
    assert state(site) == "delivered"


@pytest.mark.usefixtures("sent")
def test_a_report_about_an_unknown_message_is_taken_and_moves_none(site: Any) -> None:
    assert call(site, status(5, "0" * 32)) == 200
    assert state(site) == "sent"


@pytest.mark.usefixtures("sent")
def test_a_callback_that_is_none_is_refused(site: Any) -> None:
    assert call(site, {"event": {"messageStatusUpdate": "x"}}) == 400
    assert state(site) == "sent"


@pytest.mark.usefixtures("sent")
def test_a_reply_comes_in_once(site: Any) -> None:
    reply = {"channel": "sms", "messageId": "m1", "from": "2799900001", "to": "45051", "content": "Yes", "timestamp": 1506607698000}

    answers = [call(site, {"event": {"moText": [reply]}}) for _ in range(2)]

    assert answers == [200, 200]
    assert [message.text for message in site.messages() if message.direction == "inbound"] == ["Yes"]


@pytest.mark.usefixtures("sent")
def test_the_legacy_api_may_call_by_get(site: Any) -> None:
    client = site.app.test_client()
    path = f"/plugins/clickatell/callbacks/old/{SECRET}"
    fields = {"api_id": "123", "moMsgId": "m2", "from": "2799900001", "to": "45051", "text": "Hi", "timestamp": "2008-08-06 09:43:50"}

    answers = [client.get(path, query_string=given).status_code for given in (fields, fields | {"api_id": "9"}, {})]

    assert answers == [200, 400, 400]
    assert [message.text for message in site.messages() if message.direction == "inbound"] == ["Hi"]


@pytest.mark.usefixtures("sent")
def test_what_cannot_be_stored_is_to_be_called_again(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def away() -> Iterator[Any]:
        raise Unavailable("The disk is full.")
        yield

    monkeypatch.setattr(site.core.database, "write", away)

    assert call(site, status(5)) == 503


def test_without_a_secret_nobody_is_heard(site: Any) -> None:
    site.connection("bare", "clickatell", api_key="k")

    assert call(site, status(5), connection="bare", secret="x") == 404


@pytest.mark.usefixtures("sent")
def test_the_page_of_the_connection_shows_the_address_without_the_secret(site: Any, read: Any) -> None:
    page = site.client().get("/connections/click")

    assert "/plugins/clickatell/callbacks/click/SECRET" in read(page)
    assert SECRET not in page.text

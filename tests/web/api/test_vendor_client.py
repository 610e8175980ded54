"""The vendor's own Python client, as it comes from its package, against a real server over TCP."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from ozekilibsrest import Configuration, Folder, Message, MessageApi  # type: ignore[import-untyped]  # the package carries no annotations
from werkzeug.serving import make_server

from app import administration
from app.clock import utc_now

pytestmark = pytest.mark.peers


def client(port: int, password: str = "s3cret&+pass") -> MessageApi:
    return MessageApi(Configuration("anna", password, f"http://127.0.0.1:{port}/api"))


@pytest.fixture
def port(gateway: Any) -> Iterator[int]:
    """Port of a server with the gateway behind it. The gateway's clock is the real one, as the client's is."""
    gateway.core.clock = utc_now
    server = make_server("127.0.0.1", 0, gateway.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api(port: int) -> MessageApi:
    """The client with the right credentials."""
    return client(port)


def test_it_sends_a_message(gateway: Any, api: Any) -> None:
    message = Message(to_address="+36201111111", text="Hello")
    message.add_tag("campaign", "spring")

    result = api.send(message)

    assert (result.status, result.response_message) == ("Success", "")
    assert result.message.message_id == str(message.message_id)
    assert result.message.tags == [{"name": "campaign", "value": "spring"}]
    assert [(stored.text, stored.state) for stored in gateway.messages()] == [("Hello", "queued")]
    assert gateway.money() == ("10", "1")


def test_it_sends_several_messages_and_reads_each_result(gateway: Any, api: Any) -> None:
    results = api.send([Message(to_address="+36201111111", text="one"), Message(to_address="12x", text="two")])

    assert (results.total_count, results.success_count, results.failed_count) == (2, 1, 1)
    assert [result.status for result in results.results] == ["Success", "Failed"]
    assert results.results[1].response_message == "INVALID_DESTINATION"
    assert len(gateway.messages()) == 1


def test_it_reads_that_the_credit_does_not_suffice(gateway: Any, api: Any) -> None:
    with gateway.core.database.write() as session:
        administration.set_credits(session, "anna", 0, now=gateway.now, actor="test", reason="test")

    result = api.send(Message(to_address="+36201111111", text="Hello"))

    assert (result.status, result.response_message) == ("Failed", "INSUFFICIENT_CREDIT")


def test_it_schedules_a_message(gateway: Any, api: Any) -> None:
    later = datetime.now() + timedelta(hours=26)  # noqa: DTZ005  # as the client's users do; a day more than any zone is away

    result = api.send(Message(to_address="+36201111111", text="later", time_to_send=later))

    assert result.status == "Success"
    assert [stored.state for stored in gateway.messages()] == ["scheduled"]


def test_it_marks_and_deletes_messages(gateway: Any, api: Any) -> None:
    gateway.receive("one", "two")
    numbers = [shown["message_id"] for shown in gateway.json("receivemsg").get_json()["data"]["data"]]

    assert api.mark(Folder.Inbox, Message(message_id=numbers[0])) is True
    assert api.mark(Folder.Inbox, Message(message_id="nothing")) is False
    assert api.delete(Folder.Inbox, Message(message_id=numbers[1])) is True
    both = api.delete(Folder.Inbox, [Message(message_id=numbers[0]), Message(message_id="nothing")])
    assert (both.success_count, both.failed_count) == (1, 1)


def test_it_downloads_what_came_in_and_deletes_it(gateway: Any, api: Any) -> None:
    gateway.receive("one", "two")

    first = api.download_incoming()
    second = api.download_incoming()

    assert [(message.from_address, message.text) for message in first.messages] == [("+36209999999", "one"), ("+36209999999", "two")]
    assert second.messages == []


def test_wrong_credentials_give_it_an_empty_result(gateway: Any, port: int) -> None:
    results = client(port, "wrong").send(Message(to_address="+36201111111", text="Hello"))

    assert (results.total_count, results.results) == (0, [])
    assert gateway.messages() == []

"""What messages say is hidden from roles that may not read it."""

from typing import Any

import pytest

from app import administration
from app.models import ParkedReport
from pennywire import ReportState


@pytest.fixture
def told(busy: Any) -> Any:
    """A busy site with an auditor and an operator, and a receipt that repeats the text."""
    busy.user("udo", role="auditor")
    busy.user("olga", role="operator")
    busy.secret = busy.send(text="Your code is 4711")
    busy.work(report=ReportState.DELIVERED)
    return busy


PAGES = ("/messages/sent", "/messages/sent?user=anna", "/message/{message}")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("name", "reads"), [("udo", False), ("olga", True), ("root", True), ("anna", True)])
def test_an_auditor_sees_that_there_is_a_message_and_not_what_it_says(told: Any, page: str, name: str, reads: bool) -> None:
    answer = told.client(name).get(page.format(message=told.secret)).text

    assert ("Your code is 4711" in answer) is reads
    assert ("Hidden from your role." in answer) is not reads
    assert "+36201234567" in answer


def test_what_a_peer_said_may_hold_the_text_and_is_hidden_too(told: Any) -> None:
    address = f"/message/{told.secret}"

    assert "stat:delivered" in told.client("root").get(address).text
    assert "stat:delivered" not in told.client("udo").get(address).text


def test_a_receipt_that_waits_is_hidden_as_it_came(told: Any) -> None:
    (connection,) = told.core.snapshots.reload().connections
    parked = ParkedReport(provider="wire", report_id="9", network_id="9", network_ids=["9"], connection_id=connection, state="delivered")
    parked.raw, parked.received_at = "id:9 stat:DELIVRD text:Your code is", told.moment
    told.do(lambda session: session.add(parked))

    assert "Your code is" in told.client("olga").get("/connections/wire/receipts").text
    assert "Your code is" not in told.client("udo").get("/connections/wire/receipts").text


@pytest.mark.parametrize(
    ("roles", "auditor", "operator"), [("", True, True), ("operator", True, False), ("auditor, operator", False, False)]
)
def test_a_setting_says_who_reads_no_texts(told: Any, roles: str, auditor: bool, operator: bool) -> None:
    told.do(lambda session: administration.set_gateway_options(session, {"text_hidden_roles": roles}, **told.by))

    assert ("4711" in told.client("udo").get("/messages/sent").text) is auditor
    assert ("4711" in told.client("olga").get("/messages/sent").text) is operator


@pytest.mark.parametrize("roles", ["administrator", "customer", "nobody"])
def test_it_cannot_be_hidden_from_others(site: Any, read: Any, roles: str) -> None:
    answer = site.client().post("/system/settings", data={"text_hidden_roles": roles})

    assert answer.status_code == 422
    assert "is no role that can be named here" in read(answer)


def test_messages_of_ones_own_are_read(told: Any) -> None:
    told.send(user="udo", text="My own words")

    page = told.client("udo").get("/messages/outbox").text

    assert "My own words" in page
    assert "Waiting" not in page

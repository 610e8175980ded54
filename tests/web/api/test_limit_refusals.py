"""A limit that is reached, and amounts that are none, are refused by every dialect in the same words and with the same code."""

from typing import Any

import pytest

from app import administration
from app.models import Transfer

BAD_AMOUNTS = [
    "1e309",
    "NaN",
    "Infinity",
    "1,5",
    "\uff11\uff12",
    "\u0663",
    "1e-9",
    "0.0000001",
    str(2**63),
    "-9999999999",
    "0x10",
    "1_000",
    "true",
    "[1]",
]
"""What is neither an exact amount nor may become one in silence."""

SEND = {"destination": "+36201234567", "text": "x" * 200}
WORDS = "The account may send 3 segments a day; 2 are used, and this message has 2. The count begins again on 2026-03-02 at 00:00 (UTC)."


@pytest.fixture
def limited(gateway: Any) -> Any:
    """Anna may send 3 segments a day and has sent 2."""
    with gateway.core.database.write() as session:
        administration.set_limit(session, "anna", "day", "segments", 3, now=gateway.now, actor="test")
    gateway.send(messagedata=SEND["text"])
    return gateway


def test_the_legacy_dialect_says_which_limit_is_reached(limited: Any, xml: Any) -> None:
    before = limited.traces()

    answer = xml(limited.send(messagedata=SEND["text"]))

    assert (answer.text("statuscode"), answer.text("statusmessage")) == ("305", WORDS)
    assert limited.traces() == before


def test_the_vendors_json_says_which_limit_is_reached(limited: Any) -> None:
    before = limited.traces()
    message = {"message_id": "a", "to_address": SEND["destination"], "text": SEND["text"]}

    (item,) = limited.json("sendmsg", {"messages": [message]}).get_json()["data"]["messages"]

    assert item["status"] == "LIMIT_REACHED"
    assert limited.traces() == before


def test_the_modern_api_says_which_limit_is_reached(limited: Any) -> None:
    headers = {"Authorization": f"Bearer {limited.key()}"}
    before = limited.traces()

    response = limited.client.post("/api/v1/messages", json=SEND, headers=headers)
    rehearsed = limited.client.post("/api/v1/messages?dry_run=1", json=SEND, headers=headers).get_json()
    shorter = limited.client.post("/api/v1/messages?dry_run=1", json=SEND | {"text": "x"}, headers=headers).get_json()

    body = response.get_json()
    assert (response.status_code, body["code"], body["number"], body["detail"]) == (402, "limit_reached", 305, WORDS)
    assert (rehearsed["affordable"], shorter["affordable"]) == (False, True)
    assert limited.traces() == before


@pytest.fixture
def office(gateway: Any) -> Any:
    """An administrator with a key."""
    gateway.user("boss", role="administrator")
    gateway.bearer = {"Authorization": f"Bearer {gateway.key('boss', 'admin')}"}
    return gateway


@pytest.mark.parametrize(("action", "name"), [("addcredits", "add"), ("setcredits", "newbalance")])
def test_the_legacy_dialect_reads_amounts_strictly(office: Any, xml: Any, action: str, name: str) -> None:
    before = office.count(Transfer)

    codes = {
        text: xml(office.get(user="boss", action=action, useraccount="anna", **{name: text})).text("errorcode") for text in BAD_AMOUNTS
    }

    assert codes == dict.fromkeys(BAD_AMOUNTS, "112")
    assert (office.count(Transfer), office.money()) == (before, ("10", "0"))


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/accounts/anna/movements", "amount"),
        ("PUT", "/accounts/anna/limits/day/credits", "most"),
        ("PUT", "/accounts/anna/limits/day/segments", "most"),
        ("PATCH", "/accounts/anna", "limit"),
    ],
)
def test_the_modern_api_reads_amounts_strictly(office: Any, method: str, path: str, name: str) -> None:
    """Numbers with a point, booleans and lists are refused as well as texts: what a float has lost cannot be found again."""
    before = office.count(Transfer)
    given = [*BAD_AMOUNTS, True, False, None, [], [1], {}, 1.5, 1e300, 2**63, -(2**63)]

    answers = [
        office.client.open(
            f"/api/v1{path}",
            method=method,
            json={"kind": "top_up", "reason": "test", name: value} if method == "POST" else {name: value},
            headers=office.bearer | {"Idempotency-Key": f"key-{index}"},
        )
        for index, value in enumerate(given)
    ]

    assert {str(given[index]): answer.status_code for index, answer in enumerate(answers) if answer.status_code not in {400, 422}} == {}
    assert (office.count(Transfer), office.money()) == (before, ("10", "0"))

"""`getcredits`, `setcredits`, `addcredits` and `receivemessage`: what is read, what is changed, and by whom."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.models import AuditEntry, Message, Transfer


@pytest.fixture
def office(gateway: Any) -> Any:
    """The gateway with an administrator who may use the dialect, and another customer."""
    gateway.user("boss", role="administrator", credit="0")
    gateway.user("ben", credit="3.5")
    return gateway


def test_the_balance_is_what_is_left_beside_reservations(both: Any, xml: Any) -> None:
    both.send(messagedata="x" * 200)

    answer = xml(both.get(action="getcredits"))

    assert both.money() == ("10", "2")
    assert (answer.text("action"), answer.text("username"), answer.text("balance")) == ("getcredits", "anna", "8")


@pytest.mark.parametrize(("credit", "shown"), [("3", "3"), ("3.50", "3.5"), ("0.000001", "0.000001"), ("0", "0")])
def test_a_balance_is_exact_and_without_needless_digits(gateway: Any, xml: Any, credit: str, shown: str) -> None:
    gateway.user("ben", credit=credit)

    assert xml(gateway.get(user="ben", action="getcredits")).text("balance") == shown


def test_the_administrator_reads_every_balance(office: Any, xml: Any) -> None:
    answer = xml(office.get(user="boss", action="getcredits", useraccount="ben"))

    assert (answer.text("username"), answer.text("balance")) == ("ben", "3.5")


@pytest.mark.parametrize("name", ["ben", "nobody"])
def test_a_customer_reads_only_his_own_balance(office: Any, xml: Any, name: str) -> None:
    """Whether there is such a user is not told either."""
    answer = xml(office.get(action="getcredits", useraccount=name))

    assert answer.text("errorcode") == "102"
    assert answer.all("balance") == []


def test_the_administrator_sets_a_balance(office: Any, xml: Any) -> None:
    answer = xml(office.get(user="boss", action="setcredits", useraccount="anna", newbalance="500"))

    assert (answer.text("action"), answer.text("username"), answer.text("balance")) == ("setcredits", "anna", "500")
    assert office.money() == ("500", "0")


def test_a_balance_is_set_beside_reservations(office: Any, xml: Any) -> None:
    office.send()

    office.get(user="boss", action="setcredits", useraccount="anna", newbalance="20")

    assert office.money() == ("21", "1")
    assert xml(office.get(action="getcredits")).text("balance") == "20"


@pytest.mark.parametrize("parameters", [{}, {"newbalance": ""}])
def test_setting_nothing_changes_nothing(office: Any, xml: Any, parameters: dict[str, str]) -> None:
    before = office.count(Transfer)

    answer = xml(office.get(user="boss", action="setcredits", useraccount="anna", **parameters))

    assert (answer.text("balance"), office.count(Transfer)) == ("10", before)


@pytest.mark.parametrize(("amount", "balance"), [("5", "15"), ("-2.5", "7.5"), ("+1", "11"), ("0", "10")])
def test_the_administrator_adds_credits(office: Any, xml: Any, amount: str, balance: str) -> None:
    answer = xml(office.get(user="boss", action="addcredits", useraccount="anna", add=amount))

    assert (answer.text("action"), answer.text("balance")) == ("addcredits", balance)
    assert office.money() == (balance, "0")


def test_without_a_name_the_administrators_own_account_is_meant(office: Any, xml: Any) -> None:
    answer = xml(office.get(user="boss", action="addcredits", add="7"))

    assert (answer.text("username"), answer.text("balance")) == ("boss", "7")


def test_a_change_of_credits_carries_its_actor(office: Any) -> None:
    office.get(user="boss", action="addcredits", useraccount="anna", add="7")

    with office.core.database.read() as session:
        transfer = session.scalars(select(Transfer).order_by(Transfer.id.desc())).first()
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (transfer.kind, transfer.actor, transfer.reason) == ("top_up", "boss", "HTTP API: addcredits")
    assert (entry.actor, entry.subject) == ("boss", "user anna")


@pytest.mark.parametrize(
    ("user", "parameters", "code"),
    [
        ("anna", {"action": "setcredits", "newbalance": "100"}, "102"),
        ("anna", {"action": "addcredits", "add": "100"}, "102"),
        ("anna", {"action": "addcredits", "add": "-1", "useraccount": "ben"}, "102"),
        ("boss", {"action": "addcredits", "useraccount": "anna"}, "111"),
        ("boss", {"action": "addcredits", "useraccount": "anna", "add": "many"}, "112"),
        ("boss", {"action": "addcredits", "useraccount": "anna", "add": "1e3"}, "112"),
        ("boss", {"action": "addcredits", "useraccount": "anna", "add": "1\x00"}, "112"),
        ("boss", {"action": "addcredits", "useraccount": "anna", "add": "0.0000001"}, "112"),
        ("boss", {"action": "setcredits", "useraccount": "anna", "newbalance": "9999999999"}, "112"),
        ("boss", {"action": "setcredits", "useraccount": "nobody", "newbalance": "1"}, "116"),
        ("nobody", {"action": "getcredits"}, "101"),
    ],
)
def test_what_may_not_be_changes_no_credit(office: Any, xml: Any, user: str, parameters: dict[str, str], code: str) -> None:
    before = office.count(Transfer)

    answer = xml(office.get(user=user, **parameters))

    assert answer.text("errorcode") == code
    assert (office.count(Transfer), office.money(), office.money("ben")) == (before, ("10", "0"), ("3.5", "0"))


@pytest.mark.parametrize(("action", "parameter"), [("setcredits", "newbalance"), ("addcredits", "add")])
@pytest.mark.parametrize(
    "amount",
    ["1e309", "NaN", "Infinity", "1,5", "\uff11\uff12", "1e-9", "0.0000001", str(2**63), str(-(2**70)), "True", "[1]", "0x10", "1 000"],
)
def test_what_is_no_exact_amount_changes_no_credit(office: Any, xml: Any, action: str, parameter: str, amount: str) -> None:
    before = office.count(Transfer)

    answer = xml(office.get(user="boss", action=action, useraccount="anna", **{parameter: amount}))

    assert answer.text("errorcode") == "112"
    assert (office.count(Transfer), office.money()) == (before, ("10", "0"))


def test_a_balance_may_be_set_below_nothing_and_exactly(office: Any, xml: Any) -> None:
    """-1 is an amount: what was oversold elsewhere is carried over as it is."""
    answer = xml(office.get(user="boss", action="setcredits", useraccount="anna", newbalance="-1"))

    assert answer.text("balance") == "-1"
    assert office.money() == ("-1", "0")


def test_message_server_6_calls_an_endless_account_minus_one(gateway: Any) -> None:
    gateway.edit(accounting_enabled=False)

    response = gateway.client.get("/ozeki?action=getCredits&ozmsUserInfo=anna:s3cret%26%2Bpass")

    assert response.text == (
        "<Response><Action>getCredits</Action><Data><Account><Username>anna</Username><Balance>-1</Balance></Account></Data></Response>\n"
    )


# receivemessage


def test_received_messages_are_answered_oldest_first_as_documented(both: Any, xml: Any) -> None:
    both.receive("first", sent_at=datetime(2026, 3, 1, 11, 30, tzinfo=UTC))
    both.now += timedelta(minutes=1)
    both.receive("second & <last>")

    response = both.get(action="receivemessage")

    assert (
        response.text.splitlines()[1] == '<!DOCTYPE response PUBLIC "-//OZEKI//DTD XML 1.0//EN" "http://www.ozekisms.com/DTD/response.xml">'
    )
    answer = xml(response)
    assert answer.all("messagedata") == ["first", "second & <last>"]
    assert answer.all("originator") == ["+36209999999"] * 2
    assert answer.all("recipient") == ["+36201111111"] * 2
    assert answer.all("messagetype") == ["SMS:TEXT"] * 2
    assert answer.all("senttime") == ["2026-03-01 11:30:00", "2026-03-01 12:01:00"]
    assert answer.all("receivedtime") == ["2026-03-01 12:00:00", "2026-03-01 12:01:00"]


def test_times_are_those_of_the_gateways_wall(gateway: Any, xml: Any) -> None:
    gateway.option("time_zone", "Asia/Kathmandu")
    gateway.receive("one")

    assert xml(gateway.get(action="receivemessage")).text("receivedtime") == "2026-03-01 17:45:00"


@pytest.mark.parametrize(
    ("after", "again"),
    [("delete", []), ("Delete", []), ("mark", []), ("markAsDownloaded", []), ("untouch", ["one", "two"]), ("", ["one", "two"])],
)
def test_what_becomes_of_a_message_after_its_download(both: Any, xml: Any, after: str, again: list[str]) -> None:
    both.receive("one", "two")

    first = xml(both.get(action="receivemessage", afterdownload=after))
    second = xml(both.get(action="receivemessage"))

    assert first.all("messagedata") == ["one", "two"]
    assert second.all("messagedata") == again


def test_deleted_messages_are_in_their_folder_and_nothing_is_lost(gateway: Any, xml: Any) -> None:
    gateway.receive("one")
    gateway.get(action="receivemessage", afterdownload="delete")

    assert xml(gateway.get(action="receivemessage", folder="deleted")).all("messagedata") == ["one"]


def test_the_limit_leaves_the_rest_for_the_next_call(gateway: Any, xml: Any) -> None:
    gateway.receive("one", "two", "three")

    calls = [xml(gateway.get(action="receivemessage", limit="2", afterdownload="delete")).all("messagedata") for _ in range(3)]

    assert calls == [["one", "two"], ["three"], []]


def test_a_user_sees_only_his_own_messages(office: Any, xml: Any) -> None:
    office.receive("for anna")

    assert xml(office.get(user="ben", action="receivemessage")).all("messagedata") == []


def test_sent_messages_can_be_fetched_from_their_folder(gateway: Any, xml: Any) -> None:
    gateway.send(messagedata="waiting")

    assert xml(gateway.get(action="receivemessage", folder="Outbox")).all("messagedata") == ["waiting"]


def test_characters_that_xml_lacks_do_not_break_the_answer(gateway: Any, xml: Any) -> None:
    gateway.receive("a\x0cb\rc\nd\x1be")

    assert xml(gateway.get(action="receivemessage")).text("messagedata") == "a\ufffdb\rc\nd\ufffde"


def test_binary_messages_are_answered_as_hex(gateway: Any, xml: Any) -> None:
    gateway.send(messagetype="SMS:BINARY", messagedata="00ff")

    answer = xml(gateway.get(action="receivemessage", folder="outbox"))

    assert (answer.text("messagetype"), answer.text("messagedata")) == ("SMS:BINARY", "00FF")


def test_received_messages_as_html(gateway: Any) -> None:
    gateway.receive("<b>one</b>")

    text = gateway.get(action="receivemessage", responseformat="html").text

    assert "Message data: &lt;b&gt;one&lt;/b&gt;<br>" in text


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"folder": "attic"}, "inbox"),
        ({"limit": "many"}, "whole number"),
        ({"limit": "0"}, "whole number"),
        ({"limit": "-1"}, "whole number"),
        ({"afterdownload": "burn"}, "delete, mark or untouch"),
    ],
)
def test_what_cannot_be_fetched_is_refused_and_touches_nothing(gateway: Any, xml: Any, parameters: dict[str, str], word: str) -> None:
    gateway.receive("one")

    answer = xml(gateway.get(**{"action": "receivemessage", "afterdownload": "delete", **parameters}))

    assert answer.text("errorcode") == "112"
    assert word in answer.text("errormessage")
    assert gateway.count(Message) == 1
    assert xml(gateway.get(action="receivemessage")).all("messagedata") == ["one"]

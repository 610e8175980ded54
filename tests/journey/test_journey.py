"""The main job, end to end: a legacy request becomes a charged, routed, delivered SMS, and a handset's answer comes back."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from callers import Browser
from processes import Customer, Gateway, Smsc, say, until

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(180)]

PASSWORD = "correct horse battery"
LONG = "This text is longer than one segment. " * 5 + "It ends here, with 200 c"
ACCENTED = "Árvíztűrő tükörfúrógép"
REPLY = "Yes, please. " * 24 + "[end]"


def test_a_legacy_request_becomes_a_delivered_message(gateway: Gateway, smsc: Callable[..., Smsc]) -> None:
    gateway.start()
    peer = smsc("--behaviour", "0099=status:0x0B", "--behaviour", "0077=states:undeliverable")
    anna = _set_up(gateway, peer)
    browser = _become_administrator(gateway)

    ids = _submit(gateway, anna)
    until(lambda: gateway.states() == {"delivered": 4, "undeliverable": 1, "rejected": 1}, what="every message has its end")

    _check_octets(peer)
    _check_money(gateway, anna)
    _check_timelines(gateway, ids)
    _check_page(gateway, browser, ids["long"])
    _answer_from_a_handset(gateway, peer, anna)
    assert gateway.cli("ledger", "verify")["correct"] is True
    _plant_a_fault(gateway, browser)
    assert gateway.stop() == 0
    say("journey", messages=len(ids), submit_sm=len(peer.submissions()), receipts=peer.stats()["receipts_stored"])


def _set_up(gateway: Gateway, peer: Smsc) -> Customer:
    """Make by the command line what an operator makes first."""
    anna = gateway.add_customer("anna", "20", default_source="Pennywire")
    gateway.add_connection("smsc", peer)
    home = ("--when", "destination_prefix=+3620", "--to", "smsc", "--cost", "2", "--undeliverable", "refund")
    gateway.cli("route", "add", "outbound", "home", *home)
    gateway.cli("route", "add", "inbound", "answers", "--to", "anna", "--cost", "0.5")
    until(lambda: gateway.connection().state == "up", what="the connection is bound")
    return anna


def _become_administrator(gateway: Gateway) -> Browser:
    """Use the one-time link, sign out, and sign in again with what was chosen."""
    browser = Browser(gateway.address)
    link = gateway.announcement["setup_link"].removeprefix(gateway.address)
    assert "You are the administrator" in browser.send(link, username="root", password=PASSWORD, repeated=PASSWORD).words
    assert Browser(gateway.address).open(link).status == 404, "The link works once."

    browser.send("/", to="/sign-out")
    assert browser.open("/messages/sent").status == 200
    assert browser.place == "/sign-in"
    assert browser.send("/sign-in", username="root", password="wrong horse battery").status == 401
    browser.send("/sign-in", username="root", password=PASSWORD)
    assert browser.place == "/messages/sent", "The sign-in leads to where the person wanted to go."
    return browser


def _submit(gateway: Gateway, anna: Customer) -> dict[str, str]:
    """Send by legacy GET, and return the ids of what was accepted."""
    wanted = {
        "plain": ("+36201000001", "Hello from a legacy system"),
        "long": ("+36201000002", LONG),
        "accented": ("+36201000003", ACCENTED),
        "rejected": ("+36201000099", "Nobody has this number"),
        "undeliverable": ("+36201000077", "This handset is off for good"),
        "halves": ("+36201000005,+15551234567", "Half of this has no route"),
    }
    reports = {name: _send(gateway, anna, recipient, text) for name, (recipient, text) in wanted.items()}
    carried, refused = reports["halves"]
    assert (carried["statuscode"], refused["statuscode"], refused["messageid"]) == ("0", "301", "")
    assert refused["recipient"] == "+15551234567"
    assert [report["statuscode"] for name, found in reports.items() if name != "halves" for report in found] == ["0"] * 5
    return {name: found[0]["messageid"] for name, found in reports.items()}


def _send(gateway: Gateway, anna: Customer, recipient: str, text: str) -> list[dict[str, str]]:
    query = anna.query("sendmessage", recipient=recipient, messagetype="SMS:TEXT", messagedata=text)
    return gateway.get("/api", query=query).records("acceptreport")


def _check_octets(peer: Smsc) -> None:
    """Look at every field of every submit_sm."""
    common = {
        "service_type": "",
        "source_addr_ton": 5,
        "source_addr_npi": 0,
        "source_addr": "Pennywire",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "protocol_id": 0,
        "priority_flag": 0,
        "schedule_delivery_time": "",
        "registered_delivery": 1,
        "replace_if_present_flag": 0,
        "sm_default_msg_id": 0,
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for line in peer.submissions():
        fields = line["fields"]
        assert re.fullmatch(r"0000(02000000|01235959)000R", fields.pop("validity_period")), "Two days at most, in relative form."
        assert fields.items() >= common.items()
        own = {name: value for name, value in fields.items() if name not in common}
        found.setdefault(own.pop("destination_addr"), []).append(own)

    def plain(octets: bytes) -> dict[str, Any]:
        return {"esm_class": 0, "data_coding": 0, "short_message": octets.hex()}

    reference = bytes.fromhex(found["36201000002"][0]["short_message"])[3]
    texts = (LONG[:153].encode(), LONG[153:].encode())
    segments = [bytes((5, 0, 3, reference, 2, index)) + text for index, text in enumerate(texts, start=1)]
    assert found == {
        "36201000001": [plain(b"Hello from a legacy system")],
        "36201000002": [{"esm_class": 0x40, "data_coding": 0, "short_message": octets.hex()} for octets in segments],
        "36201000003": [{"esm_class": 0, "data_coding": 8, "short_message": ACCENTED.encode("utf-16-be").hex()}],
        "36201000099": [plain(b"Nobody has this number")],
        "36201000077": [plain(b"This handset is off for good")],
        "36201000005": [plain(b"Half of this has no route")],
    }


def _check_money(gateway: Gateway, anna: Customer) -> None:
    """Five segments arrived at 2 credits; what was refused or undeliverable came back; what is too dear is refused whole."""
    (account,) = gateway.get("/api", query=anna.query("getcredits")).records("account")
    assert (account["username"], account["balance"]) == ("anna", "10")
    shown = gateway.get("/api/v1/account", headers=anna.bearer).json()
    assert (shown["balance"], shown["reserved"], shown["available"]) == ("10", "0", "10")
    before = gateway.count("SELECT COUNT(*) FROM messages")

    (dear,) = _send(gateway, anna, "+36201000008", "x" * 153 * 6)

    assert dear["statuscode"] == "303"
    assert (gateway.count("SELECT COUNT(*) FROM messages"), gateway.available("anna")) == (before, "10")


def _check_timelines(gateway: Gateway, ids: dict[str, str]) -> None:
    """Read the life of messages as the command line tells it."""
    steps = {
        "plain": (["queued", "sending", "sent", "delivered"], [("charge", "2", "0"), ("settle", "2", "0")]),
        "long": (["queued", "sending", "sent", "delivered"], [("charge", "4", "0"), ("settle", "4", "0")]),
        "rejected": (["queued", "sending", "rejected"], [("charge", "2", "0"), ("release", "2", "0")]),
        "undeliverable": (
            ["queued", "sending", "sent", "undeliverable"],
            [("charge", "2", "0"), ("settle", "2", "0"), ("refund", "2", "0")],
        ),
    }
    for name, (states, transfers) in steps.items():
        shown = gateway.cli("message", "show", ids[name])
        assert _without_repeats([event["event"] for event in shown["events"]]) == states, name
        assert [event["version"] for event in shown["events"]] == list(range(1, len(shown["events"]) + 1))
        assert [(row["kind"], row["amount"], row["released"]) for row in shown["transfers"]] == transfers, name
        assert (shown["state"], shown["entrance"], shown["username"]) == (states[-1], "legacy", "anna")
        assert len(shown["segments"]) == shown["segment_count"] == (2 if name == "long" else 1)
    assert gateway.cli("message", "show", ids["rejected"])["error_code"] == "0x0000000B"


def _without_repeats(words: list[str]) -> list[str]:
    return [word for index, word in enumerate(words) if index == 0 or words[index - 1] != word]


def _check_page(gateway: Gateway, browser: Browser, message_id: str) -> None:
    """See on the message's page what there is to see; nobody sees it without a session, nothing changes without its token."""
    shown = browser.open(f"/message/{message_id}").words
    network_ids = [row["network_id"] for row in gateway.cli("message", "show", message_id)["segments"]]
    assert all(network_id in shown for network_id in network_ids)
    assert re.search(r"Matched home: .*\+3620.* Connection smsc", shown), shown
    assert re.search(r"Steps queued .* sending .* sent .* delivered", shown)
    assert re.search(r"Ledger .*Charge 4 .*Settlement 4 ", shown)
    assert LONG.strip() in shown

    stranger = Browser(gateway.address)
    stranger.open(f"/message/{message_id}")
    assert stranger.place == "/sign-in"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    without_token = gateway.post("/users/anna/credits/top-up", body=b"amount=100&reason=forged", headers=form | {"Cookie": browser.cookie})
    assert without_token.status == 400
    assert "This form is too old" in without_token.words


def _answer_from_a_handset(gateway: Gateway, peer: Smsc, anna: Customer) -> None:
    """A short and a long message come in, are charged by the route's Cost, and are fetched once."""
    peer.mo("Thank you €", source="+36201000001", destination="12345")
    peer.mo(REPLY, source="+36201000002", destination="12345")
    until(lambda: gateway.count("SELECT COUNT(*) FROM messages WHERE direction = 'inbound'") == 2, what="both came in")

    query = anna.query("receivemessage", folder="inbox", limit="10", afterdownload="delete")
    fetched = gateway.get("/api", query=query).records("message")
    again = gateway.get("/api", query=query).records("message")

    said = {record["messagedata"]: (record["originator"], record["recipient"]) for record in fetched}
    assert said == {"Thank you €": ("+36201000001", "12345"), REPLY: ("+36201000002", "12345")}
    assert again == []
    assert gateway.available("anna") == "8", "Four segments at half a credit."
    until(lambda: peer.stats()["mo_stored"] == 4, what="the SMSC knows that they are stored")


def _plant_a_fault(gateway: Gateway, browser: Browser) -> None:
    """Change one figure behind the gateway's back: command line and page find it."""
    gateway.change("UPDATE accounts SET balance_uc = balance_uc + 1 WHERE name = 'user:1'")

    found = gateway.cli("ledger", "verify", status=1)
    page = browser.open("/system/ledger-check?run=1").words

    assert found["correct"] is False
    assert {item["subject"] for item in found["findings"] if item["kind"] == "balance"} == {"account user:1"}
    assert "Something does not match" in page
    assert "account user:1" in page

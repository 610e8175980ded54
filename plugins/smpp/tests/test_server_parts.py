"""The server's pure pieces: settings, refusals, what a PDU submits, and what a delivery becomes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pennywire_smpp.bodies import ShortMessage
from pennywire_smpp.pdu import Command, Pdu
from pennywire_smpp.server.reading import Refused, read_submission
from pennywire_smpp.server.refusals import status_of
from pennywire_smpp.server.settings import ACCOUNT, LISTENER, read_account, read_listener
from pennywire_smpp.server.telling import letters

from pennywire import Alphabet, Delivery, Direction, InvalidSetting, MessageView, read_settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def account(**values: Any) -> Any:
    return read_account(read_settings(ACCOUNT, {"password": "secret12"} | values))


def message(**values: Any) -> MessageView:
    given: dict[str, Any] = {
        "message_id": "0SARQAC083G4W",
        "direction": Direction.OUTBOUND,
        "username": "anna",
        "state": "delivered",
        "version": 3,
        "source": "SHOP",
        "destination": "+36201234567",
        "text": "hello",
        "data": None,
        "alphabet": Alphabet.GSM7,
        "segment_count": 1,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return MessageView(**given | values)


def delivery(kind: str, parameters: dict[str, Any], **values: Any) -> Delivery:
    return Delivery(1, kind, NOW, message(**values), parameters)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("192.0.2.7", True), ("::ffff:192.0.2.7", True), ("198.51.100.1", False), ("2001:db8::1", True), ("nonsense", False)],
)
def test_addresses_are_compared_with_networks(address: str, *, allowed: bool) -> None:
    assert account(allowed_addresses="192.0.2.0/24\n2001:db8::/32").allows(address) is allowed


def test_a_network_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(InvalidSetting, match="neither an address nor a network"):
        account(allowed_addresses="home")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"server_port": 0}, "server_port"),
        ({"server_tls_port": 2776}, "server_tls_port"),
        ({"server_tls_port": 2777}, "server_tls_certificate"),
    ],
)
def test_a_listener_that_cannot_be_is_refused(given: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        read_listener(read_settings(LISTENER, given))

    assert refused.value.name == name


def test_a_longer_password_than_smpp_can_carry_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="at most 8"):
        account(password="ninechars")


def test_an_unknown_refusal_is_a_failed_submission() -> None:
    assert (status_of("no_credit"), status_of("something new")) == (0x66, 0x45)


def test_a_header_keeps_its_ports_and_loses_its_place_in_a_series() -> None:
    header = bytes.fromhex("0b" + "0003070201" + "0504158a0000")
    pdu = Pdu(Command.SUBMIT_SM, 1, ShortMessage(destination_addr="36201234567", esm_class=0x40, short_message=header + b"x"))

    submitted = read_submission(pdu, alphabet="gsm", now=NOW)

    assert (submitted.header.hex(), submitted.place and submitted.place.total) == ("060504158a0000", 2)


def test_a_header_without_user_data_is_refused() -> None:
    pdu = Pdu(Command.SUBMIT_SM, 1, ShortMessage(destination_addr="36201234567", esm_class=0x40))

    with pytest.raises(Refused) as refused:
        read_submission(pdu, alphabet="gsm", now=NOW)

    assert refused.value.command_status == 0x01


@pytest.mark.parametrize(
    ("kind", "parameters", "ids"),
    [
        ("delivered", {}, []),
        ("delivered", {"receipt": 1}, ["0SARQAC083G4W"]),
        ("delivered", {"receipt": 2}, []),
        ("undeliverable", {"receipt": 2}, ["0SARQAC083G4W"]),
        ("delivered", {"receipts": {"a-1": 1, "a-2": 1}}, ["a-1", "a-2"]),
    ],
)
def test_a_receipt_is_made_for_each_id_that_asked(kind: str, parameters: dict[str, Any], ids: list[str]) -> None:
    made = letters(delivery(kind, parameters), alphabet="gsm")

    assert [letter.body.short_message.split()[0].decode() for letter in made] == [f"id:{name}" for name in ids]


def test_an_incoming_text_goes_in_an_alphabet_that_the_customer_reads() -> None:
    latin1 = letters(delivery("received", {}, text="Grüße"), alphabet="latin1")
    cyrillic = letters(delivery("received", {}, text="Привет"), alphabet="latin1")

    assert [(letter.body.data_coding, letter.body.short_message) for letter in latin1] == [(3, "Grüße".encode("latin-1"))]
    assert [letter.body.data_coding for letter in cyrillic] == [8]

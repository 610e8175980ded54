"""From a submission to the octets of submit_sm."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pennywire_smpp.bodies import ShortMessage
from pennywire_smpp.outbound import Unsendable, make_submit_sm
from pennywire_smpp.pdu import Command, decode, encode
from pennywire_smpp.settings import SmppSettings
from pennywire_smpp.tlvs import Tag

from pennywire import Alphabet, Submission
from pennywire.sms import gsm0338
from pennywire.testing import make_submissions

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Settings = Callable[..., SmppSettings]


def one(text: str = "Hello", **changes: Any) -> Submission:
    return replace(make_submissions(text)[0], **changes)


def body_of(submission: Submission, settings: SmppSettings) -> ShortMessage:
    return make_submit_sm(submission, settings, now=NOW).body


@pytest.mark.parametrize(
    ("source", "ton", "npi", "wire"),
    [
        ("Pennywire", 5, 0, "Pennywire"),
        ("+36201234567", 1, 1, "36201234567"),
        ("12345", 3, 0, "12345"),
        ("06201234567", 2, 1, "06201234567"),
        ("", 0, 0, ""),
    ],
)
def test_s14_source_numbering_follows_the_kind(settings: Settings, source: str, ton: int, npi: int, wire: str) -> None:
    body = body_of(one(source=source), settings())

    assert (body.source_addr_ton, body.source_addr_npi, body.source_addr) == (ton, npi, wire)


@pytest.mark.parametrize(
    ("destination", "ton", "npi", "wire"),
    [("+36201234567", 1, 1, "36201234567"), ("12345", 3, 0, "12345"), ("36201234567", 2, 1, "36201234567")],
)
def test_s14_destination_numbering_follows_the_kind(settings: Settings, destination: str, ton: int, npi: int, wire: str) -> None:
    body = body_of(one(destination=destination), settings())

    assert (body.dest_addr_ton, body.dest_addr_npi, body.destination_addr) == (ton, npi, wire)


def test_s14_the_operators_rules_win(settings: Settings) -> None:
    given = settings(source_alphanumeric="0/1", destination_international="0/0")

    body = body_of(one(), given)

    assert (body.source_addr_ton, body.source_addr_npi, body.dest_addr_ton, body.dest_addr_npi) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("alphabet", "text", "data_coding", "octets"),
    [
        ("gsm", "@€ é", 0, b"\x00\x1be \x05"),
        ("gsm_packed", "hellohello", 0, bytes.fromhex("e8329bfd4697d9ec37")),
        ("latin1", "@ é", 0, b"@ \xe9"),
        ("latin1", "@ €", 8, "@ €".encode("utf-16-be")),
        ("ascii", "@ [", 0, b"@ ["),
        ("ascii", "é", 8, b"\x00\xe9"),
        ("gsm", "日本", 8, "日本".encode("utf-16-be")),
        ("latin1", "日本", 8, "日本".encode("utf-16-be")),
    ],
)
def test_t10_t11_data_coding_0_means_what_the_operator_decided(
    settings: Settings, alphabet: str, text: str, data_coding: int, octets: bytes
) -> None:
    body = body_of(one(text), settings(alphabet=alphabet))

    assert (body.data_coding, body.short_message) == (data_coding, octets)


def test_t10_a_long_text_beyond_the_alphabet_is_refused_and_not_spoilt(settings: Settings) -> None:
    with pytest.raises(Unsendable) as caught:
        make_submit_sm(one("€" + "x" * 100), settings(alphabet="latin1"), now=NOW)

    assert not caught.value.permanent
    assert "U+20AC" in caught.value.reason


def test_packed_text_behind_a_header_starts_on_a_septet(settings: Settings) -> None:
    submission = make_submissions("y" * 200)[1]

    body = body_of(submission, settings(alphabet="gsm_packed"))

    header, packed = body.short_message[:6], body.short_message[6:]
    assert header == submission.udh
    assert gsm0338.unpack(packed, 47, fill_bits=1) == b"y" * 47
    assert body.esm_class == 0x40


def test_t9_a_text_of_at_signs_survives_the_wire(settings: Settings) -> None:
    outgoing = make_submit_sm(one("@" * 160), settings(), now=NOW)

    body = decode(encode(Command.SUBMIT_SM, 1, outgoing.body)).body

    assert isinstance(body, ShortMessage)
    assert body.short_message == b"\0" * 160


@pytest.mark.parametrize(
    ("alphabet", "message_class", "data_coding"),
    [(Alphabet.GSM7, 0, 0x10), (Alphabet.UCS2, 0, 0x18), (Alphabet.BINARY, 1, 0x15), (Alphabet.LATIN1, 0, 3), (Alphabet.BINARY, None, 4)],
)
def test_t12_a_message_class_is_in_data_coding(settings: Settings, alphabet: Alphabet, message_class: int | None, data_coding: int) -> None:
    body = body_of(one(alphabet=alphabet, user_data=b"ab", message_class=message_class), settings())

    assert (body.data_coding, body.short_message) == (data_coding, b"ab")


def test_s12_sar_takes_the_place_of_the_header(settings: Settings) -> None:
    second = make_submissions("x" * 200, reference=300 % 256)[1]

    outgoing = make_submit_sm(second, settings(long_messages="sar"), now=NOW)

    assert outgoing.tlvs == ((Tag.SAR_MSG_REF_NUM, b"\x00\x2c"), (Tag.SAR_TOTAL_SEGMENTS, b"\x02"), (Tag.SAR_SEGMENT_SEQNUM, b"\x02"))
    assert (outgoing.body.esm_class, outgoing.body.short_message) == (0, b"x" * 47)


def test_s12_sar_keeps_ports_in_the_header(settings: Settings) -> None:
    ports = bytes.fromhex("0b000307020105040b8423f0")
    submission = replace(make_submissions("x" * 200)[0], udh=ports)

    outgoing = make_submit_sm(submission, settings(long_messages="sar"), now=NOW)

    assert outgoing.body.esm_class == 0x40
    assert outgoing.body.short_message.startswith(bytes.fromhex("0605040b8423f0"))


@pytest.mark.parametrize(("length", "in_payload"), [(160, False), (161, True), (1000, True)])
def test_s11_a_whole_message_goes_into_message_payload_when_it_is_long(settings: Settings, length: int, in_payload: bool) -> None:
    (submission,) = make_submissions("x" * length, whole=True)

    outgoing = make_submit_sm(submission, settings(long_messages="message_payload"), now=NOW)

    assert bool(outgoing.tlvs) is in_payload
    assert len(outgoing.body.short_message) == (0 if in_payload else length)
    if in_payload:
        assert outgoing.tlvs == ((Tag.MESSAGE_PAYLOAD, b"x" * length),)


@pytest.mark.parametrize(
    ("left", "validity_period"), [(timedelta(hours=48), "000002000000000R"), (timedelta(seconds=90), "000000000130000R"), (None, "")]
)
def test_v2_expiry_becomes_a_relative_validity(settings: Settings, left: timedelta | None, validity_period: str) -> None:
    body = body_of(one(expires_at=None if left is None else NOW + left), settings())

    assert body.validity_period == validity_period


def test_v5_what_is_over_is_not_sent(settings: Settings) -> None:
    with pytest.raises(Unsendable) as caught:
        make_submit_sm(one(expires_at=NOW), settings(), now=NOW)

    assert caught.value.code == "expired"


@pytest.mark.parametrize(("requested", "setting", "wire"), [(True, 1, 1), (True, 17, 17), (False, 17, 0)])
def test_registered_delivery_follows_the_wish(settings: Settings, requested: bool, setting: int, wire: int) -> None:
    body = body_of(one(report_requested=requested), settings(registered_delivery=setting))

    assert body.registered_delivery == wire


def test_a_messages_own_parameters_win_and_the_header_keeps_its_bit(settings: Settings) -> None:
    submission = replace(
        make_submissions("x" * 200)[0], parameters={"esm_class": "3", "protocol_id": 65, "data_coding": "0", "unknown": "kept out"}
    )

    body = body_of(submission, settings())

    assert (body.esm_class, body.protocol_id, body.data_coding) == (0x43, 65, 0)


@pytest.mark.parametrize("value", ["", "256", "-1", "0x10", "1e1", "٣", None, "1" * 500])
def test_a_parameter_that_is_no_octet_is_refused(settings: Settings, value: object) -> None:
    with pytest.raises(Unsendable) as caught:
        make_submit_sm(one(parameters={"esm_class": value}), settings(), now=NOW)

    assert (caught.value.code, caught.value.permanent) == ("parameter", True)

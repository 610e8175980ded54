"""The codec against hand-made octets, both ways, and against every way in which a frame can lie."""

from struct import pack

import pytest
from pennywire_smpp.bodies import (
    AlertNotification,
    Bind,
    BindResp,
    Body,
    CancelSm,
    DataMessage,
    Empty,
    MessageResp,
    Outbind,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ShortMessage,
    SubmitMulti,
    SubmitMultiResp,
)
from pennywire_smpp.fields import Destination, FieldError, Unsuccessful
from pennywire_smpp.pdu import BODIES, Command, MalformedBody, Tlv, UnknownCommand, command_name, decode, encode
from pennywire_smpp.tlvs import Tag


def frame(command_id: int, body: bytes, *, status: int = 0, sequence_number: int = 1) -> bytes:
    """Return a frame made without the codec."""
    return pack(">LLLL", 16 + len(body), command_id, status, sequence_number) + body


SUBMIT = ShortMessage(
    "CMT", 5, 0, "Pennywire", 1, 1, "36301234567", 0x40, 0x41, 1, "261124090000004+", "000001000000000R", 1, 0, 8, 7, b"\x00\x41\x00\x00"
)
SUBMIT_OCTETS = (
    b"CMT\0\x05\x00Pennywire\0\x01\x0136301234567\0\x40\x41\x01261124090000004+\x00000001000000000R\0\x01\x00\x08\x07\x04\x00\x41\x00\x00"
)
QUERY = QuerySm("0118Z-0122I-2309U-57DGB", 1, 1, "12345")
CANCEL = CancelSm("", "id", 0, 0, "a", 1, 1, "b")
REPLACE = ReplaceSm("id", 1, 1, "12345", "", "", 1, 0, b"new")
MULTI = SubmitMulti(
    source_addr="1", destinations=(Destination(1, "361", 1, 1), Destination(2, "friends")), data_coding=0, short_message=b"hi"
)
MULTI_OCTETS = b"\0\0\x001\0\x02\x01\x01\x01361\0\x02friends\0\0\0\0\0\0\0\0\0\0\x02hi"

CASES: list[tuple[Command, Body, bytes]] = [
    (
        Command.BIND_TRANSCEIVER,
        Bind("smppclient1", "secret08", "VMS", 0x34, 1, 1, "^36"),
        b"smppclient1\0secret08\0VMS\0\x34\x01\x01^36\0",
    ),
    (Command.BIND_TRANSMITTER, Bind("a"), b"a\0\0\0\x34\0\0\0"),
    (Command.BIND_RECEIVER, Bind("a", interface_version=0x33), b"a\0\0\0\x33\0\0\0"),
    (Command.BIND_TRANSCEIVER_RESP, BindResp("SMSC"), b"SMSC\0"),
    (Command.BIND_TRANSMITTER_RESP, BindResp("SMSC"), b"SMSC\0"),
    (Command.BIND_RECEIVER_RESP, BindResp("SMSC"), b"SMSC\0"),
    (Command.OUTBIND, Outbind("SMSC", "pw"), b"SMSC\0pw\0"),
    (Command.SUBMIT_SM, SUBMIT, SUBMIT_OCTETS),
    (Command.DELIVER_SM, SUBMIT, SUBMIT_OCTETS),
    (Command.SUBMIT_SM_RESP, MessageResp("5f878c79"), b"5f878c79\0"),
    (Command.DELIVER_SM_RESP, MessageResp(), b"\0"),
    (Command.DATA_SM, DataMessage("", 1, 1, "3630", 0, 0, "999", 4, 1, 3), b"\0\x01\x013630\0\0\x00999\0\x04\x01\x03"),
    (Command.DATA_SM_RESP, MessageResp("x"), b"x\0"),
    (Command.QUERY_SM, QUERY, b"0118Z-0122I-2309U-57DGB\0\x01\x0112345\0"),
    (Command.QUERY_SM_RESP, QuerySmResp("id", "", 2, 0), b"id\0\0\x02\0"),
    (Command.CANCEL_SM, CANCEL, b"\0id\0\0\0a\0\x01\x01b\0"),
    (Command.CANCEL_SM_RESP, Empty(), b""),
    (Command.REPLACE_SM, REPLACE, b"id\0\x01\x0112345\0\0\0\x01\0\x03new"),
    (Command.REPLACE_SM_RESP, Empty(), b""),
    (Command.SUBMIT_MULTI, MULTI, MULTI_OCTETS),
    (Command.SUBMIT_MULTI_RESP, SubmitMultiResp("m", (Unsuccessful(1, 1, "361", 0x0B),)), b"m\0\x01\x01\x01361\0\0\0\0\x0b"),
    (Command.ALERT_NOTIFICATION, AlertNotification(1, 1, "361", 0, 0, "999"), b"\x01\x01361\0\0\x00999\0"),
    (Command.UNBIND, Empty(), b""),
    (Command.UNBIND_RESP, Empty(), b""),
    (Command.ENQUIRE_LINK, Empty(), b""),
    (Command.ENQUIRE_LINK_RESP, Empty(), b""),
    (Command.GENERIC_NACK, Empty(), b""),
]
NAMES = [command_name(command) for command, _, _ in CASES]
TLVS: tuple[Tlv, ...] = (
    (Tag.RECEIPTED_MESSAGE_ID, b"5f878c79\0"),
    (0x1403, b"\xff\x00vendor"),
    (Tag.MESSAGE_STATE, b"\x02"),
    (0x1403, b""),
)
TLV_OCTETS = b"\x00\x1e\x00\x095f878c79\0\x14\x03\x00\x08\xff\x00vendor\x04\x27\x00\x01\x02\x14\x03\x00\x00"


def test_the_cases_name_every_command() -> None:
    assert {command for command, _, _ in CASES} == set(Command) == set(BODIES)


@pytest.mark.parametrize(("command", "body", "octets"), CASES, ids=NAMES)
def test_encoding_gives_the_octets_of_the_specification(command: Command, body: Body, octets: bytes) -> None:
    assert encode(command, 1, body) == frame(command, octets)


@pytest.mark.parametrize(("command", "body", "octets"), CASES, ids=NAMES)
def test_decoding_gives_the_fields_back(command: Command, body: Body, octets: bytes) -> None:
    pdu = decode(frame(command, octets, sequence_number=0x7FFFFFFF))

    assert (pdu.command_id, pdu.sequence_number, pdu.command_status) == (command, 0x7FFFFFFF, 0)
    assert type(pdu.body) is type(body)
    assert pdu.body == body
    assert (pdu.tlvs, pdu.trailing) == ((), b"")


@pytest.mark.parametrize(("command", "body", "octets"), CASES, ids=NAMES)
def test_unknown_and_repeated_optional_parameters_are_kept_octet_for_octet(command: Command, body: Body, octets: bytes) -> None:
    pdu = decode(frame(command, octets + TLV_OCTETS))

    assert (pdu.body, pdu.tlvs, pdu.trailing) == (body, TLVS, b"")
    assert encode(command, 1, pdu.body, tlvs=pdu.tlvs) == frame(command, octets + TLV_OCTETS)


def test_tlv_returns_the_first_of_its_tag() -> None:
    pdu = decode(frame(Command.DELIVER_SM, SUBMIT_OCTETS + TLV_OCTETS))

    assert pdu.tlv(0x1403) == b"\xff\x00vendor"
    assert pdu.tlv(Tag.MESSAGE_PAYLOAD) is None


REQUESTS = [case for case in CASES if not case[0] & 0x80000000 and case[2]]


@pytest.mark.parametrize(("command", "body", "octets"), REQUESTS, ids=[command_name(case[0]) for case in REQUESTS])
def test_s10_a_request_cut_at_any_octet_is_malformed(command: Command, body: Body, octets: bytes) -> None:
    """Nothing behind the frame is read, and nothing cut passes for whole."""
    assert decode(frame(command, octets)).body == body
    for size in range(len(octets)):
        with pytest.raises(MalformedBody) as caught:
            decode(frame(command, octets[:size]))
        assert caught.value.header.command_id == command


@pytest.mark.parametrize("tail", [b"\x04", b"\x04\x27\x00", b"\x04\x27\x00\x02\x02", b"\x04\x27\xff\xff\x02"])
def test_s10_octets_behind_a_request_that_are_no_optional_parameter_are_malformed(tail: bytes) -> None:
    """sm_length may have lied about the text, so it is not taken for whole."""
    with pytest.raises(MalformedBody) as caught:
        decode(frame(Command.DELIVER_SM, SUBMIT_OCTETS + tail))

    assert caught.value.in_tlvs


@pytest.mark.parametrize("claimed", [5, 254, 255])
def test_s10_sm_length_beyond_the_frame_is_malformed(claimed: int) -> None:
    lying = SUBMIT_OCTETS[:-5] + bytes((claimed,)) + SUBMIT_OCTETS[-4:]

    with pytest.raises(MalformedBody):
        decode(frame(Command.SUBMIT_SM, lying))


@pytest.mark.parametrize(
    ("octets", "body", "tlvs", "trailing"),
    [
        (b"", MessageResp(), (), b""),
        (b"unterminated", MessageResp("unterminated"), (), b""),
        (b"id\0\0", MessageResp("id"), (), b"\0"),
        (b"id\0\x04\x27\x00\x09\x02", MessageResp("id"), (), b"\x04\x27\x00\x09\x02"),
        (b"id\0\x04\x27\x00\x01\x02\xff", MessageResp("id"), ((0x0427, b"\x02"),), b"\xff"),
        (b"x" * 65 + b"\0", MessageResp("x" * 65), (), b""),
        (b"\xe9\0", MessageResp("é"), (), b""),
    ],
)
def test_a_response_is_read_for_what_it_says(octets: bytes, body: Body, tlvs: tuple[Tlv, ...], trailing: bytes) -> None:
    """An accepted message must not be in doubt because of a missing NUL."""
    pdu = decode(frame(Command.SUBMIT_SM_RESP, octets))

    assert (pdu.body, pdu.tlvs, pdu.trailing) == (body, tlvs, trailing)


@pytest.mark.parametrize("command", [Command.BIND_TRANSCEIVER_RESP, Command.SUBMIT_SM_RESP, Command.SUBMIT_MULTI_RESP])
def test_an_error_response_needs_no_body(command: Command) -> None:
    pdu = decode(frame(command, b"", status=0x0E))

    assert (pdu.command_status, pdu.body) == (0x0E, BODIES[command]())


def test_a_cut_multi_response_keeps_what_was_read() -> None:
    pdu = decode(frame(Command.SUBMIT_MULTI_RESP, b"m\0\x02\x01\x01361\0"))

    assert pdu.body == SubmitMultiResp("m", ())


def test_vendor_status_reserved_ton_and_long_address_pass() -> None:
    octets = b"\0\x06\x63" + b"1" * 40 + b"\0\x07\x21999\0\xff\0\0\0\0\0\0\xee\0\0"

    pdu = decode(frame(Command.DELIVER_SM, octets, status=0x401))

    assert pdu.command_status == 0x401
    assert pdu.body == ShortMessage(
        source_addr_ton=6,
        source_addr_npi=0x63,
        source_addr="1" * 40,
        dest_addr_ton=7,
        dest_addr_npi=0x21,
        destination_addr="999",
        esm_class=0xFF,
        data_coding=0xEE,
    )


def test_junk_behind_a_pdu_without_body_is_ignored() -> None:
    assert decode(frame(Command.ENQUIRE_LINK, b"\x01\x02\x03")).trailing == b"\x01\x02\x03"


@pytest.mark.parametrize("command_id", [0x00000000, 0x0000000A, 0x00000200, 0x80000BAD, 0xFFFFFFFF])
def test_an_unknown_command_is_named(command_id: int) -> None:
    with pytest.raises(UnknownCommand) as caught:
        decode(frame(command_id, b"whatever", sequence_number=9))

    assert (caught.value.header.command_id, caught.value.header.sequence_number) == (command_id, 9)


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (Command.BIND_TRANSCEIVER, Bind("x" * 16)),
        (Command.BIND_TRANSCEIVER, Bind(password="x" * 9)),
        (Command.BIND_TRANSCEIVER, Bind(system_type="x" * 13)),
        (Command.SUBMIT_SM, ShortMessage(destination_addr="1" * 21)),
        (Command.SUBMIT_SM, ShortMessage(source_addr="a\0b")),
        (Command.SUBMIT_SM, ShortMessage(source_addr="日本")),
        (Command.SUBMIT_SM, ShortMessage(short_message=b"x" * 255)),
        (Command.SUBMIT_SM, ShortMessage(esm_class=256)),
        (Command.SUBMIT_SM, ShortMessage(data_coding=-1)),
        (Command.SUBMIT_SM_RESP, MessageResp("x" * 65)),
        (Command.SUBMIT_MULTI, SubmitMulti()),
        (Command.SUBMIT_MULTI, SubmitMulti(destinations=(Destination(1, "1"),) * 255)),
    ],
)
def test_s13_what_does_not_fit_its_field_is_not_sent(command: Command, body: Body) -> None:
    with pytest.raises(FieldError):
        encode(command, 1, body)


def test_an_optional_parameter_has_a_limit() -> None:
    with pytest.raises(FieldError):
        encode(Command.SUBMIT_SM, 1, SUBMIT, tlvs=[(Tag.MESSAGE_PAYLOAD, b"x" * 0x10000)])


def test_t9_nul_is_an_ordinary_octet_of_a_text() -> None:
    """`@` is 0x00 in the GSM alphabet."""
    pdu = decode(encode(Command.SUBMIT_SM, 1, ShortMessage(short_message=b"\0" * 160)))

    assert pdu.body == ShortMessage(short_message=b"\0" * 160)

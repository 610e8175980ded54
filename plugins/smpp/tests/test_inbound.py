"""From deliver_sm to a report or an incoming segment."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pennywire_smpp.bodies import DataMessage, ShortMessage
from pennywire_smpp.inbound import Unreadable, read_address, read_message
from pennywire_smpp.pdu import Command, Tlv, decode, encode
from pennywire_smpp.session import Request
from pennywire_smpp.settings import SmppSettings
from pennywire_smpp.tlvs import Tag

from pennywire import Alphabet, Concatenation, Incoming, Report, ReportState
from pennywire.sms import gsm0338, text

Settings = Callable[..., SmppSettings]
RECEIPT = "id:0005F878C7 sub:001 dlvrd:001 submit date:2611231000 done date:261123120130 stat:DELIVRD err:000 text:Hello"


def request(body: ShortMessage | DataMessage, tlvs: tuple[Tlv, ...] = ()) -> Request:
    frame = encode(Command.DELIVER_SM if isinstance(body, ShortMessage) else Command.DATA_SM, 1, body, tlvs=tlvs)
    return Request(decode(frame), frame)


def receipt(words: str = RECEIPT, *, esm_class: int = 4, tlvs: tuple[Tlv, ...] = ()) -> Request:
    body = ShortMessage(
        source_addr_ton=1, source_addr="36201234567", destination_addr="Penny", esm_class=esm_class, short_message=words.encode()
    )
    return request(body, tlvs)


def read_report(given: Request, settings: SmppSettings) -> Report:
    report = read_message(given, settings)
    assert isinstance(report, Report)
    return report


def read_incoming(given: Request, settings: SmppSettings) -> Incoming:
    incoming = read_message(given, settings)
    assert isinstance(incoming, Incoming)
    return incoming


def test_a_receipt_is_read_from_its_text(settings: Settings) -> None:
    report = read_report(receipt(), settings(receipt_id_form="as_is"))

    assert report == Report(
        network_ids=("5f878c7",),
        state=ReportState.DELIVERED,
        error_code="000",
        done_at=datetime(2026, 11, 23, 12, 1, 30, tzinfo=UTC),
        raw=RECEIPT,
        destination="+36201234567",
    )


@pytest.mark.parametrize("esm_class", [0x04, 0x08, 0x20, 0x24, 0x44 & 0x3C])
def test_d7_any_of_the_flags_makes_a_receipt(settings: Settings, esm_class: int) -> None:
    assert read_report(receipt(esm_class=esm_class), settings()).state is ReportState.DELIVERED


@pytest.mark.parametrize("esm_class", [0x00, 0x03, 0x10, 0x18])
def test_d7_text_alone_makes_none(settings: Settings, esm_class: int) -> None:
    assert text.decode(read_incoming(receipt(esm_class=esm_class), settings()).user_data, Alphabet.GSM7) == RECEIPT


def test_d7_an_acknowledgement_that_its_reader_typed_is_a_message(settings: Settings) -> None:
    assert read_incoming(receipt("Thanks, got it", esm_class=0x08), settings()).user_data == b"Thanks, got it"


def test_d3_d6_the_optional_parameters_win_and_both_are_kept(settings: Settings) -> None:
    tlvs = ((int(Tag.RECEIPTED_MESSAGE_ID), b"0118Z-0122I-2309U-57DGB\0"), (int(Tag.MESSAGE_STATE), b"\x05"), (0x1403, b"\xff"))

    report = read_report(receipt(tlvs=tlvs), settings())

    assert report.network_ids == ("0118Z-0122I-2309U-57DGB",)
    assert report.state is ReportState.UNDELIVERABLE
    assert report.raw.startswith(RECEIPT)
    assert "message_state=05" in report.raw
    assert "0x1403=ff" in report.raw


def test_s11_a_receipt_may_be_in_message_payload(settings: Settings) -> None:
    body = ShortMessage(esm_class=4, source_addr="1")

    report = read_report(request(body, ((int(Tag.MESSAGE_PAYLOAD), RECEIPT.encode()),)), settings())

    assert report.state is ReportState.DELIVERED
    assert report.raw == RECEIPT


def test_a_receipt_of_data_sm_has_parameters_alone(settings: Settings) -> None:
    tlvs = ((int(Tag.RECEIPTED_MESSAGE_ID), b"77\0"), (int(Tag.MESSAGE_STATE), b"\x03"), (int(Tag.NETWORK_ERROR_CODE), b"\x03\x01\x02"))

    report = read_report(request(DataMessage(esm_class=4, source_addr="1"), tlvs), settings(receipt_id_form="as_is"))

    assert (report.network_ids, report.state, report.error_code) == (("77",), ReportState.EXPIRED, "258")


def test_a_receipt_in_ucs2_is_read(settings: Settings) -> None:
    body = ShortMessage(esm_class=4, data_coding=8, short_message="id:77 stat:EXPIRED".encode("utf-16-be"))

    assert read_report(request(body), settings(receipt_id_form="as_is")).network_ids == ("77",)


@pytest.mark.parametrize("octets", [b"", b"\x63"])
def test_d5_a_state_that_nobody_knows_is_never_final(settings: Settings, octets: bytes) -> None:
    report = read_report(receipt("id:1 stat:PERHAPS", tlvs=((int(Tag.MESSAGE_STATE), octets),)), settings())

    assert report.state is ReportState.UNKNOWN


def test_a_receipt_without_an_id_is_kept_for_the_operator(settings: Settings) -> None:
    report = read_report(receipt("garbage"), settings())

    assert (report.network_ids, report.raw) == ((), "garbage")


@pytest.mark.parametrize(("zone", "hour", "minute"), [("UTC", 12, 1), ("+05:45", 6, 16), ("-0300", 15, 1), ("Europe/Budapest", 11, 1)])
def test_d13_dates_are_local_to_the_operator(settings: Settings, zone: str, hour: int, minute: int) -> None:
    report = read_report(receipt(), settings(receipt_time_zone=zone))

    assert report.done_at == datetime(2026, 11, 23, hour, minute, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "given", "forms"),
    [
        ("hex_to_decimal", "5F878C79", ("1602718841",)),
        ("decimal_to_hex", "1602718841", ("5f878c79",)),
        ("as_is", "0005F878C79", ("5f878c79",)),
        ("auto", "1602718841", ("1602718841", "5f878c79", "94530275393")),
    ],
)
def test_d1_the_id_form_is_a_setting(settings: Settings, mode: str, given: str, forms: tuple[str, ...]) -> None:
    assert read_report(receipt(f"id:{given} stat:DELIVRD"), settings(receipt_id_form=mode)).network_ids == forms


def test_an_incoming_text(settings: Settings) -> None:
    body = ShortMessage("CMT", 1, 1, "36301112233", 3, 0, "12345", protocol_id=5, short_message=b"\x00 hi")
    given = request(body, ((0x1403, b"\x01"),))

    incoming = read_incoming(given, settings())

    assert (incoming.source, incoming.destination) == ("+36301112233", "12345")
    assert (incoming.user_data, incoming.alphabet) == (b"\x00 hi", Alphabet.GSM7)
    assert incoming.raw == given.frame.hex()
    assert {"service_type": "CMT", "protocol_id": 5, "0x1403": "01"}.items() <= incoming.parameters.items()


@pytest.mark.parametrize(
    ("alphabet", "data_coding", "octets", "decoded"),
    [
        ("gsm", 0, b"\x00\x1be", "@€"),
        ("gsm_packed", 0, gsm0338.pack(b"\x00\x1be hello"), "@€ hello"),
        ("gsm_packed", 0, gsm0338.pack(b"1234567"), "1234567"),
        ("latin1", 0, b"\xe9@", "é@"),
        ("ascii", 0, b"[@]", "[@]"),
        ("gsm", 1, b"@[", "@["),
        ("gsm", 3, b"\xe9", "é"),
        ("gsm", 8, b"\x20\xac", "€"),
        ("gsm", 8, b"\xfe\xff\x20\xac", "€"),
        ("gsm", 6, "Привет".encode("iso8859-5"), "Привет"),
        ("gsm", 0x10, b"flash", "flash"),
        ("gsm", 0x18, b"\x00f", "f"),
        ("gsm", 0xF1, b"class", "class"),
        ("gsm", 4, b"\x00\x01", ""),
        ("gsm", 0xF5, b"\x00\x01", ""),
    ],
)
def test_t10_t11_t12_incoming_text_is_read_by_data_coding(
    settings: Settings, alphabet: str, data_coding: int, octets: bytes, decoded: str
) -> None:
    incoming = read_incoming(request(ShortMessage(data_coding=data_coding, short_message=octets)), settings(alphabet=alphabet))

    assert text.decode(incoming.user_data, incoming.alphabet) == decoded


def test_t5_t13_the_header_is_a_list_of_elements(settings: Settings) -> None:
    header = bytes.fromhex("0f" + "05040b8423f0" + "0804012c0302" + "240101")

    incoming = read_incoming(request(ShortMessage(esm_class=0x40, short_message=header + b"\x1be")), settings())

    assert incoming.concatenation == Concatenation(0x012C, 3, 2)
    assert (incoming.single_shift, incoming.locking_shift, incoming.udh, incoming.user_data) == (1, 0, header, b"\x1be")


def test_packed_text_behind_a_header_is_unpacked_from_its_septet(settings: Settings) -> None:
    header = bytes.fromhex("050003070201")
    packed = gsm0338.pack(b"hello", fill_bits=1)

    incoming = read_incoming(request(ShortMessage(esm_class=0x40, short_message=header + packed)), settings(alphabet="gsm_packed"))

    assert incoming.user_data == b"hello"


@pytest.mark.parametrize(("total", "index", "place"), [(3, 2, Concatenation(300, 3, 2)), (3, 0, None), (3, 4, None), (0, 0, None)])
def test_s12_sar_parameters_tell_the_place(settings: Settings, total: int, index: int, place: Concatenation | None) -> None:
    tlvs = (
        (int(Tag.SAR_MSG_REF_NUM), b"\x01\x2c"),
        (int(Tag.SAR_TOTAL_SEGMENTS), bytes((total,))),
        (int(Tag.SAR_SEGMENT_SEQNUM), bytes((index,))),
    )

    assert read_incoming(request(ShortMessage(short_message=b"x"), tlvs), settings()).concatenation == place


def test_t17_a_header_that_lies_leaves_the_octets(settings: Settings) -> None:
    incoming = read_incoming(request(ShortMessage(esm_class=0x40, short_message=b"\x50\x00\x03")), settings())

    assert (incoming.udh, incoming.user_data, incoming.concatenation) == (b"", b"\x50\x00\x03", None)


def test_t17_a_header_with_broken_elements_is_kept(settings: Settings) -> None:
    incoming = read_incoming(request(ShortMessage(esm_class=0x40, short_message=b"\x03\x00\x09\x01hi")), settings())

    assert (incoming.udh, incoming.user_data, incoming.concatenation) == (b"\x03\x00\x09\x01", b"hi", None)


def test_s10_a_header_without_user_data_is_unreadable(settings: Settings) -> None:
    with pytest.raises(Unreadable):
        read_message(request(ShortMessage(esm_class=0x40)), settings())


@pytest.mark.parametrize(
    ("address", "ton", "read"),
    [
        ("36201234567", 1, "+36201234567"),
        ("+36201234567", 0, "+36201234567"),
        ("0036201234567", 1, "+36201234567"),
        ("36201234567", 0, "+36201234567"),
        ("06201234567", 0, "06201234567"),
        ("06201234567", 2, "06201234567"),
        ("12345", 1, "12345"),
        ("12345", 3, "12345"),
        ("Pennywire", 5, "Pennywire"),
        ("", 0, ""),
        ("٣٣٣٣٣٣٣٣٣٣٣", 1, "٣٣٣٣٣٣٣٣٣٣٣"),
    ],
)
def test_s14_addresses_come_in_our_form(address: str, ton: int, read: str) -> None:
    assert read_address(address, ton) == read

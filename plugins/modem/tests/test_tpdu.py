"""The TPDU codec against octets of the standards and of real handsets."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pennywire_modem import fields, tpdu
from pennywire_modem.fields import MalformedTpdu
from pennywire_modem.tpdu import Deliver, StatusReport, Submit, UserData

from pennywire import Alphabet
from pennywire.sms import gsm0338
from pennywire.testing import make_submissions

#: "hellohello" to +46708251358, as the PDU primers of modem makers print it.
PRINTED = "0001000B916407281553F800000AE8329BFD4697D9EC37"


def test_a_submit_is_written_as_the_primers_print_it() -> None:
    submit = Submit("+46708251358", UserData(gsm0338.encode("hellohello"), Alphabet.GSM7))

    assert tpdu.frame(tpdu.encode_submit(submit)) == PRINTED


def test_a_deliver_is_read_as_the_primers_print_it() -> None:
    framed = tpdu.unframe("07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37")
    deliver = tpdu.decode_incoming(framed.tpdu)

    assert isinstance(deliver, Deliver)
    assert framed.service_centre == "+27381000015"
    assert gsm0338.decode(deliver.user_data.octets) == "hellohello"
    assert deliver.sent_at == datetime(2099, 3, 29, 13, 16, 59, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "@", "a" * 160, "€" * 80, "x" * 400, "ő" * 70, "😀" * 40, "\x1a\x1b\r\n"])
def test_what_is_written_is_read_back(text: str) -> None:
    for submission in make_submissions(text):
        user_data = UserData(submission.user_data, submission.alphabet, submission.udh)
        submit = Submit("+36201234567", user_data, report_requested=True, validity=timedelta(hours=1))

        assert tpdu.decode_submit(tpdu.encode_submit(submit)) == submit


@pytest.mark.parametrize("address", ["+36201234567", "12345", "1", "Pennywire", "Penny & Co", "123456789012345"])
def test_addresses_are_read_back(address: str) -> None:
    written = fields.write_address(address)

    assert fields.read_address(written, 0) == (address, len(written))


@pytest.mark.parametrize("address", ["+123456789012345678901", "TwelveLetters"])
def test_an_address_that_does_not_fit_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="longer"):
        fields.write_address(address)


@pytest.mark.parametrize("quarters", [0, 1, 4, 23, 48, -1, -14, -38])
def test_v7_a_time_zone_has_a_sign(quarters: int) -> None:
    moment = datetime(2026, 2, 28, 23, 59, 58, tzinfo=timezone(timedelta(minutes=15 * quarters)))

    assert fields.read_time_stamp(fields.write_time_stamp(moment), 0) == moment


def test_a_time_that_is_none_is_unknown() -> None:
    assert fields.read_time_stamp(bytes(7), 0) is None


@pytest.mark.parametrize(
    ("minutes", "octet"),
    [(1, 0), (5, 0), (6, 1), (720, 143), (721, 144), (1440, 167), (1441, 168), (43200, 196), (43201, 197), (10**6, 255)],
)
def test_v4_validity_is_rounded_up(minutes: int, octet: int) -> None:
    assert fields.write_validity(timedelta(minutes=minutes)) == octet
    assert octet == 255 or fields.read_validity(octet) >= timedelta(minutes=minutes)


def _report() -> bytes:
    moment = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    return tpdu.encode_status_report(StatusReport(200, "+36201234567", moment, moment, 0x30))


def test_a_status_report_is_read_back() -> None:
    report = tpdu.decode_incoming(_report())

    assert isinstance(report, StatusReport)
    assert (report.reference, report.destination, report.status) == (200, "+36201234567", 0x30)


@pytest.mark.parametrize("size_octets", range(22))
def test_a_tpdu_that_ends_early_is_refused(size_octets: int) -> None:
    with pytest.raises(MalformedTpdu):
        tpdu.decode_incoming(_report()[:size_octets])


@pytest.mark.parametrize("line", ["", "0", "xyz", "05"])
def test_a_line_that_is_no_pdu_is_refused(line: str) -> None:
    with pytest.raises(MalformedTpdu):
        tpdu.unframe(line)

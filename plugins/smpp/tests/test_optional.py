"""Optional parameters that a connection and a message add."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pennywire_smpp.outbound import NUMERIC_PARAMETERS, Unsendable, make_submit_sm
from pennywire_smpp.pdu import Command, decode, encode

from pennywire import InvalidSetting
from pennywire.testing import make_submissions

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TABLE = "0x1401 = 0a0B\nuser_message_reference=0007\n\n0x1402 = text:áb = c"


def tlvs(settings: Any, parameters: dict[str, object], **given: Any) -> dict[int, bytes]:
    """Return the optional parameters of a submit_sm as they are read on the other side."""
    outgoing = make_submit_sm(replace(make_submissions()[0], parameters=parameters), settings(**given), now=NOW)
    return dict(decode(encode(Command.SUBMIT_SM, 1, outgoing.body, tlvs=outgoing.tlvs)).tlvs)


def test_a_connections_parameters_are_sent_with_every_message(settings: Any) -> None:
    assert tlvs(settings, {}, optional_parameters=TABLE) == {0x1401: b"\n\x0b", 0x0204: b"\0\x07", 0x1402: b"\xe1b = c"}


def test_a_messages_parameters_are_added_and_win(settings: Any) -> None:
    """Those of incoming messages have the same form, so that they can be sent on; other names are left alone."""
    parameters = {"0x1401": "ff", "language_indicator": "01", "0x1500": "text:x", "service_type": "", "campaign": "spring"}

    assert tlvs(settings, parameters, optional_parameters="0x1401 = 00") == {0x1401: b"\xff", 0x020D: b"\x01", 0x1500: b"x"}


def test_they_stand_beside_those_that_cut_a_long_message(settings: Any) -> None:
    segment = replace(make_submissions("x" * 200)[1], parameters={"0x1401": "ff"})

    outgoing = make_submit_sm(segment, settings(long_messages="sar"), now=NOW)

    assert [tag for tag, _ in outgoing.tlvs] == [0x020C, 0x020E, 0x020F, 0x1401]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("0x1401", "Line 1: there is no ="),
        ("0x1400 = 00\n0x1401 = 0", "Line 2: 0x1401 is not hexadecimal"),
        ("0x1401 = zz", "not hexadecimal"),
        ("0x14011 = 00", "is no tag"),
        ("colour = 00", "colour is no tag"),
        ("0x1401 = 00\n0X1401 = 01", "Line 2: 0x1401 has a line already"),
        ("message_payload = 00", "set by the connection itself"),
        ("0x020c = 0001", "sar_msg_ref_num is set by the connection"),
        ("0x1401 = text:€", "beyond Latin-1"),
        (f"0x1401 = {'00' * 255}", "255 octets"),
        ("\n".join(f"0x{tag:04x} = 00" for tag in range(0x1400, 0x1433)), "at most 50"),
    ],
)
def test_a_table_that_cannot_be_sent_is_refused_with_its_line(settings: Any, table: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=said) as raised:
        settings(optional_parameters=table)

    assert raised.value.name == "optional_parameters"


def test_version_3_3_has_none(settings: Any) -> None:
    old = {"interface_version": "3.3", "bind_mode": "pair"}

    with pytest.raises(InvalidSetting, match="no optional parameters"):
        settings(optional_parameters="0x1401 = 00", **old)
    with pytest.raises(Unsendable, match="no optional parameters") as raised:
        tlvs(settings, {"0x1401": "00"}, **old)
    assert not raised.value.permanent


@pytest.mark.parametrize("value", ["0", "zz", "text:€", "00" * 300, None])
def test_a_messages_parameter_that_cannot_be_sent_is_refused(settings: Any, value: object) -> None:
    with pytest.raises(Unsendable, match="0x1401"):
        tlvs(settings, {"0x1401": value})


@pytest.mark.parametrize("name", ["source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi", "esm_class", "data_coding"])
def test_the_dynamic_parameters_of_a_message_stand_before_the_connections(settings: Any, name: str) -> None:
    """A value is a decimal number; without one the connection's settings count."""
    own = make_submit_sm(replace(make_submissions()[0], parameters={name: "9"}), settings(), now=NOW).body

    assert name in NUMERIC_PARAMETERS
    assert getattr(own, name) == 9

"""Data codings: what a value says, and what we send."""

import pytest

from pennywire.sms import dcs
from pennywire.sms.dcs import Coding, Indication
from pennywire.values import Alphabet

GSM7, UCS2, LATIN1, BINARY = Alphabet.GSM7, Alphabet.UCS2, Alphabet.LATIN1, Alphabet.BINARY


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        (0x00, Coding(GSM7)),
        (0x04, Coding(BINARY)),
        (0x08, Coding(UCS2)),
        (0x0C, Coding(GSM7)),  # Reserved alphabet.
        (0x03, Coding(GSM7)),  # Class bits without a meaning.
        (0x10, Coding(GSM7, 0)),
        (0x13, Coding(GSM7, 3)),
        (0x15, Coding(BINARY, 1)),
        (0x18, Coding(UCS2, 0)),
        (0x20, Coding(BINARY, compressed=True)),
        (0x39, Coding(BINARY, 1, compressed=True)),
        (0x40, Coding(GSM7, delete_after_reading=True)),
        (0x59, Coding(UCS2, 1, delete_after_reading=True)),
        (0x80, Coding(GSM7)),  # Reserved groups.
        (0xBF, Coding(GSM7)),
        (0xC0, Coding(GSM7, indication=Indication.VOICEMAIL, store=False)),
        (0xC8, Coding(GSM7, indication=Indication.VOICEMAIL, waiting=True, store=False)),
        (0xD9, Coding(GSM7, indication=Indication.FAX, waiting=True)),
        (0xEA, Coding(UCS2, indication=Indication.EMAIL, waiting=True)),
        (0xE3, Coding(UCS2, indication=Indication.OTHER)),
        (0xF0, Coding(GSM7, 0)),
        (0xF2, Coding(GSM7, 2)),
        (0xF5, Coding(BINARY, 1)),
        (0xFF, Coding(BINARY, 3)),
    ],
)
def test_t12_every_group_of_tp_dcs_is_told_apart(value: int, coding: Coding) -> None:
    assert dcs.read(value) == coding


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        (0, Coding(GSM7)),
        (1, Coding(LATIN1)),
        (2, Coding(BINARY)),
        (3, Coding(LATIN1)),
        (4, Coding(BINARY)),
        (5, Coding(BINARY)),
        (6, Coding(BINARY, codec="iso8859-5")),
        (7, Coding(BINARY, codec="iso8859-8")),
        (8, Coding(UCS2)),
        (9, Coding(BINARY)),
        (10, Coding(BINARY, codec="iso2022_jp")),
        (13, Coding(BINARY)),
        (14, Coding(BINARY, codec="euc_kr")),
        (0x10, Coding(GSM7, 0)),
        (0x18, Coding(UCS2, 0)),
        (0xC8, Coding(GSM7, indication=Indication.VOICEMAIL, waiting=True, store=False)),
        (0xF1, Coding(GSM7, 1)),
        (0xF5, Coding(BINARY, 1)),
    ],
)
def test_t12_smpp_reads_low_values_its_own_way_and_high_ones_as_tp_dcs(value: int, coding: Coding) -> None:
    assert dcs.read_smpp(value) == coding


@pytest.mark.parametrize("default", [LATIN1, UCS2, GSM7])
@pytest.mark.parametrize(("value", "message_class"), [(0x00, None), (0x10, 0), (0xF1, 1)])
def test_t10_the_operator_says_what_the_default_alphabet_is(default: Alphabet, value: int, message_class: int | None) -> None:
    assert dcs.read_smpp(value, default=default) == Coding(default, message_class)


def test_t10_the_default_alphabet_does_not_touch_what_is_said_outright() -> None:
    assert dcs.read_smpp(8, default=LATIN1) == Coding(UCS2)


@pytest.mark.parametrize("value", range(256))
def test_every_value_can_be_read(value: int) -> None:
    assert dcs.read(value).alphabet in Alphabet
    for_smpp = dcs.read_smpp(value)
    assert b"".decode(for_smpp.codec or "ascii") == ""


@pytest.mark.parametrize("alphabet", [GSM7, UCS2, BINARY])
@pytest.mark.parametrize("message_class", [None, 0, 1, 2, 3])
def test_reading_undoes_writing(alphabet: Alphabet, message_class: int | None) -> None:
    value = dcs.write(alphabet, message_class)

    assert dcs.read(value) == dcs.read_smpp(value) == Coding(alphabet, message_class)


@pytest.mark.parametrize(
    ("alphabet", "message_class", "value"),
    [
        (GSM7, None, 0x00),
        (GSM7, 0, 0x10),
        (BINARY, None, 0x04),
        (BINARY, 2, 0x16),
        (UCS2, None, 0x08),
        (UCS2, 0, 0x18),
        (LATIN1, None, 0x03),
    ],
)
def test_the_values_that_we_send(alphabet: Alphabet, message_class: int | None, value: int) -> None:
    assert dcs.write(alphabet, message_class) == value


def test_latin_1_is_sent_over_smpp() -> None:
    assert dcs.read_smpp(dcs.write(LATIN1)) == Coding(LATIN1)


@pytest.mark.parametrize(
    ("alphabet", "message_class", "reason"), [(LATIN1, 0, "cannot carry a message class"), (GSM7, 4, "classes are 0 to 3")]
)
def test_what_has_no_value_is_refused(alphabet: Alphabet, message_class: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        dcs.write(alphabet, message_class)

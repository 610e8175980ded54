"""The text of incoming user data: whatever comes is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennywire.sms import text
from pennywire.sms.national import Language
from pennywire.values import Alphabet


@given(user_data=st.binary(max_size=300), alphabet=st.sampled_from(Alphabet), locking=st.integers(0, 255), single=st.integers(0, 255))
def test_t17_decoding_never_raises_and_gives_well_formed_text(user_data: bytes, alphabet: Alphabet, locking: int, single: int) -> None:
    decoded = text.decode(user_data, alphabet, locking_shift=locking, single_shift=single)

    assert decoded.encode().decode() == decoded


@pytest.mark.parametrize(
    ("user_data", "expected"),
    [
        ("00410151", "Aő"),
        ("d83dde00", "😀"),
        ("feff00410151", "Aő"),
        ("fffe41005101", "Aő"),
        ("0041feff0042", "A\ufeffB"),
        ("004100", "A\ufffd"),
        ("d83d0041", "\ufffdA"),
        ("de000041", "\ufffdA"),
        ("0041d83d", "A\ufffd"),
        ("0000", "\x00"),
        ("", ""),
    ],
)
def test_t11_ucs2_is_big_endian_and_a_mark_is_taken_off(user_data: str, expected: str) -> None:
    assert text.decode(bytes.fromhex(user_data), Alphabet.UCS2) == expected


def test_t13_national_tables_are_used() -> None:
    hindi = {"locking_shift": Language.HINDI, "single_shift": Language.HINDI}

    assert text.decode(b"\x2f\x42\x4c", Alphabet.GSM7, **hindi) == "नमस"
    assert text.decode(b"d\x1bias", Alphabet.GSM7, single_shift=Language.SPANISH) == "días"


def test_without_a_header_the_default_tables_are_used() -> None:
    assert text.decode(b"\x04\x07\x1bI", Alphabet.GSM7) == "èìI"


def test_t9_zero_is_a_character() -> None:
    assert text.decode(b"\x00a\x00", Alphabet.GSM7) == "@a@"


def test_t10_latin_1_octets_are_code_points() -> None:
    assert text.decode(b"\xe7\x40", Alphabet.LATIN1) == "ç@"


def test_binary_has_no_text() -> None:
    assert text.decode(b"abc", Alphabet.BINARY) == ""

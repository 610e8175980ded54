"""GSM 7-bit text: refusals, round trips, packing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennywire.sms import gsm0338
from pennywire.sms.gsm0338 import NotEncodable
from pennywire.sms.national import LOCKING, SINGLE, UNDEFINED

EXTENDED = "^{}\\[~]|€\f"
PLAIN = LOCKING[0].replace("\x1b", "")
gsm_texts = st.text(alphabet=PLAIN + EXTENDED, max_size=400)
languages = st.sampled_from(sorted(LOCKING))
septets = st.binary(max_size=200).map(lambda octets: bytes(octet & 0x7F for octet in octets))


@pytest.mark.parametrize("character", ["ç", "ő", "\x00", "\x1b", "\u2019", "\u00a0", "😀", "\ud83d", "\ufffe", "\t"])
def test_a_character_outside_the_alphabet_is_refused_with_its_position(character: str) -> None:
    with pytest.raises(NotEncodable) as refusal:
        gsm0338.encode(f"ab€{character}c{character}")

    assert (refusal.value.position, refusal.value.character) == (3, character)


def test_a_refusal_names_the_first_of_several_characters() -> None:
    assert gsm0338.first_unencodable("aő\x00") == (1, "ő")
    assert gsm0338.first_unencodable("a\x00ő") == (1, "\x00")
    assert gsm0338.first_unencodable("a^b@") is None


def test_a_refusal_shows_the_character_and_no_more_of_the_text() -> None:
    with pytest.raises(NotEncodable, match=r"Character 7, U\+0151, .* Replace it, or send the text as UCS-2\.") as refusal:
        gsm0338.encode("secrető")

    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(("locking", "single"), [(14, 0), (0, 14), (2, 0), (-1, 0)])
def test_encoding_refuses_a_table_that_does_not_exist(locking: int, single: int) -> None:
    with pytest.raises(ValueError, match="There is no national language table"):
        gsm0338.encode("a", locking=locking, single=single)


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("", b""),
        ("@", b"\x00"),
        ("@@", b"\x00\x00"),
        ("a@\nb", b"a\x00\nb"),
        ("€", b"\x1be"),
        ("[ä]", b"\x1b<\x7b\x1b>"),
        ("\f", b"\x1b\n"),
    ],
)
def test_text_is_one_septet_an_octet_with_escape_pairs(text: str, octets: bytes) -> None:
    assert gsm0338.encode(text) == octets
    assert gsm0338.decode(octets) == text
    assert gsm0338.septet_length(text) == len(octets)


def test_t9_a_text_of_only_at_signs_survives() -> None:
    """`@` is 0x00, which ends a text in C and nowhere here."""
    packed = gsm0338.pack(gsm0338.encode("@" * 9))

    assert packed == bytes(8)
    assert gsm0338.decode(gsm0338.unpack(packed, 9)) == "@" * 9


@given(gsm_texts)
def test_decoding_undoes_encoding(text: str) -> None:
    assert gsm0338.decode(gsm0338.encode(text)) == text


@given(gsm_texts)
def test_t1_only_extended_characters_take_two_septets(text: str) -> None:
    assert gsm0338.septet_length(text) == len(text) + sum(text.count(character) for character in EXTENDED)


@given(locking=languages, single=st.sampled_from(sorted(SINGLE)), data=st.data())
def test_decoding_undoes_encoding_in_every_national_table(locking: int, single: int, data: st.DataObject) -> None:
    alphabet = sorted(set(LOCKING[locking] + SINGLE[single]) - {UNDEFINED, "\x1b"})
    text = data.draw(st.text(alphabet=alphabet, max_size=100))

    assert gsm0338.decode(gsm0338.encode(text, locking=locking, single=single), locking=locking, single=single) == text


@given(text=st.text(max_size=100))
def test_either_the_whole_text_is_encoded_or_the_first_foreign_character_is_named(text: str) -> None:
    foreign = [(place, character) for place, character in enumerate(text) if character not in PLAIN + EXTENDED]

    assert gsm0338.first_unencodable(text) == (foreign[0] if foreign else None)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"a\x1b", "a "),  # An escape at the end has nothing to escape.
        (b"\x1b\x1be", " e"),  # An escape to a further table, of which there is none.
        (b"\x1ba", "a"),  # The extension table has no such character.
        (b"\x1b\x00", "@"),
        (b"\x1b\r", "\r"),
        (b"a\x80b", "a\ufffdb"),  # Not a septet.
        (b"\x1b\xffb", " \ufffdb"),
        (b"\xff", "\ufffd"),
    ],
)
def test_what_cannot_be_decoded_is_shown_and_not_dropped(octets: bytes, text: str) -> None:
    assert gsm0338.decode(octets) == text


@given(octets=st.binary(max_size=200), locking=st.integers(-1, 300), single=st.integers(-1, 300))
def test_t17_decoding_never_raises(octets: bytes, locking: int, single: int) -> None:
    assert len(gsm0338.decode(octets, locking=locking, single=single)) <= len(octets)


def test_without_a_language_the_default_tables_are_used() -> None:
    assert gsm0338.decode(b"\x04\x07\x1bI") == "èìI"
    assert gsm0338.encode("è") == b"\x04"


def test_an_unknown_language_is_read_with_the_default_tables() -> None:
    assert gsm0338.decode(b"\x1be@\x00", locking=99, single=99) == "€¡@"


def test_an_undefined_septet_of_a_national_table_is_shown_as_unreadable() -> None:
    assert gsm0338.decode(b"\x0c", locking=4) == "\ufffd"
    assert gsm0338.decode(b"\x1b\x0d\x1b\x7f", locking=0, single=4) == "\rà"


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("hello", "e8329bfd06"),
        ("hellohello", "e8329bfd4697d9ec37"),
        ("1234567", "31d98c56b3dd00"),
        ("12345678", "31d98c56b3dd70"),
        ("", ""),
    ],
)
def test_packing_matches_published_vectors(text: str, packed: str) -> None:
    assert gsm0338.pack(gsm0338.encode(text)).hex() == packed
    assert gsm0338.unpack(bytes.fromhex(packed), len(text)).decode() == text


def test_packing_starts_on_a_septet_boundary_behind_a_header() -> None:
    """Behind the six octets of a concatenation header one fill bit brings the text to septet 7."""
    assert gsm0338.pack(b"\x7f", fill_bits=1) == b"\xfe"
    assert gsm0338.unpack(b"\xfe", 1, fill_bits=1) == b"\x7f"


@given(septets, st.integers(0, 6))
def test_unpacking_undoes_packing(unpacked: bytes, fill_bits: int) -> None:
    packed = gsm0338.pack(unpacked, fill_bits=fill_bits)

    assert gsm0338.unpack(packed, len(unpacked), fill_bits=fill_bits) == unpacked
    assert len(packed) == -(-(fill_bits + 7 * len(unpacked)) // 8)


def test_160_septets_fill_140_octets() -> None:
    assert len(gsm0338.pack(b"a" * 160)) == 140


def test_packing_refuses_what_is_not_a_septet() -> None:
    with pytest.raises(ValueError, match="above 0x7F"):
        gsm0338.pack(b"\x80")


def test_unpacking_gives_what_is_there_when_the_count_lies() -> None:
    assert gsm0338.unpack(b"\xe8\x32", 200) == b"he"
    assert gsm0338.unpack(b"", 5, fill_bits=1) == b""
    assert gsm0338.unpack(bytes(6), 99, fill_bits=6) == bytes(6)

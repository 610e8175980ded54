"""The national tables, proved against those that somebody else typed in from the standard.

Where we differ on purpose, `CORRECTIONS` says so, and a test watches that the other side has not come round meanwhile.
"""

from types import ModuleType

import pytest

from pennywire.sms import gsm0338
from pennywire.sms.national import LOCKING, SINGLE, UNDEFINED, Language

pytestmark = pytest.mark.peers

INDIC_AND_URDU = [language for language in Language if language >= Language.BENGALI]

#: (language, septets) → what gsmcodecs 1.0.0 reads, and what handsets do. The comma stands nowhere else in those alphabets, while the
#: apostrophe has a place in each single shift table; Kannada 0x24 is a misprint of the standard, which has U+0CAA at 0x3D too;
#: the euro sign of Telugu was overlooked.
CORRECTIONS = {
    **{(language, b"\x2c"): ("'", ",") for language in INDIC_AND_URDU},
    (Language.KANNADA, b"\x24"): ("\u0caa", "\u0ca1"),
    (Language.TELUGU, b"\x1b\x65"): ("e", "€"),
}
PAIRS = [(locking, single) for locking in LOCKING for single in {0, locking}] + [(0, single) for single in SINGLE if single]


def _theirs(gsmcodecs: ModuleType, locking: int, single: int, septets: bytes) -> str:
    """Read one character with the other tables; a septet that their single shift table lacks means the locking table's."""
    codec = gsmcodecs.makeCodec(locking, single)
    for candidate in (septets, septets[-1:]):
        try:
            return str(codec.decode(candidate)[0])
        except UnicodeDecodeError:
            continue
    return UNDEFINED


def _difference(locking: int, single: int, septets: bytes) -> tuple[str, str] | None:
    escaped = len(septets) > 1
    found = CORRECTIONS.get((Language(single if escaped else locking), septets))
    if found is None and escaped and SINGLE[single][septets[1]] == UNDEFINED:
        found = CORRECTIONS.get((Language(locking), septets[1:]))
    return found


@pytest.mark.parametrize(("locking", "single"), PAIRS)
@pytest.mark.parametrize("prefix", [b"", b"\x1b"], ids=["locking", "single"])
def test_t13_every_septet_means_the_same_to_others(gsmcodecs: ModuleType, locking: int, single: int, prefix: bytes) -> None:
    codes = [prefix + bytes([septet]) for septet in range(128) if prefix + bytes([septet]) != b"\x1b"]

    theirs = {code: _theirs(gsmcodecs, locking, single, code) for code in codes}
    expected = {code: (_difference(locking, single, code) or ("", theirs[code]))[1] for code in codes}
    assert {code: gsm0338.decode(code, locking=locking, single=single) for code in codes} == expected


@pytest.mark.parametrize(("locking", "single"), PAIRS)
def test_others_read_what_we_write_in_as_few_septets_as_theirs(gsmcodecs: ModuleType, locking: int, single: int) -> None:
    codec = gsmcodecs.makeCodec(locking, single)
    corrected = {character for pair in CORRECTIONS.values() for character in pair}
    characters = sorted(set(LOCKING[locking] + SINGLE[single]) - {UNDEFINED, "\x1b"} - corrected)

    ours = {character: gsm0338.encode(character, locking=locking, single=single) for character in characters}
    assert {character: codec.decode(octets)[0] for character, octets in ours.items()} == {character: character for character in characters}
    assert {character: len(octets) for character, octets in ours.items()} == {
        character: len(codec.encode(character)[0]) for character in characters
    }


@pytest.mark.parametrize(("language", "septets"), CORRECTIONS, ids=lambda value: getattr(value, "name", None) or value.hex())
def test_the_other_tables_still_differ_where_we_correct_them(gsmcodecs: ModuleType, language: Language, septets: bytes) -> None:
    theirs, ours = CORRECTIONS[language, septets]

    assert _theirs(gsmcodecs, language, language, septets) == theirs
    assert gsm0338.decode(septets, locking=language, single=language) == ours


def test_the_same_languages_have_tables(gsmcodecs: ModuleType) -> None:
    maps = gsmcodecs.GSMCHARMAPS

    assert set(LOCKING) == {language for language in maps if "locking" in maps[language]}
    assert set(SINGLE) == {language for language in maps if "singleShift" in maps[language]}


@pytest.mark.parametrize(
    ("locking", "single", "text", "octets"),
    [
        (Language.TURKISH, 0, "Ğğş€", b"\x0b\x0c\x1d\x04"),
        (0, Language.TURKISH, "Ğ€", b"\x1bG\x1be"),
        (0, Language.SPANISH, "días", b"d\x1bias"),
        (Language.PORTUGUESE, Language.PORTUGUESE, "ação", b"a\x09\x7bo"),
        (Language.HINDI, Language.HINDI, "नमस्ते, ५", b"\x2f\x42\x4c\x5f\x27\x59\x2c\x20\x1b\x21"),
        (Language.URDU, 0, "سلام", b"\x3d\x4d\x00\x4e"),
    ],
)
def test_words_in_national_tables(locking: int, single: int, text: str, octets: bytes) -> None:
    assert gsm0338.encode(text, locking=locking, single=single) == octets
    assert gsm0338.decode(octets, locking=locking, single=single) == text

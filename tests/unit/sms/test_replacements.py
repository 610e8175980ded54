"""What a dry run says about characters that force UCS-2, and the smart encoding that a customer may ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennywire.sms.gsm0338 import first_unencodable
from pennywire.sms.segments import Replacement, describe_forced, plan, simplify, suggest_replacements
from pennywire.values import Alphabet

TYPOGRAPHY = "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u00a0\u202f\u200b\u2022\u00ad\u00ab\t\u2028\u00b4`"


def test_t8_nothing_is_replaced_unless_asked_for() -> None:
    assert plan("It\u2019s").alphabet is Alphabet.UCS2
    assert plan(simplify("It\u2019s")).alphabet is Alphabet.GSM7


def test_t8_each_character_that_forced_ucs2_is_named_with_its_place_and_its_replacement() -> None:
    assert describe_forced("„Ok…“ ő 😀") == [
        Replacement(0, "„", '"'),
        Replacement(3, "…", "..."),
        Replacement(4, "“", '"'),
        Replacement(6, "ő", None),
        Replacement(8, "😀", None),
    ]


def test_only_characters_with_a_replacement_are_suggested() -> None:
    assert suggest_replacements("ő—ç\u00a0€") == [Replacement(1, "—", "-"), Replacement(3, "\u00a0", " ")]
    assert suggest_replacements("plain @ €") == []


def test_a_letter_with_its_accent_apart_is_composed() -> None:
    assert suggest_replacements("cafe\u0301 o\u030b") == [Replacement(3, "e\u0301", "é")]
    assert simplify("cafe\u0301") == "café"


@pytest.mark.parametrize(
    ("message", "simplified"),
    [
        ("“It\u2019s” \u2013 5\u00a0€…", '"It\'s" - 5 €...'),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("one\u2028two", "one\ntwo"),
        ("plain", "plain"),
        ("", ""),
        ("“ő”", "“ő”"),  # It needs UCS-2 anyway, so nothing would be won.
        ("“😀”", "“😀”"),
        ("ça", "ça"),
    ],
)
def test_simplifying(message: str, simplified: str) -> None:
    assert simplify(message) == simplified


@given(st.text(st.sampled_from(TYPOGRAPHY + "abcé€@ \n"), max_size=60))
def test_typography_always_fits_gsm_7_bit_once_simplified(message: str) -> None:
    assert first_unencodable(simplify(message)) is None


@given(st.text(max_size=60))
def test_simplifying_changes_what_is_suggested_or_nothing(message: str) -> None:
    expected, end = [], 0
    for replacement in suggest_replacements(message):
        expected += [message[end : replacement.position], replacement.replacement or ""]
        end = replacement.position + len(replacement.character)
    applied = "".join(expected) + message[end:]

    assert simplify(message) == (message if first_unencodable(applied) else applied)


@given(st.text(max_size=60))
def test_the_first_character_described_is_the_one_that_the_plan_names(message: str) -> None:
    forced, described = plan(message).forced_by, describe_forced(message)

    assert bool(described) == (forced is not None)
    if forced:
        assert described[0].position in {forced[0], forced[0] - 1}  # One before where a letter and its accent are one character.
        assert forced[1] in described[0].character

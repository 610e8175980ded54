"""Numbers as people type them, senders as networks allow them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennywire.sms import addresses
from pennywire.sms.addresses import AddressKind, InvalidAddress, kind, mask, normalise, source

HUNGARY = {"country_code": "36", "national_prefix": "06"}
DIGITS = st.text("0123456789", min_size=1, max_size=18)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", r"is empty\. Give a number with its country code"),
        ("  \t", "is empty"),
        ("()-", "is empty"),
        ("+", "has no digits"),
        ("+36 20 ABC 4567", "contains 'A', which no number has"),
        ("Vodafone", "contains 'V'"),
        ("+3620\x001234567", r"contains U\+0000"),
        ("3620;1234567", "contains ';'"),
        ("+36+201234567", r"contains '\+'"),
        ("*100#", r"contains '\*'"),
        ("12", "has 2 digits with its country code; there must be 7 to 15"),
        ("+123456", "has 6 digits"),
        ("+1234567890123456", "has 16 digits"),
        ("00123456", "has 6 digits"),
        ("+06201234567", "begins with 0 where its country code should be"),
        ("06201234567", "begins with 0 where its country code should be"),
        ("²01234567", "contains '²'"),
    ],
)
def test_n3_what_is_not_a_number_is_refused_with_the_reason(raw: str, reason: str) -> None:
    with pytest.raises(InvalidAddress, match=reason) as refusal:
        normalise(raw)

    assert refusal.value.reason == str(refusal.value)
    assert refusal.value.reason.endswith(".")


@given(DIGITS)
def test_a_refusal_never_repeats_the_number(digits: str) -> None:
    for raw in (digits + "x", "+0" + digits, digits):
        try:
            normalise(raw)
        except InvalidAddress as refusal:
            example = refusal.reason.replace("+36201234567", "")
            assert len(digits) <= 2 or digits not in example  # Counts of up to two digits are told.


@pytest.mark.parametrize(
    "raw",
    [
        "+36201234567",
        " 36201234567",
        "  36201234567",
        "\t+36201234567\n",
        "0036201234567",
        "00 36 20 123-4567",
        "+36 (20) 123-4567",
        "+36 (0)20 123 4567",
        "+36.20.123.45.67",
        "+36/20/123/4567",
        "[36] 20 123 4567",
        "\u202a+36\u00a020\u2011123\u20114567\u202c",
        "\uff0b\uff13\uff16\uff12\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
        "٠٠٣٦٢٠١٢٣٤٥٦٧",
        "+३६२०१२३४५६७",
        "06201234567",
        "06 20 / 123-4567",
        "(06-20) 123 4567",
        "201234567",
        "36201234567",
    ],
)
def test_n1_n3_one_number_in_many_spellings(raw: str) -> None:
    """A leading blank is the `+` that a query string lost; the rest is how people and address books write."""
    assert normalise(raw, **HUNGARY) == "+36201234567"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("36201234567", "+36201234567"),
        (" 36201234567", "+36201234567"),
        ("1234567", "+1234567"),
        ("123456789012345", "+123456789012345"),
    ],
)
def test_without_a_country_a_bare_number_is_international(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


def test_n1_a_lost_plus_wins_over_the_country() -> None:
    assert normalise(" 441632960961", country_code="1", national_prefix="1") == "+441632960961"
    assert normalise(" 4412345", **HUNGARY) == "+4412345"


def test_n1_a_blank_before_a_national_number_is_only_a_blank() -> None:
    assert normalise(" 06201234567", **HUNGARY) == "+36201234567"


@pytest.mark.parametrize(
    ("raw", "rules", "expected"),
    [
        ("011 44 1632 960961", {"country_code": "1", "international_prefix": "011", "national_prefix": "1"}, "+441632960961"),
        ("(201) 555-0123", {"country_code": "1", "international_prefix": "011", "national_prefix": "1"}, "+12015550123"),
        ("1 201 555 0123", {"country_code": "1", "international_prefix": "011", "national_prefix": "1"}, "+12015550123"),
        ("8 912 345 67 89", {"country_code": "7", "international_prefix": "810", "national_prefix": "8"}, "+79123456789"),
        ("02079460000", {"country_code": "+44"}, "+442079460000"),
        ("612345678", {"country_code": "34", "national_prefix": ""}, "+34612345678"),
        ("0612345678", {"country_code": "39", "national_prefix": ""}, "+390612345678"),  # Italy keeps its zero.
        ("3612345678", HUNGARY, "+3612345678"),
        ("36412345", HUNGARY, "+3636412345"),  # Eger, area 36: too short to have the country code already.
    ],
)
def test_n3_rules_of_other_countries(raw: str, rules: dict[str, str], expected: str) -> None:
    assert normalise(raw, **rules) == expected


@pytest.mark.parametrize("raw", ["123", "1234", "12345", "123456", "06123", "00123", " 12345", "12-345", "١٢٣٤٥"])
def test_n4_short_codes_are_not_prefixed(raw: str) -> None:
    digits = normalise(raw, **HUNGARY)

    assert kind(digits) is AddressKind.SHORT
    assert normalise(digits, **HUNGARY) == digits
    assert digits in {"123", "1234", "12345", "123456", "06123", "00123"}


@given(raw=st.text(max_size=30))
def test_any_text_is_normalised_or_refused(raw: str) -> None:
    try:
        address = normalise(raw, **HUNGARY)
    except InvalidAddress:
        return
    assert kind(address) in {AddressKind.INTERNATIONAL, AddressKind.SHORT}
    assert normalise(address, **HUNGARY) == address
    assert address.isascii()


@given(DIGITS.map(lambda digits: "+" + digits))
def test_international_numbers_stay_or_are_refused(raw: str) -> None:
    try:
        assert normalise(raw) == raw
    except InvalidAddress:
        assert raw[1] == "0" or not 7 <= len(raw) - 1 <= 15


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("1" * 16, "has 16 digits; at most 15 are allowed"),
        ("1" * 17, "has 17 digits"),
        ("+" + "1" * 16, "has 16 digits"),
        ("+123", "has 3 digits"),
        ("Pennywire Ltd", "takes 13 characters; at most 11"),
        ("A" * 16, "takes 16 characters"),
        ("A" * 17, "takes 17 characters; at most 11 are allowed with letters, 15 digits without"),
        ("[Pennywire]", "takes 13 characters"),  # Brackets are escape pairs.
        ("Ügyfél ő", "contains 'ő', which GSM 7-bit lacks"),
        ("Bank\u200b", r"contains U\+200B"),
        ("Bank\nX", "line break or another control character"),
        ("Bank\x00", r"contains U\+0000"),
        ("#1 !", "neither a letter nor only digits"),
    ],
)
def test_n6_senders_that_no_network_takes_are_refused(raw: str, reason: str) -> None:
    with pytest.raises(InvalidAddress, match=reason) as refusal:
        source(raw)

    assert refusal.value.reason.startswith("The sender ")


@pytest.mark.parametrize(
    ("raw", "address", "expected"),
    [
        ("+36201234567", "+36201234567", AddressKind.INTERNATIONAL),
        ("+36 20 123-4567", "+36201234567", AddressKind.INTERNATIONAL),
        (" 36201234567", "+36201234567", AddressKind.INTERNATIONAL),
        ("36201234567", "36201234567", AddressKind.NATIONAL),
        ("123456789012345", "123456789012345", AddressKind.NATIONAL),
        ("06201234567", "06201234567", AddressKind.NATIONAL),
        ("12345", "12345", AddressKind.SHORT),
        (" 12345", "12345", AddressKind.SHORT),
        ("Pennywire", "Pennywire", AddressKind.ALPHANUMERIC),
        (" Pennywire ", "Pennywire", AddressKind.ALPHANUMERIC),
        ("Über 24", "Über 24", AddressKind.ALPHANUMERIC),
        ("ABCDEFGHIJK", "ABCDEFGHIJK", AddressKind.ALPHANUMERIC),
        ("A-1", "A-1", AddressKind.ALPHANUMERIC),
    ],
)
def test_n6_senders(raw: str, address: str, expected: AddressKind) -> None:
    assert source(raw) == address
    assert kind(address) is expected


@pytest.mark.parametrize("raw", ["", " ", "\t"])
def test_a_blank_sender_stays_empty(raw: str) -> None:
    assert source(raw) == ""


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("+36201234567", "+3620*****67"),
        ("36201234567", "3620*****67"),
        ("1234567", "1234*67"),
        ("12345", "12345"),
        ("123456", "123456"),
        ("Pennywire", "Pennywire"),
        ("", ""),
        ("call +36201234567 now", "call***************ow"),
    ],
)
def test_masked_numbers_keep_four_digits_and_two(address: str, masked: str) -> None:
    assert mask(address) == masked


def test_limits_are_those_of_the_numbering_plan() -> None:
    assert (addresses.MIN_DIGITS, addresses.MAX_DIGITS) == (7, 15)

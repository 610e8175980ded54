"""Amounts of credit: read strictly, shown exactly, never a float."""

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ledger import LARGEST_UC, InvalidAmount, format_credits, parse_credits


@pytest.mark.parametrize(
    ("text", "amount_uc"),
    [
        ("0", 0),
        ("-0", 0),
        ("12", 12_000_000),
        ("+12", 12_000_000),
        (" 12.50 ", 12_500_000),
        ("-0.5", -500_000),
        ("0.000001", 1),
        ("-1", -1_000_000),
        ("007", 7_000_000),
        ("1000000000", LARGEST_UC),
        ("-1000000000", -LARGEST_UC),
        (0, 0),
        (7, 7_000_000),
        (-3, -3_000_000),
    ],
)
def test_amount_is_read_exactly(text: object, amount_uc: int) -> None:
    assert parse_credits(text) == amount_uc


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "-", "+", ".5", "5.", "1.", "1,5", "1 000", "1_000", "--1", "+-1", "1-", "1e3", "1e309", "1e-9", "1E5", "0x10"),
        *("NaN", "nan", "inf", "-Infinity", "0.0000001", "1.1234567", "1.5.0", "１２", "٣", "²", "1\x00", "1\n2", "twelve", "1$", "True"),
        *(1.5, 0.0, 1e309, math.nan, math.inf, True, False, None, [], [1], {}, {"amount": 1}, b"1", Decimal(1), 1 + 0j),
        *("1000000000.000001", "1000000001", "-1000000001", "9" * 13, "9" * 400, 2**63, -(2**63), 10**9 + 1, 2**200),
    ],
)
def test_what_is_not_an_amount_is_refused(text: Any) -> None:
    with pytest.raises(InvalidAmount):
        parse_credits(text)


@pytest.mark.parametrize(
    ("amount_uc", "text"),
    [
        (0, "0"),
        (1, "0.000001"),
        (-1, "-0.000001"),
        (12_500_000, "12.5"),
        (-3_000_000, "-3"),
        (1_000_010, "1.00001"),
        (LARGEST_UC, "1000000000"),
    ],
)
def test_amount_is_shown_without_needless_zeros(amount_uc: int, text: str) -> None:
    assert format_credits(amount_uc) == text


@given(st.integers(-LARGEST_UC, LARGEST_UC))
def test_what_is_shown_can_be_read_again(amount_uc: int) -> None:
    assert parse_credits(format_credits(amount_uc)) == amount_uc


@given(st.integers(-(10**9), 10**9))
def test_whole_number_and_its_text_are_the_same_amount(credit: int) -> None:
    assert parse_credits(credit) == parse_credits(str(credit)) == credit * 1_000_000


@given(st.one_of(st.text(), st.floats(), st.binary(), st.lists(st.integers())))
def test_anything_else_is_read_or_refused_and_nothing_breaks(value: object) -> None:
    try:
        amount_uc = parse_credits(value)
    except InvalidAmount:
        return
    assert isinstance(value, str)
    assert abs(amount_uc) <= LARGEST_UC

"""Prefixes that people dial, by country."""

import pytest

from app.numbering import Dialling, dialling
from pennywire.sms import normalise


@pytest.mark.parametrize(
    ("country_code", "expected"),
    [
        ("36", Dialling("00", "06")),
        ("44", Dialling("00", "0")),
        ("1", Dialling("011", "1")),
        ("39", Dialling("00", "")),  # in Italy the 0 belongs to the number
        ("45", Dialling("00", "")),
        ("52", Dialling("00", "")),  # Mexico has several international prefixes
        ("", Dialling()),
        ("999", Dialling()),
    ],
)
def test_each_country_dials_in_its_way(country_code: str, expected: Dialling) -> None:
    assert dialling(country_code) == expected


def test_a_hungarian_number_as_it_is_written_at_home() -> None:
    how = dialling("36")

    number = normalise("06203105366", country_code="36", international_prefix=how.international_prefix, national_prefix=how.national_prefix)

    assert number == "+36203105366"

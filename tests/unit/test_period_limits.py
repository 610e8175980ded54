"""Period limits as people write them: read strictly, and refused before anything is looked up."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app import administration
from app.administration import InvalidField

NOBODY: Any = None
"""In the place of a session: what cannot be is refused without one."""

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("hour", "segments", 1), "period"),
        (("day", "messages", 1), "unit"),
        *((("day", unit, most), "most") for unit in ("segments", "credits") for most in (-1, 2**63, 10**16, True, 1.5, "5", None, [1])),
        (("day", "segments", 10**12 + 1), "most"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_before_anything_is_read(words: tuple[Any, ...], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        administration.set_limit(NOBODY, "anna", *words, now=NOW, actor="test")

    assert refused.value.field == field


@pytest.mark.parametrize("unit", ["segments", "credits"])
@pytest.mark.parametrize(
    "text", ["-1x", "", "1e309", "NaN", "1,5", "\uff11\uff12", "1e-9", "\u0663", True, None, [1], 1.5, "9" * 400, "0x10", "1_000"]
)
def test_a_limit_is_read_strictly(unit: str, text: Any) -> None:
    with pytest.raises(InvalidField):
        administration.read_most(unit, text)


@pytest.mark.parametrize(
    ("unit", "text", "most"), [("segments", "1000", 1000), ("segments", 7, 7), ("credits", "12.5", 12_500_000), ("credits", 3, 3_000_000)]
)
def test_a_limit_is_read_exactly(unit: str, text: Any, most: int) -> None:
    assert administration.read_most(unit, text) == most


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"time_zone": "Mars/Olympus", "week_start": 0}, "time_zone"),
        ({"time_zone": "../etc/passwd", "week_start": 0}, "time_zone"),
        ({"time_zone": "", "week_start": 7}, "week_start"),
        ({"time_zone": "", "week_start": -1}, "week_start"),
        ({"time_zone": "", "week_start": True}, "week_start"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        administration.set_calendar(NOBODY, "anna", now=NOW, actor="test", **values)

    assert refused.value.field == field


@pytest.mark.parametrize(("text", "day"), [("Monday", 0), ("sunday", 6), ("3", 3), (" Friday ", 4)])
def test_a_day_of_the_week_is_read(text: str, day: int) -> None:
    assert administration.read_week_start(text) == day


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidField, match="not a day of the week"):
        administration.read_week_start("someday")

"""Geometry of graphs: where the bars of a series stand in a drawing of 1000 by 100, with the ground line in its last hundredth."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1000, 99
TOP = 4
"""Room above the highest bar."""

LEAST = 0.6
"""Least height of a bar that is not nothing, so that it can be seen."""

WIDEST_GAP = 14


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, with the words that tell its value. `left` and `room` are those of its whole place."""

    label: str
    shown: str
    left: float
    room: float
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Graph:
    """A series of bars; `ground` is the height of its zero line."""

    bars: tuple[Bar, ...]
    ground: float

    @property
    def ends(self) -> tuple[str, str, str]:
        """Return the labels of the first, the middle and the last bar."""
        return self.bars[0].label, self.bars[len(self.bars) // 2].label, self.bars[-1].label


def draw(labels: Sequence[str], values: Sequence[int], shown: Sequence[str], *, full: int = 0) -> Graph:
    """Return the bars of a series; values below zero hang from the ground line. Shape: there is at least one.

    The highest bar fills the drawing, unless it is less than `full`.
    """
    highest, lowest = max(*values, full, 1) if max(values) > 0 else 0, min(*values, 0)
    span = max(highest - lowest, 1)
    usable = HEIGHT - TOP
    ground = round(TOP + usable * highest / span, 2) if highest > 0 or lowest < 0 else float(HEIGHT)
    room = WIDTH / len(values)
    gap = min(room * 0.3, WIDEST_GAP)
    bars = []
    for index, (label, value, words) in enumerate(zip(labels, values, shown, strict=True)):
        height = max(usable * abs(value) / span, LEAST) if value else 0.0
        top = ground if value < 0 else ground - height
        left = index * room
        bars.append(
            Bar(
                label,
                words,
                round(left, 2),
                round(room, 2),
                round(left + gap / 2, 2),
                round(top, 2),
                round(room - gap, 2),
                round(height, 2),
            )
        )
    return Graph(tuple(bars), ground)


def shares(values: Sequence[int]) -> list[float]:
    """Return how far the bar of each value reaches, of 100; the largest reaches all the way."""
    largest = max((abs(value) for value in values), default=0)
    return [round(100 * abs(value) / largest, 1) if largest else 0.0 for value in values]

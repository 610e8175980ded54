"""Statistics: sums by quarter of an hour, user, direction, route and provider, made from the journal beside the pipe.

`counting` follows the journal and writes them, `reading` answers from them, `checking` compares them with the rows.
"""

from app.statistics.checking import Difference, check
from app.statistics.counting import BATCH, CONSUMER, catch_up, count_next, rebuild, uncounted_since
from app.statistics.figures import COLUMNS, EVERYBODY, FIGURES, QUARTER, Figure, Sums, Totals
from app.statistics.reading import by_provider, by_route, first_used_at, over_time, total

__all__ = [
    "BATCH",
    "COLUMNS",
    "CONSUMER",
    "EVERYBODY",
    "FIGURES",
    "QUARTER",
    "Difference",
    "Figure",
    "Sums",
    "Totals",
    "by_provider",
    "by_route",
    "catch_up",
    "check",
    "count_next",
    "first_used_at",
    "over_time",
    "rebuild",
    "total",
    "uncounted_since",
]

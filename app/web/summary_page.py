"""What a page with a summary needs: what was asked for, its lines, its graph, and how far the sums reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app import intervals, statistics, summaries
from app.intervals import DEFAULT_PRESET, PRESETS, Interval, InvalidInterval
from app.statistics import FIGURES, Figure, Totals
from app.summaries import Line
from app.web import context
from app.web.database import db
from app.web.filters import credits as shown_credits
from app.web.filters import number
from pennywire import graphs

LATE_AFTER = timedelta(seconds=60)
"""How old an event may be that is not counted yet, before pages say so."""

BESIDE = ("submitted", "messages_sent", "delivered", "failed", "messages_received", "credits_used")
"""The figures that stand in the table beside the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the figure that was asked for, how far its bar reaches of 100, and the figures beside it."""

    label: str
    main: str
    share: float
    others: tuple[str, ...]
    quiet: bool


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """A summary as it is shown. `start` and `end` are what was typed, `errors` what is wrong with it."""

    interval: Interval
    preset: str
    start: str
    end: str
    errors: Mapping[str, str]
    figure: Figure
    by: str
    choices: Mapping[str, str]
    lines: tuple[Line, ...]
    graph: graphs.Graph | None

    @property
    def heading(self) -> str:
        """What the first column holds."""
        return self.interval.unit.capitalize() if self.by == "time" else summaries.BY[self.by]

    @property
    def figures(self) -> Mapping[str, Figure]:
        return FIGURES

    @property
    def beside(self) -> tuple[Figure, ...]:
        return tuple(FIGURES[name] for name in BESIDE if name != self.figure.name)

    @property
    def rows(self) -> list[Row]:
        """The lines, the latest first where they are times."""
        shares = graphs.shares([self.figure.value(line.totals) for line in self.lines])
        rows = [self._row(line.label, line.totals, share) for line, share in zip(self.lines, shares, strict=True)]
        return rows[::-1] if self.by == "time" else rows

    @property
    def together(self) -> Row:
        return self._row("Together", summaries.together(self.lines), 0.0)

    def _row(self, label: str, totals: Totals, share: float) -> Row:
        others = tuple(shown(figure, totals) for figure in self.beside)
        quiet = not any(figure.value(totals) for figure in (self.figure, *self.beside))
        return Row(label, shown(self.figure, totals), share, others, quiet)

    def query(self, **changed: str) -> dict[str, str]:
        """Return the parameters of this summary's address, with some changed."""
        dates = {"preset": self.preset} if self.preset else {"start": self.start, "end": self.end}
        return {**dates, "count": self.figure.name, "by": self.by, **changed}

    def choice_of_presets(self, address: str) -> list[tuple[str, str, bool]]:
        """Return the same summary over each preset, as tabs: label, address, whether it is the present one."""
        same = {"count": self.figure.name, "by": self.by}
        return [(label, f"{address}?{urlencode({'preset': name, **same})}", name == self.preset) for name, label in PRESETS.items()]


def make(
    session: Session,
    given: Mapping[str, str],
    *,
    user_id: int,
    here: ZoneInfo,
    week_start: int,
    by: Mapping[str, str],
    now: datetime,
) -> SummaryPage:
    """Return the summary that the parameters `given` ask for: `preset`, or `start` and `end`; `count`, one of `FIGURES`; `by`."""
    figure = FIGURES.get(given.get("count", ""), next(iter(FIGURES.values())))
    group = given.get("by", "") if given.get("by", "") in by else next(iter(by))
    interval, preset, errors = _interval(given, now, here, week_start)
    typed = (given.get("start", ""), given.get("end", "")) if errors else (str(interval.start), str(interval.end))
    lines = tuple(summaries.lines(session, interval, group, user_id=user_id))
    graph = None
    if group == "time":
        values = [figure.value(line.totals) for line in lines]
        graph = graphs.draw([line.label for line in lines], values, [shown(figure, line.totals) for line in lines])
    return SummaryPage(interval, preset, *typed, errors, figure, group, by, lines, graph)


def _interval(given: Mapping[str, str], now: datetime, here: ZoneInfo, week_start: int) -> tuple[Interval, str, dict[str, str]]:
    """Return the interval, the preset it is, and what is wrong with the days that were typed; these then count for nothing."""
    errors = {}
    if "start" in given or "end" in given:
        try:
            return intervals.of_texts(given.get("start", ""), given.get("end", ""), here), "", {}
        except InvalidInterval as error:
            errors[error.field] = str(error)
    preset = given.get("preset", "") if given.get("preset", "") in PRESETS else DEFAULT_PRESET
    return intervals.of_preset(preset, now, here, week_start=week_start), "" if errors else preset, errors


def shown(figure: Figure, totals: Totals) -> str:
    """Return a figure for people."""
    value = figure.value(totals)
    return shown_credits(value) if figure.amount else number(value)


def behind() -> datetime | None:
    """Return since when nothing has been counted, None where the sums are fresh."""
    oldest = statistics.uncounted_since(db.session())
    return oldest if oldest is not None and context.now() - oldest > LATE_AFTER else None

"""Reports: traffic by day and by where the messages stand, as a table and as bars."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session

from app import intervals, statistics
from app.intervals import Interval
from app.models import Account
from app.snapshot import UserView
from app.statistics import EVERYBODY, Totals
from app.web import context, summary_page
from app.web.database import db

screen = Blueprint("reports", __name__)

SPANS = (7, 14, 30, 90)

GROUPS = ("delivered", "sent", "waiting", "failed")
"""Columns of the table for outbound messages. `sent` waits for its report."""


@dataclass(frozen=True, slots=True)
class Day:
    """The messages that were accepted on one day, by where they stand now. Units: messages; segments; microcredits."""

    day: date
    totals: Totals

    @property
    def outbound(self) -> dict[str, int]:
        sums = self.totals.outbound
        return {
            "delivered": sums.standing_delivered_count,
            "sent": sums.standing_sent_count,
            "waiting": sums.standing_waiting_count,
            "failed": sums.standing_failed_count,
        }

    @property
    def total(self) -> int:
        return self.totals.outbound.accepted_count

    @property
    def segment_count(self) -> int:
        return self.totals.outbound.accepted_segment_count

    @property
    def price_uc(self) -> int:
        return self.totals.outbound.charged_uc

    @property
    def received_count(self) -> int:
        return self.totals.inbound.accepted_count


def last_days(session: Session, count: int, *, user_id: int, now: datetime, here: ZoneInfo) -> list[Day]:
    """Return one line for each of the last days, today the last, also for those without traffic."""
    today = now.astimezone(here).date()
    interval = Interval(today - timedelta(days=count - 1), today, here)
    days = [interval.start + timedelta(days=number) for number in range(count)]
    boundaries = [*(intervals.midnight(day, here) for day in days), interval.until]
    return [Day(day, totals) for day, totals in zip(days, statistics.over_time(session, boundaries, user_id=user_id), strict=True)]


def zone_of(session: Session, view: UserView | None) -> ZoneInfo:
    """Return the time zone in which a user's days are told; without one, the gateway's."""
    account = session.get(Account, view.account_id) if view is not None else None
    return intervals.zone_of(account.time_zone if account is not None else "", context.snapshot().options)


def whose(wanted: str) -> tuple[UserView | None, int]:
    """Return the user whose traffic is shown, and his number in the sums: a customer sees his own only."""
    if context.visible_users() is not None:
        return context.user(), context.user().id
    view = context.snapshot().user(wanted)
    return view, view.id if view is not None else (NOBODY if wanted else EVERYBODY)


NOBODY = -1
"""Stands for a name that nobody has: there are no sums of it."""


@screen.get("/reports/traffic", endpoint="traffic")
def traffic_report() -> str:
    """Show the traffic of the last days, of all users or of one."""
    span = next((span for span in SPANS if str(span) == request.args.get("days", "")), SPANS[1])
    wanted = request.args.get("user", "").strip()
    view, user_id = whose(wanted)
    session = db.session()
    here = zone_of(session, view)
    days = last_days(session, span, user_id=user_id, now=context.now(), here=here)
    unknown = bool(wanted) and user_id == NOBODY
    values = {"span": span, "spans": SPANS, "groups": GROUPS, "user_name": wanted, "unknown": unknown, "zone": here.key}
    return render_template("reports/traffic.html", days=days, behind=summary_page.behind(), **values)

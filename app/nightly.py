"""The nightly check of the ledger: when it is due, its result, and the alarm that a fault raises."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.administration.options import CHECK_HOUR, DEFAULT_CHECK_HOUR, DEFAULT_TIME_ZONE, TIME_ZONE
from app.models import AuditEntry, LedgerCheck
from app.notices import NoticeKind, end_notices, open_notices, raise_notice
from app.periods import zone
from app.verify import Verification

RETRY_AFTER = timedelta(minutes=10)
"""When a check that could not be finished is begun again."""

LOST_AFTER = timedelta(hours=2)
"""A check that has not ended by then has lost its engine."""

KEPT_CHECKS = 400
OFF = "off"


def last_due(options: Mapping[str, Any], *, now: datetime) -> datetime | None:
    """Return the last moment at which a check was due, by the hour and the time zone of the gateway; None where it is off."""
    hour = str(options.get(CHECK_HOUR) or DEFAULT_CHECK_HOUR)
    if hour == OFF:
        return None
    here = zone(str(options.get(TIME_ZONE) or DEFAULT_TIME_ZONE))
    today = now.astimezone(here).date()
    moments = (datetime.combine(day, time(int(hour)), here).astimezone(UTC) for day in (today, today - timedelta(days=1)))
    return next(moment for moment in moments if moment <= now)


def begin(session: Session, options: Mapping[str, Any], *, now: datetime) -> int | None:
    """Begin a check if one is due, and return its number. A gateway that was down at the hour makes up for it when it is back."""
    due_at = last_due(options, now=now)
    if due_at is None or not _is_due(session, due_at, now):
        return None
    check = LedgerCheck(started_at=now, totals={}, counts={}, findings=[])
    session.add(check)
    session.flush()
    old = select(LedgerCheck).order_by(LedgerCheck.id.desc()).offset(KEPT_CHECKS)
    for row in session.scalars(old):
        session.delete(row)
    return check.id


def _is_due(session: Session, due_at: datetime, now: datetime) -> bool:
    last = session.scalars(select(LedgerCheck).order_by(LedgerCheck.id.desc()).limit(1)).first()
    if last is None:
        # A new installation waits for its first night.
        installed_at = session.execute(select(func.min(AuditEntry.at))).scalar()
        return installed_at is not None and installed_at < due_at
    if last.ended_at is None:
        return now - last.started_at > LOST_AFTER
    return last.started_at < due_at or (bool(last.error) and now - last.ended_at > RETRY_AFTER)


def finish(session: Session, check_id: int, result: Verification, *, now: datetime) -> None:
    """Keep the result; a fault raises an alarm, and a check without one ends it."""
    check = session.get_one(LedgerCheck, check_id)
    check.ended_at, check.correct = now, result.correct
    check.totals = dict(result.totals)
    check.counts = {result.titles[kind]: count for kind, count in result.counts.items()}
    check.findings = [asdict(item) | {"kind": result.titles[item.kind]} for item in result.findings]
    end_notices(session, NoticeKind.LEDGER_FAULT, now=now, account_id=None)
    if not result.correct:
        found = "; ".join(f"{title}: {count}" for title, count in check.counts.items())
        text = f"The nightly check of the ledger found what does not match. {found}. See System / Ledger check."
        raise_notice(session, NoticeKind.LEDGER_FAULT, text, now=now)


def give_up(session: Session, check_id: int, error: str, *, now: datetime) -> None:
    """Keep why a check could not be finished. It is an alarm too, once: what is not checked may be wrong."""
    check = session.get_one(LedgerCheck, check_id)
    check.ended_at, check.error = now, error
    if not any(notice.kind == NoticeKind.LEDGER_FAULT for notice in open_notices(session, gateway_only=True)):
        text = f"The nightly check of the ledger could not be finished: {error} It is tried again in {RETRY_AFTER.seconds // 60} minutes."
        raise_notice(session, NoticeKind.LEDGER_FAULT, text, now=now)


def last_checks(session: Session, limit: int = 14) -> list[LedgerCheck]:
    """Return the last checks, newest first."""
    return list(session.scalars(select(LedgerCheck).order_by(LedgerCheck.id.desc()).limit(limit)))

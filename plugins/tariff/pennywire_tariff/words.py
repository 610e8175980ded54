"""Price lists in plain values, for the command line and for programs over HTTP: amounts are decimal text, times RFC 3339."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pennywire import InvalidSetting, JobView
from pennywire.money import format_credits
from pennywire_tariff import previews
from pennywire_tariff.comparing import Bill, Differences, Month, Preview
from pennywire_tariff.importing import Report
from pennywire_tariff.jobs import IMPORT, NETWORKS
from pennywire_tariff.lists import activations, assignments, states
from pennywire_tariff.models import Entry, PriceList, Version
from pennywire_tariff.moments import to_us
from pennywire_tariff.parsing import Line, Wrong, key_in_words, read_key, read_moment, read_price

Values = dict[str, Any]

_FORMULA = frozenset("=+-@\t\r")
"""What a spreadsheet takes for the beginning of a formula."""


def moment(text: str) -> datetime | None:
    """Read a moment as people and programs give it; nothing is None. Raises: InvalidSetting."""
    try:
        return read_moment(text.strip(), "time")
    except Wrong as error:
        raise InvalidSetting("at", str(error)) from error


def line_of(row: PriceList, given: dict[str, str]) -> Line:
    """Return an entry of what somebody typed. Raises: InvalidSetting."""
    mcc, dash, mnc = given["key"].strip().partition("-")
    field = "key"
    try:
        key = read_key("", mcc, mnc) if dash else read_key(mcc, "", "")
        field = "price"
        price_uc = read_price(given["price"].strip(), negative_allowed=row.direction == "inbound")
        field = "effective"
        since = read_moment(given["effective"].strip(), "effective date")
        field = "end"
        until = read_moment(given["end"].strip(), "end date", end=True)
        if since is not None and until is not None and until <= since:
            raise Wrong("It ends before it begins.")
    except ValueError as error:
        raise InvalidSetting(field, str(error)) from error
    since_us, until_us = (None if moment is None else to_us(moment) for moment in (since, until))
    return Line(0, *key, price_uc, since_us, until_us, given["name"].strip()[:80])


def at_text(value: datetime | None) -> str | None:
    """Return a moment as RFC 3339."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def credits_text(amount_uc: int | None) -> str | None:
    """Return an amount as decimal text."""
    return None if amount_uc is None else format_credits(amount_uc)


def list_values(session: Session, row: PriceList, now: datetime) -> Values:
    """Return a list with who pays by it and the number of the version that holds."""
    of_versions = states(session, row, now)
    numbers = {version.id: version.number for version in versions_of(session, row)}
    active = next((numbers[key] for key, state in of_versions.items() if state == "active"), None)
    return {
        "name": row.name,
        "side": row.side,
        "direction": row.direction,
        "currency": row.currency,
        "provider": row.provider,
        "active_version": active,
        "version_count": len(numbers),
        "assigned_to": [f"{item.kind} {item.name}".strip() for item in assignments(session, row)],
    }


def versions_of(session: Session, row: PriceList) -> Sequence[Version]:
    """Return the versions of a list, newest first."""
    return session.scalars(select(Version).where(Version.list_id == row.id).order_by(Version.number.desc())).all()


def version_values(session: Session, row: PriceList, now: datetime, shown: Callable[[datetime], Any] = at_text) -> list[Values]:
    """Return the versions of a list with their states and the moments from which they hold or held, as `shown`."""
    of_versions = states(session, row, now)
    starts: dict[int, list[datetime]] = {}
    for item in activations(session, row.id):
        starts.setdefault(item.version_id, []).append(item.at)
    return [
        {
            "number": version.number,
            "state": of_versions[version.id],
            "entry_count": version.entry_count,
            "origin": version.origin,
            "created_at": at_text(version.created_at),
            "created_by": version.created_by,
            "job": version.job_number,
            "holds_from": [shown(start) for start in starts.get(version.id, [])],
        }
        for version in versions_of(session, row)
    ]


def activation_values(session: Session, row: PriceList, now: datetime, shown: Callable[[datetime], Any] = at_text) -> list[Values]:
    """Return the activations of a list in the order in which they take effect."""
    numbers = {version.id: version.number for version in versions_of(session, row)}
    return [
        {"id": item.id, "version": numbers[item.version_id], "at": shown(item.at), "by": item.created_by, "past": item.at <= now}
        for item in activations(session, row.id)
    ]


def last_day(end_at: datetime) -> str:
    """Return an end as files say it: the last day that it includes, or the exact moment."""
    whole = end_at.hour == end_at.minute == end_at.second == end_at.microsecond == 0
    return (end_at - timedelta(days=1)).date().isoformat() if whole else str(at_text(end_at))


def first_day(effective_at: datetime) -> str:
    """Return a beginning as files say it: a day, or the exact moment."""
    whole = effective_at.hour == effective_at.minute == effective_at.second == effective_at.microsecond == 0
    return effective_at.date().isoformat() if whole else str(at_text(effective_at))


def entry_values(row: Entry) -> Values:
    """Return an entry as a file would write it."""
    return {
        "id": row.id,
        "key": key_in_words(row.prefix, row.mcc, row.mnc),
        "prefix": row.prefix,
        "mcc": row.mcc,
        "mnc": row.mnc,
        "price": format_credits(row.price_uc),
        "effective": first_day(row.effective_at) if row.effective_at else "",
        "end": last_day(row.end_at) if row.end_at else "",
        "name": row.name,
    }


def report_values(report: Report) -> Values:
    """Return the report of an import."""
    values = report.as_dict()
    for kind in ("errors", "warnings"):
        values[kind] = [{"line": line, "reason": words} for line, words in values[kind]]
    return values | {"accepted": not report.refused}


def job_values(job: JobView) -> Values:
    """Return a job for programs; `result` is what its kind answers when it is done."""
    return job_line(job) | {"result": None if job.result is None else _RESULTS[job.kind](job.result)}


def job_line(job: JobView) -> Values:
    """Return a job for a list of jobs, without its result, which may be long."""
    return {
        "job": job.number,
        "kind": job.kind,
        "list": job.payload["list"],
        "state": job.state.value,
        "cancelling": job.cancelling,
        "done": job.done_count,
        "total": job.total_count,
        "error": job.error,
        "created_at": at_text(job.created_at),
        "created_by": job.username,
        "started_at": at_text(job.started_at),
        "finished_at": at_text(job.finished_at),
        "address": f"/api/v1/tariff/jobs/{job.number}",
    }


def _imported(result: Mapping[str, Any]) -> Values:
    return report_values(Report(**result))


def _previewed(result: Mapping[str, Any]) -> Values:
    return preview_values(previews.of_values(result))


_RESULTS: Mapping[str, Callable[[Mapping[str, Any]], Values]] = {IMPORT: _imported, NETWORKS: _imported, previews.PREVIEW: _previewed}


def bill_values(bill: Bill) -> Values:
    """Return one customer's figures."""
    return {
        "user": bill.username,
        "message_count": bill.message_count,
        "segment_count": bill.segment_count,
        "was": format_credits(bill.was_uc),
        "would": format_credits(bill.would_uc),
        "change": format_credits(bill.change_uc),
        "unpriced_count": bill.unpriced_count,
    }


def month_values(month: Month) -> Values:
    """Return a month's figures."""
    return {
        "since": at_text(month.since),
        "until": at_text(month.until),
        "users": [bill_values(bill) for bill in month.bills],
        "total": bill_values(month.total),
    }


def preview_values(found: Preview) -> Values:
    """Return what an activation would change."""
    return {
        "at": at_text(found.at),
        "compared_with": found.base,
        "counts": found.differences.counts,
        "changes": _changes(found.differences),
        "month": month_values(found.month),
    }


def _changes(found: Differences) -> Values:
    return {
        kind: [
            {"key": item.key, "name": item.name, "before": credits_text(item.before_uc), "after": credits_text(item.after_uc)}
            for item in changes
        ]
        for kind, changes in found.changes.items()
    }


def csv_line(row: Entry) -> str:
    """Return an entry as a line of the file that an import reads. A name is quoted, and never a formula."""
    values = entry_values(row)
    key = ["*", "", ""] if values["key"] == "default" else [row.prefix, row.mcc, row.mnc]
    name = row.name.replace('"', '""')
    if name[:1] in _FORMULA:
        name = f"'{name}"
    return ";".join((*key, values["price"], values["effective"], values["end"], f'"{name}"')) + "\r\n"

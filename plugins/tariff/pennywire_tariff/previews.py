"""Previews of long versions, and of months with many messages: an engine makes them, and they are shown while they are fresh."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from pennywire import JobFailed, JobState, JobView, RunningJob, Storage
from pennywire_tariff import comparing
from pennywire_tariff.comparing import Bill, Change, Differences, Month, Preview
from pennywire_tariff.lists import present_version
from pennywire_tariff.models import PriceList, Version

PREVIEW = "tariff.preview"
MANY_PRICES = 2_000
MANY_MESSAGES = 20_000
"""Versions and months up to these are looked through while somebody waits: some tenths of a second."""

FRESH_FOR = timedelta(minutes=5)
"""How long a preview is shown again that an engine has made."""


def preview(gateway: Storage, row: PriceList, version: Version, *, at: datetime | None, month: str) -> Preview | JobView:
    """Return what a version would change, or the job that is finding it out. `at` is None for now.

    Raises: InvalidSetting.
    """
    since, until = comparing.month_of(month, gateway.now)
    with gateway.read() as session:
        base = present_version(session, row, at or gateway.now)
    prices = max(version.entry_count, base.entry_count if base else 0)
    if prices <= MANY_PRICES and not _are_many(gateway, since, until):
        return comparing.preview(gateway, row, version, at=at or gateway.now, month=month)
    asked = {
        "list_id": row.id,
        "list": row.name,
        "version_id": version.id,
        "version": version.number,
        "edit_count": version.edit_count,
        "base": base.number if base else None,
        "at": at.isoformat() if at else "",
        "month": f"{since:%Y-%m}",
    }
    job = _fresh(gateway, asked) or gateway.job(gateway.start_job(PREVIEW, asked))
    assert job is not None, "A job that was started is there."
    return of_values(job.result) if job.result is not None else job


def _are_many(gateway: Storage, since: datetime, until: datetime) -> bool:
    return next(islice(gateway.messages(since, until), MANY_MESSAGES, None), None) is not None


def _fresh(gateway: Storage, asked: Mapping[str, Any]) -> JobView | None:
    """Return a job that was asked for the same, and is under way or made it a short time ago."""
    for job in gateway.jobs(PREVIEW):
        fresh = job.finished_at is not None and gateway.now - job.finished_at < FRESH_FOR
        if job.payload == asked and not job.cancelling and (not job.state.is_end or (job.state is JobState.DONE and fresh)):
            return job
    return None


def work(job: RunningJob) -> Mapping[str, Any]:
    """Make the preview that was asked for."""
    asked, gateway = job.payload, job.gateway
    with gateway.read() as session:
        row, version = session.get(PriceList, asked["list_id"]), session.get(Version, asked["version_id"])
    if row is None or version is None:
        raise JobFailed(f"Version {asked['version']} of {asked['list']} was removed meanwhile.")
    at = datetime.fromisoformat(asked["at"]) if asked["at"] else gateway.now
    return to_values(comparing.preview(gateway, row, version, at=at, month=asked["month"], progress=job.progress))


def to_values(found: Preview) -> dict[str, Any]:
    """Return a preview as plain values, to be kept."""
    month = found.month
    bills = {"bills": [asdict(bill) for bill in month.bills], "total": asdict(month.total)}
    return {
        "at": found.at.isoformat(),
        "base": found.base,
        "counts": found.differences.counts,
        "changes": {kind: [list(change) for change in changes] for kind, changes in found.differences.changes.items()},
        "month": {"since": month.since.isoformat(), "until": month.until.isoformat(), **bills},
    }


def of_values(values: Mapping[str, Any]) -> Preview:
    """Return a preview that was kept."""
    month = values["month"]
    since, until = (datetime.fromisoformat(month[name]).astimezone(UTC) for name in ("since", "until"))
    changes = {kind: [Change(*change) for change in changes] for kind, changes in values["changes"].items()}
    return Preview(
        datetime.fromisoformat(values["at"]).astimezone(UTC),
        values["base"],
        Differences({**Differences().counts, **values["counts"]}, {**Differences().changes, **changes}),
        Month(since, until, [Bill(**bill) for bill in month["bills"]], Bill(**month["total"])),
    )

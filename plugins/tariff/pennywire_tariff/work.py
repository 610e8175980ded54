"""The pages of jobs: how far an import is, and what came of it."""

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from pennywire import JobView
from pennywire.forms import Form
from pennywire.ui import gateway
from pennywire_tariff import jobs, previews, shapes
from pennywire_tariff.blueprint import Answer, view
from pennywire_tariff.models import PriceList, Version


def found_job(number: int) -> JobView:
    """Return one of our jobs. Raises: NotFound."""
    job = jobs.find_job(gateway(), number)
    return job if job is not None else abort(404)


@view("/jobs/<int(max=9007199254740991):number>")
def job_page(number: int) -> Answer:
    """Show how far a job is, and its result. While it has not ended, htmx asks again for what changes."""
    job = found_job(number)
    with gateway().read() as session:
        row = session.get(PriceList, job.payload.get("list_id", 0))
        version = session.get(Version, job.payload.get("version_id", 0))
    at = job.payload.get("at", "").replace("+00:00", "Z")
    is_preview = job.kind == previews.PREVIEW
    shown = {
        "job": job,
        "row": row,
        "name": row.name if row else job.payload["list"],
        "version": version,
        "is_preview": is_preview,
        "is_networks": job.kind == jobs.NETWORKS,
        "report": None if is_preview else job.result,
        "result": previews.of_values(job.result) if is_preview and job.result else None,
        "at": at,
        "form": Form(shapes.PREVIEW, {"at": at, "month": job.payload.get("month", "")}),
    }
    if "HX-Request" not in request.headers:
        return render_template("tariff/job.html", **shown)
    response: Response = make_response(render_template("tariff/_job.html", **shown))
    response.add_etag()
    return response.make_conditional(request)


@view("/jobs/<int(max=9007199254740991):number>/cancel", methods=("POST",))
def cancel_job(number: int) -> Answer:
    """Cancel a job; nothing stays of an import."""
    if gateway().cancel_job(found_job(number).number):
        flash("The job is told to end.")
    else:
        flash("The job had ended before.", "bad")
    return redirect(url_for("tariff.job_page", number=number), 303)

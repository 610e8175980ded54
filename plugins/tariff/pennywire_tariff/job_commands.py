"""Commands about jobs: what engines import and preview for those who asked by browser or over HTTP."""

import sys
import time

import click

from pennywire import InvalidSetting, JobView
from pennywire.ui import Answers, gateway
from pennywire_tariff import jobs, words
from pennywire_tariff.lists import NotThere

LOOK_EVERY_S = 1.0


def _found(number: int) -> JobView:
    job = jobs.find_job(gateway(), number)
    if job is None:
        raise NotThere("job", f"There is no job {number}. Those that ended are kept for a week.")
    return job


@click.command("jobs")
@click.pass_obj
def list_jobs(answers: Answers) -> None:
    """List the imports and previews of a week that engines made or are making, newest first."""
    rows = [words.job_line(job) for job in gateway().jobs(jobs.OURS)]
    columns = {"job": "JOB", "kind": "KIND", "list": "LIST", "state": "STATE", "done": "DONE", "total": "OF", "created_by": "BY"}
    answers.answer_table(rows, columns, empty="There is no job. Files that are sent by browser or over HTTP make some.")


@click.command("job")
@click.argument("number", type=int)
@click.option("--wait", is_flag=True, help="Wait for its end, and tell meanwhile how far it is.")
@click.pass_obj
def job(answers: Answers, number: int, wait: bool) -> int:
    """Show a job and its result. Exit status 1 where it failed or was cancelled, or its file was refused."""
    found = _found(number)
    while wait and not found.state.is_end:
        if sys.stderr.isatty():
            of_total = f" of {found.total_count:,}" if found.total_count else ""
            click.echo(f"{found.state.value}, {found.done_count:,}{of_total} …", err=True)
        time.sleep(LOOK_EVERY_S)
        found = _found(number)
    values = words.job_values(found)
    result = values["result"] or {}
    answers.answer(
        values,
        "\n".join(
            [f"Job {number} ({', '.join(filter(None, (found.kind, values['list'])))}) is {found.state.value}.", *_said(found, result)]
        ),
    )
    return int((found.state.is_end and found.state.value != "done") or result.get("accepted") is False)


def _said(found: JobView, result: words.Values) -> list[str]:
    """Return what people should read of a job's end, a line for each finding."""
    if found.error or not result:
        return [found.error] if found.error else []
    if "accepted" not in result:
        return [", ".join(f"{count:,} {kind}" for kind, count in result["counts"].items())]
    lines = [f"line {item['line']}: {item['reason']}" for item in result["errors"]]
    lines += [f"line {item['line']}: warning: {item['reason']}" for item in result["warnings"]]
    if found.kind == jobs.NETWORKS and result["accepted"]:
        return [f"{result['entry_count']:,} prefixes are known by their networks."]
    kept = f"Version {result['version']} is a draft with {result['entry_count']:,} prices."
    return [*lines, kept if result["accepted"] else result["failure"] or f"Nothing is kept: {result['error_count']:,} lines are wrong."]


@click.command("cancel-job")
@click.argument("number", type=int)
@click.pass_obj
def cancel_job(answers: Answers, number: int) -> None:
    """Cancel a job; nothing stays of an import."""
    if not gateway().cancel_job(_found(number).number):
        raise InvalidSetting("job", f"Job {number} has ended already.")
    answers.answer(words.job_values(_found(number)), f"Job {number} is told to end.")


COMMANDS: tuple[click.Command, ...] = (list_jobs, job, cancel_job)

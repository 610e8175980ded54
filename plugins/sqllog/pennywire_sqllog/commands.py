"""`pennywire sqllog`: the same as the page, and replaying what happened long ago."""

from datetime import UTC, datetime

import click

from pennywire import InvalidSetting, NotTaken
from pennywire.ui import Answers, gateway
from pennywire_sqllog.database import create_tables, missing_tables, try_connection
from pennywire_sqllog.recording import Recorder, happened, write_test_row
from pennywire_sqllog.settings import PLUGIN, Plan, read_plan


@click.group()
def sqllog() -> None:
    """The SQL logger: every message in a database or in files of your own."""


def _plan(*, database: bool = True) -> Plan:
    try:
        plan = read_plan(gateway().plugin_settings(PLUGIN))
    except InvalidSetting as error:
        raise click.ClickException(f"{error.name}: {error.reason}") from error
    if database and plan.url is None:
        raise click.ClickException("There is no database yet. Name one: pennywire plugins set sqllog --set database_url=URL")
    return plan


@sqllog.command("status")
@click.pass_obj
def status(answers: Answers) -> None:
    """Show where the log goes, how much waits, and what keeps it."""
    plan, journal = _plan(database=False), gateway().journal_status(PLUGIN)
    value = {
        "database": plan.url.render_as_string(hide_password=True) if plan.url else "",
        "own_sql": plan.statements is not None,
        "files": str(plan.files.folder) if plan.files else "",
        "following": journal.following,
        "backlog_count": journal.backlog_count,
        "oldest_at": journal.oldest_at,
        "moved_at": journal.moved_at,
        "last_error": journal.last_error,
    }
    width = max(map(len, value))
    answers.answer(value, "\n".join(f"{name.ljust(width)}  {shown if shown is not None else ''}".rstrip() for name, shown in value.items()))


@sqllog.command("test")
@click.pass_obj
def test(answers: Answers) -> None:
    """Connect, and write a message of each direction, which is taken away again."""
    plan, recorder = _plan(), Recorder()
    try:
        name = try_connection(recorder.target, plan)
        missing = missing_tables(recorder.target, plan)
        if missing and plan.statements is None:
            raise click.ClickException(
                f"The database answers ({name}); missing: {', '.join(missing)}. Make them: pennywire sqllog create-tables"
            )
        written = write_test_row(recorder.target, plan)
    except NotTaken as error:
        raise click.ClickException(str(error)) from error
    finally:
        recorder.close()
    answers.answer({"database": name, "written": written}, f"{name} answers. Written, read back and taken away: {', '.join(written)}.")


@sqllog.command("create-tables")
@click.pass_obj
def create(answers: Answers) -> None:
    """Make the tables that the settings use and that are not there."""
    plan, recorder = _plan(), Recorder()
    try:
        made = create_tables(recorder.target, plan)
    except NotTaken as error:
        raise click.ClickException(str(error)) from error
    finally:
        recorder.close()
    answers.answer({"created": made}, f"Made: {', '.join(made)}." if made else "The tables are there already.")


@sqllog.command("replay")
@click.option("--from", "since", required=True, metavar="TIME", help="Messages accepted from then on: 2026-01-31, or 2026-01-31T14:30.")
@click.option("--until", metavar="TIME", help="And before then.")
@click.option("--own-sql", is_flag=True, help="Run your own statements again; they must bear that.")
@click.pass_obj
def replay(answers: Answers, since: str, until: str | None, own_sql: bool) -> None:
    """Write messages of the past into the database once more: rows that are there are brought up to date, none is doubled."""
    plan, recorder = _plan(), Recorder()
    if plan.statements is not None and not own_sql:
        raise click.ClickException("Your own SQL would run again for each message. If it bears that, say --own-sql.")
    begin, end = _moment(since, plan), _moment(until, plan) if until else None
    messages: set[str] = set()
    count = 0
    try:
        for batch, views in gateway().past_events(begin, end):
            news = happened(batch, views)
            recorder.record_in_database(news, plan, again=True)
            # Only what may come again in the next batch is remembered.
            fresh = {message.message_id for _, _, message in news}
            count += len(fresh - messages)
            messages = fresh
    except NotTaken as error:
        raise click.ClickException(f"{error} Written before that: {count} messages. The same command goes on where it stopped.") from error
    finally:
        recorder.close()
    answers.answer({"replayed": count}, f"{count} messages are in the log as they are now.")


def _moment(text: str, plan: Plan) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.ClickException(f"{text} is no time. Write 2026-01-31, or 2026-01-31T14:30.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=plan.zone)).astimezone(UTC)

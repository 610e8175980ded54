"""What several commands share: how files are written, and how an import's report is told."""

from typing import Any

import click

from pennywire.ui import Answers
from pennywire_tariff import words
from pennywire_tariff.importing import Report
from pennywire_tariff.parsing import DELIMITERS, ENCODINGS


def form_options(command: Any) -> Any:
    """Give a command the options that say how a file is written."""
    for option in (
        click.option("--encoding", type=click.Choice(list(ENCODINGS)), default="auto", show_default=True, help="auto is UTF-8."),
        click.option("--delimiter", type=click.Choice(list(DELIMITERS)), default="auto", show_default=True),
        click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help="What stands before decimals."),
    ):
        command = option(command)
    return command


def answer_report(answers: Answers, report: Report, done: str) -> int:
    """Tell what an import found; return the exit status."""
    lines = [f"line {line}: {text}" for line, text in report.errors] + [f"line {line}: warning: {text}" for line, text in report.warnings]
    more = report.error_count + report.warning_count - len(lines)
    lines += [f"… and {more:,} more"] if more else []
    end = (
        done
        if not report.refused
        else report.failure or f"Nothing is kept: {report.error_count:,} of {report.line_count:,} lines are wrong."
    )
    answers.answer(words.report_values(report), "\n".join([*lines, end]))
    return int(report.refused)

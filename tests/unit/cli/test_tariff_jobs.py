"""Jobs of price lists on the command line, where the engine is this test."""

import threading
from pathlib import Path
from typing import Any

import pytest
from pennywire_tariff import job_commands, jobs
from pennywire_tariff.parsing import Form

from app.config import load
from app.core import Core, open_core
from app.engine.jobs import JobRunner
from app.gateway import OpenGateway

Line = Any


@pytest.fixture
def core(line: Line, data: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The gateway of these commands, with a list, where two lines are a long file."""
    line("tariff", "add", "Retail")
    monkeypatch.setattr(jobs, "SMALL_LINES", 1)
    opened = open_core(load({"data": data}))
    yield opened
    opened.close()


def start(core: Core, tmp_path: Path, text: str) -> int:
    path = tmp_path / "prices.csv"
    path.write_text(text)
    with path.open("rb") as file:
        number = jobs.start_import(OpenGateway(core, "root", "administrator"), "Retail", file, Form(), origin="prices.csv")
    assert isinstance(number, int)
    return number


def work(core: Core, number: int) -> None:
    """Do what an engine does, until the job has ended."""
    duty, pause = JobRunner(core, "test", worked_at=lambda: 0.0, on_failure=lambda _error: None), threading.Event()
    desk = OpenGateway(core, "root", "administrator")
    for _ in range(1000):
        duty.turn()
        found = desk.job(number)
        if found is not None and found.state.is_end:
            return
        pause.wait(0.01)
    raise AssertionError("The job did not end.")


def test_a_job_is_listed_shown_and_waited_for(line: Line, core: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_commands, "LOOK_EVERY_S", 0.01)
    number = start(core, tmp_path, "36;1\n43;2\n")
    waiting = line.json("tariff", "job", str(number))
    engine = threading.Thread(target=work, args=(core, number))
    engine.start()
    waited = line("tariff", "job", str(number), "--wait")
    engine.join()

    assert (waiting["state"], waiting["result"]) == ("waiting", None)
    assert waited.splitlines()[:2] == [f"Job {number} (tariff.import, Retail) is done.", "Version 1 is a draft with 2 prices."]
    assert [(row["job"], row["state"]) for row in line.json("tariff", "jobs")] == [(number, "done")]


def test_a_job_whose_file_is_refused_names_the_lines_and_ends_with_1(line: Line, core: Core, tmp_path: Path) -> None:
    number = start(core, tmp_path, "36;1\nx;2\n999;1\n")
    work(core, number)

    said = line("tariff", "job", str(number), status=1)

    assert "line 2: 'x' is not a prefix." in said
    assert "line 3: warning: No numbering plan knows the prefix 999." in said
    assert "Nothing is kept: 1 lines are wrong." in said


def test_a_job_is_cancelled_once(line: Line, core: Core, tmp_path: Path) -> None:
    number = start(core, tmp_path, "36;1\n43;2\n")
    cancelled = line("tariff", "cancel-job", str(number))
    again = line("tariff", "cancel-job", str(number), status=1)
    shown = line("tariff", "job", str(number), status=1)

    assert cancelled.startswith(f"Job {number} is told to end.")
    assert f"Job {number} has ended already." in again
    assert "is cancelled." in shown


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("command", ["job", "cancel-job"])
def test_a_job_that_is_not_there_is_said(line: Line, command: str) -> None:
    assert "There is no job 9." in line("tariff", command, "9", status=1)
    assert "There is no job." in line("tariff", "jobs")

"""Files of the log: whole lines, each event once, a new file by size and by day."""

import csv
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pennywire_sqllog.events import KEYWORDS
from pennywire_sqllog.files import FileLog, Line
from pennywire_sqllog.settings import Files

from pennywire import NotTaken


def files(folder: Path, form: str = "csv", **given: Any) -> Files:
    return Files(folder, form, given.get("size_octets", 1_000_000), given.get("daily", True), synced=True)


def line(number: int, **values: Any) -> Line:
    name = f"{number:013}"
    told = dict.fromkeys(KEYWORDS) | {"msgid": name} | values
    return Line(f"{name}:1", {"event": "accepted", "at": "2026-03-01 12:00:00.000", "version": 1, **told})


def rows(folder: Path, form: str) -> list[str]:
    """Return the ids in all files, the oldest file first."""
    found: list[str] = []
    for path in sorted(folder.glob(f"*.{form}"), key=lambda path: path.stat().st_mtime_ns):
        with path.open(newline="", encoding="utf-8") as file:
            found += [json.loads(text)["msgid"] for text in file] if form == "jsonl" else [row["msgid"] for row in csv.DictReader(file)]
    return found


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_batch_that_comes_again_is_written_once(tmp_path: Path, form: str) -> None:
    FileLog(files(tmp_path, form)).append([line(1), line(2, msgdata="two\nlines \\ \u2028")])
    FileLog(files(tmp_path, form)).append([line(1), line(2), line(3)])

    assert rows(tmp_path, form) == [line(number).values["msgid"] for number in (1, 2, 3)]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_half_a_line_of_a_power_cut_is_taken_away(tmp_path: Path, form: str) -> None:
    FileLog(files(tmp_path, form)).append([line(1), line(2)])
    path = tmp_path / f"sqllog.{form}"
    path.write_bytes(path.read_bytes()[:-7])

    FileLog(files(tmp_path, form)).append([line(1), line(2)])

    assert rows(tmp_path, form) == [line(1).values["msgid"], line(2).values["msgid"]]


def test_a_full_file_gets_its_final_name_and_nothing_is_doubled(tmp_path: Path) -> None:
    log = FileLog(files(tmp_path, size_octets=10))
    for number in range(5):
        log.append([line(number)])
    FileLog(files(tmp_path, size_octets=10)).append([line(4), line(5)])

    assert len(list(tmp_path.glob("sqllog-*.csv"))) == 5
    assert sorted(rows(tmp_path, "csv")) == [line(number).values["msgid"] for number in range(6)]


@pytest.mark.parametrize(("daily", "count"), [(True, 2), (False, 1)])
def test_another_day_begins_another_file(tmp_path: Path, daily: bool, count: int) -> None:
    log = FileLog(files(tmp_path, daily=daily))
    log.append([line(1)])
    yesterday = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    os.utime(tmp_path / "sqllog.csv", (yesterday, yesterday))

    log.append([line(2)])

    assert len(list(tmp_path.glob("*.csv"))) == count


def test_no_text_is_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    FileLog(files(tmp_path)).append([line(1, msgdata="=HYPERLINK(1)", receiver="+36201234567", sender="@x", price="-0.5")])

    with (tmp_path / "sqllog.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)

    assert [row[name] for name in ("msgdata", "receiver", "sender", "price")] == ["'=HYPERLINK(1)", "+36201234567", "'@x", "-0.5"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(NotTaken, match="cannot be written"):
        FileLog(files(tmp_path / "file" / "folder")).append([line(1)])


def test_a_disk_that_fills_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FileLog(files(tmp_path))
    log.append([line(1)])
    whole, write = (tmp_path / "sqllog.csv").read_bytes(), os.write
    calls: list[int] = []

    def short(handle: int, data: bytes) -> int:
        calls.append(handle)
        if len(calls) == 1:
            return write(handle, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(NotTaken, match="No space left on device"):
        log.append([line(2)])
    monkeypatch.undo()

    assert (tmp_path / "sqllog.csv").read_bytes() == whole
    log.append([line(2)])
    assert rows(tmp_path, "csv") == [line(1).values["msgid"], line(2).values["msgid"]]

"""CSV and JSON lines: appended a batch at a time, begun anew by size and by day, never left with half a line."""

import csv
import fcntl
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pennywire import NotTaken
from pennywire_sqllog.events import KEYWORDS
from pennywire_sqllog.settings import Files

COLUMNS = ("event", "at", "version", *KEYWORDS)
NAME = "sqllog"
TAIL_OCTETS = 4_000_000
"""How much of a file is read after a start, to find what a batch that comes again has written already."""

_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_CONTROL = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event as a line. `key` recognises it when its batch comes again."""

    key: str
    values: Mapping[str, Any]


class FileLog:
    """The file that is written now, `sqllog.csv` or `sqllog.jsonl`; older ones have the moment of their end in their names."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.path = files.folder / f"{NAME}.{files.format}"
        self._last: set[str] | None = None

    def append(self, lines: Sequence[Line]) -> None:
        """Append lines that are not there yet, all of them or none. Raises: NotTaken."""
        try:
            with self._opened() as handle:
                if self._last is None:
                    self._last = self._recover(handle)
                fresh = [line for line in lines if line.key not in self._last]
                if fresh:
                    self._write(handle, fresh)
                self._last = {line.key for line in lines}
        except OSError as error:
            self._last = None
            raise NotTaken(
                f"The file {self.path} cannot be written: {error.strerror}. Check the folder, its rights and the disk."
            ) from error

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the present file, alone: two engines that both believe it is theirs write one after the other."""
        self.files.folder.mkdir(parents=True, exist_ok=True)
        self._rotate()
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)

    def _rotate(self) -> None:
        """Give the file its final name where it is large enough, or of another day."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return
        # A file is put away when the first line of another day comes.
        of_another_day = self.files.daily and datetime.fromtimestamp(found.st_mtime, UTC).date() != datetime.now(UTC).date()
        if not found.st_size or not (of_another_day or found.st_size >= self.files.size_octets):
            return
        if self._last is None:
            # What was written last must be known before its file is put away: its batch may come again.
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND)
            try:
                self._last = self._recover(handle)
            finally:
                os.close(handle)
        moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        aside, count = self.files.folder / f"{NAME}-{moment}.{self.files.format}", 1
        while aside.exists():
            aside, count = self.files.folder / f"{NAME}-{moment}-{count}.{self.files.format}", count + 1
        self.path.rename(aside)
        _sync_folder(self.files.folder)

    def _recover(self, handle: int) -> set[str]:
        """Cut off half a line that a power cut left, and return the keys of the last lines."""
        size = os.fstat(handle).st_size
        start = max(size - TAIL_OCTETS, 0)
        tail = os.pread(handle, size - start, start)
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            os.ftruncate(handle, start + whole)
        return {key for line in tail[:whole].split(b"\n") if (key := self._key(line.decode("utf-8", "replace")))}

    def _key(self, line: str) -> str:
        try:
            if self.files.format == "jsonl":
                values = json.loads(line)
                return f"{values['msgid']}:{values['version']}"
            cells = next(csv.reader([line]))
            return f"{cells[COLUMNS.index('msgid')]}:{cells[COLUMNS.index('version')]}"
        except (ValueError, KeyError, IndexError, StopIteration, csv.Error):
            return ""

    def _write(self, handle: int, lines: Sequence[Line]) -> None:
        """Write the lines by one call, and take back what a full disk cut short."""
        size = os.fstat(handle).st_size
        data = _as_json(lines) if self.files.format == "jsonl" else _as_csv(lines, heading=size == 0)
        try:
            written = os.write(handle, data)
            while written < len(data):
                written += os.write(handle, data[written:])
            if self.files.synced:
                os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
        if size == 0 and self.files.synced:
            _sync_folder(self.files.folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _as_json(lines: Sequence[Line]) -> bytes:
    return b"".join(json.dumps(dict(line.values), ensure_ascii=False).encode("utf-8", "replace") + b"\n" for line in lines)


def _as_csv(lines: Sequence[Line], *, heading: bool) -> bytes:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    if heading:
        writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([_cell(line.values[name]) for name in COLUMNS])
    return target.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    """Return a cell on one line, which no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = "".join(_CONTROL.get(character, character) for character in str(value))
    return "'" + text if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text

"""Logging: one JSON object a line, on standard error. Verbs, ids and counts; secrets are masked whoever wrote the line."""

import json
import logging
import logging.config
import re
import sys
from datetime import UTC, datetime
from typing import IO, Any

MASK = "***"

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # API keys and one-time links, wherever they stand.
    (re.compile(r"\bpw_[A-Za-z0-9_-]{8,}"), "pw_" + MASK),
    (re.compile(r"(/(?:setup|password|link)/)[A-Za-z0-9_-]{16,}"), rf"\1{MASK}"),
    # What the database stores encrypted: of use only to those who have the key, and of none to a reader.
    (re.compile(r"\benc:[A-Za-z0-9_=-]{8,}"), "enc:" + MASK),
    # Addresses of databases: postgresql://user:password@host.
    (re.compile(r"(://[^\s:/@]*:)[^\s/@]+@"), rf"\1{MASK}@"),
    (re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9._~+/=-]{4,}", re.IGNORECASE), rf"\1 {MASK}"),
    # Queries of the legacy API carry passwords and texts: nothing of them is shown.
    (re.compile(r"(\?)[^\s\"'<>]*=[^\s\"'<>]*"), rf"\1{MASK}"),
    # `password=…`, `"api_key": "…"` and their kin, quoted or not.
    (
        re.compile(
            r"(?P<name>[\"']?\b(?:pass(?:word|wd)?|pwd|secret(?:_key)?|api_?key|token|authorization|cookie|messagedata)\b[\"']?\s*[=:]\s*)"
            r"(?:\"[^\"]*\"|'[^']*'|[^\s&,;)}\]]+)",
            re.IGNORECASE,
        ),
        rf"\g<name>{MASK}",
    ),
    # Numbers keep their beginning, which says the country and the operator.
    (re.compile(r"(?<![\w+])(\+[0-9]{4})[0-9]{3,11}\b"), rf"\1{MASK}"),
)

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def mask(text: str) -> str:
    """Return the text without secrets. A last line of defence: whoever logs leaves them out."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON: time, level, logger, event, then what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": mask(record.getMessage()),
        }
        line |= {name: _masked(name, value) for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_info:
            line["error"] = mask(self.formatException(record.exc_info))
        # Control characters are escaped by JSON itself: what came from outside cannot begin a line of its own.
        return json.dumps(line, default=str)


def _masked(name: str, value: object) -> object:
    if isinstance(value, bool | int | float) or value is None:
        return value
    return mask(f"{name}={value}").partition("=")[2]


def configure(level: str = "INFO", *, stream: IO[str] | None = None) -> None:
    """Send all logging of this process to `stream` (standard error) in JSON lines; replaces what was set before."""
    logging.config.dictConfig(settings(level))
    if stream is not None:
        for handler in logging.getLogger().handlers:
            assert isinstance(handler, logging.StreamHandler)
            handler.setStream(stream)


def settings(level: str = "INFO") -> dict[str, Any]:
    """Return the configuration for `logging.config`, which gunicorn takes as well."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "app.logs.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": sys.stderr}},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        # Third parties speak when something is wrong, not to tell how they are.
        "loggers": {name: {"level": "WARNING"} for name in ("alembic", "asyncio", "werkzeug")},
    }

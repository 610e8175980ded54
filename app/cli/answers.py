"""How commands answer: in JSON for programs, in tables for people."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from app.cli.options import given

_WORDS = {None: "", True: "yes", False: "no"}
_STEERING = frozenset({"Cc", "Cf", "Cs"})
"""Unicode categories of characters that change what a terminal shows around them."""


class Failed(Exception):
    """A command could not do what it was asked; `code` is for programs, `field` names what is to blame."""

    def __init__(self, code: str, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.field = field


def answer(value: Any, text: str) -> None:
    """Write the answer: `value` as JSON, or `text` for people."""
    click.echo(as_json(value) if given().as_json else text)


def as_json(value: Any) -> str:
    """Return a value as one line of JSON; moments are RFC 3339, as in the HTTP API."""
    return json.dumps(value, default=_as_text)


def _as_text(value: Any) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def answer_table(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str, shown: Sequence[Mapping[str, Any]] | None = None
) -> None:
    """Write rows: as a JSON list, or as a table with the columns `{name: heading}`; people may get `shown` instead."""
    answer(list(rows), table(rows if shown is None else shown, columns) if rows else empty)


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Return rows as an aligned table."""
    lines = [list(columns.values()), *([printable(row.get(name)) for name in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def details(values: Mapping[str, Any]) -> str:
    """Return named values as lines for people; values of their own are indented below."""
    flat = {name: value for name, value in values.items() if not isinstance(value, dict)}
    width = max(map(len, flat), default=0)
    lines = [f"{name.ljust(width)}  {printable(value)}".rstrip() for name, value in flat.items()]
    for name, value in values.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {line}" for line in details(value).splitlines())]
    return "\n".join(lines)


def printable(value: Any) -> str:
    """Return a value as one line for a terminal: what came from outside must not steer it."""
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, list | tuple):
        return ", ".join(printable(item) for item in value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    text = str(value).replace("\n", " | ")
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _STEERING else character for character in text)

"""Price lists as CSV: what a line says, and what is wrong with it. No database."""

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import IO, NamedTuple

from pennywire.money import LARGEST_UC, InvalidAmount, parse_credits
from pennywire_tariff.moments import to_us

ENCODINGS = {"auto": "UTF-8, with or without a mark", "windows-1252": "Windows-1252 (Western European)"}
DELIMITERS = {"auto": "", "semicolon": ";", "comma": ",", "tab": "\t", "bar": "|"}

LONGEST_PREFIX = 15
LONGEST_NAME = 80
LARGEST_PRICE_UC = LARGEST_UC // 255
"""A message has up to 255 segments."""

_SAMPLE_OCTETS = 4096
_REMEMBERED = 4096
"""Prices and moments that are not read again: a list of a million lines has few that differ."""

_COLUMNS = {
    "prefix": ("prefix", "code", "dial code", "destination prefix", "number"),
    "mcc": ("mcc",),
    "mnc": ("mnc",),
    "price": ("price", "rate", "cost"),
    "effective": ("effective", "effective date", "from", "valid from", "start"),
    "end": ("end", "end date", "until", "valid until", "to", "expires"),
    "name": ("name", "destination", "network", "operator", "country"),
}
_POSITIONS = ("prefix", "price", "effective", "end", "name")
"""Columns of a file whose first line is a price already."""

_NETWORK_POSITIONS = ("prefix", "mcc", "mnc", "name")

_DIGITS = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)
_MCC = re.compile(r"[2-79][0-9]{2}", re.ASCII)
_MNC = re.compile(r"[0-9]{2,3}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_EVERYTHING = frozenset({"*", "default"})


class CannotRead(ValueError):
    """The file as a whole cannot be read; the text says why and what to do."""


class Wrong(ValueError):
    """One line cannot be taken; the text says why and what would be right."""


class Line(NamedTuple):
    """What a line says, ready to be stored. Units: microcredits; microseconds since 1970."""

    line: int
    prefix: str
    mcc: str
    mnc: str
    price_uc: int
    effective_us: int | None
    end_us: int | None
    name: str

    @property
    def key(self) -> str:
        """Return what it is a price for, in words."""
        return key_in_words(self.prefix, self.mcc, self.mnc)


def key_in_words(prefix: str, mcc: str, mnc: str) -> str:
    """Return what an entry is a price for: `+3620`, `216-30`, `216`, `default`."""
    return f"+{prefix}" if prefix else f"{mcc}-{mnc}" if mnc else mcc or "default"


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written. `decimal` is what stands before decimals; the direction decides whether a price may be negative."""

    encoding: str = "auto"
    delimiter: str = "auto"
    decimal: str = "."
    negative_allowed: bool = False


class NetworkLine(NamedTuple):
    """The network that a range of numbers was given to."""

    line: int
    prefix: str
    mcc: str
    mnc: str
    name: str


def parse(file: IO[bytes], form: Form) -> Iterator[Line | tuple[int, str]]:
    """Yield what each line of a price list says, or its number and what is wrong with it.

    Reads as it goes: a file may have any length. Raises: CannotRead.
    """
    for number, cells in _cells(file, form, _POSITIONS):
        if isinstance(cells, str):
            yield number, cells
            continue
        try:
            yield _read(number, cells, form)
        except (Wrong, InvalidAmount) as error:
            yield number, str(error)


def parse_networks(file: IO[bytes], form: Form) -> Iterator[NetworkLine | tuple[int, str]]:
    """Yield what each line of a table from prefixes to networks says, or its number and what is wrong. Raises: CannotRead."""
    for number, cells in _cells(file, form, _NETWORK_POSITIONS):
        if isinstance(cells, str):
            yield number, cells
            continue
        try:
            prefix, _, _ = read_key(cells["prefix"], "", "")
            _, mcc, mnc = read_key("", cells["mcc"], cells.get("mnc", ""))
            if not prefix:
                raise Wrong("The prefix is missing. Every network has ranges of its own.")
            yield NetworkLine(number, prefix, mcc, mnc, cells.get("name", "")[:LONGEST_NAME])
        except Wrong as error:
            yield number, str(error)


def _cells(file: IO[bytes], form: Form, positions: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Yield the cells of each line by their columns, or what is wrong with its characters."""
    text = _decoded(file, form)
    try:
        yield from _read_cells(text, form, positions)
    finally:
        # The file is the caller's, and stays open.
        text.detach()


def _read_cells(text: io.TextIOWrapper, form: Form, positions: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str] | str]]:
    rows = _numbered(text, _delimiter(text, form))
    first = next(rows, None)
    if first is None:
        raise CannotRead("The file is empty. Give a file with a line for each price.")
    columns = _columns(first[1], positions)
    lines = rows if columns is not None else itertools.chain((first,), rows)
    places = columns if columns is not None else {name: index for index, name in enumerate(positions)}
    pairs, width = tuple(places.items()), max(places.values()) + 1
    for number, cells in lines:
        if len(cells) < width:
            cells.extend([""] * (width - len(cells)))
        found = {name: cells[index].strip() for name, index in pairs}
        wrong = None
        # One question for the whole line; cells that nobody reads, and space around the others, may hold what they like.
        if not "".join(cells).isprintable():
            wrong = next((cell for cell in found.values() if not cell.isprintable()), None)
        yield number, found if wrong is None else _unreadable(wrong, form)


def _decoded(file: IO[bytes], form: Form) -> io.TextIOWrapper:
    """Return the file as text; octets that are none are kept as lone surrogates, so that their lines can be named."""
    start = file.read(len(codecs.BOM_UTF8))
    file.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CannotRead("The file is written in UTF-16. Save it as CSV in UTF-8.")
    encoding = "cp1252" if form.encoding == "windows-1252" else "utf-8-sig"
    return io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="")


def _delimiter(text: io.TextIOWrapper, form: Form) -> str:
    """Return what stands between the cells: as told, else what the first line has most of."""
    if form.delimiter != "auto":
        return DELIMITERS[form.delimiter]
    sample = text.read(_SAMPLE_OCTETS).lstrip("\r\n")
    text.seek(0)
    first = re.sub(r'"[^"]*"', "", sample.splitlines()[0]) if sample else ""
    found = max(";,\t|", key=first.count)
    return found if found in first else ";"


def _numbered(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty with the numbers of their lines."""
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CannotRead(f"Line {reader.line_num}: {error}. Look for a quotation mark that is not closed.") from error
        if any(map(str.strip, cells)):
            yield reader.line_num, cells


def _columns(cells: Sequence[str], positions: tuple[str, ...]) -> dict[str, int] | None:
    """Return the places of the columns that a heading names, or None where the first line has values already.

    Raises: CannotRead for a heading that lacks a column.
    """
    words = [" ".join(cell.lower().replace("_", " ").split()) for cell in cells]
    found = {name: words.index(word) for name, known in _COLUMNS.items() for word in known if word in words}
    wanted = ";".join(positions)
    if not found:
        first = words[0].lstrip("+").replace(" ", "")
        if len(cells) >= 2 and (first.isdecimal() or first in _EVERYTHING):
            return None
        raise CannotRead(
            f"The first line names no column. Write {wanted}"
            + (", or mcc;mnc;price;effective;end;name." if positions is _POSITIONS else ".")
        )
    if positions is _POSITIONS and ("price" not in found or not found.keys() & {"prefix", "mcc"}):
        raise CannotRead(f"The first line names {', '.join(found)}. A column price is needed, and one of prefix and mcc.")
    if positions is _NETWORK_POSITIONS and not found.keys() >= {"prefix", "mcc"}:
        raise CannotRead(f"The first line names {', '.join(found)}. The columns prefix and mcc are needed; mnc and name may follow.")
    return found


def _read(number: int, cells: Mapping[str, str], form: Form) -> Line:
    prefix, mcc, mnc = read_key(cells.get("prefix", ""), cells.get("mcc", ""), cells.get("mnc", ""))
    price_uc = read_price(cells["price"], decimal=form.decimal, negative_allowed=form.negative_allowed)
    effective_us = _read_us(cells.get("effective", ""), "effective date")
    end_us = _read_us(cells.get("end", ""), "end date", end=True)
    if effective_us is not None and end_us is not None and end_us <= effective_us:
        raise Wrong(f"It ends ({cells['end']}) before it begins ({cells['effective']}).")
    return Line(
        number,
        prefix,
        mcc,
        mnc,
        price_uc,
        effective_us,
        end_us,
        cells.get("name", "")[:LONGEST_NAME],
    )


def _unreadable(text: str, form: Form) -> str:
    if any("\udc80" <= character <= "\udcff" for character in text):
        if form.encoding == "auto":
            return "It is not written in UTF-8. Save the file as UTF-8, or say that it is Windows-1252."
        return "It has an octet that Windows-1252 does not know. Save the file as UTF-8."
    return "It has characters that cannot be printed. Remove them."


def read_key(prefix: str, mcc: str, mnc: str) -> tuple[str, str, str]:
    """Return prefix, MCC and MNC of an entry; all empty is the default, which is written `*`. Raises: Wrong."""
    if prefix.lower() in _EVERYTHING and not mcc:
        return "", "", ""
    if prefix and mcc:
        raise Wrong("It names a prefix and a network. Name one of them.")
    if prefix:
        digits = prefix.replace(" ", "").removeprefix("+")
        if not _DIGITS.fullmatch(digits):
            raise Wrong(
                f"{prefix[:40]!r} is not a prefix. Write 1 to {LONGEST_PREFIX} digits that begin with the country code, such as 3620."
            )
        return digits, "", ""
    if not mcc:
        raise Wrong("It names neither a prefix nor a network. Write * for the price of everything else.")
    if not _MCC.fullmatch(mcc):
        raise Wrong(f"{mcc[:40]!r} is not an MCC. Write three digits, such as 216.")
    if mnc in ("", "*"):
        return "", mcc, ""
    if not _MNC.fullmatch(mnc):
        raise Wrong(
            f"{mnc[:40]!r} is not an MNC. Write two or three digits with their zeros, such as 01, or nothing for the whole country."
        )
    return "", mcc, mnc


@lru_cache(maxsize=_REMEMBERED)
def read_price(text: str, *, decimal: str = ".", negative_allowed: bool = False) -> int:
    """Return a price in microcredits. Raises: Wrong, InvalidAmount."""
    if not text:
        raise Wrong("The price is missing. Write 0 for what is free.")
    if decimal == ",":
        if "." in text:
            raise Wrong(f"{text[:40]!r} has a point, and decimals stand behind a comma in this file.")
        text = text.replace(",", ".")
    price_uc = parse_credits(text)
    if price_uc < 0 and not negative_allowed:
        raise Wrong(f"The price {text} is negative. Only a list for incoming messages may pay the user.")
    if abs(price_uc) > LARGEST_PRICE_UC:
        raise Wrong(f"The price {text} is larger than 3,900,000 credits.")
    return price_uc


@lru_cache(maxsize=_REMEMBERED)
def _read_us(text: str, what: str, *, end: bool = False) -> int | None:
    moment = read_moment(text, what, end=end)
    return None if moment is None else to_us(moment)


def read_moment(text: str, what: str, *, end: bool = False) -> datetime | None:
    """Return a moment in UTC. A day alone begins with its first moment; as an end it is that day's last. Raises: Wrong."""
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=int(end))
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Wrong(f"{text[:40]!r} is no {what}. Write 2026-04-30, or 2026-04-30T12:00Z.") from None

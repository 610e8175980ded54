"""The operator's own statements: `$keyword` becomes a bound parameter, so that no text of a message is ever read as SQL."""

import re
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import TextClause, text

from pennywire_sqllog.events import KEYWORDS, SYNONYMS


class InvalidStatement(ValueError):
    """A statement cannot be run as it stands; the text says what is wrong with it and what would be right."""


_KEYWORD = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)
_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<string>'(?:[^']|'')*(?:'|\Z))
    |(?P<name>"(?:[^"]|"")*(?:"|\Z)|`[^`]*(?:`|\Z)|\[[^\]]*(?:\]|\Z))
    |(?P<keyword>\$[A-Za-z_][A-Za-z0-9_]*)
    |(?P<end>;)
    |(?P<other>[^'"`\[$;/-]+|.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_CLOSED = {"string": "'", "name": '"`]'}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement ready to be run, with the keywords that it binds."""

    clause: TextClause
    keywords: tuple[str, ...]


@lru_cache(maxsize=64)
def compile_statement(sql: str) -> Statement | None:
    """Turn what the operator wrote into a statement with bound parameters; None where he wrote nothing.

    `'$msgid'` in quotes, as the reference product wants it, is the same as `$msgid`.
    Raises: InvalidStatement for an unknown keyword, a keyword inside a longer text, or a second statement.
    """
    pieces: list[str] = []
    keywords: dict[str, None] = {}
    ended = False
    for match in _TOKEN.finditer(sql.strip()):
        kind, token = match.lastgroup or "other", match.group()
        if kind == "comment":
            continue
        if ended and token.strip():
            raise InvalidStatement("There is more than one statement. Write one for each event; a semicolon may only end it.")
        if kind in _CLOSED and (len(token) < 2 or token[-1] not in _CLOSED[kind]):
            raise InvalidStatement(f"The quote that begins at {token[:20]} is never closed. Close it.")
        if kind == "end":
            ended = True
        elif kind == "keyword" or (kind == "string" and _KEYWORD.fullmatch(token[1:-1])):
            name = _known(token.strip("'")[1:])
            keywords[name] = None
            pieces.append(f":{name}")
        elif kind == "string" and (inside := _inside(token)):
            raise InvalidStatement(
                f"${inside} stands inside a longer text in quotes, where it cannot be bound. Join texts by the database's own means, "
                f"such as CONCAT('…', ${inside})."
            )
        else:
            pieces.append(_literal(token))
    written = "".join(pieces).strip()
    return Statement(text(written), tuple(keywords)) if written else None


def _known(word: str) -> str:
    name = SYNONYMS.get(word.lower(), word.lower())
    if name not in KEYWORDS:
        raise InvalidStatement(f"There is no keyword ${word}. Known: {', '.join('$' + known for known in KEYWORDS)}.")
    return name


def _inside(token: str) -> str:
    """Return the first known keyword inside a text in quotes; other words with a dollar are the operator's own."""
    return next((word for word in _KEYWORD.findall(token) if SYNONYMS.get(word.lower(), word.lower()) in KEYWORDS), "")


def _literal(token: str) -> str:
    """Return a piece of SQL as it stands: a colon in it begins no parameter."""
    return token.replace(":", "\\:")

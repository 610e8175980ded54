"""Parameters of the legacy dialect: from the query, a form or both, with names in any case and spelled as clients spell them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from app.refusals import RequestRefused

MOST_PARAMETERS = 200

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "recepient": "recipient",
        "recepients": "recipient",
        "recipients": "recipient",
        "recipent": "recipient",
        "reciepient": "recipient",
        "orginator": "originator",
        "origninator": "originator",
        "ozmsuserinfo": "userinfo",
    }
)
"""Historical and common misspellings, in lower case."""

CHARSETS = frozenset(
    {
        "utf-8",
        "utf8",
        "us-ascii",
        "ascii",
        "latin1",
        "koi8-r",
        "koi8-u",
        "shift_jis",
        "euc-jp",
        "euc-kr",
        "gb2312",
        "gbk",
        "gb18030",
        "big5",
        *(f"iso-8859-{part}" for part in range(1, 17) if part != 12),
        *(f"windows-125{page}" for page in range(9)),
        *(f"cp125{page}" for page in range(9)),
    }
)
"""Character sets that a client may name. A list: Python would also decode with its compression codecs."""

FALLBACK_CHARSET = "windows-1252"
"""What text that is not UTF-8 is taken for, unless the client names another: so do legacy programs for Windows send."""

_SEPARATORS = re.compile("[,;]")
_CAPITAL = re.compile(r"(^|&)(PASSWORD|USERNAME)(?==)")
_RAW_PLUS = re.compile(r"(^|[,;])\+(?=[1-9])")
_RAW_PLUS_AFTER_ESCAPE = re.compile(r"(^|[,;]|%2C|%3B)\+(?=[1-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a request says. Names are in lower case; `recipients` are the parts of all recipient parameters."""

    values: Mapping[str, str]
    recipients: tuple[str, ...]

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)


def read(query: str, form: str = "", *, charset: str = "", fields: Iterable[tuple[str, str]] = ()) -> Parameters:
    """Read query and form as they came (octets as Latin-1 characters, still quoted), and decoded fields of a multipart form.

    Text is UTF-8, or what `_charset_` or `charset` says; without them, what is not UTF-8 is taken for windows-1252.
    Raises: RequestRefused for one parameter with two values, and for octets that are not text.
    """
    if _CAPITAL.search(query) or _CAPITAL.search(form):
        query, form = _with_settings_apart(query, form)
    pairs = [*_pairs(query), *_pairs(form)] if form else list(_pairs(query))
    if len(pairs) > MOST_PARAMETERS:
        raise RequestRefused("invalid_parameter", f"The request has more than {MOST_PARAMETERS} parameters. Send fewer.")
    named = next((value for name, value in pairs if name == "_charset_"), "") or charset
    decode = _decoder(named)
    values: dict[str, str] = {}
    recipients: list[str] = []
    for name, raw in pairs:
        if name == "recipient":
            recipients += _split(decode(name, _with_pluses(raw)))
        else:
            _enter(values, name, decode(name, raw))
    for field, text in fields:
        name = _name(field)
        if name == "recipient":
            recipients += _split(text)
        else:
            _enter(values, name, text)
    return Parameters(values, tuple(recipients))


def _with_settings_apart(query: str, form: str) -> tuple[str, str]:
    """Tell the settings `PASSWORD` and `USERNAME` of another user, which `configuser` may name, from the caller's own name and password.

    The caller's are written otherwise, beside them; where the capitals stand alone they are the caller's.
    """
    for word in ("PASSWORD", "USERNAME"):
        if len(re.findall(rf"(?:^|&){word}=", f"{query}&{form}", re.IGNORECASE)) > 1:
            query, form = (re.sub(rf"(^|&){word}(?==)", rf"\1new{word}", text) for text in (query, form))
    return query, form


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            yield _name(name), value


def _name(raw: str) -> str:
    name = raw.lower()
    if "%" in name or "+" in name:
        name = unquote_to_bytes(name.replace("+", " ")).decode("ascii", "replace").strip().lower()
    return ALIASES.get(name, name)


def _enter(values: dict[str, str], name: str, value: str) -> None:
    if values.setdefault(name, value) != value:
        raise RequestRefused(
            "invalid_parameter", f"The parameter {name[:40]} is given twice with different values. Give it once.", name[:40]
        )


class _decoder:  # noqa: N801  # used as the function that it is
    """Decodes quoted values in one character set."""

    def __init__(self, charset: str) -> None:
        self._charset = charset.strip().lower()
        if self._charset and self._charset not in CHARSETS:
            raise RequestRefused("invalid_parameter", f"The character set {charset[:40]!r} is not known. Send UTF-8.", "_charset_")

    def __call__(self, name: str, raw: str) -> str:
        if "%" not in raw and "+" not in raw and raw.isascii():
            return raw
        octets = unquote_to_bytes(raw.replace("+", " ").encode("latin-1"))
        try:
            return octets.decode(self._charset or "utf-8")
        except UnicodeDecodeError as error:
            if self._charset:
                raise RequestRefused(
                    "invalid_parameter",
                    f"The parameter {name[:40]} is not {self._charset}. Send UTF-8, or name its set in _charset_.",
                    name[:40],
                ) from error
            return octets.decode(FALLBACK_CHARSET, "replace")


def _with_pluses(raw: str) -> str:
    """Quote the `+` of numbers that a client sent as it is (trap N1).

    A client that quotes commas but not `+` shows it at the first number; elsewhere `+` behind a quoted comma is a blank.
    """
    if "+" not in raw:
        return raw
    pattern = _RAW_PLUS_AFTER_ESCAPE if raw[0] == "+" else _RAW_PLUS
    return pattern.sub(r"\1%2B", raw)


def _split(text: str) -> list[str]:
    """Return the recipients of one parameter. Only the first keeps a leading blank, which is a lost `+`."""
    first, *others = _SEPARATORS.split(text)
    return [part for part in (first.rstrip(), *map(str.strip, others)) if part.strip()]

"""Typed settings: a kind declares them once; form, validation, masking, command line and documentation follow from them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class InvalidSetting(ValueError):
    """A setting's value was refused; `name` says which setting and the text says why and what would be right."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name
        self.reason = reason


class SettingType(StrEnum):
    """What a setting holds; it decides the form's field and the Python type of the value."""

    TEXT = "text"
    #: Stored encrypted, never shown again. `str`.
    SECRET = "secret"  # noqa: S105  # A word, no secret.
    INTEGER = "integer"
    #: A number that may have decimals, such as a time in seconds. `float`; never used for money.
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    #: Lines of text.
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a kind.

    `name` is an identifier with its unit last (`timeout_s`). `minimum` and `maximum` bound numbers, `max_length` bounds texts
    in characters, `pattern` is a regular expression that the whole text must match; `expected` says the same in words, to end the
    sentence *Label must be …* by which another text is refused. `choices` are (value, label) pairs.
    `advanced` hides the setting behind the form's *Advanced* link. `hashed` is for the secret by which a peer signs in: only its slow
    hash is kept, by applications alone.
    """

    name: str
    label: str
    type: SettingType = SettingType.TEXT
    default: Any = None
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    pattern: str = ""
    expected: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    help: str = ""
    advanced: bool = False
    hashed: bool = False

    @property
    def secret(self) -> bool:
        return self.type is SettingType.SECRET

    def read(self, value: Any) -> Any:
        """Return the typed value of what a form, a file or a command line gave; an empty value means the default.

        Raises: InvalidSetting with the reason and the remedy.
        """
        if value is None or (isinstance(value, str) and not value.strip() and self.type is not SettingType.SECRET) or value == "":
            if self.required and self.default is None:
                raise InvalidSetting(self.name, f"{self.label} is missing. Give a value.")
            return self.default if self.default is not None else _EMPTY[self.type]
        return _READERS[self.type](self, value)


_EMPTY: dict[SettingType, Any] = {
    SettingType.TEXT: "",
    SettingType.SECRET: "",
    SettingType.LINES: "",
    SettingType.CHOICE: "",
    SettingType.INTEGER: None,
    SettingType.NUMBER: None,
    SettingType.BOOLEAN: False,
}

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def _read_text(setting: Setting, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidSetting(setting.name, f"{setting.label} must be a text.")
    text = value if setting.secret else value.strip()
    if "\x00" in text:
        raise InvalidSetting(setting.name, f"{setting.label} contains a NUL character. Remove it.")
    if setting.max_length is not None and len(text) > setting.max_length:
        raise InvalidSetting(setting.name, f"{setting.label} has {len(text)} characters; at most {setting.max_length} are allowed.")
    if setting.pattern and not re.fullmatch(setting.pattern, text):
        raise InvalidSetting(setting.name, f"{setting.label} must be {setting.expected or f'of the form {setting.pattern}'}.")
    return text


def _read_number(setting: Setting, value: Any) -> int | float:
    integer = setting.type is SettingType.INTEGER
    if isinstance(value, bool):
        raise InvalidSetting(setting.name, f"{setting.label} must be a number.")
    text = str(value).strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,15}" if integer else r"[+-]?[0-9]{1,15}(\.[0-9]{1,9})?", text):
        kind = "a whole number" if integer else "a number"
        raise InvalidSetting(setting.name, f"{setting.label} must be {kind}.")
    number: int | float = int(text) if integer else float(text)
    if setting.minimum is not None and number < setting.minimum:
        raise InvalidSetting(setting.name, f"{setting.label} must be at least {setting.minimum:g}.")
    if setting.maximum is not None and number > setting.maximum:
        raise InvalidSetting(setting.name, f"{setting.label} must be at most {setting.maximum:g}.")
    return number


def _read_boolean(setting: Setting, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidSetting(setting.name, f"{setting.label} must be yes or no.")


def _read_choice(setting: Setting, value: Any) -> str:
    text = str(value).strip()
    if text not in {choice for choice, _ in setting.choices}:
        allowed = ", ".join(choice for choice, _ in setting.choices)
        raise InvalidSetting(setting.name, f"{setting.label} must be one of: {allowed}.")
    return text


_READERS = {
    SettingType.TEXT: _read_text,
    SettingType.SECRET: _read_text,
    SettingType.LINES: _read_text,
    SettingType.INTEGER: _read_number,
    SettingType.NUMBER: _read_number,
    SettingType.BOOLEAN: _read_boolean,
    SettingType.CHOICE: _read_choice,
}


def read_settings(settings: Iterable[Setting], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed value of every setting, defaults filled in.

    Raises: InvalidSetting at the first value that is refused, or for a name that no setting has.
    """
    known = {setting.name: setting for setting in settings}
    for name in given:
        if name not in known:
            raise InvalidSetting(name, f"There is no setting called {name}. Known: {', '.join(known) or 'none'}.")
    return {name: setting.read(given.get(name)) for name, setting in known.items()}

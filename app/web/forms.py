"""Forms: described by the same `Setting` as a plugin's, read by the same readers, shown by one template macro.

A refused form keeps what was typed and says beside each field what is wrong with it.
"""

import re
from collections.abc import Sequence
from typing import Any

from app.administration import MASK, InvalidField
from app.ledger import InvalidAmount, parse_credits
from pennywire import Setting, SettingType, forms

GENERAL = forms.GENERAL
"""Key of an error that belongs to no field of the form."""


class Form(forms.Form):
    """A form of the gateway's own pages: it knows masked secrets, the refusals of the core, and amounts."""

    def check(self) -> dict[str, Any] | None:
        """As the contract's; a stored secret stays where its mask came back, which need not fit the setting's rules."""
        masked = {setting.name for setting in self.settings if setting.secret and self.values[setting.name] == MASK}
        values = self.check_each(setting for setting in self.settings if setting.name not in masked)
        return None if self.errors else values | dict.fromkeys(masked, MASK)

    def refuse(self, error: InvalidField) -> None:
        """Note an error of the core beside its field, or above the form if it has no such field."""
        self.note(error.field, error.reason)

    def amount(self, name: str) -> int:
        """Return the amount in a field as microcredits; 0 after noting what is wrong with it."""
        try:
            return parse_credits(self.values[name])
        except InvalidAmount as error:
            self.errors[name] = str(error)
            return 0


def parse_duration(text: str) -> int:
    """Read a length of time such as `90 s`, `30 min`, `48 h` or `3 d`. Units: seconds. Raises: ValueError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("Write a number and a unit: 90 s, 30 min, 48 h or 3 d.")
    return int(match[1]) * _UNITS_S[match[2]]


def exact_duration(seconds: int) -> str:
    """Return a length of time as `parse_duration` reads it, in the largest unit that says it exactly."""
    unit = next(unit for unit, size in sorted(_UNITS_S.items(), key=lambda item: -item[1]) if seconds % size == 0)
    return f"{seconds // _UNITS_S[unit]} {unit}"


_DURATION = re.compile(r"([0-9]{1,7}) ?(s|min|h|d)", re.ASCII)
_UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def choice(name: str, label: str, choices: Sequence[tuple[str, str]], *, help: str = "", advanced: bool = False) -> Setting:  # noqa: A002
    """Return a setting with a list to choose from; the first is the default."""
    return Setting(name, label, SettingType.CHOICE, default=choices[0][0], choices=tuple(choices), help=help, advanced=advanced)


def flag(name: str, label: str, *, default: bool = False, help: str = "", advanced: bool = False) -> Setting:  # noqa: A002
    """Return a setting to be ticked."""
    return Setting(name, label, SettingType.BOOLEAN, default=default, help=help, advanced=advanced)


def typed_name(what: str) -> Setting:
    """Return the setting by which a person confirms what cannot be undone: the name of the object, typed again."""
    return Setting("confirmed", f"Name of the {what}", required=True, max_length=64, help="Type it to confirm: this cannot be undone.")

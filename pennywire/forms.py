"""Forms: described by settings, read by their readers, shown by the macros `parts.fields` and `parts.field` of the templates.

A refused form keeps what was typed and says beside each field what is wrong with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pennywire.settings import InvalidSetting, Setting, SettingType

GENERAL = ""
"""Key of an error that belongs to no field of the form."""


class Form:
    """Settings with the values that are shown and the errors of the last attempt.

    `prefix` stands before the names of the controls, so that one page may hold several forms of one kind.
    """

    def __init__(self, settings: Sequence[Setting], shown: Mapping[str, Any] | None = None, *, prefix: str = "") -> None:
        self.settings = tuple(settings)
        self.prefix = prefix
        self.values: dict[str, Any] = {setting.name: setting.default for setting in settings}
        self.values |= {name: value for name, value in (shown or {}).items() if name in self.values}
        self.errors: dict[str, str] = {}

    @property
    def general_error(self) -> str:
        return self.errors.get(GENERAL, "")

    @property
    def plain(self) -> list[Setting]:
        """Return the settings that are shown at once."""
        return [setting for setting in self.settings if not setting.advanced]

    @property
    def advanced(self) -> list[Setting]:
        """Return the settings behind the *Advanced* link."""
        return [setting for setting in self.settings if setting.advanced]

    @property
    def advanced_open(self) -> bool:
        """Say whether *Advanced* must be open, because something in it was refused."""
        return any(setting.name in self.errors for setting in self.advanced)

    def control(self, setting: Setting) -> str:
        """Return the name of a setting's control."""
        return self.prefix + setting.name

    def take(self, given: Mapping[str, str]) -> None:
        """Keep what was typed. A checkbox that is not there is off; any other control that is not there keeps its value."""
        for setting in self.settings:
            name = self.control(setting)
            if setting.type is SettingType.BOOLEAN:
                self.values[setting.name] = name in given
            elif name in given:
                self.values[setting.name] = given[name]

    def read(self, given: Mapping[str, str]) -> dict[str, Any] | None:
        """Take what was typed and return the typed values, or None after noting what is wrong."""
        self.take(given)
        return self.check()

    def check(self) -> dict[str, Any] | None:
        """Return the typed values of what was taken, or None after noting what is wrong."""
        values = self.check_each(self.settings)
        return None if self.errors else values

    def check_each(self, settings: Iterable[Setting]) -> dict[str, Any]:
        """Return the typed values of some settings, without those that are wrong, which is noted."""
        values: dict[str, Any] = {}
        for setting in settings:
            try:
                values[setting.name] = setting.read(self.values[setting.name])
            except InvalidSetting as error:
                self.errors[setting.name] = error.reason
        return values

    def note(self, name: str, reason: str) -> None:
        """Note what is wrong with a field, or above the form if it has no such field."""
        self.errors[name if name in self.values else GENERAL] = reason

"""What the modern API reads and answers about applications of users."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType


class ApplicationIn(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be changed of an application; settings that are not there stay as they are."""

    settings: dict[str, str | int | float | bool] = {}
    desired: Literal["started", "stopped"] | UnsetType = UNSET


class ApplicationLineOut(msgspec.Struct):
    """An application in the list of all: what the operator wants of it, and how it stands."""

    username: str
    kind: str
    desired: str
    state: str
    reason: str


class ApplicationsOut(msgspec.Struct):
    """The applications of all users."""

    applications: list[ApplicationLineOut]


class ApplicationOut(msgspec.Struct):
    """An application; secrets among its settings are masked, and `waiting` is what its program has not fetched. Newest events first."""

    username: str
    kind: str
    desired: str
    state: str
    reason: str
    since: datetime | None
    waiting: int
    settings: dict[str, Any]
    events: list[dict[str, Any]]


class KindOut(msgspec.Struct):
    """A kind of application with the settings that it takes."""

    kind: str
    label: str
    description: str
    settings: list[dict[str, Any]]


class KindsOut(msgspec.Struct):
    """The kinds of applications."""

    kinds: list[KindOut]

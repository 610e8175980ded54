"""Conditions: what a route asks of a message."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from pennywire.settings import Setting
from pennywire.values import Direction


@dataclass(frozen=True, slots=True)
class RoutingSubject:
    """What a condition may look at. `username` is the sender of an outbound message; `connection` received an inbound one."""

    direction: Direction
    source: str
    destination: str
    text: str
    at: datetime
    username: str = ""
    connection: str = ""


class Condition:
    """A kind of condition. A route matches when all of its conditions do. No I/O: every message is asked.

    `values` are the typed settings of the row. `__init__` may raise InvalidSetting, for a pattern that does not compile.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()
    directions: ClassVar[frozenset[Direction]] = frozenset(Direction)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def matches(self, subject: RoutingSubject) -> bool:
        """Say whether the message fulfils the condition."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return the condition in words, for the route's row and the message's page."""
        return f"{self.label}: {', '.join(str(value) for value in self.values.values() if value not in ('', None))}"

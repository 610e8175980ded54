"""The other side of a connector's tests: a network that does as it is told. The connector's author writes one."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

from pennywire.values import ReportState


class CannotPlay(Exception):
    """The network of this kind has no such thing; checks that need it are skipped, with these words."""


class Play(StrEnum):
    """What the operator does with a submission."""

    #: Takes it and says its id.
    ACCEPT = "accept"
    #: Refuses it for good.
    REFUSE = "refuse"
    #: Asks for patience.
    THROTTLE = "throttle"
    #: Takes it, and never answers; the link stays.
    SILENCE = "silence"
    #: Takes it, and cuts the link instead of answering.
    CUT = "cut"


DESTINATIONS: Mapping[Play, str] = {play: f"+3620123450{number}" for number, play in enumerate(Play)}
"""The number by which the checks ask for each play."""


def play_for(destination: str) -> Play:
    """Return what a scripted operator is to do with a destination; with or without the `+`, and whatever is not known is accepted."""
    return next((play for play, number in DESTINATIONS.items() if number.lstrip("+") == destination.lstrip("+")), Play.ACCEPT)


class Received(NamedTuple):
    """One submission as it came to the operator: a segment, or a whole message where the connector sends whole ones."""

    destination: str
    text: str


class Operator:
    """A scripted operator: an asynchronous context manager that serves connections of one kind while it is open.

    It runs in the loop of the checks, and does with a submission what `play_for` says of its destination. Where a network has none
    of what a method is for, the method is left as it is, or raises CannotPlay.
    """

    #: Settings over the others for checks of lost answers: the connector is to give up after a fraction of a second.
    impatience: Mapping[str, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return the settings of a connection to this operator, known once it is open.

        Every secret has a value, pauses before a reconnection are short, and timeouts are long: a slow machine is no silent peer.
        """
        return {}

    @property
    def received(self) -> Sequence[Received]:
        """Return every submission that came so far, in order, whatever was answered. Raises: CannotPlay."""
        raise CannotPlay("This operator does not tell what it received.")

    @property
    def unknown_id(self) -> str:
        """Return an id that looks like this network's ids, and that it never gave."""
        return "4711471147"

    def destination(self, play: Play) -> str:
        """Return the destination that is played so. Raises: CannotPlay."""
        return DESTINATIONS[play]

    async def cut(self) -> None:
        """Cut every link without a word, and let the next ones in. Raises: CannotPlay."""
        raise CannotPlay("This operator has no link that could be cut.")

    async def report(self, network_id: str, state: ReportState) -> None:
        """Offer a report again and again until the connector acknowledges it. Raises: CannotPlay."""
        raise CannotPlay("This operator sends no reports of its own accord.")

    async def incoming(self, source: str, destination: str, text: str) -> None:
        """Offer a message from a handset, of one segment, until the connector acknowledges it. Raises: CannotPlay."""
        raise CannotPlay("This operator brings no incoming messages.")

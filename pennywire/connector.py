"""Connectors: how messages reach a network and come back from it.

What the peer *said* is a value (`Accepted`, `Rejected`, `Throttled`). What *broke* is an exception: `LinkDown` where nothing
left, `OutcomeUnknown` where bytes left. Anything else that goes wrong counts as unknown, because a second copy of a message
that was sent costs the customer more than a wait.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from pennywire.keeping import KeyValues
from pennywire.settings import Setting
from pennywire.values import Incoming, Outcome, Report, Submission


class LinkDown(Exception):
    """The link broke or was never up, and nothing of the submission left: it goes back to the queue."""


class OutcomeUnknown(Exception):
    """Bytes of the submission left and no answer came: it is in doubt and is not sent again by itself."""


class LinkStopped(Exception):
    """The gateway asks the link to end: finish what is in the window, take leave of the peer, and return from `run`."""


class CannotStore(Exception):
    """The gateway could not store a report or an incoming message: answer the peer with a temporary error."""


class Link(Protocol):
    """What a running connector gets from the engine: its only way to the gateway."""

    #: Name of the connection, for log lines.
    connection: str

    @property
    def storage(self) -> KeyValues:
        """Return what the plugin keeps for this connection; it goes when the connection is deleted."""
        ...

    @property
    def plugin_storage(self) -> KeyValues:
        """Return what the plugin keeps for all its connections together; of two that write one key the last one counts."""
        ...

    async def take(self, room: int) -> list[Submission]:
        """Wait for work and return 1 to `room` submissions. `room` is the free place in the window; at least 1.

        Raises: LinkStopped when the connection is to end.
        """
        ...

    async def stopped(self) -> None:
        """Wait until the connection is to end; the same moment at which `take` raises LinkStopped.

        For connectors that cannot take just now, because they reconnect, rest or only receive.
        """
        ...

    def outcome(self, submission: Submission, outcome: Outcome) -> None:
        """Say what the peer answered. Call it once for each submission taken. Throttled gives the submission back.

        It may follow a `failed` with OutcomeUnknown: that is a late answer.
        """
        ...

    def failed(self, submission: Submission, error: LinkDown | OutcomeUnknown) -> None:
        """Say that no answer came. A submission that was taken and never answered is in doubt when `run` ends."""
        ...

    async def report(self, report: Report) -> None:
        """Hand over a delivery report; returns when it is durable. Only then answer the peer. Raises: CannotStore."""
        ...

    async def incoming(self, incoming: Incoming) -> None:
        """Hand over an incoming segment; returns when it is durable. Only then answer the peer. Raises: CannotStore."""
        ...

    def up(self) -> None:
        """Say that the link is bound and ready."""
        ...

    def down(self, reason: str) -> None:
        """Say that the link is not ready, and why, in words for the operator."""
        ...

    def log(self, line: str) -> None:
        """Write a line to the connection's events. No secret, no text, no full number."""
        ...


class Connector:
    """A kind of service provider connection that keeps a link open: SMPP, modems, whatever has a window or receives.

    `run` lives as long as the connection is started; it reconnects by itself, with growing pauses, and says so by `link.up`
    and `link.down`. It ends on LinkStopped. Where it raises, the engine logs it and starts it again after a pause.
    """

    #: Identifier of the kind, unique among all plugins: `smpp`.
    kind: ClassVar[str]
    #: What the operator reads: `SMPP client`.
    label: ClassVar[str]
    #: One sentence under the label.
    description: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()
    #: The peer splits long messages itself: a submission is a whole message. An instance may set it from its settings.
    whole_messages: bool = False
    #: False for a kind that is installed and cannot send yet; the UI says so and refuses to start it.
    sends: ClassVar[bool] = True

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        """Keep the connection's `name` and its typed settings (`values`, every setting present). No I/O here.

        May raise InvalidSetting for what a `Setting` cannot express, such as a rule that cannot be read.
        """
        self.name = name
        self.values = values

    async def run(self, link: Link) -> None:
        """Serve the link until LinkStopped."""
        raise NotImplementedError


class CallConnector(Connector):
    """A connector with one blocking call per submission and one outcome: simple HTTP APIs.

    The engine calls `submit` in up to `window` daemon threads. A call that takes longer than `deadline_s` is in doubt.
    """

    window: int = 4
    #: Seconds.
    deadline_s: float = 30.0

    def submit(self, submission: Submission) -> Outcome:
        """Send one submission and return what the peer said. Raises: LinkDown, OutcomeUnknown."""
        raise NotImplementedError

"""Applications: what a user's account is connected to, such as a webhook, SQL tables or an SMPP listener."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from pennywire.settings import Setting
from pennywire.storage import Storage
from pennywire.values import Draft, MessageView


class NotAccepted(Exception):
    """A whole request was refused, and nothing of it was accepted. `code` is of the table of refusals, such as `unavailable`.

    With the code `unknown_outcome` nobody knows whether it was accepted: do not answer the customer at all.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Taken:
    """A draft that was accepted and charged, for good. `message_id` is the public id."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A draft that was refused. `code` is of the table of refusals, such as `no_credit`; `reason` says what, why and the remedy."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What waits for an application until it is acknowledged: an incoming message, or the end of one that the application sent.

    `kind` is `received`, or the state in which the message ended. `parameters` are those of the message's draft.
    """

    id: int
    kind: str
    at: datetime
    message: MessageView
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Gateway(Storage, Protocol):
    """What a running application gets from the gateway: storage, and the ways of messages, for its own user alone.

    The calls block and may be made from any thread; an application on an event loop makes them in a thread of its own. Each that
    changes something returns when that is durable.
    """

    def authenticate(self, password: str, stored: str, *, address: str) -> bool:
        """Say whether a password is the one of a `hashed` setting, whose stored value is `stored`. Failures are throttled.

        `address` is where the caller comes from. Raises: NotAccepted (`too_many_attempts`, `user_suspended`, `unavailable`).
        """
        ...

    def submit(self, drafts: Sequence[Draft], *, key: str = "") -> Sequence[Taken | Refusal]:
        """Accept messages: one result for each draft, in order. The same `key` again gets the first answer again.

        Raises: NotAccepted.
        """
        ...

    def find(self, names: Sequence[str]) -> Mapping[str, MessageView]:
        """Return the user's messages by public id or client reference; what is not there is left out."""
        ...

    def cancel(self, message_ids: Sequence[str]) -> frozenset[str]:
        """Take messages back that have not left, and release their charge; return those that were taken back."""
        ...

    def draft(self, name: str) -> Draft | None:
        """Return what would submit the user's message again, by its public id or client reference; nothing where there is none."""
        ...

    def replace(self, message_id: str, draft: Draft) -> Taken | Refusal | None:
        """Put another message in the place of one that has not left, in one transaction: the one's charge is released, the other's made.

        Nothing is returned where the message has left, and a refusal leaves it as it was. Nobody is told of the end of what was
        replaced. Raises: NotAccepted.
        """
        ...

    def unsent(self, *, source: str = "", destination: str = "", reference: str = "") -> Mapping[str, Mapping[str, Any]]:
        """Return messages that the application sent and of which nothing has left: their drafts' parameters by public id.

        They have that client reference, or else that pair of addresses.
        """
        ...

    def deliveries(self, *, after: int, limit: int) -> Sequence[Delivery]:
        """Return what waits for the application, oldest first, from behind the delivery `after`."""
        ...

    def acknowledge(self, delivery_ids: Sequence[int]) -> None:
        """Say that the application's peer has these deliveries; they do not come again."""
        ...

    def up(self, detail: str = "") -> None:
        """Say that the application serves, and how, in words for the operator."""
        ...

    def log(self, line: str) -> None:
        """Write a line to the application's events. No secret, no text, no full number."""
        ...


class Application:
    """A way in or out of one user's account. All applications run in one engine, which holds the lease of that duty.

    What is to be served is `values` (typed settings; a `hashed` one is its hash) and `shared` (the plugin's own settings). A change
    of either ends the application and starts it again; so does an exception, after a pause that grows.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()

    def __init__(self, username: str, values: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        """Keep what is given; no I/O here. May raise InvalidSetting."""
        self.username = username
        self.values = values
        self.shared = shared

    async def run(self, gateway: Gateway) -> None:
        """Serve until cancelled."""
        raise NotImplementedError

"""Journal delivery: each plugin that listens follows the journal with a cursor of its own, at least once, in order.

Each has its own thread: one that is slow, hangs or raises keeps neither the pipe nor another plugin waiting. Nobody waits for what
it does, so it gives way: the longer it had to wait for a processor in a turn, the longer it rests after it, while it is not late.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from app import administration, following, journal
from app.core import Core
from app.engine import leases
from app.engine.duties import waited_s
from app.engine.faults import describe, trail
from app.models import JournalCursor
from app.snapshot import Snapshot
from pennywire import Event, MessageView

BATCH = 1_000
IDLE_S = 0.2
LOOK_S = 0.5
"""How long a consumer that waits goes without a look at its settings."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
PREFIX = "journal:"

RESTS_PER_WAIT = 10
"""How long a consumer rests after a turn, in terms of how long it waited for a processor in it: it gives way to what is urgent."""

LONGEST_REST_S = 2.0
LATE_S = 30.0
"""An event of this age is delivered without a rest: whatever else wants the processor, a consumer does not fall behind further."""

_log = logging.getLogger(__name__)


class LostDuty(Exception):
    """Another engine delivers to this plugin now: the cursor is its business, and it may deliver the batch again."""


@dataclass(slots=True)
class Consumer:
    """Delivers the journal to one plugin. `plugin` is its name and the name of its cursor; a new one begins behind the last event.

    `take` and `follows` are the plugin's hooks. A batch that was not taken comes again after a pause that grows, and at once
    when the plugin's settings change.
    """

    core: Core
    engine_id: str
    plugin: str
    take: Callable[[Sequence[Event], Mapping[str, MessageView], Mapping[str, Any]], Any]
    follows: Callable[[Mapping[str, Any]], bool] = lambda _settings: True
    wants_messages: bool = False
    monotonic: Callable[[], float] = time.monotonic
    waited_s: Callable[[], float] = waited_s
    _stored: Mapping[str, Any] | None = None
    _settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _looked: bool = False
    _known: bool = False
    _opened: bool | None = None
    _pause_s: float = 0.0
    _again_at: float = 0.0

    @property
    def name(self) -> str:
        return PREFIX + self.plugin

    def turn(self) -> float:
        """Deliver one batch and return how long to wait. Why the plugin did not take it is kept for its page."""
        snapshot = self.core.snapshots.present()
        stored = snapshot.plugin_settings.get(self.plugin)
        if not self._looked or stored != self._stored:
            self._looked, self._stored, self._known, self._pause_s, self._again_at = True, stored, False, 0.0, 0.0
        left_s = self._again_at - self.monotonic()
        if left_s > 0:
            return min(left_s, LOOK_S)
        try:
            if not self._known:
                self._settings = administration.live_plugin_settings(self.core.plugins, self.core.vault, self.plugin, stored or {})
                self._known = True
            if not self.follows(self._settings):
                self._leave()
                return LOOK_S
        except Exception as error:  # noqa: BLE001  # The plugin's own hook is asked, and a secret may be unreadable.
            return self._wait(error)
        return self._deliver(snapshot)

    def _leave(self) -> None:
        """Give up the cursor: nothing is kept for a plugin that does not follow."""
        if self._opened is not False:
            with self.core.database.write() as session:
                following.forget(session, self.plugin)
            self._opened = False

    def _deliver(self, snapshot: Snapshot) -> float:
        database, waited_s = self.core.database, self.waited_s()
        if not self._opened:
            with database.write() as session:
                journal.open_cursor(session, self.plugin, now=self.core.clock(), from_start=False)
            self._opened = True
        with database.read() as session:
            if session.get(JournalCursor, self.plugin) is None:
                # Another engine had the duty meanwhile, and the plugin did not follow.
                self._opened = None
                return IDLE_S
            batch, behind = journal.read(session, self.plugin, BATCH)
            messages = following.messages_of(session, snapshot, batch) if self.wants_messages else {}
        if not batch:
            return IDLE_S
        try:
            self.take(batch, messages, self._settings)
        except Exception as error:  # noqa: BLE001  # A plugin may raise anything; it harms nobody else.
            return self._wait(error)
        with database.write() as session:
            if not leases.hold_duty(session, self.name, self.engine_id, lease_s=self.core.settings.lease_s):
                raise LostDuty(f"Another engine delivers the journal to {self.plugin}.")
            journal.move(session, self.plugin, behind, now=self.core.clock())
        self._pause_s = 0.0
        return self._rest(batch, self.waited_s() - waited_s)

    def _rest(self, batch: Sequence[Event], waited_s: float) -> float:
        """Return how long to wait after a batch that was taken."""
        pause_s = 0.0 if len(batch) == BATCH else IDLE_S
        if self.core.clock() - batch[0].at > timedelta(seconds=LATE_S):
            return pause_s
        return max(pause_s, min(RESTS_PER_WAIT * waited_s, LONGEST_REST_S))

    def _wait(self, error: Exception) -> float:
        """Keep why the batch was not taken, and wait before it comes again."""
        self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        _log.warning("%s failed, again in %g s: %s\n%s", self.name, self._pause_s, describe(error), trail(error))
        with self.core.database.write() as session:
            journal.failed(session, self.plugin, describe(error), now=self.core.clock())
        self._again_at = self.monotonic() + self._pause_s
        return min(self._pause_s, LOOK_S)


def make_consumers(core: Core, engine_id: str) -> list[Consumer]:
    """Return a consumer for each plugin that has the hook `message_events`."""
    hook = core.plugins.manager.hook
    follows = {implementation.plugin_name: implementation for implementation in hook.follows_journal.get_hookimpls()}
    consumers = []
    for implementation in hook.message_events.get_hookimpls():
        consumer = Consumer(core, engine_id, implementation.plugin_name, _taker(implementation))
        consumer.wants_messages = "messages" in implementation.argnames
        if implementation.plugin_name in follows:
            consumer.follows = _asker(follows[implementation.plugin_name])
        consumers.append(consumer)
    return consumers


def _taker(implementation: Any) -> Callable[[Sequence[Event], Mapping[str, MessageView], Mapping[str, Any]], Any]:
    """Return a call of one plugin's hook; an implementation may leave arguments out, as pluggy allows."""

    def take(batch: Sequence[Event], messages: Mapping[str, MessageView], settings: Mapping[str, Any]) -> Any:
        given = {"batch": batch, "messages": messages, "settings": settings}
        return implementation.function(**{name: given[name] for name in implementation.argnames})

    return take


def _asker(implementation: Any) -> Callable[[Mapping[str, Any]], bool]:
    def ask(settings: Mapping[str, Any]) -> bool:
        return bool(implementation.function(settings) if "settings" in implementation.argnames else implementation.function())

    return ask

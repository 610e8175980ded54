"""Hosts one connection: makes its connector, runs it, starts it again when it ends, and lets it take its leave."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from app import administration
from app.core import Core
from app.engine.calls import CallRunner
from app.engine.faults import describe, trail
from app.engine.leases import SAFE_SHARE
from app.engine.links import EngineLink
from app.engine.plans import Plan
from app.engine.status import LinkState, Note
from app.engine.watchdog import OWNER
from app.engine.writer import Writer
from app.secrets import CannotDecrypt
from pennywire import CallConnector, Connector, InvalidSetting, LinkStopped

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_AFTER_S = 60.0
"""A connector that ran this long starts with a short pause again."""

CANCEL_GRACE_S = 2.0
"""How long a connector that was cancelled may take to end; after that it is left to itself."""

_log = logging.getLogger(__name__)


class Host:
    """Runs the connector of one connection under one lease."""

    def __init__(self, core: Core, writer: Writer, plan: Plan, token: int, *, leased_at: float, grace_s: float) -> None:
        self.plan = plan
        self.token = token
        self._core = core
        self._writer = writer
        self._grace_s = grace_s
        self._stopped = asyncio.Event()
        self._link: EngineLink | None = None
        self._safe_until = 0.0
        self.renewed(leased_at)

    # What the engine tells it.

    def renewed(self, leased_at: float) -> None:
        """Take note that the lease was asked for at `leased_at` by the monotonic clock, and granted."""
        self._safe_until = leased_at + SAFE_SHARE * self._core.settings.lease_s
        if self._link is not None:
            self._link.stir()

    def stop(self) -> None:
        """Ask the connector to end; `serve` returns when it has."""
        self._stopped.set()
        if self._link is not None:
            self._link.stop()

    def notes(self) -> list[Note]:
        """Return what the link wrote since the last call."""
        return self._link.notes() if self._link is not None else []

    # Its life.

    async def serve(self) -> None:
        """Run the connector until `stop`; one that ends by itself is started again after a pause that grows."""
        OWNER.set(self.plan.view.name)
        pause_s = FIRST_PAUSE_S
        while not self._stopped.is_set():
            started_at = time.monotonic()
            reason = await self._run_once()
            if self._stopped.is_set():
                return
            if time.monotonic() - started_at >= STEADY_AFTER_S:
                pause_s = FIRST_PAUSE_S
            self._say(LinkState.FAILED, f"{reason} It is started again in {pause_s:g} s.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _run_once(self) -> str:
        """Run the connector once and return, for the operator, why it ended."""
        try:
            connector = self._make_connector()
        except (administration.InvalidField, InvalidSetting, CannotDecrypt) as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  # A plugin may raise anything.
            return self._complain("could not be made", error)
        link = self._link = EngineLink(
            self._writer,
            self.plan.view,
            self.token,
            plugin=self._plugin,
            whole_messages=connector.whole_messages,
            lease_safe=lambda: time.monotonic() < self._safe_until,
            clock=self._core.clock,
        )
        link.set_state(LinkState.CONNECTING)
        runner = CallRunner(connector, link).run() if isinstance(connector, CallConnector) else connector.run(link)
        try:
            reason = await self._attend(runner, link)
        finally:
            link.close("The connector ended without an answer.")
            self._writer.note(link.notes())
            self._link = None
        await self._writer.settled()
        return reason

    async def _attend(self, runner: Coroutine[Any, Any, None], link: EngineLink) -> str:
        """Wait for the connector's end. Once it is asked to end it has the time of grace, then it is cancelled."""
        run = asyncio.create_task(runner, name=f"link {self.plan.view.name}")
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({run, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not run.done():
                await asyncio.wait({run}, timeout=self._grace_s)
        finally:
            stopped.cancel()
            if not run.done():
                link.log(f"the connector did not end in time; {link.unanswered_count} submissions are without an answer")
                run.cancel()
                await asyncio.wait({run}, timeout=CANCEL_GRACE_S)
        return self._reason(run)

    def _reason(self, run: "asyncio.Task[None]") -> str:
        if not run.done() or run.cancelled():
            return "The connector was cancelled."
        error = run.exception()
        if error is None or isinstance(error, LinkStopped):
            return "The connector ended by itself."
        return self._complain("ended", error)

    def _complain(self, what: str, error: BaseException) -> str:
        """Log what a plugin raised, with its name, and return it for the operator."""
        _log.error("connection %s of plugin %s %s: %s\n%s", self.plan.view.name, self._plugin, what, describe(error), trail(error))
        return f"The connector {what}: {describe(error)}."

    @property
    def _plugin(self) -> str:
        """The plugin that brings the connection's kind."""
        kind = self.plan.view.kind
        return self._core.plugins.owners.get(f"connectors:{kind}", kind)

    def _make_connector(self) -> Connector:
        kind = administration.connection_kind(self._core.plugins, self.plan.view.kind)
        values = administration.live_settings(kind, self.plan.settings, self._core.vault)
        return kind(self.plan.view.name, values)

    def _say(self, state: LinkState, reason: str) -> None:
        note = Note(self.plan.view.id, self.token, self._core.clock(), state=state, reason=reason, line=f"{state.value}: {reason}")
        self._writer.note([note])

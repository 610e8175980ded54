"""Hosts the applications of users: runs those that are wanted, starts again what fails, and lets no one harm another."""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from app import administration
from app import snapshot as configuration
from app.core import Core
from app.db import Unavailable
from app.engine import leases
from app.engine.desk import Desk, Means
from app.engine.faults import describe, trail
from app.models import ApplicationRow, PluginSettings, User
from app.secrets import CannotDecrypt
from pennywire import InvalidSetting

DUTY = "applications"
LOOK_EVERY_S = 0.5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_AFTER_S = 60.0
CANCEL_GRACE_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One application that is to run. A change of any field ends it and starts it again."""

    id: int
    kind: str
    username: str
    settings: Mapping[str, Any] = field(hash=False, repr=False)
    #: Stored settings of the plugin that brings the kind.
    shared: Mapping[str, Any] = field(hash=False, repr=False)


class Applications:
    """Runs the applications while this engine has their duty. Make it in the engine's loop."""

    def __init__(self, core: Core, means: Means, engine_id: str) -> None:
        self._core = core
        self._means = means
        self._engine_id = engine_id
        self._running: dict[int, tuple[Wanted, asyncio.Task[None]]] = {}
        self._version = -1
        self._wanted: dict[int, Wanted] = {}
        self._held_until = 0.0

    async def run(self) -> None:
        """Compare what is to run with what runs, until cancelled; then end everything."""
        try:
            while True:
                try:
                    await self._look()
                except Unavailable as error:
                    _log.warning("applications wait for the database: %s", describe(error))
                    if time.monotonic() > self._held_until:
                        await self._keep({})
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await self._keep({})

    async def _look(self) -> None:
        held = await asyncio.to_thread(self._hold)
        if held:
            await asyncio.to_thread(self._read)
        await self._keep(self._wanted if held else {})

    def _hold(self) -> bool:
        """Say whether the duty is this engine's; the lease is prolonged when a third of it has passed."""
        now, lease_s = time.monotonic(), self._core.settings.lease_s
        if now < self._held_until - lease_s * (leases.SAFE_SHARE - 1 / leases.RENEWALS_PER_LEASE):
            return True
        with self._core.database.write() as session:
            dead = leases.dead_neighbours(session, self._engine_id)
            held = leases.hold_duty(session, DUTY, self._engine_id, lease_s=lease_s, dead=dead)
        self._held_until = now + lease_s * leases.SAFE_SHARE if held else 0.0
        return held

    def _read(self) -> None:
        """Read what is wanted, if the configuration has changed."""
        owners = self._core.plugins.owners
        with self._core.database.read() as session:
            version = configuration.version(session)
            if version == self._version:
                return
            shared = {row.name: row.settings for row in session.scalars(select(PluginSettings))}
            rows = session.execute(
                select(ApplicationRow, User.username)
                .join(User, User.id == ApplicationRow.user_id)
                .where(ApplicationRow.desired == "started", User.active, User.retired_at.is_(None))
                .order_by(ApplicationRow.id)
            ).all()
        self._wanted = {
            row.id: Wanted(row.id, row.kind, username, row.settings, shared.get(owners.get(f"applications:{row.kind}", ""), {}))
            for row, username in rows
        }
        self._version = version

    async def _keep(self, wanted: Mapping[int, Wanted]) -> None:
        """End what is not wanted so any more, and start what does not run."""
        ending = [task for number, (running, task) in self._running.items() if wanted.get(number) != running]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=CANCEL_GRACE_S)
        self._running = {number: pair for number, pair in self._running.items() if pair[1] not in ending}
        for number, one in wanted.items():
            if number not in self._running:
                self._running[number] = one, asyncio.create_task(self._serve(one), name=f"application {one.kind} of {one.username}")

    async def _serve(self, wanted: Wanted) -> None:
        """Run one application until cancelled; one that ends by itself is started again after a pause that grows."""
        desk = Desk(self._core, wanted.username, "customer", self._fail, means=self._means, application_id=wanted.id, kind=wanted.kind)
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                started_at = time.monotonic()
                reason = await self._run_once(wanted, desk)
                if time.monotonic() - started_at >= STEADY_AFTER_S:
                    pause_s = FIRST_PAUSE_S
                with suppress(Unavailable):
                    await asyncio.to_thread(desk.say, "failed", f"{reason} It is started again in {pause_s:g} s.")
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        finally:
            with suppress(Unavailable):
                await asyncio.to_thread(desk.say, "down", "stopped")

    async def _run_once(self, wanted: Wanted, desk: Desk) -> str:
        """Run one application once and return, for the operator, why it ended."""
        core = self._core
        plugin = core.plugins.owners.get(f"applications:{wanted.kind}", wanted.kind)
        try:
            kind = administration.application_kind(core.plugins, wanted.kind)
            values = administration.live_application(kind, wanted.settings, core.vault)
            shared = administration.live_plugin_settings(core.plugins, core.vault, plugin, wanted.shared)
            await kind(wanted.username, values, shared).run(desk)
        except (administration.InvalidField, InvalidSetting, CannotDecrypt) as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  # A plugin may raise anything.
            _log.error(
                "application %s of plugin %s for user %s ended: %s\n%s", wanted.kind, plugin, wanted.username, describe(error), trail(error)
            )
            return f"The application ended: {describe(error)}."
        return "The application ended by itself."

    def _fail(self) -> None:
        self._means.failed(RuntimeError("COMMIT failed."))

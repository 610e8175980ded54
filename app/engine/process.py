"""The engine process: holds leases, hosts connections, and ends cleanly, or at once where the database is not to be trusted."""

import asyncio
import gc
import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from app import jobs
from app.core import Core
from app.db import Unavailable
from app.engine import leases, plans
from app.engine.applications import Applications
from app.engine.batches import Transaction
from app.engine.closing import MonthCloser
from app.engine.collector import Collector
from app.engine.consumers import make_consumers
from app.engine.couriers import Courier, NightlyCheck, Watcher
from app.engine.desk import make_means
from app.engine.duties import Duty, DutyThread
from app.engine.faults import describe
from app.engine.hosting import Host
from app.engine.jobs import JobRunner
from app.engine.margin_keeper import MarginKeeper
from app.engine.plans import DEDICATED, Plan, Scene
from app.engine.statistician import Statistician
from app.engine.sweeper import Sweeper
from app.engine.watchdog import Watchdog
from app.engine.writer import Writer

CLEAN_EXIT = 0
COMMIT_FAILED_EXIT = 70
RESTART_EXIT = 72
"""The set of enabled plugins changed: start the process again."""

UNSETTLED_EXIT = 73
"""The process ended, and the database did not take everything before: what was being sent is in doubt."""

LOOK_EVERY_S = 0.5
NOTE_EVERY_S = 1.0
RETRY_S = 1.0
GRACE_S = 10.0
"""How long connectors may take to finish what is in their windows, in seconds."""

SETTLE_S = 5.0
THREAD_S = 2.0

COLLECTOR_THRESHOLDS = (50_000, 20, 100)
"""Measured: a tenth of the engine's time less than with the interpreter's own."""

_log = logging.getLogger(__name__)


def run_engine(core: Core, *, only: str | None = None) -> int:
    """Run the delivery process until it is asked to end, and return its exit code.

    With `only` it runs the connection of that name and leaves the others alone. SIGTERM and SIGINT end it cleanly. Any exit
    code but 0 asks the supervisor to start it again.
    """
    _spare_the_collector()
    return asyncio.run(_run(core, only))


def _spare_the_collector() -> None:
    """Let the cyclic collector run seldom: batches of thousands of rows wake it all the time, and leave it nothing to collect."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)


async def _run(core: Core, only: str | None) -> int:
    engine = Engine(core, only=only)
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, engine.stop, CLEAN_EXIT)
    return await engine.run()


class Engine:
    """One delivery process. Make it in its loop."""

    def __init__(self, core: Core, *, only: str | None = None, grace_s: float = GRACE_S, watch: bool = True) -> None:
        self.id = leases.make_engine_id()
        self._core = core
        self._only = only
        self._grace_s = grace_s
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._writer = Writer(core, on_failure=self._fail)
        self._watchdog = Watchdog(core, self.id) if watch else None
        self._hosts: dict[int, Host] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._scene: Scene | None = None
        self._look_again = asyncio.Event()
        self._threads: list[DutyThread] = []
        self._jobs = JobRunner(core, self.id, worked_at=lambda: self._writer.worked_at, on_failure=self._fail_from_thread)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The connections that this engine runs."""
        return tuple(self._hosts.values())

    def stop(self, code: int = CLEAN_EXIT) -> None:
        """Ask the engine to end; the first wish counts."""
        if not self._ended.done():
            self._ended.set_result(code)
            self._look_again.set()

    def _fail(self, error: BaseException) -> None:
        """End at once: after a COMMIT that failed the database connection is not trusted, and nothing more is written."""
        _log.critical("engine ends: %s", describe(error))
        self.stop(COMMIT_FAILED_EXIT)

    def _fail_from_thread(self, error: BaseException) -> None:
        with suppress(RuntimeError):  # The loop is closed: the engine has ended already.
            self._loop.call_soon_threadsafe(self._fail, error)

    async def run(self) -> int:
        """Run until `stop`, or a failure, and return the exit code."""
        self._writer.start()
        if self._watchdog is not None:
            self._watchdog.start()
        works = [self._supervise, self._keep_leases, self._write_notes]
        if self._only is None:
            works.append(Applications(self._core, make_means(self._core, self._fail_from_thread), self.id).run)
        helpers = [asyncio.create_task(work()) for work in works]
        for helper in helpers:
            helper.add_done_callback(self._helper_ended)
        code = await self._ended
        for helper in helpers:
            helper.cancel()
        await asyncio.wait(helpers)
        for thread in self._threads:
            thread.stop()
        self._jobs.stop()
        await asyncio.to_thread(self._join_threads)
        if code == COMMIT_FAILED_EXIT:
            await self._drop_links()
        else:
            code = await self._take_leave(code)
        if self._watchdog is not None:
            self._watchdog.stop()
        self._writer.stop(THREAD_S)
        return code

    def _join_threads(self) -> None:
        """Wait for the turns that are under way; one that hangs is left behind."""
        until = time.monotonic() + THREAD_S
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))

    def _helper_ended(self, helper: "asyncio.Task[None]") -> None:
        if not helper.cancelled() and (error := helper.exception()) is not None:
            self._loop.call_exception_handler({"message": "a task of the engine ended", "exception": error, "task": helper})
            self._fail(error)

    # Beginning and end.

    async def _begin(self) -> None:
        """Register, as soon as the database can be reached, and start the duties."""
        while True:
            try:
                await self._writer.do(lambda transaction: leases.register(transaction.session, self.id))
                break
            except Unavailable as error:
                _log.warning("engine waits for the database: %s", describe(error))
                await asyncio.sleep(RETRY_S)
        duties: list[Duty] = [
            Sweeper(self._core, lambda: self._writer.worked_at),
            MarginKeeper(self._core),
            Collector(self._core),
            Statistician(self._core),
            *make_consumers(self._core, self.id),
        ]
        duties += [Watcher(self._core), Courier(self._core), NightlyCheck(self._core), MonthCloser(self._core), self._jobs]
        if self._only is not None:
            duties.append(_Dedicated(self._only))
        self._threads = [DutyThread(self._core, self.id, duty, on_failure=self._fail_from_thread) for duty in duties]
        for thread in self._threads:
            thread.start()
        _log.info("engine %s started", self.id)

    async def _take_leave(self, code: int) -> int:
        """Let connectors finish, store what they said, and give everything up. Bounded in time."""
        for host in self._hosts.values():
            host.stop()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self._grace_s + SETTLE_S)
        if self._tasks:
            _log.error("connections did not end in time: %s", ", ".join(host.plan.view.name for host in self._hosts.values()))
            return UNSETTLED_EXIT
        try:
            async with asyncio.timeout(SETTLE_S):
                await self._writer.settled()
                await self._writer.do(partial(_unregister, self.id))
        except (TimeoutError, Unavailable) as error:
            _log.error("engine ended before everything was stored: %s", type(error).__name__)
            return UNSETTLED_EXIT
        _log.info("engine %s ended", self.id)
        return code

    async def _drop_links(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=THREAD_S)

    # Connections.

    async def _supervise(self) -> None:
        await self._begin()
        while True:
            self._look_again.clear()
            try:
                await self._look()
            except Unavailable as error:
                _log.warning("engine cannot look at the database: %s", describe(error))
            await _wait(self._look_again, LOOK_EVERY_S)

    async def _look(self) -> None:
        """Compare what is to run with what runs."""
        before = self._scene
        scene = self._scene = await asyncio.to_thread(plans.look, self._core, self.id, before)
        if self._plugins_changed(scene, before):
            _log.info("plugins were switched, engine restarts")
            self.stop(RESTART_EXIT)
            return
        for connection_id, host in self._hosts.items():
            if scene.plans.get(connection_id) != host.plan or not self._is_ours(host.plan, scene):
                host.stop()
        for connection_id, plan in scene.plans.items():
            if connection_id in self._hosts:
                continue
            if self._is_ours(plan, scene):
                if scene.is_free(connection_id, self.id):
                    await self._start(plan, scene)
            elif scene.is_orphaned(connection_id, self.id):
                await self._writer.do(partial(_clear_up, connection_id, self.id, scene.dead))

    def _plugins_changed(self, scene: Scene, before: Scene | None) -> bool:
        infos = self._core.plugins.infos
        differs = any(name in infos and infos[name].enabled != enabled for name, enabled in scene.plugins.items())
        return differs or (before is not None and scene.plugins != before.plugins)

    def _is_ours(self, plan: Plan, scene: Scene) -> bool:
        """Say whether this engine is to run the connection, if nobody else does."""
        if self._only is not None:
            return plan.view.started and plan.view.name == self._only
        return plan.view.started and plan.view.name not in scene.dedicated

    async def _start(self, plan: Plan, scene: Scene) -> None:
        leased_at = time.monotonic()
        token = await self._writer.do(partial(_take_over, plan.view.id, self.id, self._core.settings.lease_s, scene.dead))
        if token is None or self._ended.done():
            return
        host = Host(self._core, self._writer, plan, token, leased_at=leased_at, grace_s=self._grace_s)
        self._hosts[plan.view.id] = host
        self._tasks[plan.view.id] = asyncio.create_task(self._host(host), name=f"host {plan.view.name}")

    async def _host(self, host: Host) -> None:
        """Run a host to its end and release its lease, when everything it said is stored."""
        connection_id = host.plan.view.id
        try:
            await host.serve()
            await self._writer.settled()
            release = partial(_release, connection_id, self.id, host.token)
            await self._retried(lambda: self._writer.do(release))
        finally:
            self._hosts.pop(connection_id, None)
            self._tasks.pop(connection_id, None)
            self._look_again.set()

    async def _retried(self, work: Callable[[], Any]) -> None:
        while True:
            try:
                await work()
            except Unavailable:
                await asyncio.sleep(RETRY_S)
            else:
                return

    # Leases and notes.

    async def _keep_leases(self) -> None:
        """Prolong the leases of all hosts at a third of their time; a lease that is lost ends its link."""
        lease_s = self._core.settings.lease_s
        while True:
            await asyncio.sleep(lease_s / leases.RENEWALS_PER_LEASE)
            renewed = False
            while not renewed:
                hosts = dict(self._hosts)
                asked_at = time.monotonic()
                tokens = {connection_id: host.token for connection_id, host in hosts.items()}
                try:
                    kept = await self._writer.do(partial(_renew, self.id, tokens, lease_s))
                except Unavailable:
                    await asyncio.sleep(min(RETRY_S, lease_s / 10))
                    continue
                renewed = True
                for connection_id, host in hosts.items():
                    if connection_id in kept:
                        host.renewed(asked_at)
                    else:
                        _log.error("lease of connection %s was lost", host.plan.view.name)
                        host.stop()

    async def _write_notes(self) -> None:
        while True:
            await asyncio.sleep(NOTE_EVERY_S)
            notes = [note for host in self._hosts.values() for note in host.notes()]
            if notes:
                self._writer.note(notes)


class _Dedicated:
    """The duty of an engine that runs one connection only: others see by it that they are to leave the connection alone."""

    def __init__(self, connection: str) -> None:
        self.name = DEDICATED + connection

    def turn(self) -> float:
        return LOOK_EVERY_S


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    waiter = asyncio.ensure_future(event.wait())
    await asyncio.wait({waiter}, timeout=timeout_s)
    waiter.cancel()


# Work for the database worker.


def _take_over(connection_id: int, engine_id: str, lease_s: float, dead: frozenset[str], transaction: Transaction) -> int | None:
    return leases.take_over(
        transaction.session, transaction.snapshot, connection_id, engine_id, lease_s=lease_s, dead=dead, now=transaction.now
    )


def _clear_up(connection_id: int, engine_id: str, dead: frozenset[str], transaction: Transaction) -> None:
    leases.clear_up(transaction.session, transaction.snapshot, connection_id, engine_id, dead=dead, now=transaction.now)


def _release(connection_id: int, engine_id: str, token: int, transaction: Transaction) -> None:
    leases.release(transaction.session, connection_id, engine_id, token, state="down", reason="stopped", now=transaction.now)


def _unregister(engine_id: str, transaction: Transaction) -> None:
    jobs.give_back(transaction.session, engine_id)
    leases.unregister(transaction.session, engine_id, now=transaction.now)


def _renew(engine_id: str, tokens: dict[int, int], lease_s: float, transaction: Transaction) -> frozenset[int]:
    return leases.renew(transaction.session, engine_id, tokens, lease_s=lease_s)

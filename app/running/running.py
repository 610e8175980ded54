"""The supervisor: one thread that waits for signals, starts what is missing and asks the web process whether it is ready."""

import contextlib
import errno
import json
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app import administration, migrations, safety
from app.config import Settings
from app.core import Core, open_core
from app.db import make_engine
from app.running import demo
from app.running.address import address_of, first_name, is_healthy
from app.running.announcement import Announcement
from app.running.children import Child
from app.running.launching import engine_command, environment_of, web_command

STOP_WITHIN_S = 25.0
"""How long the children may take to end; connectors have 10 s of it to finish their windows."""

POLL_S = 0.1
MOST_EARLY_DEATHS = 3
"""A web process that never came up and died this often in a row will not come up."""

BACKLOG = 2048
STOPPING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_HEARD = STOPPING | {signal.SIGCHLD}
_LOG = logging.getLogger("pennywire.run")


class CannotListen(Exception):
    """The address cannot be listened on; the text says why and what to do."""


def run(settings: Settings, *, with_demo: bool = False, announce: Path | None = None, as_json: bool = False) -> int:
    """Migrate, start web and engine, keep them alive until SIGTERM, SIGINT or the end of the terminal; return the exit status.

    Raises: InvalidSettings, UnsafeDatabase, Unavailable, NewerDatabase, DuplicateKind, CannotListen.
    """
    safety.require(settings)
    with _listening(settings) as listener:
        host, port = listener.getsockname()[:2]
        address = address_of(settings, port)
        known = _prepare(settings, address, with_demo=with_demo)
        environment = environment_of(settings)
        web = Child("web", web_command(listener.fileno()), environment, [listener.fileno()])
        children = [web, Child("engine", engine_command(), environment)]

        def ready() -> None:
            if announce is not None:
                known.write(announce)
            _say(json.dumps(_as_dict(known)) if as_json else known.in_words())

        return Supervisor(children, lambda: is_healthy(host, port, named=first_name(settings)), ready).run()


def _as_dict(known: Announcement) -> dict[str, str]:
    return {name: getattr(known, name) for name in ("address", "setup_link", "username", "password", "api_key")}


def _say(text: str) -> None:
    """Write to the terminal, which may have gone."""
    with contextlib.suppress(OSError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Yield a listening socket that outlives web processes: while one restarts, callers wait instead of being refused.

    Raises: CannotListen.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, place = found[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise CannotListen(f"{settings.host} is no address of this machine: {error.strerror}. Choose another with --bind.") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(place)
        except OSError as error:
            raise CannotListen(_why_not(settings, error)) from error
        listener.listen(BACKLOG)
        yield listener


def _why_not(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"The port {settings.port} is in use, maybe by another Pennywire. Stop it, or choose another with --bind {settings.host}:PORT."
        )
    if error.errno == errno.EACCES:
        return f"The port {settings.port} is reserved for the system. Choose one above 1023: --bind {settings.host}:PORT."
    return f"{settings.bind} cannot be listened on: {error.strerror}. Choose another with --bind HOST:PORT."


def _prepare(settings: Settings, address: str, *, with_demo: bool) -> Announcement:
    """Bring the database to this version, and make what is to be announced."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = make_engine(settings.url, pool_size=1)
    try:
        done = migrations.upgrade(engine)
    finally:
        engine.dispose()
    if done:
        _LOG.info("migrated", extra={"steps": ", ".join(done)})
    core = open_core(settings)
    try:
        return _known(core, address, with_demo=with_demo)
    finally:
        core.close()


def _known(core: Core, address: str, *, with_demo: bool) -> Announcement:
    token = core.database.run(lambda session: administration.make_setup_link(session, now=core.clock()))
    setup_link = f"{address}/setup/{token}" if token else ""
    if not with_demo:
        return Announcement(address=address, setup_link=setup_link)
    made = demo.prepare(core)
    return Announcement(address=address, setup_link=setup_link, username=made.username, password=made.password, api_key=made.api_key)


@dataclass(slots=True)
class Supervisor:
    """Keeps children alive until it is told to stop. `ready` is called once, when `healthy` says yes for the first time."""

    children: Sequence[Child]
    healthy: Callable[[], bool]
    ready: Callable[[], None]
    monotonic: Callable[[], float] = time.monotonic
    _announced: bool = field(default=False)

    def run(self) -> int:
        """Supervise, and return the exit status: 0 after a clean stop, 1 where the web process never came up."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
        status = 0
        try:
            while not self._wait():
                if not self._tend():
                    status = 1
                    break
        finally:
            self._stop()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return status

    def _tend(self) -> bool:
        """Start what is due and announce what is ready; say whether there is a point in going on."""
        for child in self.children:
            if child.look() and not self._announced and child.name == "web" and child.early_deaths >= MOST_EARLY_DEATHS:
                _LOG.error("gave up", extra={"child": child.name, "reason": "It never came up. The lines above say why."})
                return False
            if not child.running and self.monotonic() >= child.start_at:
                child.start()
        if not self._announced and self.healthy():
            self._announced = True
            self.ready()
        return True

    def _wait(self) -> bool:
        """Wait for a signal, or until something is due; say whether it was one to stop."""
        now = self.monotonic()
        due = [max(child.start_at - now, 0.0) for child in self.children if not child.running]
        if not self._announced:
            due.append(POLL_S if any(child.running for child in self.children) else 0.0)
        heard = signal.sigtimedwait(_HEARD, min(due)) if due else signal.sigwaitinfo(_HEARD)
        return heard is not None and heard.si_signo in STOPPING

    def _stop(self) -> None:
        """End all children, in order and at once, and wait for them; a second Ctrl-C hurries."""
        for child in self.children:
            child.signal(signal.SIGTERM)
        deadline = self.monotonic() + STOP_WITHIN_S
        while any(child.process is not None and child.process.poll() is None for child in self.children):
            left_s = deadline - self.monotonic()
            heard = signal.sigtimedwait(_HEARD, max(left_s, 0.0))
            if left_s <= 0 or (heard is not None and heard.si_signo == signal.SIGINT):
                break
        for child in self.children:
            child.kill()

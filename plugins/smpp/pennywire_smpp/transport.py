"""A session on a TCP connection, under asyncio: gathers writes, holds back reading, keeps the timers."""

import asyncio
import ssl
from collections.abc import Callable
from math import inf
from typing import Protocol, cast

from pennywire_smpp.session import Closing, Event, Lost, Session
from pennywire_smpp.tracing import Tracer

#: Unwritten octets at which we stop reading: a peer that does not read its answers must not fill our memory.
_MAX_OUTPUT_OCTETS = 1 << 20
#: Units: seconds. How long a peer has to read our last words.
_LINGER_S = 5.0


class Owner(Protocol):
    """Who uses a connection and gets its events."""

    def on_event(self, event: Event) -> None:
        """Take one event of the session. `Closing` is dealt with here; it comes for information."""
        ...

    def on_lost(self, lost: Lost, reason: str) -> None:
        """Take the end of the connection, once."""
        ...


class Wire(asyncio.Protocol):
    """One TCP connection that carries one session.

    PDUs that are sent during one turn of the loop leave in one write. The session's clock stands still while reading is held,
    since an answer that we do not read is not late.
    """

    def __init__(self, make_session: Callable[[float], Session], make_owner: Callable[["Wire"], Owner]) -> None:
        self._loop = asyncio.get_running_loop()
        self._held_at: float | None = None
        self._held_s = 0.0
        self.session = make_session(self.now())
        self._make_owner = make_owner
        self._owner: Owner | None = None
        self._transport: asyncio.Transport | None = None
        self._flush_scheduled = False
        self._writable = True
        self._holds: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._reason = ""
        #: Where set, it is told of all octets that pass.
        self.tracer: Tracer | None = None
        self.closed = asyncio.Event()

    def now(self) -> float:
        """Return the session's clock. Units: seconds."""
        return (self._loop.time() if self._held_at is None else self._held_at) - self._held_s

    @property
    def connected(self) -> bool:
        """Whether there is a connection to close."""
        return self._transport is not None and not self.closed.is_set()

    @property
    def peername(self) -> str:
        """Address of the peer as `host:port`."""
        name = self._transport.get_extra_info("peername") if self._transport else None
        return f"{name[0]}:{name[1]}" if name else "?"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Not earlier: a TLS handshake that fails makes a wire that is never connected and never lost.
        self._owner = self._make_owner(self)
        # What waits behind unwritten octets stays in the session, which knows that it never left. Not 0: with that limit the TLS
        # transport says that it is full while it is empty.
        self._transport.set_write_buffer_limits(high=1, low=0)
        self.flush_soon()

    def data_received(self, data: bytes) -> None:
        if self.tracer is not None:
            self.tracer.received(data)
        self._handle(self.session.receive(data, self.now()))
        self.flush_soon()

    def flush_soon(self) -> None:
        """Write what the session has to say at the end of this turn of the loop."""
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def write_raw(self, octets: bytes) -> None:
        """Write octets that are no PDU of the session: simulators misbehave on purpose."""
        if self._transport is not None:
            self._transport.write(octets)

    def hold_reading(self, why: str) -> None:
        """Stop reading until the same `why` is released."""
        if not self._holds and self._transport is not None:
            self._transport.pause_reading()
            self._held_at = self._loop.time()
        self._holds.add(why)

    def release_reading(self, why: str) -> None:
        """Take back `hold_reading`."""
        if why not in self._holds:
            return
        self._holds.discard(why)
        if not self._holds and self._held_at is not None:
            self._held_s += self._loop.time() - self._held_at
            self._held_at = None
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
            self.flush_soon()

    def close(self, reason: str) -> None:
        """Write what is left, then close. A peer that does not read is cut off after a while."""
        self._reason = self._reason or reason
        if self._transport is None or self._transport.is_closing():
            return
        if self._writable:
            self._write()
        if self._linger is None:
            self._linger = self._loop.call_later(_LINGER_S, self._transport.abort)
        if not self.session.has_output:
            self._transport.close()

    def abort(self, reason: str) -> None:
        """Close at once; what is not written is lost."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._flush()
        if self._reason:
            self.close(self._reason)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._linger):
            if timer is not None:
                timer.cancel()
        reason = self._reason or (f"The connection broke: {exc}." if exc else "The peer closed the connection.")
        assert self._owner is not None, "what is lost was made"
        self._owner.on_lost(self.session.end(), reason)
        self.closed.set()

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._transport is None or self._transport.is_closing():
            return
        self._handle(self.session.take_events())
        if self._writable:
            self._write()
        self._guard_output()
        self._arm()

    def _write(self) -> None:
        octets = self.session.take_output()
        if octets:
            if self.tracer is not None:
                self.tracer.sent(octets)
            cast(asyncio.Transport, self._transport).write(octets)

    def _guard_output(self) -> None:
        if self.session.output_octets > _MAX_OUTPUT_OCTETS:
            self.hold_reading("output")
        else:
            self.release_reading("output")

    def _handle(self, events: list[Event]) -> None:
        assert self._owner is not None, "there are no events before the connection is made"
        for event in events:
            self._owner.on_event(event)
            if isinstance(event, Closing):
                self.close(event.reason)

    def _arm(self) -> None:
        """Set the timer for the session's next deadline, unless it rings early enough already."""
        due = inf if self._held_at is not None else self.session.deadline() + self._held_s
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = None if due == inf else self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._held_at is None:
            self._handle(self.session.tick(self.now()))
            self.flush_soon()


async def connect(
    host: str,
    port: int,
    make_session: Callable[[float], Session],
    make_owner: Callable[[Wire], Owner],
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout_s: float = 30.0,
) -> Wire:
    """Open a connection and return its wire. Raises: OSError, ssl.SSLError, TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, wire = await loop.create_connection(
            lambda: Wire(make_session, make_owner), host, port, ssl=tls, server_hostname=(server_name or host) if tls else None
        )
    return wire


async def listen(
    host: str,
    port: int,
    make_session: Callable[[float], Session],
    make_owner: Callable[[Wire], Owner],
    *,
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server:
    """Listen for sessions; port 0 takes a free one. Raises: OSError."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Wire(make_session, make_owner), host, port, ssl=tls, backlog=128)

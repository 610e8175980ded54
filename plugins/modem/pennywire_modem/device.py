"""One modem of a connection: opens its line, runs a session on it, and opens it again when it breaks."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol

from pennywire import CannotStore, Link, Report, Submission
from pennywire_modem.events import Answered, Down, Ended, Event, Failed, Note, Received, Up
from pennywire_modem.line import CannotOpen, Line, find
from pennywire_modem.pacing import Backoff, Pace
from pennywire_modem.session import Session
from pennywire_modem.settings import ModemSettings


class Bank(Protocol):
    """What a device needs of its connection."""

    link: Link

    def changed(self, device: "Device", reason: str) -> None:
        """The device became ready, or is no longer for this reason."""
        ...

    def wake(self) -> None:
        """The device may have room."""
        ...


class Device:
    """One modem, whatever happens to its line."""

    def __init__(self, settings: ModemSettings, bank: Bank, label: str, pin_spent: set[str]) -> None:
        self.settings = settings
        self.label = label
        self.ready = False
        self._bank = bank
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(pause_s=settings.pause_s, per_hour=settings.per_hour, per_day=settings.per_day)
        self._backoff = Backoff(settings.reopen_pause_s)
        self._pin_spent = pin_spent
        self._session: Session | None = None
        self._line: Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._last = Ended("The session has not begun.", blocked=False)
        self._idle = asyncio.Event()
        self._idle.set()
        self._storing: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> bool:
        """A segment may be submitted now."""
        return self._session is not None and self._session.free and self._pace.delay_s(self._loop.time()) == 0

    @property
    def delay_s(self) -> float | None:
        """How long the pace asks to wait, or None where the modem is not ready anyway."""
        return self._pace.delay_s(self._loop.time()) if self._session is not None and self._session.free else None

    def submit(self, submission: Submission) -> None:
        """Send a segment; only while `free`."""
        assert self._session is not None, "a device without a session is not free"
        now = self._loop.time()
        self._pace.count(now)
        self._idle.clear()
        self._session.submit(submission, now)
        self._flush()

    async def drain(self) -> None:
        """Wait until the segment on its way is answered, and what was received is stored."""
        await self._idle.wait()
        if self._storing:
            await asyncio.wait(set(self._storing))

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            ended = await self._serve()
            if ended.blocked:
                self._down(ended.reason)
                await asyncio.Event().wait()
            pause_s = self._backoff.pause_s()
            self._down(f"{ended.reason} Next try in {pause_s:.0f} s.")
            await asyncio.sleep(pause_s)

    async def _serve(self) -> Ended:
        """Open the line and run one session to its end."""
        try:
            line = await find(self.settings.device, self.settings.rates)
        except CannotOpen as error:
            return Ended(str(error), blocked=False)
        self._ended.clear()
        self._line = line
        spent = self.settings.device in self._pin_spent
        self._session = Session(self.settings, now=self._loop.time(), utc=lambda: datetime.now(UTC), pin_spent=spent)
        line.received = self._receive
        line.lost = self._lost
        try:
            self._flush()
            await self._ended.wait()
        finally:
            self._session.end("The connection was stopped.", self._loop.time())
            self._flush()
            self._session = None
            if self._timer is not None:
                self._timer.cancel()
            await line.close()
        return self._last

    def _receive(self, octets: bytes) -> None:
        if self._session is not None:
            self._session.receive(octets, self._loop.time())
            self._flush()

    def _lost(self, reason: str) -> None:
        if self._session is not None:
            self._session.end(reason, self._loop.time())
            self._flush()

    def _tick(self) -> None:
        if self._session is not None:
            self._session.tick(self._loop.time())
            self._flush()

    def _flush(self) -> None:
        """Write what the session wrote, tell what it told, and set the timer."""
        session = self._session
        if session is None or self._line is None:
            return
        self._line.write(session.output())
        for event in session.events():
            self._tell(event, session)
        if not session.busy:
            self._idle.set()
        if self._timer is not None:
            self._timer.cancel()
        deadline = session.deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._tick)
        if session.free:
            self._bank.wake()

    def _down(self, reason: str) -> None:
        self.ready = False
        self._bank.changed(self, reason)

    def _tell(self, event: Event, session: Session) -> None:
        match event:
            case Up():
                self.ready = True
                self._backoff.reset()
                self._bank.changed(self, "")
            case Down(reason):
                self._down(reason)
            case Ended():
                if session.pin_spent:
                    self._pin_spent.add(self.settings.device)
                self._last = event
                self.ready = False
                self._ended.set()
            case Answered(submission, outcome):
                self._bank.link.outcome(submission, outcome)
            case Failed(submission, error):
                self._bank.link.failed(submission, error)
            case Note(line):
                self._bank.link.log(f"{self.label}{line}")
            case Received():
                task = self._loop.create_task(self._store(event, session))
                self._storing.add(task)
                task.add_done_callback(self._storing.discard)

    async def _store(self, received: Received, session: Session) -> None:
        try:
            if isinstance(received.value, Report):
                await self._bank.link.report(received.value)
            else:
                await self._bank.link.incoming(received.value)
        except CannotStore:
            self._bank.link.log(f"{self.label}The gateway could not store what came; the modem keeps it.")
            session.not_stored(received.handle, self._loop.time())
        else:
            session.stored(received.handle, self._loop.time())
        if session is self._session:
            self._flush()

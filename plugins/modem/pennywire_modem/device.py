"""One modem of a connection: opens its line, runs a session on it, and opens it again when it breaks."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from pennywire import CannotStore, Link, Report, Submission
from pennywire_modem.events import Answered, CardOpen, Checked, Down, Ended, Event, Failed, Note, PinDue, Received, Up
from pennywire_modem.line import CannotOpen, Line, find
from pennywire_modem.memory import History, Notebook, PinTries, Tally, device_key
from pennywire_modem.pacing import Backoff, Pace
from pennywire_modem.session import Session
from pennywire_modem.settings import ModemSettings
from pennywire_modem.states import State

#: How long the end waits for what is being stored or noted, each. Units: seconds.
_LAST_TASK_S: Final = 5.0
_SHOWN_FACTS: Final = ("manufacturer", "model", "imei", "masked_imsi", "operator", "registration_words", "used", "capacity")


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

    def __init__(self, settings: ModemSettings, bank: Bank, place: int, label: str) -> None:
        self.settings = settings
        self.label = label
        self._place = place
        self._key = device_key(settings.device)
        #: What is remembered of SIM cards, and of this modem.
        self._cards = Notebook(bank.link.plugin_storage, bank.wake)
        self._modems = Notebook(bank.link.storage)
        self._pins = PinTries(self._cards)
        #: The card to which a PIN was sent, until it is known whether that opened it.
        self._card_tried = ""
        self._sim = ""
        self._left = False
        self._tally = Tally()
        self._history: History | None = None
        self.ready = False
        self._bank = bank
        self._loop = asyncio.get_running_loop()
        self._pace = self._make_pace()
        self._backoff = Backoff(settings.reopen_pause_s)
        self._session: Session | None = None
        self._line: Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._last = Ended("The session has not begun.", blocked=False)
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def free(self) -> bool:
        """A segment may be submitted now."""
        return self._may_send and self._pace.delay_s(self._loop.time()) == 0

    @property
    def delay_s(self) -> float | None:
        """How long the pace asks to wait, or None where the modem is not ready anyway."""
        return self._pace.delay_s(self._loop.time()) if self._may_send else None

    @property
    def notebooks(self) -> tuple[Notebook, ...]:
        """What runs beside the device and writes what it is to remember."""
        return self._cards, self._modems

    @property
    def _may_send(self) -> bool:
        """The modem waits for a segment, and what its SIM card sent before is on disk, so that no restart forgets a cap."""
        counted = self._cards.settled or not self._pace.is_capped
        return self.ready and counted and self._session is not None and self._session.free

    def submit(self, submission: Submission) -> None:
        """Send a segment; only while `free`."""
        assert self._session is not None, "a device without a session is not free"
        now = self._loop.time()
        self._pace.count(now)
        self._tally.count(datetime.now(UTC))
        if self._pace.is_capped:
            self._keep_tally()
        self._idle.clear()
        self._session.submit(submission, now)
        self._flush()

    async def drain(self) -> None:
        """Wait until the segment on its way is answered, and what was received is stored."""
        await self._idle.wait()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=_LAST_TASK_S)
            for task in late:
                task.cancel()

    async def leave(self) -> None:
        """Note that the modem is left to itself; what cannot be written soon is not remembered."""
        if self.ready:
            self._keep_tally()
        self.ready, self._left = False, True
        self._keep_state("The connection was stopped.")
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_TASK_S):
                for notebook in self.notebooks:
                    await notebook.until_settled()

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
        self._session = Session(self.settings, now=self._loop.time(), utc=lambda: datetime.now(UTC))
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
        if self._may_send:
            self._bank.wake()

    def _down(self, reason: str) -> None:
        self.ready = False
        self._keep_state(reason)
        self._bank.changed(self, reason)

    def _tell(self, event: Event, session: Session) -> None:
        match event:
            case Up():
                self._begin(self._take_up(session))
            case Down(reason):
                self._down(reason)
            case Ended():
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
                self._begin(self._store(event, session))
            case PinDue() | CardOpen() | Checked():
                self._note(event, session)

    def _note(self, event: PinDue | CardOpen | Checked, session: Session) -> None:
        match event:
            case PinDue(card):
                self._begin(self._claim_pin(card, session))
            case CardOpen(card):
                if card == self._card_tried:
                    self._begin(self._pins.opened(card))
                self._card_tried = ""
            case Checked():
                self._begin(self._look(session))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What is remembered.

    async def _claim_pin(self, card: str, session: Session) -> None:
        refusal = await self._pins.claim(card, self.settings.pin)
        self._card_tried = "" if refusal else card
        session.pin_claimed(refusal, self._loop.time())
        if session is self._session:
            self._flush()

    async def _take_up(self, session: Session) -> None:
        """Begin to send, where the SIM card is another one than before, with what that one has sent already."""
        sim = session.facts.sim
        if sim != self._sim:
            self._tally = Tally(await self._cards.read(f"sim/{sim}"))
            self._sim = sim
            self._pace = self._make_pace()
            self._pace.restore(self._tally.ages(datetime.now(UTC)), self._loop.time())
        if session is self._session and session.state is State.READY:
            self.ready = True
            self._backoff.reset()
            self._keep_state("")
            self._bank.changed(self, "")

    async def _look(self, session: Session) -> None:
        """Note how the modem is doing."""
        if self._history is None:
            self._history = History(await self._modems.read(f"history/{self._key}"))
        if self._history.look(session.facts, datetime.now(UTC)):
            self._modems.put(f"history/{self._key}", self._history.samples)
        if session is self._session and self.ready:
            if not self._pace.is_capped:
                self._keep_tally()
            self._keep_state("")

    def _make_pace(self) -> Pace:
        return Pace(pause_s=self.settings.pause_s, per_hour=self.settings.per_hour, per_day=self.settings.per_day)

    def _keep_tally(self) -> None:
        if self._sim and (value := self._tally.as_value()):
            self._cards.put(f"sim/{self._sim}", value)

    def _keep_state(self, reason: str) -> None:
        facts = self._session.facts if self._session is not None else None
        shown = {} if facts is None else {name: getattr(facts, name) for name in _SHOWN_FACTS} | {"signal": facts.signal_dbm}
        state = {"device": self.settings.device, "place": self._place, "ready": self.ready, "reason": reason, "sim": self._sim}
        state["stopped"] = self._left
        self._modems.put(f"modem/{self._key}", state | shown | {"at": int(datetime.now(UTC).timestamp())})

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

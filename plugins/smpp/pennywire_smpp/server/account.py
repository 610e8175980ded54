"""One user's account at the server: gathers what his binds submit, and hands out what waits for him."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

from pennywire import Gateway
from pennywire_smpp import statuses
from pennywire_smpp.pacing import TokenBucket
from pennywire_smpp.server import accepting
from pennywire_smpp.server.parts import Parts
from pennywire_smpp.server.reading import Submitted
from pennywire_smpp.server.settings import AccountSettings
from pennywire_smpp.server.telling import Letter, letters, part_letter
from pennywire_smpp.statuses import Policy

T = TypeVar("T")

#: Drafts in one transaction.
LARGEST_BATCH: Final = 1_000
#: Deliveries that are read ahead.
READ_AHEAD: Final = 500
#: Units: seconds.
LOOK_EVERY_S: Final = 0.3
RETRY_S: Final = 5.0
EXPIRE_EVERY_S: Final = 5.0
#: Answers to deliver_sm by which the customer says that another try would end the same way.
_FOR_GOOD: Final = frozenset({statuses.ESME_RX_P_APPN, 0x66})


class Bound(Protocol):
    """A bind, as its account sees it."""

    @property
    def receives(self) -> bool:
        """Whether deliver_sm may be sent, and the window has room."""
        ...

    def deliver(self, item: "Item") -> None:
        """Send a deliver_sm; `Account.delivered` or `Account.undelivered` follows."""
        ...

    def leave(self, reason: str) -> None:
        """Unbind and close."""
        ...


class Work(NamedTuple):
    """A submission with who gets its answer."""

    submitted: Submitted
    answer: Callable[[accepting.Answer], None]


class Source:
    """What letters are made of: a delivery, or a segment whose message never was. It is acknowledged when all letters are."""

    def __init__(self, key: int, *, of_part: bool, letter_count: int) -> None:
        self.key = key
        self.of_part = of_part
        self.left = letter_count


class Item(NamedTuple):
    """One letter on its way."""

    number: int
    letter: Letter
    source: Source


class Account:
    """One user while his application runs. Make it in its loop."""

    def __init__(self, username: str, settings: AccountSettings, gateway: Gateway, threads: Executor) -> None:
        self.username = username
        self.settings = settings
        self.binds: list[Bound] = []
        #: Binds that are being checked: they count, or a burst of them would pass the limit.
        self.binding_count = 0
        self._gateway = gateway
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._parts = Parts(gateway, username)
        self._bucket = TokenBucket(settings.rate_per_s, now=self._loop.time())
        self._gathered: deque[Work] = deque()
        self._accepting: asyncio.Task[None] | None = None
        self._queue: deque[Item] = deque()
        self._acknowledged: list[Source] = []
        self._after = 0
        self._known_parts: set[int] = set()
        self._number = 0
        self._rest_until = 0.0
        self._stirred = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    async def call(self, work: Callable[[], T]) -> T:
        """Do something that blocks in a thread."""
        return await self._loop.run_in_executor(self._threads, work)

    # Binds.

    async def authenticate(self, password: str, *, address: str) -> bool:
        """Say whether the password is right. Raises: NotAccepted."""
        return await self.call(lambda: self._gateway.authenticate(password, self.settings.password, address=address))

    def enter(self, bind: Bound) -> None:
        self.binds.append(bind)
        self._empty.clear()
        self.stir()

    def exit(self, bind: Bound) -> None:
        self.binds.remove(bind)
        if not self.binds:
            self._empty.set()

    def note(self, line: str) -> None:
        """Write a line to the application's events, without waiting for it."""
        with suppress(RuntimeError):  # The server is closed: nobody writes lines any more.
            self._loop.run_in_executor(self._threads, self._note, line)

    def _note(self, line: str) -> None:
        with suppress(Exception):  # A line for people must harm nobody.
            self._gateway.log(line)

    # What he submits.

    def throttled(self) -> bool:
        """Count a submission against the rate, and say whether it is beyond it."""
        now = self._loop.time()
        if self._bucket.available(now) < 1:
            return True
        self._bucket.take(now)
        return False

    def submit(self, work: Work) -> None:
        """Have something accepted together with what else gathers; `work.answer` is called when it is durable."""
        self._gathered.append(work)
        if self._accepting is None:
            self._accepting = self._loop.create_task(self._accept_gathered())

    async def _accept_gathered(self) -> None:
        try:
            while self._gathered:
                batch = self._take()
                try:
                    answers = await self.call(partial(self._accept, batch))
                except Exception:
                    for work in batch:
                        work.answer(accepting.Answer(accepting.UNKNOWN))
                    raise
                for work, answer in zip(batch, answers, strict=True):
                    work.answer(answer)
        finally:
            self._accepting = None

    def _accept(self, batch: list[Work]) -> list[accepting.Answer]:
        return accepting.accept(self._gateway, self._parts, [work.submitted for work in batch])

    def _take(self) -> list[Work]:
        batch: list[Work] = []
        draft_count = 0
        while self._gathered and (not batch or draft_count + len(self._gathered[0].submitted.destinations) <= LARGEST_BATCH):
            batch.append(self._gathered.popleft())
            draft_count += len(batch[-1].submitted.destinations)
        return batch

    # What he asks.

    @property
    def gateway(self) -> Gateway:
        return self._gateway

    @property
    def parts(self) -> Parts:
        return self._parts

    # What waits for him.

    def stir(self) -> None:
        """Look at once whether there is something to hand out."""
        self._stirred.set()

    def delivered(self, item: Item, command_status: int) -> None:
        """Take the answer to a deliver_sm. One that may pass later comes again, in its place."""
        if command_status and statuses.find_status(command_status).policy is not Policy.PERMANENT:
            self.undelivered([item], pause_s=RETRY_S)
            return
        if command_status and command_status not in _FOR_GOOD:
            self.note(f"deliver_sm was refused with {statuses.describe_status(command_status)}; it is not sent again.")
        item.source.left -= 1
        if item.source.left == 0:
            self._acknowledged.append(item.source)
        self.stir()

    def undelivered(self, items: list[Item], *, pause_s: float = 0.0) -> None:
        """Take back what was not answered; it is sent again first, in order."""
        merged = sorted([*items, *self._queue], key=lambda item: item.number)
        self._queue = deque(merged)
        self._rest_until = max(self._rest_until, self._loop.time() + pause_s)
        self.stir()

    async def serve(self) -> None:
        """Hand out what waits, acknowledge what was taken, and give up segments that waited too long, until cancelled."""
        await self.call(partial(accepting.resume, self._gateway, self._parts))
        expire_at = 0.0
        try:
            while True:
                if self._loop.time() >= expire_at:
                    expire_at = self._loop.time() + EXPIRE_EVERY_S
                    given_up = await self.call(partial(accepting.expire, self._gateway, self._parts, self.settings.join_timeout_s))
                    if given_up:
                        self.note(f"{given_up} long messages never became whole; their segments are reported as expired.")
                await self._acknowledge()
                await self._read_ahead()
                self._hand_out()
                self._stirred.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stirred.wait(), LOOK_EVERY_S)
        finally:
            with suppress(Exception):  # What is not acknowledged comes again.
                await self._acknowledge()

    async def _acknowledge(self) -> None:
        if not self._acknowledged:
            return
        done, self._acknowledged = self._acknowledged, []
        deliveries = [source.key for source in done if not source.of_part]
        parts = [source.key for source in done if source.of_part]
        if deliveries:
            await self.call(lambda: self._gateway.acknowledge(deliveries))
        if parts:
            await self.call(lambda: self._parts.drop(ids=parts))

    async def _read_ahead(self) -> None:
        if len(self._queue) >= READ_AHEAD or not any(bind.receives for bind in self.binds):
            return
        for delivery in await self.call(lambda: self._gateway.deliveries(after=self._after, limit=READ_AHEAD)):
            self._after = delivery.id
            self._put(delivery.id, letters(delivery, alphabet=self.settings.alphabet), of_part=False)
        for part in await self.call(lambda: self._parts.told(READ_AHEAD)):
            if part.id not in self._known_parts:
                self._known_parts.add(part.id)
                self._put(part.id, [part_letter(part)], of_part=True)

    def _put(self, key: int, made: list[Letter], *, of_part: bool) -> None:
        source = Source(key, of_part=of_part, letter_count=len(made))
        if not made:
            self._acknowledged.append(source)
        for letter in made:
            self._number += 1
            self._queue.append(Item(self._number, letter, source))

    def _hand_out(self) -> None:
        """Give each bind in turn what its window lets through."""
        if self._loop.time() < self._rest_until:
            return
        while self._queue:
            ready = [bind for bind in self.binds if bind.receives]
            if not ready:
                return
            for bind in ready:
                if self._queue:
                    bind.deliver(self._queue.popleft())

    def close(self, reason: str) -> None:
        """Take leave of every bind."""
        for bind in list(self.binds):
            bind.leave(reason)

    async def empty(self) -> None:
        """Wait until nobody is bound."""
        await self._empty.wait()

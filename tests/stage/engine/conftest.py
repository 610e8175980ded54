"""An engine on a real database, and connectors whose network the test plays."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import administration
from app.db import Database, Unavailable
from app.engine.process import Engine
from app.models import ConnectionLog, ConnectionStatus, OutboxRow
from app.snapshot import ConnectionView
from pennywire import Connector, Link, LinkStopped, Setting, Submission

T = TypeVar("T")
World = Any
LIMIT_S = 30.0
"""A story that takes longer hangs."""

POLL_S = 0.01


@dataclass
class Network:
    """What is behind the links of a test. `serve` is the connector's `run`; without it the test uses the link by itself."""

    serve: Callable[[Link], Awaitable[None]] | None = None
    #: Links in the order in which they were opened, and the settings each was opened with.
    links: list[Link] = field(default_factory=list)
    settings: list[dict[str, Any]] = field(default_factory=list)
    taken: list[Submission] = field(default_factory=list)

    async def run(self, link: Link, values: dict[str, Any]) -> None:
        self.links.append(link)
        self.settings.append(dict(values))
        await (self.serve or self._stand_by)(link)

    async def _stand_by(self, link: Link) -> None:
        link.up()
        await link.stopped()

    async def answer_all(self, link: Link, answer: Callable[[Submission], Any], room: int = 10) -> None:
        """Take what comes and answer it at once, until the link is to end."""
        link.up()
        try:
            while True:
                for submission in await link.take(room):
                    self.taken.append(submission)
                    link.outcome(submission, answer(submission))
        except LinkStopped:
            link.down("stopped")

    async def link(self, number: int = 1) -> Link:
        """Return the `number`-th link, as soon as it is there."""
        await until(lambda: len(self.links) >= number)
        return self.links[number - 1]


@dataclass(frozen=True)
class Seen:
    """What a page would show of a connection."""

    state: str
    reason: str
    engine_id: str
    token: int
    sent_count: int
    received_count: int
    lines: list[str]


@dataclass
class Stage:
    """A user with 1,000 credits, a started connection `wire`, a route at 2 credits a segment, and what operators see and do."""

    world: World
    network: Network
    line: ConnectionView

    def play(self, story: Coroutine[Any, Any, None]) -> None:
        """Run a story in a loop of its own."""
        asyncio.run(asyncio.wait_for(story, LIMIT_S))

    @asynccontextmanager
    async def engine(self, *, grace_s: float = 1.0, **values: Any) -> AsyncIterator[Engine]:
        """Run an engine; it ends cleanly with the block, unless it ended before."""
        engine = Engine(self.world.core, grace_s=grace_s, watch=False, **values)
        task = asyncio.create_task(engine.run())
        try:
            yield engine
        finally:
            engine.stop()
            await task

    def connection(self, connection_id: int | None = None) -> Seen:
        number = connection_id or self.line.id
        lines = select(ConnectionLog.line).where(ConnectionLog.connection_id == number).order_by(ConnectionLog.id)
        with self.world.core.database.read() as session:
            row = session.get_one(ConnectionStatus, number)
            return Seen(row.state, row.reason, row.engine_id, row.token, row.sent_count, row.received_count, list(session.scalars(lines)))

    def counts(self) -> dict[int, int]:
        """Return how many rows of the queue are in each state."""
        with self.world.core.database.read() as session:
            return dict(session.execute(select(OutboxRow.state, func.count()).group_by(OutboxRow.state)).all())

    def desire(self, name: str, desired: str) -> None:
        core = self.world.core
        with core.database.write() as session:
            administration.set_desired(session, name, desired, plugins=core.plugins, now=self.world.now, actor="test")

    def edit(self, name: str, **settings: Any) -> None:
        core = self.world.core
        with core.database.write() as session:
            administration.edit_connection(
                session, name, settings, provider="", plugins=core.plugins, vault=core.vault, now=self.world.now, actor="test"
            )


@pytest.fixture
def stage(world: World) -> Stage:
    network = Network()

    class Wire(Connector):
        kind = "wire"
        label = "Wire"
        settings = (Setting("address", "Address", default="here"),)

        async def run(self, link: Link) -> None:
            await network.run(link, dict(self.values))

    world.core.plugins.connectors["wire"] = Wire
    world.core.plugins.owners["connectors:wire"] = "wiring"
    world.user(credit="1000")
    line = world.connection()
    world.route(cost="2")
    return Stage(world, network, line)


async def until(condition: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait until the condition holds. Raises: TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # What is waited for happens in threads and in the database, where no event is set.
            await asyncio.sleep(POLL_S)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Awaitable[None]]:
    return until


class Outage(Database):
    """A database that is away as long as a test wants."""

    away = False

    def run(self, work: Callable[[Session], T]) -> T:
        if self.away:
            raise Unavailable("The database is away.")
        return super().run(work)


@pytest.fixture
def outage(stage: Stage) -> Outage:
    stage.world.core.database = Outage(stage.world.core.database.engine)
    return stage.world.core.database

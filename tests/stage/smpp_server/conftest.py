"""A gateway with one user who may bind, and his program, which speaks with our own session as an ESME."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pennywire_smpp
import pytest
from pennywire_smpp.bodies import Bind, Body, Empty, MessageResp, ShortMessage
from pennywire_smpp.pdu import Command, Pdu, Tlv
from pennywire_smpp.server.settings import LISTENER
from pennywire_smpp.session import Event, Lost, Request, Response, Session
from pennywire_smpp.states import Role
from pennywire_smpp.transport import Wire, connect
from sqlalchemy import func, select

from app import administration, migrations
from app.engine.process import Engine
from app.models import ApplicationStatus, DeliveryRow, PluginSettings
from app.snapshot import ConnectionView
from pennywire.testing import reserved_port

World = Any
PASSWORD = "secret12"
LIMIT_S = 60.0


class Client:
    """An ESME on one connection. `refuse_with` is how it answers deliver_sm."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.delivered: list[Pdu] = []
        self.refuse_with: int | None = 0
        self.lost = asyncio.Event()

    def on_event(self, event: Event) -> None:
        if isinstance(event, Response):
            token = event.token if isinstance(event.token, asyncio.Future) else self._own
            if not token.done():
                token.set_result(event.pdu)
        elif isinstance(event, Request):
            self.delivered.append(event.pdu)
            if self.refuse_with is not None:
                status = self.refuse_with
                self.wire.session.respond(event.pdu, MessageResp() if not status else None, now=self.wire.now(), command_status=status)
                self.wire.flush_soon()

    def on_lost(self, lost: Lost, reason: str) -> None:
        del lost, reason
        self.lost.set()

    async def ask(self, command: Command, body: Body, *, tlvs: tuple[Tlv, ...] = (), own: bool = False) -> Pdu:
        """Send a request and return its answer."""
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        if own:
            self._own = answer
        self.wire.session.request(command, body, now=self.wire.now(), token=None if own else answer, tlvs=tlvs)
        self.wire.flush_soon()
        return await asyncio.wait_for(answer, 20)

    async def bind(self, password: str = PASSWORD, *, command: Command = Command.BIND_TRANSCEIVER, system_id: str = "anna") -> int:
        """Bind and return the command_status."""
        return (await self.ask(command, Bind(system_id, password), own=True)).command_status

    async def submit(self, text: str = "hello", destination: str = "36201234567", **fields: Any) -> Pdu:
        """Submit a text in GSM 7-bit, which is ASCII here."""
        body = ShortMessage(dest_addr_ton=1, dest_addr_npi=1, destination_addr=destination, short_message=text.encode(), **fields)
        return await self.ask(Command.SUBMIT_SM, body)

    async def unbind(self) -> None:
        await self.ask(Command.UNBIND, Empty(), own=True)
        await self.lost.wait()


@dataclass
class Service:
    """What a story needs: the engine with its server, and programs that connect to it."""

    world: World
    line: ConnectionView
    port: int
    clients: list[Client] = field(default_factory=list)

    def play(self, story: Callable[["Service"], Any], **settings: Any) -> None:
        """Run a story against a server with these settings of the account."""
        self.configure(**settings)

        async def run() -> None:
            async with self.engine():
                await story(self)

        asyncio.run(asyncio.wait_for(run(), LIMIT_S))

    def configure(self, **settings: Any) -> None:
        core = self.world.core
        with core.database.write() as session:
            administration.set_application(
                session,
                "anna",
                "smpp",
                {"password": PASSWORD} | settings,
                started=True,
                plugins=core.plugins,
                vault=core.vault,
                now=self.world.now,
                actor="test",
            )

    def stop(self) -> None:
        core = self.world.core
        with core.database.write() as session:
            administration.set_application(
                session, "anna", "smpp", {}, started=False, plugins=core.plugins, vault=core.vault, now=self.world.now, actor="test"
            )

    def suspend(self) -> None:
        with self.world.core.database.write() as session:
            administration.suspend_account(session, "anna", reason="a test", now=self.world.now, actor="test")

    def waiting(self) -> int:
        """Return how much waits for the user's program."""
        with self.world.core.database.read() as session:
            return session.scalar(select(func.count()).select_from(DeliveryRow)) or 0

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        """Run an engine with the server; every client leaves before it ends."""
        engine = Engine(self.world.core, grace_s=1.0, watch=False)
        task = asyncio.create_task(engine.run())
        try:
            yield engine
        finally:
            for client in self.clients:
                client.wire.abort("The test is over.")
            self.clients.clear()
            engine.stop()
            await task

    async def connect(self) -> Client:
        """Connect, as soon as the server listens."""
        clients: list[Client] = []

        def make(wire: Wire) -> Client:
            clients.append(Client(wire))
            return clients[0]

        await until(self.serves)
        await connect("127.0.0.1", self.port, lambda now: Session(Role.ESME, now=now, window=1000), make)
        self.clients.append(clients[0])
        return clients[0]

    def serves(self) -> bool:
        """Say whether the application is up."""
        with self.world.core.database.read() as session:
            return session.scalar(select(ApplicationStatus.state)) == "up"

    async def bound(self, **values: Any) -> Client:
        """Return a client that is bound."""
        client = await self.connect()
        assert await client.bind(**values) == 0
        return client


async def until(condition: Callable[[], object], *, within_s: float = 20.0) -> None:
    """Wait until the condition holds. Raises: TimeoutError."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # What is waited for happens in threads and in the database, where no event is set.
            await asyncio.sleep(0.01)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return until


@pytest.fixture
def service(world: World) -> Iterator[Service]:
    """A user `anna` with 100 credits, a route at 1 credit a segment, and the server on a port that nobody else gets."""
    plugins = world.core.plugins
    (plugins.applications["smpp"],) = pennywire_smpp.register_applications()
    plugins.owners["applications:smpp"] = "smpp"
    plugins.migrations += [("smpp", one) for one in pennywire_smpp.register_migrations()]
    plugins.settings["smpp"] = LISTENER
    migrations.upgrade_plugins(world.core.database.engine, plugins)
    world.user(credit="100")
    line = world.connection(started=False)  # The test speaks for the network; the engine leaves it alone.
    world.route(cost="1")
    with reserved_port() as port:
        with world.core.database.write() as session:
            session.merge(PluginSettings(name="smpp", settings={"server_host": "127.0.0.1", "server_port": port}))
            administration.changed(session)
        yield Service(world, line, port)

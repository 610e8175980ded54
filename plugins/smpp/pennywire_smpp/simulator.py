"""An SMSC to try against: scripted answers, receipts and incoming messages, on the same session as the client.

async with Simulator(SimulatorOptions(latency_s=0.02)) as smsc:
    ...  # connect to smsc.port; look at smsc.submissions; await smsc.mo("Hello")
"""

import asyncio
import json
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, Final, Self

from pennywire import ReportState
from pennywire.sms import text as texts
from pennywire_smpp import bodies, statuses
from pennywire_smpp.inbound import Unreadable, read_user_data
from pennywire_smpp.pacing import TokenBucket
from pennywire_smpp.pdu import Command, Pdu, Tlv
from pennywire_smpp.script import Script
from pennywire_smpp.session import Event, Lost, Request, Response, Session, Timeout
from pennywire_smpp.simulation import (
    STATE_CODES,
    Behaviour,
    Delivery,
    SimulatorOptions,
    Statistics,
    Submitted,
    make_mo,
    make_receipt,
    wants_receipt,
)
from pennywire_smpp.states import BINDS, Role, State
from pennywire_smpp.transport import Wire, listen

#: Submissions that are kept for looking at.
MAX_KEPT: Final = 20_000
_SYSTEM_ID: Final = "pennywire-smsc"
_RECEIVING: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})
#: Units: seconds. How long peers may take to answer our unbind.
_LEAVE_S: Final = 2.0


class Simulator:
    """An SMSC on a TCP port. Use it as an asynchronous context manager, or `start` and `stop` it."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.statistics = Statistics()
        self.submissions: deque[Submitted] = deque(maxlen=MAX_KEPT)
        self.port = 0
        self._random = random.Random(options.seed)  # noqa: S311  # Chance, not secrets.
        self.script = Script(options, self._random)
        self._next_id = time.time_ns() // 1_000_000 if options.first_id is None else options.first_id
        self._peers: set[_Peer] = set()
        self._waiting: dict[str, deque[Delivery]] = {}
        self._states: dict[str, ReportState] = {}
        self._server: asyncio.Server | None = None
        self._log: IO[str] | None = None
        self._mo_task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. Raises: OSError where the address is taken."""
        options = self.options
        if options.log is not None:
            self._log = options.log.open("a", buffering=1, encoding="utf-8")
        self._server = await listen(options.host, options.port, self._make_session, lambda wire: _Peer(self, wire), tls=options.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        if options.mo_per_s:
            self._mo_task = asyncio.create_task(self._send_mo_for_ever())

    async def stop(self) -> None:
        """Take leave of every peer and close."""
        if self._mo_task is not None:
            self._mo_task.cancel()
        if self._server is not None:
            self._server.close()
        peers = list(self._peers)
        for peer in peers:
            peer.unbind()
        if peers:
            await asyncio.wait([asyncio.ensure_future(peer.wire.closed.wait()) for peer in peers], timeout=_LEAVE_S)
        for peer in peers:
            peer.wire.abort("The simulator was stopped.")
        for queue in self._waiting.values():
            for delivery in queue:
                delivery.stored.cancel()
        if self._log is not None:
            self._log.close()

    @property
    def bind_count(self) -> int:
        """How many peers are bound."""
        return sum(peer.wire.session.bound for peer in self._peers)

    async def until(self, condition: Callable[[Self], object], *, timeout_s: float = 10.0) -> None:
        """Wait until the condition holds; it is asked after everything that happens. Raises: TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    def cut_links(self) -> None:
        """Cut all connections without a word, as a broken network does."""
        for peer in list(self._peers):
            peer.wire.abort("The simulator cut the link.")

    def say(self, octets: bytes) -> None:
        """Send octets of any kind to all peers."""
        for peer in self._peers:
            peer.wire.write_raw(octets)

    async def mo(self, text: str = "", *, source: str = "", destination: str = "", system_id: str | None = None) -> list[int]:
        """Deliver a message from a handset, cut into segments, and return the command_status of each answer."""
        return list(await asyncio.gather(*self.queue_mo(text, source=source, destination=destination, system_id=system_id)))

    def queue_mo(
        self, text: str = "", *, source: str = "", destination: str = "", system_id: str | None = None
    ) -> list["asyncio.Future[int]"]:
        """Queue a message from a handset and return a future for each of its segments."""
        options = self.options
        segments = make_mo(
            text or options.mo_text,
            source=source or options.mo_source,
            destination=destination or options.mo_destination,
            reference=self._random.randrange(256),
        )
        queued = [self.deliver(segment, system_id=system_id) for segment in segments]
        self.statistics.mo_sent += len(queued)
        return queued

    def deliver(
        self, body: bodies.ShortMessage, *, tlvs: tuple[Tlv, ...] = (), system_id: str | None = None, is_receipt: bool = False
    ) -> "asyncio.Future[int]":
        """Queue a deliver_sm for a peer, or whoever is bound; the future gives the command_status of the answer."""
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        account = self._any_account() if system_id is None else system_id
        self._queue(account).append(Delivery(body, tlvs, is_receipt, stored))
        self.deliver_waiting()
        return stored

    def deliver_waiting(self) -> None:
        """Send what waits to every bind that receives and has room."""
        for peer in self._peers:
            if peer.wire.session.state in _RECEIVING:
                queue = self._queue(peer.system_id)
                while queue and peer.wire.session.room > 0:
                    peer.send_delivery(queue.popleft())

    def queue_again(self, system_id: str, delivery: Delivery) -> None:
        """Deliver something again after a while."""
        self.statistics.redelivered += 1

        def again() -> None:
            self._queue(system_id).append(delivery)
            self.deliver_waiting()

        asyncio.get_running_loop().call_later(self.options.retry_s, again)

    def changed(self) -> None:
        """Wake those who wait in `until`."""
        self._changed.set()

    def attach(self, peer: "_Peer") -> None:
        self._peers.add(peer)

    def detach(self, peer: "_Peer") -> None:
        self._peers.discard(peer)
        self.changed()

    def make_id(self) -> str:
        """Return the next message id."""
        self._next_id += 1
        return f"{self._next_id:x}" if self.options.id_form == "hex" else str(self._next_id)

    def record(self, submitted: Submitted, states: tuple[ReportState, ...]) -> None:
        """Keep and log a submission."""
        self.submissions.append(submitted)
        if submitted.network_id:
            self._states[submitted.network_id] = states[-1] if states else ReportState.ENROUTE
            if len(self._states) > MAX_KEPT:
                del self._states[next(iter(self._states))]
        if self._log is not None:
            self._log.write(submitted.as_line() + "\n")
        self.changed()

    def find_state(self, network_id: str) -> ReportState | None:
        """Return the state of an accepted message, for query_sm."""
        return self._states.get(network_id)

    def queue_receipts(self, submitted: Submitted, states: tuple[ReportState, ...]) -> None:
        """Queue the receipts of a submission, as far as registered_delivery asks for them. Source: SMPP v3.4 §5.2.17."""
        body = submitted.pdu.body
        assert isinstance(body, bodies.ShortMessage | bodies.DataMessage), "only messages have receipts"
        for state in states:
            if wants_receipt(body.registered_delivery, state):
                self.statistics.receipts_sent += 1
                receipt, tlvs = make_receipt(submitted, state, self.options)
                self.deliver(receipt, tlvs=tlvs, system_id=submitted.system_id, is_receipt=True)

    def as_json(self) -> str:
        """Return the statistics as JSON."""
        return json.dumps({**asdict(self.statistics), "bound": self.bind_count})

    def _queue(self, system_id: str) -> deque[Delivery]:
        return self._waiting.setdefault(system_id, deque())

    def _any_account(self) -> str:
        """Return the account of a receiving bind, or the one that is expected."""
        return next((peer.system_id for peer in self._peers if peer.wire.session.state in _RECEIVING), self.options.system_id)

    def _make_session(self, now: float) -> Session:
        options = self.options
        return Session(
            Role.SMSC,
            now=now,
            window=options.deliver_window,
            response_timeout_s=options.response_timeout_s,
            enquire_link_interval_s=options.enquire_link_interval_s,
            init_timeout_s=options.response_timeout_s,
        )

    async def _send_mo_for_ever(self) -> None:
        bucket = TokenBucket(self.options.mo_per_s, now=asyncio.get_running_loop().time())
        while True:
            await self.until(lambda smsc: smsc.bind_count, timeout_s=1e9)
            now = asyncio.get_running_loop().time()
            if bucket.available(now) < 1:
                await asyncio.sleep(bucket.delay_s(now))
                continue
            bucket.take(now)
            self.queue_mo()


class _Peer:
    """One connection to the simulator."""

    def __init__(self, simulator: Simulator, wire: Wire) -> None:
        self.wire = wire
        self.system_id = ""
        self._simulator = simulator
        simulator.attach(self)

    def unbind(self) -> None:
        """Take leave, in words where the peer is bound."""
        session = self.wire.session
        if session.bound:
            session.request(Command.UNBIND, bodies.Empty(), now=self.wire.now())
            self.wire.flush_soon()
        else:
            self.wire.close("The simulator was stopped.")

    def send_delivery(self, delivery: Delivery) -> None:
        self.wire.session.request(Command.DELIVER_SM, delivery.body, now=self.wire.now(), token=delivery, tlvs=delivery.tlvs)
        self.wire.flush_soon()

    def on_event(self, event: Event) -> None:
        if isinstance(event, Request):
            _REQUESTS[event.pdu.command_id](self, event.pdu)
        elif isinstance(event, Response) and isinstance(event.token, Delivery):
            self._on_stored(event.token, event.pdu.command_status)
        elif isinstance(event, Timeout) and isinstance(event.token, Delivery):
            self._simulator.queue_again(self.system_id, event.token)
        self._simulator.changed()

    def on_lost(self, lost: Lost, reason: str) -> None:
        del reason
        for token in (*lost.unsent, *lost.unanswered):
            assert isinstance(token, Delivery), "tokens are ours"
            self._simulator.queue_again(self.system_id, token)
        self._simulator.detach(self)

    def _on_bind(self, pdu: Pdu) -> None:
        assert isinstance(pdu.body, bodies.Bind), "a bind has its body"
        statistics = self._simulator.statistics
        command_status = self._simulator.script.judge_bind(pdu.body)
        if command_status:
            statistics.binds_refused += 1
            self._respond(pdu, None, command_status)
            return
        statistics.binds += 1
        self.system_id = pdu.body.system_id
        self._respond(pdu, bodies.BindResp(_SYSTEM_ID))
        self._simulator.deliver_waiting()

    def _on_message(self, pdu: Pdu) -> None:
        body = pdu.body
        assert isinstance(body, bodies.ShortMessage | bodies.DataMessage), "a message has its body"
        simulator = self._simulator
        simulator.statistics.submitted += 1
        behaviour = simulator.script.judge_submission(self.system_id, body.destination_addr, now=asyncio.get_running_loop().time())
        command_status = behaviour.command_status
        user_data = None
        try:
            user_data = read_user_data(pdu, default=simulator.options.alphabet)
        except Unreadable:
            command_status = statuses.ESME_RINVMSGLEN
        submitted = Submitted(
            at=round(time.time(), 3),
            system_id=self.system_id,
            source=body.source_addr,
            destination=body.destination_addr,
            text=texts.decode(user_data.octets, user_data.alphabet) if user_data else "",
            data_coding=body.data_coding,
            esm_class=body.esm_class,
            sequence_number=pdu.sequence_number,
            network_id="" if command_status else simulator.make_id(),
            command_status=command_status,
            pdu=pdu,
        )
        simulator.record(submitted, behaviour.receipt_states)
        simulator.statistics.count(behaviour, command_status)
        self._answer_message(submitted, behaviour)

    def _answer_message(self, submitted: Submitted, behaviour: Behaviour) -> None:
        """Send response and receipts in the order and with the delays that the behaviour wants."""
        loop = asyncio.get_running_loop()
        if behaviour.close:
            self.wire.abort("The simulator cut the link.")
            return
        states = () if submitted.command_status else behaviour.receipt_states
        if behaviour.receipt_first:
            self._simulator.queue_receipts(submitted, states)

        def answer() -> None:
            if behaviour.answer:
                body = None if submitted.command_status else bodies.MessageResp(submitted.network_id)
                self._respond(submitted.pdu, body, submitted.command_status)
            if states and not behaviour.receipt_first:
                if behaviour.receipt_delay_s:
                    loop.call_later(behaviour.receipt_delay_s, self._simulator.queue_receipts, submitted, states)
                else:
                    self._simulator.queue_receipts(submitted, states)

        if behaviour.latency_s:
            loop.call_later(behaviour.latency_s, answer)
        else:
            answer()

    def _on_query(self, pdu: Pdu) -> None:
        assert isinstance(pdu.body, bodies.QuerySm), "a query has its body"
        state = self._simulator.find_state(pdu.body.message_id)
        if state is None:
            self._respond(pdu, None, statuses.ESME_RQUERYFAIL)
        else:
            self._respond(pdu, bodies.QuerySmResp(pdu.body.message_id, message_state=STATE_CODES[state]))

    def _refuse(self, pdu: Pdu) -> None:
        """Answer what the simulator does not do."""
        refusals = {Command.CANCEL_SM: statuses.ESME_RCANCELFAIL}
        self._respond(pdu, None, refusals.get(Command(pdu.command_id), statuses.ESME_RINVCMDID))

    def _respond(self, pdu: Pdu, body: bodies.Body | None, command_status: int = 0) -> None:
        self.wire.session.respond(pdu, body, now=self.wire.now(), command_status=command_status)
        self.wire.flush_soon()

    def _on_stored(self, delivery: Delivery, command_status: int) -> None:
        """Take the answer to a deliver_sm; what could not be stored for a time comes again."""
        statistics = self._simulator.statistics
        if command_status and statuses.find_status(command_status).policy is not statuses.Policy.PERMANENT:
            self._simulator.queue_again(self.system_id, delivery)
        else:
            if delivery.is_receipt:
                statistics.receipts_stored += not command_status
            else:
                statistics.mo_stored += not command_status
            if not delivery.stored.done():
                delivery.stored.set_result(command_status)
        self._simulator.deliver_waiting()


_REQUESTS: dict[int, Callable[[_Peer, Pdu], None]] = {
    **dict.fromkeys(BINDS, _Peer._on_bind),  # noqa: SLF001  # The table belongs to the class.
    Command.SUBMIT_SM: _Peer._on_message,  # noqa: SLF001
    Command.DATA_SM: _Peer._on_message,  # noqa: SLF001
    Command.QUERY_SM: _Peer._on_query,  # noqa: SLF001
    Command.CANCEL_SM: _Peer._refuse,  # noqa: SLF001
    Command.REPLACE_SM: _Peer._refuse,  # noqa: SLF001
    Command.SUBMIT_MULTI: _Peer._refuse,  # noqa: SLF001
}

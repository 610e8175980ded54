"""One customer's connection: binds it, takes its requests, and answers them."""

import asyncio
import ipaddress
from collections.abc import Callable, Coroutine
from typing import Final

from pennywire import NotAccepted
from pennywire_smpp import bodies, statuses
from pennywire_smpp.pacing import TokenBucket
from pennywire_smpp.pdu import Command, Pdu, Tlv
from pennywire_smpp.server import asking
from pennywire_smpp.server.accepting import UNKNOWN, Answer
from pennywire_smpp.server.account import Account, Item, Work
from pennywire_smpp.server.reading import Refused, read_submission
from pennywire_smpp.session import Event, Lost, Request, Response, Timeout
from pennywire_smpp.states import State
from pennywire_smpp.tlvs import Tag
from pennywire_smpp.transport import Wire

SYSTEM_ID: Final = "pennywire"
_VERSION: Final = 0x34
_RECEIVING: Final = frozenset({State.BOUND_RX, State.BOUND_TRX})
#: How long a refused bind waits for its answer, so that passwords are not tried quickly. Units: seconds.
REFUSAL_S: Final = 1.0
_LEAVE_S: Final = 2.0
_WINDOW: Final = "window"


class Peer:
    """One connection to the server. `find` returns the account of a system_id."""

    def __init__(self, wire: Wire, find: Callable[[str], Account | None], *, tls: bool) -> None:
        self.wire = wire
        self.account: Account | None = None
        self._find = find
        self._tls = tls
        self._unanswered = 0
        self._bucket = TokenBucket(0, now=wire.now())
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def receives(self) -> bool:
        """Whether deliver_sm may be sent, and the window has room."""
        session = self.wire.session
        return self.account is not None and session.state in _RECEIVING and session.in_flight < self.account.settings.window

    def deliver(self, item: Item) -> None:
        """Send a deliver_sm."""
        self.wire.session.request(Command.DELIVER_SM, item.letter.body, now=self.wire.now(), token=item, tlvs=item.letter.tlvs)
        self.wire.flush_soon()

    def leave(self, reason: str) -> None:
        """Unbind and close; a peer that does not answer is cut off."""
        if self.wire.session.bound:
            self.wire.session.request(Command.UNBIND, bodies.Empty(), now=self.wire.now())
            self.wire.flush_soon()
            asyncio.get_running_loop().call_later(_LEAVE_S, self.wire.abort, reason)
        else:
            self.wire.close(reason)

    # What the session tells.

    def on_event(self, event: Event) -> None:
        if isinstance(event, Request):
            _REQUESTS.get(event.pdu.command_id, Peer._on_foreign)(self, event.pdu)
        elif isinstance(event, Response) and isinstance(event.token, Item) and self.account is not None and not event.late:
            status = event.pdu.command_status
            if event.pdu.command_id == Command.GENERIC_NACK:
                status = status or statuses.ESME_RX_P_APPN
            self.account.delivered(event.token, status)
        elif isinstance(event, Timeout) and isinstance(event.token, Item) and self.account is not None:
            self.account.undelivered([event.token])

    def on_lost(self, lost: Lost, reason: str) -> None:
        for task in self._tasks:
            task.cancel()
        account, self.account = self.account, None
        if account is None:
            return
        account.exit(self)
        account.undelivered([token for token in (*lost.unsent, *lost.unanswered) if isinstance(token, Item)])
        account.note(f"bind from {_host(self.wire)} ended: {reason}")

    # Binding.

    def _on_bind(self, pdu: Pdu) -> None:
        self._start(self._bind(pdu))

    async def _bind(self, pdu: Pdu) -> None:
        body = pdu.body
        assert isinstance(body, bodies.Bind), "a bind has its body"
        account = self._find(body.system_id)
        address = _host(self.wire)
        # Who is not there is answered as a wrong password is, or names could be found out.
        command_status = statuses.ESME_RINVPASWD if account is None else await self._judge(account, pdu, address)
        if command_status:
            if account is not None:
                account.note(f"bind from {address} was refused: {statuses.describe_status(command_status)}")
            await asyncio.sleep(REFUSAL_S)
            self._respond(pdu, None, command_status)
            self.wire.close("The bind was refused.")
            return
        assert account is not None, "nobody else is let in"
        tlvs: tuple[Tlv, ...] = ((int(Tag.SC_INTERFACE_VERSION), bytes((_VERSION,))),) if body.interface_version >= _VERSION else ()
        self.wire.session.respond(pdu, bodies.BindResp(SYSTEM_ID), now=self.wire.now(), tlvs=tlvs)
        self.wire.flush_soon()
        if not self.wire.session.bound:
            return  # It went while its password was checked.
        self.account = account
        self._bucket = TokenBucket(account.settings.bind_rate_per_s, now=self.wire.now())
        account.enter(self)
        account.note(f"{Command(pdu.command_id).name.lower()} from {address}")

    async def _judge(self, account: Account, pdu: Pdu, address: str) -> int:
        """Return the command_status that a bind gets."""
        settings, body = account.settings, pdu.body
        assert isinstance(body, bodies.Bind), "a bind has its body"
        if not settings.takes(pdu.command_id) or not settings.allows(address) or (settings.tls_required and not self._tls):
            return statuses.ESME_RBINDFAIL
        if len(account.binds) + account.binding_count >= settings.max_binds:
            return statuses.ESME_RALYBND
        account.binding_count += 1
        try:
            return 0 if await account.authenticate(body.password, address=address) else statuses.ESME_RINVPASWD
        except NotAccepted as error:
            return statuses.ESME_RSYSERR if error.code == "unavailable" else statuses.ESME_RBINDFAIL
        finally:
            account.binding_count -= 1

    # Submitting.

    def _on_submission(self, pdu: Pdu) -> None:
        account = self.account
        assert account is not None, "only who is bound submits"
        if self._throttled() or account.throttled():
            self._respond(pdu, None, statuses.ESME_RTHROTTLED)
            return
        try:
            submitted = read_submission(pdu, alphabet=account.settings.alphabet, now=account.gateway.now)
        except Refused as refused:
            self._respond(pdu, None, refused.command_status)
            return
        self._unanswered += 1
        if self._unanswered >= account.settings.window:
            self.wire.hold_reading(_WINDOW)
        account.submit(Work(submitted, lambda answer: self._answer(pdu, answer)))

    def _throttled(self) -> bool:
        """Count a submission against the rate of this bind, and say whether it is beyond it."""
        now = self.wire.now()
        if self._bucket.available(now) < 1:
            return True
        self._bucket.take(now)
        return False

    def _answer(self, pdu: Pdu, answer: Answer) -> None:
        self._unanswered -= 1
        self.wire.release_reading(_WINDOW)
        if answer.command_status == UNKNOWN:
            self.wire.abort("Whether messages were accepted is not known.")
        elif pdu.command_id == Command.SUBMIT_MULTI:
            failed = tuple(bodies.Unsuccessful(one.ton, one.npi, one.address, status) for one, status in answer.failed)
            body = bodies.SubmitMultiResp(answer.message_id, failed) if answer.message_id else None
            self._respond(pdu, body, answer.command_status)
        else:
            self._respond(pdu, None if answer.command_status else bodies.MessageResp(answer.message_id), answer.command_status)

    # Asking.

    def _on_question(self, pdu: Pdu) -> None:
        self._start(self._ask(pdu))

    async def _ask(self, pdu: Pdu) -> None:
        account = self.account
        assert account is not None, "only who is bound asks"
        try:
            body, command_status = await account.call(
                lambda: asking.reply(account.gateway, account.parts, pdu, alphabet=account.settings.alphabet)
            )
        except Exception:
            self._respond(pdu, None, statuses.ESME_RSYSERR)
            raise
        self._respond(pdu, body, command_status)

    def _on_foreign(self, pdu: Pdu) -> None:
        self._respond(pdu, None, statuses.ESME_RINVCMDID)

    def _respond(self, pdu: Pdu, body: bodies.Body | None, command_status: int = 0) -> None:
        self.wire.session.respond(pdu, body, now=self.wire.now(), command_status=command_status)
        self.wire.flush_soon()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_REQUESTS: Final[dict[int, Callable[[Peer, Pdu], None]]] = {
    Command.BIND_TRANSMITTER: Peer._on_bind,  # noqa: SLF001  # The table belongs to the class.
    Command.BIND_RECEIVER: Peer._on_bind,  # noqa: SLF001
    Command.BIND_TRANSCEIVER: Peer._on_bind,  # noqa: SLF001
    Command.SUBMIT_SM: Peer._on_submission,  # noqa: SLF001
    Command.DATA_SM: Peer._on_submission,  # noqa: SLF001
    Command.SUBMIT_MULTI: Peer._on_submission,  # noqa: SLF001
    Command.QUERY_SM: Peer._on_question,  # noqa: SLF001
    Command.CANCEL_SM: Peer._on_question,  # noqa: SLF001
    Command.REPLACE_SM: Peer._on_question,  # noqa: SLF001
}


def _host(wire: Wire) -> str:
    host = wire.peername.rpartition(":")[0]
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return host

"""One bind of a connection: connects, binds, sends within its window, takes what comes, and comes back after a loss."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from enum import Enum
from random import random
from typing import Any, Final, NamedTuple, Protocol

from pennywire import Accepted, CannotStore, Link, LinkDown, OutcomeUnknown, Rejected, Report, Submission, Throttled
from pennywire.sms import receipts
from pennywire_smpp import bodies, statuses
from pennywire_smpp.fields import FieldError
from pennywire_smpp.inbound import Unreadable, read_message
from pennywire_smpp.outbound import Unsendable, make_submit_sm
from pennywire_smpp.pacing import Backoff, Throttle, TokenBucket
from pennywire_smpp.pdu import Command, Pdu, command_name
from pennywire_smpp.poison import Poison, PoisonKeeper
from pennywire_smpp.policies import find_ruling
from pennywire_smpp.session import Closing, Event, Lost, Note, Request, Response, Session, Timeout, refusal
from pennywire_smpp.settings import INTERFACE_VERSIONS, SmppSettings
from pennywire_smpp.states import UNANSWERED, Role
from pennywire_smpp.statuses import Policy, find_status, status_code
from pennywire_smpp.tracing import Tracer
from pennywire_smpp.transport import Wire, connect

#: So many deliver_sm may wait for storage at once; beyond that we stop reading (trap S8 and memory).
MAX_UNANSWERED: Final = 500
#: Units: seconds.
_LONGEST_RECONNECT_S: Final = 60.0
_LONGEST_REFUSED_S: Final = 900.0
_CONNECT_TIMEOUT_S: Final = 30.0
#: A connection that lasted so long was a good one; the next pause is short again.
_STABLE_S: Final = 10.0
_UNBIND_TIMEOUT_S: Final = 5.0


class Mode(Enum):
    """How to bind."""

    TRANSCEIVER = Command.BIND_TRANSCEIVER
    TRANSMITTER = Command.BIND_TRANSMITTER
    RECEIVER = Command.BIND_RECEIVER

    @property
    def transmits(self) -> bool:
        return self is not Mode.RECEIVER

    @property
    def receives(self) -> bool:
        return self is not Mode.TRANSMITTER


class Sent(NamedTuple):
    """A submission on its way. Units: seconds of the loop's clock."""

    submission: Submission
    sent_at: float


class BindOwner(Protocol):
    """The connection that a bind belongs to."""

    settings: SmppSettings
    link: Link
    #: Shared by all binds, because the SMSC throttles the account.
    throttle: Throttle
    tls: ssl.SSLContext | None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside everything else, for as long as the connection runs."""
        ...

    def bind_changed(self, bind: "Bind", reason: str) -> None:
        """`bind` was bound (`reason` empty) or lost."""
        ...

    def room_changed(self) -> None:
        """There may be room for further submissions."""
        ...


class Bind:
    """One bind. `submit` takes at most `room` submissions; each ends in exactly one outcome or failure, a late answer apart."""

    def __init__(self, label: str, mode: Mode, owner: BindOwner) -> None:
        self.label = label
        self.mode = mode
        self._owner = owner
        self._settings = settings = owner.settings
        self._link = owner.link
        self._throttle = owner.throttle
        self._loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(settings.rate_limit_per_s, now=self._loop.time())
        self._failed = Backoff(first_s=settings.reconnect_pause_s, longest_s=_LONGEST_RECONNECT_S, random=random)
        self._refused = Backoff(first_s=settings.refused_pause_s, longest_s=_LONGEST_REFUSED_S, random=random)
        self._wire: Wire | None = None
        self._held: deque[Submission] = deque()
        self._pump_timer: asyncio.TimerHandle | None = None
        self._unanswered = 0
        self._poisons = PoisonKeeper(owner.link)
        self._progress = asyncio.Event()
        self._bind_status = 0
        self._lost_reason = ""
        self._ending = False

    async def run(self) -> None:
        """Keep the bind up until it is drained or cancelled."""
        try:
            while True:
                started_at = self._loop.time()
                reason = await self._serve()
                if self._ending:
                    return
                pause_s = self._next_pause(self._loop.time() - started_at)
                self._owner.bind_changed(self, f"{reason} Next try in {pause_s:.0f} s.")
                await asyncio.sleep(pause_s)
        finally:
            wire = self._wire
            if wire is not None and wire.connected:
                wire.abort("The connection was stopped.")
                await wire.closed.wait()

    @property
    def bound(self) -> bool:
        """Whether messages may pass."""
        return self._wire is not None and self._wire.session.bound

    @property
    def free(self) -> int:
        """What is left of the window, whatever the rate says."""
        return self._wire.session.room - len(self._held) if self._wire is not None else 0

    def room(self, now: float) -> int:
        """Return how many submissions may be handed over. Units: seconds of the loop's clock."""
        if not self.bound or self._ending:
            return 0
        return max(0, int(min(self.free, self._bucket.available(now) - len(self._held))))

    def delay_s(self, now: float) -> float | None:
        """Return when the rate leaves room again, or None where it is the window that has none."""
        if not self.bound or self.free <= 0:
            return None
        return max(self._bucket.delay_s(now), self._throttle.delay_s(now))

    def submit(self, submission: Submission) -> None:
        """Send a submission, at once or as soon as the rate allows."""
        self._held.append(submission)
        self._pump()

    async def drain(self) -> None:
        """Give back what was not sent, wait for the answers to the rest and for storage, unbind and close."""
        self._ending = True
        self._give_back("The connection is being stopped.")
        wire = self._wire
        if wire is None or not wire.connected:
            return
        try:
            async with asyncio.timeout(self._settings.response_timeout_s):
                while self.bound and (wire.session.in_flight or self._unanswered):
                    self._progress.clear()
                    await self._progress.wait()
            async with asyncio.timeout(_UNBIND_TIMEOUT_S):
                if wire.session.bound:
                    wire.session.request(Command.UNBIND, bodies.Empty(), now=wire.now())
                    wire.flush_soon()
                    await wire.closed.wait()
        except TimeoutError:
            self._link.log(f"{self.label}The SMSC did not finish in time; the connection is closed without it.")
        wire.close("The connection was stopped.")
        await wire.closed.wait()

    def on_event(self, event: Event) -> None:
        _HANDLERS[type(event)](self, event)

    def on_lost(self, lost: Lost, reason: str) -> None:
        """Settle what was in flight: what never left goes back, what was written is in doubt (trap S7)."""
        self._lost_reason = self._lost_reason or reason
        for sent in lost.unsent:
            self._fail(sent, LinkDown(reason))
        for sent in lost.unanswered:
            self._fail(sent, OutcomeUnknown(reason))
        self._give_back(reason)
        self._advance()

    async def _serve(self) -> str:
        """Hold one connection for as long as it lasts and return why it ended, in words."""
        settings = self._settings
        self._bind_status, self._lost_reason = 0, ""
        try:
            wire = await connect(
                settings.host,
                settings.port,
                self._make_session,
                self._attach,
                tls=self._owner.tls,
                server_name=settings.tls_server_name or None,
                timeout_s=_CONNECT_TIMEOUT_S,
            )
        except (OSError, TimeoutError) as error:
            return f"Cannot reach {settings.host}:{settings.port}: {error or 'no answer in time'}."
        wire.session.request(self.mode.value, self._make_bind(), now=wire.now())
        wire.flush_soon()
        await wire.closed.wait()
        self._wire = None
        return self._lost_reason

    def _make_session(self, now: float) -> Session:
        settings = self._settings
        return Session(
            Role.ESME,
            now=now,
            window=settings.window,
            response_timeout_s=settings.response_timeout_s,
            enquire_link_interval_s=settings.enquire_link_interval_s,
        )

    def _attach(self, wire: Wire) -> "Bind":
        self._wire = wire
        if self._settings.trace:
            wire.tracer = Tracer(lambda line: self._link.log(f"{self.label}{line}"))
        return self

    def _make_bind(self) -> bodies.Bind:
        settings = self._settings
        return bodies.Bind(
            settings.system_id,
            settings.password,
            settings.system_type,
            INTERFACE_VERSIONS[settings.interface_version],
            settings.addr_ton,
            settings.addr_npi,
            settings.address_range,
        )

    def _next_pause(self, uptime_s: float) -> float:
        """Return the pause before the next attempt; longer after a refusal, so that no account is locked (trap S6)."""
        if self._bind_status in statuses.BIND_REFUSALS:
            return self._refused.pause_s()
        if not self._bind_status and uptime_s > _STABLE_S:
            self._failed.reset()
        return self._failed.pause_s()

    def _pump(self) -> None:
        """Send what is held, as far as window and rate allow."""
        while self._held and self.bound and self._wire is not None and self._wire.session.room > 0:
            now = self._loop.time()
            delay_s = max(self._bucket.delay_s(now), self._throttle.delay_s(now))
            if delay_s > 0:
                if self._pump_timer is None:
                    self._pump_timer = self._loop.call_later(delay_s, self._pump_again)
                return
            self._send(self._wire, self._held.popleft(), now)

    def _pump_again(self) -> None:
        self._pump_timer = None
        self._pump()

    def _send(self, wire: Wire, submission: Submission, now: float) -> None:
        try:
            outgoing = make_submit_sm(submission, self._settings, now=datetime.now(UTC))
            sent = Sent(submission, now)
            wire.session.request(Command.SUBMIT_SM, outgoing.body, now=wire.now(), token=sent, tlvs=outgoing.tlvs)
        except Unsendable as error:
            self._link.outcome(submission, Rejected(error.code, error.reason, permanent=error.permanent))
        except FieldError as error:
            self._link.outcome(submission, Rejected("field", str(error)))
        else:
            self._bucket.take(now)
            self._throttle.take(now)
            wire.flush_soon()

    def _on_response(self, event: Response) -> None:
        if isinstance(event.token, Sent):
            self._settle(event.token, event.pdu)
        elif event.pdu.command_id != Command.UNBIND_RESP:
            self._on_bind_answer(event.pdu)
        self._advance()

    def _settle(self, sent: Sent, pdu: Pdu) -> None:
        """Turn the answer to a submission into its outcome."""
        now = self._loop.time()
        if refusal(pdu) is None:
            self._throttle.accept(now)
            network_id = pdu.body.message_id if isinstance(pdu.body, bodies.MessageResp) else ""
            self._link.outcome(sent.submission, Accepted(receipts.normalise_id(network_id)))
            return
        code = status_code(pdu.command_status)
        ruling = find_ruling(pdu.command_status, self._settings.error_policies)
        if ruling.policy is Policy.THROTTLE:
            self._link.outcome(sent.submission, Throttled(self._throttle.refuse(sent_at=sent.sent_at, now=now), code))
        elif ruling.policy is Policy.PAUSE:
            self._link.outcome(sent.submission, Throttled(self._throttle.rest(ruling.pause_s, now=now), code))
        else:
            status = find_status(pdu.command_status)
            self._link.outcome(sent.submission, Rejected(code, f"{status.name}: {status.words}", ruling.policy is Policy.PERMANENT))

    def _on_bind_answer(self, pdu: Pdu) -> None:
        reason = refusal(pdu)
        if reason is None:
            self._refused.reset()
            self._owner.bind_changed(self, "")
            return
        self._bind_status = pdu.command_status or statuses.ESME_RBINDFAIL
        self._lost_reason = f"The SMSC refused the bind with {reason}."
        assert self._wire is not None, "an answer comes on a wire"
        self._wire.close(self._lost_reason)

    def _on_timeout(self, event: Timeout) -> None:
        seconds = self._settings.response_timeout_s
        self._fail(event.token, OutcomeUnknown(f"The SMSC did not answer submit_sm within {seconds:g} s."))
        self._advance()

    def _on_request(self, event: Request) -> None:
        if event.pdu.command_id in UNANSWERED:
            self._link.log(f"{self.label}The SMSC sent {command_name(event.pdu.command_id)}.")
            return
        wire = self._wire
        assert wire is not None, "a request comes on a wire"
        assert event.pdu.command_id in (Command.DELIVER_SM, Command.DATA_SM), "an SMSC issues nothing else to be answered by us"
        self._unanswered += 1
        if self._unanswered >= MAX_UNANSWERED:
            wire.hold_reading("storage")
        self._owner.spawn(self._deliver(wire, event))

    async def _deliver(self, wire: Wire, request: Request) -> None:
        """Hand a deliver_sm over and answer it, only once it is stored (trap S8)."""
        command_status = await self._store(request)
        self._unanswered -= 1
        wire.session.respond(request.pdu, command_status=command_status, now=wire.now())
        wire.flush_soon()
        if self._unanswered <= MAX_UNANSWERED // 2 and self._wire is not None:
            self._wire.release_reading("storage")
        self._advance()

    async def _store(self, request: Request) -> int:
        """Return the command_status that tells the SMSC what became of its message."""
        try:
            message = read_message(request, self._settings)
            if isinstance(message, Report):
                await self._link.report(message)
            else:
                await self._link.incoming(message)
        except Unreadable as error:
            self._on_poison(Poison(f"Refused {command_name(request.pdu.command_id)}: {error}", request.frame))
            return statuses.ESME_RX_P_APPN
        except CannotStore:
            self._link.log(f"{self.label}Could not store what the SMSC delivered; it was asked to send it again.")
            return statuses.ESME_RSYSERR
        return statuses.ESME_ROK

    def _on_note(self, event: Note) -> None:
        self._link.log(f"{self.label}{event.words}")

    def _on_poison(self, event: Poison) -> None:
        self._link.log(f"{self.label}{event.words}")
        self._owner.spawn(self._poisons.keep(event))

    def _on_closing(self, event: Closing) -> None:
        self._lost_reason = self._lost_reason or event.reason

    def _fail(self, token: object, error: LinkDown | OutcomeUnknown) -> None:
        assert isinstance(token, Sent), "tokens are ours"
        self._link.failed(token.submission, error)

    def _give_back(self, reason: str) -> None:
        if self._pump_timer is not None:
            self._pump_timer.cancel()
            self._pump_timer = None
        while self._held:
            self._link.failed(self._held.popleft(), LinkDown(reason))

    def _advance(self) -> None:
        """Go on: an answer came, or the link broke."""
        self._pump()
        self._progress.set()
        self._owner.room_changed()


_HANDLERS: dict[type, Callable[[Bind, Any], None]] = {
    Response: Bind._on_response,  # noqa: SLF001  # The table belongs to the class.
    Timeout: Bind._on_timeout,  # noqa: SLF001
    Request: Bind._on_request,  # noqa: SLF001
    Poison: Bind._on_poison,  # noqa: SLF001
    Note: Bind._on_note,  # noqa: SLF001
    Closing: Bind._on_closing,  # noqa: SLF001
}

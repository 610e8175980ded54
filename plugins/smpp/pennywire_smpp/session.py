"""One SMPP session without I/O, for both roles: octets and the time go in, octets and events come out.

What may be said in which state is a table (see `states`). The caller (see `transport`) brings the clock, the socket and the application.
Source: SMPP v3.4 §2.
"""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from pennywire_smpp import statuses
from pennywire_smpp.bodies import Body, Empty
from pennywire_smpp.framing import FrameReader, FramingError
from pennywire_smpp.pdu import (
    BODIES,
    MAX_SEQUENCE_NUMBER,
    RESPONSE_BIT,
    Command,
    MalformedBody,
    Pdu,
    Tlv,
    UnknownCommand,
    command_name,
    decode,
    encode,
)
from pennywire_smpp.poison import Poison
from pennywire_smpp.states import AFTER_ANSWER, BINDS, BOUND, MAY_ISSUE, TURNING, UNANSWERED, Role, State
from pennywire_smpp.statuses import describe_status


class SessionError(Exception):
    """The session is not in a state in which this may be said."""


#: A PDU that we cannot read will not become readable when it is sent again: say so, or the SMSC repeats it for days.
_POISON_STATUS = {Command.DELIVER_SM: statuses.ESME_RX_P_APPN, Command.DATA_SM: statuses.ESME_RX_P_APPN}

#: Answers that came too late are still recognised, for as many requests as this.
MAX_LATE = 10_000


class Request(NamedTuple):
    """The peer asks something that the application must answer with `Session.respond`; `frame` is the PDU as it came."""

    pdu: Pdu
    frame: bytes


class Response(NamedTuple):
    """The peer answered; `token` is what the caller gave with the request, None for the session's own. `late`: after Timeout."""

    token: object
    pdu: Pdu
    late: bool = False


class Timeout(NamedTuple):
    """No answer came in time. One that comes later is still handed over."""

    token: object


class Note(NamedTuple):
    """Something for the operator to read. Without texts, secrets and full numbers."""

    words: str


class Closing(NamedTuple):
    """The connection is to be closed once everything is written. `clean`: one of the two took leave."""

    reason: str
    clean: bool = False


Event = Request | Response | Timeout | Note | Poison | Closing


class Lost(NamedTuple):
    """Tokens of the requests without an answer when the connection ended."""

    #: Not an octet of them was written.
    unsent: list[object]
    #: They were written, at least in part.
    unanswered: list[object]


class _Pending(NamedTuple):
    command_id: int
    token: object
    deadline: float


class Session:
    """One session in one role.

    Units: seconds of any clock that only moves forward. `window` bounds the requests in flight; the session's own (bind, unbind,
    enquire_link) do not count. `init_timeout_s` is how long an SMSC waits for a bind; 0 means for ever.
    """

    def __init__(
        self,
        role: Role,
        *,
        now: float,
        window: int = 10,
        response_timeout_s: float = 30.0,
        enquire_link_interval_s: float = 30.0,
        init_timeout_s: float = 0.0,
        first_sequence_number: int = 1,
    ) -> None:
        self.role = role
        self.state = State.OPEN
        self._peer_role = Role.SMSC if role is Role.ESME else Role.ESME
        self._window = window
        self._response_timeout_s = response_timeout_s
        self._enquire_interval_s = enquire_link_interval_s or inf
        self._init_deadline = now + init_timeout_s if init_timeout_s else inf
        self._last_sent = self._last_received = now
        self._enquired_at: float | None = None
        self._next_sequence = first_sequence_number
        self._reader = FrameReader()
        self._output: list[bytes] = []
        self._output_octets = 0
        self._unsent: list[int] = []
        self._own: set[int] = set()
        self._unanswered = 0
        self._leave: Pdu | None = None
        self._events: list[Event] = []
        self._pending: dict[int, _Pending] = {}
        self._late: dict[int, _Pending] = {}

    @property
    def bound(self) -> bool:
        """Whether messages may pass."""
        return self.state in BOUND

    @property
    def in_flight(self) -> int:
        """How many requests wait for an answer, the session's own not counted."""
        return len(self._pending) - len(self._own)

    @property
    def room(self) -> int:
        """How many more requests the window lets through."""
        return self._window - len(self._pending) + len(self._own)

    @property
    def has_output(self) -> bool:
        return bool(self._output)

    @property
    def output_octets(self) -> int:
        """Size of what `take_output` would return."""
        return self._output_octets

    def request(self, command_id: int, body: Body, *, now: float, token: object = None, tlvs: Iterable[Tlv] = ()) -> int:
        """Send a request and return its sequence_number; a `Response` or `Timeout` with `token` follows.

        Raises: SessionError when the state forbids it, FieldError when a value does not fit. Nothing is sent then.
        """
        following = MAY_ISSUE[self.role][self.state].get(command_id)
        if following is None:
            raise SessionError(f"{command_name(command_id)} may not be sent by the {self.role.upper()} in state {self.state}.")
        sequence_number = self._take_sequence_number()
        self._emit(encode(command_id, sequence_number, body, tlvs=tlvs))
        self.state = following
        self._last_sent = now
        if command_id in UNANSWERED:
            return sequence_number
        self._pending[sequence_number] = _Pending(command_id, token, now + self._response_timeout_s)
        if token is None:
            self._own.add(sequence_number)
        else:
            self._unsent.append(sequence_number)
        return sequence_number

    def respond(self, request: Pdu, body: Body | None = None, *, now: float, command_status: int = 0, tlvs: Iterable[Tlv] = ()) -> None:
        """Answer a request of the peer. Without a body an empty one is sent, or none beside an error.

        An answer to a session that is closed is dropped: the peer asks again on the next one. Raises: FieldError.
        """
        if self.state is State.CLOSED:
            return
        command_id = request.command_id | RESPONSE_BIT
        if body is None and command_status == 0:
            body = BODIES[command_id]()
        self._emit(encode(command_id, request.sequence_number, body, command_status=command_status, tlvs=tlvs))
        self._last_sent = now
        self._unanswered -= 1
        if request.command_id in BINDS:
            self._turn(command_status)
        if self._leave is not None and not self._unanswered:
            self._part(self._leave, self._events)

    def receive(self, chunk: bytes, now: float) -> list[Event]:
        """Take octets from the peer, any number of them, and return what they mean."""
        events: list[Event] = []
        self._last_received = now
        try:
            for frame in self._reader.feed(chunk):
                self._receive_frame(frame, now, events)
                if self.state is State.CLOSED:
                    break
        except FramingError as error:
            self._emit(encode(Command.GENERIC_NACK, 0, command_status=statuses.ESME_RINVCMDLEN))
            self._close(f"The peer does not speak SMPP: {error}", events)
        return events

    def tick(self, now: float) -> list[Event]:
        """Look at the timers and return what they mean. Call it at `deadline`."""
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        if now >= self._init_deadline and self.state is State.OPEN:
            self._close("No bind came in time.", events)
            return events
        for sequence_number, pending in list(self._pending.items()):
            if pending.deadline > now:
                break
            self._expire(sequence_number, pending, events)
        if self.bound and self._enquired_at is None and now >= self._enquire_due():
            self._enquired_at = now
            self.request(Command.ENQUIRE_LINK, Empty(), now=now)
        return events

    def deadline(self) -> float:
        """Return when `tick` has something to do next; infinite if never."""
        first = next(iter(self._pending.values()), None)
        due = first.deadline if first else inf
        if self.bound and self._enquired_at is None:
            due = min(due, self._enquire_due())
        return min(due, self._init_deadline) if self.state is State.OPEN else due

    def take_events(self) -> list[Event]:
        """Return events that came of what the caller did, rather than of octets or time."""
        events, self._events = self._events, []
        return events

    def take_output(self) -> bytes:
        """Return everything that is to be written, and take it for written from now on."""
        octets = b"".join(self._output)
        self._output.clear()
        self._output_octets = 0
        self._unsent.clear()
        return octets

    def end(self) -> Lost:
        """Close the session because the connection is gone, and return what stayed open."""
        self.state = State.CLOSED
        unsent = set(self._unsent)
        waiting = [(number, pending.token) for number, pending in self._pending.items() if number not in self._own]
        self._pending.clear()
        self._late.clear()
        self._output.clear()
        self._output_octets = 0
        return Lost([token for number, token in waiting if number in unsent], [token for number, token in waiting if number not in unsent])

    def _receive_frame(self, frame: bytes, now: float, events: list[Event]) -> None:
        try:
            pdu = decode(frame)
        except UnknownCommand as error:
            self._nack_unknown(error, events)
        except MalformedBody as error:
            self._refuse_poison(error, frame, now, events)
        else:
            if pdu.command_id & RESPONSE_BIT:
                self._receive_response(pdu, events)
            else:
                self._receive_request(pdu, frame, now, events)

    def _receive_request(self, pdu: Pdu, frame: bytes, now: float, events: list[Event]) -> None:
        command_id = pdu.command_id
        following = MAY_ISSUE[self._peer_role][self.state].get(command_id)
        if following is None:
            events.append(Note(f"The peer sent {command_name(command_id)} in state {self.state}; refused."))
            if command_id not in UNANSWERED:
                again = command_id in BINDS and self.bound
                self._refuse(pdu, statuses.ESME_RALYBND if again else statuses.ESME_RINVBNDSTS, now)
        elif command_id == Command.ENQUIRE_LINK:
            self._emit(encode(Command.ENQUIRE_LINK_RESP, pdu.sequence_number))
            self._last_sent = now
        elif command_id == Command.UNBIND and not self._unanswered:
            self._part(pdu, events)
        else:
            self.state = following
            if command_id == Command.UNBIND:
                # Its requests before are answered first, or it would have to send them again.
                self._leave = pdu
                return
            self._unanswered += command_id not in UNANSWERED
            events.append(Request(pdu, frame))

    def _receive_response(self, pdu: Pdu, events: list[Event]) -> None:
        sequence_number, command_id = pdu.sequence_number, pdu.command_id
        pending = self._pending.get(sequence_number)
        late = pending is None
        if pending is None:
            pending = self._late.get(sequence_number)
        if pending is None:
            events.append(Note(f"{command_name(command_id)} answers no request of ours (sequence_number {sequence_number}); ignored."))
            return
        if command_id not in (pending.command_id | RESPONSE_BIT, Command.GENERIC_NACK):
            events.append(Note(f"{command_name(command_id)} cannot answer our {command_name(pending.command_id)}; ignored."))
            return
        (self._late if late else self._pending).pop(sequence_number)
        if sequence_number in self._own:
            self._own.discard(sequence_number)
            self._receive_own(pending, pdu, events)
        else:
            events.append(Response(pending.token, pdu, late))

    def _receive_own(self, pending: _Pending, pdu: Pdu, events: list[Event]) -> None:
        """Take the answer to a request that the session manages: enquire_link, bind, unbind."""
        if pending.command_id == Command.ENQUIRE_LINK:
            self._enquired_at = None
            return
        # A generic_nack with status 0 is still a refusal.
        refused = pdu.command_status or pdu.command_id == Command.GENERIC_NACK
        self._turn(pdu.command_status or statuses.ESME_RBINDFAIL if refused else 0)
        events.append(Response(None, pdu))
        if pending.command_id == Command.UNBIND:
            self._close("We unbound.", events, clean=True)

    def _expire(self, sequence_number: int, pending: _Pending, events: list[Event]) -> None:
        del self._pending[sequence_number]
        if sequence_number not in self._own:
            self._late[sequence_number] = pending
            if len(self._late) > MAX_LATE:
                del self._late[next(iter(self._late))]
            events.append(Timeout(pending.token))
            return
        self._own.discard(sequence_number)
        if pending.command_id in TURNING:
            self._close(f"The peer did not answer {command_name(pending.command_id)}.", events)
        elif self._enquired_at is not None and self._last_received <= self._enquired_at:
            self._close("The peer did not answer enquire_link; the connection is dead.", events)
        else:
            # It is alive, as other traffic shows; it just does not answer enquire_link.
            self._enquired_at = None
            events.append(Note("The peer did not answer enquire_link."))

    def _enquire_due(self) -> float:
        return min(self._last_sent, self._last_received) + self._enquire_interval_s

    def _nack_unknown(self, error: UnknownCommand, events: list[Event]) -> None:
        events.append(Note(f"{error} Sequence_number {error.header.sequence_number}."))
        if not error.header.command_id & RESPONSE_BIT:
            number = error.header.sequence_number
            self._emit(encode(Command.GENERIC_NACK, number, command_status=statuses.ESME_RINVCMDID))

    def _refuse_poison(self, error: MalformedBody, frame: bytes, now: float, events: list[Event]) -> None:
        header = error.header
        words = f"Unreadable PDU of {header.command_length} octets, sequence_number {header.sequence_number}. {error}"
        brings_message = self.role is Role.ESME and header.command_id in _POISON_STATUS
        events.append(Poison(words, frame) if brings_message else Note(words))
        if header.command_id not in UNANSWERED:
            plain = statuses.ESME_RINVOPTPARSTREAM if error.in_tlvs else statuses.ESME_RINVCMDLEN
            status = _POISON_STATUS.get(Command(header.command_id), plain)
            self._refuse(Pdu(header.command_id, header.sequence_number), status, now)

    def _refuse(self, request: Pdu, command_status: int, now: float) -> None:
        """Answer with an error that changes no state."""
        self._emit(encode(request.command_id | RESPONSE_BIT, request.sequence_number, command_status=command_status))
        self._last_sent = now

    def _emit(self, frame: bytes) -> None:
        self._output.append(frame)
        self._output_octets += len(frame)

    def _turn(self, command_status: int) -> None:
        turn = AFTER_ANSWER.get(self.state)
        if turn is not None:
            self.state = turn.accepted if command_status == 0 else turn.refused

    def _part(self, unbind: Pdu, events: list[Event]) -> None:
        """Answer the peer's unbind and end."""
        self._emit(encode(Command.UNBIND_RESP, unbind.sequence_number))
        self._close("The peer unbound.", events, clean=True)

    def _close(self, reason: str, events: list[Event], *, clean: bool = False) -> None:
        self.state = State.CLOSED
        events.append(Closing(reason, clean))

    def _take_sequence_number(self) -> int:
        number = self._next_sequence
        while number in self._pending or number in self._late:
            number = number % MAX_SEQUENCE_NUMBER + 1
        self._next_sequence = number % MAX_SEQUENCE_NUMBER + 1
        return number


def refusal(pdu: Pdu) -> str | None:
    """Return why the answer in `pdu` is a refusal, in words for the operator, or None if it is not."""
    if pdu.command_status:
        return describe_status(pdu.command_status)
    return "generic_nack without a status" if pdu.command_id == Command.GENERIC_NACK else None

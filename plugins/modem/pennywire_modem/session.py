"""A session with one modem, without I/O: octets and times go in, octets and events come out.

Strictly serial (trap G8): one command at a time, one segment at a time. The states are a table in `states`, what the modem is
told first is a table in `preparation`, and what errors mean is one in `errors`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from pennywire import Accepted, LinkDown, Outcome, OutcomeUnknown, Rejected, Submission, Throttled
from pennywire_modem import messages, preparation, tpdu, ussd
from pennywire_modem.dialogue import SUBMITTED, Answer, Command, Dialogue
from pennywire_modem.errors import Failure, Fate, read_failure
from pennywire_modem.events import Answered, CardOpen, Checked, Down, Ended, Event, Failed, Note, PinDue, Up
from pennywire_modem.inbox import Inbox
from pennywire_modem.preparation import Facts, Step
from pennywire_modem.settings import ModemSettings
from pennywire_modem.states import LADDER, TURNS, State, Turn

#: Pauses: between two looks at the registration, after recovery, and when a segment could not be tried.
#: Units: shares of the time that a command gets.
_REGISTRATION_SHARE: Final = 0.5
_SETTLING_SHARE: Final = 0.05
_TROUBLE_SHARE: Final = 3.0
#: How long a link rests after the network asked for patience. Units: seconds.
_THROTTLE_S: Final = 15.0
#: A change of signal by less is no news. Units: dB.
_SIGNAL_NEWS_DB: Final = 10


class Session:
    """One session, from the opened line to its end.

    `utc` is a clock that returns aware UTC.
    """

    def __init__(self, settings: ModemSettings, *, now: float, utc: Callable[[], datetime]) -> None:
        self.settings = settings
        self.facts = Facts()
        self.state = State.PREPARING
        self._now = now
        self._utc = utc
        self._events: list[Event] = []
        self._dialogue = Dialogue(self._take_unsolicited)
        self._inbox = Inbox(self)
        self._steps = preparation.steps(settings)
        self._rung = 0
        self._due: float | None = None
        self._balance_due = now
        self._submission: Submission | None = None
        self._doubtful: Submission | None = None
        self._trouble = ""
        #: Sends the PIN, once it is noted that it is tried.
        self._send_pin: Callable[[], None] | None = None
        self._reported: tuple[object, ...] = ()
        self._enter(State.PREPARING)

    # What the transport calls.

    @property
    def free(self) -> bool:
        """A segment may be submitted now."""
        return self.state is State.READY and self._submission is None

    @property
    def busy(self) -> bool:
        """A segment is on its way."""
        return self._submission is not None

    @property
    def deadline(self) -> float | None:
        """When `tick` is to be called next."""
        if self.state is State.ENDED:
            return None
        dues = [due for due in (self._dialogue.deadline, self._due if self._dialogue.idle else None) if due is not None]
        return min(dues, default=None)

    def receive(self, octets: bytes, now: float) -> None:
        """Take what the modem wrote."""
        self._now = now
        if self.state is not State.ENDED:
            self._dialogue.receive(octets, now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._now = now
        if self.state is State.ENDED:
            return
        if self._dialogue.expire(now):
            self._turn(Turn.SILENT)
        elif self._due is not None and now >= self._due and self._dialogue.idle:
            self._due = None
            _DUE[self.state](self)

    def submit(self, submission: Submission, now: float) -> None:
        """Send one segment; only while `free`."""
        assert self.free, "a modem carries one segment at a time"
        self._now = now
        try:
            pdu = messages.make_submit(submission, now=self._utc())
        except messages.Unsendable as error:
            self.tell(Answered(submission, Rejected(error.code, error.reason, error.permanent)))
            return
        self._submission, self._doubtful = submission, None
        text = f"AT+CMGS={len(pdu)}"
        limit_s = self.settings.response_timeout_s
        command = Command(text, self._submitted, self.settings.command_timeout_s, payload=tpdu.frame(pdu), payload_timeout_s=limit_s)
        self._dialogue.ask(command, now=now)

    def pin_claimed(self, refusal: str, now: float) -> None:
        """Send the PIN that was due, or end where there is a reason not to. It counts as tried from before it is sent."""
        self._now = now
        send, self._send_pin = self._send_pin, None
        if refusal:
            self.end(refusal, now, blocked=True)
        elif send is not None and self.state is State.PREPARING:
            send()

    def stored(self, handle: int, now: float) -> None:
        """Say that what `Received` brought is durable: now the modem may forget it."""
        self._now = now
        self._inbox.stored(handle)

    def not_stored(self, handle: int, now: float) -> None:
        """Say that it could not be stored: it stays where it is and is read again."""
        self._now = now
        self._inbox.not_stored(handle)

    def end(self, reason: str, now: float, *, blocked: bool = False) -> None:
        """End the session; the line is closed or broken. What was handed over is in doubt, what was not goes back."""
        self._now = now
        if self.state is State.ENDED:
            return
        self._turn(Turn.END)
        self._dialogue.abandon()
        self.tell(Ended(reason, blocked))

    def output(self) -> bytes:
        """Return what is to be written, once."""
        return self._dialogue.output()

    def events(self) -> list[Event]:
        """Return what happened since the last call."""
        events, self._events = self._events, []
        return events

    # What `Inbox` uses.

    def tell(self, event: Event) -> None:
        """Add an event."""
        self._events.append(event)

    def ask(self, text: str, done: Callable[[Answer], None] = lambda _answer: None) -> None:
        """Queue a command."""
        self._dialogue.ask(Command(text, done, self.settings.command_timeout_s), now=self._now)

    # The states.

    def _turn(self, turn: Turn) -> None:
        self._enter(TURNS[self.state, turn])

    def _enter(self, state: State) -> None:
        self.state = state
        self._due = None
        if state in _ENTER:
            _ENTER[state](self)

    def _prepare(self, index: int = 0) -> None:
        """Go through the steps from one on."""
        for place in range(index, len(self._steps)):
            step = self._steps[place]
            commands = tuple(step.commands(self.settings, self.facts))
            if commands:
                if step.is_pin:
                    self._send_pin = partial(self._try_step, place, step, commands)
                    self.tell(PinDue(self.facts.card))
                else:
                    self._try_step(place, step, commands)
                return
        self.tell(CardOpen(self.facts.card))
        self._turn(Turn.PREPARED)

    def _try_step(self, place: int, step: Step, commands: tuple[str, ...]) -> None:
        def done(answer: Answer) -> None:
            if not answer.final or self.state is not State.PREPARING:
                return
            if not answer.ok and len(commands) > 1:
                self._try_step(place, step, commands[1:])
            else:
                self._finish_step(place, step, answer, commands[0])

        self.ask(commands[0], done)

    def _finish_step(self, place: int, step: Step, answer: Answer, command: str) -> None:
        if answer.ok:
            if step.read is not None:
                step.read(self.facts, answer.lines)
        elif step.is_pin:
            self.end(_PIN_REFUSED, self._now, blocked=True)
            return
        elif step.required:
            self.end(f"The modem refused {command.split('=', maxsplit=1)[0]}: {read_failure(answer.final).words}.", self._now)
            return
        blocked = step.blocks(self.settings, self.facts) if step.blocks is not None else ""
        if blocked:
            self.end(blocked, self._now, blocked=True)
        else:
            self._prepare(place + 1)

    def _register(self) -> None:
        trouble, self._trouble = self._trouble, ""
        if trouble:
            # The next segment would meet the same trouble at once.
            self.tell(Down(trouble))
            self._due = self._now + self.settings.command_timeout_s * _TROUBLE_SHARE
        else:
            self.tell(Down("The modem is not registered in the network yet."))
            self._check()

    def _check(self) -> None:
        """Ask how modem and network are doing, and look for what no indication told of."""
        for command, read in preparation.CHECKS:
            self.ask(command, partial(self._read_check, read))
        if self.state is State.READY:
            # A modem that missed an acknowledgement forgets whom to tell (trap G1).
            self.ask(preparation.indication_commands(self.settings)[0])
            self._inbox.sweep()
        self.ask("AT", self._checked)

    def _read_check(self, read: Callable[[Facts, Sequence[str]], None], answer: Answer) -> None:
        if answer.ok:
            read(self.facts, answer.lines)

    def _checked(self, answer: Answer) -> None:
        if not answer.ok:
            return
        self._report_facts()
        self.tell(Checked())
        if self.state is State.REGISTERING:
            if self.facts.registered:
                self._turn(Turn.REGISTERED)
            else:
                self.tell(Down(f"The modem is {self.facts.registration_words}."))
                self._due = self._now + self.settings.command_timeout_s * _REGISTRATION_SHARE
        elif self.state is State.READY:
            if self.facts.registered:
                self._due = self._now + self.settings.check_interval_s
            else:
                self._turn(Turn.UNREGISTERED)

    def _serve(self) -> None:
        self._rung = 0
        self.tell(Up())
        self._inbox.sweep()
        self._ask_balance()
        self._due = self._now + self.settings.check_interval_s

    def _care(self) -> None:
        self._ask_balance()
        self._check()

    def _ask_balance(self) -> None:
        if self.settings.balance_code and self._now >= self._balance_due:
            self._balance_due = self._now + self.settings.balance_interval_h * 3600
            # 15 is GSM 7-bit without a language. Source: 3GPP TS 23.038 §5.
            self.ask(f'AT+CUSD=1,"{self.settings.balance_code}",15')

    def _recover(self) -> None:
        """Take the next rung of the ladder."""
        if self._rung >= len(LADDER):
            self.end("The modem does not answer AT commands. Check cable, power and bit rate.", self._now)
            return
        rung = LADDER[self._rung]
        self._rung += 1
        self.tell(Down(f"The modem does not answer; {rung.words}."))

        def done(answer: Answer) -> None:
            if not answer.final:
                return
            if rung.restarts and answer.ok:
                self.end("The modem was restarted.", self._now)
            else:
                self._turn(Turn.ANSWERED)

        timeout_s = self.settings.command_timeout_s * rung.share
        self._dialogue.ask(Command(rung.command, done, timeout_s, escape=rung.escape), now=self._now)

    def _settle(self) -> None:
        self._due = self._now + self.settings.command_timeout_s * _SETTLING_SHARE

    def _settled(self) -> None:
        self._turn(Turn.SETTLED)

    def _report_facts(self) -> None:
        """Write a line where something changed that an operator wants to know; the connection's events are its history."""
        facts = self.facts
        signal = None if facts.signal_dbm is None else facts.signal_dbm // _SIGNAL_NEWS_DB
        news = (facts.imei, facts.imsi, facts.registration, facts.operator, signal, facts.nearly_full)
        if news != self._reported:
            self._reported = news
            self.tell(Note(facts.describe()))
            if facts.nearly_full:
                self.tell(Note("The storage of the modem is nearly full; messages that do not fit wait in the network."))

    # Sending.

    def _submitted(self, answer: Answer) -> None:
        submission, self._submission = self._submission, None
        assert submission is not None, "AT+CMGS runs only for a submission"
        reference = next((_reference(line) for line in answer.lines if line.startswith(SUBMITTED)), "")
        if not answer.written:
            self._not_written(submission, answer)
        elif answer.ok:
            self.tell(Answered(submission, Accepted(self._accept(submission, reference))))
        elif answer.final:
            self._refused(submission, read_failure(answer.final))
        else:
            self._doubt(submission, "The modem took the segment and gave no result.")

    def _not_written(self, submission: Submission, answer: Answer) -> None:
        """No prompt came: nothing left. An error may still speak about the message."""
        failure = read_failure(answer.final)
        if not answer.final or answer.ok or failure.fate is Fate.IN_DOUBT:
            self.tell(Failed(submission, LinkDown("The modem gave no prompt; nothing was sent.")))
            if answer.ok and self.state is State.READY:
                self._turn(Turn.SILENT)  # An OK of another command: we are out of step.
        else:
            self._refused(submission, failure)

    def _refused(self, submission: Submission, failure: Failure) -> None:
        if failure.fate is Fate.IN_DOUBT:
            self._doubt(submission, f"{failure.code}: {failure.words}.")
        elif failure.fate is Fate.UNTRIED:
            self._trouble = f"{failure.code}: {failure.words}. The segment went back to the queue."
            self.tell(Failed(submission, LinkDown(self._trouble)))
            if self.state is State.READY:
                self._turn(Turn.UNREGISTERED)
        else:
            self.tell(Answered(submission, _outcome(failure)))

    def _doubt(self, submission: Submission, reason: str) -> None:
        self._doubtful = submission
        self.tell(Failed(submission, OutcomeUnknown(reason)))

    def _accept(self, submission: Submission, reference: str) -> str:
        """Return the network id of an accepted segment, and remember it for its report."""
        if not reference.isdecimal():
            return ""
        return self._inbox.remember(int(reference), submission.destination, sent_at=self._utc())

    # What comes by itself.

    def _take_unsolicited(self, text: str, pdu: str) -> None:
        if text.startswith(SUBMITTED):
            self._take_late_answer(_reference(text))
        elif text.startswith("+CUSD:"):
            self.tell(Note(f"USSD: {ussd.read(text)}"))
        elif not self._inbox.take(text, pdu) and text.startswith("+PBREADY"):
            self.tell(Note("The modem has started anew."))

    def _take_late_answer(self, reference: str) -> None:
        if self._doubtful is None:
            return
        submission, self._doubtful = self._doubtful, None
        self.tell(Answered(submission, Accepted(self._accept(submission, reference))))


_PIN_REFUSED: Final = (
    "The SIM card refused the PIN, and it is not tried again: the third wrong one locks the card. Correct it in the connection."
)


def _reference(line: str) -> str:
    """Return <mr> of a +CMGS line."""
    return line.removeprefix(SUBMITTED).partition(",")[0].strip()


def _outcome(failure: Failure) -> Outcome:
    if failure.fate is Fate.THROTTLE:
        return Throttled(_THROTTLE_S, failure.code)
    return Rejected(failure.code, f"{failure.words[0].upper()}{failure.words[1:]}.", permanent=failure.fate is Fate.PERMANENT)


#: What a state begins with, and what it does when its time has come.
_ENTER: Final[dict[State, Callable[[Session], None]]] = {
    State.PREPARING: lambda session: session._prepare(),  # noqa: SLF001  # the table belongs to the class
    State.REGISTERING: Session._register,  # noqa: SLF001
    State.READY: Session._serve,  # noqa: SLF001
    State.RECOVERING: Session._recover,  # noqa: SLF001
    State.SETTLING: Session._settle,  # noqa: SLF001
}
_DUE: Final[dict[State, Callable[[Session], None]]] = {
    State.REGISTERING: Session._check,  # noqa: SLF001
    State.READY: Session._care,  # noqa: SLF001
    State.SETTLING: Session._settled,  # noqa: SLF001
}

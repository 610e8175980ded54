"""One command at a time: commands wait in a queue, answers find theirs, and what nobody asked for goes another way. No I/O."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pennywire_modem.lines import Kind, Prompt, Splitter, is_pdu, kind_of

#: Ends the PDU behind a prompt, and cancels it. Source: 3GPP TS 27.005 §3.5.1.
CTRL_Z: Final = b"\x1a"
ESCAPE: Final = b"\x1b"
#: The answer to a submission; where it comes too late, it still says that the network has the message.
SUBMITTED: Final = "+CMGS:"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command. `final` is its final result, empty where none came in time or the link broke.

    `written` says that a payload was handed over after its prompt.
    """

    final: str
    lines: tuple[str, ...] = ()
    written: bool = False

    @property
    def ok(self) -> bool:
        return self.final == "OK"


@dataclass(frozen=True, slots=True)
class Command:
    """A command and what to do with its answer. `payload` follows the prompt, and has a time limit of its own. Units: seconds."""

    text: str
    done: Callable[[Answer], None]
    timeout_s: float
    payload: str = ""
    payload_timeout_s: float = 0.0
    #: Sent before the command, to leave a prompt that may stand open.
    escape: bool = False


@dataclass(slots=True)
class _Running:
    command: Command
    deadline: float
    lines: list[str] = field(default_factory=list)
    written: bool = False


class Dialogue:
    """The dialogue with one modem. `unsolicited` gets a line and its PDU, or an empty one."""

    def __init__(self, unsolicited: Callable[[str, str], None]) -> None:
        self._unsolicited = unsolicited
        self._splitter = Splitter()
        self._waiting: deque[Command] = deque()
        self._running: _Running | None = None
        self._output: list[bytes] = []
        #: The header of a PDU that is still to come.
        self._header = ""

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return self._running is None and not self._waiting

    @property
    def deadline(self) -> float | None:
        """When the command that runs is given up."""
        return None if self._running is None else self._running.deadline

    def ask(self, *commands: Command, now: float) -> None:
        """Queue commands, and start the first of them if nothing runs."""
        self._waiting.extend(commands)
        self._start(now)

    def output(self) -> bytes:
        """Return what is to be written, once."""
        octets, self._output = b"".join(self._output), []
        return octets

    def receive(self, octets: bytes, now: float) -> None:
        """Take what the modem wrote."""
        for item in self._splitter.feed(octets):
            if isinstance(item, Prompt):
                self._write_payload(now)
            else:
                self._take(item.text, now)

    def expire(self, now: float) -> bool:
        """Give the running command up if its time is over; say whether it was."""
        if self._running is None or now < self._running.deadline:
            return False
        self.abandon()
        return True

    def abandon(self) -> None:
        """End the command that runs, and those that wait, without an answer."""
        running, self._running = self._running, None
        waiting, self._waiting = self._waiting, deque()
        self._splitter.prompt_due = False
        if running is not None:
            running.command.done(Answer("", tuple(running.lines), running.written))
        for command in waiting:
            command.done(Answer(""))

    def _start(self, now: float) -> None:
        if self._running is not None or not self._waiting:
            return
        command = self._waiting.popleft()
        self._running = _Running(command, now + command.timeout_s)
        self._splitter.prompt_due = bool(command.payload)
        if command.escape:
            self._output.append(ESCAPE + b"\r")
        self._output.append(command.text.encode("ascii") + b"\r")

    def _write_payload(self, now: float) -> None:
        running = self._running
        if running is None or not running.command.payload:
            return
        running.written = True
        running.deadline = now + running.command.payload_timeout_s
        self._output.append(running.command.payload.encode("ascii") + CTRL_Z)

    def _take(self, text: str, now: float) -> None:
        if self._header and is_pdu(text):
            header, self._header = self._header, ""
            self._unsolicited(header, text)
            return
        kind = kind_of(text)
        running = self._running
        if kind is Kind.UNSOLICITED_PDU:
            self._header = text
        elif kind is Kind.UNSOLICITED or (text.startswith(SUBMITTED) and (running is None or not running.command.payload)):
            self._unsolicited(text, "")
        elif running is None:
            return
        elif kind is Kind.FINAL:
            self._running = None
            self._splitter.prompt_due = False
            running.command.done(Answer(text, tuple(running.lines), running.written))
            self._start(now)
        elif text != running.command.text:
            running.lines.append(text)

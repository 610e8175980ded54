"""A scripted modem without I/O: octets in, octets out, with a SIM card, a storage and a network that answers as told.

Source: 3GPP TS 27.005 and 27.007, as far as real programs ask.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Final

from pennywire.sms import segments
from pennywire_modem import tpdu
from pennywire_modem.fields import MalformedTpdu
from pennywire_modem.script import Behaviour, ModemOptions, Submitted, shown_text
from pennywire_modem.tpdu import Deliver, StatusReport, Submit, UserData

_CTRL_Z: Final = 0x1A
_ESCAPE: Final = 0x1B
_BACKSPACE: Final = 0x08
#: So many wrong PINs lock a SIM card. Source: 3GPP TS 22.022 leaves it to the card; all have three.
_MOST_PINS: Final = 3
#: The value of +CNMI with which a TPDU is handed over.
_DIRECT: Final = {"CMT": 2, "CDS": 1}


class SimulatedModem:
    """One modem. `write` gets its octets, `unplug` cuts the line, `later` runs something after some seconds."""

    def __init__(
        self,
        options: ModemOptions,
        *,
        utc: Callable[[], datetime],
        write: Callable[[bytes], None],
        unplug: Callable[[], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.options = options
        self.submitted: list[Submitted] = []
        self.commands: list[str] = []
        self.pins_tried: list[str] = []
        #: Directly handed over and not acknowledged, while the program asked for that.
        self.unacknowledged: list[str] = []
        self.storage: dict[int, str] = {}
        self._unread: set[int] = set()
        self._wrong_pins = 0
        self._utc, self._write, self._unplug, self._later = utc, write, unplug, later
        self._reference = options.first_reference
        self._due: Behaviour | None = None
        self._restart()

    def _restart(self) -> None:
        self._echo = self.options.echo
        self._locked = bool(self.options.pin)
        self._verbose_errors = False
        self._acknowledges = False
        self._indications = (0, 0, 0, 0)
        self._charset = "GSM"
        self._rest = b""
        self._expected = -1

    def receive(self, octets: bytes) -> None:
        """Take what the program wrote."""
        for octet in octets:
            if self._expected >= 0:
                self._receive_pdu(octet)
            elif octet in b"\r\n":
                if self._echo:
                    self._write(self._rest + b"\r")
                line, self._rest = self._rest, b""
                if line.strip():
                    self._execute(line.decode("ascii", "replace").strip())
            elif octet == _BACKSPACE:
                self._rest = self._rest[:-1]
            elif octet not in (_ESCAPE, _CTRL_Z):
                self._rest += bytes((octet,))

    def deliver(self, text: str, *, source: str = "+36301112233", reference: int = 1) -> list[int]:
        """Let a message arrive from a handset, in as many segments as it takes; return their places in the storage, 0 for none."""
        places = []
        for segment in segments.split(text, reference=reference):
            user_data = UserData(segment.user_data, segment.alphabet, segment.udh)
            octets = tpdu.encode_deliver(Deliver(source, user_data, self._local()))
            places.append(self._arrive(octets, direct="CMT", stored="CMTI", indication=self._indications[1]))
        return places

    def report(self, octets: bytes) -> int:
        """Let an SMS-STATUS-REPORT arrive; return its place in the storage, or 0 where it has none."""
        return self._arrive(octets, direct="CDS", stored="CDSI", indication=self._indications[3])

    def say(self, text: str) -> None:
        """Write an unsolicited line."""
        self._write(f"\r\n{text}\r\n".encode())

    def _local(self) -> datetime:
        """Return the network's local time."""
        return self._utc().astimezone(timezone(timedelta(minutes=15 * self.options.zone_quarters)))

    def _arrive(self, octets: bytes, *, direct: str, stored: str, indication: int) -> int:
        """Hand a TPDU over, or store it, as +CNMI asks, and return its place, or 0. Source: 3GPP TS 27.005 §3.4.1."""
        pdu = tpdu.frame(octets, service_centre="+36309888000")
        if indication == _DIRECT[direct]:
            self._write(f"\r\n+{direct}: {',' if direct == 'CMT' else ''}{len(octets)}\r\n{pdu}\r\n".encode())
            if self._acknowledges:
                self.unacknowledged.append(pdu)
            return 0
        index = next((index for index in range(1, self.options.capacity + 1) if index not in self.storage), 0)
        if not index or not (indication or direct == "CMT"):
            return 0
        self.storage[index] = pdu
        self._unread.add(index)
        if indication:
            self.say(f'+{stored}: "SM",{index}')
        return index

    def _execute(self, line: str) -> None:
        self.commands.append(line)
        overriding = next((start for start in self.options.overrides if line.startswith(start)), None)
        if overriding is not None:
            lines = self.options.overrides[overriding]
            if lines is None:
                self._unplug()
            elif lines:
                self._answer(*lines[:-1], final=lines[-1])
            return
        command = line[2:] if line[:2].upper() == "AT" else None
        if command is None:
            self._answer(final="ERROR")
            return
        for pattern, handler in _COMMANDS:
            found = pattern.fullmatch(command)
            if found is not None:
                if self._locked and not _ALLOWED_WHILE_LOCKED.match(command):
                    self._fail("CME", 11)
                else:
                    handler(self, found)
                return
        self._fail("CME", 4)

    def _answer(self, *lines: str, final: str = "OK") -> None:
        written = [self.options.noise, *(f"\r\n{line}\r\n".encode() for line in lines)]
        if self.options.interjected:
            written.append(f"\r\n{self.options.interjected}\r\n".encode())
        self._write(b"".join([*written, f"\r\n{final}\r\n".encode()]))

    def _fail(self, kind: str, number: int) -> None:
        self._answer(final=f"+{kind} ERROR: {number}" if self._verbose_errors else "ERROR")

    # Sending.

    def start_submission(self, size_octets: int) -> None:
        """Take AT+CMGS=<length>."""
        self._rest, self._expected = b"", size_octets
        behaviours = self.options.behaviours.values()
        if any(not behaviour.prompt for behaviour in behaviours):
            self._expected = -1
            return
        self._write(b"\r\n> ")

    def _receive_pdu(self, octet: int) -> None:
        if octet == _ESCAPE:
            self._rest, self._expected = b"", -1
            self._answer()
        elif octet == _CTRL_Z:
            text, expected = self._rest.decode("ascii", "replace").strip(), self._expected
            self._rest, self._expected = b"", -1
            self._take_pdu(text, expected)
        else:
            self._rest += bytes((octet,))

    def _take_pdu(self, text: str, expected: int) -> None:
        try:
            octets = tpdu.unframe(text).tpdu
            submit = tpdu.decode_submit(octets)
        except MalformedTpdu:
            self._fail("CMS", 304)
            return
        if len(octets) != expected:
            self._fail("CMS", 304)
            return
        suffixes = [suffix for suffix in self.options.behaviours if submit.destination.endswith(suffix)]
        behaviour = self.options.behaviours[max(suffixes, key=len)] if suffixes else Behaviour()
        accepted = not behaviour.error and behaviour.answer and not behaviour.unplug
        reference = self._reference
        self.submitted.append(Submitted(submit, shown_text(submit), reference if accepted else None))
        if behaviour.unplug:
            self._unplug()
        elif behaviour.error:
            self._answer(final=behaviour.error)
        elif behaviour.answer:
            self._reference = (reference + 1) % 256
            self._answer(f"+CMGS: {reference}")
            if submit.report_requested and behaviour.status is not None:
                self._report_later(submit, reference, behaviour.status)

    def _report_later(self, submit: Submit, reference: int, status: int) -> None:
        sent_at = self._local()

        def report() -> None:
            self.report(tpdu.encode_status_report(StatusReport(reference, submit.destination, sent_at, self._local(), status)))

        self._later(self.options.report_delay_s, report)

    # Commands.

    def do_nothing(self, _found: re.Match[str]) -> None:
        self._answer()

    def reset(self, _found: re.Match[str]) -> None:
        self._answer()
        locked = self._locked
        self._restart()
        self._locked = locked

    def restart(self, _found: re.Match[str]) -> None:
        self._answer()
        self._restart()

    def set_echo(self, found: re.Match[str]) -> None:
        self._echo = found[1] != "0"
        self._answer()

    def set_errors(self, found: re.Match[str]) -> None:
        self._verbose_errors = found[1] != "0"
        self._answer()

    def ask_pin(self, _found: re.Match[str]) -> None:
        locked = "SIM PUK" if self._wrong_pins >= _MOST_PINS else "SIM PIN"
        self._answer(f"+CPIN: {locked if self._locked else 'READY'}")

    def take_pin(self, found: re.Match[str]) -> None:
        self.pins_tried.append(found[1])
        if self._wrong_pins >= _MOST_PINS:
            self._fail("CME", 12)
        elif found[1] == self.options.pin:
            self._locked, self._wrong_pins = False, 0
            self._answer()
        else:
            self._wrong_pins += 1
            self._fail("CME", 16)

    def set_indications(self, found: re.Match[str]) -> None:
        figures = [int(figure or 0) for figure in found[1].split(",")][:4]
        self._indications = tuple([*figures, 0, 0, 0, 0][:4])  # type: ignore[assignment]  # four by construction
        self._answer()

    def ask_indications(self, _found: re.Match[str]) -> None:
        self._answer(f"+CNMI: {','.join(map(str, self._indications))},0")

    def set_service(self, found: re.Match[str]) -> None:
        self._acknowledges = found[1] == "1"
        self._answer("+CSMS: 1,1,1")

    def acknowledge(self, _found: re.Match[str]) -> None:
        if not self.unacknowledged:
            self._fail("CMS", 340)
            return
        self.unacknowledged.pop(0)
        self._answer()

    def choose_storage(self, _found: re.Match[str]) -> None:
        filled = f"{len(self.storage)},{self.options.capacity}"
        self._answer(f"+CPMS: {filled},{filled},{filled}")

    def ask_storage(self, _found: re.Match[str]) -> None:
        filled = f'"SM",{len(self.storage)},{self.options.capacity}'
        self._answer(f"+CPMS: {filled},{filled},{filled}")

    def read_stored(self, found: re.Match[str]) -> None:
        index = int(found[1])
        if index not in self.storage:
            self._fail("CMS", 321)
            return
        pdu = self.storage[index]
        status = int(index not in self._unread)
        self._unread.discard(index)
        self._answer(f"+CMGR: {status},,{len(tpdu.unframe(pdu).tpdu)}", pdu)

    def list_stored(self, found: re.Match[str]) -> None:
        wanted = int(found[1] or 0)
        lines: list[str] = []
        for index, pdu in sorted(self.storage.items()):
            status = int(index not in self._unread)
            if wanted in (status, 4):
                lines += [f"+CMGL: {index},{status},,{len(tpdu.unframe(pdu).tpdu)}", pdu]
        if wanted in (0, 4):
            self._unread.clear()
        self._answer(*lines)

    def delete_stored(self, found: re.Match[str]) -> None:
        self.storage.pop(int(found[1]), None)
        self._answer()

    def ask_balance(self, _found: re.Match[str]) -> None:
        self._answer()
        self.say(f'+CUSD: 0,"{self.options.balance}",15')

    def set_charset(self, found: re.Match[str]) -> None:
        self._charset = found[1]
        self._answer()

    def ask_charset(self, _found: re.Match[str]) -> None:
        self._answer(f'+CSCS: "{self._charset}"')

    def tell(self, name: str) -> None:
        """Answer with one of the modem's options."""
        self._answer(str(getattr(self.options, name)))

    def ask_operator(self, _found: re.Match[str]) -> None:
        name = self.options.operator
        text = name.encode("utf-16-be").hex().upper() if self._charset == "UCS2" else name
        self._answer(f'+COPS: 0,0,"{text}"')

    def ask_service_centre(self, _found: re.Match[str]) -> None:
        number = "+36309888000"
        text = number.encode("utf-16-be").hex().upper() if self._charset == "UCS2" else number
        self._answer(f'+CSCA: "{text}",145')


def _fixed(*lines: str) -> Callable[[SimulatedModem, re.Match[str]], None]:
    return lambda modem, _found: modem._answer(*lines)  # noqa: SLF001  # the table belongs to the class


_ALLOWED_WHILE_LOCKED = re.compile(r"$|[EZ&]|\+CPIN|\+CCID|\+CMEE|\+CG|\+CFUN", re.IGNORECASE)
_TABLE: Final[dict[str, Callable[[SimulatedModem, re.Match[str]], None]]] = {
    r"": SimulatedModem.do_nothing,
    r"E([01]?)": SimulatedModem.set_echo,
    r"Z[0-9]?|&F[0-9]?": SimulatedModem.reset,
    r"\+CFUN=1,1": SimulatedModem.restart,
    r"\+CMEE=([012])": SimulatedModem.set_errors,
    r"\+CGMI": _fixed("Pennywire"),
    r"\+CGMM": _fixed("Simulated Modem"),
    r"\+CGMR": _fixed("1.0"),
    r"\+CGSN": lambda modem, _found: modem.tell("imei"),
    r"\+CCID": lambda modem, _found: modem._answer(f"+CCID: {modem.options.iccid}"),  # noqa: SLF001  # the table belongs to the class
    r"\+CIMI": lambda modem, _found: modem.tell("imsi"),
    r"\+CPIN\?": SimulatedModem.ask_pin,
    r'\+CPIN="?([0-9]+)"?': SimulatedModem.take_pin,
    r"\+CREG\?": lambda modem, _found: modem._answer(f"+CREG: 0,{modem.options.registration}"),  # noqa: SLF001
    r"\+CSQ": lambda modem, _found: modem._answer(f"+CSQ: {modem.options.signal},99"),  # noqa: SLF001
    r"\+COPS\?": SimulatedModem.ask_operator,
    r"\+CMGF=0": SimulatedModem.do_nothing,
    r"\+CMGF=\?": _fixed("+CMGF: (0)"),
    r"\+CMGF\?": _fixed("+CMGF: 0"),
    r"\+CSMS=([01])": SimulatedModem.set_service,
    r"\+CSMS\?": _fixed("+CSMS: 0,1,1,1"),
    r"\+CNMA(?:=0)?": SimulatedModem.acknowledge,
    r"\+CNMI=\?": _fixed("+CNMI: (0-2),(0-2),(0),(0-2),(0,1)"),
    r"\+CNMI=([0-9,]+)": SimulatedModem.set_indications,
    r"\+CNMI\?": SimulatedModem.ask_indications,
    r"\+CPMS=\?": _fixed('+CPMS: ("SM"),("SM"),("SM")'),
    r'\+CPMS="SM".*': SimulatedModem.choose_storage,
    r"\+CPMS\?": SimulatedModem.ask_storage,
    r"\+CSCA\?": SimulatedModem.ask_service_centre,
    r"\+CSCA=.*": SimulatedModem.do_nothing,
    r"\+CSCS=\?": _fixed('+CSCS: ("GSM","UCS2")'),
    r'\+CSCS="?(GSM|UCS2)"?': SimulatedModem.set_charset,
    r"\+CSCS\?": SimulatedModem.ask_charset,
    r"\+CMGS=([0-9]{1,3})": lambda modem, found: modem.start_submission(int(found[1])),
    r"\+CMGR=([0-9]{1,5})": SimulatedModem.read_stored,
    r"\+CMGL(?:=([0-4]))?": SimulatedModem.list_stored,
    r"\+CMGD=([0-9]{1,5})(?:,0)?": SimulatedModem.delete_stored,
    r'\+CUSD=1,"[0-9*#]+".*': SimulatedModem.ask_balance,
}
_COMMANDS: Final = tuple((re.compile(pattern, re.IGNORECASE), handler) for pattern, handler in _TABLE.items())

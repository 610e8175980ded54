"""What a modem receives: read it, hand it over, and only when it is stored let the modem forget it. No I/O."""

import re
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from pennywire import Incoming, Report
from pennywire_modem import messages, tpdu
from pennywire_modem.dialogue import Answer
from pennywire_modem.events import Event, Note, Received
from pennywire_modem.fields import MalformedTpdu
from pennywire_modem.lines import is_pdu
from pennywire_modem.preparation import Facts
from pennywire_modem.settings import ModemSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

_INDICATION = re.compile(r'\+C(?:MT|DS)I:\s*"?([A-Z]{2})"?\s*,\s*([0-9]{1,5})')
_LISTED = re.compile(r"\+CMGL:\s*([0-9]{1,5}),")
#: Of so many segments the ids are remembered for their reports.
_REMEMBERED: Final = 2_000


class _Owner(Protocol):
    """What an inbox needs of its session."""

    settings: ModemSettings
    facts: Facts

    def tell(self, event: Event) -> None: ...

    def ask(self, text: str, done: Callable[[Answer], None] = ...) -> None: ...


class Inbox:
    """The receiving side of one session."""

    def __init__(self, owner: _Owner) -> None:
        self._owner = owner
        self._handles = count(1)
        #: What to do when a handle is stored; and the places in the storage that are in somebody's hands.
        self._pending: dict[int, Callable[[], None]] = {}
        self._places: dict[int, tuple[str, int]] = {}
        self._held: set[tuple[str, int]] = set()
        self._ids: dict[tuple[int, str], str] = {}

    def remember(self, reference: int, destination: str, *, sent_at: datetime) -> str:
        """Return the network id of a segment, and keep it for its report. The last of one reference and destination counts."""
        network_id = messages.network_id(sim=self._owner.facts.imsi, reference=reference, destination=destination, sent_at=sent_at)
        self._ids.pop((reference, destination), None)
        self._ids[reference, destination] = network_id
        if len(self._ids) > _REMEMBERED:
            del self._ids[next(iter(self._ids))]
        return network_id

    def take(self, text: str, pdu: str) -> bool:
        """Take an unsolicited line; say whether it was about a message."""
        found = _INDICATION.match(text)
        if found is not None:
            self._fetch(found[1], int(found[2]))
            return True
        if not pdu:
            return False
        acknowledged = self._owner.settings.incoming == "direct"
        self._hand_over(pdu, self._acknowledge if acknowledged else lambda: None)
        return True

    def sweep(self) -> None:
        """Read everything that lies in the storage: what no indication told of, and what could not be stored before."""

        def done(answer: Answer) -> None:
            for index, pdu in _listed(answer.lines):
                self._hand_over_place(self._owner.settings.storage, index, pdu)

        # 4 lists all. Source: 3GPP TS 27.005 §3.4.2.
        if self._owner.settings.incoming != "off":
            self._owner.ask("AT+CMGL=4", done)

    def stored(self, handle: int) -> None:
        """Forget what a handle stands for, in the modem too."""
        self._pending.pop(handle)()

    def not_stored(self, handle: int) -> None:
        """Leave it where it is. What was not acknowledged is sent again by the network, what lies in the storage is read again."""
        del self._pending[handle]
        self._held.discard(self._places.pop(handle, ("", 0)))

    def _fetch(self, memory: str, index: int) -> None:
        def done(answer: Answer) -> None:
            pdu = next((line for line in answer.lines if is_pdu(line)), "")
            if pdu:
                self._hand_over_place(memory, index, pdu)

        self._in_memory(memory, f"AT+CMGR={index}", done)

    def _in_memory(self, memory: str, command: str, done: Callable[[Answer], None] = lambda _answer: None) -> None:
        """Ask about a storage that may not be the chosen one: reports often lie in one of their own."""
        chosen = self._owner.settings.storage
        if memory != chosen:
            self._owner.ask(f'AT+CPMS="{memory}"')
        self._owner.ask(command, done)
        if memory != chosen:
            self._owner.ask(f'AT+CPMS="{chosen}"')

    def _hand_over_place(self, memory: str, index: int, pdu: str) -> None:
        place = (memory, index)
        if place in self._held:
            return
        self._held.add(place)

        def forget() -> None:
            self._in_memory(memory, f"AT+CMGD={index}", lambda _answer: self._held.discard(place))

        self._hand_over(pdu, forget, place)

    def _hand_over(self, pdu: str, then: Callable[[], None], place: tuple[str, int] | None = None) -> None:
        try:
            value = self._read(pdu)
        except MalformedTpdu as error:
            # It would come again for ever, and nobody could read it.
            self._owner.tell(Note(f"The modem handed over a PDU that cannot be read: {error} It was deleted."))
            then()
            return
        handle = next(self._handles)
        self._pending[handle] = then
        if place is not None:
            self._places[handle] = place
        self._owner.tell(Received(handle, value))

    def _read(self, pdu: str) -> Report | Incoming:
        read = tpdu.decode_incoming(tpdu.unframe(pdu).tpdu)
        if isinstance(read, tpdu.Deliver):
            return messages.read_deliver(read, destination=self._owner.settings.own_number, raw=pdu)
        known_id = self._ids.get((read.reference, read.destination), "")
        return messages.read_report(read, sim=self._owner.facts.imsi, known_id=known_id, raw=pdu)

    def _acknowledge(self) -> None:
        self._owner.ask("AT+CNMA")


def _listed(lines: "Sequence[str]") -> list[tuple[int, str]]:
    """Return index and PDU of each listed message. A line between header and PDU is none of them."""
    found: list[tuple[int, str]] = []
    index: int | None = None
    for line in lines:
        listed = _LISTED.match(line)
        if listed is not None:
            index = int(listed[1])
        elif index is not None and is_pdu(line):
            found.append((index, line))
            index = None
    return found

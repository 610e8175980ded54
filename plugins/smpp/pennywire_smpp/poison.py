"""PDUs that cannot be read: refused for good, kept as they came, and each kept once."""

from collections import deque
from typing import Final, NamedTuple

from pennywire import CannotStore, Link, Report, ReportState
from pennywire_smpp.pdu import HEADER_OCTETS

#: So many of a bind are known again.
REMEMBERED: Final = 100


class Poison(NamedTuple):
    """A message for an ESME that could not be read; `frame` is the PDU as it came."""

    words: str
    frame: bytes


class PoisonKeeper:
    """Keeps what a bind could not read; once, though an SMSC that ignores our answer brings it again and again."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: deque[bytes] = deque(maxlen=REMEMBERED)

    async def keep(self, poison: Poison) -> None:
        """Hand a PDU over as a report that meets nothing: most that SMSCs spoil are receipts, and the operator finds it among these."""
        content = poison.frame[HEADER_OCTETS:]
        if content in self._known:
            return
        self._known.append(content)
        try:
            await self._link.report(Report((), ReportState.UNKNOWN, raw=f"{poison.words} {poison.frame.hex()}"))
        except CannotStore:
            self._known.remove(content)
            self._link.log("What could not be read could not be kept either.")

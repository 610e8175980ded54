"""A live trace of a bind: each PDU in a line, with what is private masked. Off unless the operator switches it on."""

from collections.abc import Callable
from typing import Final

from pennywire_smpp.fields import CodecError
from pennywire_smpp.framing import FrameReader
from pennywire_smpp.pdu import RESPONSE_BIT, MalformedBody, Pdu, UnknownCommand, command_name, decode, read_header
from pennywire_smpp.statuses import find_status
from pennywire_smpp.tlvs import tag_name

#: Addresses keep so many characters at their beginning: enough to see country and network.
_SHOWN_CHARACTERS: Final = 4
_SECRET: Final = frozenset({"password"})
_ADDRESSES: Final = frozenset({"source_addr", "destination_addr", "esme_addr"})


class Tracer:
    """Writes what passes on one connection. Both directions are cut into PDUs anew, so that nothing of the session is disturbed."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._sent = FrameReader()
        self._received = FrameReader()

    def sent(self, octets: bytes) -> None:
        """Take octets that were written."""
        self._trace("→", self._sent, octets)

    def received(self, octets: bytes) -> None:
        """Take octets that came."""
        self._trace("←", self._received, octets)

    def _trace(self, arrow: str, reader: FrameReader, octets: bytes) -> None:
        try:
            for frame in reader.feed(octets):
                self._write(f"{arrow} {describe_frame(frame)}")
        except CodecError as error:
            self._write(f"{arrow} {error}")


def describe_frame(frame: bytes) -> str:
    """Return a PDU in one line. Passwords, texts and the ends of addresses are masked; optional parameters show their sizes."""
    try:
        pdu = decode(frame)
    except (UnknownCommand, MalformedBody) as error:
        return f"unreadable, {len(frame)} octets, sequence_number {read_header(frame).sequence_number}. {error}"
    words = [command_name(pdu.command_id), f"sequence_number={pdu.sequence_number}"]
    if pdu.command_id & RESPONSE_BIT or pdu.command_status:
        words.append(f"command_status={find_status(pdu.command_status).name}(0x{pdu.command_status:08X})")
    return " ".join([*words, *_describe_fields(pdu), *(f"{tag_name(tag)}[{len(value)} octets]" for tag, value in pdu.tlvs)])


def _describe_fields(pdu: Pdu) -> list[str]:
    return [f"{name}={_masked(name, value)}" for name, value in pdu.body._asdict().items() if value not in ("", 0, b"", ())]


def _masked(name: str, value: object) -> str:
    if name in _SECRET:
        return "****"
    if name in _ADDRESSES:
        text = str(value)
        return text[:_SHOWN_CHARACTERS] + "*" * max(0, len(text) - _SHOWN_CHARACTERS)
    if isinstance(value, bytes):
        return f"[{len(value)} octets]"
    return f"[{len(value)} entries]" if isinstance(value, tuple) else str(value)

"""Frames out of a stream of octets. Source: SMPP v3.4 §3.2."""

from collections.abc import Iterator

from pennywire_smpp.fields import CodecError
from pennywire_smpp.pdu import HEADER_OCTETS

#: Larger PDUs are refused before they are buffered. message_payload may carry 64 KiB in theory; no SMSC sends that, while an
#: HTTP banner on the port reads as a PDU of 1.2 GB.
MAX_FRAME_OCTETS = 0x10000
_LENGTH_OCTETS = 4


class FramingError(CodecError):
    """command_length is impossible: the place of the next PDU is unknown and the connection must be closed."""


class FrameReader:
    """Cut a stream into frames, whatever the sizes of its chunks. Holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield every frame that is complete now.

        Raises: FramingError behind the frames that came before the impossible one.
        """
        if self._rest:
            self._rest += chunk
            if len(self._rest) < self._missing():
                return
            chunk = bytes(self._rest)
            self._rest.clear()
        position, size = 0, len(chunk)
        while size - position >= _LENGTH_OCTETS:
            stop = position + _frame_length(chunk, position)
            if stop > size:
                break
            yield chunk[position:stop]
            position = stop
        self._rest += chunk[position:]

    @property
    def pending_octets(self) -> int:
        """Size of the unfinished frame so far."""
        return len(self._rest)

    def _missing(self) -> int:
        return _frame_length(self._rest, 0) if len(self._rest) >= _LENGTH_OCTETS else _LENGTH_OCTETS


def _frame_length(octets: bytes | bytearray, position: int) -> int:
    length = int.from_bytes(octets[position : position + _LENGTH_OCTETS], "big")
    if not HEADER_OCTETS <= length <= MAX_FRAME_OCTETS:
        raise FramingError(f"command_length {length} is not between {HEADER_OCTETS} and {MAX_FRAME_OCTETS}.")
    return length

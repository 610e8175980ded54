"""Message types of the legacy dialect, and what they ask of the pipe."""

import re
from dataclasses import dataclass

from app.refusals import RequestRefused
from pennywire import Alphabet

_TYPE = re.compile(r"SMS:(?:TEXT(?::(?P<alphabet>GSM7BIT|UCS2))?(?::CLASS(?P<message_class>[0-3]))?|(?P<binary>BINARY))", re.IGNORECASE)
_ALPHABETS: dict[str | None, Alphabet | None] = {None: None, "GSM7BIT": Alphabet.GSM7, "UCS2": Alphabet.UCS2}
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")

SUPPORTED = "SMS:TEXT, SMS:TEXT:GSM7BIT, SMS:TEXT:UCS2 (each also with :CLASS0 to :CLASS3) and SMS:BINARY"


@dataclass(frozen=True, slots=True)
class MessageType:
    """How `messagedata` is to be read. An alphabet of None is the smallest that fits."""

    alphabet: Alphabet | None = None
    message_class: int | None = None
    binary: bool = False


PLAIN = MessageType()


def read(name: str) -> MessageType:
    """Return the type of that name; without one, text. Raises: RequestRefused."""
    if not name or name == "SMS:TEXT":
        return PLAIN
    match = _TYPE.fullmatch(name.strip())
    if match is None:
        raise RequestRefused(
            "unsupported_message_type", f"The message type {name[:40]!r} is not supported. Supported: {SUPPORTED}.", "messagetype"
        )
    alphabet, message_class = match["alphabet"], match["message_class"]
    return MessageType(
        _ALPHABETS[alphabet.upper() if alphabet else None], int(message_class) if message_class else None, match["binary"] is not None
    )


def data(text: str) -> bytes:
    """Return the octets of a binary message. Shape: pairs of hex digits. Raises: RequestRefused."""
    if not _HEX.fullmatch(text):
        raise RequestRefused(
            "invalid_text",
            "The data of a binary message must be pairs of hex digits, such as 48656C6C6F. Check its length and signs.",
            "messagedata",
        )
    return bytes.fromhex(text)


def name_of(alphabet: str) -> str:
    """Return the type under which a received message is shown."""
    return "SMS:BINARY" if alphabet == Alphabet.BINARY else "SMS:TEXT"

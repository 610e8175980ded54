"""The text of incoming user data. Decoding never raises: what cannot be read becomes U+FFFD, and the octets are kept elsewhere."""

from collections.abc import Callable
from typing import Final

from pennywire.sms import gsm0338
from pennywire.values import Alphabet

REPLACEMENT: Final = "\ufffd"
_BIG_ENDIAN_MARK: Final = b"\xfe\xff"
_LITTLE_ENDIAN_MARK: Final = b"\xff\xfe"


def decode(user_data: bytes, alphabet: Alphabet, *, locking_shift: int = 0, single_shift: int = 0) -> str:
    """Decode the joined payload of a message; never raises.

    Shape: `user_data` as in `Submission`, without header. Join segments before: a peer may have cut a pair.
    The shifts are national language identifiers and concern GSM 7-bit only. Binary has no text and gives an empty one.
    """
    if alphabet is Alphabet.GSM7:
        return gsm0338.decode(user_data, locking=locking_shift, single=single_shift)
    return _DECODERS[alphabet](user_data)


def _decode_ucs2(user_data: bytes) -> str:
    """Decode UTF-16BE. The standard has no byte-order mark; handsets and SMSCs send one nevertheless, of either kind."""
    if user_data.startswith(_LITTLE_ENDIAN_MARK):
        return user_data[2:].decode("utf-16-le", "replace")
    return user_data.removeprefix(_BIG_ENDIAN_MARK).decode("utf-16-be", "replace")


def _decode_latin1(user_data: bytes) -> str:
    return user_data.decode("latin-1")


def _decode_binary(_: bytes) -> str:
    return ""


_DECODERS: Final[dict[Alphabet, Callable[[bytes], str]]] = {
    Alphabet.UCS2: _decode_ucs2,
    Alphabet.LATIN1: _decode_latin1,
    Alphabet.BINARY: _decode_binary,
}

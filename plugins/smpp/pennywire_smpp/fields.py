"""How single fields of a PDU are written and read: the steps from which every body's codec is compiled.

A body (see `bodies`) declares its fields in wire order as annotated types; `compile_steps` turns them into steps. Neighbouring
integers become one `struct` call, which is where most of the speed comes from. Source: SMPP v3.4 §3.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error
from typing import Annotated, Any, NamedTuple, Protocol, get_type_hints


class CodecError(ValueError):
    """Something on the wire, or on its way there, is not SMPP."""


class FieldError(CodecError):
    """A value of ours does not fit its field; nothing was sent."""


class TruncatedBody(CodecError):
    """The body ends before its mandatory fields do."""


NUL = b"\x00"

#: Largest short_message that may be sent; longer texts go into message_payload. Source: SMPP v3.4 §5.2.22.
MAX_SHORT_MESSAGE_OCTETS = 254
#: Most destinations of one submit_multi. Source: SMPP v3.4 §4.5.1.
MAX_DESTINATIONS = 254
#: dest_flag values. Source: SMPP v3.4 §5.2.25.
SME_ADDRESS = 1
DISTRIBUTION_LIST = 2


class Step(Protocol):
    """One stretch of a body. `read` appends what it found to `values` and returns the position behind it."""

    def read(self, frame: bytes, position: int, values: list[Any]) -> int:
        """Raises: TruncatedBody when the frame ends too early."""
        ...

    def write(self, body: Sequence[Any], chunks: list[bytes]) -> None:
        """Raises: FieldError when the value does not fit."""
        ...


@dataclass(frozen=True, slots=True)
class Integer:
    """An unsigned integer. Units: octets."""

    size_octets: int = 1


@dataclass(frozen=True, slots=True)
class CString:
    """A C-octet string; `limit_octets` counts its final NUL, as the tables of the specification do."""

    limit_octets: int


@dataclass(frozen=True, slots=True)
class CountedOctets:
    """An octet string behind an octet with its length: sm_length and short_message. NUL is an ordinary octet in it."""

    limit_octets: int = MAX_SHORT_MESSAGE_OCTETS


@dataclass(frozen=True, slots=True)
class Destinations:
    """number_of_dests and the dest_address list of submit_multi. Source: SMPP v3.4 §4.5.1.1."""


@dataclass(frozen=True, slots=True)
class UnsuccessfulDeliveries:
    """no_unsuccess and the unsuccess_sme list of submit_multi_resp. Source: SMPP v3.4 §4.5.2.1."""


Octet = Annotated[int, Integer(1)]


class Destination(NamedTuple):
    """One destination of submit_multi: an address, or the name of a distribution list (then `ton` and `npi` are 0)."""

    flag: int
    address: str
    ton: int = 0
    npi: int = 0


class Unsuccessful(NamedTuple):
    """One destination of submit_multi that was refused, with its command_status."""

    ton: int
    npi: int
    address: str
    status: int


class _IntegersStep:
    """Neighbouring integers, packed in one call."""

    __slots__ = ("_pack", "_size", "_start", "_stop", "_unpack_from")

    def __init__(self, start: int, sizes: Sequence[int]) -> None:
        layout = Struct(">" + "".join({1: "B", 2: "H", 4: "L"}[size] for size in sizes))
        self._start, self._stop, self._size = start, start + len(sizes), layout.size
        self._pack, self._unpack_from = layout.pack, layout.unpack_from

    def read(self, frame: bytes, position: int, values: list[Any]) -> int:
        if position + self._size > len(frame):
            raise TruncatedBody("The body ends inside its fixed fields.")
        values += self._unpack_from(frame, position)
        return position + self._size

    def write(self, body: Sequence[Any], chunks: list[bytes]) -> None:
        try:
            chunks.append(self._pack(*body[self._start : self._stop]))
        except struct_error as error:
            raise FieldError(f"A number does not fit its field: {error}.") from error


class _CStringStep:
    """One C-octet string."""

    __slots__ = ("_index", "_limit")

    def __init__(self, index: int, kind: CString) -> None:
        self._index, self._limit = index, kind.limit_octets

    def read(self, frame: bytes, position: int, values: list[Any]) -> int:
        text, position = read_c_string(frame, position)
        values.append(text)
        return position

    def write(self, body: Sequence[Any], chunks: list[bytes]) -> None:
        text = body[self._index]
        chunks.append(write_c_string(text, self._limit) if text else NUL)


class _CountedOctetsStep:
    """One octet string behind its length."""

    __slots__ = ("_index", "_limit")

    def __init__(self, index: int, kind: CountedOctets) -> None:
        self._index, self._limit = index, kind.limit_octets

    def read(self, frame: bytes, position: int, values: list[Any]) -> int:
        if position >= len(frame):
            raise TruncatedBody("The body ends before sm_length.")
        stop = position + 1 + frame[position]
        if stop > len(frame):
            raise TruncatedBody("sm_length points behind the end of the PDU.")
        values.append(frame[position + 1 : stop])
        return stop

    def write(self, body: Sequence[Any], chunks: list[bytes]) -> None:
        octets = body[self._index]
        if len(octets) > self._limit:
            raise FieldError(f"short_message has {len(octets)} octets; {self._limit} fit. Send it in message_payload.")
        chunks += (bytes((len(octets),)), octets)


class _DestinationsStep:
    """The destinations of submit_multi. At most 255 can be counted, so the loop is bounded."""

    __slots__ = ("_index",)

    def __init__(self, index: int, kind: Destinations) -> None:
        del kind
        self._index = index

    def read(self, frame: bytes, position: int, values: list[Any]) -> int:
        count, position = _read_octets(frame, position, 1)
        found = []
        for _ in range(count[0]):
            (flag,), position = _read_octets(frame, position, 1)
            ton = npi = 0
            if flag == SME_ADDRESS:
                (ton, npi), position = _read_octets(frame, position, 2)
            address, position = read_c_string(frame, position)
            found.append(Destination(flag, address, ton, npi))
        values.append(tuple(found))
        return position

    def write(self, body: Sequence[Any], chunks: list[bytes]) -> None:
        destinations: Sequence[Destination] = body[self._index]
        if not 1 <= len(destinations) <= MAX_DESTINATIONS:
            raise FieldError(f"submit_multi has {len(destinations)} destinations; 1 to {MAX_DESTINATIONS} are allowed.")
        chunks.append(bytes((len(destinations),)))
        for destination in destinations:
            numbering = (destination.ton, destination.npi) if destination.flag == SME_ADDRESS else ()
            chunks += (bytes((destination.flag, *numbering)), write_c_string(destination.address, 21))


class _UnsuccessfulStep:
    """The refused destinations in submit_multi_resp."""

    __slots__ = ("_index",)

    def __init__(self, index: int, kind: UnsuccessfulDeliveries) -> None:
        del kind
        self._index = index

    def read(self, frame: bytes, position: int, values: list[Any]) -> int:
        count, position = _read_octets(frame, position, 1)
        found = []
        for _ in range(count[0]):
            (ton, npi), position = _read_octets(frame, position, 2)
            address, position = read_c_string(frame, position)
            status, position = _read_octets(frame, position, 4)
            found.append(Unsuccessful(ton, npi, address, int.from_bytes(status, "big")))
        values.append(tuple(found))
        return position

    def write(self, body: Sequence[Any], chunks: list[bytes]) -> None:
        refused: Sequence[Unsuccessful] = body[self._index]
        if len(refused) > MAX_DESTINATIONS:
            raise FieldError(f"submit_multi_resp names {len(refused)} destinations; at most {MAX_DESTINATIONS} are allowed.")
        chunks.append(bytes((len(refused),)))
        for one in refused:
            chunks += (bytes((one.ton, one.npi)), write_c_string(one.address, 21), one.status.to_bytes(4, "big"))


_STEPS: dict[type, Any] = {
    CString: _CStringStep,
    CountedOctets: _CountedOctetsStep,
    Destinations: _DestinationsStep,
    UnsuccessfulDeliveries: _UnsuccessfulStep,
}


def read_c_string(frame: bytes, position: int) -> tuple[str, int]:
    """Return the C-octet string at `position`, read as Latin-1 so that no octet is lost, and the position behind it.

    Longer strings than the specification allows are taken as they are. Raises: TruncatedBody without a final NUL.
    """
    stop = frame.find(NUL, position)
    if stop < 0:
        raise TruncatedBody("The body ends before or inside one of its strings.")
    return frame[position:stop].decode("latin-1"), stop + 1


def write_c_string(text: str, limit_octets: int) -> bytes:
    """Return `text` with its final NUL. Raises: FieldError for a NUL inside, other than Latin-1, or too long a text."""
    if len(text) >= limit_octets:
        raise FieldError(f"A string has {len(text)} characters; {limit_octets - 1} fit its field.")
    if "\x00" in text:
        raise FieldError("A string contains a NUL, which would end it early and shift the fields behind it.")
    try:
        return text.encode("latin-1") + NUL
    except UnicodeEncodeError as error:
        raise FieldError("A string contains characters beyond Latin-1, which SMPP cannot carry.") from error


def _read_octets(frame: bytes, position: int, count: int) -> tuple[bytes, int]:
    stop = position + count
    if stop > len(frame):
        raise TruncatedBody("The body ends inside a list.")
    return frame[position:stop], stop


def compile_steps(body: type) -> tuple[Step, ...]:
    """Return the steps of a body class, in wire order, from the annotations of its fields."""
    steps: list[Step] = []
    sizes: list[int] = []
    index = 0
    for index, hint in enumerate(get_type_hints(body, include_extras=True).values()):
        kind = hint.__metadata__[0]
        if isinstance(kind, Integer):
            sizes.append(kind.size_octets)
            continue
        if sizes:
            steps.append(_IntegersStep(index - len(sizes), sizes))
            sizes = []
        steps.append(_STEPS[type(kind)](index, kind))
    if sizes:
        steps.append(_IntegersStep(index + 1 - len(sizes), sizes))
    return tuple(steps)

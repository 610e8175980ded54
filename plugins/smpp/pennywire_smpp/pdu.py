"""The codec: whole frames to PDUs and back, without I/O.

Strict where the frame is concerned: everything is read inside the frame that command_length cut out. Tolerant where values are
concerned: reserved TON and NPI, over-long ids and unknown optional parameters pass unchanged, since operators use all of them.
Source: SMPP v3.4 §3 to §5.
"""

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from pennywire_smpp.bodies import (
    AlertNotification,
    Bind,
    BindResp,
    Body,
    CancelSm,
    DataMessage,
    Empty,
    MessageResp,
    Outbind,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ShortMessage,
    SubmitMulti,
    SubmitMultiResp,
)
from pennywire_smpp.fields import CodecError, FieldError, Step, TruncatedBody, compile_steps

HEADER_OCTETS = 16
#: Bit 31 of command_id marks a response. Source: SMPP v3.4 §5.1.2.
RESPONSE_BIT = 0x80000000
MAX_SEQUENCE_NUMBER = 0x7FFFFFFF
MAX_TLV_OCTETS = 0xFFFF


class Command(IntEnum):
    """command_id of every PDU. Source: SMPP v3.4 §5.1.2.1."""

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x00000001
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER = 0x00000002
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM = 0x00000003
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM = 0x00000004
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM = 0x00000005
    DELIVER_SM_RESP = 0x80000005
    UNBIND = 0x00000006
    UNBIND_RESP = 0x80000006
    REPLACE_SM = 0x00000007
    REPLACE_SM_RESP = 0x80000007
    CANCEL_SM = 0x00000008
    CANCEL_SM_RESP = 0x80000008
    BIND_TRANSCEIVER = 0x00000009
    BIND_TRANSCEIVER_RESP = 0x80000009
    OUTBIND = 0x0000000B
    ENQUIRE_LINK = 0x00000015
    ENQUIRE_LINK_RESP = 0x80000015
    SUBMIT_MULTI = 0x00000021
    SUBMIT_MULTI_RESP = 0x80000021
    ALERT_NOTIFICATION = 0x00000102
    DATA_SM = 0x00000103
    DATA_SM_RESP = 0x80000103


BODIES: dict[int, type[Body]] = {
    Command.GENERIC_NACK: Empty,
    Command.BIND_RECEIVER: Bind,
    Command.BIND_RECEIVER_RESP: BindResp,
    Command.BIND_TRANSMITTER: Bind,
    Command.BIND_TRANSMITTER_RESP: BindResp,
    Command.QUERY_SM: QuerySm,
    Command.QUERY_SM_RESP: QuerySmResp,
    Command.SUBMIT_SM: ShortMessage,
    Command.SUBMIT_SM_RESP: MessageResp,
    Command.DELIVER_SM: ShortMessage,
    Command.DELIVER_SM_RESP: MessageResp,
    Command.UNBIND: Empty,
    Command.UNBIND_RESP: Empty,
    Command.REPLACE_SM: ReplaceSm,
    Command.REPLACE_SM_RESP: Empty,
    Command.CANCEL_SM: CancelSm,
    Command.CANCEL_SM_RESP: Empty,
    Command.BIND_TRANSCEIVER: Bind,
    Command.BIND_TRANSCEIVER_RESP: BindResp,
    Command.OUTBIND: Outbind,
    Command.ENQUIRE_LINK: Empty,
    Command.ENQUIRE_LINK_RESP: Empty,
    Command.SUBMIT_MULTI: SubmitMulti,
    Command.SUBMIT_MULTI_RESP: SubmitMultiResp,
    Command.ALERT_NOTIFICATION: AlertNotification,
    Command.DATA_SM: DataMessage,
    Command.DATA_SM_RESP: MessageResp,
}

#: An optional parameter: its tag and its octets, exactly as on the wire. Source: SMPP v3.4 §3.2.4.1.
Tlv = tuple[int, bytes]


class Header(NamedTuple):
    """The sixteen octets in front of every body. Source: SMPP v3.4 §3.2."""

    command_length: int
    command_id: int
    command_status: int
    sequence_number: int


class Pdu(NamedTuple):
    """One PDU. `tlvs` keeps order, repeats and unknown tags; `trailing` are octets behind a response that mean nothing."""

    command_id: int
    sequence_number: int
    body: Body = Empty()
    command_status: int = 0
    tlvs: tuple[Tlv, ...] = ()
    trailing: bytes = b""

    def tlv(self, tag: int) -> bytes | None:
        """Return the octets of the first optional parameter with `tag`, or None."""
        for found, value in self.tlvs:
            if found == tag:
                return value
        return None


class UnknownCommand(CodecError):
    """The frame is sound and its command_id is not one of SMPP v3.4: answer it with generic_nack."""

    def __init__(self, header: Header) -> None:
        super().__init__(f"command_id 0x{header.command_id:08X} is unknown.")
        self.header = header


class MalformedBody(CodecError):
    """The frame is sound and its body is not (a poison PDU): answer it with an error status and keep the bind."""

    def __init__(self, header: Header, reason: str, *, in_tlvs: bool = False) -> None:
        super().__init__(f"{command_name(header.command_id)}: {reason}")
        self.header = header
        self.in_tlvs = in_tlvs


_HEADER = Struct(">LLLL")
_TLV = Struct(">HH")
_STEPS: dict[int, tuple[Step, ...]] = {command: compile_steps(body) for command, body in BODIES.items()}
_ABSENT: dict[int, Body] = {command: body() for command, body in BODIES.items()}


def command_name(command_id: int) -> str:
    """Return the specification's name of a command: `submit_sm`."""
    try:
        return Command(command_id).name.lower()
    except ValueError:
        return f"command 0x{command_id:08X}"


def encode(command_id: int, sequence_number: int, body: Body | None = None, *, command_status: int = 0, tlvs: Iterable[Tlv] = ()) -> bytes:
    """Return the frame of a PDU. A body of None is left out, as in a response that reports an error.

    Raises: FieldError when a value does not fit its field.
    """
    chunks = [b""]
    if body is not None:
        assert type(body) is BODIES[command_id], f"{command_name(command_id)} has another body"
        for step in _STEPS[command_id]:
            step.write(body, chunks)
    for tag, value in tlvs:
        if len(value) > MAX_TLV_OCTETS:
            raise FieldError(f"The optional parameter 0x{tag:04X} has {len(value)} octets; {MAX_TLV_OCTETS} fit.")
        chunks += (_TLV.pack(tag, len(value)), value)
    octets = b"".join(chunks)
    return _HEADER.pack(HEADER_OCTETS + len(octets), command_id, command_status, sequence_number) + octets


def decode(frame: bytes) -> Pdu:
    """Return the PDU in a frame that `FrameReader` cut out.

    A response may lack its body or the end of it, and may carry octets that mean nothing: what it says about our request is worth
    more than its form. A request may not, because its text could have been cut.
    Raises: UnknownCommand, MalformedBody.
    """
    _, command_id, command_status, sequence_number = _HEADER.unpack_from(frame)
    steps = _STEPS.get(command_id)
    if steps is None:
        raise UnknownCommand(read_header(frame))
    if not steps:
        tlvs, position = read_tlvs(frame, HEADER_OCTETS)
        return Pdu(command_id, sequence_number, _ABSENT[command_id], command_status, tlvs, frame[position:])
    if command_id & RESPONSE_BIT:
        return _decode_response(frame, command_id, command_status, sequence_number)
    values: list[object] = []
    position = HEADER_OCTETS
    try:
        for step in steps:
            position = step.read(frame, position, values)
    except TruncatedBody as error:
        raise MalformedBody(read_header(frame), str(error)) from error
    body = BODIES[command_id]._make(values)
    if position == len(frame):
        return Pdu(command_id, sequence_number, body, command_status)
    tlvs, position = read_tlvs(frame, position)
    if position != len(frame):
        raise MalformedBody(read_header(frame), "An optional parameter points behind the end of the PDU.", in_tlvs=True)
    return Pdu(command_id, sequence_number, body, command_status, tlvs)


def _decode_response(frame: bytes, command_id: int, command_status: int, sequence_number: int) -> Pdu:
    if len(frame) == HEADER_OCTETS:
        return Pdu(command_id, sequence_number, _ABSENT[command_id], command_status)
    values: list[object] = []
    position = HEADER_OCTETS
    try:
        for step in _STEPS[command_id]:
            position = step.read(frame, position, values)
    except TruncatedBody:
        absent = _ABSENT[command_id]
        if len(frame) > position and isinstance(absent[len(values)], str):
            # Several SMSCs leave out the NUL behind their last string, the message_id.
            values.append(frame[position:].decode("latin-1"))
            position = len(frame)
        body = BODIES[command_id]._make([*values, *absent[len(values) :]])
        return Pdu(command_id, sequence_number, body, command_status, trailing=frame[position:])
    body = BODIES[command_id]._make(values)
    if position == len(frame):
        return Pdu(command_id, sequence_number, body, command_status)
    tlvs, position = read_tlvs(frame, position)
    return Pdu(command_id, sequence_number, body, command_status, tlvs, frame[position:])


def read_header(frame: bytes) -> Header:
    """Return the header of a frame."""
    return Header._make(_HEADER.unpack_from(frame))


def read_tlvs(frame: bytes, position: int) -> tuple[tuple[Tlv, ...], int]:
    """Return the optional parameters from `position` on, and where the sound ones end: the frame's end if all are sound."""
    size = len(frame)
    tlvs: list[Tlv] = []
    while size - position >= _TLV.size:
        tag, length = _TLV.unpack_from(frame, position)
        stop = position + _TLV.size + length
        if stop > size:
            break
        tlvs.append((tag, frame[position + _TLV.size : stop]))
        position = stop
    return tuple(tlvs), position

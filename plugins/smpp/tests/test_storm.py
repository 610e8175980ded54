"""What a peer may throw at a session: 120 malformed frames one by one, 50,000 mutated ones at once. Trap S10."""

import asyncio
import tracemalloc
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from pennywire_smpp.bodies import Bind, BindResp, Destination, ShortMessage, SubmitMulti
from pennywire_smpp.framing import FrameReader
from pennywire_smpp.pdu import BODIES, Command, command_name, decode, encode
from pennywire_smpp.session import Request, Session
from pennywire_smpp.states import UNANSWERED, Role, State

from pennywire import Accepted
from pennywire.testing import make_submissions

_MADE = {**BODIES, Command.SUBMIT_MULTI: lambda: SubmitMulti(destinations=(Destination(1, "1"),))}
SOUND = {command_name(command): encode(command, number, make()) for number, (command, make) in enumerate(_MADE.items(), start=50)}
MESSAGE = encode(Command.DELIVER_SM, 90, ShortMessage(source_addr="361", destination_addr="99", short_message=b"hello"))
SM_LENGTH_AT = len(MESSAGE) - 6


def with_length(frame: bytes) -> bytes:
    """Return a frame whose command_length is right again."""
    return len(frame).to_bytes(4) + frame[4:]


def with_octet(frame: bytes, place: int, octet: int) -> bytes:
    return frame[:place] + bytes((octet,)) + frame[place + 1 :]


#: Frames whose command_length is sound: nothing of them may cost the connection, an unbind apart.
WHOLE = {
    **{f"{name}-cut": with_length(frame[: (16 + len(frame)) // 2]) for name, frame in SOUND.items()},
    **{f"{name}-tail": with_length(frame + b"\xff\xff\xff") for name, frame in SOUND.items()},
    **{f"{name}-tlv": with_length(frame + b"\x14\x01\xff\xffab") for name, frame in SOUND.items()},
    **{f"unknown-{number:08x}": with_length(b"\0\0\0\0" + number.to_bytes(4) + bytes(8)) for number in (0, 10, *range(0x200, 0x20E))},
    **{f"sm_length-{octet}": with_octet(MESSAGE, SM_LENGTH_AT, octet) for octet in (0, 1, 4, 6, 7, 140, 254, 255)},
}
#: Frames behind which nobody knows where the next one begins.
BROKEN = {
    f"length-{length}": length.to_bytes(4) + bytes(12) for length in (0, 1, 4, 8, 12, 14, 15, 0x10001, 0x10101, 0x1000000, 2**31, 2**32 - 1)
}
BROKEN |= {"http": b"HTTP/1.1 200 OK\r\n\r\n", "ssh": b"SSH-2.0-OpenSSH_9\r\n", "tls": bytes.fromhex("16030100a5010000a10303") + bytes(9)}
MALFORMED = WHOLE | BROKEN


def bound(role: Role) -> Session:
    """Return a bound session in a role."""
    esme, smsc = Session(Role.ESME, now=0), Session(Role.SMSC, now=0)
    esme.request(Command.BIND_TRANSCEIVER, Bind("me"), now=0)
    (request,) = smsc.receive(esme.take_output(), 0)
    assert isinstance(request, Request)
    smsc.respond(request.pdu, BindResp("SMSC"), now=0)
    esme.receive(smsc.take_output(), 0)
    return esme if role is Role.ESME else smsc


def test_there_are_120_malformed_frames() -> None:
    assert len(MALFORMED) == 120


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", MALFORMED)
def test_s10_a_malformed_frame_is_answered_or_ends_the_connection(name: str, role: Role) -> None:
    """The session either still answers what follows, or is closed and takes nothing more."""
    session = bound(role)

    events = session.receive(MALFORMED[name] + encode(Command.ENQUIRE_LINK, 7), 0)
    answers = [(pdu.command_id, pdu.sequence_number) for pdu in map(decode, FrameReader().feed(session.take_output()))]

    leaves = name in BROKEN or name.startswith("unbind-")
    assert session.state is (State.CLOSED if leaves else State.BOUND_TRX)
    assert ((Command.ENQUIRE_LINK_RESP, 7) in answers) is not leaves
    assert len(events) <= 1


@pytest.mark.full
def test_s10_fifty_thousand_mutated_frames_neither_crash_nor_loop_nor_fill_memory() -> None:
    """A seeded storm on both roles; a session that closed is replaced, as a connection would be. Memory stays within 20 MB."""
    random = Random(20261123)
    frames = [*SOUND.values(), MESSAGE]
    sessions = {role: bound(role) for role in Role}
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(50_000):
        octets = bytearray(random.choice(frames))
        for _ in range(random.randrange(1, 6)):
            octets[random.randrange(len(octets))] = random.randrange(256)
        session = sessions[random.choice(list(Role))]
        for event in session.receive(bytes(octets), 1):
            if isinstance(event, Request) and event.pdu.command_id not in UNANSWERED:
                session.respond(event.pdu, command_status=8, now=1)
        session.take_output()
        session.take_events()
        if session.state is State.CLOSED:
            sessions[session.role] = bound(session.role)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak - before < 20_000_000


def test_s10_a_storm_on_one_link_leaves_another_unharmed(serve: Any) -> None:
    """Both run in one loop. The one under fire stays bound: every frame is answered or ignored."""

    async def scenario() -> None:
        async with serve() as harried, serve() as calm:
            calm.link.feed(replace(make_submissions()[0], attempt_id=number) for number in range(100))
            for name, frame in WHOLE.items():
                if not name.startswith("unbind-"):
                    harried.smsc.say(frame)
            harried.link.feed(make_submissions())
            await asyncio.gather(calm.link.until(lambda link: len(link.answers) == 100), harried.link.until(lambda link: link.answers))

            assert all(isinstance(outcome, Accepted) for outcome in [*calm.link.outcomes, *harried.link.outcomes])
            assert harried.link.states == calm.link.states == [True]

    asyncio.run(scenario())

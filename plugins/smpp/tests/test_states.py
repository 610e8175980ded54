"""What may be said in which state, and a storm of frames that say nothing right."""

import tracemalloc
from random import Random

import pytest
from pennywire_smpp.bodies import Bind, BindResp, Destination, SubmitMulti
from pennywire_smpp.framing import FrameReader
from pennywire_smpp.pdu import BODIES, Command, Pdu, command_name, decode, encode
from pennywire_smpp.session import Request, Session, SessionError
from pennywire_smpp.states import MAY_ISSUE, UNANSWERED, Role, State


def sent_by(session: Session) -> list[Pdu]:
    """Return what the session has to say, decoded."""
    return [decode(frame) for frame in FrameReader().feed(session.take_output())]


def pair() -> tuple[Session, Session]:
    """Return a bound ESME and SMSC."""
    esme, smsc = Session(Role.ESME, now=0), Session(Role.SMSC, now=0)
    esme.request(Command.BIND_TRANSCEIVER, Bind("me"), now=0)
    (request,) = smsc.receive(esme.take_output(), 0)
    assert isinstance(request, Request)
    smsc.respond(request.pdu, BindResp("SMSC"), now=0)
    esme.receive(smsc.take_output(), 0)
    return esme, smsc


def test_s10_mutated_frames_neither_crash_nor_loop_nor_fill_memory() -> None:
    """A seeded storm on both roles; a session that closed is replaced, as a connection would be."""
    random = Random(20261123)
    frames = [encode(command, number, make()) for number, (command, make) in enumerate(_BODIES.items(), start=1)]
    sessions = list(pair())
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(10_000):
        octets = bytearray(random.choice(frames))
        for _ in range(random.randrange(1, 5)):
            octets[random.randrange(len(octets))] = random.randrange(256)
        session = random.choice(sessions)
        for event in session.receive(bytes(octets), 1):
            if isinstance(event, Request) and event.pdu.command_id not in UNANSWERED:
                session.respond(event.pdu, command_status=8, now=1)
        session.take_output()
        session.take_events()
        if session.state is State.CLOSED:
            sessions = list(pair())
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert after - before < 1_000_000


_BODIES = {**BODIES, Command.SUBMIT_MULTI: lambda: SubmitMulti(destinations=(Destination(1, "1"),))}
FORBIDDEN = [
    (role, state, command)
    for role, table in MAY_ISSUE.items()
    for state, allowed in table.items()
    for command in Command
    if not command & 0x80000000 and command not in allowed
]


@pytest.mark.parametrize(("role", "state", "command"), FORBIDDEN, ids=[f"{r}-{s}-{command_name(c)}" for r, s, c in FORBIDDEN])
def test_what_the_state_forbids_is_neither_sent_nor_taken(role: Role, state: State, command: Command) -> None:
    ours = Session(role, now=0)
    theirs = Session(Role.SMSC if role is Role.ESME else Role.ESME, now=0)
    ours.state = theirs.state = state
    frame = encode(command, 9, _BODIES[command]())

    with pytest.raises(SessionError):
        ours.request(command, decode(frame).body, now=0)
    events = theirs.receive(frame, 0)

    assert not any(isinstance(event, Request) for event in events)
    assert theirs.state is state
    answers = [(pdu.command_id, pdu.command_status) for pdu in sent_by(theirs)]
    if command in (Command.OUTBIND, Command.ALERT_NOTIFICATION):
        assert answers == []
    else:
        assert answers == [(command | 0x80000000, 0x05 if "BIND_" in command.name and theirs.bound else 0x04)]

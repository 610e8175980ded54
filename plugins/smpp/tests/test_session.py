"""Two sessions talk in memory; no socket and no clock but a number."""

from collections.abc import Iterable

import pytest
from pennywire_smpp.bodies import Bind, BindResp, Empty, MessageResp, ShortMessage
from pennywire_smpp.framing import FrameReader
from pennywire_smpp.pdu import Command, Pdu, decode, encode
from pennywire_smpp.poison import Poison
from pennywire_smpp.session import MAX_LATE, Closing, Event, Note, Request, Response, Session, Timeout
from pennywire_smpp.states import Role, State

SMS = ShortMessage(destination_addr="361", short_message=b"hi")


def words(events: Iterable[Event]) -> str:
    """Return the notes and reasons among the events."""
    told = [event for event in events if isinstance(event, Note | Poison | Closing)]
    return " ".join(event.reason if isinstance(event, Closing) else event.words for event in told)


def sent_by(session: Session) -> list[Pdu]:
    """Return what the session has to say, decoded."""
    return [decode(frame) for frame in FrameReader().feed(session.take_output())]


def pair(bind: Command = Command.BIND_TRANSCEIVER, *, window: int = 10) -> tuple[Session, Session]:
    """Return a bound ESME and SMSC; timers: 30 s for answers, 60 s for enquire_link."""
    esme = Session(Role.ESME, now=0, window=window, enquire_link_interval_s=60)
    smsc = Session(Role.SMSC, now=0, window=window, enquire_link_interval_s=0)
    esme.request(bind, Bind("me"), now=0)
    (request,) = smsc.receive(esme.take_output(), 0)
    assert isinstance(request, Request)
    smsc.respond(request.pdu, BindResp("SMSC"), now=0)
    (answer,) = esme.receive(smsc.take_output(), 0)
    assert isinstance(answer, Response)
    return esme, smsc


@pytest.mark.parametrize(
    ("bind", "state"),
    [
        (Command.BIND_TRANSMITTER, State.BOUND_TX),
        (Command.BIND_RECEIVER, State.BOUND_RX),
        (Command.BIND_TRANSCEIVER, State.BOUND_TRX),
    ],
)
def test_a_bind_turns_both_ends(bind: Command, state: State) -> None:
    esme, smsc = pair(bind)

    assert (esme.state, smsc.state) == (state, state)
    assert esme.bound


def test_s6_a_refused_bind_leaves_the_session_open() -> None:
    esme = Session(Role.ESME, now=0)
    smsc = Session(Role.SMSC, now=0)
    esme.request(Command.BIND_TRANSCEIVER, Bind("me", "wrong"), now=0)
    (request,) = smsc.receive(esme.take_output(), 0)
    assert isinstance(request, Request)
    smsc.respond(request.pdu, command_status=0x0E, now=0)

    events = esme.receive(smsc.take_output(), 0)

    assert [event.pdu.command_status for event in events if isinstance(event, Response)] == [0x0E]
    assert (esme.state, smsc.state) == (State.OPEN, State.OPEN)


def test_a_generic_nack_refuses_a_bind() -> None:
    esme = Session(Role.ESME, now=0)
    number = esme.request(Command.BIND_TRANSCEIVER, Bind("me"), now=0)

    esme.receive(encode(Command.GENERIC_NACK, number), 0)

    assert esme.state is State.OPEN


def test_a_message_and_its_answer() -> None:
    esme, smsc = pair()
    esme.request(Command.SUBMIT_SM, SMS, now=1, token="mine")
    (request,) = smsc.receive(esme.take_output(), 1)
    assert isinstance(request, Request)
    assert request.pdu.body == SMS
    assert decode(request.frame) == request.pdu
    smsc.respond(request.pdu, MessageResp("id1"), now=1)

    (answer,) = esme.receive(smsc.take_output(), 2)

    assert answer == Response("mine", Pdu(Command.SUBMIT_SM_RESP, request.pdu.sequence_number, MessageResp("id1")), late=False)
    assert (esme.in_flight, esme.room) == (0, 10)


def test_s2_the_window_counts_messages_and_not_the_sessions_own_requests() -> None:
    esme, _ = pair(window=2)
    esme.request(Command.ENQUIRE_LINK, Empty(), now=0)
    esme.request(Command.SUBMIT_SM, SMS, now=0, token=1)

    assert (esme.in_flight, esme.room) == (1, 1)


def test_s3_no_answer_is_a_timeout_and_a_late_answer_still_counts() -> None:
    esme, smsc = pair()
    esme.request(Command.SUBMIT_SM, SMS, now=0, token="mine")
    (request,) = smsc.receive(esme.take_output(), 0)
    assert isinstance(request, Request)

    assert esme.tick(29.9) == []
    assert esme.tick(esme.deadline()) == [Timeout("mine")]
    assert esme.in_flight == 0
    smsc.respond(request.pdu, MessageResp("id1"), now=40)
    (answer,) = esme.receive(smsc.take_output(), 40)
    assert isinstance(answer, Response)
    assert (answer.token, answer.late) == ("mine", True)
    assert "ignored" in words(esme.receive(encode(Command.SUBMIT_SM_RESP, request.pdu.sequence_number, MessageResp("id1")), 41))


def test_late_answers_are_remembered_up_to_a_bound() -> None:
    esme, _ = pair(window=MAX_LATE + 10)
    first = esme.request(Command.SUBMIT_SM, SMS, now=0, token=0)
    for token in range(1, MAX_LATE + 1):
        esme.request(Command.SUBMIT_SM, SMS, now=0, token=token)
    esme.tick(30)

    assert "ignored" in words(esme.receive(encode(Command.SUBMIT_SM_RESP, first, MessageResp("x")), 31))
    (answer,) = esme.receive(encode(Command.SUBMIT_SM_RESP, first + 1, MessageResp("y")), 31)
    assert isinstance(answer, Response)
    assert answer.token == 1


@pytest.mark.parametrize("command", [Command.SUBMIT_SM_RESP, Command.GENERIC_NACK, Command.BIND_TRANSCEIVER_RESP])
def test_s4_an_answer_to_an_unknown_sequence_number_is_noted_and_ignored(command: Command) -> None:
    esme, _ = pair()

    events = esme.receive(encode(command, 4711), 1)

    assert "answers no request" in words(events)
    assert (esme.state, esme.take_output()) == (State.BOUND_TRX, b"")


def test_an_answer_of_the_wrong_kind_is_ignored() -> None:
    esme, _ = pair()
    number = esme.request(Command.SUBMIT_SM, SMS, now=0, token="mine")

    events = esme.receive(encode(Command.DATA_SM_RESP, number, MessageResp("x")), 1)

    assert "cannot answer" in words(events)
    assert esme.in_flight == 1


def test_a_generic_nack_answers_the_request_it_names() -> None:
    esme, _ = pair()
    number = esme.request(Command.SUBMIT_SM, SMS, now=0, token="mine")

    (answer,) = esme.receive(encode(Command.GENERIC_NACK, number, command_status=2), 1)

    assert isinstance(answer, Response)
    assert (answer.token, answer.pdu.command_status) == ("mine", 2)


def test_s5_enquire_link_is_answered_in_any_state_and_by_nobody_else() -> None:
    smsc = Session(Role.SMSC, now=0)

    assert smsc.receive(encode(Command.ENQUIRE_LINK, 77), 0) == []
    assert [(pdu.command_id, pdu.sequence_number) for pdu in sent_by(smsc)] == [(Command.ENQUIRE_LINK_RESP, 77)]


def test_s5_a_quiet_link_is_asked_and_its_answer_keeps_it() -> None:
    esme, smsc = pair()
    assert esme.deadline() == 60
    assert esme.tick(60) == []
    smsc.receive(esme.take_output(), 60)

    assert esme.receive(smsc.take_output(), 61) == []
    assert esme.deadline() == 120


def test_s5_a_link_that_only_hears_is_asked_too() -> None:
    """The SMSC's idle limit looks at what we send."""
    esme, smsc = pair()
    smsc.request(Command.ENQUIRE_LINK, Empty(), now=59)
    esme.receive(smsc.take_output(), 59)
    esme.take_output()

    esme.tick(119)

    assert [pdu.command_id for pdu in sent_by(esme)] == [Command.ENQUIRE_LINK]


def test_s7_a_link_that_stays_silent_is_dead() -> None:
    esme, _ = pair()
    esme.request(Command.SUBMIT_SM, SMS, now=40, token="mine")
    esme.tick(60)
    esme.take_output()
    esme.tick(70)

    events = esme.tick(100)

    assert "dead" in words(events)
    assert esme.state is State.CLOSED


def test_s7_a_peer_that_answers_other_things_is_alive() -> None:
    esme, smsc = pair()
    esme.tick(60)
    smsc.request(Command.DELIVER_SM, SMS, now=70, token=1)
    (request,) = esme.receive(smsc.take_output(), 70)
    assert isinstance(request, Request)

    events = esme.tick(90)

    assert "did not answer enquire_link" in words(events)
    assert esme.bound


def test_messages_in_flight_are_told_apart_when_the_connection_breaks() -> None:
    esme, _ = pair()
    esme.request(Command.SUBMIT_SM, SMS, now=0, token="written")
    esme.take_output()
    esme.request(Command.SUBMIT_SM, SMS, now=0, token="kept")
    esme.request(Command.ENQUIRE_LINK, Empty(), now=0)

    lost = esme.end()

    assert lost == (["kept"], ["written"])
    assert esme.end() == ([], [])


@pytest.mark.parametrize(
    ("octets", "answer", "status"),
    [
        (encode(Command.UNBIND, 5)[:4] + b"\0\0\x02\0" + encode(Command.UNBIND, 5)[8:], Command.GENERIC_NACK, 0x03),
        ((20).to_bytes(4, "big") + encode(Command.DELIVER_SM, 5)[4:] + b"\0\0\0\0", Command.DELIVER_SM_RESP, 0x65),
        ((18).to_bytes(4, "big") + encode(Command.QUERY_SM, 5)[4:] + b"ab", Command.QUERY_SM_RESP, 0x02),
    ],
)
def test_s10_a_pdu_that_cannot_be_read_is_refused_and_the_bind_kept(octets: bytes, answer: Command, status: int) -> None:
    """Otherwise the SMSC sends the same PDU again, for days."""
    esme, smsc = pair()

    events = esme.receive(octets, 1)

    assert words(events)
    assert [(pdu.command_id, pdu.command_status, pdu.sequence_number) for pdu in sent_by(esme)] == [(answer, status, 5)]
    assert esme.bound
    smsc.request(Command.DELIVER_SM, SMS, now=2, token=1)
    assert len(esme.receive(smsc.take_output(), 2)) == 1


def test_s10_an_unknown_response_is_not_answered() -> None:
    esme, _ = pair()

    esme.receive(encode(Command.UNBIND_RESP, 5)[:4] + b"\x80\0\x02\0" + encode(Command.UNBIND, 5)[8:], 1)

    assert esme.take_output() == b""


def test_s10_a_stream_that_is_not_smpp_ends_the_session() -> None:
    esme, smsc = pair()
    smsc.request(Command.DELIVER_SM, SMS, now=1, token=1)

    request, closing = esme.receive(smsc.take_output() + b"HTTP/1.1 400 Bad Request\r\n", 1)

    assert isinstance(request, Request)
    assert isinstance(closing, Closing)
    assert not closing.clean
    assert [pdu.command_id for pdu in sent_by(esme)] == [Command.GENERIC_NACK]
    assert esme.state is State.CLOSED


def test_s10_the_peer_unbinds_and_is_answered() -> None:
    esme, smsc = pair()
    smsc.request(Command.UNBIND, Empty(), now=1)

    assert esme.receive(smsc.take_output(), 1) == [Closing("The peer unbound.", clean=True)]
    assert smsc.receive(esme.take_output(), 1)[-1] == Closing("We unbound.", clean=True)


def test_s10_requests_before_an_unbind_are_answered_before_it() -> None:
    """They may wait for a disk; what is not answered would come again."""
    esme, smsc = pair()
    smsc.request(Command.DELIVER_SM, SMS, now=1, token=1)
    smsc.request(Command.DELIVER_SM, SMS, now=1, token=2)
    smsc.request(Command.UNBIND, Empty(), now=1)
    first, second = esme.receive(smsc.take_output(), 1)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert not esme.bound

    esme.respond(second.pdu, now=2)
    assert (esme.take_events(), esme.state) == ([], State.UNBINDING)
    esme.respond(first.pdu, command_status=8, now=3)

    assert esme.take_events() == [Closing("The peer unbound.", clean=True)]
    assert [pdu.command_id for pdu in sent_by(esme)] == [Command.DELIVER_SM_RESP, Command.DELIVER_SM_RESP, Command.UNBIND_RESP]
    assert esme.state is State.CLOSED


def test_unbinding_still_takes_answers() -> None:
    esme, smsc = pair()
    esme.request(Command.SUBMIT_SM, SMS, now=0, token="mine")
    esme.request(Command.UNBIND, Empty(), now=0)
    (request,) = smsc.receive(esme.take_output(), 0)
    assert isinstance(request, Request)

    (answer,) = esme.receive(encode(Command.SUBMIT_SM_RESP, request.pdu.sequence_number, MessageResp("id")), 1)

    assert isinstance(answer, Response)
    assert answer.token == "mine"


def test_an_unbind_without_answer_closes() -> None:
    esme, _ = pair()
    esme.request(Command.UNBIND, Empty(), now=0)

    assert "did not answer unbind" in words(esme.tick(30))


def test_an_answer_to_a_closed_session_is_dropped() -> None:
    esme, smsc = pair()
    smsc.request(Command.DELIVER_SM, SMS, now=1, token=1)
    (request,) = esme.receive(smsc.take_output(), 1)
    assert isinstance(request, Request)
    esme.end()

    esme.respond(request.pdu, MessageResp(), now=2)

    assert esme.take_output() == b""


def test_an_smsc_waits_for_a_bind_only_so_long() -> None:
    smsc = Session(Role.SMSC, now=0, init_timeout_s=5)

    assert smsc.deadline() == 5
    assert "No bind" in words(smsc.tick(5))


def test_sequence_numbers_wrap() -> None:
    esme = Session(Role.ESME, now=0, first_sequence_number=0x7FFFFFFF)

    assert esme.request(Command.ENQUIRE_LINK, Empty(), now=0) == 0x7FFFFFFF
    assert esme.request(Command.ENQUIRE_LINK, Empty(), now=0) == 1


def test_sequence_numbers_that_wait_for_an_answer_are_not_used_again() -> None:
    esme, _ = pair()
    waiting = esme.request(Command.SUBMIT_SM, SMS, now=0, token=1)
    late = esme.request(Command.SUBMIT_SM, SMS, now=0, token=2)
    esme.tick(30)
    esme._next_sequence = waiting  # noqa: SLF001  # Two thousand million requests would take a while.

    assert esme.request(Command.SUBMIT_SM, SMS, now=31, token=3) == late + 1

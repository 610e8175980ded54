"""The legacy HTTP API: sessions, lines of answers, several recipients, doubts settled by our own id."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pennywire_clickatell.calls import MOST_OCTETS, Answer
from pennywire_clickatell.legacy import read_sent

from pennywire import Accepted, Alphabet, LinkDown, OutcomeUnknown, Rejected, Submission, Throttled
from pennywire.testing import FakeLink, make_submissions

ANN, BEN = "+2799900001", "+2799900002"
ID = "205e85d0578314037a96175249fc6a2b"


def one(destination: str = ANN, text: str = "Hello", *, attempt_id: int = 1) -> Submission:
    return make_submissions(text, destination=destination, first_attempt_id=attempt_id, whole=True)[0]


ANSWERS = [
    pytest.param(f"ID: {ID}", Accepted(ID), id="accepted"),
    pytest.param(f"ID: {ID}\r\n", Accepted(ID), id="with a line end"),
    pytest.param("ERR: 105, Invalid Destination Address", Rejected("105", "Clickatell: the destination is invalid."), id="refused"),
    pytest.param("ERR: 114, Cannot route message", Rejected("114", "Clickatell: the message cannot be routed.", permanent=False), id="114"),
    pytest.param("ERR: 999, New", Rejected("999", "Clickatell: an error that is not documented.", permanent=False), id="unknown"),
    pytest.param("ERR: 901, Internal error", Throttled, id="901"),
    pytest.param("ERR: 301, No Credit Left", LinkDown, id="no credit"),
    pytest.param("ERR: 130, Maximum MT limit exceeded until 1218008129", LinkDown, id="limit"),
    pytest.param("", OutcomeUnknown, id="empty"),
    pytest.param("<html>ID: 7</html>", OutcomeUnknown, id="web page"),
    pytest.param("ID: " + "a" * 65, OutcomeUnknown, id="id too long"),
    pytest.param("ID:", OutcomeUnknown, id="truncated"),
]


@pytest.mark.parametrize(("text", "expected"), ANSWERS)
def test_an_answer_has_its_outcome(text: str, expected: Any) -> None:
    (verdict,) = read_sent(Answer(200, text), [one()])

    assert isinstance(verdict, expected) if isinstance(expected, type) else verdict == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(f"ID: {ID}", Accepted), ("ERR: 901, Internal error", Throttled), ("Service Unavailable", OutcomeUnknown), ("", OutcomeUnknown)],
    ids=["with an id", "with an error", "a page", "empty"],
)
def test_a_5xx_is_read_by_its_lines_and_without_them_it_is_a_doubt(text: str, expected: type) -> None:
    (verdict,) = read_sent(Answer(503, text), [one()])

    assert isinstance(verdict, expected)


def test_each_recipient_has_its_line() -> None:
    text = "ID: aa To: 2799900002\nERR: 128, Number delisted To: 2799900001"

    verdicts = read_sent(Answer(200, text), [one(ANN), one(BEN, attempt_id=2), one("+2799900003", attempt_id=3)])

    assert verdicts[:2] == [Rejected("128", "Clickatell: the number is delisted."), Accepted("aa")]
    assert isinstance(verdicts[2], OutcomeUnknown)


def test_it_signs_in_once_for_several_messages(legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed([one(), one(BEN, attempt_id=2)])
        await link.until(lambda link: len(link.answers) == 2)
        assert operator.sign_ins == 1
        assert set(operator.targets) == {"/http/auth", "/http/sendmsg"}

    link = legacy(scenario)

    assert [type(outcome) for outcome in link.outcomes] == [Accepted, Accepted]
    assert link.lines == ["balance: 7.500 credits"]


def test_a_session_that_has_ended_is_renewed_and_the_message_sent_once(legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        await link.until(lambda link: link.is_up)
        operator.sessions.clear()
        link.feed([one()])
        await link.until(lambda link: link.answers)
        assert operator.sign_ins == 2
        assert len(operator.forms) == 1

    legacy(scenario)


def test_a_wrong_password_keeps_the_link_down(legacy: Callable[..., FakeLink]) -> None:
    async def scenario(_operator: Any, link: FakeLink) -> None:
        link.feed([one()])
        await link.until(lambda link: link.states)

    link = legacy(scenario, password="wrong-one")

    assert link.states[0] == "Clickatell does not let us sign in: authentication failed (error 001)."
    assert len(link.waiting) == 1


def test_messages_with_one_text_share_a_call_where_it_is_allowed(legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        operator.refused["2799900002"] = 121
        link.feed([one(), one(BEN, attempt_id=2), one("+2799900003", "Other", attempt_id=3)])
        await link.until(lambda link: len(link.answers) == 3)
        assert sorted(form["to"] for form in operator.forms) == ["2799900001,2799900002", "2799900003"]

    link = legacy(scenario, messages_per_call=10)

    outcomes = {answer.submission.attempt_id: type(answer.outcome) for answer in link.answers}
    assert outcomes == {1: Accepted, 2: Rejected, 3: Accepted}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Grüße", {"text": "Grüße"}),
        ("x" * 161, {"text": "x" * 161, "concat": "2"}),
        ("5 €", {"text": "0035002020ac", "unicode": "1"}),
        ("Привет", {"text": "041f0440043804320435" + "0442", "unicode": "1"}),
    ],
    ids=["Latin-1", "two segments", "outside Latin-1", "Unicode"],
)
def test_a_text_goes_as_the_api_reads_it(text: str, expected: dict[str, str], legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed([one(text=text)])
        await link.until(lambda link: link.answers)
        form = operator.forms[0]
        assert {name: form[name] for name in ("text", "unicode", "concat") if name in form} == expected

    legacy(scenario)


def test_flash_validity_source_and_reports_are_asked_for(legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed([replace(one(), message_class=0, expires_at=datetime.now(UTC) + timedelta(days=9))])
        await link.until(lambda link: link.answers)
        (form,) = operator.forms
        asked = {name: form.get(name) for name in ("msg_type", "validity", "from", "deliv_ack", "callback", "cliMsgId")}
        assert asked == {
            "msg_type": "SMS_FLASH",
            "validity": "1440",
            "from": "Pennywire",
            "deliv_ack": "1",
            "callback": "7",
            "cliMsgId": "1",
        }

    legacy(scenario)


def test_a_binary_message_of_one_segment_goes_and_a_longer_one_is_refused(legacy: Callable[..., FakeLink]) -> None:
    binary = replace(one(), alphabet=Alphabet.BINARY, text="", udh=b"\x05\x00\x03\x01\x02\x01", user_data=b"\x01\xff")

    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed([binary, replace(binary, attempt_id=2, user_data=b"x" * 135)])
        await link.until(lambda link: len(link.answers) == 2)
        assert [(form["data"], form["udh"]) for form in operator.forms] == [("01ff", "050003010201")]

    link = legacy(scenario)

    assert {answer.submission.attempt_id: type(answer.outcome) for answer in link.answers} == {1: Accepted, 2: Rejected}


async def _cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _torn(request: web.Request) -> web.StreamResponse:
    """Promise more octets than come."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(f"ID: {ID}".encode())
    return await _cut(request)


async def _huge(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"ID: 7\n" * (MOST_OCTETS // 6 + 1))


async def _page(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


@pytest.mark.parametrize("answer", [_torn, _huge, _page], ids=["torn", "huge", "web page"])
def test_what_is_no_answer_is_a_doubt_that_one_question_settles(answer: Any, legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        operator.script.append(answer)
        operator.queries["1"] = f"ID: {ID} Status: 002"
        link.feed([one()])
        await link.until(lambda link: link.answers)
        assert operator.targets.count("/http/sendmsg") == 1

    link = legacy(scenario)

    assert [type(failure.error) for failure in link.failures] == [OutcomeUnknown]
    assert link.outcomes == [Accepted(ID)]


def test_a_doubt_is_settled_by_our_own_id(legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        operator.script.append(_cut)
        operator.queries["1"] = f"ID: {ID} Status: 003"
        link.feed([one()])
        await link.until(lambda link: link.answers)

    link = legacy(scenario)

    assert [type(failure.error) for failure in link.failures] == [OutcomeUnknown]
    assert link.outcomes == [Accepted(ID)]


def test_a_doubt_about_a_call_that_never_arrived_ends_as_a_refusal(legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        operator.script.append(_cut)
        link.feed([one()])
        await link.until(lambda link: link.answers)

    link = legacy(scenario)

    assert link.outcomes == [Rejected("104", "Clickatell does not know the message: the call with it never arrived there.")]


def test_secrets_stay_out_of_addresses_and_events(legacy: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed([one()])
        await link.until(lambda link: link.answers)
        assert all("?" not in target for target in operator.targets)

    link = legacy(scenario)

    assert "p&ss" not in repr((link.lines, link.states, link.answers))

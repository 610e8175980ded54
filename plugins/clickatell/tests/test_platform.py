"""The platform's interface: outcomes of every answer that its documents show, and of answers that they do not."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from pennywire_clickatell.calls import MOST_OCTETS, Answer
from pennywire_clickatell.platform import read_answer

from pennywire import Accepted, Alphabet, LinkDown, OutcomeUnknown, Rejected, Throttled
from pennywire.testing import FakeLink, make_submissions

ANN, BEN = "+2799900001", "+2799900002"
ID = "77fb29998253415fa5d66971d519d362"


def some(*destinations: str, text: str = "Hello") -> list[Any]:
    return [
        make_submissions(text, destination=destination, first_attempt_id=number, whole=True)[0]
        for number, destination in enumerate(destinations, start=1)
    ]


def row(to: str = "2799900001", **other: Any) -> dict[str, Any]:
    return {"apiMessageId": ID, "accepted": True, "to": to, "error": None} | other


def body(*rows: Any, error: Any = None) -> str:
    return json.dumps({"messages": list(rows), "error": error})


REFUSED = {"apiMessageId": None, "accepted": False, "to": "2799900001"}

ANSWERS = [
    pytest.param(202, body(row()), Accepted(ID), id="accepted"),
    pytest.param(207, body(row(), row("2799900002", accepted=False, apiMessageId=None, error={"code": 25})), Accepted(ID), id="207"),
    pytest.param(500, body(row()), Accepted(ID), id="a 5xx with an id"),
    pytest.param(202, body(row("+2799900001")), Accepted(ID), id="destination with its plus"),
    pytest.param(400, body(REFUSED | {"error": {"code": 25, "description": "x"}}), Rejected, id="message-level refusal"),
    pytest.param(400, body(REFUSED | {"error": {"code": "25", "description": "x"}}), Rejected, id="code as a text"),
    pytest.param(400, body(error={"code": 21, "description": "malformed"}), Rejected, id="refused as a whole"),
    pytest.param(400, body(REFUSED | {"error": {"code": 4711}}), Rejected, id="unknown error"),
    pytest.param(401, body(error={"code": 1, "description": "key"}), LinkDown, id="wrong key"),
    pytest.param(401, "", LinkDown, id="401 without a body"),
    pytest.param(403, "<html>", LinkDown, id="403 without a body"),
    pytest.param(402, body(REFUSED | {"error": {"code": 20}}), LinkDown, id="no balance"),
    pytest.param(402, "", LinkDown, id="402 without a body"),
    pytest.param(400, body(error={"code": 43, "description": "Rate limit"}), Throttled, id="rate limit"),
    pytest.param(429, "slow down", Throttled, id="429"),
    pytest.param(503, body(error={"code": 19, "description": "retry"}), Throttled, id="to be tried again"),
    pytest.param(500, body(error={"code": 18, "description": "internal"}), OutcomeUnknown, id="internal error"),
    pytest.param(503, "<html>Service Unavailable</html>", OutcomeUnknown, id="a 5xx without an id"),
    pytest.param(202, "", OutcomeUnknown, id="empty"),
    pytest.param(202, "{" + '"messages": [', OutcomeUnknown, id="truncated"),
    pytest.param(202, "[" * 100_000, OutcomeUnknown, id="deep"),
    pytest.param(202, "[]", OutcomeUnknown, id="no object"),
    pytest.param(202, body(row("2799900009")), OutcomeUnknown, id="about somebody else"),
    pytest.param(202, body("x", None, 7), OutcomeUnknown, id="rows that are none"),
    pytest.param(202, '{"messages": 7}', OutcomeUnknown, id="no list"),
    pytest.param(202, body(row(apiMessageId="")), OutcomeUnknown, id="accepted without an id"),
    pytest.param(202, body(row(apiMessageId="x" * 65)), OutcomeUnknown, id="id too long"),
    pytest.param(202, body(row(accepted="yes")), OutcomeUnknown, id="accepted is no boolean"),
    pytest.param(404, "not here", OutcomeUnknown, id="404"),
]


@pytest.mark.parametrize(("status", "text", "expected"), ANSWERS)
def test_an_answer_has_its_outcome(status: int, text: str, expected: Any) -> None:
    verdict = read_answer(Answer(status, text), some(ANN))[1]

    assert verdict == expected if isinstance(expected, Accepted) else isinstance(verdict, expected)


def test_refusals_say_whether_another_provider_may_be_tried() -> None:
    refusals = [body(REFUSED | {"error": {"code": code}}) for code in (26, 45, 4711)]

    verdicts = [read_answer(Answer(400, refusal), some(ANN))[1] for refusal in refusals]

    assert verdicts == [
        Rejected("26", "Clickatell: the recipient opted out.", permanent=True),
        Rejected("45", "Clickatell: the source does not belong to the integration.", permanent=False),
        Rejected("4711", "Clickatell: an error that is not documented.", permanent=False),
    ]


def test_several_messages_share_a_call_and_each_has_its_outcome(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        operator.refused["2799900002"] = 25
        link.feed(some(ANN, BEN, "+2799900003"))
        await link.until(lambda link: len(link.answers) == 3)
        assert [message["to"] for message in operator.messages] == ["2799900001", "2799900002", "2799900003"]
        assert operator.targets.count("/v1/message") == 1

    link = platform(scenario)

    assert [type(outcome) for outcome in link.outcomes] == [Accepted, Rejected, Accepted]


def test_two_messages_to_one_destination_never_share_a_call(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed(some(ANN, ANN, BEN))
        await link.until(lambda link: len(link.answers) == 3)
        assert operator.targets.count("/v1/message") == 2

    link = platform(scenario)

    assert len({outcome.network_id for outcome in link.outcomes if isinstance(outcome, Accepted)}) == 3


def test_a_message_carries_text_our_id_and_the_source_that_is_asked_for(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed(some(ANN, text="Zażółć 🙂"))
        await link.until(lambda link: link.answers)
        assert operator.messages == [
            {"channel": "sms", "to": "2799900001", "content": "Zażółć 🙂", "clientMessageId": "1", "from": "12027530410"}
        ]

    platform(scenario, source_use="fixed", source="+12027530410")


def test_a_binary_message_is_refused_before_it_leaves(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed([replace(some(ANN)[0], alphabet=Alphabet.BINARY, text="")])
        await link.until(lambda link: link.answers)
        assert operator.messages == []

    link = platform(scenario)

    assert isinstance(link.outcomes[0], Rejected)


async def _redirect(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect("http://127.0.0.1:1/elsewhere")


async def _huge(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b" " * (MOST_OCTETS + 1))


async def _cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _page(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


async def _torn(request: web.Request) -> web.StreamResponse:
    """Promise more octets than come."""
    response = web.StreamResponse(status=202, headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(body(row()).encode())
    return await _cut(request)


@pytest.mark.parametrize("answer", [_redirect, _huge, _cut, _torn, _page], ids=["redirect", "huge", "connection cut", "torn", "web page"])
def test_what_is_no_answer_leaves_the_message_in_doubt_and_the_link_alive(answer: Any, platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        operator.script.append(answer)
        link.feed(some(ANN))
        await link.until(lambda link: link.failures)
        link.feed([replace(some(BEN)[0], attempt_id=2)])
        await link.until(lambda link: link.answers)

    link = platform(scenario)

    assert [type(failure.error) for failure in link.failures] == [OutcomeUnknown]
    assert [type(outcome) for outcome in link.outcomes] == [Accepted]


def test_no_answer_in_time_leaves_the_message_in_doubt(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        async def wait(_request: web.Request) -> web.StreamResponse:
            await operator.released.wait()
            return web.Response()

        operator.script.append(wait)
        link.feed(some(ANN))
        await link.until(lambda link: link.failures, timeout_s=30)

    link = platform(scenario, timeout_s=1)

    assert isinstance(link.failures[0].error, OutcomeUnknown)


def test_a_wrong_key_keeps_the_link_down_and_takes_nothing(platform: Callable[..., FakeLink]) -> None:
    async def scenario(_operator: Any, link: FakeLink) -> None:
        link.feed(some(ANN))
        await link.until(lambda link: len(link.states) >= 2)

    link = platform(scenario, api_key="wrong-key")

    assert link.states[0] == "Clickatell: the API key is invalid or missing. (error 1)"
    assert len(link.waiting) == 1
    assert "wrong-key" not in repr((link.states, link.lines))


def test_an_empty_account_gives_the_message_back_and_the_link_recovers(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        operator.refused["2799900001"] = 20
        link.feed(some(ANN))
        await link.until(lambda link: link.failures)
        operator.refused.clear()
        await link.until(lambda link: link.states.count(True) == 2)

    link = platform(scenario)

    assert isinstance(link.failures[0].error, LinkDown)
    assert "balance is too small" in str(link.states[1])


def test_an_operator_that_is_away_takes_nothing(platform: Callable[..., FakeLink]) -> None:
    async def scenario(_operator: Any, link: FakeLink) -> None:
        link.feed(some(ANN))
        await link.until(lambda link: link.states)

    link = platform(scenario, base_url="http://127.0.0.1:1")

    assert "cannot be reached" in str(link.states[0])
    assert len(link.waiting) == 1


def test_the_balance_is_told_when_it_changes_and_alarms_once(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        await link.until(lambda link: "balance: 12.34 EUR" in link.lines)
        operator.balance_body = '{"balance": 9.99, "currency": "EUR"}'
        await link.until(lambda link: any(line.startswith("ALARM") for line in link.lines))
        operator.balance_body = '{"balance": 9.50, "currency": "EUR"}'
        await link.until(lambda link: "balance: 9.50 EUR" in link.lines)

    link = platform(scenario, balance_alarm="10")

    assert [line for line in link.lines if line.startswith("ALARM")] == [
        "ALARM: the balance 9.99 EUR is below 10. Top up the Clickatell account."
    ]


@pytest.mark.parametrize("content", ['{"balance": "x"}', "{}", "<html>"])
def test_an_answer_without_a_balance_does_not_keep_the_link_down(content: str, platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        operator.balance_body = content
        await link.until(lambda link: link.states)

    link = platform(scenario)

    assert link.states[0] is True
    assert link.lines == []


def test_what_is_under_way_is_finished_before_the_link_ends(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        arrived = asyncio.Event()

        async def slow(_request: web.Request) -> web.StreamResponse:
            arrived.set()
            await operator.released.wait()
            return web.json_response({"messages": [row()], "error": None}, status=202)

        operator.script.append(slow)
        link.feed(some(ANN))
        await arrived.wait()

    link = platform(scenario)

    assert link.outcomes == [Accepted(ID)]
    assert link.states[-1] == "stopped"


def test_no_secret_stands_in_an_address_or_an_event(platform: Callable[..., FakeLink]) -> None:
    async def scenario(operator: Any, link: FakeLink) -> None:
        link.feed(some(ANN))
        await link.until(lambda link: link.answers)
        assert all("kx7" not in target for target in operator.targets)

    link = platform(scenario)

    assert "kx7" not in repr((link.lines, link.states, link.answers))

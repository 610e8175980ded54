"""The simulator on the command line: starts, says where it listens, logs, takes orders by HTTP and stops cleanly."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pennywire_smpp.bodies import Bind, BindResp, CancelSm, QuerySm, QuerySmResp
from pennywire_smpp.commands import smsc
from pennywire_smpp.framing import FrameReader
from pennywire_smpp.pdu import Command, decode, encode
from pennywire_smpp.simulation import Behaviour, SimulatorOptions

from pennywire import Accepted, ReportState
from pennywire.testing import FakeLink, make_submissions

COMMAND = [sys.executable, "-u", "-c", "from pennywire_smpp.commands import smsc; smsc()"]


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """Start the command and yield it with its two ports."""
    process = subprocess.Popen([*COMMAND, "--port", "0", "--http-port", "0", *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        http_port = int(process.stdout.readline().rsplit(":", 1)[1].split("/")[0])
        yield process, port, http_port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(port: int, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    values = json.loads(answer.read())
    connection.close()
    return answer.status, values


def test_the_command_serves_logs_and_stops(make_connector: Any, tmp_path: Path) -> None:
    log = tmp_path / "smsc.jsonl"

    async def converse(port: int, http_port: int) -> FakeLink:
        link = FakeLink()
        task = asyncio.create_task(make_connector(port).run(link))
        link.feed(make_submissions("Grüße"))
        await link.until(lambda one: one.reports)
        status, queued = await asyncio.to_thread(
            ask, http_port, "POST", "/mo", json.dumps({"text": "x" * 200, "source": "+361", "count": 2})
        )
        assert (status, queued) == (200, {"queued": 4})
        await link.until(lambda one: len(one.incomings) == 4)
        link.stop()
        await task
        return link

    with started("--log", str(log), "--id-form", "hex", "--system-id", "me", "--password", "pw") as (process, port, http_port):
        link = asyncio.run(converse(port, http_port))
        status, figures = ask(http_port, "GET", "/stats")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0

    (line,) = [json.loads(text) for text in log.read_text().splitlines()]
    (outcome,) = link.outcomes
    assert isinstance(outcome, Accepted)
    assert (status, figures["accepted"], figures["receipts_stored"], figures["mo_stored"]) == (200, 1, 1, 4)
    assert {"source": "Pennywire", "destination": "36201234567", "text": "Grüße", "data_coding": 0, "esm_class": 0}.items() <= line.items()
    # In GSM 03.38 ü is 7E and ß is 1E.
    assert line["fields"].items() >= {"registered_delivery": 1, "dest_addr_ton": 1, "short_message": b"Gr\x7e\x1ee".hex()}.items()
    assert line["network_id"] == outcome.network_id
    assert line["sequence_number"] > 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [("GET", "/nothing", None, 404), ("POST", "/mo", "{", 400), ("POST", "/mo", "[]", 400), ("POST", "/mo", '{"count": 0}', 400)],
)
def test_the_command_refuses_wrong_orders(http_port: int, method: str, path: str, body: str | None, status: int) -> None:
    answered, values = ask(http_port, method, path, body)

    assert answered == status
    assert values["error"]


@pytest.fixture(scope="module")
def http_port() -> Iterator[int]:
    """HTTP port of a simulator that all tests of this module share."""
    with started() as (_, _, port):
        yield port


@pytest.mark.parametrize(
    "arguments",
    [
        ["--error-status", "much"],
        ["--error-status", "0x1FFFFFFFF"],
        ["--behaviour", "9999"],
        ["--behaviour", "9999=explode"],
        ["--behaviour", "9999=status:x"],
        ["--error-rate", "2"],
        ["--port", "70000"],
        ["--bind-host", "192.0.2.1", "--port", "0"],
        ["--log", "/nowhere/at/all", "--port", "0"],
    ],
)
def test_the_command_refuses_what_it_cannot_do(arguments: list[str]) -> None:
    result = CliRunner().invoke(smsc, arguments)

    assert result.exit_code in (1, 2)
    assert "Error" in result.output


def test_the_behaviour_of_a_destination_is_scripted_in_words() -> None:
    context = smsc.make_context(
        "smsc",
        [
            "--behaviour",
            "99=status:0x0B,no_receipt",
            "--behaviour",
            "1=latency_ms:5,states:delivered+enroute,receipt_first",
            "--max-tps",
            "7",
        ],
    )

    assert context.params["behaviours"] == {
        "99": Behaviour(command_status=0x0B, receipt_states=()),
        "1": Behaviour(latency_s=0.005, receipt_states=(ReportState.DELIVERED, ReportState.ENROUTE), receipt_first=True),
    }


def test_messages_from_handsets_come_by_themselves(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(mo_per_s=200, mo_text="tick")) as served:
            await served.link.until(lambda link: len(link.incomings) >= 20)

            assert {incoming.user_data for incoming in served.link.incomings} == {b"tick"}

    asyncio.run(scenario())


def test_receipts_wait_for_a_bind_that_receives(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(receipt_delay_s=0.1, system_id="me"), response_timeout_s=5) as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.answers)
            served.smsc.cut_links()
            await served.link.until(lambda link: link.reports)

            assert served.link.states.count(True) == 2

    asyncio.run(scenario())


def test_queries_are_answered(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(first_id=0)) as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.reports)
            reader, writer = await asyncio.open_connection("127.0.0.1", served.smsc.port)
            writer.write(encode(Command.BIND_TRANSMITTER, 1, Bind("me", "pw")))
            bound = decode(await reader.readexactly(31))
            writer.write(encode(Command.QUERY_SM, 2, QuerySm("1")) + encode(Command.QUERY_SM, 3, QuerySm("2")))
            writer.write(encode(Command.CANCEL_SM, 4, CancelSm(message_id="1")) + encode(Command.UNBIND, 5))
            pdus = [decode(frame) for frame in FrameReader().feed(await reader.read())]
            writer.close()
            await writer.wait_closed()

            assert bound.body == BindResp("pennywire-smsc")
            assert [pdu.command_status for pdu in pdus] == [0, 0x67, 0x11, 0]
            assert pdus[0].body == QuerySmResp("1", message_state=2)

    asyncio.run(scenario())

"""node-smpp, which we did not write, as SMSC of our client and as client of our simulator."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pennywire_smpp.simulation import SimulatorOptions
from pennywire_smpp.simulator import Simulator

from pennywire import Accepted, ReportState
from pennywire.sms import text
from pennywire.testing import FakeLink, make_submissions

HERE = Path(__file__).parent

pytestmark = pytest.mark.peers


@pytest.fixture(autouse=True)
def _node() -> None:
    if shutil.which("node") is None:
        pytest.skip("no node: install it, then run `npm ci` in plugins/smpp/tests/peers")
    if not (HERE / "node_modules" / "smpp").is_dir():
        pytest.skip("no node-smpp: run `npm ci` in plugins/smpp/tests/peers")


class Program:
    """A script that says lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []

    async def hear(self, word: str) -> dict[str, Any]:
        """Return the next line that has `word`; earlier lines are kept in `said`."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            while line := await self._process.stdout.readline():
                self.said.append(json.loads(line))
                if word in self.said[-1]:
                    return self.said[-1]
        raise AssertionError(f"The script ended without saying {word}. It said: {self.said}")

    def tell(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")


@asynccontextmanager
async def node(script: str, *arguments: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        "node", str(HERE / script), *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def sending(make_connector: Callable[..., Any], **given: Any) -> AsyncIterator[tuple[Program, FakeLink]]:
    """Run our connector against node-smpp; at the end it takes leave and node-smpp hears it."""
    async with node("smsc.js") as smsc:
        port = (await smsc.hear("port"))["port"]
        link = FakeLink()
        task = asyncio.create_task(make_connector(port, **given).run(link))
        await link.until(lambda one: one.is_up)
        yield smsc, link
        link.stop()
        await asyncio.wait_for(task, 10)
        assert await smsc.hear("unbound")


@pytest.mark.parametrize("words", ["Hello @ {€}~[x]", "Grüße, Ñandú, Ωmega", "Привет 😀"])
def test_node_smpp_reads_what_we_send_and_we_read_its_receipt(make_connector: Any, words: str) -> None:
    async def scenario() -> None:
        async with sending(make_connector) as (smsc, link):
            link.feed(make_submissions(words))
            heard = await smsc.hear("submitted")
            answered = await smsc.hear("receipt_answered")
            await link.until(lambda one: one.reports and one.answers)

            assert (heard["submitted"], heard["source"], heard["destination"]) == (words, "Pennywire", "36201234567")
            assert answered["receipt_answered"] == 0
            assert link.outcomes == [Accepted("node-1")]
            assert (link.reports[0].network_ids, link.reports[0].state) == (("node-1",), ReportState.DELIVERED)

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["udh", "sar", "message_payload"])
def test_node_smpp_reads_long_messages(make_connector: Any, method: str) -> None:
    words = "Pennywire counts to the last [bracket]. " * 6

    async def scenario() -> None:
        async with sending(make_connector, long_messages=method) as (smsc, link):
            link.feed(make_submissions(words, whole=method == "message_payload", reference=9))
            heard = [await smsc.hear("submitted") for _ in range(1 if method == "message_payload" else 2)]
            await link.until(lambda one: len(one.answers) == len(heard))

            assert "".join(one["submitted"] + one["payload"] for one in heard) == words
            assert [one["udh"] for one in heard] == {"udh": [["0003090201"], ["0003090202"]]}.get(method, [[]] * len(heard))
            if method == "sar":
                assert [one["sar"] for one in heard] == [[9, 2, 1], [9, 2, 2]]

    asyncio.run(scenario())


@pytest.mark.parametrize(("words", "ucs2"), [("Hello from node", False), ("@ € and [brackets]", False), ("Привет 😀", True)])
def test_we_read_what_node_smpp_delivers(make_connector: Any, words: str, ucs2: bool) -> None:
    async def scenario() -> None:
        async with sending(make_connector) as (smsc, link):
            smsc.tell(mo=words, ucs2=ucs2)
            assert (await smsc.hear("mo_answered"))["mo_answered"] == 0

            (incoming,) = link.incomings
            assert text.decode(incoming.user_data, incoming.alphabet) == words
            assert (incoming.source, incoming.destination) == ("+36301112233", "12345")

    asyncio.run(scenario())


def test_we_read_a_segment_of_node_smpp(make_connector: Any) -> None:
    async def scenario() -> None:
        async with sending(make_connector) as (smsc, link):
            smsc.tell(mo="second half", udh="050003070202")
            await smsc.hear("mo_answered")

            (incoming,) = link.incomings
            assert incoming.concatenation is not None
            assert (incoming.concatenation.reference, incoming.concatenation.index) == (7, 2)

    asyncio.run(scenario())


def test_what_we_cannot_store_node_smpp_hears(make_connector: Any) -> None:
    async def scenario() -> None:
        async with sending(make_connector) as (smsc, link):
            link.refuse_storing = True
            smsc.tell(mo="too early")

            assert (await smsc.hear("mo_answered"))["mo_answered"] == 8

    asyncio.run(scenario())


def test_enquire_link_works_both_ways(make_connector: Any) -> None:
    async def scenario() -> None:
        async with sending(make_connector, enquire_link_interval_s=0.1, response_timeout_s=1) as (smsc, link):
            for _ in range(3):
                smsc.tell(enquire=True)
                assert await smsc.hear("alive")

            assert link.states == [True]

    asyncio.run(scenario())


def test_node_smpp_refuses_a_wrong_password(make_connector: Any) -> None:
    async def scenario() -> None:
        async with node("smsc.js") as smsc:
            port = (await smsc.hear("port"))["port"]
            link = FakeLink()
            task = asyncio.create_task(make_connector(port, password="wrong").run(link))
            await link.until(lambda one: one.states)
            link.stop()
            await asyncio.wait_for(task, 10)

            assert "the password is wrong" in str(link.states[0])

    asyncio.run(scenario())


def test_node_smpp_as_client_of_the_simulator() -> None:
    async def scenario() -> None:
        async with Simulator(SimulatorOptions(password="pw")) as smsc, node("client.js", str(smsc.port)) as client:
            unbound = await client.hear("unbind_status")

            bind, submit, receipt, _ = client.said
            (submitted,) = smsc.submissions
            assert (bind["bind_status"], submit["submit_status"], unbound["unbind_status"]) == (0, 0, 0)
            assert submitted.text == "Grüße € from node"
            assert submit["id"] == receipt["id"] == submitted.network_id
            assert receipt["state"] == 2
            assert receipt["receipt"].startswith(f"id:{submitted.network_id} ")

    asyncio.run(scenario())

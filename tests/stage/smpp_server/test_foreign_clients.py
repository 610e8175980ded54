"""Clients that we did not write, unmodified, bind to the server: smpplib, node-smpp and Kannel."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pennywire import Incoming, Report, ReportState
from pennywire.testing import reserved_port

Service = Any
Until = Callable[..., Any]

pytestmark = [pytest.mark.full, pytest.mark.peers]

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "plugins/smpp/tests/peers/customer.js"
RINVDSTADR, RINVMSGID, RINVPASWD, RCANCELFAIL = 0x0B, 0x0C, 0x0E, 0x11

#: Debian keeps daemons outside the path of an ordinary user.
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
KANNEL = """
group = core
admin-port = {admin_port}
admin-password = nobody
smsbox-port = {smsbox_port}
box-allow-ip = "127.0.0.1"
log-level = 1
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = gateway
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = anna
smsc-password = secret12
system-type = ""
enquire-link-interval = 1
max-pending-submits = 10

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {smsbox_port}
sendsms-port = {http_port}
log-level = 1

group = sendsms-user
username = tester
password = tester
concatenation = true
max-messages = 10

group = sms-service
keyword = default
text = "You said %a"
"""


class SmpplibClient:
    """smpplib in a thread of its own: it sends a long text, then reads until it has a receipt for each segment and one message."""

    def __init__(self, port: int) -> None:
        self.client_module = pytest.importorskip("smpplib.client")
        self.gsm = pytest.importorskip("smpplib.gsm")
        self.port = port
        self.answered: list[tuple[int, str]] = []
        self.delivered: list[bytes] = []

    def play(self, text: str) -> None:
        client = self.client_module.Client("127.0.0.1", self.port, allow_unknown_opt_params=True, timeout=30)
        client.set_message_sent_handler(lambda pdu: self.answered.append((pdu.status, pdu.message_id.decode())))
        client.set_message_received_handler(lambda pdu: self.delivered.append(pdu.short_message))
        try:
            client.connect()
            client.bind_transceiver(system_id="anna", password="secret12")
            parts, coding, esm_class = self.gsm.make_parts(text)
            for part in parts:
                client.send_message(
                    source_addr="SHOP",
                    source_addr_ton=5,
                    dest_addr_ton=1,
                    dest_addr_npi=1,
                    destination_addr="36201234567",
                    short_message=part,
                    data_coding=coding,
                    esm_class=esm_class,
                    registered_delivery=1,
                )
            while len(self.answered) < len(parts) or len(self.delivered) < len(parts) + 1:
                client.read_once()
            client.unbind()
        finally:
            client.disconnect()


def test_smpplib_sends_a_long_text_and_gets_its_receipts_and_a_message(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        await until(service.serves)
        client = SmpplibClient(service.port)
        text = "Grüße aus Győr, €5. " * 10
        playing = asyncio.create_task(asyncio.to_thread(client.play, text))
        await until(lambda: service.world.messages() or playing.done())

        (message,) = service.world.messages()
        service.world.accept(service.line, *(f"n{index}" for index in range(message.segment_count)))
        service.world.report(service.line, *(Report((f"n{index}",), ReportState.DELIVERED) for index in range(message.segment_count)))
        service.world.receive(service.line, Incoming("+36309876543", "+36700000000", text="Thank you"))
        await playing

        assert message.text == text
        assert [status for status, _ in client.answered] == [0] * message.segment_count
        assert {name.rpartition("-")[0] for _, name in client.answered} == {message.client_reference}
        receipts = [octets for octets in client.delivered if octets.startswith(b"id:")]
        assert [octets.split()[0].decode() for octets in receipts] == [f"id:{name}" for _, name in client.answered]
        assert b"Thank you" in client.delivered
        await until(lambda: service.waiting() == 0)

    service.world.route("in", ("anna",), inward=True)
    service.play(story)


async def customer(port: int, *, password: str = "secret12", expected: int = 0, text: str = "hello") -> list[dict[str, Any]]:
    """Run the customer made of node-smpp to its end, and return what it said."""
    return await node(SCRIPT, str(port), password, str(expected), text)


async def node(script: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run a program of node-smpp's to its end, and return what it said."""
    if shutil.which("node") is None or not (SCRIPT.parent / "node_modules" / "smpp").is_dir():
        pytest.skip("no node-smpp: install node, then run `npm ci` in plugins/smpp/tests/peers")
    process = await asyncio.create_subprocess_exec("node", str(script), *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 40)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return [json.loads(line) for line in said.splitlines()]


def test_node_smpp_asks_replaces_cancels_a_group_and_submits_to_many(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        await until(service.serves)

        said = await node(SCRIPT.with_name("changing.js"), str(service.port), "secret12")

        assert said == [
            {"bind": 0},
            {"query": 0, "state": 1, "final_date": said[1]["final_date"]},
            {"replace": 0},
            {"replace_ghost": RINVMSGID},
            {"cancel": 0},
            {"cancel_again": RCANCELFAIL},
            {"query": 0, "state": 4, "dated": True},
            {"multi": 0, "failed": [["12", RINVDSTADR]]},
        ]
        assert not said[1]["final_date"]
        assert [(one.state, one.segment_count) for one in service.world.messages()] == [("cancelled", 1), ("cancelled", 2), ("queued", 1)]
        assert service.world.money() == ("100", "1")

    service.play(story)


def test_node_smpp_sends_a_long_text_is_refused_and_gets_its_receipts_and_a_message(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        await until(service.serves)
        text = "Long words from node. " * 16
        playing = asyncio.create_task(customer(service.port, expected=4, text=text))
        await until(lambda: service.world.messages() or playing.done())

        (message,) = service.world.messages()
        service.world.accept(service.line, "n1", "n2", "n3")
        service.world.report(service.line, *(Report((name,), ReportState.DELIVERED) for name in ("n1", "n2", "n3")))
        service.world.receive(service.line, Incoming("+36309876543", "+36700000000", text="Thank you"))
        said = await playing

        assert (message.text, message.segment_count) == (text, 3)
        submitted = [line for line in said if "submit_status" in line]
        assert [line["submit_status"] for line in submitted] == [0, 0, 0]
        assert [line["refused_status"] for line in said if "refused_status" in line] == [RINVDSTADR]
        delivered = [line for line in said if "delivered" in line]
        assert [line["id"] for line in delivered if line["esm_class"] == 4] == [line["id"] for line in submitted]
        assert [line["delivered"] for line in delivered if line["esm_class"] == 0] == ["Thank you"]
        assert said[-1] == {"unbind_status": 0}
        await until(lambda: service.waiting() == 0)
        assert service.world.money() == ("97", "0")

    service.world.route("in", ("anna",), inward=True)
    service.play(story)


def test_node_smpp_is_told_that_its_password_is_wrong(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        await until(service.serves)

        assert await customer(service.port, password="wrong") == [{"bind_status": RINVPASWD}]

    service.play(story)


@asynccontextmanager
async def kannel(folder: Path, port: int, until: Until) -> AsyncIterator[int]:
    """Start Kannel's boxes as a customer, and yield the port where smsbox takes messages. They cannot take any port and say which."""
    boxes = [shutil.which(name, path=SEARCH) for name in ("bearerbox", "smsbox")]
    if None in boxes:
        pytest.skip("no Kannel: install Debian's package kannel")
    with ExitStack() as reserved:
        ports = {name: reserved.enter_context(reserved_port()) for name in ("admin_port", "smsbox_port", "http_port")}
        file = folder / "kannel.conf"
        file.write_text(KANNEL.format(port=port, **ports))
        processes = []
        try:
            for box, name in zip(boxes, ("smsbox_port", "http_port"), strict=True):
                silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                processes.append(await asyncio.create_subprocess_exec(str(box), str(file), **silent))
                await until(lambda name=name: listens(ports[name]))
            yield ports["http_port"]
        finally:
            for process in reversed(processes):
                process.terminate()
                await asyncio.wait_for(process.wait(), 20)


def listens(port: int) -> bool:
    """Say whether anybody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def order(port: int, text: str, destination: str) -> str:
    """Have Kannel send a text, and return what it says."""
    fields = {"username": "tester", "password": "tester", "from": "12345", "to": destination, "text": text, "coding": "0", "dlr-mask": "31"}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/cgi-bin/sendsms?{urllib.parse.urlencode(fields)}", timeout=20) as answer:
        return str(answer.read().decode())


def test_kannel_sends_takes_a_receipt_and_answers_a_message(service: Service, until: Until, tmp_path: Path) -> None:
    async def story(service: Service) -> None:
        world = service.world
        await until(service.serves)
        async with kannel(tmp_path, service.port, until) as port:
            said = await asyncio.to_thread(order, port, "Grüße @ € " * 20, "+36201234567")
            await until(world.messages)

            (long,) = world.messages()
            submissions = world.accept(service.line, *(f"n{index}" for index in range(long.segment_count)))
            world.report(service.line, *(Report((f"n{index}",), ReportState.DELIVERED) for index in range(len(submissions))))
            await until(lambda: service.waiting() == 0)
            world.receive(service.line, Incoming("+36309876543", "+36700000000", text="Kannel"))
            await until(lambda: len(world.messages()) == 2 and service.waiting() == 0)

            answer = world.messages()[1]
            assert said.startswith("0: ")
            assert (long.text, long.destination) == ("Grüße @ € " * 20, "+36201234567")
            assert (answer.text, answer.destination) == ("You said Kannel", "+36309876543")

    world = service.world
    world.route("in", ("anna",), inward=True)
    service.play(story)

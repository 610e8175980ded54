"""Clients that we did not write, unmodified, bind to the server: smpplib."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pennywire import Incoming, Report, ReportState

Service = Any
Until = Callable[..., Any]

pytestmark = [pytest.mark.full, pytest.mark.peers]


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

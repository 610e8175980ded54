"""The trace shows what passes and keeps what is private."""

import asyncio
from typing import Any

from pennywire_smpp.bodies import Bind, Empty, ShortMessage
from pennywire_smpp.pdu import Command, encode
from pennywire_smpp.tracing import Tracer, describe_frame

from pennywire.testing import make_submissions

MESSAGE = ShortMessage(source_addr_ton=5, source_addr="Pennywire", destination_addr="36201234567", short_message=b"Confidential")


def test_a_pdu_is_one_line_without_texts_secrets_and_full_numbers() -> None:
    line = describe_frame(encode(Command.SUBMIT_SM, 7, MESSAGE, tlvs=[(0x1401, b"private")]))

    assert line == (
        "submit_sm sequence_number=7 source_addr_ton=5 source_addr=Penn***** destination_addr=3620******* "
        "short_message=[12 octets] 0x1401[7 octets]"
    )


def test_a_password_is_masked() -> None:
    line = describe_frame(encode(Command.BIND_TRANSCEIVER, 1, Bind("me", "geheim00")))

    assert "password=****" in line
    assert "geheim00" not in line


def test_an_answer_shows_its_status() -> None:
    assert "command_status=ESME_RTHROTTLED(0x00000058)" in describe_frame(encode(Command.SUBMIT_SM_RESP, 3, command_status=0x58))


def test_pdus_are_cut_out_of_any_stream_and_the_unreadable_is_told() -> None:
    lines: list[str] = []
    tracer = Tracer(lines.append)
    octets = encode(Command.ENQUIRE_LINK, 1, Empty()) + encode(0x00000099, 2)

    for number in range(len(octets)):
        tracer.received(octets[number : number + 1])
    tracer.sent(b"HTTP/1.1 200 geheim00")

    assert [line.split(" ")[:2] for line in lines] == [["←", "enquire_link"], ["←", "unreadable,"], ["→", "command_length"]]
    assert "geheim00" not in "".join(lines)


def test_the_operator_switches_it_on_for_a_connection(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(trace=True, bind_count=2, password="geheim00") as served:
            served.link.feed(make_submissions("Confidential"))
            await served.link.until(lambda link: link.reports)

            said = "\n".join(served.link.lines)
            assert "Bind 1: → bind_transceiver" in said
            assert "→ submit_sm " in said
            assert "← deliver_sm " in said
            assert "Confidential" not in said
            assert "geheim00" not in said
            assert "36201234567" not in said

    asyncio.run(scenario())


def test_it_is_off_unless_it_is_switched_on(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.reports)

            assert not any("submit_sm" in line for line in served.link.lines)

    asyncio.run(scenario())

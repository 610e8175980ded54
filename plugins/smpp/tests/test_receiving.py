"""The connector takes receipts and messages from handsets, and answers only what is stored."""

import asyncio
from typing import Any

import pytest
from pennywire_smpp import bind as binds
from pennywire_smpp.bodies import ShortMessage
from pennywire_smpp.pdu import Command, encode
from pennywire_smpp.simulation import Behaviour, SimulatorOptions

from pennywire import Accepted, Report, ReportState
from pennywire.sms import text
from pennywire.testing import Answered, make_submissions


def run(scenario: Any) -> None:
    asyncio.run(scenario)


@pytest.mark.parametrize("receipt_id_form", ["same", "decimal", "hex", "tlv_only"])
@pytest.mark.parametrize("id_form", ["decimal", "hex"])
def test_d1_d3_the_receipt_meets_its_message_in_every_form(serve: Any, id_form: str, receipt_id_form: str) -> None:
    async def scenario() -> None:
        options = SimulatorOptions(id_form=id_form, receipt_id_form=receipt_id_form, first_id=0x5F878C78)
        async with serve(options) as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.reports)

            (outcome,) = served.link.outcomes
            (report,) = served.link.reports
            assert isinstance(outcome, Accepted)
            assert outcome.network_id in report.network_ids
            assert outcome.network_id == ("5f878c79" if id_form == "hex" else "1602718841")
            assert (report.state, report.destination) == (ReportState.DELIVERED, "+36201234567")

    run(scenario())


def test_d8_a_receipt_before_the_response_is_handed_over_before_it(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(receipt_first=True, latency_s=0.05)) as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.answers)

            report, answer = served.link.events
            assert isinstance(report, Report)
            assert isinstance(answer, Answered)
            assert isinstance(answer.outcome, Accepted)
            assert answer.outcome.network_id in report.network_ids

    run(scenario())


def test_d9_d10_d11_duplicates_and_contradictions_are_handed_over_as_they_come(serve: Any) -> None:
    """Which of them counts is for the gateway to say."""
    states = (ReportState.DELIVERED, ReportState.DELIVERED, ReportState.ENROUTE, ReportState.UNDELIVERABLE)

    async def scenario() -> None:
        async with serve(SimulatorOptions(behaviours={"67": Behaviour(receipt_states=states)})) as served:
            served.link.feed(make_submissions())
            await served.link.until(lambda link: len(link.reports) == 4)

            assert tuple(report.state for report in served.link.reports) == states

    run(scenario())


def test_s8_a_deliver_sm_is_answered_only_when_it_is_stored(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            served.link.hold_storing()
            (stored,) = served.smsc.queue_mo("Hello")
            await served.link.until(lambda link: link.most_storing == 1)
            assert not stored.done()
            served.link.release_storing()

            assert await stored == 0
            assert len(served.link.incomings) == 1

    run(scenario())


def test_s8_s9_what_cannot_be_stored_is_asked_for_again(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(retry_s=0.05)) as served:
            served.link.refuse_storing = True
            (stored,) = served.smsc.queue_mo("Hello")
            await served.smsc.until(lambda smsc: smsc.statistics.redelivered >= 2)
            assert served.link.incomings == []
            served.link.refuse_storing = False

            assert await stored == 0
            assert len(served.link.incomings) == 1

    run(scenario())


def test_many_deliver_sm_wait_for_storage_at_once(serve: Any) -> None:
    """So that the engine can commit them in groups."""

    async def scenario() -> None:
        async with serve(SimulatorOptions(deliver_window=300)) as served:
            served.link.hold_storing()
            stored = [future for _ in range(300) for future in served.smsc.queue_mo("Hello")]
            await served.link.until(lambda link: link.most_storing == 300)
            served.link.release_storing()

            assert await asyncio.gather(*stored) == [0] * 300

    run(scenario())


def test_s8_a_flood_is_held_back_and_nothing_is_lost(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(deliver_window=3000)) as served:
            served.link.hold_storing()
            stored = [future for _ in range(3000) for future in served.smsc.queue_mo("Hello")]
            await served.link.until(lambda link: link.most_storing >= binds.MAX_UNANSWERED)
            # What one read brought is taken; no further read follows.
            assert served.link.most_storing < 3000
            served.link.release_storing()

            assert await asyncio.gather(*stored) == [0] * 3000
            assert len(served.link.incomings) == 3000

    run(scenario())


@pytest.mark.parametrize("message", ["Árvíztűrő tükörfúrógép 😀 " * 10, "Plain text of two segments. " * 10, "One"])
def test_t16_segments_from_a_handset_carry_their_place(serve: Any, message: str) -> None:
    async def scenario() -> None:
        async with serve() as served:
            answers = await served.smsc.mo(message, source="+36301112233", destination="12345")
            incomings = served.link.incomings

            assert answers == [0] * len(incomings)
            joined = b"".join(incoming.user_data for incoming in incomings)
            assert text.decode(joined, incomings[0].alphabet) == message
            places = [incoming.concatenation for incoming in incomings if incoming.concatenation]
            assert [place.index for place in places] == (list(range(1, len(places) + 1)))
            assert {(incoming.source, incoming.destination) for incoming in incomings} == {("+36301112233", "12345")}

    run(scenario())


def test_data_sm_brings_a_message_too(serve: Any) -> None:
    from pennywire_smpp.bodies import DataMessage  # noqa: PLC0415  # Used here alone.

    async def scenario() -> None:
        async with serve() as served:
            frame = encode(Command.DATA_SM, 77, DataMessage(source_addr="361", destination_addr="99"), tlvs=[(0x0424, b"hi")])
            served.smsc.say(frame)
            await served.link.until(lambda link: link.incomings)

            assert served.link.incomings[0].user_data == b"hi"

    run(scenario())


def test_s10_a_header_without_user_data_is_refused_for_good(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            answer = await served.smsc.deliver(ShortMessage(source_addr="361", destination_addr="99", esm_class=0x40))

            assert answer == 0x65
            assert served.link.incomings == []
            assert any("no user data" in line for line in served.link.lines)
            await served.link.until(lambda link: link.reports)

    run(scenario())


def test_s10_a_poison_pdu_is_refused_and_kept_once_and_the_bind_lives(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            good = encode(Command.DELIVER_SM, 500, ShortMessage(source_addr="361", destination_addr="99", short_message=b"hi"))
            poison = bytearray(good)
            poison[-3] = 200
            served.smsc.say(bytes(poison) * 3 + good)
            await served.link.until(lambda link: link.incomings and link.reports)

            assert served.link.is_up
            assert sum("sm_length" in line for line in served.link.lines) == 3
            (kept,) = served.link.reports
            assert (kept.network_ids, kept.state) == ((), ReportState.UNKNOWN)
            assert kept.raw.endswith(poison.hex())

    run(scenario())


def test_no_line_holds_a_text_or_a_secret(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(password="geheim00") as served:
            served.link.feed(make_submissions("Confidential"))
            await served.smsc.mo("Confidential")
            served.smsc.say(b"\0\0\0\x12\0\0\0\x05\0\0\0\0\0\0\0\x09Co")
            served.smsc.say(b"HTTP/1.1 200 geheim00")
            await served.link.until(lambda link: len(link.states) >= 3)

            said = " ".join([*served.link.lines, *map(str, served.link.states)])
            assert "Confidential" not in said
            assert "geheim00" not in said

    run(scenario())

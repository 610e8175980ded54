"""The SMPP server, from the bind to the receipt, on the real stages and database. Source: SMPP v3.4 §4."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pennywire_smpp.bodies import DataMessage, Destination, QuerySm, ShortMessage, SubmitMulti
from pennywire_smpp.pdu import Command
from pennywire_smpp.tlvs import Tag

from pennywire import Incoming, Report, ReportState, Throttled

Service = Any
Until = Callable[..., Any]

ROK, RINVDSTADR, RINVMSGID, RINVPASWD, RALYBND, RBINDFAIL = 0x00, 0x0B, 0x0C, 0x0E, 0x05, 0x0D
RCANCELFAIL, RREPLACEFAIL, RSUBMITFAIL, RTHROTTLED, RX_R_APPN, RSYSERR = 0x11, 0x13, 0x45, 0x58, 0x66, 0x08
RINVMSGLEN, RINVEXPIRY, RINVBNDSTS = 0x01, 0x62, 0x04
UDHI = 0x40
ENROUTE = 1

# Each story starts and ends an engine.
pytestmark = pytest.mark.full


def part(index: int, total: int = 2, reference: int = 7) -> bytes:
    return bytes((5, 0, 3, reference, total, index))


async def submit_octets(client: Any, octets: bytes, **fields: Any) -> Any:
    body = ShortMessage(dest_addr_ton=1, dest_addr_npi=1, destination_addr="36201234567", short_message=octets, **fields)
    return await client.ask(Command.SUBMIT_SM, body)


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(service: Service) -> None:
    async def story(service: Service) -> None:
        wrong, unknown = await service.connect(), await service.connect()

        assert await asyncio.gather(wrong.bind("wrong"), unknown.bind(system_id="nobody")) == [RINVPASWD, RINVPASWD]

    service.play(story)


def test_an_address_that_is_not_allowed_cannot_bind(service: Service) -> None:
    async def story(service: Service) -> None:
        assert await (await service.connect()).bind() == RBINDFAIL

    service.play(story, allowed_addresses="192.0.2.0/24")


def test_more_binds_than_allowed_are_refused(service: Service) -> None:
    async def story(service: Service) -> None:
        await service.bound()

        assert await (await service.connect()).bind() == RALYBND

    service.play(story, max_binds=1)


@pytest.mark.parametrize(
    ("bind_types", "taken"),
    [
        ("all", {Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER}),
        ("separate", {Command.BIND_TRANSMITTER, Command.BIND_RECEIVER}),
        ("receiver", {Command.BIND_RECEIVER}),
    ],
)
def test_only_the_kinds_of_binds_that_are_allowed_are_taken(service: Service, bind_types: str, taken: set[Command]) -> None:
    async def story(service: Service) -> None:
        commands = (Command.BIND_TRANSMITTER, Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER)
        clients = [await service.connect() for _ in commands]

        answers = await asyncio.gather(*(client.bind(command=command) for client, command in zip(clients, commands, strict=True)))

        assert answers == [ROK if command in taken else RBINDFAIL for command in commands]

    service.play(story, bind_types=bind_types)


def test_each_bind_has_a_rate_of_its_own(service: Service) -> None:
    async def story(service: Service) -> None:
        for client in (await service.bound(), await service.bound()):
            answers = [(await client.submit()).command_status for _ in range(3)]

            assert answers == [ROK, RTHROTTLED, RTHROTTLED]

    service.play(story, bind_rate_per_s=0.001)


def test_a_receiver_may_not_submit(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound(command=Command.BIND_RECEIVER)
        client.wire.session.state = "bound_trx"  # Our own session would not send it.

        assert (await client.submit()).command_status == RINVBNDSTS

    service.play(story)


def test_a_submission_is_answered_with_the_id_of_a_message_that_is_charged_and_queued(service: Service) -> None:
    async def story(service: Service) -> None:
        answer = await (await service.bound()).submit("hello", registered_delivery=1)

        (message,) = service.world.messages()
        assert (answer.command_status, message.text, message.state, message.entrance) == (ROK, "hello", "queued", "smpp")
        assert service.world.money() == ("100", "1")

    service.play(story)


@pytest.mark.parametrize(
    ("fields", "command_status"),
    [
        ({"destination": "12"}, RINVDSTADR),
        ({"text": ""}, RINVMSGLEN),
        ({"validity_period": "nonsense"}, RINVEXPIRY),
        ({"priority_flag": 4}, 0x06),
        ({"sm_default_msg_id": 1}, 0x63),
        ({"replace_if_present_flag": 1}, RREPLACEFAIL),
    ],
)
def test_what_cannot_be_accepted_is_refused_with_its_error(service: Service, fields: dict[str, Any], command_status: int) -> None:
    async def story(service: Service) -> None:
        answer = await (await service.bound()).submit(**fields)

        assert answer.command_status == command_status
        assert service.world.messages() == []

    service.play(story)


def test_want_of_credit_is_a_refusal_and_others_of_the_batch_pass(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()

        answers = await asyncio.gather(*(client.submit() for _ in range(103)))

        assert sorted(answer.command_status for answer in answers) == [ROK] * 100 + [RX_R_APPN] * 3
        assert service.world.money() == ("100", "100")

    service.play(story)


def test_what_is_beyond_the_rate_is_throttled(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()

        answers = [await client.submit() for _ in range(3)]

        assert RTHROTTLED in [answer.command_status for answer in answers]

    service.play(story, rate_per_s=0.001)


def test_segments_are_joined_before_pricing_though_the_client_waits_for_each_answer(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()

        second = await submit_octets(client, part(2) + b"world", esm_class=UDHI)
        again = await submit_octets(client, part(2) + b"world", esm_class=UDHI)
        first = await submit_octets(client, part(1) + b"hello ", esm_class=UDHI)

        series = second.body.message_id.removesuffix("-2")
        assert (again.body.message_id, first.body.message_id) == (f"{series}-2", f"{series}-1")
        (message,) = service.world.messages()
        assert (message.text, message.segment_count, message.client_reference) == ("hello world", 1, series)

    service.play(story)


def test_segments_by_sar_parameters_are_joined_too(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()

        for index, text in ((1, b"hello "), (2, b"world")):
            tlvs = ((Tag.SAR_MSG_REF_NUM, b"\x00\x09"), (Tag.SAR_TOTAL_SEGMENTS, b"\x02"), (Tag.SAR_SEGMENT_SEQNUM, bytes([index])))
            body = ShortMessage(dest_addr_ton=1, destination_addr="36201234567", short_message=text)
            assert (await client.ask(Command.SUBMIT_SM, body, tlvs=tlvs)).command_status == ROK

        assert [message.text for message in service.world.messages()] == ["hello world"]

    service.play(story)


def test_segments_wait_through_a_restart(service: Service) -> None:
    async def first(service: Service) -> None:
        await submit_octets(await service.bound(), part(1) + b"hello ", esm_class=UDHI)

    async def second(service: Service) -> None:
        await submit_octets(await service.bound(), part(2) + b"world", esm_class=UDHI)

        assert [message.text for message in service.world.messages()] == ["hello world"]

    service.play(first)
    service.play(second)


def test_segments_whose_message_was_refused_are_reported_as_rejected(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        ask = {"esm_class": UDHI, "registered_delivery": 1}

        first = await submit_octets(client, part(1) + b"x" * 153, **ask)
        service.suspend()
        await until(lambda: service.world.core.snapshots.reload().users["anna"].suspended)
        last = await submit_octets(client, part(2) + b"y", **ask)
        await until(lambda: client.delivered)

        assert (first.command_status, last.command_status) == (ROK, RX_R_APPN)
        assert f"id:{first.body.message_id} ".encode() in client.delivered[0].body.short_message
        assert b"stat:REJECTD" in client.delivered[0].body.short_message

    service.play(story)


def test_a_submission_to_many_tells_which_destinations_were_refused(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        destinations = (Destination(1, "36201234567", 1, 1), Destination(1, "12", 0, 1), Destination(2, "friends"))

        answer = await client.ask(Command.SUBMIT_MULTI, SubmitMulti(destinations=destinations, short_message=b"hello"))

        refused = [(one.address, one.status) for one in answer.body.unsuccessful]
        assert (answer.command_status, refused) == (ROK, [("12", RINVDSTADR), ("friends", 0x34)])
        assert [message.client_reference for message in service.world.messages()] == [answer.body.message_id]

    service.play(story)


def test_data_sm_submits_its_payload(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()

        body = DataMessage(dest_addr_ton=1, destination_addr="36201234567")
        answer = await client.ask(Command.DATA_SM, body, tlvs=((Tag.MESSAGE_PAYLOAD, b"long " * 100),))

        (message,) = service.world.messages()
        assert (answer.command_status, message.segment_count) == (ROK, 4)

    service.play(story)


def test_a_receipt_waits_for_a_bind_that_receives_and_comes_once(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        sender = await service.bound(command=Command.BIND_TRANSMITTER)
        name = (await sender.submit("hello", registered_delivery=1)).body.message_id
        await sender.submit("silent")
        world = service.world
        world.accept(service.line, "n1", "n2")
        world.report(service.line, Report(("n1",), ReportState.DELIVERED), Report(("n2",), ReportState.DELIVERED))

        receiver = await service.bound(command=Command.BIND_RECEIVER)
        await until(lambda: receiver.delivered)

        (receipt,) = receiver.delivered
        assert receipt.body.esm_class == 0x04
        assert receipt.body.short_message.startswith(f"id:{name} sub:001 dlvrd:001 ".encode())
        assert (receipt.tlv(Tag.RECEIPTED_MESSAGE_ID), receipt.tlv(Tag.MESSAGE_STATE)) == (name.encode() + b"\x00", b"\x02")
        await until(lambda: service.waiting() == 0)

    service.play(story)


def test_what_was_not_acknowledged_comes_again_on_the_next_bind_in_order(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        first = await service.bound()
        first.refuse_with = None
        for text in ("one", "two", "three"):
            service.world.receive(service.line, Incoming("+36309876543", "+36700000000", text=text))
        await until(lambda: len(first.delivered) == 3)
        first.wire.abort("The client vanishes.")
        await first.lost.wait()

        second = await service.bound()
        await until(lambda: len(second.delivered) == 3)

        assert [pdu.body.short_message for pdu in second.delivered] == [b"one", b"two", b"three"]
        await until(lambda: service.waiting() == 0)

    service.world.route("in", ("anna",), inward=True)
    service.play(story)


def test_the_window_bounds_what_is_delivered_without_an_answer(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        client.refuse_with = None
        for number in range(5):
            service.world.receive(service.line, Incoming("+36309876543", "+36700000000", text=f"text {number}"))
        await until(lambda: service.waiting() == 5)
        await until(lambda: len(client.delivered) == 2)

        assert (await client.submit()).command_status == ROK
        assert len(client.delivered) == 2

    service.world.route("in", ("anna",), inward=True)
    service.play(story, window=2)


def test_an_application_that_is_stopped_takes_leave(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()

        service.stop()
        await asyncio.wait_for(client.lost.wait(), 20)

        await until(lambda: not service.serves())

    service.play(story)


def test_d15_a_temporary_refusal_tells_the_customer_nothing_and_the_end_comes_once(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        world = service.world
        name = (await client.submit("hello", registered_delivery=1)).body.message_id

        for _ in range(3):
            world.answer(service.line, (world.claim(service.line)[0], Throttled(1.0)))
            assert service.waiting() == 0
            assert (await client.ask(Command.QUERY_SM, QuerySm(name))).body.message_state == ENROUTE
        world.accept(service.line, "n1")
        world.report(service.line, Report(("n1",), ReportState.DELIVERED))
        await until(lambda: client.delivered and service.waiting() == 0)

        (receipt,) = client.delivered
        assert b"stat:DELIVRD" in receipt.body.short_message
        assert world.money() == ("99", "0")

    service.play(story)

"""query_sm, cancel_sm and replace_sm, on the real stages and database. Source: SMPP v3.4 §4.8 to §4.10."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pennywire_smpp.bodies import CancelSm, Destination, QuerySm, ReplaceSm, ShortMessage, SubmitMulti
from pennywire_smpp.pdu import Command
from pennywire_smpp.times import format_absolute, read_time

from pennywire import Report, ReportState

Service = Any
Until = Callable[..., Any]

# Each story starts and ends an engine.
pytestmark = pytest.mark.full

ROK, RINVMSGLEN, RINVMSGID, RCANCELFAIL, RREPLACEFAIL, RX_R_APPN, RINVSCHED = 0x00, 0x01, 0x0C, 0x11, 0x13, 0x66, 0x61
ENROUTE, DELIVERED, DELETED = 1, 2, 4
ANNA, OTTO = "36201234567", "36207654321"


async def status(client: Any, command: Command, body: Any) -> int:
    return int((await client.ask(command, body)).command_status)


async def replace(client: Any, name: str, text: str = "other", **fields: Any) -> int:
    return await status(client, Command.REPLACE_SM, ReplaceSm(name, short_message=text.encode(), **fields))


async def cancel(client: Any, name: str = "", **fields: Any) -> int:
    return await status(client, Command.CANCEL_SM, CancelSm(message_id=name, **fields))


async def state(client: Any, name: str) -> int:
    return int((await client.ask(Command.QUERY_SM, QuerySm(name))).body.message_state)


def pair(destination: str = ANNA, service_type: str = "") -> dict[str, Any]:
    """Return the fields of a cancel_sm for a group."""
    return {
        "service_type": service_type,
        "source_addr": "SHOP",
        "source_addr_ton": 5,
        "destination_addr": destination,
        "dest_addr_ton": 1,
    }


async def shop(client: Any, destination: str = ANNA, **fields: Any) -> str:
    """Submit a message of the shop's and return its message_id."""
    return str((await client.submit("hello", destination, source_addr="SHOP", source_addr_ton=5, **fields)).body.message_id)


def queued(service: Service) -> list[str]:
    return [message.text for message in service.world.messages() if message.state in ("queued", "scheduled")]


def test_a_message_that_waits_is_queried_and_cancelled_once(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        name = (await client.submit()).body.message_id

        assert await state(client, name) == ENROUTE
        assert await cancel(client, name) == ROK
        assert await cancel(client, name) == RCANCELFAIL
        assert await state(client, name) == DELETED
        assert await status(client, Command.QUERY_SM, QuerySm("ghost")) == RINVMSGID
        assert await cancel(client, "ghost") == RINVMSGID
        assert service.world.money() == ("100", "0")

    service.play(story)


def test_a_query_tells_the_date_of_the_end_and_none_before(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        name = (await client.submit()).body.message_id
        service.world.accept(service.line, "n1")
        before = (await client.ask(Command.QUERY_SM, QuerySm(name))).body
        service.world.report(service.line, Report(("n1",), ReportState.DELIVERED))

        after = (await client.ask(Command.QUERY_SM, QuerySm(name))).body

        assert (before.final_date, before.message_state) == ("", ENROUTE)
        assert (after.message_id, after.message_state, after.error_code) == (name, DELIVERED, 0)
        assert abs(read_time(after.final_date, now=service.world.now) - service.world.now) < timedelta(seconds=60)

    service.play(story)


def test_a_group_is_cancelled_by_its_addresses_and_its_service_type(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        one, two = await shop(client), await shop(client, service_type="OTP")
        other, foreign = await shop(client, OTTO), (await client.submit()).body.message_id

        assert await cancel(client, **pair(service_type="WAP")) == RCANCELFAIL
        assert await cancel(client, **pair(service_type="OTP")) == ROK
        assert [await state(client, name) for name in (one, two, other, foreign)] == [ENROUTE, DELETED, ENROUTE, ENROUTE]
        assert await cancel(client, **pair()) == ROK
        assert [await state(client, name) for name in (one, two, other, foreign)] == [DELETED, DELETED, ENROUTE, ENROUTE]
        assert await cancel(client, **pair()) == RCANCELFAIL
        assert await cancel(client, **pair("12")) == RCANCELFAIL
        assert service.world.money() == ("100", "2")

    service.play(story)


def test_what_a_submission_to_many_made_is_cancelled_together_and_not_replaced(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        many = SubmitMulti(destinations=(Destination(1, ANNA, 1, 1), Destination(1, OTTO, 1, 1)), short_message=b"hello")
        name = (await client.ask(Command.SUBMIT_MULTI, many)).body.message_id

        assert await replace(client, name) == RREPLACEFAIL
        assert await cancel(client, name) == ROK
        assert queued(service) == []
        assert service.world.money() == ("100", "0")

    service.play(story)


def test_a_replacement_is_priced_anew_keeps_its_name_and_its_end_is_told_once(service: Service, until: Until) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        world = service.world
        name = (await client.submit("short", registered_delivery=1)).body.message_id

        assert await replace(client, name, "x" * 161, registered_delivery=1) == ROK
        assert (queued(service), world.money()) == (["x" * 161], ("100", "2"))
        assert await replace(client, name, "once more", registered_delivery=1) == ROK
        assert (queued(service), world.money()) == (["once more"], ("100", "1"))
        assert await state(client, name) == ENROUTE
        world.accept(service.line, "n1")
        assert await replace(client, name, "too late") == RREPLACEFAIL
        assert await cancel(client, name) == RCANCELFAIL
        world.report(service.line, Report(("n1",), ReportState.DELIVERED))
        await until(lambda: client.delivered and service.waiting() == 0)

        (receipt,) = client.delivered
        assert receipt.body.short_message.startswith(f"id:{name} ".encode())
        assert b"stat:DELIVRD" in receipt.body.short_message
        assert await state(client, name) == DELIVERED
        assert (world.money(), world.queue()) == (("99", "0"), [])

    service.play(story)


def test_a_replacement_that_cannot_be_paid_leaves_the_message_and_its_charge(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        names = [(await client.submit(f"text {number}")).body.message_id for number in range(100)]

        assert service.world.money() == ("100", "100")
        assert await replace(client, names[0], "y" * 161) == RX_R_APPN
        assert (await state(client, names[0]), service.world.money()) == (ENROUTE, ("100", "100"))
        assert sorted(queued(service)) == sorted(f"text {number}" for number in range(100))
        assert await replace(client, names[0], "what it frees pays for it") == ROK
        assert service.world.money() == ("100", "100")

    service.play(story)


def test_a_replacement_keeps_what_it_does_not_name(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        later = service.world.now + timedelta(hours=2)
        name = await shop(client, priority_flag=2, schedule_delivery_time=format_absolute(later), registered_delivery=1)

        assert await replace(client, name, source_addr="SHOP", source_addr_ton=5) == ROK

        (old, new) = service.world.messages()
        assert (old.state, old.error_code) == ("cancelled", "replaced")
        assert (new.source, new.destination, new.text) == ("SHOP", f"+{ANNA}", "other")
        assert (new.state, new.priority, new.send_at, new.report_requested) == ("scheduled", 2, old.send_at, False)

    service.play(story)


def test_a_replacement_is_read_in_the_alphabet_of_the_first_text(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        text = "Plain".encode("utf-16-be")
        body = ShortMessage(dest_addr_ton=1, destination_addr=ANNA, data_coding=8, short_message=text)
        name = (await client.ask(Command.SUBMIT_SM, body)).body.message_id

        again = ReplaceSm(name, short_message="Žluťoučký".encode("utf-16-be"))
        assert await status(client, Command.REPLACE_SM, again) == ROK
        assert queued(service) == ["Žluťoučký"]

    service.play(story)


@pytest.mark.parametrize(
    ("fields", "command_status"),
    [
        ({"text": ""}, RINVMSGLEN),
        ({"sm_default_msg_id": 1}, 0x63),
        ({"schedule_delivery_time": "nonsense"}, RINVSCHED),
        ({"source_addr": "OTHER", "source_addr_ton": 5}, RREPLACEFAIL),
    ],
)
def test_a_replacement_that_cannot_be_is_refused_and_changes_nothing(service: Service, fields: dict[str, Any], command_status: int) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        name = await shop(client)

        assert await replace(client, name, **fields) == command_status
        assert await replace(client, "ghost") == RINVMSGID
        assert (queued(service), service.world.money()) == (["hello"], ("100", "1"))

    service.play(story)


def test_a_segment_of_a_long_text_is_not_replaced(service: Service) -> None:
    async def story(service: Service) -> None:
        client = await service.bound()
        names = []
        for index in (1, 2):
            octets = bytes((5, 0, 3, 7, 2, index)) + b"part"
            body = ShortMessage(dest_addr_ton=1, destination_addr=ANNA, esm_class=0x40, short_message=octets)
            names.append((await client.ask(Command.SUBMIT_SM, body)).body.message_id)

        assert await replace(client, names[0]) == RREPLACEFAIL
        assert await cancel(client, names[0]) == ROK
        assert service.world.money() == ("100", "0")

    service.play(story)

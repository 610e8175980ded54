"""smpplib and smpp34, which we did not write, as clients of the simulator, and as second opinion on our octets."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pennywire_smpp.bodies import ShortMessage
from pennywire_smpp.pdu import Command, Tlv, decode, encode
from pennywire_smpp.simulation import Behaviour, SimulatorOptions
from pennywire_smpp.simulator import Simulator

from pennywire import Accepted, ReportState
from pennywire.testing import FakeLink, make_submissions, reserved_port

pytestmark = pytest.mark.peers

ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
OCTET = st.integers(0, 255)
#: Field values that every reading of the specification allows.
BODIES = st.builds(
    ShortMessage,
    service_type=st.text(ASCII, max_size=5),
    source_addr_ton=st.integers(0, 6),
    source_addr_npi=st.sampled_from([0, 1, 3, 4, 6, 8, 9, 10, 14, 18]),
    source_addr=st.text(ASCII, max_size=20),
    dest_addr_ton=st.integers(0, 6),
    dest_addr_npi=st.sampled_from([0, 1, 3, 4, 6, 8, 9, 10, 14, 18]),
    destination_addr=st.text(ASCII, max_size=20),
    esm_class=OCTET,
    protocol_id=OCTET,
    priority_flag=st.integers(0, 3),
    schedule_delivery_time=st.just(""),
    validity_period=st.sampled_from(["", "000007000000000R", "261124090000004+"]),
    registered_delivery=OCTET,
    replace_if_present_flag=st.integers(0, 1),
    data_coding=OCTET,
    sm_default_msg_id=OCTET,
    short_message=st.binary(max_size=254),
)
TLVS = st.lists(st.tuples(st.integers(0x1400, 0x3FFF), st.binary(max_size=40)), max_size=4).map(tuple)
FIELDS = ShortMessage._fields


@pytest.fixture
def smpp34() -> Any:
    return pytest.importorskip("smpp34")


@pytest.fixture
def smpplib() -> Any:
    pytest.importorskip("smpplib.client")
    return pytest.importorskip("smpplib")


def test_smpp34_reads_the_same_fields_from_our_octets(smpp34: Any) -> None:
    @settings(max_examples=200)
    @given(BODIES, TLVS, st.sampled_from([Command.SUBMIT_SM, Command.DELIVER_SM]))
    def compare(body: ShortMessage, tlvs: tuple[Tlv, ...], command: Command) -> None:
        theirs = smpp34.decode(encode(command, 77, body, tlvs=tlvs))

        assert {name: getattr(theirs, name) for name in FIELDS} == body._asdict()
        assert tuple((tlv.tag, tlv.value) for tlv in theirs.tlvs) == tlvs

    compare()


def test_we_read_the_same_fields_from_the_octets_of_smpp34(smpp34: Any) -> None:
    @settings(max_examples=200)
    @given(BODIES, TLVS)
    def compare(body: ShortMessage, tlvs: tuple[Tlv, ...]) -> None:
        theirs = smpp34.DeliverSm(**body._asdict(), tlvs=[smpp34.Tlv(tag, value) for tag, value in tlvs], sequence_number=5)

        pdu = decode(bytes(theirs.encode()))

        assert (pdu.command_id, pdu.sequence_number, pdu.body, pdu.tlvs) == (Command.DELIVER_SM, 5, body, tlvs)

    compare()


def test_smpp34_as_client_of_the_simulator(smpp34: Any) -> None:
    async def scenario() -> None:
        refusal = {"99": Behaviour(command_status=0x0B)}
        async with Simulator(SimulatorOptions(behaviours=refusal)) as smsc, asyncio.timeout(20):
            session = await smpp34.Client("127.0.0.1", smsc.port, "me", "pw").connect()
            accepted = await session.submit_sm("36201234567", b"Hello", source_addr="Pennywire", registered_delivery=1)
            receipt = await session.next()
            refused = await session.submit_sm("3699", b"Hello")
            stored = await smsc.mo("x" * 200)
            incoming = await session.next()
            await session.unbind()
            await smsc.until(lambda one: one.bind_count == 0)

            assert accepted.message_id == smsc.submissions[0].network_id
            assert receipt.esm_class == 4
            assert f"id:{accepted.message_id} ".encode() in receipt.short_message
            assert refused.command_status == 0x0B
            assert stored == [0, 0]
            assert (incoming.source_addr, incoming.esm_class) == ("36301112233", 0x40)

    asyncio.run(scenario())


def test_smpp34_as_smsc_of_our_client(smpp34: Any, make_connector: Any) -> None:
    async def scenario(port: int) -> None:
        server = smpp34.Server("127.0.0.1", port)
        await server.start()
        link = FakeLink()
        task = asyncio.create_task(make_connector(port).run(link))
        async with asyncio.timeout(20):
            esme = await server.next()
            link.feed(make_submissions("Hello"))
            submitted = await server.next()
            assert (submitted.short_message, submitted.destination_addr) == (b"Hello", "36201234567")
            submitted.accept("0118Z-57DGB")
            words = b"id:0118Z-57DGB sub:001 dlvrd:001 submit date:2611230900 done date:2611230901 stat:EXPIRED err:011 text:Hello"
            stored = await esme.deliver_sm("Pennywire", words, source_addr="36201234567", esm_class=4)
            await link.until(lambda one: one.answers and one.reports)
            link.stop()
            await task
            await server.stop()

        assert stored.is_success
        assert link.outcomes == [Accepted("0118Z-57DGB")]
        assert (link.reports[0].network_ids, link.reports[0].state) == (("0118Z-57DGB",), ReportState.EXPIRED)

    with reserved_port() as port:
        asyncio.run(scenario(port))


def test_smpplib_as_client_of_the_simulator(smpplib: Any) -> None:
    """It is a blocking library, so it talks from a thread."""

    def converse(port: int) -> tuple[list[Any], list[Any]]:
        answers: list[Any] = []
        deliveries: list[Any] = []
        client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
        client.set_message_sent_handler(lambda *, pdu: answers.append(pdu))
        client.set_message_received_handler(lambda *, pdu: deliveries.append(pdu))
        client.set_error_pdu_handler(lambda _: None)
        client.connect()
        client.bind_transceiver(system_id="me", password="pw")
        for destination in ("36201234567", "3699"):
            client.send_message(source_addr="Pennywire", destination_addr=destination, short_message=b"Hello", registered_delivery=1)
        while len(answers) < 2 or not deliveries:
            client.read_once(auto_send_enquire_link=False)
        client.unbind()
        client.disconnect()
        return answers, deliveries

    async def scenario() -> None:
        async with Simulator(SimulatorOptions(behaviours={"99": Behaviour(command_status=0x0B)})) as smsc:
            answers, (receipt,) = await asyncio.to_thread(converse, smsc.port)
            await smsc.until(lambda one: one.bind_count == 0)

            accepted, refused = answers
            assert accepted.message_id.decode() == smsc.submissions[0].network_id
            assert refused.status == 0x0B
            assert receipt.short_message.startswith(b"id:" + accepted.message_id)
            assert [submitted.text for submitted in smsc.submissions] == ["Hello", "Hello"]

    asyncio.run(scenario())

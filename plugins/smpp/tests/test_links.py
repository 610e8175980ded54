"""The connector's links: binding, refusals, silence, loss, TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pennywire_smpp import statuses
from pennywire_smpp.bodies import AlertNotification, BindResp, Outbind
from pennywire_smpp.framing import FrameReader
from pennywire_smpp.pdu import Command, Pdu, decode, encode
from pennywire_smpp.simulation import SimulatorOptions

from pennywire import Accepted, OutcomeUnknown
from pennywire.testing import FakeLink, make_submissions


def run(scenario: Any) -> None:
    asyncio.run(scenario)


class TerseSmsc:
    """A peer that answers the bind and then says only what a test tells it to."""

    def __init__(self, greeting: bytes) -> None:
        self._greeting = greeting
        self.pdus: asyncio.Queue[Pdu] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.say(self._greeting)
        frames = FrameReader()
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                for frame in frames.feed(chunk):
                    pdu = decode(frame)
                    if pdu.command_id == Command.BIND_TRANSCEIVER:
                        self.say(encode(Command.BIND_TRANSCEIVER_RESP, pdu.sequence_number, BindResp("terse")))
                    else:
                        self.pdus.put_nowait(pdu)
        writer.close()

    def say(self, octets: bytes) -> None:
        self.writers[-1].write(octets)


@asynccontextmanager
async def terse_smsc(greeting: bytes = b"") -> AsyncIterator[tuple[TerseSmsc, int]]:
    smsc = TerseSmsc(greeting)
    server = await asyncio.start_server(smsc.serve, "127.0.0.1", 0)
    try:
        yield smsc, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in smsc.writers:
            writer.close()


@asynccontextmanager
async def running(connector: Any) -> AsyncIterator[FakeLink]:
    """Run a connector that is thrown away at the end, whatever its peer does."""
    link = FakeLink()
    task = asyncio.create_task(connector.run(link))
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_it_reconnects_after_a_loss(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            served.smsc.cut_links()
            await served.link.until(lambda link: link.states.count(True) == 2)

            assert "Next try in" in str(served.link.states[1])
            served.link.feed(make_submissions())
            await served.link.until(lambda link: link.answers)
            assert isinstance(served.link.outcomes[0], Accepted)

    run(scenario())


def test_it_keeps_trying_where_nobody_listens(serve: Any) -> None:
    async def scenario() -> None:
        async with serve() as served:
            await served.smsc.stop()
            await served.link.until(lambda link: len(link.states) >= 4)

            assert "The peer unbound" in str(served.link.states[1])
            assert "Cannot reach 127.0.0.1" in str(served.link.states[-1])

    run(scenario())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (statuses.ESME_RINVPASWD, "the password is wrong"),
        (statuses.ESME_RINVSYSID, "the system_id is unknown"),
        (statuses.ESME_RALYBND, "already bound"),
        (statuses.ESME_RBINDFAIL, "the bind failed"),
    ],
)
def test_s6_a_refused_bind_is_told_in_words_and_rests_longer(serve: Any, status: int, words: str) -> None:
    async def scenario() -> None:
        options = SimulatorOptions(bind_status=status)
        async with serve(options, wait=False, refused_pause_s=30) as served:
            await served.link.until(lambda link: link.states)

            (state,) = served.link.states
            assert words in str(state)
            assert f"0x{status:08X}" in str(state)
            assert 22 <= int(str(state).split("Next try in ")[1].split()[0]) <= 38

    run(scenario())


def test_s6_another_refusal_rests_as_after_a_loss(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(bind_status=statuses.ESME_RSYSERR), wait=False, refused_pause_s=30) as served:
            await served.link.until(lambda link: len(link.states) >= 3)

            assert served.smsc.statistics.binds_refused >= 3

    run(scenario())


def test_s6_the_password_decides(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(system_id="me", password="pw")) as served:
            assert served.smsc.statistics.binds == 1

    run(scenario())


def test_it_stops_while_it_rests(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(bind_status=statuses.ESME_RINVPASWD), wait=False, refused_pause_s=600) as served:
            await served.link.until(lambda link: link.states)

            await served.stop()

    run(scenario())


def test_cancelling_cuts_the_link_and_leaves_nothing_behind(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(SimulatorOptions(latency_s=60)) as served:
            served.link.feed(make_submissions())
            await served.smsc.until(lambda smsc: smsc.statistics.submitted == 1)
            served.task.cancel()
            await asyncio.gather(served.task, return_exceptions=True)

            assert [type(failure.error) for failure in served.link.failures] == [OutcomeUnknown]
            await served.smsc.until(lambda smsc: smsc.bind_count == 0)
            served.task = asyncio.create_task(asyncio.sleep(0))

    run(scenario())


def test_s5_the_link_is_checked_and_stays(make_connector: Any) -> None:
    async def scenario() -> None:
        async with terse_smsc() as (smsc, port), running(make_connector(port, enquire_link_interval_s=0.1)) as link:
            for _ in range(3):
                pdu = await asyncio.wait_for(smsc.pdus.get(), 5)
                assert pdu.command_id == Command.ENQUIRE_LINK
                smsc.say(encode(Command.ENQUIRE_LINK_RESP, pdu.sequence_number))

            assert link.states == [True]

    run(scenario())


def test_s5_enquire_link_of_the_smsc_is_answered(make_connector: Any) -> None:
    async def scenario() -> None:
        async with terse_smsc() as (smsc, port), running(make_connector(port)) as link:
            await link.until(lambda one: one.is_up)
            smsc.say(encode(Command.ENQUIRE_LINK, 4711))

            pdu = await asyncio.wait_for(smsc.pdus.get(), 5)
            assert (pdu.command_id, pdu.sequence_number) == (Command.ENQUIRE_LINK_RESP, 4711)

    run(scenario())


def test_s7_a_half_open_connection_is_found_and_left(make_connector: Any) -> None:
    """The peer takes everything and says nothing, as behind a firewall that forgot the connection."""

    async def scenario() -> None:
        settings = {"enquire_link_interval_s": 0.1, "response_timeout_s": 0.2}
        async with terse_smsc() as (smsc, port), running(make_connector(port, **settings)) as link:
            await link.until(lambda one: one.is_up)
            link.feed(make_submissions())
            await link.until(lambda one: len(one.states) >= 3)

            assert "did not answer enquire_link" in str(link.states[1])
            assert [type(failure.error) for failure in link.failures] == [OutcomeUnknown]
            assert len(smsc.writers) >= 2

    run(scenario())


def test_s4_an_answer_to_nothing_does_not_drop_the_bind(make_connector: Any) -> None:
    async def scenario() -> None:
        async with terse_smsc() as (smsc, port), running(make_connector(port)) as link:
            await link.until(lambda one: one.is_up)
            smsc.say(encode(Command.SUBMIT_SM_RESP, 999_999))
            await link.until(lambda one: any("999999" in line for line in one.lines))

            assert link.states == [True]

    run(scenario())


def test_requests_that_want_no_answer_get_none(make_connector: Any) -> None:
    async def scenario() -> None:
        async with terse_smsc() as (smsc, port), running(make_connector(port)) as link:
            await link.until(lambda one: one.is_up)
            smsc.say(encode(Command.ALERT_NOTIFICATION, 1, AlertNotification(1, 1, "361", 1, 1, "99")) + encode(Command.ENQUIRE_LINK, 2))

            answer = await asyncio.wait_for(smsc.pdus.get(), 5)
            assert (answer.command_id, answer.sequence_number) == (Command.ENQUIRE_LINK_RESP, 2)
            assert any("alert_notification" in line for line in link.lines)

    run(scenario())


def test_an_outbind_before_the_bind_is_noted(make_connector: Any) -> None:
    async def scenario() -> None:
        async with (
            terse_smsc(greeting=encode(Command.OUTBIND, 1, Outbind("SMSC", "pw"))) as (_, port),
            running(make_connector(port)) as link,
        ):
            await link.until(lambda one: one.is_up)

            assert any("outbind" in line for line in link.lines)

    run(scenario())


def test_s10_the_peer_unbinds_with_messages_in_flight(make_connector: Any) -> None:
    async def scenario() -> None:
        async with terse_smsc() as (smsc, port), running(make_connector(port)) as link:
            link.feed(make_submissions())
            await asyncio.wait_for(smsc.pdus.get(), 5)
            smsc.say(encode(Command.UNBIND, 1))
            answer = await asyncio.wait_for(smsc.pdus.get(), 5)
            await link.until(lambda one: len(one.states) >= 2)

            assert answer.command_id == Command.UNBIND_RESP
            assert [type(failure.error) for failure in link.failures] == [OutcomeUnknown]

    run(scenario())


def test_s10_a_peer_that_speaks_something_else_is_left(make_connector: Any) -> None:
    async def scenario() -> None:
        async with terse_smsc() as (smsc, port), running(make_connector(port)) as link:
            await link.until(lambda one: one.is_up)
            smsc.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await link.until(lambda one: len(one.states) >= 2)

            assert "does not speak SMPP" in str(link.states[1])

    run(scenario())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for localhost that signs itself; key and certificate are in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


def _parts(path: Path) -> tuple[str, str]:
    """Return key and certificate of a PEM file."""
    key, _, rest = path.read_text().partition("-----BEGIN CERTIFICATE-----")
    return key, f"-----BEGIN CERTIFICATE-----{rest}"


@pytest.fixture
def tls_options(certificate: Path) -> Callable[..., SimulatorOptions]:
    """Make options of a simulator that speaks TLS, and asks for a client certificate where it is told to."""

    def make(*, client_certificate: bool = False) -> SimulatorOptions:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        if client_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(certificate)
        return SimulatorOptions(tls=context)

    return make


def test_tls_with_a_private_ca(serve: Any, tls_options: Any, certificate: Path) -> None:
    async def scenario() -> None:
        _, ca = _parts(certificate)
        async with serve(tls_options(), host="localhost", tls=True, tls_ca=ca) as served:
            served.link.feed(make_submissions("x" * 500))
            await served.link.until(lambda link: len(link.reports) == 4)

    run(scenario())


def test_tls_with_a_client_certificate(serve: Any, tls_options: Any, certificate: Path) -> None:
    async def scenario() -> None:
        key, ca = _parts(certificate)
        given = {"tls_ca": ca, "tls_client_certificate": ca, "tls_client_key": key, "tls_server_name": "localhost"}
        async with serve(tls_options(client_certificate=True), tls=True, **given) as served:
            assert await served.smsc.mo("Hello") == [0]

    run(scenario())


def test_tls_without_verification(serve: Any, tls_options: Any) -> None:
    async def scenario() -> None:
        async with serve(tls_options(), tls=True, tls_verify=False) as served:
            assert served.link.is_up

    run(scenario())


@pytest.mark.parametrize("given", [{}, {"tls_server_name": "smsc.example"}])
def test_tls_refuses_a_certificate_that_it_cannot_verify(serve: Any, tls_options: Any, given: dict[str, str]) -> None:
    async def scenario() -> None:
        async with serve(tls_options(), wait=False, host="localhost", tls=True, **given) as served:
            await served.link.until(lambda link: link.states)

            assert "CERTIFICATE_VERIFY_FAILED" in str(served.link.states[0])
            assert served.smsc.statistics.binds == 0

    run(scenario())


def test_certificates_that_cannot_be_read_are_told_and_not_tried_again(serve: Any) -> None:
    async def scenario() -> None:
        async with serve(wait=False, tls=True, tls_ca="no certificate") as served:
            await served.link.until(lambda link: link.states)

            assert "TLS settings cannot be used" in str(served.link.states[0])

    run(scenario())

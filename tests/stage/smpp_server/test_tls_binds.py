"""Customers bind by TLS: they verify our certificate, and nothing is said to who does not speak TLS."""

import asyncio
import ssl
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pennywire_smpp.pdu import Command

from app import administration
from app.models import PluginSettings
from pennywire.testing import reserved_port

Service = Any
Until = Callable[..., Any]

RBINDFAIL = 0x0D
HOST = "127.0.0.1"

BODY = b"anna\0secret12\0\0\x34\0\0\0"
FRAME = struct.pack(">4I", 16 + len(BODY), Command.BIND_TRANSCEIVER, 0, 1) + BODY
"""A bind_transceiver, as octets. Source: SMPP v3.4 §4.1.5."""

# Each story starts and ends an engine.
pytestmark = pytest.mark.full


def make_certificate() -> tuple[str, str]:
    """Return certificate and key of a server at localhost, in PEM; the certificate is its own CA."""
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
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM).decode(), secret.decode()


@pytest.fixture
def tls_service(service: Service) -> Iterator[tuple[Service, int, str]]:
    """Return the service, its TLS port and the CA that signed its certificate."""
    certificate, key = make_certificate()
    core = service.world.core
    with reserved_port() as port:
        given = {"server_tls_port": port, "server_tls_certificate": certificate, "server_tls_key": core.vault.encrypt(key)}
        with core.database.write() as session:
            kept = administration.stored_plugin_settings(session, "smpp")
            session.merge(PluginSettings(name="smpp", settings={**kept, **given}))
            administration.changed(session)
        yield service, port, certificate


async def bind_by_tls(port: int, ca: str) -> int:
    """Bind as a program that verifies our certificate, and return the command_status. Raises: ssl.SSLError."""
    context = ssl.create_default_context(cadata=ca)
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname="localhost")
    try:
        writer.write(FRAME)
        head = await asyncio.wait_for(reader.readexactly(16), 20)
        return int.from_bytes(head[8:12])
    finally:
        writer.close()


def test_a_bind_by_tls_with_the_right_ca_is_answered_where_tls_is_wanted(tls_service: tuple[Service, int, str], until: Until) -> None:
    service, port, ca = tls_service

    async def story(service: Service) -> None:
        await until(service.serves)

        assert await bind_by_tls(port, ca) == 0
        assert await (await service.connect()).bind() == RBINDFAIL

    service.play(story, tls_required=True)


def test_with_another_ca_the_handshake_fails_and_the_server_goes_on(tls_service: tuple[Service, int, str], until: Until) -> None:
    service, port, ca = tls_service

    async def story(service: Service) -> None:
        await until(service.serves)

        with pytest.raises(ssl.SSLCertVerificationError):
            await bind_by_tls(port, make_certificate()[0])
        assert await bind_by_tls(port, ca) == 0

    service.play(story)


def test_plain_text_on_the_tls_port_is_cut_without_an_smpp_answer(tls_service: tuple[Service, int, str], until: Until) -> None:
    service, port, ca = tls_service

    async def story(service: Service) -> None:
        await until(service.serves)
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(FRAME)
        try:
            said = await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            said = b""
        writer.close()

        assert Command.BIND_TRANSCEIVER_RESP.to_bytes(4) not in said
        assert await bind_by_tls(port, ca) == 0

    service.play(story)

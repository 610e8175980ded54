"""Mail to a real server: each kind of encryption, signing in, and what the server says."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.mailing import Mail, MailFailed, MailServer, is_address, send

PostOffice = Any
Open = Callable[..., PostOffice]
MAIL = Mail("anna@example.com", "Credit runs low", "Below 10: 9.5 are left. Ökö.\n", datetime(2026, 3, 1, tzinfo=UTC), mark="notice-7")


def server(office: PostOffice, tls: str = "none", **values: Any) -> MailServer:
    return MailServer("localhost", office.port, tls, sender="gateway@example.com", **values)


def test_mail_arrives_as_it_was_written(post_office: Open) -> None:
    office = post_office()

    said = send(server(office), MAIL)

    (mail,) = office.mails
    assert said == "250 2.0.0 Ok: queued as 4711"
    assert office.recipients == ["anna@example.com"]
    assert (mail["From"], mail["To"], mail["Subject"]) == ("gateway@example.com", "anna@example.com", "Credit runs low")
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<notice-7@example.com>", "auto-generated")
    assert mail.get_content().strip() == MAIL.text.strip()


@pytest.mark.parametrize(("tls", "way"), [("starttls", "tls_context"), ("tls", "implicit")])
def test_mail_leaves_encrypted_and_signed_in(post_office: Open, certificate: ssl.SSLContext, tls: str, way: str) -> None:
    more = {"require_starttls": True} if tls == "starttls" else {"auth_require_tls": False}
    office = post_office(auth_required=True, **{way: certificate}, **more)

    send(server(office, tls, user="gateway", password="a fine password"), MAIL)

    assert (len(office.mails), office.signed_in) == (1, ["gateway"])


def test_certificate_for_another_name_is_refused(post_office: Open, certificate: ssl.SSLContext) -> None:
    office = post_office(tls_context=certificate, require_starttls=True)

    with pytest.raises(MailFailed, match=r"certificate is not valid for 127\.0\.0\.1"):
        send(replace(server(office, "starttls"), host="127.0.0.1"), MAIL)

    assert office.mails == []


def test_certificate_that_nobody_vouches_for_is_refused(
    post_office: Open, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    office = post_office(tls_context=certificate, require_starttls=True)

    with pytest.raises(MailFailed, match="certificate is not valid"):
        send(server(office, "starttls"), MAIL)


def test_wrong_password_is_told_in_the_servers_words(post_office: Open) -> None:
    office = post_office(auth_required=True, auth_require_tls=False)

    with pytest.raises(MailFailed, match="refused user name and password: 535 "):
        send(server(office, user="gateway", password="wrong"), MAIL)


def test_server_without_starttls_is_not_used_in_clear(post_office: Open) -> None:
    office = post_office()

    with pytest.raises(MailFailed, match="STARTTLS"):
        send(server(office, "starttls"), MAIL)

    assert office.mails == []


def test_refusal_is_told_in_the_servers_words(post_office: Open) -> None:
    office = post_office()
    office.answer = "552 5.2.2 Mailbox full\x1b[31m"

    with pytest.raises(MailFailed, match=r"refused the mail: 552 5\.2\.2 Mailbox full\?\[31m"):
        send(server(office), MAIL)


def test_server_that_is_not_there_or_silent_is_told(post_office: Open) -> None:
    with pytest.raises(MailFailed, match="No mail server is set"):
        send(MailServer(""), MAIL)
    with pytest.raises(MailFailed, match="cannot be used"):
        send(replace(server(post_office()), port=1), MAIL)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailFailed, match=r"did not answer within 0\.2 s"):
        send(MailServer("127.0.0.1", silent.getsockname()[1], "none", sender="a@b.c"), MAIL, time_limit_s=0.2)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("anna@example.com", True),
        ("a.b+c@mail.example", True),
        ("anna", False),
        ("anna@", False),
        ("a b@example.com", False),
        ("a@b.c\r\nBcc: d@e.f", False),
        ("a@b.c, d@e.f", False),
        ("x" * 65 + "@example.com", False),
        ("ő@example.com", False),
    ],
)
def test_address_is_one_address(text: str, right: bool) -> None:
    assert is_address(text) is right

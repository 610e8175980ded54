"""Mail: one message to one address by the operator's SMTP server, and what the server said to it."""

import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

TIME_LIMIT_S = 10.0
TLS_MODES = ("none", "starttls", "tls")
DEFAULT_PORTS: Mapping[str, int] = {"none": 25, "starttls": 587, "tls": 465}
"""Source: RFC 5321 §4.5.4.2, RFC 6409 §3.1, RFC 8314 §3.3."""

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", re.ASCII)
"""An address as people have them. Source: RFC 5322 §3.4.1, without quoted names and literals."""


class MailFailed(Exception):
    """The server did not take the mail, or there is none; the text says why, in the server's own words where it spoke."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """How mail leaves. `tls`: `none`, `starttls` or `tls`; a certificate is always verified. Port 0 is the usual one."""

    host: str
    port: int = 0
    tls: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. `mark` makes its Message-ID the same at each try, so that a repeat can be recognised."""

    address: str
    subject: str
    text: str
    at: datetime
    mark: str = ""


def is_address(text: str) -> bool:
    """Say whether a text can be an e-mail address."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None and ".." not in text


def send(server: MailServer, mail: Mail, *, time_limit_s: float = TIME_LIMIT_S) -> str:
    """Hand a mail to the server and return what it answered, such as `250 2.0.0 Ok: queued`. Raises: MailFailed."""
    if not server.host:
        raise MailFailed("No mail server is set. Set one under System / Mail.")
    message = _message(server, mail)
    try:
        smtp = _connected(server, time_limit_s)
        try:
            return _hand_over(smtp, server, mail.address, message)
        finally:
            # The mail is taken or refused by now; how the server says farewell changes nothing.
            with suppress(OSError, smtplib.SMTPException):
                smtp.quit()
            smtp.close()
    except smtplib.SMTPAuthenticationError as error:
        raise MailFailed(f"The server refused user name and password: {_said((error.smtp_code, error.smtp_error))}") from error
    except smtplib.SMTPResponseException as error:
        raise MailFailed(f"The server refused: {_said((error.smtp_code, error.smtp_error))}") from error
    except ssl.SSLCertVerificationError as error:
        raise MailFailed(f"The server's certificate is not valid for {server.host}: {error.verify_message}.") from error
    except ssl.SSLError as error:
        raise MailFailed(f"No TLS with {server.host}: {error.reason or error}. Check port and kind of TLS.") from error
    except (OSError, ValueError, smtplib.SMTPException) as error:
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            said = f"The server {server.host} did not answer within {time_limit_s:g} s. Check host, port and kind of TLS."
            raise MailFailed(said) from error
        raise MailFailed(f"The server {server.host} cannot be used: {str(error) or type(error).__name__}.") from error


def _hand_over(smtp: smtplib.SMTP, server: MailServer, address: str, message: EmailMessage) -> str:
    if server.user:
        smtp.login(server.user, server.password)
    _expect(smtp.mail(server.sender), "the sender")
    _expect(smtp.rcpt(address), "the recipient")
    answer = smtp.data(message.as_bytes())
    _expect(answer, "the mail")
    return _said(answer)


def _connected(server: MailServer, time_limit_s: float) -> smtplib.SMTP:
    port = server.port or DEFAULT_PORTS[server.tls]
    context = ssl.create_default_context()
    if server.tls == "tls":
        return smtplib.SMTP_SSL(server.host, port, timeout=time_limit_s, context=context)
    smtp = smtplib.SMTP(server.host, port, timeout=time_limit_s)
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.tls == "starttls":
            smtp.starttls(context=context)
            smtp.ehlo()
    except BaseException:
        smtp.close()
        raise
    return smtp


def _message(server: MailServer, mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"] = server.sender
    message["To"] = mail.address
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.at)
    domain = server.sender.rpartition("@")[2] or socket.gethostname()
    message["Message-ID"] = f"<{mail.mark}@{domain}>" if mail.mark else make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _expect(answer: tuple[int, bytes], what: str) -> None:
    if not 200 <= answer[0] < 300:
        raise MailFailed(f"The server refused {what}: {_said(answer)}")


def _said(answer: tuple[int, bytes | str]) -> str:
    code, text = answer
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    line = " ".join(words.split())[:300]
    return f"{code} {''.join(character if character.isprintable() else '?' for character in line)}"

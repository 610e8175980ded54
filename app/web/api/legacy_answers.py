"""Answers of the legacy dialect: the same records as XML, as HTML, and as the XML of Message Server 6."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from app.refusals import Refused

XML_TYPE = "application/xml; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"

ACCEPTED = "Message accepted for delivery"


class Form(Enum):
    """How an answer is written."""

    XML = "xml"
    HTML = "html"
    #: Message Server 6: capitalised elements, no document type.
    MS6 = "ms6"


DOCTYPES: Mapping[str, str] = MappingProxyType(
    {
        name: f'<!DOCTYPE {name} PUBLIC "-//OZEKI//DTD XML 1.0//EN" "http://www.ozekisms.com/DTD/{name}.xml">'
        for name in ("smsapi", "response")
    }
)
"""Sending and billing say `smsapi`, receiving says `response`."""

_LABELS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "statuscode": ("StatusCode", "Status code"),
        "statusmessage": ("StatusText", "Status message"),
        "messageid": ("MessageID", "Message ID"),
        "recipient": ("Recipient", "Recipient"),
        "originator": ("Originator", "Originator"),
        "messagetype": ("MessageType", "Message type"),
        "messagedata": ("MessageData", "Message data"),
        "senttime": ("SentTime", "Sent time"),
        "receivedtime": ("ReceivedTime", "Received time"),
        "username": ("Username", "Username"),
        "balance": ("Balance", "Balance"),
        "type": ("Type", "Type"),
        "status": ("Status", "Status"),
        "messages": ("Messages", "Messages"),
        "segments": ("Segments", "Segments"),
        "cost": ("Cost", "Cost"),
        "errorcode": ("ErrorCode", "Error code"),
        "errormessage": ("ErrorMessage", "Error message"),
    }
)
"""Element to its name in Message Server 6, and to its label in HTML."""

_RECORDS: Mapping[str, str] = MappingProxyType({"acceptreport": "AcceptReport", "message": "Message", "account": "Account", "user": "User"})
_ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "sendmessage": "sendMessage",
        "receivemessage": "receiveMessage",
        "getcredits": "getCredits",
        "setcredits": "setCredits",
        "addcredits": "addCredits",
        "createuser": "createUser",
        "configuser": "configUser",
        "startuser": "startUser",
        "stopuser": "stopUser",
        "deleteuser": "deleteUser",
    }
)

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What an action says: records of one kind, each of (element, text) pairs. A record without a kind stands in `data` itself."""

    action: str
    kind: str
    records: Sequence[Pairs]


# What XML 1.0 §2.2 does not allow in a document, even as a reference.
_IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile("[&<>\"'\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Return text as XML or HTML shows it; what XML cannot hold becomes U+FFFD, and a carriage return survives."""
    if not _SPECIAL.search(text):
        return text
    return html.escape(_IMPOSSIBLE.sub("\ufffd", text)).replace("\r", "&#13;")


def accept_report(number: int, status: str, message_id: str, recipient: str) -> Pairs:
    """Return the report about one recipient; `number` 0 is accepted."""
    return (("statuscode", str(number)), ("statusmessage", status), ("messageid", message_id), ("recipient", recipient))


def refusal(action: str, refused: Refused) -> Reply:
    """Return the answer to a request that was refused as a whole."""
    return Reply(action, "", [(("errorcode", str(refused.refusal.number)), ("errormessage", refused.reason))])


def write(reply: Reply, form: Form, *, continue_url: str = "") -> bytes:
    """Write an answer. `continue_url` is linked below the HTML form only."""
    return _WRITERS[form](reply, continue_url).encode("utf-8")


def content_type(form: Form) -> str:
    """Return the media type of a form."""
    return HTML_TYPE if form is Form.HTML else XML_TYPE


def _write_xml(reply: Reply, _continue_url: str) -> str:
    doctype = DOCTYPES["response" if reply.action == "receivemessage" else "smsapi"]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', doctype, "<response>", f"  <action>{escape(reply.action)}</action>", "  <data>"]
    indent = "      " if reply.kind else "    "
    for record in reply.records:
        if reply.kind:
            lines.append(f"    <{reply.kind}>")
        lines += [f"{indent}<{name}>{escape(text)}</{name}>" for name, text in record]
        if reply.kind:
            lines.append(f"    </{reply.kind}>")
    lines += ["  </data>", "</response>", ""]
    return "\n".join(lines)


def _write_ms6(reply: Reply, _continue_url: str) -> str:
    parts = [f"<Response><Action>{escape(_ACTIONS.get(reply.action, reply.action))}</Action><Data>"]
    for record in reply.records:
        # An accepted message has an empty status text there, and no recipient.
        fields = [(name, "" if text == ACCEPTED else text) for name, text in record if (reply.kind, name) != ("acceptreport", "recipient")]
        inner = "".join(f"<{_LABELS[name][0]}>{escape(text)}</{_LABELS[name][0]}>" for name, text in fields)
        kind = _RECORDS.get(reply.kind, "")
        parts.append(f"<{kind}>{inner}</{kind}>" if kind else inner)
    parts.append("</Data></Response>\n")
    return "".join(parts)


def _write_html(reply: Reply, continue_url: str) -> str:
    lines = ["<!DOCTYPE html>", "<html><head><meta charset='utf-8'><title>SMS</title></head><body>"]
    for record in reply.records:
        lines += [f"{_LABELS[name][1]}: {escape(text)}<br>" for name, text in record]
        lines.append("<br>")
    if continue_url:
        lines.append(f"<a href='{escape(continue_url)}'>Click here to continue</a>")
    lines += ["</body></html>", ""]
    return "\n".join(lines)


_WRITERS = {Form.XML: _write_xml, Form.HTML: _write_html, Form.MS6: _write_ms6}


def safe_link(url: str) -> str:
    """Return an address that a page may link to: http or https with a host. Anything else becomes empty, as a script would be."""
    return url if re.match(r"https?://[^\s/?#\\]", url, re.IGNORECASE) and not re.search(r"[\x00-\x20\x7f]", url) else ""

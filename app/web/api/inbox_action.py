"""`receivemessage`: the messages of a folder, and what becomes of them after the download."""

from collections.abc import Mapping
from datetime import tzinfo
from types import MappingProxyType

from app import mailbox
from app.identifiers import public_id
from app.models import Message
from app.refusals import RequestRefused
from app.web.api import legacy_answers, message_types, times
from app.web.api.legacy_answers import Reply
from app.web.api.legacy_call import Call, folder, limit
from pennywire import Alphabet

AFTER_DOWNLOAD: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("delete", "deleted", "remove"), "delete"),
        **dict.fromkeys(("mark", "marked", "markasdownloaded", "downloaded", "read"), "mark"),
        **dict.fromkeys(("", "untouch", "untouched", "leave", "leaveuntouched", "none", "nothing", "keep"), "leave"),
    }
)
"""Words of clients to what the mailbox does. Without a word nothing is touched, so that nothing can be lost."""


def receive(call: Call) -> Reply:
    """Answer the oldest messages of a folder that are not marked as downloaded. Raises: RequestRefused."""
    given = call.parameters
    where, most, after = folder(given.get("folder")), limit(given.get("limit")), _after(given.get("afterdownload"))
    database = call.core.database
    now = call.core.clock()
    if after == "leave":
        with database.read() as session:
            messages = mailbox.download(session, call.user.id, where, most, after=after, unread_only=True, now=now)
    else:
        messages = database.run(
            lambda session: mailbox.download(session, call.user.id, where, most, after=after, unread_only=True, now=now)
        )
    zone = times.zone(call.core.snapshots.present())
    return Reply("receivemessage", "message", [_record(message, zone) for message in messages])


def _after(word: str) -> str:
    plain = word.strip().lower().replace(" ", "").replace("_", "").replace("-", "")
    if plain not in AFTER_DOWNLOAD:
        raise RequestRefused(
            "invalid_parameter", f"The value of afterdownload is {word[:40]!r}; it must be delete, mark or untouch.", "afterdownload"
        )
    return AFTER_DOWNLOAD[plain]


def _record(message: Message, zone: tzinfo) -> legacy_answers.Pairs:
    binary = message.alphabet == Alphabet.BINARY
    return (
        ("messageid", public_id(message.id)),
        ("originator", message.source),
        ("recipient", message.destination),
        ("messagetype", message_types.name_of(message.alphabet)),
        ("messagedata", (message.data or b"").hex().upper() if binary else message.text),
        ("senttime", times.write(message.send_at or message.created_at, zone)),
        ("receivedtime", times.write(message.created_at, zone)),
    )

"""The vendor's JSON dialect on the legacy address: `sendmsg`, `receivemsg`, `markmsg`, `deletemsg` with Basic authentication.

Its clients are strict about what they read: dates with a blank and without fractions, a limit that is a text, `tags` always
there, no nulls. They are not about what they send: see `vendor_messages`.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from flask import Request as HttpRequest
from flask import Response
from sqlalchemy.orm import Session

from app import mailbox, withdrawals
from app.authentication import Authenticator
from app.core import Core
from app.intake import Intake
from app.lifecycle import Folder
from app.messages import MAX_MESSAGES, Request
from app.refusals import Refused, RequestRefused
from app.snapshot import UserView
from app.web.api import failures, parameters, times, vendor_messages
from app.web.api.legacy_call import folder, limit, require_legacy

SUCCESS = "SUCCESS"

CANCELLABLE = frozenset({Folder.OUTBOX, Folder.SCHEDULED})
"""Folders whose messages are cancelled before they are deleted."""

HEADERS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))

_NOTHING: Mapping[str, Any] = MappingProxyType(
    {
        "total_count": 0,
        "success_count": 0,
        "failed_count": 0,
        "messages": [],
        "folder": "inbox",
        "message_ids": [],
        "limit": "0",
        "data": [],
    }
)
"""What `data` holds in an error: clients read it without looking at the code first."""


class _Ids(msgspec.Struct):
    message_ids: list[str] | None = None
    folder: str | None = None


class VendorJson:
    """Answers the JSON actions."""

    def __init__(self, core: Core, intake: Intake, authenticator: Authenticator) -> None:
        self._core = core
        self._intake = intake
        self._authenticator = authenticator

    def answer(self, http: HttpRequest, action: str) -> Response:
        """Answer a request; a refusal keeps the shape that clients expect."""
        try:
            method, work = ACTIONS[action]
            if http.method != method:
                raise RequestRefused("method_not_allowed", f"The action {action} takes {method}, not {http.method}.")
            user = self._authenticate(http)
            message, data = work(self, http, user)
        except failures.EXPECTED as error:
            return self.refuse(error)
        return _response(200, {"http_code": 200, "response_code": SUCCESS, "response_msg": message, "data": data})

    def refuse(self, error: Exception) -> Response:
        """Answer a request that was refused as a whole."""
        refused = failures.refused_by(error)
        status = refused.refusal.status
        body = {"http_code": status, "response_code": vendor_messages.code(refused), "response_msg": refused.reason, "data": dict(_NOTHING)}
        response = _response(status, body)
        response.headers.update(failures.retry_headers(error, refused))
        if refused.code == "unauthenticated":
            response.headers["WWW-Authenticate"] = 'Basic realm="Pennywire", charset="UTF-8"'
        return response

    def _authenticate(self, http: HttpRequest) -> UserView:
        """Return the caller by his Basic credentials. Raises: RequestRefused."""
        scheme, _, encoded = http.headers.get("Authorization", "").strip().partition(" ")
        # Perl's base64 breaks its lines.
        packed = "".join(encoded.split())
        try:
            username, colon, password = base64.b64decode(packed, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            colon = b""
        if scheme.lower() != "basic" or not colon:
            raise RequestRefused(
                "unauthenticated", "This action needs Basic authentication. Send the header Authorization with name and password."
            )
        user = self._authenticator.basic(username, password, address=http.remote_addr or "")
        require_legacy(user)
        return user

    def send(self, http: HttpRequest, user: UserView) -> tuple[str, dict[str, Any]]:
        """Accept messages, each by itself. Raises: RequestRefused."""
        items = vendor_messages.read(_body(http))
        if len(items) > MAX_MESSAGES:
            raise RequestRefused("too_many_messages", f"There are {len(items)} messages; at most {MAX_MESSAGES} are allowed.", "messages")
        snapshot = self._core.snapshots.present()
        now, zone = self._core.clock(), times.zone(snapshot)
        drafts = [vendor_messages.draft(item, user, zone, now=now) for item in items]
        good = tuple(draft for draft in drafts if not isinstance(draft, Refused))
        results = iter(self._intake.submit(Request(user, good, "json")).results if good else ())
        outcomes = [draft if isinstance(draft, Refused) else next(results) for draft in drafts]
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        shown = [vendor_messages.show_sent(item, outcome, zone, now=now) for item, outcome in zip(items, outcomes, strict=True)]
        counts = {"total_count": len(items), "success_count": len(items) - len(refused), "failed_count": len(refused)}
        message = f"{len(refused)} of {len(items)} refused. {refused[0].reason}" if refused else f"{len(items)} accepted."
        return message, {**counts, "messages": shown}

    def receive(self, http: HttpRequest, user: UserView) -> tuple[str, dict[str, Any]]:
        """Return the oldest messages of a folder that are not marked. Raises: RequestRefused."""
        given = parameters.read(http.environ.get("QUERY_STRING", ""))
        where, most = folder(given.get("folder")), limit(given.get("limit"))
        snapshot = self._core.snapshots.present()
        zone = times.zone(snapshot)
        with self._core.database.read() as session:
            found = mailbox.download(session, user.id, where, most, after="leave", unread_only=True, now=self._core.clock())
        shown = [vendor_messages.show_stored(message, snapshot, zone) for message in found]
        return f"{len(shown)} messages.", {"folder": _name(where), "limit": str(most), "data": shown}

    def mark(self, http: HttpRequest, user: UserView) -> tuple[str, dict[str, Any]]:
        """Mark messages as downloaded. Raises: RequestRefused."""
        return self._change(http, user, "marked", mailbox.mark)

    def delete(self, http: HttpRequest, user: UserView) -> tuple[str, dict[str, Any]]:
        """Move messages to the folder *Deleted*; what waits to be sent is cancelled first. Raises: RequestRefused."""
        return self._change(http, user, "deleted", self._delete)

    def _delete(self, session: Session, user_id: int, message_ids: list[int], *, now: Any) -> set[int]:
        snapshot = self._core.snapshots.present()
        withdrawals.cancel(session, snapshot, message_ids, now=now, actor=snapshot.users_by_id[user_id].username)
        return mailbox.delete(session, user_id, message_ids, now=now)

    def _change(self, http: HttpRequest, user: UserView, verb: str, act: Callable[..., set[int]]) -> tuple[str, dict[str, Any]]:
        """Do something to messages of one folder; return the ids for which it was done, as the client wrote them."""
        asked = vendor_messages.decode(_body(http), _Ids)
        where, ids = folder(asked.folder or ""), asked.message_ids or []
        if len(ids) > MAX_MESSAGES:
            raise RequestRefused("too_many_messages", f"There are {len(ids)} ids; at most {MAX_MESSAGES} are allowed.", "message_ids")
        now = self._core.clock()

        def work(session: Session) -> set[str]:
            there = {text: row.id for text, row in mailbox.find(session, user.id, ids).items() if row.folder == where.value}
            done = act(session, user.id, list(there.values()), now=now)
            return {text for text, number in there.items() if number in done}

        done = self._core.database.run(work) if ids else set()
        return f"{len(done)} of {len(ids)} {verb}.", {"folder": _name(where), "message_ids": [text for text in ids if text in done]}


ACTIONS: Mapping[str, tuple[str, Callable[[VendorJson, HttpRequest, UserView], tuple[str, dict[str, Any]]]]] = MappingProxyType(
    {
        "sendmsg": ("POST", VendorJson.send),
        "receivemsg": ("GET", VendorJson.receive),
        "markmsg": ("POST", VendorJson.mark),
        "deletemsg": ("POST", VendorJson.delete),
    }
)
"""Action to its method and its work."""

_ACTION = re.compile(rf"(?:^|&)action=({'|'.join(ACTIONS)})(?:&|$)", re.IGNORECASE)


def action_of(query: str) -> str:
    """Return the JSON action that a query names, or an empty text."""
    match = _ACTION.search(query)
    return match[1].lower() if match else ""


def _body(http: HttpRequest) -> bytes:
    """Return the body. A browser cannot be made to send JSON with its user's credentials from a foreign page. Raises: RequestRefused."""
    if not http.mimetype.endswith("json"):
        raise RequestRefused("malformed_body", "The body must be JSON. Send it with the header Content-Type: application/json.")
    return http.get_data(cache=False)


def _name(where: Folder) -> str:
    return where.name.lower().replace("_", "")


def _response(status: int, body: Mapping[str, Any]) -> Response:
    response = Response(msgspec.json.encode(body), status=status, content_type="application/json; charset=utf-8")
    response.headers.extend(HEADERS)
    return response

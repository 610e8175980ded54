"""The modern API: JSON with an API key. One message or a batch, dry runs, a message's state, the account.

All accepted is 202, some 200 with a result for each; where nothing was accepted the answer is a problem. A repeat with the same
`Idempotency-Key` gets the stored answer. Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from flask import Response, request
from sqlalchemy import select

from app import journal, limits, mailbox, messages
from app.authentication import Authenticator
from app.core import Core
from app.intake import Intake
from app.ledger import format_credits
from app.messages import MAX_MESSAGES, Preview, Request
from app.models import Account, Segment
from app.refusals import Refused, RequestRefused
from app.snapshot import UserView
from app.web.api import failures, keyed, problem, rest_answers
from app.web.api.rest_shapes import (
    AccountOut,
    BatchIn,
    DryRunOut,
    MessageIn,
    Probe,
    SegmentOut,
    SingleIn,
    StepOut,
)
from pennywire import Draft

_TRUE = frozenset({"1", "true", "yes"})

_probe = msgspec.json.Decoder(Probe)
_single = msgspec.json.Decoder(SingleIn)
_batch = msgspec.json.Decoder(BatchIn)


class RestApi:
    """The views behind `/api/v1/`."""

    def __init__(self, core: Core, intake: Intake, authenticator: Authenticator) -> None:
        self._core = core
        self._intake = intake
        self._authenticator = authenticator

    def messages(self) -> Response:
        """Accept messages: `POST /api/v1/messages`."""
        return self._answer("POST", "send", self._send)

    def message(self, reference: str) -> Response:
        """Show a message: `GET /api/v1/messages/{id}`."""
        return self._answer("GET", "read", lambda user: self._show(user, reference))

    def account(self) -> Response:
        """Show the caller's account: `GET /api/v1/account`."""
        return self._answer("GET", "account", self._account)

    def nothing(self, rest: str) -> Response:
        """Answer an address that does not exist."""
        return problem.respond(Refused("not_found", f"There is nothing at /api/v1/{rest[:60]}. See the documentation of the HTTP API."))

    def _answer(self, method: str, scope: str, work: Callable[[UserView], Response]) -> Response:
        try:
            if request.method != method and (method, request.method) != ("GET", "HEAD"):
                return keyed.wrong_method(method)
            return work(keyed.authenticate(self._authenticator).opened(scope))
        except failures.EXPECTED as error:
            return problem.of(error)

    def _send(self, user: UserView) -> Response:
        body = request.get_data(cache=False)
        asked = _read(body)
        items, single = asked.items, asked.single
        drafts = tuple([_draft(item, index, single=single) for index, item in enumerate(items)])
        if asked.dry_run or request.args.get("dry_run", "").lower() in _TRUE:
            return self._preview(user, items, drafts)
        key = f"key:{given}" if (given := keyed.idempotency_key()) else ""
        print_ = hashlib.sha256(request.path.rstrip("/").encode() + b"\n" + body).hexdigest() if key else ""
        answer = self._intake.submit(Request(user, drafts, "rest", key, print_))
        response = rest_answers.answer_single(answer.results[0]) if single else rest_answers.answer_batch(items, answer.results)
        if answer.replayed:
            response.headers["Idempotency-Replayed"] = "true"
        return response

    def _preview(self, user: UserView, items: Sequence[MessageIn], drafts: tuple[Draft, ...]) -> Response:
        """Say what would become of messages; nothing is kept."""
        if not drafts:
            raise RequestRefused("missing_parameter", "The request has no message. Give at least one.", "messages")
        if len(drafts) > MAX_MESSAGES:
            raise RequestRefused("too_many_messages", f"There are {len(drafts)} messages; at most {MAX_MESSAGES} are allowed.", "messages")
        snapshot = self._core.snapshots.present()
        results = messages.preview(snapshot, Request(user, drafts, "rest"), now=self._core.clock())
        previews = [result for result in results if isinstance(result, Preview)]
        total_uc = sum(preview.price_uc for preview in previews if preview.charged)
        with self._core.database.read() as session:
            account = session.get_one(Account, user.account_id)
            available_uc = account.balance_uc - account.reserved_uc
            affordable = account.unlimited or available_uc - total_uc >= account.limit_uc or not total_uc
            segment_count = sum(preview.segment_count for preview in previews if preview.charged)
            affordable = affordable and limits.lasting(session, account, segment_count, total_uc, now=self._core.clock())
        shown = [
            rest_answers.show_preview(result, item) if isinstance(result, Preview) else rest_answers.show_refused(result, item)
            for result, item in zip(results, items, strict=True)
        ]
        out = DryRunOut(
            dry_run=True,
            accepted=len(previews),
            refused=len(results) - len(previews),
            total=rest_answers.price(total_uc),
            available=rest_answers.price(available_uc),
            affordable=affordable,
            messages=shown,
        )
        return rest_answers.respond(200, out)

    def _show(self, user: UserView, reference: str) -> Response:
        with self._core.database.read() as session:
            message = mailbox.find(session, user.id, [reference]).get(reference)
            if message is None:
                raise RequestRefused("not_found", "You have no message of that id or client reference.", "id")
            segments = session.scalars(select(Segment).where(Segment.message_id == message.id).order_by(Segment.segment_index))
            shown_segments = [
                SegmentOut(row.segment_index, row.state, row.error_code, row.answered_at, row.reported_at) for row in segments
            ]
            timeline = [StepOut(event.kind, event.at) for event in journal.of_message(session, message.id)]
        return rest_answers.respond(200, rest_answers.show_message(message, shown_segments, timeline))

    def _account(self, user: UserView) -> Response:
        with self._core.database.read() as session:
            account = session.get_one(Account, user.account_id)
        return rest_answers.respond(
            200,
            AccountOut(
                username=user.username,
                accounting=user.accounting_enabled,
                currency=account.currency,
                balance=format_credits(account.balance_uc),
                reserved=format_credits(account.reserved_uc),
                available=format_credits(account.balance_uc - account.reserved_uc),
                limit=format_credits(account.limit_uc),
                unlimited=account.unlimited,
            ),
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a body asks for. `single` tells one message from a batch of one."""

    items: Sequence[MessageIn]
    single: bool
    dry_run: bool


def _read(body: bytes) -> _Asked:
    """Raises: RequestRefused with the place of what is wrong."""
    try:
        if isinstance(_probe.decode(body).messages, msgspec.Raw):
            batch = _batch.decode(body)
            return _Asked(batch.messages, single=False, dry_run=batch.dry_run)
        message = _single.decode(body)
        return _Asked([message], single=True, dry_run=message.dry_run)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise keyed.unreadable(error) from error


def _draft(item: MessageIn, index: int, *, single: bool) -> Draft:
    """Return what the pipe is to do. Raises: RequestRefused for what no pipe could read."""
    if item.data is not None and item.text:
        raise _wrong("data", index, "A message has either text or data. Leave one out.", single=single)
    return Draft(
        item.destination,
        item.text,
        item.source,
        bytes.fromhex(item.data) if item.data is not None else None,
        bytes.fromhex(item.udh) if item.udh else b"",
        None,
        item.message_class,
        item.provider,
        item.priority,
        _utc(item.send_at, "send_at", index, single=single) if item.send_at else None,
        _utc(item.expires_at, "expires_at", index, single=single) if item.expires_at else None,
        item.report,
        item.client_reference,
    )


def _utc(moment: datetime, name: str, index: int, *, single: bool) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise _wrong(name, index, "The time is beyond what a calendar holds.", single=single) from error


def _wrong(name: str, index: int, reason: str, *, single: bool) -> RequestRefused:
    return RequestRefused("invalid_parameter", reason, f"$.{name}" if single else f"$.messages[{index}].{name}")

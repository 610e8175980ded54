"""How the modern API shows what the pipe answered."""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from flask import Response

from app.identifiers import public_id
from app.ledger import format_credits
from app.lifecycle import State
from app.messages import Admitted, Preview
from app.models import Message
from app.refusals import Refused
from app.web.api import problem
from app.web.api.rest_shapes import AcceptedOut, BatchOut, ForcedBy, MessageIn, MessageOut, PreviewOut, RefusedOut, SegmentOut, StepOut
from pennywire.sms import replacements

_encode = msgspec.json.Encoder().encode
price = lru_cache(maxsize=4096)(format_credits)
"""Return an amount as decimal text. Units: microcredits."""


def respond(status: int, body: object) -> Response:
    """Answer with a JSON body."""
    response = Response(_encode(body), status=status, content_type="application/json")
    response.headers.extend(problem.HEADERS)
    return response


def answer_single(result: Admitted | Refused) -> Response:
    """Answer a request of one message: 202, or the problem."""
    return problem.respond(result) if isinstance(result, Refused) else respond(202, show_admitted(result))


def answer_batch(items: Sequence[MessageIn], results: Sequence[Admitted | Refused]) -> Response:
    """Answer a batch: 202 all accepted, 200 some, a problem where none was."""
    shown: list[AcceptedOut | RefusedOut] = [
        show_admitted(result) if isinstance(result, Admitted) else show_refused(result, item)
        for result, item in zip(results, items, strict=True)
    ]
    refused = [result for result in results if isinstance(result, Refused)]
    if len(refused) < len(results):
        return respond(200 if refused else 202, BatchOut(len(results) - len(refused), len(refused), shown))
    statuses = {result.refusal.status for result in refused}
    why = Refused(refused[0].code, f"None of the {len(results)} messages was accepted. The first: {refused[0].reason}", refused[0].field)
    more = {"accepted": 0, "refused": len(refused), "messages": shown}
    return problem.respond(why, status=statuses.pop() if len(statuses) == 1 else 422, more=more)


def show_admitted(result: Admitted) -> AcceptedOut:
    """Show a message that was accepted."""
    return AcceptedOut(
        public_id(result.message_id),
        result.state,
        result.destination,
        result.source,
        result.segment_count,
        result.alphabet,
        price(result.price_uc),
        result.charged,
        result.route,
        result.provider,
        result.client_reference,
    )


def show_refused(result: Refused, item: MessageIn) -> RefusedOut:
    """Show a message of a batch that was refused."""
    return RefusedOut("refused", result.code, result.refusal.number, result.reason, result.field, item.destination, item.client_reference)


def show_preview(preview: Preview, item: MessageIn) -> PreviewOut:
    """Show what would become of a message."""
    return PreviewOut(
        destination=preview.destination,
        source=preview.source,
        segment_count=preview.segment_count,
        alphabet=preview.alphabet,
        length=preview.length,
        forced_by=_forced_by(preview, item.text),
        route=preview.route,
        route_why=preview.route_why,
        provider=preview.provider,
        price=price(preview.price_uc),
        per_segment=price(preview.per_segment_uc),
        price_why=preview.price_why,
        charged=preview.charged,
    )


def _forced_by(preview: Preview, text: str) -> ForcedBy | None:
    if preview.forced_by is None:
        return None
    position, character = preview.forced_by
    known = next((found for found in replacements.describe_forced(text[position:]) if found.position == 0), None)
    return ForcedBy(position, character, known.replacement if known else None)


def show_message(message: Message, segments: list[SegmentOut], timeline: list[StepOut]) -> MessageOut:
    """Show a stored message."""
    return MessageOut(
        id=public_id(message.id),
        client_reference=message.client_reference,
        direction=message.direction,
        state=message.state,
        source=message.source,
        destination=message.destination,
        # What waits for credit is not handed out before it is paid.
        text="" if message.direction == "inbound" and message.state == State.HELD else message.text,
        segment_count=message.segment_count,
        alphabet=message.alphabet,
        price=price(message.price_uc),
        charged=message.charged,
        route_why=message.route_why,
        provider=message.provider,
        created_at=message.created_at,
        updated_at=message.updated_at,
        send_at=message.send_at,
        expires_at=message.expires_at,
        report_missing=message.report_missing,
        error_code=message.error_code,
        error_reason=message.error_reason,
        segments=segments,
        timeline=timeline,
    )

"""Accepting messages: every entrance calls `prepare` and `admit`, or `preview`; there is no other way in.

`admit` runs in the write transaction: keys, then accounts, then rows, in this order on every path.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app import journal, ledger
from app import snapshot as configuration
from app.bulk import insert_rows
from app.db import storable
from app.decisions import (
    KEY_LIFETIME_S,
    MAX_MESSAGES,
    Admitted,
    Answer,
    Decision,
    Prepared,
    Preview,
    Request,
    prepare,
    preview,
    refusal,
)
from app.identifiers import IdMaker, public_id
from app.ledger import Lack, format_credits
from app.lifecycle import FOLDER_OF, ChargeOn
from app.models import ConcatReference, IdempotencyKey, Message, OutboxRow, table
from app.refusals import Refused, RequestRefused
from app.snapshot import StaleSnapshot
from app.withdrawals import cancel

__all__ = [
    "MAX_MESSAGES",
    "Admitted",
    "Answer",
    "Prepared",
    "Preview",
    "Request",
    "admit",
    "cancel",
    "prepare",
    "preview",
]

_LOG = logging.getLogger(__name__)

QUEUED_ROW, SENDING_ROW, DOUBT_ROW, WAITING_ROW = range(4)
"""States of an outbox row."""

_MESSAGES = table(Message)
_OUTBOX = table(OutboxRow)
_KEYS = table(IdempotencyKey)
_REFERENCES = table(ConcatReference)

Verdict = Answer | RequestRefused


def admit(session: Session, prepared: Sequence[Prepared], *, ids: IdMaker, now: datetime) -> list[Verdict]:
    """Accept what was prepared, in order of arrival while credit lasts; return an answer or a refusal for each request.

    Messages, charges, queue rows and events are written together. Raises: StaleSnapshot if the configuration has changed since
    a request was prepared.
    """
    present = configuration.version(session)
    if any(item.version != present for item in prepared):
        raise StaleSnapshot
    verdicts, fresh = _claim_keys(session, prepared, now=now)
    _admit_fresh(session, prepared, fresh, verdicts, ids=ids, now=now)
    _answer_twins(prepared, verdicts)
    return [verdict for verdict in verdicts if verdict is not None]


def _admit_fresh(
    session: Session, prepared: Sequence[Prepared], fresh: Sequence[int], verdicts: list[Verdict | None], *, ids: IdMaker, now: datetime
) -> None:
    """Charge and store the requests at the indices `fresh`, and put their answers in place."""
    decided = [(prepared[index].request, decision) for index in fresh for decision in prepared[index].decisions]
    accepted = [(request, decision) for request, decision in decided if isinstance(decision, Decision)]
    numbers = ids.take(len(accepted))
    lacks = _charge(session, accepted, numbers, revenue_id=prepared[0].revenue_id, now=now) if accepted else []
    written = [
        (number, request, decision) for number, (request, decision), lack in zip(numbers, accepted, lacks, strict=True) if lack is None
    ]
    _write(session, written, now=now)
    outcome = iter(zip(numbers, lacks, strict=True))
    for index in fresh:
        request = prepared[index].request
        results = tuple(_result(request, decision, outcome) for decision in prepared[index].decisions)
        verdicts[index] = Answer(results)
        if request.key:
            _store_answer(session, request, results)


def _result(request: Request, decision: Decision | Refused, outcome: Iterator[tuple[int, Lack | None]]) -> Admitted | Refused:
    if isinstance(decision, Refused):
        return decision
    number, lack = next(outcome)
    if lack is not None:
        return refusal(decision, lack)
    return Admitted(
        message_id=number,
        destination=decision.destination,
        source=decision.source,
        segment_count=decision.segment_count,
        alphabet=decision.alphabet.value,
        price_uc=decision.price_uc,
        charged=_charged(request, decision),
        route=decision.route.name,
        provider=decision.provider,
        state=decision.state.value,
        client_reference=decision.draft.client_reference,
    )


def _charged(request: Request, decision: Decision) -> bool:
    return request.user.accounting_enabled and decision.per_segment_uc > 0


# Keys.


def _claim_keys(session: Session, prepared: Sequence[Prepared], *, now: datetime) -> tuple[list[Verdict | None], list[int]]:
    """Settle who of the keyed requests is first. Return the verdicts known already, and the indices to be admitted now.

    A request whose twin stands earlier in this batch stays undecided; `_answer_twins` gives it the twin's answer.
    """
    verdicts: list[Verdict | None] = [None] * len(prepared)
    keyed: dict[tuple[int, str], int] = {}
    twins: set[int] = set()
    for index, item in enumerate(prepared):
        if item.request.key and keyed.setdefault((item.request.user.id, item.request.key), index) != index:
            twins.add(index)
    if not keyed:
        return verdicts, list(range(len(prepared)))
    won = _insert_keys(session, [prepared[index].request for _, index in sorted(keyed.items())], now=now)
    stored = _stored_answers(session, [pair for pair in keyed if pair not in won])
    for index, item in enumerate(prepared):
        if (pair := (item.request.user.id, item.request.key)) in stored:
            verdicts[index] = _replay(item.request, *stored[pair])
    return verdicts, [index for index in range(len(prepared)) if verdicts[index] is None and index not in twins]


def _insert_keys(session: Session, requests: Sequence[Request], *, now: datetime) -> set[tuple[int, str]]:
    """Insert the keys that are not there, in their order; return those that were not."""
    for request in requests:
        lifetime = timedelta(seconds=KEY_LIFETIME_S if request.key_window_s is None else request.key_window_s)
        session.execute(
            delete(_KEYS).where(_KEYS.c.user_id == request.user.id, _KEYS.c.key == request.key, _KEYS.c.created_at <= now - lifetime)
        )
    maker = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    rows = [
        {"user_id": request.user.id, "key": request.key, "fingerprint": request.fingerprint, "answer": [], "created_at": now}
        for request in requests
    ]
    statement = maker(_KEYS).values(rows).on_conflict_do_nothing().returning(_KEYS.c.user_id, _KEYS.c.key)
    return {(row.user_id, row.key) for row in session.execute(statement)}


def _stored_answers(session: Session, pairs: Sequence[tuple[int, str]]) -> dict[tuple[int, str], tuple[str, list[Any]]]:
    if not pairs:
        return {}
    rows = session.execute(
        select(_KEYS.c.user_id, _KEYS.c.key, _KEYS.c.fingerprint, _KEYS.c.answer).where(tuple_(_KEYS.c.user_id, _KEYS.c.key).in_(pairs))
    )
    return {(row.user_id, row.key): (row.fingerprint, row.answer) for row in rows}


def _replay(request: Request, fingerprint: str, answer: list[Any]) -> Verdict:
    if fingerprint != request.fingerprint:
        return RequestRefused(
            "idempotency_conflict", "The key was used for a request with other content. Use a fresh key for each request.", "key"
        )
    return Answer(tuple(_read_result(item) for item in answer), replayed=True)


def _read_result(item: Mapping[str, Any]) -> Admitted | Refused:
    return Admitted(**item) if "message_id" in item else Refused(**item)


def _store_answer(session: Session, request: Request, results: tuple[Admitted | Refused, ...]) -> None:
    """Keep the answer under its key. A refusal of everything is not kept: the same request may succeed later."""
    where = (_KEYS.c.user_id == request.user.id, _KEYS.c.key == request.key)
    if any(isinstance(result, Admitted) for result in results):
        session.execute(update(_KEYS).where(*where).values(answer=[asdict(result) for result in results]))
    else:
        session.execute(delete(_KEYS).where(*where))


def _answer_twins(prepared: Sequence[Prepared], verdicts: list[Verdict | None]) -> None:
    first: dict[tuple[int, str], int] = {}
    for index, item in enumerate(prepared):
        request = item.request
        if verdicts[index] is not None:
            if request.key:
                first.setdefault((request.user.id, request.key), index)
            continue
        twin = first[request.user.id, request.key]
        verdict = verdicts[twin]
        if isinstance(verdict, Answer) and prepared[twin].request.fingerprint == request.fingerprint:
            verdicts[index] = Answer(verdict.results, replayed=True)
        else:
            verdicts[index] = _replay(request, prepared[twin].request.fingerprint, [])


# Rows.


def _charge(
    session: Session, accepted: Sequence[tuple[Request, Decision]], numbers: Sequence[int], *, revenue_id: int, now: datetime
) -> list[Lack | None]:
    """Reserve the price of each message, and count it where it is free; return what each lacks. Without accounting it lacks nothing."""
    wanted = [(position, *pair) for position, pair in enumerate(accepted) if pair[0].user.accounting_enabled]
    charges = [
        ledger.Charge(request.user.account_id, numbers[position], decision.price_uc, decision.segment_count, decision.above)
        for position, request, decision in wanted
    ]
    lacks: list[Lack | None] = [None] * len(accepted)
    found = ledger.charge(session, charges, now=now, actor="gateway", revenue_id=revenue_id)
    for (position, *_), lack in zip(wanted, found, strict=True):
        lacks[position] = lack
    return lacks


def _write(session: Session, written: Sequence[tuple[int, Request, Decision]], *, now: datetime) -> None:
    """Insert messages, queue rows and events."""
    if not written:
        return
    references = _concat_references(session, [decision for _, _, decision in written if decision.segment_count > 1])
    insert_rows(session, _MESSAGES, [_message_row(number, request, decision, references, now) for number, request, decision in written])
    insert_rows(session, _OUTBOX, [row for number, request, decision in written for row in _outbox_rows(number, request, decision)])
    journal.write(
        session,
        [
            {
                "message_id": number,
                "version": 1,
                "kind": decision.state.value,
                "at": now,
                "user_id": request.user.id,
                "data": _told(request, decision),
            }
            for number, request, decision in written
        ],
    )
    _log_losses(written)


def _told(request: Request, decision: Decision) -> dict[str, Any]:
    """Return what the first event of a message says."""
    told: dict[str, Any] = {"reserved": format_credits(decision.price_uc)} if _charged(request, decision) else {}
    if decision.margin_alarm:
        told["negative_margin"] = True
    return told


def _log_losses(written: Sequence[tuple[int, Request, Decision]]) -> None:
    """Tell the operator of messages that are sold for less than they cost, a line for each route."""
    losses: dict[str, list[int]] = {}
    for number, _, decision in written:
        if decision.margin_alarm:
            losses.setdefault(decision.route.name, []).append(number)
    for route, numbers in losses.items():
        _LOG.warning("negative margin on route %s: %d messages, first %s", route, len(numbers), public_id(numbers[0]))


def _concat_references(session: Session, decisions: Sequence[Decision]) -> dict[int, int]:
    """Give each long message the next reference of its pair of addresses; return them by the decision's `id()`."""
    pairs: dict[tuple[str, str], list[Decision]] = {}
    for decision in decisions:
        pairs.setdefault((decision.source, decision.destination), []).append(decision)
    maker = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    references: dict[int, int] = {}
    for (source, destination), members in sorted(pairs.items()):
        statement = (
            maker(_REFERENCES)
            .values(source=source, destination=destination, last=len(members))
            .on_conflict_do_update(index_elements=["source", "destination"], set_={"last": (_REFERENCES.c.last + len(members)) % 65536})
            .returning(_REFERENCES.c.last)
        )
        last = session.execute(statement).scalar_one()
        for offset, decision in enumerate(reversed(members)):
            references[id(decision)] = (last - offset) % 65536
    return references


def _message_row(number: int, request: Request, decision: Decision, references: Mapping[int, int], now: datetime) -> dict[str, Any]:
    draft, route, state = decision.draft, decision.route, decision.state
    return {
        "id": number,
        "direction": "outbound",
        "user_id": request.user.id,
        "state": state.value,
        "folder": FOLDER_OF[state].value,
        "version": 1,
        "source": decision.source,
        "destination": decision.destination,
        "text": storable(draft.text),
        "data": draft.data,
        "udh": draft.udh or None,
        "alphabet": decision.alphabet.value,
        "message_class": draft.message_class,
        "segment_count": decision.segment_count,
        "concat_reference": references.get(id(decision), 0),
        "priority": draft.priority,
        "created_at": now,
        "updated_at": now,
        "send_at": decision.send_at,
        "expires_at": decision.expires_at,
        # Where only the handset counts, nothing but a report can decide the charge.
        "report_requested": draft.report_requested or route.terms.charge_on is ChargeOn.HANDSET,
        "client_reference": draft.client_reference,
        "entrance": request.entrance,
        "route_id": route.id,
        "route_why": f"{route.name}: {route.why}",
        "provider": decision.provider,
        "price_uc": decision.price_uc,
        "price_why": decision.price_why,
        "buy_per_segment_uc": decision.buying.per_segment_uc,
        "buy_uc": decision.buy_uc,
        "buy_why": decision.buying.why,
        "charged": _charged(request, decision),
        "level_count": len(decision.above),
        "counted_count": decision.segment_count if request.user.accounting_enabled else 0,
        "terms": route.terms.code(),
        "parameters": dict(draft.parameters) or None,
        "report_missing": False,
        "error_code": "",
        "error_reason": "",
        "incomplete": False,
    }


def _outbox_rows(number: int, request: Request, decision: Decision) -> list[dict[str, Any]]:
    state = QUEUED_ROW if decision.send_at is None else WAITING_ROW
    return [
        {
            "message_id": number,
            "segment_index": index,
            "state": state,
            "provider": decision.provider,
            "user_id": request.user.id,
            "priority": decision.draft.priority,
            "expires_at": decision.expires_at,
            "due_at": decision.send_at,
            "attempt_count": 0,
        }
        for index in range(decision.segment_count)
    ]

"""From what customers submitted to answers: one call of the gateway for a whole batch, so that many share a transaction."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from pennywire import Gateway, NotAccepted, Refusal, Taken
from pennywire_smpp.bodies import Destination
from pennywire_smpp.server.parts import Fate, Parts, join, part_name
from pennywire_smpp.server.reading import SME_ADDRESS, Submitted
from pennywire_smpp.server.refusals import ESME_RSUBMITFAIL, status_of

#: Nobody knows whether it was accepted: it must not be answered at all.
UNKNOWN = -1


class Answer(NamedTuple):
    """What a submission is answered. `failed` are the refused destinations of submit_multi."""

    command_status: int
    message_id: str = ""
    failed: tuple[tuple[Destination, int], ...] = ()


def accept(gateway: Gateway, parts: Parts, batch: Sequence[Submitted]) -> list[Answer]:
    """Answer a batch, in order; returns when what was accepted is durable. Blocks."""
    answers: dict[int, Answer] = {}
    whole = [number for number, one in enumerate(batch) if one.place is None or one.place.total <= 1]
    _accept_whole(gateway, [(number, batch[number]) for number in whole], answers)
    segments = [(number, one) for number, one in enumerate(batch) if number not in answers]
    if segments:
        _accept_segments(gateway, parts, segments, answers)
    return [answers[number] for number in range(len(batch))]


def _accept_whole(gateway: Gateway, batch: Sequence[tuple[int, Submitted]], answers: dict[int, Answer]) -> None:
    drafts = []
    names = []
    for _, one in batch:
        # All messages of a submit_multi have one message_id for the customer, and ids of their own for us.
        name = secrets.token_hex(8) if len(one.destinations) != 1 or one.refused else ""
        named = {"receipts": {name: one.receipt}} if name else {"receipt": one.receipt}
        parameters = named if one.receipt else {}
        names.append(name)
        drafts += [one.draft(destination, client_reference=name, parameters=parameters) for destination in one.destinations]
    try:
        results = iter(gateway.submit(drafts) if drafts else ())
    except NotAccepted as error:
        command_status = UNKNOWN if error.code == "unknown_outcome" else status_of(error.code)
        answers.update((number, Answer(command_status)) for number, _ in batch)
        return
    for (number, one), name in zip(batch, names, strict=True):
        found = [next(results) for _ in one.destinations]
        answers[number] = _answer_multi(one, name, found) if name else _answer(found[0])


def _answer(result: Taken | Refusal) -> Answer:
    return Answer(0, result.message_id) if isinstance(result, Taken) else Answer(status_of(result.code))


def _answer_multi(one: Submitted, name: str, results: Sequence[Taken | Refusal]) -> Answer:
    refused = tuple(
        (Destination(SME_ADDRESS, destination.removeprefix("+"), 1 if destination.startswith("+") else 0, 1), status_of(result.code))
        for destination, result in zip(one.destinations, results, strict=True)
        if isinstance(result, Refusal)
    )
    accepted = any(isinstance(result, Taken) for result in results)
    return Answer(0 if accepted else ESME_RSUBMITFAIL, name, refused + one.refused)


def _accept_segments(gateway: Gateway, parts: Parts, batch: Sequence[tuple[int, Submitted]], answers: dict[int, Answer]) -> None:
    """Store segments; whoever completes a message gets the answer of the whole."""
    all_series = parts.store([one for _, one in batch])
    last = {series: number for (number, _), series in zip(batch, all_series, strict=True)}
    for (number, one), series in zip(batch, all_series, strict=True):
        assert one.place is not None, "only segments come here"
        answers[number] = Answer(0, part_name(series, one.place.index))
    for series, number in last.items():
        command_status = finish(gateway, parts, series)
        if command_status:
            answers[number] = Answer(command_status)


def finish(gateway: Gateway, parts: Parts, series: str) -> int:
    """Submit a series that is complete, and return the command_status. A series is its own key: it is accepted once, come what may."""
    found = parts.complete(series)
    if not found:
        return 0
    try:
        (result,) = gateway.submit([join(found)], key=series)
    except NotAccepted as error:
        return UNKNOWN if error.code == "unknown_outcome" else status_of(error.code)
    if isinstance(result, Taken):
        parts.drop([series])
        return 0
    # The customer learns of the last segment by its answer; of the others by their receipts.
    parts.settle(series, Fate.REJECTED)
    return status_of(result.code)


def resume(gateway: Gateway, parts: Parts) -> None:
    """Submit the series that were whole when the gateway died, and nobody had submitted."""
    for series in parts.overdue(0):
        finish(gateway, parts, series)


def expire(gateway: Gateway, parts: Parts, timeout_s: float) -> int:
    """Settle the series whose segments have waited too long; return how many were given up."""
    given_up = 0
    for series in parts.overdue(timeout_s):
        if parts.complete(series):
            finish(gateway, parts, series)
        else:
            parts.settle(series, Fate.EXPIRED)
            given_up += 1
    return given_up

"""The platform's REST interface (One API).

Source: guides.clickatell.com, *One API*: `POST /v1/message` with up to 200 messages, answered 202, 207 where messages fared
differently, or an error; `GET /v1/balance`. The API key stands alone in `Authorization`.
"""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any, Final

from pennywire import Accepted, Alphabet, LinkDown, Outcome, OutcomeUnknown, Rejected, Submission, Throttled
from pennywire_clickatell.api import REST_S, Balance, Verdict, digits_of, source_of, verdict
from pennywire_clickatell.calls import Answer, Caller
from pennywire_clickatell.settings import SharedSettings
from pennywire_clickatell.words import PLATFORM_ERRORS, STRANGE

#: What an answer without a documented body says by its status alone.
_BY_STATUS: Final[dict[int, int]] = {HTTPStatus.UNAUTHORIZED: 1, HTTPStatus.FORBIDDEN: 7, HTTPStatus.PAYMENT_REQUIRED: 20}


class PlatformApi:
    """A client of the One API."""

    def __init__(self, caller: Caller, settings: SharedSettings, api_key: str) -> None:
        self._caller = caller
        self._settings = settings
        self._headers = {"Authorization": api_key, "Accept": "application/json"}

    def batches(self, submissions: Sequence[Submission]) -> Iterator[list[Submission]]:
        """Cut submissions so that no destination comes twice in a call: the answer names messages by their destinations."""
        waiting = list(submissions)
        while waiting:
            batch: dict[str, Submission] = {}
            rest = []
            for submission in waiting:
                full = len(batch) >= self._settings.messages_per_call
                if full or submission.destination in batch:
                    rest.append(submission)
                else:
                    batch[submission.destination] = submission
            yield list(batch.values())
            waiting = rest

    async def send(self, batch: Sequence[Submission]) -> list[Verdict]:
        """Send texts; what is no text is refused here, because the interface has no field for it."""
        texts = [submission for submission in batch if submission.alphabet is not Alphabet.BINARY]
        refusal = Rejected(
            "binary", "Clickatell's platform carries texts only. Send binary messages over another connection.", permanent=False
        )
        told: dict[int, Verdict] = {submission.attempt_id: refusal for submission in batch}
        if texts:
            content = {"messages": [self._message(submission) for submission in texts]}
            answer = await self._caller.call("POST", "/v1/message", headers=self._headers, json=content)
            told |= read_answer(answer, texts)
        return [told[submission.attempt_id] for submission in batch]

    def _message(self, submission: Submission) -> dict[str, str]:
        message = {
            "channel": "sms",
            "to": digits_of(submission.destination),
            "content": submission.text,
            "clientMessageId": f"{submission.attempt_id:x}",
        }
        source = source_of(self._settings, submission)
        return message | ({"from": source} if source else {})

    async def settle(self, submission: Submission, *, last: bool) -> Outcome | None:  # noqa: ARG002  # the shape of both APIs
        """The One API knows messages by its own ids alone, and that id never came."""
        return None

    async def balance(self) -> Balance | None:
        answer = await self._caller.call("GET", "/v1/balance", headers=self._headers)
        found = read_object(answer.body)
        error = _error_code(found) or _BY_STATUS.get(answer.status)
        if error is not None:
            trouble = verdict(PLATFORM_ERRORS.get(error, STRANGE), str(error))
            # An empty account is still an answer about its balance.
            raise trouble if isinstance(trouble, LinkDown) else OutcomeUnknown(f"The balance was refused (error {error}).")
        try:
            return Balance(Decimal(str(found["balance"])), str(found.get("currency") or "")[:8])
        except (KeyError, InvalidOperation):
            return None


def read_object(body: str) -> dict[str, Any]:
    """Return the JSON object of a body, an empty one for anything else."""
    try:
        found = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_answer(answer: Answer, batch: Sequence[Submission]) -> dict[int, Verdict]:
    """Return what an answer says of each submission, by attempt id; one that it does not mention is in doubt.

    A message with an id was accepted, whatever the HTTP status: what the platform numbered it will send.
    """
    found = read_object(answer.body)
    rows = found.get("messages")
    by_destination: dict[str, Any] = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            by_destination.setdefault(digits_of(str(row.get("to"))), row)
    whole = _whole(answer, found)
    return {each.attempt_id: _of_message(by_destination.get(digits_of(each.destination)), whole) for each in batch}


def _whole(answer: Answer, found: dict[str, Any]) -> Verdict:
    """Return what an answer says of the call as a whole."""
    code = _error_code(found)
    if code is None and answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(REST_S, "429")
    code = code if code is not None else _BY_STATUS.get(answer.status)
    if code is not None:
        return verdict(PLATFORM_ERRORS.get(code, STRANGE), str(code))
    return OutcomeUnknown(f"Clickatell answered {answer.status} and did not say what became of the message.")


def _of_message(row: dict[str, Any] | None, whole: Verdict) -> Verdict:
    if row is None:
        return whole
    network_id = row.get("apiMessageId")
    if row.get("accepted") is True and isinstance(network_id, str) and 0 < len(network_id) <= 64:
        return Accepted(network_id)
    code = _error_code(row)
    if code is not None and row.get("accepted") is not True:
        return verdict(PLATFORM_ERRORS.get(code, STRANGE), str(code))
    return OutcomeUnknown("Clickatell's answer about the message says neither an id nor an error.")


def _error_code(found: dict[str, Any]) -> int | None:
    error = found.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str) and code.isdecimal() and code.isascii() and len(code) < 6:
        code = int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None

"""The legacy HTTP API.

Source: Clickatell HTTP API Specification V2.4.6: §3.1 `http/auth` and session ids, which end after 15 idle minutes; §3.3
`http/sendmsg`, a line of `ID:` or `ERR:` for each recipient; §3.4 `http/querymsg`; §4 parameters; §5.2 `http/getbalance`. Everything
is posted as a form, so that no password stands in an address.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple
from urllib.parse import urlencode

from pennywire import Accepted, Alphabet, LinkDown, Outcome, OutcomeUnknown, Rejected, Submission
from pennywire.sms import segments
from pennywire_clickatell.api import Balance, Verdict, digits_of, source_of, verdict
from pennywire_clickatell.calls import Answer, Caller
from pennywire_clickatell.settings import SharedSettings
from pennywire_clickatell.words import LEGACY_ERRORS, STRANGE, Remedy, Trouble

#: Units: seconds. A session is renewed before its 15 idle minutes are over. Source: §3.1.
_SESSION_S: Final = 14 * 60.0
#: Units: octets of one binary segment. Source: 3GPP TS 23.040 §9.2.3.24.
_MOST_BINARY: Final = 140
#: Units: minutes. Source: §4.2, `validity`.
_LONGEST_VALIDITY: Final = 1_440
#: All states, those on the way too. Source: §4.2, `callback`.
_ALL_STATES: Final = "7"
_UNKNOWN_CLIENT_ID: Final = 104

_LINE = re.compile(
    r"(?:ID:\s*(?P<id>[0-9A-Za-z._-]{1,64})|ERR:\s*(?P<code>[0-9]{1,5})\b[^\r\n]*?)"
    r"(?:\s+Status:\s*(?P<status>[0-9]{1,4}))?(?:\s+To:\s*\+?(?P<to>[0-9]{1,20}))?\s*"
)
_SESSION = re.compile(r"OK:\s*([0-9A-Za-z]{8,128})\s*")
_CREDIT = re.compile(r"Credit:\s*(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)\s*")


class Line(NamedTuple):
    """One line of an answer: an id or an error code, for a recipient where it names one."""

    network_id: str
    code: int | None
    status: int | None
    to: str


class Account(NamedTuple):
    """Who we are to the legacy API."""

    api_id: str
    user: str
    password: str


class LegacyApi:
    """A client of the legacy HTTP API. It signs in when it first must, and again when its session has ended."""

    def __init__(self, caller: Caller, settings: SharedSettings, account: Account) -> None:
        self._caller = caller
        self._settings = settings
        self._account = account
        self._signing_in = asyncio.Lock()
        self._session = ""
        self._used_at = 0.0

    def batches(self, submissions: Sequence[Submission]) -> Iterator[list[Submission]]:
        """Put submissions together that differ in nothing but their destinations: a call has one text."""
        groups: dict[object, list[Submission]] = {}
        for submission in submissions:
            alike = tuple(sorted(self._parameters(submission).items()))
            number, same = 0, groups.setdefault((alike, 0), [])
            while len(same) >= self._settings.messages_per_call or submission.destination in {each.destination for each in same}:
                number += 1
                same = groups.setdefault((alike, number), [])
            same.append(submission)
        yield from groups.values()

    async def send(self, batch: Sequence[Submission]) -> list[Verdict]:
        first = batch[0]
        if first.alphabet is Alphabet.BINARY and len(first.udh) + len(first.user_data) > _MOST_BINARY:
            refusal = Rejected("binary", "Clickatell's HTTP API carries binary messages of one segment only.", permanent=False)
            return [refusal] * len(batch)
        parameters = self._parameters(first) | {"to": ",".join(digits_of(each.destination) for each in batch)}
        if len(batch) == 1:
            parameters["cliMsgId"] = _client_id(first)
        return read_sent(await self._call("sendmsg", parameters), batch)

    async def settle(self, submission: Submission, *, last: bool) -> Outcome | None:
        """Ask for the message by our id, which the API knows if it took the call.

        When the last question still finds nothing, the call never arrived: nothing was sent, and the message is refused.
        """
        lines = read_lines(await self._call("querymsg", {"climsgid": _client_id(submission)}))
        if len(lines) == 1 and lines[0].network_id:
            return Accepted(lines[0].network_id)
        if last and lines and lines[0].code == _UNKNOWN_CLIENT_ID:
            return Rejected("104", "Clickatell does not know the message: the call with it never arrived there.")
        return None

    async def balance(self) -> Balance | None:
        answer = await self._call("getbalance", {})
        credit = _CREDIT.fullmatch(answer.body.strip())
        return Balance(Decimal(credit[1]), "") if credit else None

    def _parameters(self, submission: Submission) -> dict[str, str]:
        """Return what a call says of the message; the recipients are added to it."""
        parameters = {"from": source_of(self._settings, submission)} | _content(submission)
        if submission.report_requested:
            parameters |= {"deliv_ack": "1", "callback": _ALL_STATES}
        if submission.message_class == 0:
            parameters["msg_type"] = "SMS_FLASH"
        if submission.expires_at is not None:
            minutes = int((submission.expires_at.timestamp() - time.time()) // 60)
            parameters["validity"] = str(min(max(minutes, 1), _LONGEST_VALIDITY))
        return {name: value for name, value in parameters.items() if value}

    async def _call(self, command: str, parameters: Mapping[str, str]) -> Answer:
        """Call within a session; where it has ended, sign in and call once more, because nothing was taken.

        Raises: LinkDown where the account is refused or cannot be reached; OutcomeUnknown.
        """
        session = await self._present_session()
        answer = await self._post(command, {"session_id": session, **parameters})
        if _remedy(answer) is Remedy.SESSION:
            if self._session == session:
                self._session = ""
            answer = await self._post(command, {"session_id": await self._present_session(), **parameters})
        trouble, code = _trouble(answer)
        if trouble is not None and trouble.remedy in {Remedy.ACCOUNT, Remedy.SESSION}:
            said = verdict(trouble, f"{code:03d}")
            assert isinstance(said, LinkDown)
            raise said
        return answer

    async def _present_session(self) -> str:
        """Return a session id, a new one if there is none or it may have ended. Raises: LinkDown, as nothing else was sent yet."""
        async with self._signing_in:
            now = time.monotonic()
            if not self._session or now - self._used_at > _SESSION_S:
                self._session = await self._sign_in()
            self._used_at = now
            return self._session

    async def _sign_in(self) -> str:
        try:
            answer = await self._post("auth", self._account._asdict())
        except OutcomeUnknown as error:
            raise LinkDown(f"Signing in failed: {error}") from error
        found = _SESSION.fullmatch(answer.body.strip())
        if found:
            return found[1]
        trouble, code = _trouble(answer)
        said = f"{trouble.words} (error {code:03d})" if trouble else f"the answer {answer.status} is not understood"
        raise LinkDown(f"Clickatell does not let us sign in: {said}.")

    async def _post(self, command: str, parameters: Mapping[str, str]) -> Answer:
        # The API reads texts as ISO 8859-1; `_content` has seen to it that there is nothing else.
        form = urlencode(parameters, encoding="latin-1", errors="replace").encode("ascii")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._caller.call("POST", f"/http/{command}", headers=headers, form=form)


def _client_id(submission: Submission) -> str:
    """Return our id of an attempt, at most 32 letters and digits. Source: §4.2, `cliMsgId`."""
    return f"{submission.attempt_id:x}"


def _content(submission: Submission) -> dict[str, str]:
    """Return the parameters that carry the content.

    The API takes GSM 7-bit texts as ISO 8859-1, which lacks some of that alphabet (`€`, Greek): such a text goes as Unicode, and
    may need more segments there than here.
    """
    if submission.alphabet is Alphabet.BINARY:
        return {"data": submission.user_data.hex(), "udh": submission.udh.hex()}
    text = submission.text
    if submission.alphabet is not Alphabet.UCS2 and all(ord(character) < 256 for character in text):
        content, concat = {"text": text}, len(segments.split(text))
    else:
        concat = len(segments.split(text, alphabet=Alphabet.UCS2))
        content = {"text": text.encode("utf-16-be").hex(), "unicode": "1"}
    return content | ({"concat": str(concat)} if concat > 1 else {})


def read_lines(answer: Answer) -> list[Line]:
    """Return the lines of an answer that are understood."""
    found = (_LINE.fullmatch(line.strip()) for line in answer.body.splitlines())
    return [
        Line(
            each["id"] or "", int(each["code"]) if each["code"] else None, int(each["status"]) if each["status"] else None, each["to"] or ""
        )
        for each in found
        if each
    ]


def read_sent(answer: Answer, batch: Sequence[Submission]) -> list[Verdict]:
    """Return what an answer to `sendmsg` says of each submission; one that it does not mention is in doubt."""
    lines = read_lines(answer)
    if len(batch) == 1 or (len(lines) == 1 and not lines[0].to and lines[0].code is not None):
        said = _of_line(lines[0]) if lines else _nothing(answer)
        return [said] * len(batch)
    by_destination = {line.to: line for line in lines if line.to}
    return [
        _of_line(by_destination[to]) if (to := digits_of(submission.destination)) in by_destination else _nothing(answer)
        for submission in batch
    ]


def _of_line(line: Line) -> Verdict:
    if line.network_id:
        return Accepted(line.network_id)
    assert line.code is not None
    return verdict(LEGACY_ERRORS.get(line.code, STRANGE), f"{line.code:03d}")


def _nothing(answer: Answer) -> OutcomeUnknown:
    return OutcomeUnknown(f"Clickatell answered {answer.status} and did not say what became of the message.")


def _trouble(answer: Answer) -> tuple[Trouble | None, int]:
    """Return the error that an answer as a whole is, if it is one."""
    lines = read_lines(answer)
    if len(lines) == 1 and lines[0].code is not None:
        return LEGACY_ERRORS.get(lines[0].code, STRANGE), lines[0].code
    return None, 0


def _remedy(answer: Answer) -> Remedy | None:
    trouble, _code = _trouble(answer)
    return trouble.remedy if trouble else None

"""Delivery receipts in text form, and the forms of a message id that stand for the same message.

The text is a convention, not a protocol: SMSCs differ in spelling, in digits and in words, so reading is tolerant.
Whether a message is a receipt at all is for `esm_class` to say, never for its text. Source: SMPP v3.4 appendix B.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pennywire.values import ReportState

IdMode = Literal["auto", "as_is", "hex_to_decimal", "decimal_to_hex"]
#: SMPP v3.4 §5.2.23: a message id has up to 64 characters. Longer ones are compared as they are.
MAX_ID_LENGTH: Final = 64
#: How much of the message a receipt repeats. Source: SMPP v3.4 appendix B.
EXCERPT_LENGTH: Final = 20

#: Status words → state: those of SMPP v3.4 appendix B, and what SMSCs write instead. Look up with `state_of`.
STATES: Final[dict[str, ReportState]] = {
    "ENROUTE": ReportState.ENROUTE,
    "DELIVRD": ReportState.DELIVERED,
    "EXPIRED": ReportState.EXPIRED,
    "DELETED": ReportState.DELETED,
    "UNDELIV": ReportState.UNDELIVERABLE,
    "ACCEPTD": ReportState.ACCEPTED,
    "UNKNOWN": ReportState.UNKNOWN,
    "REJECTD": ReportState.REJECTED,
    "ACCEPTED": ReportState.ACCEPTED,
    "ACKED": ReportState.ACCEPTED,
    "BUFFERD": ReportState.ENROUTE,
    "BUFFERED": ReportState.ENROUTE,
    "BUFFRED": ReportState.ENROUTE,
    "DELIVERD": ReportState.DELIVERED,
    "DELIVERED": ReportState.DELIVERED,
    "EN_ROUTE": ReportState.ENROUTE,
    "EXPIRD": ReportState.EXPIRED,
    "FAILED": ReportState.UNDELIVERABLE,
    "REJECTED": ReportState.REJECTED,
    "REJECTE": ReportState.REJECTED,
    "SCHEDULED": ReportState.ENROUTE,
    "UNDELIVERABLE": ReportState.UNDELIVERABLE,
    "UNDELIVERED": ReportState.UNDELIVERABLE,
    "UNDELIVRD": ReportState.UNDELIVERABLE,
    "UNDELVD": ReportState.UNDELIVERABLE,
}

#: State → the word of appendix B.
WORDS: Final[dict[ReportState, str]] = {
    ReportState.ENROUTE: "ENROUTE",
    ReportState.ACCEPTED: "ACCEPTD",
    ReportState.DELIVERED: "DELIVRD",
    ReportState.UNDELIVERABLE: "UNDELIV",
    ReportState.EXPIRED: "EXPIRED",
    ReportState.REJECTED: "REJECTD",
    ReportState.DELETED: "DELETED",
    ReportState.UNKNOWN: "UNKNOWN",
}


@dataclass(frozen=True, slots=True)
class ReceiptText:
    """What a receipt's text says; a field that it lacks is empty or None.

    The dates are as written, without a zone: theirs is the operator's. `stat` is in capitals, as `STATES` has it.
    """

    id: str = ""
    sub: int | None = None
    dlvrd: int | None = None
    submit_date: datetime | None = None
    done_date: datetime | None = None
    stat: str = ""
    err: str = ""
    text: str = ""

    @property
    def state(self) -> ReportState:
        """The state that the status word stands for."""
        return state_of(self.stat)


#: A key of appendix B with its colon: at the start or after a blank or stroke, so that no value is taken for one.
_KEY = re.compile(r"(?:^|(?<=[\s,;|]))(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat(?:us)?|err(?:or)?|text)\s*[:=]", re.IGNORECASE)
_NOT_DIGITS = re.compile(r"[^0-9]+")
_NOT_LETTERS = re.compile(r"[^a-z]+")
_SYNONYMS: Final = {"status": "stat", "error": "err"}
#: How dates are written, by their digits, in the order tried: without seconds, with them, and with the century.
_DATE_CANDIDATES: Final = {10: ("20{}00",), 12: ("20{}", "{}00"), 14: ("{}",)}
_DATE_PLACES: Final = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+").fullmatch
#: Behind the text, where a report's `raw` has the optional parameters.
_PARAMETER_ID = re.compile(r".*(?:^|\| )receipted_message_id=((?:[0-9a-f]{2})+)(?: \||$)", re.DOTALL).match
_DECIMAL = re.compile(r"[0-9]+").fullmatch


def parse(text: str) -> ReceiptText | None:
    """Read a receipt's text; None where it has neither an id nor a status.

    Any order and case, `submitdate` or `submit date`, dates of 10, 12 or 14 digits of which all zeros mean unknown, status words
    of any length, words in between that nobody knows. What follows `text:` is never searched for keys.
    """
    fields: dict[str, str] = {}
    keys = list(_KEY.finditer(text))
    ends = [*(key.start() for key in keys), len(text)][1:]
    for key, end in zip(keys, ends, strict=True):
        name = _NOT_LETTERS.sub("", key[1].lower())
        name = _SYNONYMS.get(name, name)
        if name == "text":
            fields.setdefault(name, text[key.end() :].strip())
            break
        fields.setdefault(name, text[key.end() : end].strip())
    if not fields.get("id") and not fields.get("stat"):
        return None
    return ReceiptText(
        id=_first_word(fields.get("id", "")),
        sub=_count(fields.get("sub", "")),
        dlvrd=_count(fields.get("dlvrd", "")),
        submit_date=_date(fields.get("submitdate", "")),
        done_date=_date(fields.get("donedate", "")),
        stat=_first_word(fields.get("stat", "")).upper(),
        err=_first_word(fields.get("err", "")),
        text=fields.get("text", ""),
    )


def format(receipt: ReceiptText) -> str:  # noqa: A001  # `receipts.format` is the opposite of `receipts.parse`.
    """Write a receipt in the form of SMPP v3.4 appendix B. What is missing becomes zeros; the text is cut to 20 characters."""
    delivered = receipt.state is ReportState.DELIVERED
    sub = 1 if receipt.sub is None else receipt.sub
    dlvrd = int(delivered) if receipt.dlvrd is None else receipt.dlvrd
    return (
        f"id:{receipt.id} sub:{sub:03d} dlvrd:{dlvrd:03d} submit date:{_written(receipt.submit_date)}"
        f" done date:{_written(receipt.done_date)} stat:{receipt.stat} err:{receipt.err or '000'}"
        f" text:{receipt.text[:EXCERPT_LENGTH]}"
    )


def said_id(raw: str) -> str:
    """Return the id in a report's `raw` as the peer wrote it; empty where there is none.

    The optional parameter wins, which stands there as `receipted_message_id=` in hexadecimal, for the text's may be cut (trap D3).
    """
    parameter = _PARAMETER_ID(raw)
    if parameter:
        return bytes.fromhex(parameter[1]).split(b"\x00", 1)[0].decode("latin-1")
    return (parse(raw) or ReceiptText()).id


def state_of(stat: str) -> ReportState:
    """Return the state of a status word in any case; UNKNOWN for a word that nobody knows, so that it is never final."""
    return STATES.get(stat.upper(), ReportState.UNKNOWN)


def normalise_id(network_id: str) -> str:
    """Return the form of a message id to store and compare.

    Hexadecimal and decimal ids lose leading zeros and are written in small letters. Others (`0118Z-0122I-2309U-57DGB`) stay as
    they are, for their case may matter.
    """
    trimmed = network_id.strip(" \t\r\n\x00")
    return (trimmed.lstrip("0").lower() or "0") if _HEXADECIMAL(trimmed) else trimmed


def id_forms(network_id: str, mode: IdMode = "auto") -> tuple[str, ...]:
    """Return the normalised forms under which the id of a receipt may have been given at submission, the likeliest first.

    `hex_to_decimal` and `decimal_to_hex` name the way from the receipt's form to the form at submission, and give that one alone:
    read both ways, a short id would meet a stranger's. An id that the mode cannot convert stays as it is. `auto` gives all that
    are possible. An empty id has no forms.
    """
    own = normalise_id(network_id)
    if not own:
        return ()
    convertible = len(own) <= MAX_ID_LENGTH
    to_hex = f"{int(own):x}" if convertible and _DECIMAL(own) else own
    to_decimal = str(int(own, 16)) if convertible and _HEXADECIMAL(own) else own
    forms: dict[IdMode, tuple[str, ...]] = {
        "auto": (own, to_hex, to_decimal),
        "as_is": (own,),
        "hex_to_decimal": (to_decimal,),
        "decimal_to_hex": (to_hex,),
    }
    return tuple(dict.fromkeys(forms[mode]))


def _first_word(value: str) -> str:
    return value.split(maxsplit=1)[0].strip("\"',;|") if value else ""


def _count(value: str) -> int | None:
    word = _first_word(value)
    return int(word) if _DECIMAL(word) and len(word) <= MAX_ID_LENGTH else None


def _date(value: str) -> datetime | None:
    digits = _NOT_DIGITS.sub("", value)
    for candidate in _DATE_CANDIDATES.get(len(digits), ()):
        written = candidate.format(digits)
        try:
            year, month, day, hour, minute, second = (int(written[start:end]) for start, end in _DATE_PLACES)
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # The zone is the operator's.
        except ValueError:
            continue
    return None


def _written(date: datetime | None) -> str:
    return date.strftime("%y%m%d%H%M") if date else "0" * 10

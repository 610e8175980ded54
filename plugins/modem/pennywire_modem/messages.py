"""From a submission to SMS-SUBMIT, and from what the network sends to a report or an incoming segment. No I/O."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from pennywire import Alphabet, Incoming, Report, ReportState, Submission
from pennywire.sms import udh as headers
from pennywire_modem import tpdu
from pennywire_modem.tpdu import Deliver, StatusReport, UserData

_MAX_USER_DATA_OCTETS: Final = 140
_NETWORK_ID_CHARACTERS: Final = 32
_HANDSET_CHARACTERS: Final = 10

#: TP-ST values that mean something of their own. Source: 3GPP TS 23.040 §9.2.3.15.
_STATES: Final = {
    0x00: ReportState.DELIVERED,
    0x01: ReportState.ACCEPTED,
    0x02: ReportState.DELETED,
    0x43: ReportState.REJECTED,
    0x46: ReportState.EXPIRED,
    0x47: ReportState.DELETED,
    0x48: ReportState.DELETED,
    0x63: ReportState.REJECTED,
}
#: The rest by its two upper bits of seven: the SMSC still tries in the second group, and has given up in the others.
_GROUPS: Final = (ReportState.ACCEPTED, ReportState.ENROUTE, ReportState.UNDELIVERABLE, ReportState.UNDELIVERABLE)
_RESERVED: Final = 0x80


class Unsendable(Exception):
    """This submission cannot be put into an SMS-SUBMIT; nothing was sent. `permanent` is False where another connection could."""

    def __init__(self, code: str, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.permanent = permanent


def make_submit(submission: Submission, *, now: datetime) -> bytes:
    """Return the TPDU of a submission. TP-SCA and TP-OA come from the SIM card: the network allows no other sender.

    Raises: Unsendable.
    """
    validity: timedelta | None = None
    if submission.expires_at is not None:
        validity = submission.expires_at - now
        if validity <= timedelta(0):
            raise Unsendable("expired", "The validity of the message ended before it was sent.", permanent=True)
    user_data = UserData(submission.user_data, submission.alphabet, submission.udh, submission.message_class)
    if submission.alphabet is Alphabet.LATIN1:
        user_data = _widen(submission)
    submit = tpdu.Submit(submission.destination, user_data, report_requested=submission.report_requested, validity=validity)
    try:
        return tpdu.encode_submit(submit)
    except ValueError as error:
        raise Unsendable("pdu", f"The segment does not fit a TPDU: {error}", permanent=True) from error


def _widen(submission: Submission) -> UserData:
    """Return Latin-1 as UCS-2: the air interface has no Latin-1. Cutting it anew would change the count that was charged."""
    octets = submission.user_data.decode("latin-1").encode("utf-16-be")
    if len(submission.udh) + len(octets) > _MAX_USER_DATA_OCTETS:
        raise Unsendable("alphabet", "A modem has no Latin-1, and as UCS-2 the segment is too long.", permanent=False)
    return UserData(octets, Alphabet.UCS2, submission.udh)


def network_id(*, sim: str, reference: int, destination: str, sent_at: datetime) -> str:
    """Return the id under which a segment and its report meet.

    TP-MR has eight bits and wraps within hours (trap G3), so the SIM, the destination and the hour belong to the id;
    ids are shown and logged, so the destination goes in as a digest.
    """
    handset = hashlib.sha256(destination.removeprefix("+").encode()).hexdigest()[:_HANDSET_CHARACTERS]
    return f"{sim[-6:]}-{reference}-{handset}-{sent_at.astimezone(UTC):%y%m%d%H}"


def read_report(report: StatusReport, *, sim: str, known_id: str, raw: str) -> Report:
    """Return the report of an SMS-STATUS-REPORT. `known_id` is the id of the last segment with its reference and destination.

    Without it, as after a restart, the SMSC's time tells the hour; its clock is not ours, so the hours around count too.
    """
    ids: tuple[str, ...] = (known_id,) if known_id else ()
    if not ids and report.sent_at is not None:
        hours = [report.sent_at + timedelta(hours=hours) for hours in (0, -1, 1)]
        ids = tuple(network_id(sim=sim, reference=report.reference, destination=report.destination, sent_at=hour) for hour in hours)
    return Report(
        network_ids=ids,
        state=state_of(report.status),
        error_code="" if report.status == 0 else f"0x{report.status:02X}",
        done_at=report.done_at,
        raw=raw,
        destination=report.destination,
    )


def state_of(status: int) -> ReportState:
    """Return what TP-ST says. Reserved values say nothing. Source: 3GPP TS 23.040 §9.2.3.15."""
    if status & _RESERVED:
        return ReportState.UNKNOWN
    return _STATES.get(status, _GROUPS[status >> 5])


def read_deliver(deliver: Deliver, *, destination: str, raw: str) -> Incoming:
    """Return the incoming segment of an SMS-DELIVER. Its TPDU recognises a repeat: it holds time, sender and text."""
    user_data = deliver.user_data
    try:
        elements = headers.parse(user_data.udh)
    except headers.MalformedHeader:
        elements = ()
    locking_shift, single_shift = headers.national_shifts(elements)
    return Incoming(
        source=deliver.source,
        destination=destination,
        user_data=user_data.octets,
        alphabet=user_data.alphabet,
        concatenation=headers.concatenation(elements),
        udh=user_data.udh,
        locking_shift=locking_shift,
        single_shift=single_shift,
        message_class=user_data.message_class,
        sent_at=deliver.sent_at,
        network_id=hashlib.sha256(raw.encode()).hexdigest()[:_NETWORK_ID_CHARACTERS],
        raw=raw,
    )

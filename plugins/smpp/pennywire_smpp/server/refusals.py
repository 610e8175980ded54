"""Which command_status a refusal becomes: one table, which docs/smpp-server.md repeats. Source: SMPP v3.4 §5.1.3."""

from typing import Final

from pennywire_smpp import statuses

STATUS_OF: Final[dict[str, int]] = {
    "invalid_destination": statuses.ESME_RINVDSTADR,
    "missing_destination": statuses.ESME_RINVDSTADR,
    "invalid_source": 0x0A,
    "empty_text": statuses.ESME_RINVMSGLEN,
    "text_too_long": statuses.ESME_RINVMSGLEN,
    "invalid_text": statuses.ESME_RINVMSGLEN,
    "invalid_time": 0x62,
    "invalid_parameter": 0xC4,
    "invalid_field": 0xC4,
    "missing_parameter": 0xC3,
    "unsupported_message_type": 0x45,
    "unauthenticated": statuses.ESME_RINVPASWD,
    "too_many_attempts": statuses.ESME_RBINDFAIL,
    "forbidden": 0x66,
    "not_found": statuses.ESME_RINVMSGID,
    "not_cancellable": statuses.ESME_RCANCELFAIL,
    "conflict": 0x45,
    "idempotency_conflict": 0x45,
    "no_route": 0x45,
    "no_price": 0x45,
    "negative_margin": 0x45,
    "no_credit": 0x66,
    "limit_reached": 0x66,
    "user_suspended": 0x66,
    "account_suspended": 0x66,
    "too_many_messages": 0x33,
    "unavailable": statuses.ESME_RSYSERR,
    "internal": statuses.ESME_RSYSERR,
}
"""Refusals of the gateway by code. What is not here, such as what HTTP alone can do wrong, is ESME_RSUBMITFAIL.

`unknown_outcome` is not here: it is not answered at all."""

ESME_RREPLACEFAIL: Final = 0x13
ESME_RSUBMITFAIL: Final = 0x45
ESME_RINVPRTFLG: Final = 0x06
ESME_RINVDLNAME: Final = 0x34
ESME_RINVNUMDESTS: Final = 0x33
ESME_RINVSCHED: Final = 0x61
ESME_RINVEXPIRY: Final = 0x62
ESME_RINVDFTMSGID: Final = 0x63


def status_of(code: str) -> int:
    """Return the command_status for a refusal."""
    return STATUS_OF.get(code, ESME_RSUBMITFAIL)

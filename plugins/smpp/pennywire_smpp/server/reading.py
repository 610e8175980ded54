"""From submit_sm, data_sm and submit_multi to drafts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from pennywire import Alphabet, Concatenation, Draft
from pennywire.sms import decode
from pennywire.sms import udh as headers
from pennywire_smpp import statuses
from pennywire_smpp.bodies import DataMessage, Destination, ReplaceSm, ShortMessage, SubmitMulti
from pennywire_smpp.inbound import Unreadable, UserData, read_address, read_sar, read_user_data, unpack_septets
from pennywire_smpp.pdu import Pdu
from pennywire_smpp.server import refusals
from pennywire_smpp.times import InvalidTime, read_time
from pennywire_smpp.tlvs import Tag

#: Bits of registered_delivery that ask for receipts: 1 for every end, 2 for failures. Source: SMPP v3.4 §5.2.17.
RECEIPT_BITS: Final = 0x03
_MAX_PRIORITY: Final = 3
#: dest_flag of an address; 2 is a distribution list. Source: SMPP v3.4 §5.2.25.
SME_ADDRESS: Final = 1

#: Names of parameters of a draft: the alphabet in which it was submitted, and its service_type.
CODING: Final = "coding"
SERVICE_TYPE: Final = "service"

_CHOSEN_ANEW: Final = frozenset(
    {
        headers.Identifier.CONCATENATION_8,
        headers.Identifier.CONCATENATION_16,
        headers.Identifier.SINGLE_SHIFT,
        headers.Identifier.LOCKING_SHIFT,
    }
)


class Refused(Exception):
    """The PDU is answered with an error; nothing of it is kept."""

    def __init__(self, command_status: int) -> None:
        super().__init__(hex(command_status))
        self.command_status = command_status


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a customer submitted: user data as in `pennywire.Submission`, not yet joined. `receipt` is 0, 1 or 2."""

    source: str
    destinations: tuple[str, ...]
    user_data: bytes
    alphabet: Alphabet
    header: bytes = b""
    place: Concatenation | None = None
    shifts: tuple[int, int] = (0, 0)
    message_class: int | None = None
    priority: int = 0
    send_at: datetime | None = None
    expires_at: datetime | None = None
    receipt: int = 0
    reference: int | None = None
    service_type: str = ""
    #: Destinations of submit_multi that were refused before anybody was asked.
    refused: tuple[tuple[Destination, int], ...] = field(default=())

    def draft(self, destination: str, *, client_reference: str = "", parameters: Mapping[str, Any]) -> Draft:
        """Return the draft for one destination."""
        binary = self.alphabet is Alphabet.BINARY
        locking, single = self.shifts
        return Draft(
            destination,
            text="" if binary else decode(self.user_data, self.alphabet, locking_shift=locking, single_shift=single),
            source=self.source,
            data=self.user_data if binary else None,
            udh=self.header,
            message_class=self.message_class,
            priority=self.priority,
            send_at=self.send_at,
            expires_at=self.expires_at,
            report_requested=bool(self.receipt),
            client_reference=client_reference,
            parameters={**parameters, **self._remembered()},
        )

    def _remembered(self) -> dict[str, Any]:
        """Return what receipts, cancel_sm and replace_sm ask for later, where it is not what is usual."""
        told = {} if self.reference is None else {"reference": self.reference}
        coding = {} if self.alphabet is Alphabet.GSM7 else {CODING: self.alphabet.value}
        return told | coding | ({SERVICE_TYPE: self.service_type} if self.service_type else {})


def read_submission(pdu: Pdu, *, alphabet: str, now: datetime) -> Submitted:
    """Return what a PDU submits. Raises: Refused."""
    body = pdu.body
    assert isinstance(body, ShortMessage | DataMessage | SubmitMulti), "only these submit"
    user_data = _user_data(pdu, alphabet)
    destinations, refused = _destinations(body)
    reference = pdu.tlv(Tag.USER_MESSAGE_REFERENCE)
    return Submitted(
        source=read_address(body.source_addr, body.source_addr_ton),
        destinations=destinations,
        user_data=user_data.octets,
        alphabet=user_data.alphabet,
        header=_header(user_data),
        place=headers.concatenation(user_data.elements) or read_sar(pdu),
        shifts=headers.national_shifts(user_data.elements),
        message_class=user_data.coding.message_class,
        receipt=body.registered_delivery & RECEIPT_BITS,
        reference=int.from_bytes(reference, "big") if reference else None,
        refused=refused,
        service_type=body.service_type,
        **({} if isinstance(body, DataMessage) else _dates(body, now)),
    )


def _header(user_data: UserData) -> bytes:
    """Return what the header says beside a place in a series and a language: both are chosen anew when the text is sent."""
    kept = [element for element in user_data.elements if element.identifier not in _CHOSEN_ANEW]
    return headers.build(kept) if kept else b""


def read_replacement(body: ReplaceSm, draft: Draft, *, name: str, alphabet: str, now: datetime) -> Draft:
    """Return what is to stand in the place of `draft`, which the customer calls `name`. What replace_sm leaves empty stays.

    The text is in the alphabet of the first submission, since replace_sm has no data_coding. Raises: Refused.
    Source: SMPP v3.4 §4.10.
    """
    if body.sm_default_msg_id:
        raise Refused(refusals.ESME_RINVDFTMSGID)
    if not body.short_message:
        raise Refused(statuses.ESME_RINVMSGLEN)
    coding = Alphabet(draft.parameters.get(CODING, Alphabet.GSM7.value))
    octets = unpack_septets(body.short_message, 0) if coding is Alphabet.GSM7 and alphabet == "gsm_packed" else body.short_message
    binary = coding is Alphabet.BINARY
    receipt = body.registered_delivery & RECEIPT_BITS
    kept = {key: value for key, value in draft.parameters.items() if key not in ("receipt", "receipts")}
    return replace(
        draft,
        text="" if binary else decode(octets, coding),
        data=octets if binary else None,
        send_at=_time(body.schedule_delivery_time, now, refusals.ESME_RINVSCHED) or draft.send_at,
        expires_at=_time(body.validity_period, now, refusals.ESME_RINVEXPIRY) or draft.expires_at,
        report_requested=bool(receipt),
        client_reference=replaced_name(name),
        parameters=kept | ({"receipts": {name: receipt}} if receipt else {}),
    )


def replaced_name(name: str) -> str:
    """Return the client reference of what stands in the place of the message that the customer calls `name`."""
    return f"{name}~"


def _user_data(pdu: Pdu, alphabet: str) -> UserData:
    try:
        user_data = read_user_data(pdu, default=alphabet)
    except Unreadable as error:
        raise Refused(statuses.ESME_RINVMSGLEN) from error
    if not user_data.octets:
        raise Refused(statuses.ESME_RINVMSGLEN)
    return user_data


def _destinations(body: ShortMessage | DataMessage | SubmitMulti) -> tuple[tuple[str, ...], tuple[tuple[Destination, int], ...]]:
    if not isinstance(body, SubmitMulti):
        return (read_address(body.destination_addr, body.dest_addr_ton),), ()
    if not body.destinations:
        raise Refused(refusals.ESME_RINVNUMDESTS)
    lists = tuple((one, refusals.ESME_RINVDLNAME) for one in body.destinations if one.flag != SME_ADDRESS)
    return tuple(read_address(one.address, one.ton) for one in body.destinations if one.flag == SME_ADDRESS), lists


def _dates(body: ShortMessage | SubmitMulti, now: datetime) -> dict[str, Any]:
    """Return the fields that data_sm lacks."""
    if body.priority_flag > _MAX_PRIORITY:
        raise Refused(refusals.ESME_RINVPRTFLG)
    if body.sm_default_msg_id:
        raise Refused(refusals.ESME_RINVDFTMSGID)
    if body.replace_if_present_flag:
        raise Refused(refusals.ESME_RREPLACEFAIL)
    return {
        "priority": body.priority_flag,
        "send_at": _time(body.schedule_delivery_time, now, refusals.ESME_RINVSCHED),
        "expires_at": _time(body.validity_period, now, refusals.ESME_RINVEXPIRY),
    }


def _time(text: str, now: datetime, command_status: int) -> datetime | None:
    try:
        return read_time(text, now=now)
    except InvalidTime as error:
        raise Refused(command_status) from error

"""From a submission to the fields of submit_sm."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from pennywire import Alphabet, Submission
from pennywire.sms import addresses, dcs, gsm0338
from pennywire.sms import udh as headers
from pennywire_smpp import optional
from pennywire_smpp.bodies import ShortMessage
from pennywire_smpp.fields import MAX_SHORT_MESSAGE_OCTETS
from pennywire_smpp.pdu import Tlv
from pennywire_smpp.settings import SmppSettings
from pennywire_smpp.times import format_relative
from pennywire_smpp.tlvs import Tag

#: esm_class bit: user_data begins with a header. Source: SMPP v3.4 §5.2.12.
UDHI: Final = 0x40
#: What one segment holds. Source: 3GPP TS 23.040 §9.2.3.24.
_SEGMENT_OCTETS: Final = 140
_SEGMENT_SEPTETS: Final = 160
#: priority_flag has four levels. Source: SMPP v3.4 §5.2.14.
_MAX_PRIORITY: Final = 3

_DECIMAL = re.compile(r"[0-9]{1,3}").fullmatch
_MAX_OCTET: Final = 0xFF

#: Fields that a message may set itself. A value is a decimal number.
NUMERIC_PARAMETERS: Final = frozenset(
    {
        "source_addr_ton",
        "source_addr_npi",
        "dest_addr_ton",
        "dest_addr_npi",
        "esm_class",
        "protocol_id",
        "priority_flag",
        "registered_delivery",
        "replace_if_present_flag",
        "data_coding",
        "sm_default_msg_id",
    }
)


class Unsendable(Exception):
    """This submission cannot be put into a submit_sm; nothing was sent.

    `permanent` is False where another connection could send it.
    """

    def __init__(self, code: str, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.permanent = permanent


class Outgoing(NamedTuple):
    """A submit_sm that is ready."""

    body: ShortMessage
    tlvs: tuple[Tlv, ...]


class _Text(NamedTuple):
    data_coding: int
    octets: bytes


def make_submit_sm(submission: Submission, settings: SmppSettings, *, now: datetime) -> Outgoing:
    """Return the submit_sm for a submission.

    Raises: Unsendable for a text beyond the operator's alphabet, a parameter that is no number, or a validity that is over.
    """
    validity_period = ""
    if submission.expires_at is not None:
        if submission.expires_at <= now:
            raise Unsendable("expired", "The validity of the message ended before it was sent.", permanent=True)
        validity_period = format_relative(submission.expires_at - now)
    header, place = _place_in_series(submission, settings)
    tlvs = (*place, *_optional_parameters(submission, settings))
    text = _encode_text(submission, settings, header)
    user_data = header + text.octets
    if _is_payload(submission, settings, user_data):
        tlvs = (*tlvs, (int(Tag.MESSAGE_PAYLOAD), user_data))
        user_data = b""
    source_kind = addresses.kind(submission.source) if submission.source else "unknown"
    source = settings.numbering("source", source_kind)
    destination = settings.numbering("destination", addresses.kind(submission.destination))
    body = ShortMessage(
        service_type=settings.service_type,
        source_addr_ton=source.ton,
        source_addr_npi=source.npi,
        source_addr=submission.source.removeprefix("+"),
        dest_addr_ton=destination.ton,
        dest_addr_npi=destination.npi,
        destination_addr=submission.destination.removeprefix("+"),
        esm_class=UDHI if header else 0,
        priority_flag=min(max(submission.priority, 0), _MAX_PRIORITY),
        validity_period=validity_period,
        registered_delivery=settings.registered_delivery if submission.report_requested else 0,
        data_coding=text.data_coding,
        short_message=user_data,
    )
    return Outgoing(_override(body, submission.parameters) if submission.parameters else body, tlvs)


def _optional_parameters(submission: Submission, settings: SmppSettings) -> tuple[Tlv, ...]:
    """Return what the connection and the message add; the message wins where both name a tag."""
    own = optional.read_table(settings.optional_parameters)
    if not submission.parameters:
        return own
    try:
        tlvs = optional.add_parameters(own, submission.parameters)
    except optional.InvalidParameter as error:
        raise Unsendable("parameter", f"The parameter cannot be sent: {error}", permanent=True) from error
    if tlvs and settings.interface_version == "3.3":
        raise Unsendable("parameter", "SMPP 3.3, which this connection speaks, has no optional parameters.", permanent=False)
    return tlvs


def _place_in_series(submission: Submission, settings: SmppSettings) -> tuple[bytes, tuple[Tlv, ...]]:
    """Return the header to send and the optional parameters that take its place. Source: SMPP v3.4 §5.3.2.22 to .24."""
    place = submission.concatenation
    if place is None or settings.long_messages != "sar":
        return submission.udh, ()
    tlvs = (
        (int(Tag.SAR_MSG_REF_NUM), place.reference.to_bytes(2)),
        (int(Tag.SAR_TOTAL_SEGMENTS), place.total.to_bytes(1)),
        (int(Tag.SAR_SEGMENT_SEQNUM), place.index.to_bytes(1)),
    )
    return headers.without_concatenation(submission.udh), tlvs


def _encode_text(submission: Submission, settings: SmppSettings, header: bytes) -> _Text:
    if submission.alphabet is Alphabet.GSM7:
        return _GSM_ENCODERS[settings.alphabet](submission, header)
    message_class = None if submission.alphabet is Alphabet.LATIN1 else submission.message_class
    return _Text(dcs.write(submission.alphabet, message_class), submission.user_data)


def _septets(submission: Submission, header: bytes) -> _Text:
    del header
    return _Text(dcs.write(Alphabet.GSM7, submission.message_class), submission.user_data)


def _packed_septets(submission: Submission, header: bytes) -> _Text:
    packed = gsm0338.pack(submission.user_data, fill_bits=headers.fill_bits(header))
    return _Text(dcs.write(Alphabet.GSM7, submission.message_class), packed)


def _latin1(submission: Submission, header: bytes) -> _Text:
    return _encode_or_widen(submission, header, "latin-1")


def _ascii(submission: Submission, header: bytes) -> _Text:
    return _encode_or_widen(submission, header, "ascii")


def _encode_or_widen(submission: Submission, header: bytes, codec: str) -> _Text:
    """Encode for an SMSC whose default alphabet is not GSM; a character that it lacks makes the segment UCS-2, if that fits.

    Cutting it anew would change the count that was charged, so a segment that does not fit is refused.
    """
    data_coding = dcs.write(Alphabet.GSM7, submission.message_class)
    try:
        return _Text(data_coding, submission.text.encode(codec))
    except UnicodeEncodeError as error:
        wide = submission.text.encode("utf-16-be", "surrogatepass")
        if len(header) + len(wide) <= _SEGMENT_OCTETS:
            return _Text(dcs.write(Alphabet.UCS2, submission.message_class), wide)
        character = submission.text[error.start]
        reason = f"The alphabet of this connection lacks U+{ord(character):04X}, and as UCS-2 the segment is too long."
        raise Unsendable("alphabet", reason, permanent=False) from error


_GSM_ENCODERS: Final[dict[str, Callable[[Submission, bytes], _Text]]] = {
    "gsm": _septets,
    "gsm_packed": _packed_septets,
    "latin1": _latin1,
    "ascii": _ascii,
}


def _is_payload(submission: Submission, settings: SmppSettings, user_data: bytes) -> bool:
    """Say whether the text goes into message_payload. Segments always fit short_message; whole messages may not."""
    if settings.long_messages != "message_payload":
        return len(user_data) > MAX_SHORT_MESSAGE_OCTETS
    limit = _SEGMENT_SEPTETS if submission.alphabet is Alphabet.GSM7 else _SEGMENT_OCTETS
    return len(submission.user_data) > limit


def _override(body: ShortMessage, parameters: Mapping[str, object]) -> ShortMessage:
    """Return the body with the message's own parameters. A header keeps its bit in esm_class whatever the message says."""
    changes: dict[str, Any] = {}
    for name in NUMERIC_PARAMETERS & parameters.keys():
        text = str(parameters[name]).strip()
        if not _DECIMAL(text) or int(text) > _MAX_OCTET:
            raise Unsendable("parameter", f"The parameter {name} must be a decimal number from 0 to 255.", permanent=True)
        changes[name] = int(text)
    if "esm_class" in changes:
        changes["esm_class"] |= body.esm_class & UDHI
    return body._replace(**changes) if changes else body

"""query_sm, cancel_sm and replace_sm. Source: SMPP v3.4 §4.8 to §4.10."""

from typing import Final

from pennywire import Gateway, MessageView, NotAccepted, Taken
from pennywire_smpp import statuses
from pennywire_smpp.bodies import Body, CancelSm, Empty, QuerySm, QuerySmResp, ReplaceSm
from pennywire_smpp.inbound import read_address
from pennywire_smpp.pdu import Pdu
from pennywire_smpp.server.parts import Fate, Parts
from pennywire_smpp.server.reading import SERVICE_TYPE, Refused, read_replacement, replaced_name
from pennywire_smpp.server.refusals import ESME_RREPLACEFAIL, status_of
from pennywire_smpp.server.telling import STATES
from pennywire_smpp.simulation import STATE_CODES
from pennywire_smpp.times import format_absolute

#: message_state. Source: SMPP v3.4 §5.2.28.
_ENROUTE: Final = 1
_EXPIRED: Final = 3
_REJECTED: Final = 8


def reply(gateway: Gateway, parts: Parts, pdu: Pdu, *, alphabet: str) -> tuple[Body | None, int]:
    """Return body and command_status of the answer to a question about a message. Blocks.

    `alphabet` is what data_coding 0 means, as in the settings.
    """
    body = pdu.body
    assert isinstance(body, QuerySm | CancelSm | ReplaceSm), "only these ask"
    if isinstance(body, CancelSm):
        return _cancelled(gateway, body)
    message = find(gateway, body.message_id)
    if isinstance(body, QuerySm):
        return _state(parts, body.message_id, message)
    if message is None:
        return None, statuses.ESME_RINVMSGID
    try:
        return _replaced(gateway, body, message, alphabet)
    except Refused as refused:
        return None, refused.command_status
    except NotAccepted as error:
        if error.code == "unknown_outcome":
            raise
        return None, status_of(error.code)


def find(gateway: Gateway, name: str) -> MessageView | None:
    """Return the message that a customer knows under a message_id: what took its place, its own, or that of a segment's series."""
    series = name.partition("-")[0]
    if not series:
        return None
    found = gateway.find([replaced_name(series), series])
    return found.get(replaced_name(series)) or found.get(series)


def _cancelled(gateway: Gateway, body: CancelSm) -> tuple[Body | None, int]:
    """Take back one message, all that a submit_multi made, or where there is no message_id all of a pair of addresses."""
    if not body.message_id:
        found = gateway.unsent(
            source=read_address(body.source_addr, body.source_addr_ton), destination=read_address(body.destination_addr, body.dest_addr_ton)
        )
        service = body.service_type
        wanted = [number for number, parameters in found.items() if not service or parameters.get(SERVICE_TYPE, "") == service]
    else:
        message = find(gateway, body.message_id)
        if message is None:
            return None, statuses.ESME_RINVMSGID
        reference = message.client_reference
        wanted = [message.message_id, *(gateway.unsent(reference=reference) if reference else ())]
    taken_back = gateway.cancel(wanted) if wanted else ()
    return (Empty(), 0) if taken_back else (None, statuses.ESME_RCANCELFAIL)


def _replaced(gateway: Gateway, body: ReplaceSm, message: MessageView, alphabet: str) -> tuple[Body | None, int]:
    """Put another text in the place of a message of one segment and one destination.

    One message_id of a series is a part of a text, and that of a submit_multi is many messages: neither can be replaced alone.
    """
    name = body.message_id
    if message.client_reference not in ("", replaced_name(name)):
        return None, ESME_RREPLACEFAIL
    draft = gateway.draft(message.message_id)
    if draft is None:
        return None, statuses.ESME_RINVMSGID
    source = read_address(body.source_addr, body.source_addr_ton)
    if source and source.removeprefix("+") != draft.source.removeprefix("+"):
        return None, ESME_RREPLACEFAIL
    wanted = read_replacement(body, draft, name=name, alphabet=alphabet, now=gateway.now)
    done = gateway.replace(message.message_id, wanted)
    if done is None:
        return None, ESME_RREPLACEFAIL
    return (Empty(), 0) if isinstance(done, Taken) else (None, status_of(done.code))


def _state(parts: Parts, name: str, message: MessageView | None) -> tuple[Body | None, int]:
    if message is not None:
        state = STATES.get(message.state)
        final_date = format_absolute(message.handset_at or message.updated_at) if state else ""
        code = STATE_CODES[state] if state else _ENROUTE
        error = int(message.error_code) if message.error_code.isdecimal() and int(message.error_code) <= 0xFF else 0
        return QuerySmResp(name, final_date, code, error), 0
    part = parts.find(name)
    if part is None:
        return None, statuses.ESME_RINVMSGID
    codes = {Fate.WAITING: _ENROUTE, Fate.EXPIRED: _EXPIRED, Fate.REJECTED: _REJECTED}
    return QuerySmResp(name, "", codes[part.fate], 0), 0

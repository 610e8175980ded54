"""query_sm, cancel_sm and replace_sm. Source: SMPP v3.4 §4.8 to §4.10."""

from typing import Final

from pennywire import Gateway, MessageView
from pennywire_smpp import statuses
from pennywire_smpp.bodies import Body, CancelSm, Empty, QuerySm, QuerySmResp, ReplaceSm
from pennywire_smpp.pdu import Pdu
from pennywire_smpp.server.parts import Fate, Parts
from pennywire_smpp.server.refusals import ESME_RREPLACEFAIL
from pennywire_smpp.server.telling import STATES
from pennywire_smpp.simulation import STATE_CODES
from pennywire_smpp.times import format_absolute

#: message_state. Source: SMPP v3.4 §5.2.28.
_ENROUTE: Final = 1
_EXPIRED: Final = 3
_REJECTED: Final = 8


def reply(gateway: Gateway, parts: Parts, pdu: Pdu) -> tuple[Body | None, int]:
    """Return body and command_status of the answer to a question about a message. Blocks."""
    body = pdu.body
    assert isinstance(body, QuerySm | CancelSm | ReplaceSm), "only these ask"
    message = find(gateway, body.message_id)
    if isinstance(body, QuerySm):
        return _state(parts, body.message_id, message)
    if message is None:
        return None, statuses.ESME_RINVMSGID
    if isinstance(body, ReplaceSm):
        # What was accepted is priced and queued; another text would be another message at another price.
        return None, ESME_RREPLACEFAIL
    taken_back = message.message_id in gateway.cancel([message.message_id])
    return (Empty(), 0) if taken_back else (None, statuses.ESME_RCANCELFAIL)


def find(gateway: Gateway, name: str) -> MessageView | None:
    """Return the message that a customer knows under a message_id: its own, or that of a segment, which begins with its reference."""
    series = name.partition("-")[0]
    found = gateway.find([series]) if series else {}
    return found.get(series)


def _state(parts: Parts, name: str, message: MessageView | None) -> tuple[Body | None, int]:
    if message is not None:
        state = STATES.get(message.state)
        final_date = format_absolute(message.updated_at) if state else ""
        code = STATE_CODES[state] if state else _ENROUTE
        error = int(message.error_code) if message.error_code.isdecimal() and int(message.error_code) <= 0xFF else 0
        return QuerySmResp(name, final_date, code, error), 0
    part = parts.find(name)
    if part is None:
        return None, statuses.ESME_RINVMSGID
    codes = {Fate.WAITING: _ENROUTE, Fate.EXPIRED: _EXPIRED, Fate.REJECTED: _REJECTED}
    return QuerySmResp(name, "", codes[part.fate], 0), 0

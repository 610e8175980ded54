"""The bodies of all PDUs as tables: one class for each layout, its fields in wire order.

Codec, trace and simulator read these tables; there is no second list of fields. C-octet strings are `str` (Latin-1, so every
octet survives), integers `int`, short_message `bytes`. They are named tuples and not frozen dataclasses because a gateway makes
a hundred thousand of them a second. Source: SMPP v3.4 §4.
"""

from typing import Annotated, NamedTuple

from pennywire_smpp.fields import (
    CountedOctets,
    CString,
    Destination,
    Destinations,
    Octet,
    Unsuccessful,
    UnsuccessfulDeliveries,
)

ServiceType = Annotated[str, CString(6)]
Address = Annotated[str, CString(21)]
MessageId = Annotated[str, CString(65)]
Time = Annotated[str, CString(17)]
SystemId = Annotated[str, CString(16)]
Password = Annotated[str, CString(9)]
#: Addresses of data_sm and alert_notification may be longer. Source: SMPP v3.4 §4.7.1, §4.12.1.
LongAddress = Annotated[str, CString(65)]
ShortMessageOctets = Annotated[bytes, CountedOctets()]


class Empty(NamedTuple):
    """No body: unbind, enquire_link, their responses, generic_nack, cancel_sm_resp, replace_sm_resp."""


class Bind(NamedTuple):
    """bind_transmitter, bind_receiver, bind_transceiver. Source: SMPP v3.4 §4.1.1."""

    system_id: SystemId = ""
    password: Password = ""
    system_type: Annotated[str, CString(13)] = ""
    interface_version: Octet = 0x34
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: Annotated[str, CString(41)] = ""


class BindResp(NamedTuple):
    """The three bind responses. Absent when the bind is refused. Source: SMPP v3.4 §4.1.2."""

    system_id: SystemId = ""


class Outbind(NamedTuple):
    """outbind. Source: SMPP v3.4 §4.1.7."""

    system_id: SystemId = ""
    password: Password = ""


class ShortMessage(NamedTuple):
    """submit_sm and deliver_sm, which have the same fields. Source: SMPP v3.4 §4.4.1, §4.6.1."""

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: Address = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: Address = ""
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: Time = ""
    validity_period: Time = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: ShortMessageOctets = b""


class MessageResp(NamedTuple):
    """submit_sm_resp, deliver_sm_resp, data_sm_resp. Source: SMPP v3.4 §4.4.2, §4.6.2, §4.7.2."""

    message_id: MessageId = ""


class DataMessage(NamedTuple):
    """data_sm; its text is in message_payload. Source: SMPP v3.4 §4.7.1."""

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: LongAddress = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: LongAddress = ""
    esm_class: Octet = 0
    registered_delivery: Octet = 0
    data_coding: Octet = 0


class SubmitMulti(NamedTuple):
    """submit_multi. Source: SMPP v3.4 §4.5.1."""

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: Address = ""
    destinations: Annotated[tuple[Destination, ...], Destinations()] = ()
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: Time = ""
    validity_period: Time = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: ShortMessageOctets = b""


class SubmitMultiResp(NamedTuple):
    """submit_multi_resp. Source: SMPP v3.4 §4.5.2."""

    message_id: MessageId = ""
    unsuccessful: Annotated[tuple[Unsuccessful, ...], UnsuccessfulDeliveries()] = ()


class QuerySm(NamedTuple):
    """query_sm. Source: SMPP v3.4 §4.8.1."""

    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: Address = ""


class QuerySmResp(NamedTuple):
    """query_sm_resp. Source: SMPP v3.4 §4.8.2."""

    message_id: MessageId = ""
    final_date: Time = ""
    message_state: Octet = 0
    error_code: Octet = 0


class CancelSm(NamedTuple):
    """cancel_sm. Source: SMPP v3.4 §4.9.1."""

    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: Address = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: Address = ""


class ReplaceSm(NamedTuple):
    """replace_sm. Source: SMPP v3.4 §4.10.1."""

    message_id: MessageId = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: Address = ""
    schedule_delivery_time: Time = ""
    validity_period: Time = ""
    registered_delivery: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: ShortMessageOctets = b""


class AlertNotification(NamedTuple):
    """alert_notification. Source: SMPP v3.4 §4.12.1."""

    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: LongAddress = ""
    esme_addr_ton: Octet = 0
    esme_addr_npi: Octet = 0
    esme_addr: LongAddress = ""


Body = (
    Empty
    | Bind
    | BindResp
    | Outbind
    | ShortMessage
    | MessageResp
    | DataMessage
    | SubmitMulti
    | SubmitMultiResp
    | QuerySm
    | QuerySmResp
    | CancelSm
    | ReplaceSm
    | AlertNotification
)

__all__ = [
    "AlertNotification",
    "Bind",
    "BindResp",
    "Body",
    "CancelSm",
    "DataMessage",
    "Destination",
    "Empty",
    "MessageResp",
    "Outbind",
    "QuerySm",
    "QuerySmResp",
    "ReplaceSm",
    "ShortMessage",
    "SubmitMulti",
    "SubmitMultiResp",
    "Unsuccessful",
]

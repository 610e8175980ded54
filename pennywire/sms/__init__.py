"""Text and numbers of SMS, without I/O: GSM 03.38, segments, user data headers, data codings, addresses, the text of receipts.

Import the modules for what is not exported here.
"""

from pennywire.sms.addresses import AddressKind, InvalidAddress, mask, normalise
from pennywire.sms.gsm0338 import NotEncodable
from pennywire.sms.segments import Plan, Segment, TooLong, plan, split, split_data
from pennywire.sms.text import decode
from pennywire.sms.udh import MalformedHeader

__all__ = [
    "AddressKind",
    "InvalidAddress",
    "MalformedHeader",
    "NotEncodable",
    "Plan",
    "Segment",
    "TooLong",
    "decode",
    "mask",
    "normalise",
    "plan",
    "split",
    "split_data",
]

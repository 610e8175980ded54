"""Optional parameters that a connection or a message adds to submit_sm. Source: SMPP v3.4 §3.2.4.1, §5.3.

A parameter is named by its tag (`0x1401`) or by the specification (`user_message_reference`). Its value is hexadecimal, as incoming
messages show theirs, or a text behind `text:`, in Latin-1.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from pennywire import InvalidSetting
from pennywire_smpp.pdu import Tlv
from pennywire_smpp.tlvs import Tag, tag_name

SETTING_NAME: Final = "optional_parameters"
MAX_VALUE_OCTETS: Final = 254
_MAX_LINES: Final = 50
_TEXT: Final = "text:"
_NUMBER = re.compile(r"0x[0-9a-f]{1,4}").fullmatch
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2})*").fullmatch
_TAG_BY_NAME: Final = {tag.name.lower(): int(tag) for tag in Tag}
#: These say how the text travels, which only the connection knows.
_OURS: Final = frozenset({Tag.MESSAGE_PAYLOAD, Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM})


class InvalidParameter(ValueError):
    """An optional parameter cannot be sent; the text says why and what would be right."""


@lru_cache(maxsize=64)
def read_table(table: str) -> tuple[Tlv, ...]:
    """Return what a connection adds, from lines such as `0x1401 = 0a0b`. Raises: InvalidSetting, naming the line."""
    found: dict[int, bytes] = {}
    for number, line in enumerate(table.splitlines(), start=1):
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        try:
            if not equals:
                raise InvalidParameter("there is no = between tag and value. Write 0x1401 = 0a0b, or 0x1401 = text:abc.")
            tag = read_tag(name.strip().lower())
            if tag in found:
                raise InvalidParameter(f"{tag_name(tag)} has a line already. Keep one of them.")
            found[tag] = _read_value(tag, value.strip())
        except InvalidParameter as error:
            raise InvalidSetting(SETTING_NAME, f"Line {number}: {error}") from error
    if len(found) > _MAX_LINES:
        raise InvalidSetting(SETTING_NAME, f"There are {len(found)} optional parameters; at most {_MAX_LINES} are allowed.")
    return tuple(found.items())


def read_tag(name: str) -> int:
    """Return the tag that a name means. Raises: InvalidParameter."""
    tag = _TAG_BY_NAME.get(name)
    if tag is None:
        if not _NUMBER(name):
            raise InvalidParameter(f"{name[:40]} is no tag. Write it as 0x1401, or as SMPP v3.4 §5.3.2 names it.")
        tag = int(name, 16)
    if tag in _OURS:
        raise InvalidParameter(f"{tag_name(tag)} is set by the connection itself. Choose under Long messages.")
    return tag


def add_parameters(tlvs: Iterable[Tlv], parameters: Mapping[str, object]) -> tuple[Tlv, ...]:
    """Return a connection's parameters with those of a message in their place or behind them. Raises: InvalidParameter."""
    merged = dict(tlvs)
    for name, value in parameters.items():
        if name.lower() in _TAG_BY_NAME or name.lower().startswith("0x"):
            tag = read_tag(name.lower())
            merged[tag] = _read_value(tag, str(value).strip())
    return tuple(merged.items())


def _read_value(tag: int, text: str) -> bytes:
    if text.startswith(_TEXT):
        try:
            octets = text.removeprefix(_TEXT).encode("latin-1")
        except UnicodeEncodeError as error:
            raise InvalidParameter(f"{tag_name(tag)} has characters beyond Latin-1. Give its octets in hexadecimal.") from error
    elif _HEXADECIMAL(text):
        octets = bytes.fromhex(text)
    else:
        raise InvalidParameter(f"{tag_name(tag)} is not hexadecimal with two digits an octet. For a text write text: in front of it.")
    if len(octets) > MAX_VALUE_OCTETS:
        raise InvalidParameter(f"{tag_name(tag)} has {len(octets)} octets; at most {MAX_VALUE_OCTETS} are allowed.")
    return octets

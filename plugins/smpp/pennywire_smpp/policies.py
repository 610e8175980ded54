"""The operator's table of errors: what a command_status means at this SMSC, where it differs from our own table.

One line an error: its number or name, and what to do. `0x00000045 temporary`, `ESME_RX_R_APPN permanent`, `1025 pause 30`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from pennywire import InvalidSetting
from pennywire_smpp.statuses import STATUSES, Policy, find_status

SETTING_NAME: Final = "error_policies"
#: Units: seconds. The gateway lets no link rest for longer.
LONGEST_REST_S: Final = 300
_MAX_CODE: Final = 0xFFFFFFFF
_MAX_LINES: Final = 200
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}").fullmatch
_SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?").fullmatch
_CODE_BY_NAME: Final = {status.name: code for code, status in STATUSES.items()}
_FORMS: Final = "Write permanent, temporary, throttle, or pause and the seconds, such as pause 30."


class Ruling(NamedTuple):
    """What a refused submission leads to. Units: seconds; `pause_s` counts for `Policy.PAUSE` alone."""

    policy: Policy
    pause_s: float = 0.0


def find_ruling(code: int, table: str) -> Ruling:
    """Return what to do about a command_status: what the operator's table says, or else our own."""
    return read_policies(table).get(code) or Ruling(find_status(code).policy)


@lru_cache(maxsize=64)
def read_policies(table: str) -> Mapping[int, Ruling]:
    """Return the operator's table by command_status. Raises: InvalidSetting, naming the line."""
    rulings: dict[int, Ruling] = {}
    lines = [(number, line.split()) for number, line in enumerate(table.splitlines(), start=1) if line.strip()]
    if len(lines) > _MAX_LINES:
        raise InvalidSetting(SETTING_NAME, f"The table has {len(lines)} lines; at most {_MAX_LINES} are allowed.")
    for number, (error, *words) in lines:
        code = _read_code(error, number)
        if code in rulings:
            raise InvalidSetting(SETTING_NAME, f"Line {number}: {error} has a line already. Keep one of them.")
        rulings[code] = _read_ruling(words, number)
    return rulings


def _read_code(text: str, number: int) -> int:
    code = _CODE_BY_NAME.get(text.upper())
    if code is None:
        if not _NUMBER(text):
            raise InvalidSetting(
                SETTING_NAME, f"Line {number}: {text[:40]} is no command_status. Write 0x00000045, 69 or ESME_RSUBMITFAIL."
            )
        code = int(text, 16 if text[:2].lower() == "0x" else 10)
    if not 1 <= code <= _MAX_CODE:
        raise InvalidSetting(SETTING_NAME, f"Line {number}: {text[:40]} is no error. A command_status of an error is 1 to 0xFFFFFFFF.")
    return code


def _read_ruling(words: list[str], number: int) -> Ruling:
    match [word.lower() for word in words]:
        case ["permanent" | "temporary" | "throttle" as word]:
            return Ruling(Policy(word))
        case ["pause", seconds] if _SECONDS(seconds) and 0 < float(seconds) <= LONGEST_REST_S:
            return Ruling(Policy.PAUSE, float(seconds))
        case ["pause", *_]:
            raise InvalidSetting(SETTING_NAME, f"Line {number}: a pause has seconds, more than 0 and at most {LONGEST_REST_S}.")
    raise InvalidSetting(SETTING_NAME, f"Line {number}: what to do is missing or unknown. {_FORMS}")

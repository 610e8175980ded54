"""What the simulated modem may be told, and what it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pennywire import Alphabet
from pennywire.sms import gsm0338
from pennywire_modem.tpdu import Submit


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to a submission.

    `error` is the final result instead of OK, such as `+CMS ERROR: 38`. `prompt` False gives none, `answer` False gives no result,
    `unplug` cuts the line instead of answering. `status` is TP-ST of the report, None for none.
    """

    error: str = ""
    prompt: bool = True
    answer: bool = True
    unplug: bool = False
    status: int | None = 0


@dataclass(frozen=True, slots=True)
class ModemOptions:
    """How the modem behaves. `behaviours` maps the end of a destination to what happens; the longest wins.

    `overrides` maps the beginning of a command to the lines that answer it, the last one its final result; no lines mean silence,
    and None unplugs the line. `interjected` is written into the middle of each answer. `noise` is written before each answer.
    """

    pin: str = ""
    imei: str = "490154203237518"
    imsi: str = "216301234567890"
    iccid: str = "8936301234567890123"
    registration: int = 1
    signal: int = 20
    operator: str = "Penny Mobile"
    capacity: int = 30
    echo: bool = True
    zone_quarters: int = 0
    report_delay_s: float = 0.0
    balance: str = "Your balance is 1,250 Ft"
    first_reference: int = 0
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    overrides: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    interjected: str = ""
    noise: bytes = b""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A segment that came. `reference` is TP-MR, None where it was not accepted."""

    submit: Submit
    text: str
    reference: int | None


def shown_text(submit: Submit) -> str:
    """Return what a handset would show."""
    data = submit.user_data
    if data.alphabet is Alphabet.GSM7:
        return gsm0338.decode(data.octets)
    return data.octets.decode("utf-16-be", "replace") if data.alphabet is Alphabet.UCS2 else data.octets.hex()

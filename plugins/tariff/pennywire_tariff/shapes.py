"""The forms of the pages, as settings."""

from pennywire import Setting, SettingType
from pennywire_tariff import lists
from pennywire_tariff.parsing import DELIMITERS, ENCODINGS

NAME = Setting("name", "Name", required=True, max_length=lists.LONGEST_NAME)
CURRENCY = Setting(
    "currency", "Currency label", max_length=lists.LONGEST_CURRENCY, help="Such as EUR. Amounts are credits, whatever it says."
)

_DELIMITERS = {"auto": "As the first line shows", "semicolon": "Semicolon", "comma": "Comma", "tab": "Tabulator", "bar": "Vertical bar"}
FILE = (
    Setting("encoding", "Written in", SettingType.CHOICE, default="auto", choices=tuple(ENCODINGS.items())),
    Setting(
        "delimiter",
        "Between the columns",
        SettingType.CHOICE,
        default="auto",
        choices=tuple((key, _DELIMITERS[key]) for key in DELIMITERS),
    ),
    Setting("decimal", "Before decimals", SettingType.CHOICE, default=".", choices=((".", "Point: 0.035"), (",", "Comma: 0,035"))),
)
ENTRY = (
    Setting(
        "key",
        "Prefix or network",
        required=True,
        max_length=20,
        help="3620, or MCC-MNC such as 216-30, or 216- for the country, or * for everything else.",
    ),
    Setting("price", "Price of a segment", required=True, max_length=24),
    Setting("effective", "First day", max_length=35, help="Such as 2026-04-01; empty: from ever."),
    Setting("end", "Last day", max_length=35, help="Empty: for ever."),
    Setting("name", "Name", max_length=80),
)
PREVIEW = (
    Setting(
        "at",
        "Takes effect",
        max_length=35,
        help="A day or a time, such as 2026-12-01 or 2026-12-01T06:00+01:00; UTC unless it says more. Empty: now.",
    ),
    Setting("month", "Month to price", max_length=7, help="Such as 2026-10; empty: last month."),
)

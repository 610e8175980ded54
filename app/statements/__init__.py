"""Statements: what an account had, what moved, and what it has, over a month or any other interval. From the ledger alone.

Nothing here writes: `app.closing` closes months. What streams takes a `Reader`, so that no transaction outlives a page of rows.
"""

from app.statements.figures import GROUPINGS, Line, Statement
from app.statements.intervals import (
    FIRST_MONTH,
    Interval,
    InvalidMonth,
    Month,
    days,
    month_of,
    natural_interval,
)
from app.statements.month_end import AccountMonth, Traffic, account_months, all_account_months, traffic
from app.statements.rows import Item, Reader, items, items_page, one_session, place_of
from app.statements.sealing import FIGURES, Passed, Seal, SealFinding, recheck, seal
from app.statements.sums import (
    NotForStatements,
    closed_statements,
    gateway_zone,
    month_interval,
    opening,
    statement,
    stored_statement,
    zone_named,
    zone_of,
)
from app.statements.writing import (
    GROUPED_FIELDS,
    ITEMISED_FIELDS,
    MONTH_END_FIELDS,
    described,
    described_item,
    described_month,
    grouped_rows,
    harmless,
    itemised_rows,
    month_end_rows,
    to_csv,
)

__all__ = [
    "FIGURES",
    "FIRST_MONTH",
    "GROUPED_FIELDS",
    "GROUPINGS",
    "ITEMISED_FIELDS",
    "MONTH_END_FIELDS",
    "AccountMonth",
    "Interval",
    "InvalidMonth",
    "Item",
    "Line",
    "Month",
    "NotForStatements",
    "Passed",
    "Reader",
    "Seal",
    "SealFinding",
    "Statement",
    "Traffic",
    "account_months",
    "all_account_months",
    "closed_statements",
    "days",
    "described",
    "described_item",
    "described_month",
    "gateway_zone",
    "grouped_rows",
    "harmless",
    "itemised_rows",
    "items",
    "items_page",
    "month_end_rows",
    "month_interval",
    "month_of",
    "natural_interval",
    "one_session",
    "opening",
    "place_of",
    "recheck",
    "seal",
    "statement",
    "stored_statement",
    "to_csv",
    "traffic",
    "zone_named",
    "zone_of",
]

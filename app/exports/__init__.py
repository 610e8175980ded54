"""The ledger for other programs: every row as a table, or as the journal of a plain-text accountant (beancount, hledger)."""

from app.exports.accounts import Book, BookAccount, open_book
from app.exports.journal import FORMATS, journal
from app.exports.rows import Range, described, horizon, transfers

__all__ = ["FORMATS", "Book", "BookAccount", "Range", "described", "horizon", "journal", "open_book", "transfers"]

"""What a failure is called, for people and for programs: one table from exceptions to codes."""

from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from app.administration import InvalidField, NotThere
from app.cli.answers import Failed
from app.closing import DoesNotAddUp
from app.config import InvalidSettings
from app.db import CommitFailed, Unavailable, UnsafeDatabase
from app.identifiers import InvalidId
from app.ledger import InvalidAmount, NotPossible
from app.migrations import NewerDatabase, NotMigrated
from app.periods import UnknownZone
from app.plugins import DuplicateKind
from app.refusals import RequestRefused
from app.secrets import CannotDecrypt
from app.statements import InvalidMonth
from pennywire import InvalidSetting


class Explained(NamedTuple):
    """A failure as it is written."""

    code: str
    reason: str
    field: str = ""


_CODES: dict[type[BaseException], tuple[str, str]] = {
    InvalidSettings: ("invalid_settings", ""),
    UnsafeDatabase: ("unsafe_database", ""),
    Unavailable: ("unavailable", ""),
    CommitFailed: ("unknown_outcome", ""),
    NewerDatabase: ("newer_database", ""),
    NotMigrated: ("not_migrated", ""),
    NotThere: ("not_found", ""),
    InvalidId: ("invalid_parameter", "id"),
    InvalidAmount: ("invalid_parameter", "amount"),
    InvalidMonth: ("invalid_parameter", "month"),
    UnknownZone: ("invalid_parameter", "zone"),
    DoesNotAddUp: ("does_not_add_up", ""),
    NotPossible: ("invalid_parameter", "amount"),
    DuplicateKind: ("duplicate_kind", ""),
    CannotDecrypt: ("cannot_decrypt", ""),
}


def explain(error: BaseException) -> Explained | None:
    """Return code, reason and field of a failure that we know, else None."""
    for kind, (code, field) in _CODES.items():
        if isinstance(error, kind):
            return Explained(code, str(error), field)
    return _told(error)


def _told(error: BaseException) -> Explained | None:
    """As `explain`, for failures that carry more than a text."""
    match error:
        case Failed():
            return Explained(error.code, str(error), error.field)
        case InvalidField() | InvalidSetting():
            code = "not_found" if isinstance(error, LookupError) else "invalid_parameter"
            return Explained(code, error.reason, error.field if isinstance(error, InvalidField) else error.name)
        case RequestRefused():
            return Explained(error.refused.code, error.refused.reason, error.refused.field)
        case DBAPIError():
            return Explained("unavailable", f"The database refuses: {error.orig}")
        case OSError() if error.filename is not None:
            return Explained("failed", f"{error.filename}: {error.strerror}. Check the name and the rights.")
    return None

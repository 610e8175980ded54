"""Credit of users: top-ups, corrections, limits."""

from datetime import datetime

from sqlalchemy.orm import Session

from app import ledger
from app.administration.approvals import Movement, Wanted, Wish, move
from app.administration.changes import InvalidField, audit, changed
from app.administration.users import account_of, find_present_user


def top_up(
    session: Session, username: str, amount_uc: int, *, now: datetime, actor: str, reason: str, reference: str = "", key: str = ""
) -> Movement:
    """Top up a user's account; a negative amount is a correction. Raises: InvalidField, NotThere.

    Above the amount of the option `second_person_above` nothing moves yet: the answer `waits`. The same `key` moves nothing twice.
    """
    if amount_uc > 0:
        find_present_user(session, username)
    kind = Wanted.TOP_UP if amount_uc > 0 else Wanted.CORRECT
    return move(session, username, Wish(kind, amount_uc, reason, reference, key), now=now, actor=actor)


def set_credits(
    session: Session, username: str, target_uc: int, *, now: datetime, actor: str, reason: str, reference: str = "", key: str = ""
) -> Movement:
    """Bring balance minus reserved to `target_uc`, by a correction; `key` and a second person as for `top_up`.

    Raises: NotThere, InvalidField.
    """
    if target_uc:
        find_present_user(session, username)
    return move(session, username, Wish(Wanted.SET, target_uc, reason, reference, key), now=now, actor=actor)


def edit_account(session: Session, username: str, *, limit_uc: int, unlimited: bool, now: datetime, actor: str) -> None:
    """Change how far an account may go: 0 is prepaid, negative a credit line. Raises: InvalidField, NotThere."""
    if limit_uc > 0:
        raise InvalidField("limit", "The limit is 0 for a prepaid account, or below 0 for a credit line.")
    account = account_of(session, find_present_user(session, username))
    before = {"limit": ledger.format_credits(account.limit_uc), "unlimited": account.unlimited}
    account.limit_uc, account.unlimited = limit_uc, unlimited
    after = {"limit": ledger.format_credits(limit_uc), "unlimited": unlimited}
    audit(session, now=now, actor=actor, verb="edit account", subject=f"user {username}", before=before, after=after)
    changed(session)

"""Accounts above accounts: resellers, and the credit that moves between them and their customers."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import ledger
from app.administration.approvals import LONGEST_REASON, LONGEST_REFERENCE, claim_key
from app.administration.changes import InvalidField, audit, changed
from app.administration.users import account_of, find_present_user
from app.ledger import OWN, SHARED
from app.models import Account, User

MODES = (OWN, SHARED)
MOST_ABOVE = 5
"""Most accounts above one."""


def set_parent(session: Session, username: str, parent: str | None, *, mode: str = OWN, now: datetime, actor: str) -> None:
    """Put a user's account below another user's, or below nobody's. Messages on their way stay with whom they were charged to.

    `own`: the account's credit is bought from the one above. `shared`: each message debits that one too, at its own price.
    Raises: InvalidField, NotThere.
    """
    if mode not in MODES:
        raise InvalidField("mode", f"It must be one of: {', '.join(MODES)}.")
    # Before anything is read: two changes at once could close a circle that neither of them sees.
    changed(session)
    account = account_of(session, find_present_user(session, username))
    above = account_of(session, find_present_user(session, parent)) if parent else None
    if above is not None:
        _check_place(session, account, above)
    before = {"parent": parent_of(session, account), "mode": account.parent_mode}
    account.parent_id, account.parent_mode = (above.id, mode) if above is not None else (None, OWN)
    session.flush()
    after = {"parent": parent or "", "mode": account.parent_mode}
    audit(session, now=now, actor=actor, verb="set parent", subject=f"user {username}", before=before, after=after)


def _check_place(session: Session, account: Account, above: Account) -> None:
    """Raises: InvalidField for a circle, too many accounts above one another, or another currency."""
    line = [above.id, *_line_above(session, above)]
    if account.id in line:
        raise InvalidField("parent", "An account cannot stand above itself. Choose one that is not below this account.")
    if len(line) + _depth_below(session, account) > MOST_ABOVE:
        raise InvalidField("parent", f"At most {MOST_ABOVE} accounts may stand above one. Choose one that is higher up.")
    if account.currency != above.currency:
        raise InvalidField("parent", f"The account above counts in {above.currency}s, this one in {account.currency}s.")


def _line_above(session: Session, account: Account) -> list[int]:
    """Return the accounts above one, the nearest first."""
    line: list[int] = []
    parent_id = account.parent_id
    while parent_id is not None and parent_id not in line:
        line.append(parent_id)
        parent_id = session.execute(select(Account.parent_id).where(Account.id == parent_id)).scalar_one()
    return line


def _depth_below(session: Session, account: Account) -> int:
    """Return how many accounts stand below one another at most below one."""
    depth, ids = 0, [account.id]
    while depth <= MOST_ABOVE and (ids := list(session.scalars(select(Account.id).where(Account.parent_id.in_(ids))))):
        depth += 1
    return depth


def parent_of(session: Session, account: Account) -> str:
    """Return the name of the user whose account is right above, empty where there is none."""
    if account.parent_id is None:
        return ""
    return session.execute(
        select(User.username).join(Account, Account.user_id == User.id).where(Account.id == account.parent_id)
    ).scalar_one()


def children_of(session: Session, account: Account) -> list[tuple[str, Account]]:
    """Return the users whose accounts are right below, with these, by name."""
    rows = session.execute(
        select(User.username, Account)
        .join(Account, Account.user_id == User.id)
        .where(Account.parent_id == account.id)
        .order_by(User.username)
    )
    return [(username, below) for username, below in rows]


def allot(
    session: Session, username: str, amount_uc: int, *, now: datetime, actor: str, reason: str, reference: str = "", key: str = ""
) -> bool:
    """Give a user credit from the account above his; a negative amount takes it back. Return False where `key` had done it before.

    Keys are those of the account's movements. Raises: InvalidField, NotThere.
    """
    account = account_of(session, find_present_user(session, username))
    reason, reference = reason.strip(), reference.strip()
    if account.parent_id is None:
        raise InvalidField("username", f"There is no account above that of {username}. Top it up instead.")
    if not reason or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise InvalidField("reason", f"Say why in at most {LONGEST_REASON} printable characters: the ledger keeps it.")
    if len(reference) > LONGEST_REFERENCE or not reference.isprintable():
        raise InvalidField("reference", f"A reference has at most {LONGEST_REFERENCE} printable characters. Shorten or clean it.")
    if key and claim_key(session, account.id, key, ("allot", str(amount_uc), reason, reference), now=now) is not None:
        return False
    try:
        ledger.allot(session, account.parent_id, account.id, amount_uc, now=now, actor=actor, reason=reason, reference=reference)
    except ledger.NotPossible as error:
        raise InvalidField("amount", str(error)) from error
    after = {"amount": ledger.format_credits(amount_uc), "from": parent_of(session, account), "reason": reason}
    audit(session, now=now, actor=actor, verb="allot", subject=f"user {username}", after=after)
    return True

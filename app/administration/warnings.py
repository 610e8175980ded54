"""When the owner of an account is warned, and when the account is suspended; suspending and releasing it by hand.

Units: microcredits left to spend, that is the balance less what is reserved, down to the account's limit.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.administration.changes import Conflict, InvalidField, audit, changed
from app.administration.options import callback_hosts
from app.administration.users import account_of, find_user
from app.callbacks import CallbackRefused, check_url
from app.ledger import LARGEST_UC, format_credits, lock_accounts
from app.mailing import is_address
from app.models import Account, AccountWatch, Suspension
from app.notices import NoticeKind, end_notices, raise_notice

MOST_THRESHOLDS = 10
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Warnings:
    """What is set for one account. The account is suspended below one bound and released above the other; None is off."""

    thresholds_uc: tuple[int, ...] = ()
    email: str = ""
    callback_url: str = ""
    suspend_below_uc: int | None = None
    release_above_uc: int | None = None


@dataclass(frozen=True, slots=True)
class SuspensionView:
    """Why an account is suspended, since when, and by whom. `automatic`: credit releases it."""

    at: datetime
    actor: str
    reason: str
    automatic: bool


def bounds(watch: AccountWatch, *, suspended: bool, automatic: bool) -> tuple[int | None, int | None]:
    """Return between which two amounts of credit left there is nothing to do; None is without a bound.

    `automatic` says that the present suspension is one for want of credit.
    """
    raised = set(watch.raised)
    low = [bound for bound in watch.thresholds if bound not in raised]
    high = list(raised)
    if watch.suspend_below_uc is not None and watch.release_above_uc is not None:
        if watch.suspension_armed and not suspended:
            low.append(watch.suspend_below_uc)
        if automatic or not watch.suspension_armed:
            high.append(watch.release_above_uc)
    return max(low, default=None), min(high, default=None)


def set_warnings(session: Session, username: str, wanted: Warnings, *, now: datetime, actor: str) -> None:
    """Say when the owner of an account is warned and by which ways, and when it is suspended. Raises: InvalidField, NotThere.

    A warning of a threshold that the credit is below already is raised at once.
    """
    wanted = _checked(session, wanted)
    account = account_of(session, find_user(session, username))
    lock_accounts(session, [account.id])
    watch = session.get(AccountWatch, account.id)
    before = _described(_read(watch))
    if watch is None:
        watch = AccountWatch(account_id=account.id, thresholds=[], raised=[], suspension_armed=True)
        session.add(watch)
    dropped = [bound for bound in watch.raised if bound not in wanted.thresholds_uc]
    end_notices(session, NoticeKind.LOW_CREDIT, now=now, account_id=account.id, thresholds=dropped)
    watch.raised = [bound for bound in watch.raised if bound in wanted.thresholds_uc]
    watch.thresholds = list(wanted.thresholds_uc)
    watch.email, watch.callback_url = wanted.email, wanted.callback_url
    if (watch.suspend_below_uc, watch.release_above_uc) != (wanted.suspend_below_uc, wanted.release_above_uc):
        watch.suspend_below_uc, watch.release_above_uc = wanted.suspend_below_uc, wanted.release_above_uc
        watch.suspension_armed = True
    suspension = session.get(Suspension, account.id)
    if suspension is not None and suspension.automatic and wanted.suspend_below_uc is None:
        _lift(session, suspension, username, reason="Suspension for want of credit was switched off.", now=now, actor=actor)
        suspension = None
    _set_bounds(watch, suspension)
    after = _described(wanted)
    audit(session, now=now, actor=actor, verb="set warnings", subject=f"user {username}", before=before, after=after)
    session.flush()


def _checked(session: Session, wanted: Warnings) -> Warnings:
    thresholds = tuple(sorted(set(wanted.thresholds_uc), reverse=True))
    if len(thresholds) > MOST_THRESHOLDS:
        raise InvalidField("thresholds", f"An account has at most {MOST_THRESHOLDS} thresholds.")
    amounts = {"thresholds": thresholds, "suspend_below": (wanted.suspend_below_uc,), "release_above": (wanted.release_above_uc,)}
    for field, values in amounts.items():
        if any(value is not None and not 0 <= value <= LARGEST_UC for value in values):
            raise InvalidField(field, "It must be from 0 to 1,000,000,000 credits left to spend.")
    if wanted.email and not is_address(wanted.email):
        raise InvalidField("email", f"{wanted.email[:60]!r} is not an e-mail address. Write one such as name@example.com.")
    if wanted.callback_url:
        try:
            check_url(wanted.callback_url, allowed_hosts=callback_hosts(session))
        except CallbackRefused as error:
            raise InvalidField("callback_url", str(error)) from error
    below_uc, above_uc = wanted.suspend_below_uc, wanted.release_above_uc
    if below_uc is None and above_uc is not None:
        raise InvalidField("suspend_below", "Say below which credit the account is suspended, or leave both fields empty.")
    above_uc = below_uc if above_uc is None else above_uc
    if below_uc is not None and above_uc is not None and above_uc < below_uc:
        raise InvalidField("release_above", "It must not be less than the credit below which the account is suspended.")
    return Warnings(thresholds, wanted.email, wanted.callback_url, below_uc, above_uc)


def warnings_of(session: Session, username: str) -> Warnings:
    """Return what is set for a user's account. Raises: NotThere."""
    return _read(session.get(AccountWatch, account_of(session, find_user(session, username)).id))


def _read(watch: AccountWatch | None) -> Warnings:
    if watch is None:
        return Warnings()
    return Warnings(tuple(watch.thresholds), watch.email, watch.callback_url, watch.suspend_below_uc, watch.release_above_uc)


def _described(warnings: Warnings) -> dict[str, Any]:
    return {
        "thresholds": [format_credits(bound) for bound in warnings.thresholds_uc],
        "email": warnings.email,
        "callback": warnings.callback_url,
        "suspend below": _shown(warnings.suspend_below_uc),
        "release above": _shown(warnings.release_above_uc),
    }


def _shown(amount_uc: int | None) -> str:
    return "" if amount_uc is None else format_credits(amount_uc)


# Suspension.


def suspension_of(session: Session, username: str) -> SuspensionView | None:
    """Return why a user's account is suspended, None where it is not. Raises: NotThere."""
    row = session.get(Suspension, account_of(session, find_user(session, username)).id)
    return None if row is None else SuspensionView(row.at, row.actor, row.reason, row.automatic)


def suspend_account(session: Session, username: str, *, reason: str, now: datetime, actor: str) -> None:
    """Let an account send nothing until it is released by hand; it still receives. Raises: InvalidField, NotThere.

    An account that is suspended for want of credit then waits for somebody to release it.
    """
    reason = _checked_reason(reason)
    account = _locked(session, username)
    suspension = session.get(Suspension, account.id)
    if suspension is not None and not suspension.automatic:
        raise Conflict("suspended", f"The account is suspended already: {suspension.reason}")
    if suspension is None:
        suspension = Suspension(account_id=account.id)
        session.add(suspension)
    suspension.at, suspension.actor, suspension.reason, suspension.automatic = now, actor, reason, False
    audit(session, now=now, actor=actor, verb="suspend account", subject=f"user {username}", after={"reason": reason})
    changed(session)
    watch = session.get(AccountWatch, account.id)
    end_notices(session, NoticeKind.SUSPENDED, now=now, account_id=account.id)
    raise_notice(
        session,
        NoticeKind.SUSPENDED,
        f"The account of {username} is suspended: {reason} It sends nothing until it is released, and still receives.",
        now=now,
        account_id=account.id,
        email=watch.email if watch else "",
        callback_url=watch.callback_url if watch else "",
    )
    if watch is not None:
        _set_bounds(watch, suspension)
    session.flush()


def release_account(session: Session, username: str, *, reason: str, now: datetime, actor: str) -> None:
    """Let a suspended account send again, whatever its credit. Raises: InvalidField, NotThere.

    It is suspended for want of credit again only after there was enough in between.
    """
    reason = _checked_reason(reason)
    account = _locked(session, username)
    suspension = session.get(Suspension, account.id)
    if suspension is None:
        raise Conflict("suspended", "The account is not suspended.")
    watch = session.get(AccountWatch, account.id)
    _lift(session, suspension, username, reason=reason, now=now, actor=actor)
    if watch is not None:
        watch.suspension_armed = watch.release_above_uc is None
        _set_bounds(watch, None)
    raise_notice(
        session,
        NoticeKind.RELEASED,
        f"The account of {username} may send again: {reason}",
        now=now,
        account_id=account.id,
        email=watch.email if watch else "",
        callback_url=watch.callback_url if watch else "",
        over=True,
    )
    session.flush()


def _lift(session: Session, suspension: Suspension, username: str, *, reason: str, now: datetime, actor: str) -> None:
    before = {"reason": suspension.reason}
    session.delete(suspension)
    audit(session, now=now, actor=actor, verb="release account", subject=f"user {username}", before=before, after={"reason": reason})
    changed(session)
    end_notices(session, NoticeKind.SUSPENDED, now=now, account_id=suspension.account_id)


def _set_bounds(watch: AccountWatch, suspension: Suspension | None) -> None:
    automatic = suspension is not None and suspension.automatic
    watch.low_uc, watch.high_uc = bounds(watch, suspended=suspension is not None, automatic=automatic)


def _locked(session: Session, username: str) -> Account:
    account = account_of(session, find_user(session, username))
    lock_accounts(session, [account.id])
    return account


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise InvalidField("reason", "Say why: the customer reads it, and the audit log keeps it.")
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        raise InvalidField("reason", f"A reason has at most {LONGEST_REASON} printable characters, on one line.")
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."

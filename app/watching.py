"""Watching accounts: warnings at thresholds, suspension for want of credit, release when there is credit again.

Nothing of this is on the way of a message. An engine looks once a second, by one statement that finds only the accounts where
something is to be done; then it decides on the locked accounts. Units: microcredits left to spend.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, not_, or_, select
from sqlalchemy.orm import Session

from app.administration import audit, changed
from app.administration.warnings import bounds
from app.ledger import format_credits, lock_accounts
from app.models import Account, AccountWatch, Suspension, User
from app.notices import NoticeKind, end_notices, raise_notice

BATCH = 200
ACTOR = "gateway"


@dataclass(frozen=True, slots=True)
class _Case:
    """One account with what is to be watched. `left_uc` None is credit without end: unlimited, or without accounting."""

    watch: AccountWatch
    username: str
    left_uc: int | None
    suspension: Suspension | None
    now: datetime

    def below(self, bound_uc: int) -> bool:
        return self.left_uc is not None and self.left_uc < bound_uc

    def above(self, bound_uc: int) -> bool:
        return self.left_uc is None or self.left_uc > bound_uc


def crossed(session: Session) -> list[int]:
    """Return accounts whose credit has crossed a bound of theirs, or that have credit without end now. Reads only."""
    counted = and_(User.accounting_enabled, not_(Account.unlimited))
    left = Account.balance_uc - Account.reserved_uc - Account.limit_uc
    beyond = and_(counted, or_(left < AccountWatch.low_uc, left > AccountWatch.high_uc))
    statement = (
        select(AccountWatch.account_id)
        .join(Account, Account.id == AccountWatch.account_id)
        .join(User, User.id == Account.user_id)
        .where(or_(beyond, and_(not_(counted), AccountWatch.high_uc.is_not(None))))
        .order_by(AccountWatch.account_id)
        .limit(BATCH)
    )
    return list(session.scalars(statement))


def act(session: Session, account_ids: Sequence[int], *, now: datetime) -> None:
    """Warn, suspend and release as the accounts stand now."""
    for case in _cases(session, account_ids, now):
        _warn(session, case)
        _suspend_or_release(session, case)


def _cases(session: Session, account_ids: Sequence[int], now: datetime) -> list[_Case]:
    """Lock the accounts and return how they stand now."""
    locked = lock_accounts(session, account_ids)
    rows = session.execute(
        select(AccountWatch, User, Suspension)
        .join(Account, Account.id == AccountWatch.account_id)
        .join(User, User.id == Account.user_id)
        .join(Suspension, Suspension.account_id == AccountWatch.account_id, isouter=True)
        .where(AccountWatch.account_id.in_(locked))
        .order_by(AccountWatch.account_id)
    )
    cases = []
    for found, user, suspension in rows:
        row = locked[found.account_id]
        left_uc = None if row.unlimited or not user.accounting_enabled else row.balance_uc - row.reserved_uc - row.limit_uc
        cases.append(_Case(found, user.username, left_uc, suspension, now))
    return cases


def _warn(session: Session, case: _Case) -> None:
    """Raise a warning for each threshold that the credit has fallen below, and arm again those that it is above."""
    watch_ = case.watch
    account_id, raised = watch_.account_id, set(watch_.raised)
    risen = sorted(bound for bound in raised if case.above(bound))
    fallen = sorted((bound for bound in set(watch_.thresholds) - raised if case.below(bound)), reverse=True)
    if risen:
        end_notices(session, NoticeKind.LOW_CREDIT, now=case.now, account_id=account_id, thresholds=risen)
    for bound in fallen:
        assert case.left_uc is not None
        raise_notice(
            session,
            NoticeKind.LOW_CREDIT,
            f"The credit of {case.username} has fallen below {format_credits(bound)}: {format_credits(case.left_uc)} are left to spend.",
            now=case.now,
            account_id=account_id,
            threshold_uc=bound,
            available_uc=case.left_uc,
            email=watch_.email,
            callback_url=watch_.callback_url,
        )
    watch_.raised = sorted((raised - set(risen)) | set(fallen))


def _suspend_or_release(session: Session, case: _Case) -> None:
    watch_, suspension = case.watch, case.suspension
    below_uc, above_uc = watch_.suspend_below_uc, watch_.release_above_uc
    suspended = suspension is not None
    if suspension is not None and suspension.automatic and (above_uc is None or case.above(above_uc)):
        _release(session, case, suspension)
        suspended = False
    elif suspension is None and below_uc is not None and watch_.suspension_armed and case.below(below_uc):
        _suspend(session, case, below_uc)
        suspended = True
    if not watch_.suspension_armed and (above_uc is None or case.above(above_uc)):
        watch_.suspension_armed = True
    automatic = suspended and (suspension is None or suspension.automatic)
    watch_.low_uc, watch_.high_uc = bounds(watch_, suspended=suspended, automatic=automatic)
    session.flush()


def _suspend(session: Session, case: _Case, below_uc: int) -> None:
    assert case.left_uc is not None
    account_id = case.watch.account_id
    reason = f"Its credit has fallen below {format_credits(below_uc)}."
    session.add(Suspension(account_id=account_id, at=case.now, actor=ACTOR, reason=reason, automatic=True))
    after = {"left to spend": format_credits(case.left_uc), "reason": reason}
    audit(session, now=case.now, actor=ACTOR, verb="suspend account", subject=f"user {case.username}", after=after)
    changed(session)
    raise_notice(
        session,
        NoticeKind.SUSPENDED,
        f"The account of {case.username} is suspended: its credit has fallen below {format_credits(below_uc)}, "
        f"{format_credits(case.left_uc)} are left. It sends nothing until it is topped up, and still receives.",
        now=case.now,
        account_id=account_id,
        threshold_uc=below_uc,
        available_uc=case.left_uc,
        email=case.watch.email,
        callback_url=case.watch.callback_url,
    )


def _release(session: Session, case: _Case, suspension: Suspension) -> None:
    session.delete(suspension)
    left = "without end" if case.left_uc is None else format_credits(case.left_uc)
    after = {"left to spend": left, "reason": "There is credit again."}
    audit(session, now=case.now, actor=ACTOR, verb="release account", subject=f"user {case.username}", after=after)
    changed(session)
    end_notices(session, NoticeKind.SUSPENDED, now=case.now, account_id=case.watch.account_id)
    raise_notice(
        session,
        NoticeKind.RELEASED,
        f"The account of {case.username} may send again: there is credit.",
        now=case.now,
        account_id=case.watch.account_id,
        available_uc=case.left_uc,
        email=case.watch.email,
        callback_url=case.watch.callback_url,
        over=True,
    )

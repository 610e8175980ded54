"""What belongs to an account beside its credit, over the modern API: limits, calendar and parent, suspension, warnings, allotments."""

import msgspec
from flask import Response
from sqlalchemy.orm import Session

from app import administration, ledger
from app.administration.period_limits import (
    limits_of,
    read_most,
    read_week_start,
    remove_limit,
    set_calendar,
    set_limit,
    show_most,
    usage_of,
)
from app.administration.resellers import allot as allot_credit
from app.administration.resellers import set_parent
from app.administration.warnings import Warnings, release_account, set_warnings, suspend_account, suspension_of, warnings_of
from app.periods import WEEKDAYS
from app.web.api import keyed
from app.web.api.admin_accounts import child, reach, shown_account
from app.web.api.admin_shapes import (
    AllotIn,
    CalendarIn,
    LimitIn,
    LimitOut,
    LimitsOut,
    MovementOut,
    ParentIn,
    ReasonIn,
    SuspensionOut,
    WarningsIn,
    WarningsOut,
)
from app.web.api.keyed import Act, Call
from app.web.api.rest_answers import price, respond


def show_limits(call: Call, username: str) -> Response:
    """Show the account's period limits with what is used of them."""
    return respond(200, call.read(lambda session: _limits(call, session, username)))


def _limits(call: Call, session: Session, username: str) -> LimitsOut:
    account = administration.account_of(session, reach(call, session, username))
    used = {(use.period, use.unit): use for use in usage_of(session, account, call.now)}
    shown = []
    for limit in limits_of(session, account):
        use = used.get((limit.period, limit.unit))
        shown.append(
            LimitOut(
                limit.period.value,
                limit.unit.value,
                show_most(limit.unit, limit.most),
                show_most(limit.unit, use.used if use else 0),
                use.started_at if use else None,
                use.ends_at if use else None,
            )
        )
    return LimitsOut(account.time_zone, WEEKDAYS[account.week_start], shown)


def put_limit(call: Call, username: str, period: str, unit: str) -> Response:
    """Set the most that the account may send in each period."""
    call.administer()
    given = call.body(LimitIn)

    def work(session: Session) -> LimitsOut:
        set_limit(session, username, period, unit, read_most(unit, given.most), **call.by())
        return _limits(call, session, username)

    return respond(200, call.change(work))


def delete_limit(call: Call, username: str, period: str, unit: str) -> Response:
    """Take a limit away."""
    call.administer()

    def work(session: Session) -> LimitsOut:
        remove_limit(session, username, period, unit, **call.by())
        return _limits(call, session, username)

    return respond(200, call.change(work))


def put_calendar(call: Call, username: str) -> Response:
    """Say where the account's days begin, and its weeks."""
    call.administer()
    given = call.body(CalendarIn)

    def work(session: Session) -> LimitsOut:
        week_start = read_week_start(given.week_start)
        set_calendar(session, username, time_zone=given.time_zone, week_start=week_start, **call.by())
        return _limits(call, session, username)

    return respond(200, call.change(work))


def put_parent(call: Call, username: str) -> Response:
    """Put the account below another one, or below none."""
    call.administer()
    given = call.body(ParentIn)

    def work(session: Session) -> msgspec.Struct:
        set_parent(session, username, given.parent, mode=given.mode, **call.by())
        return shown_account(session, username)

    return respond(200, call.change(work))


def show_suspension(call: Call, username: str) -> Response:
    """Say whether and why the account is suspended."""
    return respond(200, call.read(lambda session: _suspension(session, reach(call, session, username).username)))


def _suspension(session: Session, username: str) -> SuspensionOut:
    found = suspension_of(session, username)
    if found is None:
        return SuspensionOut(suspended=False)
    return SuspensionOut(suspended=True, at=found.at, actor=found.actor, reason=found.reason, automatic=found.automatic)


def suspend(call: Call, username: str) -> Response:
    """Let the account send nothing until it is released."""
    return _switch_suspension(call, username, suspend_account)


def release(call: Call, username: str) -> Response:
    """Let the account send again."""
    return _switch_suspension(call, username, release_account)


def _switch_suspension(call: Call, username: str, act: Act) -> Response:
    call.administer()
    given = call.body(ReasonIn)

    def work(session: Session) -> SuspensionOut:
        administration.find_present_user(session, username)
        act(session, username, reason=given.reason, **call.by())
        return _suspension(session, username)

    return respond(200, call.change(work))


def show_warnings(call: Call, username: str) -> Response:
    """Show when the account's owner is warned and when it is suspended."""
    return respond(200, call.read(lambda session: _warnings(session, reach(call, session, username).username)))


def _warnings(session: Session, username: str) -> WarningsOut:
    found = warnings_of(session, username)
    return WarningsOut(
        thresholds=[price(bound) for bound in found.thresholds_uc],
        email=found.email,
        callback_url=found.callback_url,
        suspend_below=None if found.suspend_below_uc is None else price(found.suspend_below_uc),
        release_above=None if found.release_above_uc is None else price(found.release_above_uc),
    )


def put_warnings(call: Call, username: str) -> Response:
    """Say when the account's owner is warned, and when it is suspended; what is left out is off."""
    call.administer()
    given = call.body(WarningsIn)
    wanted = Warnings(
        thresholds_uc=tuple(keyed.amount(bound, "thresholds") for bound in given.thresholds),
        email=given.email,
        callback_url=given.callback_url,
        suspend_below_uc=None if given.suspend_below is None else keyed.amount(given.suspend_below, "suspend_below"),
        release_above_uc=None if given.release_above is None else keyed.amount(given.release_above, "release_above"),
    )

    def work(session: Session) -> WarningsOut:
        administration.find_present_user(session, username)
        set_warnings(session, username, wanted, **call.by())
        return _warnings(session, username)

    return respond(200, call.change(work))


def allot(call: Call, username: str) -> Response:
    """Give credit from the account above to this one, or take it back. A reseller does so for those below his own, staff for all."""
    call.holder.opened("admin")
    if call.user.role != "administrator":
        call.read(lambda session: child(call, session, username))
    given, key = call.body(AllotIn), keyed.needed_key()
    amount_uc = keyed.amount(given.amount, "amount")

    def work(session: Session) -> keyed.Once:
        if call.user.role != "administrator":
            child(call, session, username)
        return keyed.once(session, call, key, lambda: _allotted(session, call, username, amount_uc, given))

    return keyed.answer_once(call.change(work))


def _allotted(session: Session, call: Call, username: str, amount_uc: int, given: AllotIn) -> MovementOut:
    allot_credit(session, username, amount_uc, reason=given.reason, reference=given.reference, **call.by())
    session.flush()
    detail = f"{ledger.format_credits(amount_uc)} credits were allotted."
    return MovementOut("done", price(amount_uc), None, detail, shown_account(session, username))

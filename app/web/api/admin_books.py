"""The books over the modern API: proposals for a second person, statements, checks of the ledger, pricing rules."""

import logging
import threading

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration, nightly, statements, verify
from app.administration.approvals import ProposalView
from app.core import Core
from app.models import Account, ClosedStatement, LedgerCheck, Proposal, User
from app.refusals import RequestRefused
from app.statements import InvalidMonth, Month
from app.web.api import keyed
from app.web.api.admin_accounts import reach, shown_account
from app.web.api.admin_shapes import (
    CheckOut,
    ChecksOut,
    ClosedOut,
    MovementOut,
    ProposalOut,
    ProposalsOut,
    ReasonIn,
    RuleOut,
    RulesOut,
    StatementsOut,
)
from app.web.api.keyed import STAFF, Call
from app.web.api.rest_answers import price, respond

_LOG = logging.getLogger("pennywire.api")


# Proposals.


def list_proposals(call: Call) -> Response:
    """List the movements that wait for a second person, or with `?state=decided` the last that were decided."""
    call.administer(STAFF)
    state, username = keyed.text_argument("state") or "waits", keyed.text_argument("username") or None
    if state not in ("waits", "decided"):
        raise RequestRefused("invalid_parameter", "The state must be waits or decided.", "state")
    limit = keyed.page_size()

    def work(session: Session) -> list[ProposalOut]:
        if state == "waits":
            return [_proposal(view) for view in administration.pending(session, username=username)]
        return [_proposal(view) for view in administration.decided(session, username=username, limit=limit)]

    return respond(200, ProposalsOut(call.read(work)))


def approve(call: Call, number: int) -> Response:
    """Move what was proposed; the caller is another administrator than who proposed it."""
    call.administer()
    given = call.body(ReasonIn) if request.get_data() else ReasonIn()

    def work(session: Session) -> MovementOut:
        name = _username_of(session, number)
        done = administration.approve(session, number, reason=given.reason, **call.by())
        session.flush()
        return MovementOut(done.state.value, price(done.amount_uc), number, done.words, shown_account(session, name))

    return respond(200, call.change(work))


def reject(call: Call, number: int) -> Response:
    """Refuse what was proposed; nothing moves."""
    call.administer()
    given = call.body(ReasonIn)

    def work(session: Session) -> MovementOut:
        name = _username_of(session, number)
        done = administration.reject(session, number, reason=given.reason, **call.by())
        return MovementOut(done.state.value, price(0), number, done.words, shown_account(session, name))

    return respond(200, call.change(work))


def _username_of(session: Session, number: int) -> str:
    statement = select(User.username).join(Account, Account.user_id == User.id).join(Proposal, Proposal.account_id == Account.id)
    name = session.execute(statement.where(Proposal.id == number)).scalar()
    if name is None:
        raise administration.NotThere(f"There is no proposal number {number}.")
    return name


def _proposal(view: ProposalView) -> ProposalOut:
    return ProposalOut(
        id=view.id,
        username=view.username,
        kind=view.kind,
        amount=price(view.amount_uc),
        reason=view.reason,
        reference=view.reference,
        proposed_by=view.proposed_by,
        proposed_at=view.proposed_at,
        state=view.state,
        decided_by=view.decided_by,
        decided_at=view.decided_at,
        decision_reason=view.decision_reason,
        moved=None if view.moved_uc is None else price(view.moved_uc),
    )


# Statements.


def list_statements(call: Call, username: str) -> Response:
    """List the closed months of an account."""

    def work(session: Session) -> list[ClosedOut]:
        account = administration.account_of(session, reach(call, session, username))
        return [_closed(row) for row in statements.closed_statements(session, account.id)]

    return respond(200, StatementsOut(call.read(work)))


def _closed(row: ClosedStatement) -> ClosedOut:
    opening, added, used, closing = (price(amount_uc) for amount_uc in (row.opening_uc, row.added_uc, row.used_uc, row.closing_uc))
    return ClosedOut(row.number, row.month, opening, added, used, closing, row.closed_at)


def show_statement(call: Call, username: str, month: str) -> Response:
    """Show an account's month, closed or open: JSON, or with `?form=csv` the grouped lines as a table."""
    form = keyed.text_argument("form") or "json"
    if form not in ("json", "csv"):
        raise RequestRefused("invalid_parameter", "The form must be json or csv.", "form")
    try:
        wanted = Month.parse(month)
    except InvalidMonth as error:
        raise RequestRefused("invalid_parameter", str(error), "month") from error

    def work(session: Session) -> statements.Statement:
        account = administration.account_of(session, reach(call, session, username))
        return statements.statement(session, account, statements.month_interval(session, account, wanted))

    found = call.read(work)
    if form == "json":
        return respond(200, statements.described(found))
    text = "".join(statements.to_csv(statements.GROUPED_FIELDS, statements.grouped_rows(found)))
    response = respond(200, None)
    response.data, response.content_type = text, "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="statement-{username}-{wanted}.csv"'
    return response


# Checks of the ledger.


def list_checks(call: Call) -> Response:
    """List the last checks of the ledger: the nightly ones, and those that were asked for."""
    call.administer(STAFF)
    limit = keyed.page_size()
    return respond(200, ChecksOut(call.read(lambda session: [_check(row) for row in nightly.last_checks(session, limit)])))


def show_check(call: Call, number: int) -> Response:
    """Show one check; it is over once it has `ended_at`."""
    call.administer(STAFF)

    def work(session: Session) -> CheckOut:
        row = session.get(LedgerCheck, number)
        if row is None:
            raise administration.NotThere(f"There is no check number {number}.")
        return _check(row)

    return respond(200, call.read(work))


def start_check(call: Call) -> Response:
    """Begin a check of the whole ledger and answer at once; its address tells the result when it is there."""
    call.administer(STAFF)

    def work(session: Session) -> CheckOut:
        last = next(iter(nightly.last_checks(session, 1)), None)
        if last is not None and last.ended_at is None and call.now - last.started_at < nightly.LOST_AFTER:
            raise RequestRefused("conflict", f"Check {last.id} is under way. Ask for its result, and begin another when it is over.")
        row = LedgerCheck(started_at=call.now, totals={}, counts={}, findings=[])
        session.add(row)
        administration.audit(session, verb="check ledger", subject="ledger", **call.by())
        session.flush()
        return _check(row)

    begun = call.change(work)
    threading.Thread(target=_run_check, args=(call.core, begun.id), name=f"ledger check {begun.id}", daemon=True).start()
    response = respond(202, begun)
    response.headers["Location"] = f"{request.path.rstrip('/')}/{begun.id}"
    return response


def _run_check(core: Core, number: int) -> None:
    """Check the ledger and keep the result; a process that ends meanwhile leaves a check that counts as lost after a while."""
    try:
        with core.database.read() as session:
            result = verify.verify(session)
        core.database.run(lambda session: nightly.finish(session, number, result, now=core.clock()))
    except Exception as error:  # noqa: BLE001  # whatever it was, somebody waits for a result; it is told and logged
        _LOG.exception("check %d of the ledger could not be finished", number)
        words = f"{type(error).__name__}."
        core.database.run(lambda session: nightly.give_up(session, number, words, now=core.clock()))


def _check(row: LedgerCheck) -> CheckOut:
    return CheckOut(row.id, row.started_at, row.ended_at, row.correct, row.totals, row.counts, row.findings, row.error or "")


# Pricing rules.


def list_rules(call: Call) -> Response:
    """List the pricing rules in the order in which they are asked."""
    call.administer(STAFF)

    def work(session: Session) -> list[RuleOut]:
        return [RuleOut(row.name, row.kind, row.enabled, dict(row.settings)) for row in administration.list_rules(session)]

    return respond(200, RulesOut(call.read(work)))

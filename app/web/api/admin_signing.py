"""How users sign in, over the modern API: sessions, second factor, links for a new password; and the audit log."""

from flask import Response, request
from sqlalchemy.orm import Session

from app import administration
from app.administration import AuditFilter, SessionLimits
from app.models import BrowserSession
from app.web.api import keyed
from app.web.api.keyed import STAFF, Call
from app.web.api.rest_answers import respond
from app.web.api.signing_shapes import AuditOut, EndedOut, EntryOut, LinkOut, SecondFactorOut, SessionOut, SessionsOut


def list_sessions(call: Call, username: str) -> Response:
    """List the browsers that a user is signed in with."""
    call.administer(STAFF)
    limits = SessionLimits.of(call.core.snapshots.present().options)
    found = call.read(lambda session: [_shown(row) for row in administration.sessions_of(session, username, limits, now=call.now)])
    return respond(200, SessionsOut(found))


def end_sessions(call: Call, username: str) -> Response:
    """End all sessions of a user."""
    call.administer()
    return respond(200, EndedOut(call.change(lambda session: administration.end_sessions(session, username, **call.by()))))


def end_session(call: Call, username: str, number: int) -> Response:
    """End one session."""
    call.administer()
    call.change(lambda session: administration.end_session(session, username, number, **call.by()))
    return respond(200, EndedOut(1))


def show_factor(call: Call, username: str) -> Response:
    """Show whether a user has a second factor."""
    call.administer(STAFF)
    return respond(200, _factor(call, username))


def remove_factor(call: Call, username: str) -> Response:
    """Take a user's second factor away; his sessions end."""
    call.administer()
    call.change(lambda session: administration.remove_second_factor(session, username, **call.by()))
    return respond(200, _factor(call, username))


def _factor(call: Call, username: str) -> SecondFactorOut:
    found = call.read(lambda session: administration.second_factor_of(session, username))
    return SecondFactorOut(username, found.confirmed_at, found.codes_left)


def make_link(call: Call, username: str) -> Response:
    """Make a link for a new password; the answer is the only place where it is shown."""
    call.administer()
    token = call.change(lambda session: administration.make_reset_link(session, username, **call.by()))
    return respond(201, LinkOut(username, f"{request.host_url}reset/{token}", call.now + administration.RESET_LIFETIME))


def list_audit(call: Call) -> Response:
    """List who changed what, newest first: `actor`, `object`, `since`, `until`."""
    call.administer(STAFF)
    limit, cursor = keyed.page_size(), keyed.cursor_number()
    wanted = AuditFilter(
        keyed.text_argument("actor"), keyed.text_argument("object"), keyed.moment_argument("since"), keyed.moment_argument("until")
    )

    def work(session: Session) -> list[EntryOut]:
        entries = administration.audit_page(session, wanted, limit=limit + 1, before=cursor)
        return [EntryOut(**administration.described_entry(entry)) for entry in entries]

    rows = call.read(work)
    return respond(200, AuditOut(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None))


def _shown(row: BrowserSession) -> SessionOut:
    return SessionOut(row.id, row.device, row.address, row.begun_at, row.seen_at)

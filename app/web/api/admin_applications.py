"""Applications of users over the modern API: what their programs are connected by. Administrators change, operators and auditors read."""

from flask import Response
from msgspec import UNSET
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import administration
from app.models import ApplicationLog, ApplicationRow, ApplicationStatus, DeliveryRow, User
from app.web.api.application_shapes import ApplicationIn, ApplicationLineOut, ApplicationOut, ApplicationsOut, KindOut, KindsOut
from app.web.api.keyed import STAFF, Call
from app.web.api.rest_answers import respond

_EVENT_COUNT = 20


def list_kinds(call: Call) -> Response:
    """List the kinds of applications that plugins bring, with their settings."""
    call.administer(STAFF)
    kinds = sorted(call.core.plugins.applications.items())
    return respond(
        200, KindsOut([KindOut(name, one.label, one.description, administration.described_settings(one.settings)) for name, one in kinds])
    )


def list_applications(call: Call) -> Response:
    """List the applications of all users, and how they stand."""
    call.administer(STAFF)

    def work(session: Session) -> list[ApplicationLineOut]:
        statement = (
            select(User.username, ApplicationRow.kind, ApplicationRow.desired, ApplicationStatus.state, ApplicationStatus.reason)
            .join(ApplicationRow, ApplicationRow.user_id == User.id)
            .join(ApplicationStatus, ApplicationStatus.application_id == ApplicationRow.id)
            .order_by(func.lower(User.username), ApplicationRow.kind)
        )
        return [ApplicationLineOut(*row) for row in session.execute(statement)]

    return respond(200, ApplicationsOut(call.read(work)))


def show_application(call: Call, username: str, kind: str) -> Response:
    """Show an application: its settings, how it stands, and its last events."""
    call.administer(STAFF)
    return respond(200, call.read(lambda session: _shown(session, call, username, kind)))


def edit_application(call: Call, username: str, kind: str) -> Response:
    """Change what is given of an application; the first change adds it."""
    call.administer()
    given = call.body(ApplicationIn)
    started = None if given.desired is UNSET else given.desired == "started"

    def work(session: Session) -> ApplicationOut:
        core = call.core
        administration.set_application(
            session, username, kind, given.settings, started=started, plugins=core.plugins, vault=core.vault, **call.by()
        )
        session.flush()
        return _shown(session, call, username, kind)

    return respond(200, call.change(work))


def delete_application(call: Call, username: str, kind: str) -> Response:
    """Remove an application, with everything that waits for it."""
    call.administer()
    call.change(lambda session: administration.remove_application(session, username, kind, **call.by()))
    return respond(200, {"username": username, "kind": kind, "deleted_at": call.now})


def _shown(session: Session, call: Call, username: str, kind: str) -> ApplicationOut:
    row = administration.existing_application(session, username, kind)
    wanted = administration.application_kind(call.core.plugins, kind)
    status = session.get_one(ApplicationStatus, row.id)
    newest = select(ApplicationLog).where(ApplicationLog.application_id == row.id).order_by(ApplicationLog.id.desc()).limit(_EVENT_COUNT)
    waiting = select(func.count()).select_from(DeliveryRow).where(DeliveryRow.application_id == row.id)
    return ApplicationOut(
        username=username,
        kind=kind,
        desired=row.desired,
        state=status.state,
        reason=status.reason,
        since=status.since,
        waiting=session.scalar(waiting) or 0,
        settings=administration.shown_application(wanted, row.settings),
        events=[{"at": line.at, "line": line.line} for line in session.scalars(newest)],
    )

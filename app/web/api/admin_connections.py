"""Service provider connections over the modern API: `/api/v1/connections`. Operators start, stop and delete, auditors read."""

from flask import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import administration
from app.models import ConnectionStatus, OutboxRow, ServiceConnection
from app.retirement import retire_connection
from app.web.api.admin_shapes import ConnectionOut, ConnectionsOut
from app.web.api.keyed import OPERATOR, STAFF, Call
from app.web.api.rest_answers import respond


def list_connections(call: Call) -> Response:
    """List all connections with their state."""
    call.administer(STAFF)
    return respond(200, ConnectionsOut(call.read(lambda session: _shown(session, call))))


def show_connection(call: Call, name: str) -> Response:
    """Show a connection's state."""
    call.administer(STAFF)
    return respond(200, call.read(lambda session: _one(session, call, name)))


def start(call: Call, name: str) -> Response:
    """Start a connection; the engine takes it up within a second."""
    return _switch(call, name, "started")


def stop(call: Call, name: str) -> Response:
    """Stop a connection; what is in its window is finished first."""
    return _switch(call, name, "stopped")


def delete(call: Call, name: str) -> Response:
    """Delete a connection that is stopped and that nothing needs."""
    call.administer(OPERATOR)
    call.change(lambda session: retire_connection(session, name, **call.by()))
    return respond(200, {"name": name, "deleted_at": call.now})


def _switch(call: Call, name: str, desired: str) -> Response:
    call.administer(OPERATOR)

    def work(session: Session) -> ConnectionOut:
        administration.set_desired(session, name, desired, plugins=call.core.plugins, **call.by())
        session.flush()
        return _one(session, call, name)

    return respond(200, call.change(work))


def _one(session: Session, call: Call, name: str) -> ConnectionOut:
    wanted = administration.find_connection(session, name).id
    return _shown(session, call, wanted)[0]


def _shown(session: Session, call: Call, wanted: int | None = None) -> list[ConnectionOut]:
    counted = select(OutboxRow.provider, func.count().label("segment_count")).where(OutboxRow.state == 0).group_by(OutboxRow.provider)
    waiting: dict[str, int] = {row.provider: row.segment_count for row in session.execute(counted)}
    statement = (
        select(ServiceConnection, ConnectionStatus)
        .join(ConnectionStatus, ConnectionStatus.connection_id == ServiceConnection.id, isouter=True)
        .where(ServiceConnection.retired_at.is_(None))
        .order_by(func.lower(ServiceConnection.name))
    )
    if wanted is not None:
        statement = statement.where(ServiceConnection.id == wanted)
    return [_line(row, status, waiting.get(row.provider, 0), call) for row, status in session.execute(statement)]


def _line(row: ServiceConnection, status: ConnectionStatus | None, waiting_count: int, call: Call) -> ConnectionOut:
    held = status is not None and status.lease_until is not None and status.lease_until > call.now
    return ConnectionOut(
        name=row.name,
        kind=row.kind,
        provider=row.provider,
        desired=row.desired,
        state=status.state if status is not None and held else "down",
        reason=(status.reason if held else "No engine runs it.") if status is not None and row.desired == "started" else "",
        since=status.since if status is not None else None,
        sent=status.sent_count if status is not None else 0,
        received=status.received_count if status is not None else 0,
        waiting=waiting_count,
    )

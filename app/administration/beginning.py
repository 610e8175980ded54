"""What a new gateway starts with: a network that needs no network, and a first route each way."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.administration.connections import add_connection, set_desired
from app.administration.routes import save_route
from app.models import Route, ServiceConnection
from app.plugins import Plugins
from app.secrets import Vault
from pennywire import Direction

LOOPBACK = "loopback"


def start_loopback(session: Session, *, plugins: Plugins, vault: Vault, now: datetime, actor: str) -> None:
    """Start the loopback connection, and make it first where it is not there."""
    present = (ServiceConnection.name == LOOPBACK, ServiceConnection.retired_at.is_(None))
    if session.execute(select(ServiceConnection.id).where(*present)).scalar() is None:
        add_connection(session, LOOPBACK, LOOPBACK, {}, plugins=plugins, vault=vault, now=now, actor=actor)
    set_desired(session, LOOPBACK, "started", plugins=plugins, now=now, actor=actor)


def route_names(session: Session, direction: Direction) -> set[str]:
    """Return the names of a direction's routes."""
    return set(session.scalars(select(Route.name).where(Route.direction == direction.value)))


def add_first_route(session: Session, direction: Direction, name: str, target: str, *, plugins: Plugins, now: datetime, actor: str) -> bool:
    """Let a direction's messages go to `target` where it has no route yet; say whether it had none.

    An operator's own routes stay as they are: a first try must not spend real credit, nor take anybody's messages.
    """
    if route_names(session, direction):
        return False
    save_route(session, direction, name, targets=[target], plugins=plugins, now=now, actor=actor)
    return True

"""What a view stands on: the core, the moment, the signed-in user, and the one way to change something."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict, TypeVar, cast

from flask import Flask, current_app, g, session
from flask_login import current_user  # type: ignore[import-untyped]  # the package carries no annotations
from sqlalchemy.orm import Session

from app import administration
from app.authentication import Authenticator
from app.core import Core
from app.db import CommitFailed
from app.gateway import OpenGateway
from app.intake import Intake, end_process
from app.snapshot import Snapshot, UserView
from app.web.access import AccessTable
from pennywire import ui

EXTENSION = "pennywire"
VERSION = "version"
"""Key of the visitor's session: the configuration that he has seen, or made."""

T = TypeVar("T")


@dataclass(slots=True)
class Parts:
    """What the factory made for one application. `end_process` asks this process to end once its answers have left."""

    core: Core
    intake: Intake
    authenticator: Authenticator
    access: AccessTable = field(default_factory=AccessTable)
    end_process: Callable[[], None] = end_process


class By(TypedDict):
    """When and by whom a setting is changed."""

    now: datetime
    actor: str


def parts_of(app: Flask) -> Parts:
    """Return the parts of an application."""
    return cast(Parts, app.extensions[EXTENSION])


def parts() -> Parts:
    """Return the parts of the present application."""
    return cast(Parts, current_app.extensions[EXTENSION])


def core() -> Core:
    """Return the present application's core."""
    return parts().core


def snapshot() -> Snapshot:
    """Return the configuration, the same one throughout a request; never one that is older than the visitor's own change."""
    if "snapshot" not in g:
        found = core().snapshots.present()
        g.snapshot = found if found.version >= session.get(VERSION, 0) else core().snapshots.reload()
    return cast(Snapshot, g.snapshot)


def now() -> datetime:
    """Return the present moment by the core's clock."""
    return core().clock()


def user() -> UserView:
    """Return the signed-in user; only for views that the access table guards."""
    return cast(UserView, current_user.view)


def may(endpoint: str, *, write: bool = False) -> bool:
    """Say whether the signed-in user may look at an endpoint, or send something to it."""
    return parts().access.allows(user().role, endpoint, write=write)


def reads_texts(user_id: int | None = None) -> bool:
    """Say whether the signed-in user may read what messages say: those of a user, or those of anybody."""
    return user().id == user_id or administration.reads_texts(snapshot().options, user().role)


def visible_users() -> list[int] | None:
    """Return the ids of the users whose messages the signed-in user may see; None is all."""
    return [user().id] if user().role == "customer" else None


def by() -> By:
    """Return the moment and the actor of a change."""
    return {"now": now(), "actor": user().username}


def change(work: Callable[[Session], T]) -> T:
    """Do `work` in a write transaction, and let this process see the changed configuration at once.

    Raises: as `Database.run`. Where COMMIT failed the process ends after its answer.
    """
    result = keep(work)
    g.snapshot = core().snapshots.reload()
    return result


def keep(work: Callable[[Session], T]) -> T:
    """As `change`, for what is no configuration. Raises: as `change`."""
    try:
        return core().database.run(work)
    except CommitFailed:
        parts().end_process()
        raise


def provide_gateway() -> None:
    """Let the views of plugins reach the gateway, in the name of whoever is signed in."""
    present = parts()
    ui.provide(lambda: _gateway(present))


def _gateway(present: Parts) -> OpenGateway:
    view = current_user.view if current_user and current_user.is_authenticated else None
    return OpenGateway(present.core, view.username if view else "", view.role if view else "", present.end_process)

"""The demonstration: a customer with credit, and a network that needs no network."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import administration, ledger
from app.core import Core
from app.models import ApiKey, Option, User
from pennywire import Direction

ACTOR = "demo"
CREDIT_UC = 100 * ledger.MICRO
KEY_LABEL = "demo"
ROUTE = "demo"
OPTION = "demo_username"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How the demo's customer gets in; made anew at each start, and stored nowhere."""

    username: str
    password: str
    api_key: str


def prepare(core: Core) -> Credentials:
    """Make what the demonstration needs, or use what an earlier start made, and return fresh credentials."""
    now = core.clock()
    credentials = core.database.run(lambda session: _customer(session, now))
    core.database.run(lambda session: _network(session, core, credentials.username, now))
    return credentials


def _customer(session: Session, now: datetime) -> Credentials:
    """Give the demo's customer 100 credits, a password and a key that nobody knows from before."""
    password = secrets.token_urlsafe(12)
    username = _present_username(session)
    if username is None:
        username = f"demo-{secrets.token_hex(2)}"
        values = {"kind": "application", "accounting_enabled": True, "legacy_api_enabled": True, "default_source": "Pennywire"}
        administration.add_user(session, username, password, now=now, actor=ACTOR, **values)
        administration.set_option(session, OPTION, username, now=now, actor=ACTOR)
    else:
        administration.set_password(session, username, password, now=now, actor=ACTOR)
    user = administration.find_user(session, username)
    for key in session.scalars(select(ApiKey).where(ApiKey.user_id == user.id, ApiKey.label == KEY_LABEL, ApiKey.revoked_at.is_(None))):
        administration.revoke_key(session, key.id, now=now, actor=ACTOR)
    api_key = administration.add_key(session, username, KEY_LABEL, now=now, actor=ACTOR)
    account = administration.account_of(session, user)
    missing_uc = CREDIT_UC - (account.balance_uc - account.reserved_uc)
    if missing_uc > 0:
        administration.top_up(session, username, missing_uc, now=now, actor=ACTOR, reason="Credit of the demonstration")
    return Credentials(username, password, api_key)


def _present_username(session: Session) -> str | None:
    option = session.get(Option, OPTION)
    if option is None:
        return None
    found: str | None = session.execute(
        select(User.username).where(User.username == option.value["value"], User.retired_at.is_(None))
    ).scalar()
    return found


def _network(session: Session, core: Core, username: str, now: datetime) -> None:
    """Make the loopback connection and its routes.

    Without other routes they are for everybody. Beside an operator's own, the customer's messages go to the loopback first of
    all, and nobody else's do: a demonstration must not spend real credit at a real network, nor lose real messages.
    """
    by: dict[str, Any] = {"plugins": core.plugins, "now": now, "actor": ACTOR}
    administration.start_loopback(session, vault=core.vault, **by)
    outbound = administration.route_names(session, Direction.OUTBOUND)
    if ROUTE not in outbound:
        conditions = [{"kind": "user", "settings": {"usernames": username}}] if outbound else []
        targets = [administration.LOOPBACK]
        made = administration.save_route(session, Direction.OUTBOUND, ROUTE, targets=targets, conditions=conditions, **by)
        administration.move_route(session, made.id, 0, now=now, actor=ACTOR)
    administration.add_first_route(session, Direction.INBOUND, ROUTE, username, **by)

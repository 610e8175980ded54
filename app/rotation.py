"""Changing the key under which stored secrets are encrypted, while the gateway runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.administration import audit, changed
from app.db import Database
from app.models import ApplicationRow, Option, PluginSettings, PricingRow, SecondFactor, ServiceConnection
from app.secrets import MARK, CannotDecrypt, Vault

_PLACES: tuple[tuple[Any, str], ...] = (
    (ServiceConnection, "settings"),
    (PricingRow, "settings"),
    (PluginSettings, "settings"),
    (ApplicationRow, "settings"),
    (Option, "value"),
    (SecondFactor, "settings"),
)
"""Where secrets may be stored: a table and its column of named values."""


def rotate(database: Database, vault: Vault, *, now: datetime, actor: str) -> int:
    """Encrypt every stored secret with a fresh key, drop the old keys, and return how many secrets there are.

    The old keys go last: where anything fails, everything can still be read. Raises: CannotDecrypt naming the secret.
    """
    vault.add_key()
    count = database.run(lambda session: _encrypt_again(session, vault, now=now, actor=actor))
    vault.drop_old_keys()
    return count


def _encrypt_again(session: Session, vault: Vault, *, now: datetime, actor: str) -> int:
    count = 0
    for model, column in _PLACES:
        for row in session.scalars(select(model).with_for_update()):
            values = getattr(row, column)
            fresh = {name: _fresh(vault, value, f"{name} of {_name(row)}") for name, value in values.items()}
            if fresh != values:
                count += sum(fresh[name] != value for name, value in values.items())
                setattr(row, column, fresh)
    audit(session, now=now, actor=actor, verb="rotate key", subject="secrets", after={"secret_count": count})
    changed(session)
    return count


def _name(row: Any) -> str:
    match row:
        case ApplicationRow():
            return f"application {row.id}"
        case SecondFactor():
            return f"the second factor of user {row.user_id}"
    return str(row.name)


def _fresh(vault: Vault, value: Any, place: str) -> Any:
    if not isinstance(value, str) or not value.startswith(MARK):
        return value
    try:
        return vault.rotate(value)
    except CannotDecrypt as error:
        raise CannotDecrypt(f"The secret {place} cannot be read: its key is gone. Enter it again, then rotate.") from error

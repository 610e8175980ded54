"""The second factor: codes of an authenticator app, which change every 30 seconds, and recovery codes for the day it is lost.

Source: RFC 6238 with the values that every app has: SHA-1, six digits, 30 seconds.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyotp
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.administration.changes import Conflict, InvalidField, NotThere, audit, changed
from app.administration.users import find_present_user, find_user
from app.models import RecoveryCode, SecondFactor
from app.secrets import Vault

ROLES_OPTION = "second_factor_roles"
ISSUER = "Pennywire"
STEP_S = 30
DRIFT_STEPS = 1
"""Steps by which the clock of a phone may be wrong. Source: RFC 6238 §5.2."""

RECOVERY_CODES = 10
_RECOVERY_OCTETS = 10
_WRONG = "The code is wrong, or it was used already. Wait for the next one, and see that the clocks of phone and gateway agree."


@dataclass(frozen=True, slots=True)
class SecondFactorView:
    """Whether a user has a second factor, since when, and how many recovery codes he has left."""

    confirmed_at: datetime | None = None
    codes_left: int = 0


def second_factor_of(session: Session, username: str) -> SecondFactorView:
    """Return what is known of a user's second factor. Raises: NotThere."""
    user_id = find_user(session, username).id
    row = session.get(SecondFactor, user_id)
    if row is None or row.confirmed_at is None:
        return SecondFactorView()
    left = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return SecondFactorView(row.confirmed_at, session.execute(left).scalar_one())


def second_factor_needed(options: Mapping[str, Any], role: str) -> bool:
    """Say whether people of a role must have a second factor."""
    return role in str(options.get(ROLES_OPTION) or "").split(", ")


def begin_second_factor(session: Session, username: str, *, vault: Vault) -> str:
    """Return the secret that the user is to scan; until it is confirmed, it changes nothing. Raises: Conflict, NotThere."""
    user = find_present_user(session, username)
    row = session.get(SecondFactor, user.id)
    if row is not None and row.confirmed_at is not None:
        raise Conflict("code", "The second factor is on already. Turn it off first.")
    if row is not None:
        return vault.decrypt(row.settings["secret"])
    secret = pyotp.random_base32()
    session.add(SecondFactor(user_id=user.id, settings={"secret": vault.encrypt(secret)}, last_step=0))
    return secret


def provisioning_uri(secret: str, username: str) -> str:
    """Return what the square code says to the app."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def confirm_second_factor(session: Session, username: str, code: str, *, vault: Vault, now: datetime, actor: str) -> list[str]:
    """Turn the second factor on with a first right code; return the recovery codes, which are shown this once.

    Raises: InvalidField for a wrong code, Conflict, NotThere.
    """
    user = find_present_user(session, username)
    row = session.get(SecondFactor, user.id, with_for_update=True)
    if row is None:
        raise NotThere("The set-up of the second factor was not begun. Open its page again.")
    if row.confirmed_at is not None:
        raise Conflict("code", "The second factor is on already.")
    step = _right_step(vault.decrypt(row.settings["secret"]), code, now=now)
    if step is None:
        raise InvalidField("code", _WRONG)
    row.confirmed_at, row.last_step = now, step
    audit(session, now=now, actor=actor, verb="second factor on", subject=f"user {username}")
    changed(session)
    return _fresh_codes(session, row, vault)


def renew_recovery_codes(session: Session, username: str, *, vault: Vault, now: datetime, actor: str) -> list[str]:
    """Replace all recovery codes of a user; return the new ones, which are shown this once. Raises: NotThere."""
    user = find_present_user(session, username)
    row = session.get(SecondFactor, user.id)
    if row is None or row.confirmed_at is None:
        raise NotThere(f"{username} has no second factor.")
    audit(session, now=now, actor=actor, verb="renew codes", subject=f"user {username}")
    return _fresh_codes(session, row, vault)


def check_second_factor(session: Session, user_id: int, code: str, *, vault: Vault, now: datetime, actor: str) -> bool:
    """Say whether a code of the app, or a recovery code, is right, and spend it: neither is taken twice."""
    row = session.get(SecondFactor, user_id, with_for_update=True)
    if row is None or row.confirmed_at is None:
        return False
    secret = vault.decrypt(row.settings["secret"])
    step = _right_step(secret, code, now=now)
    if step is not None:
        later = update(SecondFactor).where(SecondFactor.user_id == user_id, SecondFactor.last_step < step).values(last_step=step)
        return bool(session.execute(later.returning(SecondFactor.user_id)).all())
    unused = (RecoveryCode.digest == _digest(secret, code), RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    spent = session.execute(update(RecoveryCode).where(*unused).values(used_at=now).returning(RecoveryCode.user_id)).all()
    if spent:
        audit(session, now=now, actor=actor, verb="recovery code", subject=f"user {actor}")
    return bool(spent)


def remove_second_factor(session: Session, username: str, *, now: datetime, actor: str) -> bool:
    """Take a user's second factor away, with its recovery codes; his sessions end. Say whether he had one. Raises: NotThere."""
    user = find_present_user(session, username)
    row = session.get(SecondFactor, user.id)
    if row is None:
        return False
    was_on = row.confirmed_at is not None
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    session.delete(row)
    if was_on:
        user.session_epoch += 1
        audit(session, now=now, actor=actor, verb="second factor off", subject=f"user {username}")
        changed(session)
    return was_on


def _right_step(secret: str, code: str, *, now: datetime) -> int | None:
    """Return the step that a code belongs to, the present one or a neighbour; None where it is the code of none of them."""
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", digits, re.ASCII):
        return None
    app, present = pyotp.TOTP(secret), int(now.timestamp()) // STEP_S
    steps = range(present + DRIFT_STEPS, present - DRIFT_STEPS - 1, -1)
    right = [step for step in steps if hmac.compare_digest(app.generate_otp(step), digits)]
    return right[0] if right else None


def _fresh_codes(session: Session, row: SecondFactor, vault: Vault) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == row.user_id))
    secret = vault.decrypt(row.settings["secret"])
    raw = [base64.b32encode(secrets.token_bytes(_RECOVERY_OCTETS)).decode().lower() for _ in range(RECOVERY_CODES)]
    codes = ["-".join(text[start : start + 4] for start in range(0, len(text), 4)) for text in raw]
    session.add_all(RecoveryCode(digest=_digest(secret, code), user_id=row.user_id) for code in codes)
    return codes


def _digest(secret: str, code: str) -> str:
    """Return the stored form of a recovery code. Its key is encrypted with a file that no copy of the database has."""
    typed = re.sub(r"[\s-]", "", code).lower()
    return hmac.digest(secret.encode(), typed.encode("utf-8", "surrogatepass"), "sha256").hex()

"""Who is calling: names with passwords, and API keys.

A slow hash for each call would cost a tenth of a second of processor, so a password that was right once is remembered as a
keyed digest that dies with the process and with the stored hash. Failed attempts are counted in the database, for all
processes together, and looked at before the slow hash: by name and address, so that nobody can lock out a user from elsewhere,
and by address alone. Whether a user may do something is always read from the present configuration.
"""

import contextlib
import hmac
import ipaddress
import logging
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from app.administration import check_second_factor
from app.core import Core
from app.models import Throttle
from app.refusals import RequestRefused
from app.secrets import digest
from app.snapshot import UserView

FREE_FAILURES_BY_NAME = 5
"""Failures of one name from one address before it has to wait."""

FREE_FAILURES_BY_ADDRESS = 30
"""Failures of all names from one address before that address has to wait: many users may share one."""

LONGEST_WAIT_S = 15 * 60
FORGET_AFTER = timedelta(minutes=15)
"""Failures this old do not count any more."""

SWEEP_EVERY = timedelta(minutes=10)
REMEMBERED_USERS = 10_000
HASHES_AT_ONCE = 2
"""Slow hashes that one process computes at a time: each takes 32 MiB and a whole processor."""

HASH_QUEUE_S = 4.0
_IPV6_NETWORK_BITS = 64
"""An IPv6 customer has a network of this length, so its addresses count as one."""

_LOG = logging.getLogger("pennywire.authentication")

_WRONG = "The user name or the password is wrong. Check both; they are case-sensitive."
_WRONG_CODE = "The code is wrong, or it was used already. Wait for the next one of your app, or use a recovery code."
_WRONG_KEY = "The API key is wrong or was revoked. Make a fresh one on the user's page."


class TooManyAttempts(RequestRefused):
    """The caller has to wait: there were too many failed attempts. Units: seconds."""

    def __init__(self, wait_s: int) -> None:
        super().__init__("too_many_attempts", f"There were too many failed attempts. Try again in {wait_s} seconds.")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The user of an API key, and what the key opens."""

    user: UserView
    scopes: frozenset[str]

    def opened(self, scope: str) -> UserView:
        """Return the user if the key opens `scope`. Raises: RequestRefused."""
        if scope not in self.scopes:
            opens = ", ".join(sorted(self.scopes)) or "nothing"
            raise RequestRefused("forbidden", f"This API key does not open {scope}; it opens {opens}. Make another on the user's page.")
        return self.user


@cache
def _nobodys_hash() -> str:
    """Return the hash of a password that nobody has: checking it costs as much as checking a real one."""
    return generate_password_hash(secrets.token_urlsafe())


class Authenticator:
    """Tells callers from strangers. One for each process; safe to share among threads."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._known: dict[int, bytes] = {}
        self._hashing = threading.BoundedSemaphore(HASHES_AT_ONCE)
        self._swept_at: datetime | None = None
        _nobodys_hash()

    def password(self, username: str, password: str, *, address: str) -> UserView:
        """Return the user whose name and password these are.

        Raises: RequestRefused (unauthenticated, too_many_attempts, user_suspended), Unavailable.
        """
        return self._password(username, (password,), address)

    def basic(self, username: bytes, password: bytes, *, address: str) -> UserView:
        """As `password`, for credentials whose encoding nobody says: UTF-8 is tried first, then ISO 8859-1, as C# sends it."""
        decoded = [password.decode("iso-8859-1")]
        if not password.isascii():
            with contextlib.suppress(UnicodeDecodeError):
                decoded.insert(0, password.decode())
        return self._password(username.decode("ascii", "replace"), decoded, address)

    def application(self, user: UserView, password_hash: str, password: str, *, address: str) -> UserView:
        """As `password`, for an application's own password instead of the user's. An authenticator serves one of the two.

        Raises: RequestRefused (unauthenticated, too_many_attempts, user_suspended), Unavailable.
        """
        return self._checked(replace(user, password_hash=password_hash), user.username, (password,), address)

    def second_factor(self, user: UserView, code: str, *, address: str) -> None:
        """Take a code of the user's app, or a recovery code, once. Who asks knows the password, so failures count from everywhere.

        Raises: RequestRefused (unauthenticated, too_many_attempts), Unavailable, CannotDecrypt.
        """
        now, vault = self._core.clock(), self._core.vault
        keys = (f"factor {user.username}", f"address {_network(address)}")

        def work(session: Session) -> bool:
            # Those who try at the same time stand in line behind this row.
            _locked_row(session, keys[0], now)
            _refuse_blocked(session, keys, now)
            right = check_second_factor(session, user.id, code, vault=vault, now=now, actor=user.username)
            if right:
                _forget(session, keys[0])
            else:
                self._count_failure(session, keys, now)
            return right

        if not self._core.database.run(work):
            _LOG.info("refused a second factor of %s from %s", user.username, _printable(address))
            raise RequestRefused("unauthenticated", _WRONG_CODE)

    def key(self, token: str, *, address: str) -> KeyHolder:
        """Return whose API key this is and what it opens. A key is too long to be guessed, so nothing is counted.

        Raises: RequestRefused (unauthenticated, user_suspended), Unavailable.
        """
        snapshot = self._core.snapshots.present()
        known = snapshot.keys.get(digest(token))
        user = snapshot.users_by_id.get(known.user_id) if known is not None else None
        if known is None or user is None:
            _LOG.info("refused an unknown API key from %s", _printable(address))
            raise RequestRefused("unauthenticated", _WRONG_KEY)
        return KeyHolder(_active(user), known.scopes)

    def _password(self, username: str, candidates: Sequence[str], address: str) -> UserView:
        return self._checked(self._core.snapshots.present().users.get(username), username, candidates, address)

    def _checked(self, user: UserView | None, username: str, candidates: Sequence[str], address: str) -> UserView:
        if user is not None and self._remembered(user, candidates):
            return _active(user)
        if not self._hashing.acquire(timeout=HASH_QUEUE_S):
            raise RequestRefused("unavailable", "Too many callers sign in at once. Try again in a few seconds.")
        try:
            # Those who waited for the first one's hash find it remembered.
            if user is not None and self._remembered(user, candidates):
                return _active(user)
            self._check_slowly(user, username, candidates, address)
        finally:
            self._hashing.release()
        assert user is not None
        return _active(user)

    def _remembered(self, user: UserView, candidates: Sequence[str]) -> bool:
        known = self._known.get(user.id)
        return known is not None and any(hmac.compare_digest(known, self._verifier(user, candidate)) for candidate in candidates)

    def _verifier(self, user: UserView, password: str) -> bytes:
        """Return the digest under which a right password is remembered; it changes with the stored hash."""
        content = f"{user.id}\n{user.password_hash}\n{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, content, "sha256")

    def _remember(self, user: UserView, password: str) -> None:
        verifier = self._verifier(user, password)
        with self._lock:
            if self._known.get(user.id) == verifier:
                # Another caller was as fast. Taken out and put back, it would be missing for whoever looks meanwhile.
                return
            self._known.pop(user.id, None)
            if len(self._known) >= REMEMBERED_USERS:
                del self._known[next(iter(self._known))]
            self._known[user.id] = verifier

    def _check_slowly(self, user: UserView | None, username: str, candidates: Sequence[str], address: str) -> None:
        """Compare with the stored hash, or with nobody's, so that an unknown name takes as long as a wrong password.

        Raises: RequestRefused.
        """
        now = self._core.clock()
        keys = _throttle_keys(username if user is not None else None, username, address)
        with self._core.database.read() as session:
            failed_before = _refuse_blocked(session, keys, now)
        stored = user.password_hash if user is not None else ""
        right = [candidate for candidate in candidates if check_password_hash(stored or _nobodys_hash(), candidate)]
        if user is None or not stored or not right:
            self._core.database.run(lambda session: self._count_failure(session, keys, now))
            _LOG.info("refused a password for %s from %s", username if user is not None else "an unknown name", _printable(address))
            raise RequestRefused("unauthenticated", _WRONG)
        self._remember(user, right[0])
        if failed_before:
            self._core.database.run(lambda session: _forget(session, keys[0]))

    def _count_failure(self, session: Session, keys: tuple[str, str], now: datetime) -> None:
        for key, free in zip(keys, (FREE_FAILURES_BY_NAME, FREE_FAILURES_BY_ADDRESS), strict=True):
            row = _locked_row(session, key, now)
            if row.updated_at < now - FORGET_AFTER:
                row.failure_count = 0
            row.failure_count += 1
            row.updated_at = now
            row.blocked_until = now + timedelta(seconds=_wait_s(row.failure_count - free)) if row.failure_count >= free else None
            session.flush()
        if self._swept_at is None or self._swept_at < now - SWEEP_EVERY:
            self._swept_at = now
            session.execute(delete(Throttle).where(Throttle.updated_at < now - FORGET_AFTER))


def _active(user: UserView) -> UserView:
    if not user.active:
        raise RequestRefused("user_suspended", f"The user {user.username} is switched off. Ask the operator.")
    return user


def _wait_s(excess: int) -> int:
    """Return how long to wait after failures beyond the free ones: doubling from a second. Units: seconds."""
    return min(1 << min(excess, 20), LONGEST_WAIT_S)


def _throttle_keys(known: str | None, username: str, address: str) -> tuple[str, str]:
    """Return the keys of (name and address) and of the address. A stranger's name is kept as a digest: it may be a password."""
    network = _network(address)
    name = known if known is not None else "?" + digest(username)[:32]
    return f"login {name} {network}", f"address {network}"


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return digest(address)[:32]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
    return str(parsed)


def _refuse_blocked(session: Session, keys: tuple[str, str], now: datetime) -> bool:
    """Say whether the name has failed before from this address. Raises: TooManyAttempts."""
    rows = {row.key: row for row in session.scalars(select(Throttle).where(Throttle.key.in_(keys)))}
    waits = [row.blocked_until - now for row in rows.values() if row.blocked_until is not None and row.blocked_until > now]
    if waits:
        raise TooManyAttempts(int(max(waits).total_seconds()) + 1)
    return keys[0] in rows


def _locked_row(session: Session, key: str, now: datetime) -> Throttle:
    maker = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(maker(Throttle).values(key=key, failure_count=0, updated_at=now).on_conflict_do_nothing())
    return session.get_one(Throttle, key, with_for_update=True)


def _forget(session: Session, key: str) -> None:
    session.execute(delete(Throttle).where(Throttle.key == key))


def _printable(text: str) -> str:
    """Return a text from outside as one printable line for the log."""
    return "".join(character if character.isprintable() else "?" for character in text[:64])

"""Users and their keys over the modern API: `/api/v1/users`. Administrators change, operators and auditors read."""

from flask import Response, request
from msgspec import UNSET
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import administration
from app.models import ApiKey, User
from app.refusals import RequestRefused
from app.retirement import retire_user
from app.secrets import digest
from app.web.api import keyed
from app.web.api.admin_shapes import DeleteIn, KeyIn, KeyOut, KeysOut, RetiredOut, UserIn, UserOut, UsersOut
from app.web.api.keyed import STAFF, Call
from app.web.api.rest_answers import price, respond

_MOST_KEYS = 1_000


def list_users(call: Call) -> Response:
    """List users by name; with `?deleted=1` those who were deleted, too."""
    call.administer(STAFF)
    limit, after, search = keyed.page_size(), keyed.text_argument("cursor"), keyed.text_argument("search")
    statement = select(User).order_by(func.lower(User.username)).limit(limit + 1)
    if request.args.get("deleted", "").lower() not in ("1", "true", "yes"):
        statement = statement.where(User.retired_at.is_(None))
    if after:
        statement = statement.where(func.lower(User.username) > after.lower())
    if search:
        statement = statement.where(func.lower(User.username).contains(search.lower(), autoescape=True))
    rows = call.read(lambda session: [_shown(user) for user in session.scalars(statement)])
    more = rows[limit - 1].username if len(rows) > limit else None
    return respond(200, UsersOut(rows[:limit], more))


def show_user(call: Call, username: str) -> Response:
    """Show a user."""
    call.administer(STAFF)
    return respond(200, call.read(lambda session: _shown(administration.find_user(session, username))))


def add_user(call: Call) -> Response:
    """Add a user with his account. Without a password he signs in with keys only."""
    call.administer()
    given = call.body(UserIn)
    if given.username is UNSET:
        raise RequestRefused("missing_parameter", "The member username is missing. Give a name for the user.", "username")
    username, password = given.username, given.password or "" if given.password is not UNSET else ""
    settings = given.settings()

    def work(session: Session) -> UserOut:
        return _shown(administration.add_user(session, username, password, **call.by(), **settings))

    return respond(201, call.change(work))


def edit_user(call: Call, username: str) -> Response:
    """Change what is given of a user; all of it or nothing."""
    call.administer()
    given = call.body(UserIn)
    if given.username is not UNSET and given.username != username:
        raise RequestRefused("invalid_field", "A user's name does not change: ledger and audit log know him by it.", "username")
    settings, password = given.settings(), given.password

    def work(session: Session) -> UserOut:
        if password is not UNSET:
            administration.set_password(session, username, password, **call.by())
        user = administration.edit_user(session, username, **call.by(), **settings) if settings else None
        return _shown(user or administration.find_present_user(session, username))

    return respond(200, call.change(work))


def delete_user(call: Call, username: str) -> Response:
    """Delete a user: he is retired, and his messages and ledger stay."""
    call.administer()
    given = call.body(DeleteIn) if request.get_data() else DeleteIn()
    snapshot = call.core.snapshots.present()
    done = call.change(lambda session: retire_user(session, snapshot, username, reason=given.reason, **call.by()))
    return respond(200, RetiredOut(username, done.cancelled_count, done.key_count, price(done.moved_uc)))


def list_keys(call: Call, username: str) -> Response:
    """List a user's keys; the keys themselves are stored nowhere."""
    call.administer(keyed.ADMINISTRATOR | {"auditor"})

    def work(session: Session) -> list[KeyOut]:
        user = administration.find_user(session, username)
        rows = session.scalars(select(ApiKey).where(ApiKey.user_id == user.id).order_by(ApiKey.id.desc()).limit(_MOST_KEYS))
        return [_shown_key(row) for row in rows]

    return respond(200, KeysOut(call.read(work)))


def add_key(call: Call, username: str) -> Response:
    """Make a key; the answer is the only place where it is shown."""
    call.administer()
    given = call.body(KeyIn)
    scopes = administration.DEFAULT_SCOPES if given.scopes is UNSET else given.scopes

    def work(session: Session) -> KeyOut:
        made = administration.add_key(session, username, given.label, scopes=scopes, **call.by())
        shown = _shown_key(session.execute(select(ApiKey).where(ApiKey.digest == digest(made))).scalar_one())
        shown.api_key = made
        return shown

    return respond(201, call.change(work))


def revoke_key(call: Call, username: str, number: int) -> Response:
    """Make a key worthless at once."""
    call.administer()

    def work(session: Session) -> KeyOut:
        key = session.get(ApiKey, number)
        if key is None or key.user_id != _id(session, username):
            raise administration.NotThere(f"The user {username} has no key number {number}.")
        administration.revoke_key(session, number, **call.by())
        return _shown_key(key)

    return respond(200, call.change(work))


def _id(session: Session, username: str) -> int:
    return administration.find_user(session, username).id


def _shown(user: User) -> UserOut:
    values = {name: getattr(user, name) for name in UserOut.__struct_fields__ if name != "deleted_at"}
    return UserOut(**values, deleted_at=user.retired_at)


def _shown_key(key: ApiKey) -> KeyOut:
    return KeyOut(key.id, key.label, key.prefix, key.scopes.split(), key.created_at, key.revoked_at)

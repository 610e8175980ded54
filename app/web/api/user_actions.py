"""`createuser`, `configuser`, `startuser`, `stopuser`, `deleteuser`: administration of users by the legacy dialect.

Settings have the names of the old product's configuration; some of those have no counterpart here and are passed over, since
programs send whole configurations.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import Session

from app import administration
from app.administration import Conflict, InvalidField, NotThere
from app.models import User
from app.refusals import RequestRefused
from app.retirement import retire_user
from app.web.api.legacy_answers import Pairs, Reply
from app.web.api.legacy_call import Call

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "accounting": "accounting_enabled",
        "allowrouteoverride": "route_override_allowed",
        "guiaccess": "gui_enabled",
        "idoverride": "source_override_allowed",
        "legacyapi": "legacy_api_enabled",
    }
)
"""Settings that are on or off, by their old names (and one of ours), and what they are called here."""

TEXTS: Mapping[str, str] = MappingProxyType(
    {"phonenumber": "default_source", "countrycode": "country_code", "maxsegments": "max_segments", "repeatwindow": "repeat_window_s"}
)

PASSED_OVER = frozenset(
    {
        "addressbooktype",
        "autoconnect",
        "lastlogin",
        "logcommunication",
        "logdirectory",
        "loghistorycount",
        "loglinesbeforechecksize",
        "logmaxfilesize",
        "logmessages",
        "tbpath",
    }
)
"""Settings of the old product that have no counterpart."""

TYPES: Mapping[str, str] = MappingProxyType(
    {"standard": "standard", "standarduser": "standard", "application": "application", "httpserver": "application", "http": "application"}
)
_TYPE_NAMES = {"standard": "Standard", "application": "Application"}

_OWN = frozenset(
    {"action", "command", "username", "password", "userinfo", "responseformat", "continueurl", "_charset_", "charset"}
    | {"name", "user", "useraccount", "reason"}
)
"""Parameters of the request that are no settings of the user."""

_SWITCH: Mapping[str, bool] = MappingProxyType(
    {**dict.fromkeys(("1", "on", "yes", "true", "enabled"), True), **dict.fromkeys(("0", "off", "no", "false", "disabled"), False)}
)


def create(call: Call) -> Reply:
    """Add a user of a type. He is charged, and may use this dialect, unless the settings say otherwise. Raises: RequestRefused."""
    require_administrator(call)
    name, settings, password = _name(call), _settings(call), _password(call)
    settings = {"kind": "standard", "accounting_enabled": True, "legacy_api_enabled": True} | settings

    def work(session: Session) -> User:
        return administration.add_user(session, name, password, now=call.core.clock(), actor=call.user.username, **settings)

    return _reply("createuser", _change(call, work))


def configure(call: Call) -> Reply:
    """Change settings of a user; all that are named or none. Raises: RequestRefused."""
    require_administrator(call)
    name, settings, password = _name(call), _settings(call), _password(call)
    now, actor = call.core.clock(), call.user.username
    if not settings and not password and not PASSED_OVER & call.parameters.values.keys():
        raise RequestRefused("missing_parameter", f"Name at least one setting to change, such as PASSWORD or {', '.join(_known())}.")

    def work(session: Session) -> User:
        if password:
            administration.set_password(session, name, password, now=now, actor=actor)
        if settings:
            return administration.edit_user(session, name, now=now, actor=actor, **settings)
        return administration.find_present_user(session, name)

    return _reply("configuser", _change(call, work))


def start(call: Call) -> Reply:
    """Switch a user on. Raises: RequestRefused."""
    return _switch(call, "startuser", active=True)


def stop(call: Call) -> Reply:
    """Switch a user off: he sends nothing new and his sessions end; what is queued goes out. Raises: RequestRefused."""
    return _switch(call, "stopuser", active=False)


def _switch(call: Call, action: str, *, active: bool) -> Reply:
    require_administrator(call)
    name, now, actor = _name(call), call.core.clock(), call.user.username

    def work(session: Session) -> User:
        user = administration.find_present_user(session, name)
        return user if user.active == active else administration.edit_user(session, name, now=now, actor=actor, active=active)

    return _reply(action, _change(call, work))


def delete(call: Call) -> Reply:
    """Delete a user; with `reason` what is left of his balance is taken off by a correction. Raises: RequestRefused."""
    require_administrator(call)
    name, reason, snapshot = _name(call), call.parameters.get("reason"), call.core.snapshots.present()
    now, actor = call.core.clock(), call.user.username

    def work(session: Session) -> User:
        retire_user(session, snapshot, name, now=now, actor=actor, reason=reason)
        return administration.find_user(session, name)

    return _reply("deleteuser", _change(call, work))


def require_administrator(call: Call) -> None:
    """Raises: RequestRefused for anybody else."""
    if call.user.role != "administrator":
        raise RequestRefused("forbidden", "Only an administrator may do this. Ask the operator.")


def _name(call: Call) -> str:
    given = {call.parameters.get(word).strip() for word in ("name", "user", "useraccount")} - {""}
    if not given:
        raise RequestRefused("missing_parameter", "The parameter name is missing. Give the name of the user that is meant.", "name")
    if len(given) > 1:
        raise RequestRefused("invalid_parameter", "The user is named twice, and differently. Give one name.", "name")
    return given.pop()


def _password(call: Call) -> str:
    """Return the user's new password, empty where none is given. Raises: RequestRefused."""
    password = call.parameters.get("newpassword")
    if password.startswith("_ENC_"):
        raise RequestRefused("invalid_parameter", "The password came as the old product stores it. Send it in clear, by POST.", "PASSWORD")
    return password


def _settings(call: Call) -> dict[str, Any]:
    """Return the settings that the request names, as they are called here. Raises: RequestRefused for one that nobody knows."""
    settings: dict[str, Any] = {}
    for name, value in call.parameters.values.items():
        plain = name.replace("_", "").replace("-", "")
        if name in _OWN or plain in PASSED_OVER or plain == "newpassword":
            continue
        if plain == "type":
            settings["kind"] = _kind(value)
        elif plain in FLAGS:
            settings[FLAGS[plain]] = _flag(name, value)
        elif plain in TEXTS:
            settings[TEXTS[plain]] = value.strip()
        elif plain == "newusername":
            raise RequestRefused("invalid_parameter", "A user's name does not change: ledger and audit log know him by it.", "USERNAME")
        else:
            known = ", ".join(("PASSWORD", "TYPE", *_known()))
            raise RequestRefused("invalid_parameter", f"A user has no setting {name[:40].upper()!r}. Known: {known}.", name[:40])
    return settings


def _known() -> list[str]:
    return [name.upper() for name in (*FLAGS, *TEXTS)]


def _kind(value: str) -> str:
    plain = value.strip().lower().replace(" ", "").replace("_", "").replace("-", "")
    if plain not in TYPES:
        raise RequestRefused(
            "invalid_parameter",
            f"Users of the type {value[:40]!r} are not supported. Supported: Standard (a person), HTTP Server or Application (a program).",
            "type",
        )
    return TYPES[plain]


def _flag(name: str, value: str) -> bool:
    word = value.strip().lower()
    if word not in _SWITCH:
        raise RequestRefused("invalid_parameter", f"{name[:40].upper()} is {value[:40]!r}; it must be on or off.", name[:40])
    return _SWITCH[word]


def _change(call: Call, work: Callable[[Session], User]) -> Pairs:
    """Do `work`, and return the user as he is then. Raises: RequestRefused."""

    def changed(session: Session) -> Pairs:
        return _record(work(session))

    try:
        record = call.core.database.run(changed)
    except Conflict as error:
        raise RequestRefused("conflict", error.reason, error.field) from error
    except InvalidField as error:
        raise RequestRefused("invalid_parameter", error.reason, error.field) from error
    except NotThere as error:
        raise RequestRefused("not_found", f"{error} Check the name; it is case-sensitive.", "name") from error
    call.core.snapshots.reload()
    return record


def _record(user: User) -> Pairs:
    status = "deleted" if user.retired_at is not None else "started" if user.active else "stopped"
    return (("username", user.username), ("type", _TYPE_NAMES.get(user.kind, user.kind)), ("status", status))


def _reply(action: str, record: Pairs) -> Reply:
    return Reply(action, "user", [record])

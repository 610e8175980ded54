"""Settings of a process: command line over environment over file over default.

They say where things are and how a process behaves. What operators change while the gateway runs (users, routes,
connections) lives in the database.
"""

import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

PREFIX = "PENNYWIRE_"
MINIMUM_KEY_LENGTH = 32
LONGEST_LEASE_S = 3600


class InvalidSettings(Exception):
    """A setting is missing, unknown or unsafe; the text names it, says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process needs to know before it can open the database. Each field is documented in `docs/settings.md`."""

    #: Folder of the database, keys and everything else that is kept.
    data: Path = Path("data")
    #: SQLAlchemy URL; empty means SQLite in the data folder.
    database_url: str = ""
    #: HOST:PORT of the web server.
    bind: str = "127.0.0.1:9501"
    #: Key that signs sessions; empty means the file `session.key` in the data folder.
    secret_key: str = field(default="", repr=False)
    #: Worker processes of the web server.
    web_workers: int = 2
    #: Threads of each worker.
    web_threads: int = 8
    #: Largest body of a request, in octets.
    max_body_octets: int = 16 * 1024 * 1024
    #: Number of proxies in front whose forwarded headers are believed.
    proxies: int = 0
    #: Host names under which the gateway is reached, separated by commas; a request for another is refused. Empty is any.
    hosts: str = ""
    #: True where browsers reach the gateway by HTTPS: cookies are marked Secure, HSTS is sent.
    https: bool = False
    #: How long a connection's lease lasts, in seconds.
    lease_s: float = 15.0
    #: Messages written to the log: `events` never contain texts or full numbers.
    log_level: str = "INFO"

    @property
    def url(self) -> str:
        """URL of the database, the default filled in."""
        return self.database_url or f"sqlite+pysqlite:///{(self.data / 'pennywire.sqlite3').absolute()}"

    @property
    def host(self) -> str:
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.bind.rpartition(":")[2])


def load(
    overrides: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Return the settings of this process.

    `overrides` come from the command line (None values are not given). The file is `file`, or what `PENNYWIRE_CONFIG` names.
    Raises: InvalidSettings.
    """
    environment = os.environ if environment is None else environment
    path = file or (Path(environment[PREFIX + "CONFIG"]) if environment.get(PREFIX + "CONFIG") else None)
    values: dict[str, Any] = _from_file(path) if path else {}
    values |= {
        item.name: environment[PREFIX + item.name.upper()] for item in fields(Settings) if environment.get(PREFIX + item.name.upper())
    }
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    return _checked(Settings(**{name: _typed(name, value) for name, value in values.items()}))


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"The settings file {path} cannot be read: {error.strerror}. Check its name and rights.") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"The settings file {path} is not TOML: {error}. Mend the line it names.") from error
    known = {item.name for item in fields(Settings)}
    for name in values:
        if name not in known:
            raise InvalidSettings(f"The settings file {path} has the unknown setting {name}. Known: {', '.join(sorted(known))}.")
    return values


_LEAST = {"web_workers": 1, "web_threads": 1, "max_body_octets": 1, "proxies": 0}
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


#: What a file may hold that Python would turn into something else in silence: `true` into 1, 2.5 into 2, a list into a text.
_REFUSED: dict[type, tuple[type, ...]] = {
    int: (bool, float),
    float: (bool,),
    str: (bool, int, float, list, dict),
    type(Path()): (bool, int, float, list, dict),
}


def _typed(name: str, value: Any) -> Any:
    default = getattr(Settings(), name)
    try:
        if isinstance(default, bool):
            if isinstance(value, bool):
                return value
            if str(value).lower() not in _TRUE | _FALSE:
                raise ValueError
            return str(value).lower() in _TRUE
        if isinstance(value, _REFUSED[type(default)]) or (
            isinstance(value, str) and isinstance(default, int | float) and not value.isascii()
        ):
            raise ValueError
        return Path(value) if isinstance(default, Path) else type(default)(value)
    except (TypeError, ValueError) as error:
        raise InvalidSettings(f"The setting {name} cannot be {value!r}; it must be like {default!r}.") from error


def _checked(settings: Settings) -> Settings:
    host, colon, port = settings.bind.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InvalidSettings(f"The setting bind is {settings.bind!r}; it must be HOST:PORT, such as 127.0.0.1:9501.")
    if settings.secret_key and len(settings.secret_key) < MINIMUM_KEY_LENGTH:
        raise InvalidSettings(
            f"The setting secret_key has {len(settings.secret_key)} characters, fewer than {MINIMUM_KEY_LENGTH}. "
            "Leave it empty, and a key is made in the data folder."
        )
    if settings.secret_key and len(set(settings.secret_key)) < 8:
        raise InvalidSettings("The setting secret_key can be guessed. Leave it empty, and a key is made in the data folder.")
    if not 2 <= settings.lease_s <= LONGEST_LEASE_S:
        raise InvalidSettings(
            "The setting lease_s must be at least 2 seconds, or leases would be lost in a short pause, and at most an hour."
        )
    for name, least in _LEAST.items():
        if getattr(settings, name) < least:
            raise InvalidSettings(f"The setting {name} must be at least {least}.")
    return settings


def prepare_data_folder(settings: Settings) -> Settings:
    """Make the data folder (0700) and its session key (0600), and return the settings with the key filled in.

    Raises: InvalidSettings for a key in the file that can be guessed.
    """
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if settings.secret_key:
        return settings
    return _checked(replace(settings, secret_key=read_or_make_key(settings.data / "session.key", secrets.token_urlsafe(48))))


def read_or_make_key(path: Path, fresh: str) -> str:
    """Return the key in `path`, or write `fresh` there with mode 0600. Two processes that race get the same key."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _settled_text(path)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(fresh + "\n")
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _settled_text(path: Path) -> str:
    """Read a key that another process may be writing this moment. Raises: InvalidSettings if it stays empty."""
    for _ in range(1000):
        text = path.read_text(encoding="ascii").strip()
        if text:
            return text
        os.sched_yield()
    raise InvalidSettings(f"The key file {path} is empty. Restore it from a backup, or remove it to have a new key made.")

"""What must not be, before a process starts: settings under which we could not keep our promises."""

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import make_url

from app.config import InvalidSettings, Settings

MOUNTS = Path("/proc/self/mountinfo")

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2", "beegfs"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone"}
)
"""Where SQLite's log, which is shared memory among processes, does not work. Source: sqlite.org, Write-Ahead Logging §1."""


def require(settings: Settings, *, environment: Mapping[str, str] = os.environ, mounts: Path = MOUNTS) -> None:
    """Refuse what is unsafe. Raises: InvalidSettings."""
    if environment.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no", "off"):
        raise InvalidSettings("FLASK_DEBUG is set: the debugger would give a shell to whoever sees an error page. Unset it.")
    path = sqlite_path(settings)
    if path is None:
        return
    kind = file_system(path, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise InvalidSettings(
            f"The database {path} is on the network file system {kind}, where SQLite can lose what was accepted. "
            "Name a local folder with data, or a PostgreSQL with database_url."
        )


def sqlite_path(settings: Settings) -> Path | None:
    """Return the file of a SQLite database, None for another database."""
    url = make_url(settings.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database).absolute()


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the kind of file system that `path` is on, or would be on; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    target = str(path.resolve())
    best, kind = "", ""
    for line in lines:
        left, _, right = line.partition(" - ")
        place = left.split()[4].encode().decode("unicode_escape")
        inside = target == place or target.startswith(place.rstrip("/") + "/")
        # Of two mounts on one place the later covers the earlier.
        if inside and len(place) >= len(best):
            best, kind = place, right.split()[0]
    return kind

"""Settings under which a process must not start."""

from pathlib import Path

import pytest

from app import safety
from app.config import InvalidSettings, Settings

_MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /srv/share rw,relatime shared:1 - nfs4 server:/export rw
31 22 0:41 / /srv/share/local rw - xfs /dev/sdb1 rw
32 22 0:42 / /mnt/with\\040blank rw - cifs //server/share rw
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(_MOUNTS)
    return path


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_the_debugger_is_refused(value: str) -> None:
    with pytest.raises(InvalidSettings, match="FLASK_DEBUG"):
        safety.require(Settings(), environment={"FLASK_DEBUG": value})


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_a_debugger_that_is_off_is_no_matter(value: str) -> None:
    safety.require(Settings(), environment={"FLASK_DEBUG": value})


@pytest.mark.parametrize(("folder", "kind"), [("/srv/share/data", "nfs4"), ("/mnt/with blank", "cifs")])
def test_sqlite_on_a_network_file_system_is_refused(mounts: Path, folder: str, kind: str) -> None:
    with pytest.raises(InvalidSettings, match=kind):
        safety.require(Settings(data=Path(folder)), environment={}, mounts=mounts)


@pytest.mark.parametrize("folder", ["/srv/share/local/data", "/srv/shared", "/var/lib/pennywire"])
def test_sqlite_on_a_local_file_system_is_fine(mounts: Path, folder: str) -> None:
    safety.require(Settings(data=Path(folder)), environment={}, mounts=mounts)


def test_postgresql_may_keep_its_keys_anywhere(mounts: Path) -> None:
    settings = Settings(data=Path("/srv/share/data"), database_url="postgresql+psycopg://host/database")

    safety.require(settings, environment={}, mounts=mounts)


def test_a_system_that_does_not_tell_is_believed(tmp_path: Path) -> None:
    assert safety.file_system(tmp_path, tmp_path / "nothing") == ""

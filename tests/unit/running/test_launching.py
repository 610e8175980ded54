"""How processes are started: what stands in their environment, and what does not stand in their arguments."""

import json
import shlex
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app import config
from app.config import Settings
from app.running import Announcement, address_of
from app.running.launching import engine_command, environment_of, web_command


def test_a_child_has_exactly_our_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever folder it runs in, and whatever its environment said before."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(data=Path("kept"), web_workers=3, https=True, lease_s=7.5, secret_key="0123456789abcdefghijklmnopqrstuv")
    inherited = {"PATH": "/bin", "PENNYWIRE_WEB_WORKERS": "9", "PENNYWIRE_CONFIG": "settings.toml", "PENNYWIRE_LOG_LEVEL": "DEBUG"}

    environment = environment_of(settings, inherited=inherited)
    monkeypatch.chdir("/")
    loaded = config.load(environment=environment)

    assert environment["PATH"] == "/bin"
    assert "PENNYWIRE_CONFIG" not in environment
    assert loaded.data == tmp_path / "kept"
    assert (loaded.web_workers, loaded.https, loaded.lease_s, loaded.log_level) == (3, True, 7.5, "INFO")
    assert loaded.secret_key == settings.secret_key


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("sqlite+pysqlite:///some.db", "sqlite+pysqlite:///{here}/some.db"),
        ("sqlite+pysqlite:////var/lib/some.db", "sqlite+pysqlite:////var/lib/some.db"),
        ("postgresql+psycopg://me:pass%40word@host/database", "postgresql+psycopg://me:pass%40word@host/database"),
    ],
)
def test_a_database_keeps_its_place(given: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    environment = environment_of(Settings(database_url=given), inherited={})

    assert environment["PENNYWIRE_DATABASE_URL"] == kept.format(here=tmp_path)


def test_programs_do_not_look_for_modules_where_they_are_called() -> None:
    assert {command[1] for command in (web_command(3), web_command(), engine_command(), engine_command("smsc"))} == {"-P"}


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({"bind": "127.0.0.1:1"}, "http://127.0.0.1:9501"),
        ({"bind": "0.0.0.0:1"}, "http://127.0.0.1:9501"),
        ({"bind": "[::]:1"}, "http://[::1]:9501"),
        ({"bind": "[::1]:1"}, "http://[::1]:9501"),
        ({"bind": "127.0.0.1:1", "https": True}, "http://127.0.0.1:9501"),
        ({"hosts": "sms.example, other.example"}, "http://sms.example:9501"),
        ({"hosts": ".sms.example", "https": True, "proxies": 1}, "https://sms.example"),
    ],
)
def test_the_address_is_one_that_answers(values: dict[str, Any], address: str) -> None:
    assert address_of(Settings(**values), 9501) == address


@pytest.fixture
def announcement() -> Announcement:
    return Announcement(address="http://127.0.0.1:9501", setup_link="", username="demo-1", password="a&b'c d", api_key="pw_key")


def test_the_lines_survive_a_shell(announcement: Announcement) -> None:
    """A password may hold anything that a shell or an address gives a meaning to."""
    legacy = shlex.split(announcement.legacy_example())
    modern = shlex.split(announcement.modern_example())

    assert parse_qs(urlsplit(legacy[1]).query)["password"] == ["a&b'c d"]
    assert json.loads(modern[modern.index("-d") + 1])["destination"].startswith("+")
    assert "Authorization: Bearer pw_key" in modern


def test_the_file_is_whole_and_private_even_over_an_older_one(announcement: Announcement, tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    path.write_text("old, and longer than the new one by far" * 100)
    path.chmod(0o644)

    announcement.write(path)

    assert json.loads(path.read_text())["password"] == "a&b'c d"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_of_the_demo_is_said_without_one() -> None:
    said = Announcement(address="http://127.0.0.1:9501", setup_link="http://127.0.0.1:9501/setup/abc").in_words()

    assert "setup/abc" in said
    assert "Demo" not in said
    assert "curl" not in said

"""What the doctor sees, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app import administration, doctor, migrations
from app.clock import utc_now
from app.config import Settings, prepare_data_folder
from app.core import Core, open_core
from app.db import make_engine
from app.doctor import Health
from app.models import EngineRow
from pennywire import Direction


@pytest.fixture
def core(database_url: str, tmp_path: Path) -> Iterator[Core]:
    settings = Settings(data=tmp_path / "data", database_url=database_url)
    prepare_data_folder(settings)
    engine = make_engine(settings.url)
    migrations.upgrade(engine)
    engine.dispose()
    opened = open_core(settings)
    yield opened
    opened.close()


def _see(core: Core) -> dict[str, list[Health]]:
    seen: dict[str, list[Health]] = {}
    for sign in doctor.examine(core.settings):
        seen.setdefault(sign.check, []).append(sign.health)
        assert sign.saw
        assert sign.health is Health.GOOD or sign.check in ("settings", "plugins", "database") or sign.remedy
    return seen


def _write(core: Core, statement: str, **values: object) -> None:
    with core.database.write() as session:
        session.execute(text(statement), values)


def test_a_new_gateway_is_healthy_but_lonely(core: Core) -> None:
    seen = _see(core)

    assert Health.BAD not in {health for healths in seen.values() for health in healths}
    assert seen["administrator"] == [Health.WARNING]
    assert seen["engine"] == [Health.WARNING]
    assert seen["ledger"] == seen["schema"] == seen["clock"] == seen["rights"] == [Health.GOOD]


def test_an_engine_at_work_is_seen_and_its_connections_too(core: Core) -> None:
    now = utc_now()
    with core.database.write() as session:
        session.add(EngineRow(id="e1", host="here", pid=1, started_at=now, seen_at=now))
        administration.add_connection(session, "loop", "loopback", {}, plugins=core.plugins, vault=core.vault, now=now, actor="test")
        administration.set_desired(session, "loop", "started", plugins=core.plugins, now=now, actor="test")

    seen = _see(core)

    assert seen["engine"] == [Health.GOOD]
    assert seen["connections"] == [Health.WARNING]


def test_an_engine_that_fell_silent_is_not_at_work(core: Core) -> None:
    long_ago = utc_now() - timedelta(hours=1)
    with core.database.write() as session:
        session.add(EngineRow(id="e1", host="here", pid=1, started_at=long_ago, seen_at=long_ago))

    assert _see(core)["engine"] == [Health.WARNING]


def test_a_wrong_balance_is_bad(core: Core) -> None:
    with core.database.write() as session:
        administration.add_user(session, "bob", "", now=utc_now(), actor="test")
        session.execute(text("UPDATE accounts SET balance_uc = 7 WHERE kind = 'user'"))

    assert _see(core)["ledger"] == [Health.BAD]


def test_keys_that_others_can_read_are_bad(core: Core) -> None:
    (core.settings.data / "settings.key").chmod(0o644)
    core.settings.data.chmod(0o755)

    assert sorted(_see(core)["rights"]) == [Health.BAD, Health.WARNING]


def test_a_migration_that_did_not_run_is_bad(core: Core) -> None:
    _write(core, f"DELETE FROM {migrations.VERSION_TABLE}")

    assert _see(core)["schema"] == [Health.BAD]


def test_a_route_that_cannot_be_asked_is_bad(core: Core) -> None:
    now = utc_now()
    with core.database.write() as session:
        administration.add_user(session, "bob", "", now=now, actor="test")
        administration.save_route(session, Direction.INBOUND, "all", targets=["bob"], plugins=core.plugins, now=now, actor="test")
    _write(core, """UPDATE routes SET conditions = '[{"kind": "moon", "settings": {}}]'""")

    assert _see(core)["configuration"] == [Health.BAD]


def test_a_web_server_that_everyone_reaches_without_https_is_warned_of(core: Core) -> None:
    core.settings = replace(core.settings, bind="0.0.0.0:9501")
    open_to_all = _see(core)
    core.settings = replace(core.settings, https=True)

    assert open_to_all["https"] == [Health.WARNING]
    assert "https" not in _see(core)


def test_a_database_that_is_not_there_is_bad_and_is_not_made(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "nowhere")

    health = {sign.check: sign.health for sign in doctor.examine(settings)}

    assert (health["folder"], health["database"]) == (Health.BAD, Health.BAD)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_bad(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NO_SPACE_OCTETS", 1 << 62)

    assert _see(core)["disk"] == [Health.BAD]

"""System / Plugins / a plugin, and the pages of the SQL logger."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.models import PluginSettings

PAGE = "/system/plugins/sqllog"


@pytest.fixture
def filled(tmp_path: Path) -> dict[str, str]:
    return {"database_url": f"sqlite:///{tmp_path / 'log.sqlite3'}", "time_zone": "UTC", "file_format": "off"}


def test_a_plugin_without_settings_says_so(site: Any, read: Any) -> None:
    assert "has no settings of its own" in read(site.client().get("/system/plugins/modem"))
    assert site.client().get("/system/plugins/pigeon").status_code == 404


def test_a_refused_form_keeps_what_was_typed_and_names_the_field(site: Any) -> None:
    answer = site.client().post(
        PAGE, data={"database_url": "mysql://u@h/d", "own_sql": "on", "sql_accepted": "INSERT INTO t VALUES ($who)"}
    )

    assert answer.status_code == 422
    assert "There is no keyword $who" in answer.text
    assert "INSERT INTO t VALUES ($who)" in answer.text
    with site.core.database.read() as session:
        assert session.scalars(select(PluginSettings)).all() == []


def test_settings_are_saved_and_the_password_is_never_shown(site: Any, filled: dict[str, str]) -> None:
    browser = site.client()
    saved = browser.post(PAGE, data=filled | {"database_password": "hunter2 hunter2"})
    page = browser.get(PAGE).text
    browser.post(PAGE, data=filled | {"database_password": "\N{BULLET}" * 8, "time_zone": "Europe/Budapest"})
    kept = site.core.snapshots.reload().plugin_settings["sqllog"]

    assert saved.status_code == 303
    assert "hunter2" not in page
    assert "hunter2" not in str(kept)
    assert kept["time_zone"] == "Europe/Budapest"
    assert site.core.vault.decrypt(kept["database_password"]) == "hunter2 hunter2"


def test_the_page_tells_who_made_it_what_it_brings_and_what_it_keeps(site: Any, read: Any) -> None:
    page = read(site.client().get("/system/plugins/tariff"))

    assert "pennywire-tariff" in page
    assert "1 · this gateway keeps 1" in page
    assert "register_pricing_rules" in page
    assert "tariff_alembic_version, 1 rows" in page


def test_the_page_of_a_failed_plugin_has_its_traceback(site: Any, read: Any) -> None:
    site.core.plugins.isolate("loopback", "Traceback (most recent call last): RuntimeError: a wing broke")
    page = read(site.client().get("/system/plugins/loopback"))

    assert "a wing broke" in page
    assert "goes on without" in page
    assert "Disable" in page


@pytest.mark.parametrize("role", ["operator", "auditor", "customer"])
def test_only_administrators_change_a_plugin(site: Any, filled: dict[str, str], role: str) -> None:
    site.user("otto", role=role)
    browser = site.client("otto")

    assert browser.post(PAGE, data=filled).status_code == 403
    assert "Save" in site.client().get(PAGE).text
    assert "Save" not in browser.get(PAGE).text
    assert browser.get(PAGE).status_code == (403 if role == "customer" else 200)
    assert browser.get("/plugins/sqllog/").status_code == (403 if role == "customer" else 200)
    assert browser.get("/plugins/sqllog/log/outbox").status_code == (403 if role == "customer" else 200)


def test_the_logger_is_set_up_tried_and_searched_by_hand(site: Any, read: Any, filled: dict[str, str]) -> None:
    browser = site.client()
    assert "Nothing is logged yet" in read(browser.get("/plugins/sqllog/"))
    assert "There is nothing to search" in read(browser.get("/plugins/sqllog/log/outbox"))
    browser.post(PAGE, data=filled)

    def press(button: str) -> str:
        browser.post(f"/plugins/sqllog/{button}")
        return str(read(browser.get("/plugins/sqllog/")))

    assert "Missing: inbox, outbox" in press("test-connection")
    assert "The database says: no such table: inbox" in press("test-row")
    assert "Made: inbox, outbox." in press("create-tables")
    assert "The tables are there already." in press("create-tables")
    assert "Written, read back and taken away again: inbox, outbox." in press("test-row")
    assert "No message fits" in read(browser.get("/plugins/sqllog/log/outbox?number=36&since=2026-01-31&until=2026-02-01&state=accepted"))
    assert "No message fits" in read(browser.get("/plugins/sqllog/log/inbox"))
    assert "Write a day as 2026-01-31" in browser.get("/plugins/sqllog/log/outbox?since=yesterday").text


def test_who_reads_no_texts_finds_none_in_the_log(site: Any, filled: dict[str, str]) -> None:
    """Not by looking, and not by searching for them either."""
    browser = site.client()
    browser.post(PAGE, data=filled)
    browser.post("/plugins/sqllog/create-tables")
    database = sqlite3.connect(filled["database_url"].removeprefix("sqlite:///"))
    with database:
        needed = [row[1] for row in database.execute("PRAGMA table_info(outbox)") if row[3] and not row[5] and row[4] is None]
        values = dict.fromkeys(needed, "0") | {"msgid": "01ABC", "msgdata": "Your code is 4711", "receiver": "+36201234567"}
        database.execute(f"INSERT INTO outbox ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", list(values.values()))
    database.close()
    site.user("udo", role="auditor")

    for text, reads in (("", True), ("4711", True), ("nothing of that", False)):
        own = browser.get("/plugins/sqllog/log/outbox", query_string={"text": text}).text
        hidden = site.client("udo").get("/plugins/sqllog/log/outbox", query_string={"text": text}).text
        assert ("Your code is 4711" in own) is reads
        assert "Your code" not in hidden
        assert "+36201234567" in hidden


@pytest.mark.parametrize("button", ["test-connection", "test-row", "create-tables"])
def test_without_a_database_a_button_says_what_is_missing(site: Any, read: Any, button: str) -> None:
    browser = site.client()
    browser.post(f"/plugins/sqllog/{button}")

    assert "There is no database yet" in read(browser.get("/plugins/sqllog/"))

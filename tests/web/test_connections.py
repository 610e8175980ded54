"""Connections: forms that plugins declare, lights, start and stop."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.administration import MASK
from app.models import ConnectionLog, ConnectionStatus, ServiceConnection
from app.web.connections import light


def stored(site: Any, name: str) -> ServiceConnection:
    with site.core.database.read() as session:
        return session.scalars(select(ServiceConnection).where(ServiceConnection.name == name)).one()


def test_a_kinds_form_is_made_of_its_settings(site: Any) -> None:
    page = site.client().get("/add/connection?kind=smpp").text

    assert 'name="system_id"' in page
    assert re.search(r'<input type="password"[^>]* name="password"', page)
    assert re.search(r"<details class=\"more\"><summary>Advanced", page)


def test_a_connection_is_added_stopped(site: Any, read: Any) -> None:
    browser = site.client()

    answer = browser.post("/add/connection?kind=loopback", data={"name": "try me", "latency_ms": "5", "provider": "north"})

    connection = stored(site, "try me")
    assert answer.headers["Location"] == "/connections/try%20me"
    assert (connection.desired, connection.provider, connection.settings["latency_ms"]) == ("stopped", "north", 5)
    assert "stopped" in read(browser.get(answer.headers["Location"]))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": "", "host": "h", "system_id": "s"}, "Name is missing"),
        ({"name": "a/b", "host": "h", "system_id": "s"}, "no slash"),
        ({"name": "x", "host": "", "system_id": "s"}, "Host is missing"),
        ({"name": "x", "host": "h", "system_id": "s", "port": "none"}, "Port must be a whole number"),
        ({"name": "x", "host": "h", "system_id": "s", "port": "99999"}, "Port must be at most 65535"),
    ],
)
def test_a_refused_connection_keeps_what_was_typed(site: Any, read: Any, typed: dict[str, str], said: str) -> None:
    answer = site.client().post("/add/connection?kind=smpp", data=typed)

    assert answer.status_code == 422
    assert said in read(answer)
    assert f'value="{typed["host"]}"' in answer.text


def test_several_errors_are_shown_together(site: Any, read: Any) -> None:
    page = read(site.client().post("/add/connection?kind=smpp", data={"port": "x"}))

    assert "Name is missing" in page
    assert "Host is missing" in page
    assert "Port must be a whole number" in page


def test_a_secret_is_never_shown_and_kept_when_it_is_not_typed_anew(site: Any) -> None:
    site.connection("smsc", "smpp", host="smsc.example", system_id="me", password="s3cr3t!")
    browser, before = site.client(), stored(site, "smsc").settings["password"]
    page = browser.get("/connections/smsc/configuration").text

    answer = browser.post(
        "/connections/smsc/configuration", data={"host": "other.example", "system_id": "me", "password": MASK, "port": "2775"}
    )

    assert answer.status_code == 303
    assert "s3cr3t!" not in page + browser.get("/connections/smsc").text
    assert stored(site, "smsc").settings["host"] == "other.example"
    assert site.core.vault.decrypt(stored(site, "smsc").settings["password"]) == "s3cr3t!"
    assert site.core.vault.decrypt(before) == "s3cr3t!"


def test_starting_and_stopping_changes_what_is_wanted(site: Any, read: Any) -> None:
    site.connection(up=False)
    browser = site.client()

    browser.post("/connections/wire/switch", data={"desired": "stopped"})
    assert stored(site, "wire").desired == "stopped"
    browser.post("/connections/wire/switch", data={"desired": "started"})
    assert stored(site, "wire").desired == "started"
    assert "no engine" in read(browser.get("/connections/wire"))


def test_a_kind_that_does_not_send_cannot_be_started(site: Any, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.core.plugins.connectors["loopback"], "sends", False)
    browser = site.client()
    browser.post("/add/connection?kind=loopback", data={"name": "echo"})

    browser.post("/connections/echo/switch", data={"desired": "started"})
    page = browser.get("/connections/echo")

    assert stored(site, "echo").desired == "stopped"
    assert "does not send yet" in read(page)
    assert re.search(r'value="started" disabled', page.text)


@pytest.mark.parametrize(
    ("desired", "state", "held", "word", "tone"),
    [
        ("stopped", "down", False, "stopped", "quiet"),
        ("started", "down", False, "no engine", "bad"),
        ("started", "up", False, "no engine", "bad"),
        ("started", "up", True, "up", "good"),
        ("started", "connecting", True, "connecting", "wait"),
        ("started", "failed", True, "failed", "bad"),
        ("stopped", "up", True, "stopping", "wait"),
        ("stopped", "down", True, "stopped", "quiet"),
    ],
)
def test_a_light_tells_the_wanted_from_the_actual(site: Any, desired: str, state: str, held: bool, word: str, tone: str) -> None:
    status = ConnectionStatus(state=state, reason="why", lease_until=site.moment + timedelta(seconds=5 if held else -5))

    shown = light(ServiceConnection(desired=desired), status, site.moment)

    assert (shown.word, shown.tone) == (word, tone)


def test_rows_that_have_not_changed_are_not_sent_again(site: Any) -> None:
    site.connection()
    browser, asked = site.client(), {"HX-Request": "true"}
    first = browser.get("/connections", headers=asked)

    again = browser.get("/connections", headers=asked | {"If-None-Match": first.headers["ETag"]})
    browser.post("/connections/wire/switch", data={"desired": "stopped"})
    changed = browser.get("/connections", headers=asked | {"If-None-Match": first.headers["ETag"]})

    assert "<html" not in first.text
    assert (again.status_code, again.text) == (304, "")
    assert changed.status_code == 200


def test_events_of_a_connection_are_paged(site: Any, read: Any) -> None:
    site.connection()
    with site.core.database.write() as session:
        number = session.scalars(select(ServiceConnection.id)).one()
        session.add_all(ConnectionLog(connection_id=number, at=site.moment, line=f"line {n}.") for n in range(60))
    browser = site.client()
    first = browser.get("/connections/wire/events")
    (older,) = re.findall(r'href="(/connections/wire/events\?before=\d+)"', first.text)

    assert "line 59." in read(first)
    assert "line 9." not in read(first)
    assert "line 9." in read(browser.get(older))


def test_a_connection_without_its_plugin_is_shown_and_says_so(site: Any, read: Any) -> None:
    site.connection()
    site.do(lambda session: setattr(session.scalars(select(ServiceConnection)).one(), "kind", "gone"))
    browser = site.client()

    for page in ("/connections", "/connections/wire", "/connections/wire/configuration", "/"):
        assert browser.get(page).status_code == 200
    assert "No plugin brings the kind gone" in read(browser.get("/connections/wire"))


def test_a_connection_that_is_not_there_is_not_found(site: Any) -> None:
    assert site.client().get("/connections/none").status_code == 404

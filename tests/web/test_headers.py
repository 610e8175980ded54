"""What every answer carries, and what is refused before a view sees it."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from flask import request

from app import schema
from app.config import Settings
from app.db import make_engine
from app.factory import create_app

PASSWORD = "a fine password"


def made(url: str, folder: Path, **settings: Any) -> Any:
    """Make an application with settings of its own over an empty database."""
    engine = make_engine(url)
    schema.create(engine)
    engine.dispose()
    return create_app(Settings(data=folder / "data", database_url=url, **settings))


@pytest.mark.parametrize("address", ["/", "/sign-in", "/users", "/nothing", "/health"])
def test_every_page_is_guarded_by_headers(site: Any, address: str) -> None:
    headers = site.client().get(address).headers
    policy = headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_static_files_are_kept_under_the_address_of_their_content(site: Any) -> None:
    browser = site.app.test_client()
    (address,) = re.findall(r'href="(/static/app\.css\?v=[0-9a-f]{12})"', browser.get("/sign-in").text)

    assert "immutable" in browser.get(address, buffered=True).headers["Cache-Control"]
    assert browser.get("/static/app.css", buffered=True).headers["Cache-Control"] == "no-cache"
    assert browser.get("/static/nothing.css?v=1").headers["Cache-Control"] == "no-store"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Any) -> None:
    cookie = site.app.test_client().get("/sign-in").headers["Set-Cookie"]

    assert cookie.startswith("pennywire=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_behind_https_the_cookie_is_bound_to_the_host(sqlite_url: str, tmp_path: Path) -> None:
    answer = made(sqlite_url, tmp_path, https=True).test_client().get("/sign-in")

    assert answer.headers["Set-Cookie"].startswith("__Host-pennywire=")
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert "; Path=/" in answer.headers["Set-Cookie"]
    assert "Domain" not in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_answers_of_the_apis_carry_what_matters_of_them(sqlite_url: str, tmp_path: Path) -> None:
    """They are no pages: nothing in them runs or is framed, and each header more costs every message."""
    program = made(sqlite_url, tmp_path, https=True).test_client()

    for address in ("/api?action=sendmessage", "/api?action=receivemsg", "/api/v1/account", "/api/v1/nothing"):
        headers = program.get(address).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert headers["Strict-Transport-Security"].startswith("max-age=")
        assert "X-Frame-Options" not in headers
    page = program.get("/api?action=sendmessage&responseformat=html").headers
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]


def test_another_host_name_is_refused_where_names_are_set(sqlite_url: str, tmp_path: Path) -> None:
    browser = made(sqlite_url, tmp_path, hosts="sms.example, localhost").test_client()

    assert browser.get("/sign-in", headers={"Host": "sms.example"}).status_code == 200
    assert browser.get("/sign-in", headers={"Host": "evil.example"}).status_code == 400


def test_forwarded_headers_count_only_behind_a_proxy(sqlite_url: str, tmp_path: Path) -> None:
    """The address that the throttle counts is the proxy's word only where a proxy is set."""
    said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "sms.example"}
    app = made(sqlite_url, tmp_path, proxies=1)
    seen: list[tuple[str | None, str]] = []
    app.add_url_rule("/seen", "seen", lambda: seen.append(_caller()) or "")
    app.extensions["pennywire"].access.open({"seen"})

    app.test_client().get("/seen", headers=said)

    assert seen == [("203.0.113.9", "sms.example")]


def _caller() -> tuple[str | None, str]:
    return request.remote_addr, request.host


def test_without_a_proxy_forwarded_headers_are_words(site: Any) -> None:
    seen: list[tuple[str | None, str]] = []
    site.app.add_url_rule("/seen", "seen", lambda: seen.append(_caller()) or "")
    site.parts.access.open({"seen"})

    site.app.test_client().get("/seen", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "sms.example"})

    assert seen == [("127.0.0.1", "localhost")]


def test_a_form_without_its_token_changes_nothing(site: Any, read: Any) -> None:
    site.app.config["WTF_CSRF_ENABLED"] = True

    answer = site.client().post("/add/user", data={"username": "sneak", "kind": "standard", "role": "administrator"})

    assert answer.status_code == 400
    assert "This form is too old" in read(answer)
    assert "sneak" not in site.core.snapshots.reload().users


def test_a_form_with_its_token_is_taken(site: Any) -> None:
    site.app.config["WTF_CSRF_ENABLED"] = True
    browser = site.client()
    (token, *_) = re.findall(r'name="csrf_token" value="([^"]+)"', browser.get("/add/user").text)

    answer = browser.post("/add/user", data={"csrf_token": token, "username": "anna", "kind": "standard", "role": "customer"})

    assert answer.status_code == 303
    assert "anna" in site.core.snapshots.reload().users


def test_programs_need_no_token(site: Any) -> None:
    """The APIs authenticate each call; there is no session whose power could be borrowed."""
    site.app.config["WTF_CSRF_ENABLED"] = True

    assert site.app.test_client().post("/api/v1/messages", json={}).status_code == 401


def test_a_body_over_the_limit_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    browser = made(sqlite_url, tmp_path, max_body_octets=1000).test_client()

    assert browser.post("/sign-in", data={"username": "x" * 2000}).status_code == 413


def test_a_database_that_is_away_is_said_so(site: Any, read: Any, tmp_path: Path) -> None:
    browser = site.client()
    site.core.database.dispose()
    (tmp_path / "test.sqlite3").unlink()
    (tmp_path / "test.sqlite3").mkdir()
    site.core.snapshots.monotonic = lambda: time.monotonic() + 60

    page, health = browser.get("/"), browser.get("/health")

    assert (page.status_code, health.status_code) == (503, 503)
    assert "The gateway cannot do this now" in read(page)


def test_health_says_whether_the_database_answers(site: Any) -> None:
    assert site.app.test_client().get("/health").text == "ok\n"


def test_what_fails_inside_gives_nothing_away(site: Any, read: Any) -> None:
    def fail() -> None:
        raise RuntimeError("secret detail")

    site.app.add_url_rule("/fails", "fails", fail)
    site.parts.access.open({"fails"})
    answer = site.client().get("/fails")

    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "The gateway failed" in read(answer)

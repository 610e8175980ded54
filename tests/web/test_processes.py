"""Several web processes answer one visitor: what he changed is there on his next page, whoever draws it."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app.factory import create_app
from app.web.context import parts_of


@pytest.fixture
def other(site: Any) -> Iterator[Flask]:
    """A second process over the same database, which looked at the configuration a moment ago and need not look again soon."""
    app = create_app(site.core.settings)
    core = parts_of(app).core
    core.clock = site.core.clock
    core.snapshots.monotonic = lambda: 1.0
    core.snapshots.present()
    yield app
    core.close()


def test_a_change_is_on_the_next_page_of_whoever_made_it(site: Any, other: Flask, read: Any) -> None:
    here, there = site.client(), other.test_client()
    site.user("anna")
    assert "Credits" not in read(there.get("/sign-in"))

    saved = here.post("/users/anna/configuration/advanced", data={"accounting_enabled": "on", "gui_enabled": "on"})
    name = site.app.config["SESSION_COOKIE_NAME"]
    there.set_cookie(name, here.get_cookie(name).value)
    page = there.get(saved.location)

    assert page.status_code == 200
    assert "/users/anna/credits" in page.text


def test_looking_at_pages_sets_no_cookie(site: Any) -> None:
    browser = site.client()
    browser.get("/users")

    assert "Set-Cookie" not in browser.get("/users").headers

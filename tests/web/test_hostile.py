"""Text from outside is text: on every page it stands as it was sent, and no export runs it."""

import csv
import html
import io
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from hostile import TEXTS, plant

PAGES = (
    "/",
    "/messages/sent",
    "/messages/not-sent",
    "/messages/outbox",
    "/messages/inbox",
    "/users/anna/keys",
    "/users/anna/credits/ledger",
    "/users/anna/credits",
    "/users/anna/events",
    "/users/anna/sign-in",
    "/users/anna/statements",
    "/connections/wire/events",
    "/connections/wire/receipts",
    "/system/audit",
    "/reports/traffic",
)
LIVE = ("<script>document", "<img src=x", "<svg/onload", "<b>mirrored", "60481729", "root:x:0:0")
"""What stands in a page only where a text was taken for more than text."""


@pytest.fixture
def attacked(site: Any) -> Any:
    """A site with every text in every field, and the addresses of its messages."""
    site.connection()
    site.user("anna", credit="1000")
    site.route()
    site.route("answers", ("anna",), inward=True)
    connection = next(iter(site.core.snapshots.reload().connections.values()))
    site.planted = plant(site.core, site.parts.intake, connection, "anna")
    return site


def test_every_page_shows_them_as_they_are_and_runs_none(attacked: Any) -> None:
    browser = attacked.client()
    addresses = [*PAGES, *(f"/message/{number}" for number in attacked.planted.sent)]

    pages = {address: browser.get(address) for address in addresses}

    assert [address for address, answer in pages.items() if answer.status_code != 200] == []
    assert [(address, mark) for address, answer in pages.items() for mark in LIVE if mark in answer.text] == []
    assert all("\r" not in value and "\n" not in value for answer in pages.values() for value in answer.headers.values())
    everything = html.unescape("".join(answer.text for answer in pages.values()))
    missing = [text for text in TEXTS if text.replace("\x00", "").split("\r\n")[0][:60] not in everything.replace("\ufffd", "")]
    assert missing == []


def test_whoever_types_them_gets_them_back_as_text(site: Any) -> None:
    """In every query and every form that shows again what was typed."""
    browser = site.client()
    for text in TEXTS:
        query = {"subject": text, "actor": text, "number": text, "user": text, "search": text, "destination": text, "since": text}
        answers = [
            browser.get(path, query_string=query) for path in ("/system/audit", "/messages/sent", "/users", "/compose", "/reports/traffic")
        ]
        answers.append(browser.post("/add/user", data={"username": text, "role": text, "kind": text, "password": text}))
        answers.append(site.app.test_client().post("/sign-in", data={"username": text, "password": text}))
        answers.append(site.app.test_client().get("/reset/" + text.replace("/", "").replace("\x00", "")))

        assert {answer.status_code for answer in answers} <= {200, 400, 401, 404, 422, 429, 308}
        assert [mark for mark in LIVE for answer in answers if mark in answer.text] == []


def test_no_export_holds_a_formula(attacked: Any) -> None:
    browser = attacked.client()

    for address in ("/system/audit.csv", "/users/anna/credits/summary.csv?by=connection", "/users/anna/statements/file/items.csv"):
        answer = browser.get(address)
        cells = [cell for row in csv.reader(io.StringIO(answer.text, newline="")) for cell in row] if answer.status_code == 200 else []

        assert [cell for cell in cells if cell.startswith(("=", "@", "\t", "\r"))] == []
    assert "'=HYPERLINK" in browser.get("/system/audit.csv").text

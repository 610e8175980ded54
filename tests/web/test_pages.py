"""Every page is drawn, for those who may see it, on both databases."""

import re
from types import ModuleType
from typing import Any

import pytest
from jinja2 import ChoiceLoader, DictLoader
from sqlalchemy import select

from app.identifiers import public_id
from app.models import ConnectionLog, Message, ServiceConnection
from pennywire import MenuItem, Panel, hookimpl

STAFF_PAGES = (
    "/",
    "/messages/inbox",
    "/messages/outbox",
    "/messages/sent",
    "/messages/not-sent",
    "/messages/scheduled",
    "/messages/deleted",
    "/messages/sent?user=anna&number=%2B36&state=delivered",
    "/compose",
    "/users",
    "/users?search=an",
    "/add/user",
    "/users/anna/configuration/general",
    "/users/anna/configuration/application",
    "/users/anna/configuration/advanced",
    "/users/anna/password",
    "/users/anna/keys",
    "/users/anna/events",
    "/users/anna/credits",
    "/users/anna/credits?start=2026-01-01&end=2026-12-31",
    "/users/anna/credits?preset=today&count=delivered",
    "/users/anna/credits?preset=last_month&by=route",
    "/users/anna/credits?by=provider&count=messages_received",
    "/users/anna/credits/ledger",
    "/users/anna/credits/top-up",
    "/users/anna/credits/settings",
    "/users/anna/credits/info",
    "/connections",
    "/add/connection",
    "/add/connection?kind=smpp",
    "/add/connection?kind=clickatell",
    "/connections/wire",
    "/connections/wire/configuration",
    "/connections/wire/events",
    "/routing/outbound",
    "/routing/inbound",
    "/routing/outbound/add",
    "/routing/inbound/add",
    "/routing/outbound/1",
    "/routing/inbound/2",
    "/routing/outbound/1/delete",
    "/routing/test",
    "/reports/traffic",
    "/reports/traffic?days=90&user=anna",
    "/system/plugins",
    "/system/plugins/smpp/switch",
    "/system/http-api",
    "/system/ledger-check",
    "/system/ledger-check?run=1",
    "/system/audit",
    "/system/audit?subject=anna&since=2020-01-01&until=2030-01-01",
    "/system/settings",
    "/profile/password",
)
CUSTOMER_PAGES = (
    "/",
    "/messages/inbox",
    "/messages/sent",
    "/compose",
    "/users/anna/credits",
    "/users/anna/credits/ledger",
    "/users/anna/credits/info",
    "/users/anna/keys",
    "/reports/traffic",
    "/system/http-api",
    "/profile/password",
)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "{% raw %}",
    "=HYPERLINK(1)",
    "a\r\nSet-Cookie: b=c",
    "\u202etxt.exe",
    "' OR 1=1 --",
    "&lt;b&gt;",
    "%0d%0a${jndi:x}",
)


def test_every_page_is_drawn_for_the_administrator(busy_both: Any) -> None:
    browser = busy_both.client()

    refused = {page: status for page in STAFF_PAGES if (status := browser.get(page).status_code) != 200}

    assert refused == {}


def test_every_page_of_his_own_is_drawn_for_the_customer(busy_both: Any) -> None:
    browser = busy_both.client("anna")

    refused = {page: status for page in CUSTOMER_PAGES if (status := browser.get(page).status_code) != 200}

    assert refused == {}


def test_every_message_has_its_page_for_its_owner_and_the_staff(busy_both: Any) -> None:
    pages = [f"/message/{public_id(message.id)}" for message in busy_both.messages()]

    assert len(pages) == 5
    assert {browser.get(page).status_code for page in pages for browser in (busy_both.client(), busy_both.client("anna"))} == {200}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/users?search=%00", 400),
        ("/users/a%00/keys", 400),
        ("/messages/sent?number=%00", 400),
        ("/users/anna/credits?start=0001-01-01&end=9999-12-31", 200),
        ("/users/anna/credits?start=x&end=y&before=-1", 200),
        ("/users/anna/keys/99999999999999999999/revoke", 404),
        ("/users/anna/keys/999999/revoke", 404),
        ("/routing/outbound/99999999999999999999", 404),
        ("/routing/outbound/999999", 404),
        ("/messages/sent?before=999999999999999999", 200),
        ("/reports/traffic?days=-1&user=nobody", 200),
        ("/system/audit?subject=%25&before=0", 200),
        ("/add/connection?kind=nothing", 200),
        ("/users?after=%F0%9F%92%A9", 200),
    ],
)
def test_odd_addresses_are_answered_and_break_nothing(busy_both: Any, address: str, status: int) -> None:
    assert busy_both.client().get(address).status_code == status


def test_empty_pages_say_what_to_do_next(site: Any, read: Any) -> None:
    browser = site.client()

    assert "Add an outbound route" in read(browser.get("/"))
    assert "No connection yet" in read(browser.get("/connections"))
    assert "No outbound route yet" in read(browser.get("/routing/outbound"))
    assert "Inbox is empty" in read(browser.get("/messages/inbox"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_literally(busy: Any, read: Any, text: str) -> None:
    """Whatever comes from outside is text: never markup, never a template."""
    session_text = text.replace("\r\n", "\n")
    with busy.core.database.write() as session:
        for message in session.scalars(select(Message)):
            message.text, message.source, message.error_reason, message.client_reference = text, text[:21], text, text
        connection = session.scalars(select(ServiceConnection)).one()
        session.add(ConnectionLog(connection_id=connection.id, at=busy.moment, line=text))
    busy.do(lambda session: setattr(session.scalars(select(ServiceConnection)).one(), "provider", text[:64]))
    browser = busy.client()
    message = f"/message/{public_id(busy.messages()[0].id)}"

    for page in ("/messages/sent", message, "/connections/wire", "/connections/wire/events", "/", "/connections"):
        answer = browser.get(page)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert not re.search(r"Set-Cookie: b", str(answer.headers))
    assert " ".join(session_text.split()) in read(browser.get(message))


def test_a_page_that_is_not_there_says_so(site: Any, read: Any) -> None:
    answer = site.client().get("/nothing/here")

    assert answer.status_code == 404
    assert "There is nothing here" in read(answer)


@pytest.mark.parametrize("address", ["/api/v2/messages", "/api/nothing", "/ozeki/nothing"])
def test_a_program_gets_no_page(site: Any, address: str) -> None:
    answer = site.app.test_client().get(address)

    assert answer.status_code == 404
    assert answer.json["code"] == "not_found"


def test_a_panel_of_a_plugin_is_drawn_and_a_broken_one_harms_nobody(busy: Any, read: Any) -> None:
    """Panels come through the same hook for everybody; one whose template fails is left out."""
    plugin = ModuleType("panel_maker")

    @hookimpl
    def panels(page: str, subject: Any) -> list[Panel]:
        if page != "message":
            return []
        return [Panel("Raw <PDU>", "note.html", {"text": subject.text}), Panel("Broken", "nothing.html", {})]

    plugin.panels = panels  # type: ignore[attr-defined]  # a module made by hand
    busy.core.plugins.manager.register(plugin, name="panel_maker")
    busy.app.jinja_env.loader = ChoiceLoader([busy.app.jinja_env.loader, DictLoader({"note.html": "<p>{{ text }}!</p>"})])

    page = read(busy.client().get(f"/message/{public_id(busy.messages()[0].id)}"))

    assert "Raw <PDU> Delivered!" in page
    assert "Broken" not in page
    assert busy.client().get("/").status_code == 200


def test_a_plugins_entry_of_the_menu_appears_in_its_branch(site: Any, read: Any) -> None:
    plugin = ModuleType("menu_maker")

    @hookimpl
    def menu_items() -> list[MenuItem]:
        return [MenuItem("System", "Price lists", "audit.log"), MenuItem("System", "Gone", "nowhere.index")]

    plugin.menu_items = menu_items  # type: ignore[attr-defined]  # a module made by hand
    site.core.plugins.manager.register(plugin, name="menu_maker")

    page = read(site.client().get("/"))

    assert page.index("Audit log") < page.rindex("Price lists")
    assert "Gone" not in page

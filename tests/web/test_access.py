"""Who may do what: every address, called as everybody, answers only those whom this table allows."""

from typing import Any

import pytest
from flask import Blueprint

from app import administration
from app.web.access import RULES, AccessTable
from pennywire import ANYONE, allow

A, O, U, C = "administrator", "operator", "auditor", "customer"  # noqa: E741  # letters of a table
ROLES = {A: "root", O: "olga", U: "udo", C: "anna"}

#: Endpoint: address of an object of anna's, who may read, who may write. The customer is anna.
TABLE: dict[str, tuple[str, str, str]] = {
    "home.index": ("/", "AOUC", ""),
    "first_run.index": ("/welcome", "A", ""),
    "first_run.step": ("/welcome/country", "A", "A"),
    "sign_in.out": ("/sign-out", "", "AOUC"),
    "profile.password": ("/profile/password", "AOUC", "AOUC"),
    "profile.second_factor": ("/profile/second-factor", "AOUC", "AOUC"),
    "profile.recovery_codes": ("/profile/second-factor/codes", "", "AOUC"),
    "profile.remove_factor": ("/profile/second-factor/remove", "", "AOUC"),
    "profile.open_sessions": ("/profile/sessions", "AOUC", ""),
    "profile.end_session": ("/profile/sessions/99/end", "", "AOUC"),
    "profile.end_others": ("/profile/sessions/end", "", "AOUC"),
    "signing.show": ("/users/anna/sign-in", "AOU", ""),
    "signing.end_session": ("/users/anna/sign-in/sessions/1/end", "", "A"),
    "signing.end_sessions": ("/users/anna/sign-in/sessions/end", "", "A"),
    "signing.remove_factor": ("/users/anna/sign-in/second-factor", "A", "A"),
    "signing.reset_link": ("/users/anna/sign-in/reset-link", "", "A"),
    "messages.folder": ("/messages/sent", "AOUC", ""),
    "messages.act": ("/messages", "", "AOC"),
    "message.show": ("/message/{message}", "AOUC", ""),
    "compose.index": ("/compose", "AOC", "AOC"),
    "compose.preview_form": ("/compose/preview", "", "AOC"),
    "users.index": ("/users", "AOU", ""),
    "users.add": ("/add/user", "A", "A"),
    "users.configure": ("/users/anna/configuration/general", "AOU", "A"),
    "users.password": ("/users/anna/password", "A", "A"),
    "users.delete": ("/users/anna/delete", "A", "A"),
    "users.events": ("/users/anna/events", "AOU", ""),
    "applications.index": ("/users/anna/applications", "AOU", ""),
    "applications.configure": ("/users/anna/applications/smpp", "AOU", "A"),
    "applications.delete": ("/users/anna/applications/smpp/delete", "A", "A"),
    "keys.index": ("/users/anna/keys", "AUC", "AC"),
    "keys.revoke": ("/users/anna/keys/1/revoke", "AC", "AC"),
    "credits.summary": ("/users/anna/credits", "AOUC", ""),
    "credits.summary_csv": ("/users/anna/credits/summary.csv", "AOUC", ""),
    "credits.ledger": ("/users/anna/credits/ledger", "AOUC", ""),
    "credits.top_up": ("/users/anna/credits/top-up", "A", "A"),
    "credits.settings": ("/users/anna/credits/settings", "AOU", "A"),
    "credits.info": ("/users/anna/credits/info", "AOUC", ""),
    "warnings.show": ("/users/anna/credits/warnings", "AOUC", "A"),
    "warnings.suspend": ("/users/anna/credits/suspension", "", "A"),
    "approvals.of_user": ("/users/anna/credits/approvals", "AOU", ""),
    "approvals.index": ("/system/approvals", "AOU", ""),
    "approvals.decide": ("/system/approvals/1", "", "A"),
    "connections.index": ("/connections", "AOU", ""),
    "connections.add": ("/add/connection", "AO", "AO"),
    "connections.show": ("/connections/wire", "AOU", ""),
    "connections.switch": ("/connections/wire/switch", "", "AO"),
    "connections.configure": ("/connections/wire/configuration", "AOU", "AO"),
    "connections.delete": ("/connections/wire/delete", "AO", "AO"),
    "connections.events": ("/connections/wire/events", "AOU", ""),
    "receipts.show": ("/connections/wire/receipts", "AOU", "AO"),
    "connection_test.show": ("/connections/wire/test", "AO", "AO"),
    "routing.table": ("/routing/outbound", "AOU", ""),
    "routing.add": ("/routing/outbound/add", "AO", "AO"),
    "routing.edit": ("/routing/outbound/1", "AOU", "AO"),
    "routing.move": ("/routing/outbound/1/move", "", "AO"),
    "routing.delete": ("/routing/outbound/1/delete", "AO", "AO"),
    "routing_test.show": ("/routing/test", "AOU", "AOU"),
    "pricing.table": ("/routing/pricing", "AOU", ""),
    "pricing.add": ("/routing/pricing/add/tariff", "A", "A"),
    "pricing.edit": ("/routing/pricing/1", "AOU", "A"),
    "pricing.move": ("/routing/pricing/1/move", "", "A"),
    "pricing.delete": ("/routing/pricing/1/delete", "A", "A"),
    "reports.traffic": ("/reports/traffic", "AOUC", ""),
    "margin.report": ("/reports/margin", "AO", ""),
    "margin.download": ("/reports/margin.csv", "AO", ""),
    "statements.index": ("/reports/statements", "AOU", ""),
    "statements.month_end": ("/reports/month-end", "AOU", ""),
    "statements.month_end_file": ("/reports/month-end.csv", "AOU", ""),
    "statements.close": ("/reports/statements/close", "A", "A"),
    "statements.months": ("/users/anna/statements", "AOUC", ""),
    "statements.show": ("/users/anna/statements/show", "AOUC", ""),
    "statements.items": ("/users/anna/statements/items", "AOUC", ""),
    "statements.print_items": ("/users/anna/statements/print", "AOUC", ""),
    "statements.file": ("/users/anna/statements/file/grouped.csv", "AOUC", ""),
    "system.plugins": ("/system/plugins", "AOU", ""),
    "system.switch_plugin": ("/system/plugins/modem/switch", "A", "A"),
    "plugin_page.configure": ("/system/plugins/modem", "AOU", "A"),
    "system.http_api": ("/system/http-api", "AOUC", ""),
    "system.ledger_check": ("/system/ledger-check", "AOU", ""),
    "audit.log": ("/system/audit", "AOU", ""),
    "audit.file": ("/system/audit.csv", "AOU", ""),
    "system.settings": ("/system/settings", "AOU", "A"),
    "mail.settings": ("/system/mail", "AOU", "A"),
    "mail.test": ("/system/mail/test", "", "A"),
}
PUBLIC = {"static", "health", "sign_in.show", "sign_in.second", "sign_in.forgot", "sign_in.reset", "setup.show"}


@pytest.fixture
def staffed(site: Any) -> Any:
    """A site with one user of each role, a connection, a route, a key and a message of anna's."""
    site.connection()
    site.user("olga", role=O)
    site.user("udo", role=U)
    site.user("anna", credit="10")
    site.user("other", credit="10")
    site.route()
    site.message = site.send()
    means = {"plugins": site.core.plugins, "vault": site.core.vault, **site.by}
    site.do(lambda session: administration.set_application(session, "anna", "smpp", {"password": "secret12"}, **means))
    site.do(lambda session: administration.add_key(session, "anna", "shop", **site.by))
    site.do(lambda session: administration.save_rule(session, "lists", kind="tariff", plugins=site.core.plugins, **site.by))
    return site


def test_the_table_knows_every_endpoint(site: Any) -> None:
    """A view that is in no table is nobody's, and its author hears of it here."""
    rules = [rule for rule in site.app.url_map.iter_rules() if not rule.rule.startswith("/plugins/")]
    endpoints = {rule.endpoint for rule in rules if not rule.endpoint.startswith("api.")}

    assert endpoints == TABLE.keys() | PUBLIC
    assert RULES.keys() == TABLE.keys()


def test_strangers_are_sent_to_the_sign_in(staffed: Any) -> None:
    stranger = staffed.app.test_client()
    addresses = [(path.format(message=staffed.message), method) for path, *_ in TABLE.values() for method in ("GET", "POST")]

    answers = {call: stranger.open(call[0], method=call[1]) for call in addresses}

    outcomes = {(answer.status_code, answer.headers.get("Location")) for answer in answers.values()}
    assert outcomes == {(303, "/sign-in"), (405, None)}


@pytest.mark.parametrize("role", ROLES)
def test_only_the_roles_of_the_table_get_in(staffed: Any, role: str) -> None:
    browser = staffed.client(ROLES[role])
    letter = role[1].upper() if role == U else role[0].upper()
    wrong = []
    for endpoint, (path, readers, writers) in TABLE.items():
        if endpoint == "sign_in.out":
            continue
        address = path.format(message=staffed.message)
        for method, allowed in (("GET", readers), ("POST", writers)):
            status = browser.open(address, method=method).status_code
            refused = status in (403, 405)
            if refused == (letter in allowed):
                wrong.append((endpoint, method, status))

    assert wrong == []


def test_a_customer_sees_no_other_customer(staffed: Any) -> None:
    browser = staffed.client("other")
    addresses = [path.format(message=staffed.message) for path, readers, _writers in TABLE.values() if "C" in readers and "anna" in path]

    assert {browser.get(address).status_code for address in [*addresses, f"/message/{staffed.message}"]} == {404}


def test_a_customer_changes_nothing_of_another(staffed: Any) -> None:
    browser = staffed.client("other")

    assert browser.post("/users/anna/keys", data={"label": "mine"}).status_code == 404
    assert browser.post("/users/anna/keys/1/revoke").status_code == 404
    browser.post("/messages", data={"action": "cancel", "message": staffed.message, "folder": "outbox"})
    assert staffed.messages()[0].state == "queued"


def test_a_customer_cannot_send_in_the_name_of_another(staffed: Any) -> None:
    staffed.client("other").post("/compose", data={"user": "anna", "destination": "+36201234567", "text": "Hi"})

    names = {view.id: view.username for view in staffed.core.snapshots.present().users.values()}
    assert [names[message.user_id] for message in staffed.messages()] == ["anna", "other"]


def test_a_customer_filters_his_own_messages_only(staffed: Any) -> None:
    page = staffed.client("other").get("/messages/outbox?user=anna")

    assert staffed.message not in page.text


def test_the_menu_shows_what_may_be_opened(staffed: Any, read: Any) -> None:
    customer, auditor = read(staffed.client("anna").get("/")), read(staffed.client("udo").get("/"))

    assert "My account" in customer
    assert "Routing" not in customer
    assert "Add connection" not in auditor
    assert "Audit log" in auditor


def test_a_plugins_view_is_for_administrators_unless_it_says_otherwise(site: Any) -> None:
    table = AccessTable()
    blueprint = Blueprint("extra", __name__)
    blueprint.add_url_rule("/closed", "closed", lambda: "")
    blueprint.add_url_rule("/wide", "wide", allow("customer")(lambda: ""))
    blueprint.add_url_rule("/call", "call", allow(ANYONE)(lambda: ""))
    app = site.app.__class__("plain")
    app.register_blueprint(blueprint)

    called_by_anyone = table.add_plugin(app, {"extra.closed", "extra.wide", "extra.call"})

    assert table.allows("administrator", "extra.closed")
    assert not table.allows("operator", "extra.closed")
    assert table.allows("customer", "extra.wide")
    assert called_by_anyone == {"extra.call"}
    assert "extra.call" in table.public

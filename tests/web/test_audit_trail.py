"""Every act that changes something leaves a row: the whole table of access is walked, so that no new view can stay silent."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pyotp
import pytest
from sqlalchemy import func, select

from app import administration
from app.ledger import parse_credits
from app.models import AuditEntry, BrowserSession, SecondFactor
from app.web.access import RULES

#: Endpoint to address and to what is typed into the form that stands there. In this order: what is deleted comes last.
ACTS: dict[str, tuple[str, dict[str, str]]] = {
    "users.add": ("/add/user", {"username": "carl", "password": "long enough"}),
    "users.configure": ("/users/anna/configuration/general", {"default_source": "Shop"}),
    "users.password": ("/users/anna/password", {"password": "long enough"}),
    "signing.reset_link": ("/users/anna/sign-in/reset-link", {}),
    "signing.end_session": ("/users/anna/sign-in/sessions/{annas}/end", {}),
    "signing.end_sessions": ("/users/anna/sign-in/sessions/end", {}),
    "signing.remove_factor": ("/users/zoe/sign-in/second-factor", {"confirmed": "zoe"}),
    "applications.configure": ("/users/anna/applications/smpp", {"password": "secret12"}),
    "applications.delete": ("/users/anna/applications/smpp/delete", {"confirmed": "anna"}),
    "keys.index": ("/users/anna/keys", {"label": "shop"}),
    "keys.revoke": ("/users/anna/keys/1/revoke", {}),
    "credits.top_up": ("/users/anna/credits/top-up", {"amount": "5", "reason": "Paid"}),
    "credits.settings": ("/users/anna/credits/settings", {"part": "mode", "mode": "credit_line", "credit_line": "7"}),
    "warnings.show": ("/users/anna/credits/warnings", {"email": "anna@shop.example", "thresholds": "5"}),
    "warnings.suspend": ("/users/anna/credits/suspension", {"act": "suspend", "reason": "Spam"}),
    "approvals.decide": ("/system/approvals/1", {"decision": "reject", "reason": "Not paid"}),
    "connections.add": ("/add/connection?kind=loopback", {"name": "second"}),
    "connections.configure": ("/connections/idle/configuration", {"latency_ms": "7"}),
    "connections.switch": ("/connections/wire/switch", {"desired": "stopped"}),
    "routing.add": ("/routing/outbound/add", {"name": "more", "t0": "wire"}),
    "routing.edit": ("/routing/outbound/{route}", {"cost": "3"}),
    "routing.move": ("/routing/outbound/{route}/move", {"to": "down"}),
    "pricing.add": ("/routing/pricing/add/tariff", {"rule_name": "others"}),
    "pricing.edit": ("/routing/pricing/1", {"rule_name": "renamed"}),
    "pricing.move": ("/routing/pricing/1/move", {"to": "down"}),
    "system.settings": ("/system/settings", {"country_code": "36"}),
    "mail.settings": ("/system/mail", {"mail_host": "mail.example", "mail_from": "a@b.example"}),
    "plugin_page.configure": ("/system/plugins/sqllog", {"database_url": "sqlite:////nowhere/log.sqlite3"}),
    "system.switch_plugin": ("/system/plugins/modem/switch", {"enabled": "0"}),
    "profile.second_factor": ("/profile/second-factor", {"code": "{code}"}),
    "profile.recovery_codes": ("/profile/second-factor/codes", {"code": "{code}"}),
    "profile.remove_factor": ("/profile/second-factor/remove", {"code": "{code}"}),
    "profile.password": ("/profile/password", {"present": "a fine password", "password": "another one", "repeated": "another one"}),
    "profile.end_session": ("/profile/sessions/{other}/end", {}),
    "profile.end_others": ("/profile/sessions/end", {}),
    "routing.delete": ("/routing/outbound/{route}/delete", {"confirmed": "all"}),
    "pricing.delete": ("/routing/pricing/1/delete", {"confirmed": "renamed"}),
    "connections.delete": ("/connections/idle/delete", {"confirmed": "idle"}),
    "users.delete": ("/users/ben/delete", {"confirmed": "ben"}),
}

#: What changes no setting, and why it needs no row, or where else it leaves its trace.
SILENT = {
    "sign_in.out": "ends the own session, which the list shows no more",
    "messages.act": "the journal keeps every step of a message, with the actor",
    "compose.index": "a message is a row of its own",
    "compose.preview_form": "asks",
    "connection_test.show": "sends or receives a message, a row of its own",
    "routing_test.show": "asks",
    "mail.test": "sends a mail that says what it is",
    "receipts.show": "refused here: the loopback reads no ids; with SMPP it is a change of the connection's settings",
    "statements.close": "refused here: no month is over; a closed month is a sealed row with its closer",
    "first_run.step": "calls what the pages call, each of which leaves its row",
}


class Fields(HTMLParser):
    """Reads what a browser would send of the forms of a page, as they stand."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, kind = given.get("name", ""), given.get("type", "")
        if tag == "input" and name and (kind not in ("checkbox", "radio") or "checked" in given):
            self.found.setdefault(name, given.get("value", "on" if kind == "checkbox" else ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and (self._select not in self.found or "selected" in given):
            self.found[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._area = name
            self.found[name] = ""

    def handle_endtag(self, tag: str) -> None:
        self._select = "" if tag == "select" else self._select
        self._area = "" if tag == "textarea" else self._area

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[self._area] = (self.found[self._area] + data).removeprefix("\n")


@pytest.fixture
def furnished(site: Any) -> Any:
    """A site with one of everything that can be changed."""
    by = site.by
    site.connection()
    site.connection("idle", up=False)
    site.do(lambda session: administration.set_desired(session, "idle", "stopped", plugins=site.core.plugins, **by))
    site.user("anna", credit="10")
    site.user("ben")
    site.user("zoe")
    site.user("boss", role="administrator")
    site.route_id = site.route()
    site.route("last")
    for name in ("lists", "second list"):
        site.do(lambda session, name=name: administration.save_rule(session, name, kind="tariff", plugins=site.core.plugins, **by))
    site.do(lambda session: administration.set_gateway_options(session, {"second_person_above": "100"}, **by))
    site.do(lambda session: administration.top_up(session, "anna", parse_credits("500"), reason="Much", now=site.moment, actor="boss"))
    vault = site.core.vault
    secret = site.do(lambda session: administration.begin_second_factor(session, "zoe", vault=vault))
    code = pyotp.TOTP(secret).at(site.moment)
    site.do(lambda session: administration.confirm_second_factor(session, "zoe", code, vault=vault, **by))
    return site


def _count(site: Any) -> int:
    with site.core.database.read() as session:
        return session.execute(select(func.count(AuditEntry.id))).scalar_one()


def _session_of(site: Any, name: str) -> int:
    """Return the number of a fresh session of a user's."""
    site.client(name)
    with site.core.database.read() as session:
        return session.execute(select(func.max(BrowserSession.id))).scalar_one()


def _code(site: Any) -> str:
    """Return a fresh code of root's app."""
    site.moment += timedelta(seconds=30)
    with site.core.database.read() as session:
        root = site.core.snapshots.reload().users["root"].id
        row = session.get(SecondFactor, root)
        secret = site.core.vault.decrypt(row.settings["secret"]) if row else ""
    return pyotp.TOTP(secret).at(site.moment) if secret else ""


def test_the_walk_knows_every_endpoint_that_takes_something() -> None:
    assert ACTS.keys() | SILENT.keys() == {endpoint for endpoint, rule in RULES.items() if rule.write}


def test_every_act_leaves_a_row(furnished: Any) -> None:
    browser = furnished.client()
    silent = []
    for endpoint, (path, typed) in ACTS.items():
        names: dict[str, Any] = {"route": furnished.route_id}
        if "{annas}" in path or "{other}" in path:
            names["annas"] = _session_of(furnished, "anna" if "{annas}" in path else "root")
            names["other"] = names["annas"]
        address, fields = path.format(**names), Fields()
        page = browser.get(address)
        if page.status_code == 200:
            fields.feed(page.text)
        code = _code(furnished) if "{code}" in typed.values() else ""
        before = _count(furnished)
        answer = browser.post(address, data=fields.found | {name: value.replace("{code}", code) for name, value in typed.items()})
        if _count(furnished) == before:
            silent.append((endpoint, answer.status_code, re.findall(r"class=\"error\"[^>]*>([^<]*)", answer.text)))

    assert not silent, "\n".join(map(str, silent))


def test_no_secret_stands_in_the_log(furnished: Any) -> None:
    """Passwords of mail, plugins, connections and users are masked or left out."""
    browser = furnished.client()
    browser.post(
        "/system/mail",
        data={
            "mail_host": "m.example",
            "mail_from": "a@b.example",
            "mail_port": "0",
            "mail_tls": "starttls",
            "mail_password": "hunter2hunter2",
        },
    )
    browser.post("/users/anna/applications/smpp", data={"password": "hunter2hunter2"})
    browser.post("/add/user", data={"username": "carl", "password": "hunter2hunter2", "kind": "standard", "role": "customer"})
    browser.post("/users/anna/password", data={"password": "hunter2hunter2"})

    log = browser.get("/system/audit.csv").text

    assert "user carl" in log
    assert "hunter2" not in log
    assert "enc:" not in log

"""Who may do what: one table from endpoint to roles. What is not in it is refused."""

from dataclasses import dataclass, field

from flask import Flask

from pennywire.ui import ANYONE, roles_of, writers_of

NOBODY: frozenset[str] = frozenset()
ADMINISTRATOR = frozenset({"administrator"})
OPERATOR = frozenset({"administrator", "operator"})
STAFF = frozenset({"administrator", "operator", "auditor"})
EVERYONE = frozenset({"administrator", "operator", "auditor", "customer"})
SENDERS = frozenset({"administrator", "operator", "customer"})
KEY_HOLDERS = frozenset({"administrator", "customer"})

READING = frozenset({"GET", "HEAD", "OPTIONS"})

PUBLIC = frozenset({"static", "health", "sign_in.show", "sign_in.second", "sign_in.forgot", "sign_in.reset", "setup.show"})
"""Endpoints for people who have not signed in."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The roles that may look at an endpoint, and those that may send something to it."""

    read: frozenset[str] = NOBODY
    write: frozenset[str] = NOBODY


RULES: dict[str, Rule] = {
    "home.index": Rule(EVERYONE),
    "first_run.index": Rule(ADMINISTRATOR),
    "first_run.step": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "sign_in.out": Rule(write=EVERYONE),
    "profile.password": Rule(EVERYONE, EVERYONE),
    "profile.second_factor": Rule(EVERYONE, EVERYONE),
    "profile.recovery_codes": Rule(write=EVERYONE),
    "profile.remove_factor": Rule(write=EVERYONE),
    "profile.open_sessions": Rule(EVERYONE),
    "profile.end_session": Rule(write=EVERYONE),
    "profile.end_others": Rule(write=EVERYONE),
    "signing.show": Rule(STAFF),
    "signing.end_session": Rule(write=ADMINISTRATOR),
    "signing.end_sessions": Rule(write=ADMINISTRATOR),
    "signing.remove_factor": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "signing.reset_link": Rule(write=ADMINISTRATOR),
    "messages.folder": Rule(EVERYONE),
    "messages.act": Rule(write=SENDERS),
    "message.show": Rule(EVERYONE),
    "compose.index": Rule(SENDERS, SENDERS),
    "compose.preview_form": Rule(write=SENDERS),
    "users.index": Rule(STAFF),
    "users.add": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "users.configure": Rule(STAFF, ADMINISTRATOR),
    "users.password": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "users.delete": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "users.events": Rule(STAFF),
    "applications.index": Rule(STAFF),
    "applications.configure": Rule(STAFF, ADMINISTRATOR),
    "applications.delete": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "keys.index": Rule(KEY_HOLDERS | {"auditor"}, KEY_HOLDERS),
    "keys.revoke": Rule(KEY_HOLDERS, KEY_HOLDERS),
    "credits.summary": Rule(EVERYONE),
    "credits.summary_csv": Rule(EVERYONE),
    "credits.ledger": Rule(EVERYONE),
    "credits.top_up": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "credits.settings": Rule(STAFF, ADMINISTRATOR),
    "credits.info": Rule(EVERYONE),
    "warnings.show": Rule(EVERYONE, ADMINISTRATOR),
    "warnings.suspend": Rule(write=ADMINISTRATOR),
    "approvals.of_user": Rule(STAFF),
    "approvals.index": Rule(STAFF),
    "approvals.decide": Rule(write=ADMINISTRATOR),
    "connections.index": Rule(STAFF),
    "connections.add": Rule(OPERATOR, OPERATOR),
    "connections.show": Rule(STAFF),
    "connections.switch": Rule(write=OPERATOR),
    "connections.configure": Rule(STAFF, OPERATOR),
    "connections.events": Rule(STAFF),
    "connection_test.show": Rule(OPERATOR, OPERATOR),
    "receipts.show": Rule(STAFF, OPERATOR),
    "connections.delete": Rule(OPERATOR, OPERATOR),
    "routing.table": Rule(STAFF),
    "routing.add": Rule(OPERATOR, OPERATOR),
    "routing.edit": Rule(STAFF, OPERATOR),
    "routing.move": Rule(write=OPERATOR),
    "routing.delete": Rule(OPERATOR, OPERATOR),
    "routing_test.show": Rule(STAFF, STAFF),
    "pricing.table": Rule(STAFF),
    "pricing.add": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "pricing.edit": Rule(STAFF, ADMINISTRATOR),
    "pricing.move": Rule(write=ADMINISTRATOR),
    "pricing.delete": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "reports.traffic": Rule(EVERYONE),
    "margin.report": Rule(OPERATOR),
    "margin.download": Rule(OPERATOR),
    "statements.index": Rule(STAFF),
    "statements.month_end": Rule(STAFF),
    "statements.month_end_file": Rule(STAFF),
    "statements.close": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "statements.months": Rule(EVERYONE),
    "statements.show": Rule(EVERYONE),
    "statements.items": Rule(EVERYONE),
    "statements.print_items": Rule(EVERYONE),
    "statements.file": Rule(EVERYONE),
    "system.plugins": Rule(STAFF),
    "system.switch_plugin": Rule(ADMINISTRATOR, ADMINISTRATOR),
    "plugin_page.configure": Rule(STAFF, ADMINISTRATOR),
    "system.http_api": Rule(EVERYONE),
    "system.ledger_check": Rule(STAFF),
    "audit.log": Rule(STAFF),
    "audit.file": Rule(STAFF),
    "system.settings": Rule(STAFF, ADMINISTRATOR),
    "mail.settings": Rule(STAFF, ADMINISTRATOR),
    "mail.test": Rule(write=ADMINISTRATOR),
}
"""Endpoint to roles. Testing a route and asking for a preview are sent, because a text does not belong into an address."""


WITHOUT_FACTOR = frozenset({"profile.second_factor", "sign_in.out"})
"""What is open to somebody whose role needs a second factor, and who has none yet."""


@dataclass(slots=True)
class AccessTable:
    """The table of one application: the gateway's own rules, and those of the blueprints that plugins brought."""

    rules: dict[str, Rule] = field(default_factory=lambda: dict(RULES))
    public: set[str] = field(default_factory=lambda: set(PUBLIC))

    def allows(self, role: str, endpoint: str, *, write: bool = False) -> bool:
        """Say whether a role may look at an endpoint, or send something to it."""
        rule = self.rules.get(endpoint, Rule())
        return role in (rule.write if write else rule.read)

    def open(self, endpoints: set[str]) -> None:
        """Let anybody in: these look after their callers by themselves."""
        self.public |= endpoints

    def add_plugin(self, app: Flask, endpoints: set[str]) -> set[str]:
        """Enter a plugin's views with the roles that they name; return those that anybody may call."""
        for endpoint in endpoints:
            view = app.view_functions[endpoint]
            self.rules[endpoint] = Rule(frozenset(roles_of(view)), frozenset(writers_of(view)))
        called_by_anyone = {endpoint for endpoint in endpoints if ANYONE in self.rules[endpoint].read}
        self.open(called_by_anyone)
        return called_by_anyone

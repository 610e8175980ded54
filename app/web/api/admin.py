"""The addresses of the modern API for administration, each with its methods and what they do."""

from collections.abc import Mapping
from types import MappingProxyType

from app.web.api import admin_accounts, admin_applications, admin_books, admin_connections, admin_money, admin_signing, admin_users
from app.web.api.keyed import Work

ADDRESSES: Mapping[str, tuple[str, Mapping[str, Work]]] = MappingProxyType(
    {
        "users": ("/users", {"GET": admin_users.list_users, "POST": admin_users.add_user}),
        "user": (
            "/users/<username>",
            {"GET": admin_users.show_user, "PATCH": admin_users.edit_user, "DELETE": admin_users.delete_user},
        ),
        "keys": ("/users/<username>/keys", {"GET": admin_users.list_keys, "POST": admin_users.add_key}),
        "key": ("/users/<username>/keys/<int(max=2147483647):number>", {"DELETE": admin_users.revoke_key}),
        "sessions": ("/users/<username>/sessions", {"GET": admin_signing.list_sessions, "DELETE": admin_signing.end_sessions}),
        "session": ("/users/<username>/sessions/<int(max=2147483647):number>", {"DELETE": admin_signing.end_session}),
        "second_factor": (
            "/users/<username>/second-factor",
            {"GET": admin_signing.show_factor, "DELETE": admin_signing.remove_factor},
        ),
        "reset_link": ("/users/<username>/reset-link", {"POST": admin_signing.make_link}),
        "applications": ("/applications", {"GET": admin_applications.list_applications}),
        "application_kinds": ("/application-kinds", {"GET": admin_applications.list_kinds}),
        "application": (
            "/users/<username>/applications/<kind>",
            {
                "GET": admin_applications.show_application,
                "PATCH": admin_applications.edit_application,
                "DELETE": admin_applications.delete_application,
            },
        ),
        "audit": ("/audit", {"GET": admin_signing.list_audit}),
        "connections": ("/connections", {"GET": admin_connections.list_connections}),
        "connection": ("/connections/<name>", {"GET": admin_connections.show_connection, "DELETE": admin_connections.delete}),
        "connection_start": ("/connections/<name>/start", {"POST": admin_connections.start}),
        "connection_stop": ("/connections/<name>/stop", {"POST": admin_connections.stop}),
        "accounts": ("/accounts", {"GET": admin_accounts.list_accounts}),
        "one_account": ("/accounts/<username>", {"GET": admin_accounts.show_account, "PATCH": admin_accounts.edit_account}),
        "movements": ("/accounts/<username>/movements", {"POST": admin_accounts.move}),
        "limits": ("/accounts/<username>/limits", {"GET": admin_money.show_limits}),
        "limit": (
            "/accounts/<username>/limits/<period>/<unit>",
            {"PUT": admin_money.put_limit, "DELETE": admin_money.delete_limit},
        ),
        "calendar": ("/accounts/<username>/calendar", {"PUT": admin_money.put_calendar}),
        "parent": ("/accounts/<username>/parent", {"PUT": admin_money.put_parent}),
        "suspension": (
            "/accounts/<username>/suspension",
            {"GET": admin_money.show_suspension, "PUT": admin_money.suspend, "DELETE": admin_money.release},
        ),
        "warnings": ("/accounts/<username>/warnings", {"GET": admin_money.show_warnings, "PUT": admin_money.put_warnings}),
        "allotments": ("/accounts/<username>/allotments", {"POST": admin_money.allot}),
        "statements": ("/accounts/<username>/statements", {"GET": admin_books.list_statements}),
        "statement": ("/accounts/<username>/statements/<month>", {"GET": admin_books.show_statement}),
        "proposals": ("/proposals", {"GET": admin_books.list_proposals}),
        "approve": ("/proposals/<int(max=2147483647):number>/approve", {"POST": admin_books.approve}),
        "reject": ("/proposals/<int(max=2147483647):number>/reject", {"POST": admin_books.reject}),
        "ledger_checks": ("/ledger/checks", {"GET": admin_books.list_checks, "POST": admin_books.start_check}),
        "ledger_check": ("/ledger/checks/<int(max=2147483647):number>", {"GET": admin_books.show_check}),
        "pricing_rules": ("/pricing-rules", {"GET": admin_books.list_rules}),
        "transfers": ("/accounts/<username>/transfers", {"GET": admin_accounts.list_transfers}),
    }
)
"""Name to address below `/api/v1`, and method to work."""

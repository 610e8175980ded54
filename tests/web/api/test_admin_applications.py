"""Applications of users over the modern API."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from app.models import ApplicationRow, AuditEntry
from pennywire import Application, Setting, SettingType

PATH = "/users/anna/applications/echo"


class Echo(Application):
    """A kind that needs no plugin."""

    kind = "echo"
    label = "Echo"
    description = "Says everything again."
    settings = (
        Setting("password", "Password", SettingType.SECRET, required=True, max_length=8, hashed=True),
        Setting("window", "Window", SettingType.INTEGER, default=10, minimum=1, maximum=100),
        Setting("loud", "Loud", SettingType.BOOLEAN, default=False),
    )


@pytest.fixture
def office(either: Any) -> Any:
    """An office where the kind is known."""
    either.gateway.core.plugins.applications["echo"] = Echo
    return either


@pytest.fixture
def still(calm: Any) -> Iterator[Any]:
    """An office where the kind is known and anna has no application."""
    calm.gateway.core.plugins.applications["echo"] = Echo
    yield calm
    del calm.gateway.core.plugins.applications["echo"]


def test_an_application_is_added_changed_shown_and_deleted(office: Any, refused: Any) -> None:
    made = office.call("PATCH", PATH, {"settings": {"password": "secret12", "window": 20}, "desired": "started"})
    changed = office.call("PATCH", PATH, {"settings": {"loud": True}})

    assert (made.status_code, made.json["settings"], made.json["desired"]) == (200, {**made.json["settings"], "window": 20}, "started")
    assert changed.json["settings"] == made.json["settings"] | {"loud": True}
    assert (changed.json["desired"], changed.json["state"], changed.json["waiting"], changed.json["events"]) == ("started", "down", 0, [])
    assert office.call("GET", PATH).json == changed.json
    line = {"username": "anna", "kind": "echo", "desired": "started", "state": "down", "reason": ""}
    assert office.call("GET", "/applications").json == {"applications": [line]}
    assert office.call("PATCH", PATH, {"desired": "stopped"}).json["desired"] == "stopped"
    assert office.call("DELETE", PATH).status_code == 200
    assert refused(office.call("GET", PATH), "not_found")
    assert refused(office.call("DELETE", PATH), "not_found")
    with office.gateway.core.database.read() as session:
        told = session.execute(select(AuditEntry.actor, AuditEntry.verb).where(AuditEntry.subject == "application echo of anna")).all()
    assert [tuple(row) for row in told] == [("boss", "edit")] * 3 + [("boss", "delete")]


def test_a_secret_is_neither_shown_nor_stored_nor_lost_by_its_mask(office: Any) -> None:
    shown = office.call("PATCH", PATH, {"settings": {"password": "secret12"}})
    again = office.call("PATCH", PATH, {"settings": shown.json["settings"]})

    assert "secret12" not in shown.text + again.text + office.call("GET", PATH).text
    with office.gateway.core.database.read() as session:
        stored = session.scalars(select(ApplicationRow)).one().settings["password"]
    assert stored.startswith("scrypt:")


def test_the_kinds_tell_their_settings(still: Any) -> None:
    (kind,) = still.call("GET", "/application-kinds").json["kinds"]

    assert (kind["kind"], kind["label"]) == ("echo", "Echo")
    assert [(one["name"], one["type"], one["default"]) for one in kind["settings"]][1] == ("window", "integer", 10)


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "field"),
    [
        ("GET", PATH, None, "not_found", ""),
        ("GET", "/users/nobody/applications/echo", None, "not_found", ""),
        ("PATCH", "/users/nobody/applications/echo", {"settings": {"password": "x"}}, "not_found", ""),
        ("PATCH", "/users/anna/applications/ghost", {}, "invalid_field", "kind"),
        ("PATCH", PATH, {}, "invalid_field", "password"),
        ("PATCH", PATH, {"settings": {"password": "far too long"}}, "invalid_field", "password"),
        ("PATCH", PATH, {"settings": {"password": "x", "window": 0}}, "invalid_field", "window"),
        ("PATCH", PATH, {"settings": {"password": "x", "colour": "red"}}, "invalid_field", "colour"),
        ("PATCH", PATH, {"settings": {"password": ["x"]}}, "invalid_parameter", "$.settings[...]"),
        ("PATCH", PATH, {"settings": {"password": "x"}, "desired": "perhaps"}, "invalid_parameter", "$.desired"),
        ("PATCH", PATH, {"started": True}, "invalid_parameter", ""),
        ("PUT", PATH, {}, "method_not_allowed", ""),
        ("DELETE", PATH, None, "not_found", ""),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    still: Any, refused: Any, method: str, path: str, body: Any, code: str, field: str
) -> None:
    before = still.gateway.count(AuditEntry)

    assert refused(still.call(method, path, body), code, field)

    assert (still.gateway.count(AuditEntry), still.gateway.count(ApplicationRow)) == (before, 0)

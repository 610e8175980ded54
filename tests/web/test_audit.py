"""The audit log: what is in it stays as it was written, and is found by actor, object and day."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from app import administration
from app.models import AuditEntry


def test_nobody_changes_the_audit_log(both: Any) -> None:
    both.user("anna")

    for act in (delete(AuditEntry), update(AuditEntry).values(actor="nobody")):
        with pytest.raises(DBAPIError, match="only written"), both.core.database.engine.begin() as connection:
            connection.execute(act)


def test_the_log_is_filtered_by_actor_object_and_day(site: Any, read: Any) -> None:
    site.user("anna")
    site.do(lambda session: administration.add_user(session, "ben", "", now=site.moment - timedelta(days=3), actor="olga"))
    browser = site.client()
    day = (site.moment - timedelta(days=3)).date().isoformat()

    assert "olga add user ben" in read(browser.get("/system/audit?actor=olga"))
    assert "add user anna" not in read(browser.get("/system/audit?actor=olga"))
    assert "add user ben" in read(browser.get(f"/system/audit?since={day}&until={day}"))
    assert "add user anna" not in read(browser.get(f"/system/audit?since={day}&until={day}"))
    assert browser.get("/system/audit?since=yesterday").status_code == 422
    rows = browser.get("/system/audit.csv?subject=user%20anna").text.splitlines()
    assert rows[0] == "id,at,actor,verb,subject,name,before,after"
    assert all(",root,add,user anna," in row for row in rows[1:])

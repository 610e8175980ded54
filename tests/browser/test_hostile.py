"""Ten hostile texts in every field, in a real browser: nothing of them runs, and the content security policy has nothing to report."""

import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from demonstration import PASSWORD, make_site
from sqlalchemy import select
from werkzeug.serving import make_server

from app import administration
from app.ledger import parse_credits
from app.models import ConnectionStatus
from app.web.context import parts_of

sys.path.insert(0, str(Path(__file__).parents[1] / "web"))

from hostile import TEXTS, plant

from pennywire import Direction

pytestmark = [pytest.mark.browser, pytest.mark.peers, pytest.mark.full, pytest.mark.timeout(300)]

PAGES = (
    "/",
    "/messages/sent",
    "/messages/inbox",
    "/messages/not-sent",
    "/messages/outbox",
    "/users/anna/keys",
    "/users/anna/credits/ledger",
    "/users/anna/events",
    "/users/anna/sign-in",
    "/connections/wire/events",
    "/connections/wire/receipts",
    "/system/audit",
)


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a gateway with every text in every field, and its messages."""
    app = make_site(tmp_path)
    parts = parts_of(app)
    core = parts.core
    by: dict[str, Any] = {"now": core.clock(), "actor": "root"}
    means = {"plugins": core.plugins, "vault": core.vault}

    def furnish(session: Any) -> None:
        administration.add_user(session, "root", PASSWORD, role="administrator", **by)
        administration.add_user(session, "anna", "", accounting_enabled=True, **by)
        administration.top_up(session, "anna", parse_credits("1000"), reason="Start", **by)
        administration.add_connection(session, "wire", "loopback", {}, **means, **by)
        session.flush()
        administration.set_desired(session, "wire", "started", plugins=core.plugins, **by)
        administration.save_route(session, Direction.OUTBOUND, "all", targets=("wire",), plugins=core.plugins, **by)
        administration.save_route(session, Direction.INBOUND, "answers", targets=("anna",), plugins=core.plugins, **by)
        session.flush()
        hold(session, until=by["now"] + timedelta(hours=1))

    core.database.run(furnish)
    connection = next(iter(core.snapshots.reload().connections.values()))
    planted = plant(core, parts.intake, connection, "anna")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", planted.sent
    server.shutdown()
    server.server_close()
    thread.join()
    core.close()


def hold(session: Any, *, until: datetime) -> None:
    """Let the connection be held as an engine holds it, so that messages can be claimed."""
    status = session.scalars(select(ConnectionStatus)).one()
    status.state, status.token, status.lease_until, status.engine_id = "up", 1, until, "test"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_runs_and_no_policy_is_broken(attacked: tuple[str, list[str]], visit: Any, dark: bool) -> None:
    address, messages = attacked
    page = visit(address, dark=dark).open("/sign-in")
    page.get_by_label("User name").fill("root")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(address + "/")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.add_init_script("document.addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))")

    for path in (*PAGES, *(f"/message/{number}" for number in messages)):
        page.goto(address + path, wait_until="networkidle")
        assert page.title().endswith("· Pennywire"), path
        assert page.locator("main svg[onload], main img, main script").count() == 0, path

    page.goto(address + "/messages/inbox")
    shown = page.locator("main").inner_text()
    assert TEXTS[0] in shown
    assert TEXTS[1][:80] in shown
    assert dialogs == []

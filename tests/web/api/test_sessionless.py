"""Programs have no sessions; browsers of the same application keep theirs."""

from typing import Any

import pytest
from flask import session


@pytest.fixture
def pages(gateway: Any) -> Any:
    """The application with a page that counts its visits in the session."""
    gateway.app.secret_key = "only for this test"

    def visit() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    gateway.app.add_url_rule("/visit", "visit", visit)
    gateway.app.add_url_rule("/apiary", "apiary", visit)
    gateway.app.after_request(lambda response: (session.get("visits"), response)[1])
    return gateway


@pytest.mark.parametrize("path", ["/visit", "/apiary"])
def test_a_page_keeps_its_session(pages: Any, path: str) -> None:
    assert [pages.client.get(path).text for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize("path", ["/api", "/ozeki", "/httpapi", "/api/v1/account", "/api/v1/messages/x"])
def test_a_program_gets_no_session_even_with_a_cookie(pages: Any, path: str) -> None:
    pages.client.get("/visit")

    response = pages.client.get(path)

    assert "Set-Cookie" not in response.headers
    assert pages.client.get("/visit").text == "2"

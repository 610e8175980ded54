"""Looking whether the process must end keeps no answer waiting for the database."""

from typing import Any

from sqlalchemy import event


def test_an_answer_that_needs_no_configuration_does_not_ask_the_database(site: Any) -> None:
    """While the database is away a style sheet must not wait for it, nor a refusal a second time."""
    asked: list[str] = []

    def note(_connection: Any) -> None:
        asked.append("begin")

    stranger = site.app.test_client()
    stranger.get("/sign-in")
    site.core.snapshots.monotonic = lambda: float("inf")
    event.listen(site.core.database.engine, "begin", note)
    with stranger.get("/static/app.css") as style:
        status, asked_by_style = style.status_code, list(asked)
    stranger.get("/sign-in")

    assert (status, asked_by_style) == (200, [])
    assert asked, "A page does ask, so the count can tell."

"""The first minute of a new gateway: each step works, can be left out, and never overrules what is there."""

from typing import Any

import pytest
from sqlalchemy import select

from app.models import Account, Option, Route, ServiceConnection, User


def stored(site: Any, statement: Any) -> list[Any]:
    with site.core.database.read() as session:
        return list(session.execute(statement).scalars())


def test_it_leads_through_the_steps_that_are_not_done(site: Any, read: Any) -> None:
    browser = site.client()
    assert browser.get("/welcome").location == "/welcome/country"

    browser.post("/welcome/country", data={"country_code": "36", "time_zone": "Europe/Budapest"})
    assert browser.get("/welcome").location == "/welcome/network"
    assert "go to it until you add routes" in read(browser.post("/welcome/network", follow_redirects=True))
    assert browser.get("/welcome").location == "/welcome/user"
    shown = read(browser.post("/welcome/user", data={"username": "shop", "credit": "12.5"}))
    assert browser.get("/welcome").location == "/welcome/message"

    assert {row.name: row.value["value"] for row in stored(site, select(Option))}.items() >= {
        "country_code": "36",
        "time_zone": "Europe/Budapest",
    }.items()
    (connection,) = stored(site, select(ServiceConnection))
    assert (connection.name, connection.desired) == ("loopback", "started")
    assert {(route.direction, *route.targets) for route in stored(site, select(Route))} == {("outbound", "loopback"), ("inbound", "shop")}
    (account,) = stored(site, select(Account).join(User, Account.user_id == User.id).where(User.username == "shop"))
    assert account.balance_uc == 12_500_000
    assert "not shown again" in shown
    assert "action=sendmessage&username=shop&password=" in shown


def test_the_shown_line_sends_the_first_message(site: Any, read: Any) -> None:
    browser = site.client()
    browser.post("/welcome/network")
    shown = read(browser.post("/welcome/user", data={"username": "shop", "credit": "10"}))
    query = shown.partition("/api?")[2].partition("'")[0]

    answer = site.app.test_client().get(f"/api?{query}")

    assert "<statuscode>0</statuscode>" in answer.text
    assert browser.get("/").status_code == 200


def test_the_last_step_sends_through_compose(site: Any) -> None:
    browser = site.client()
    browser.post("/welcome/network")
    browser.post("/welcome/user", data={"username": "shop", "credit": "10"})
    assert "<option>shop</option>" in browser.get("/welcome/message").text

    answer = browser.post("/compose", data={"user": "shop", "destination": "+36201234567", "text": "Hello", "form_key": "k" * 20})

    assert answer.location.startswith("/message/")


def test_routes_that_are_there_stay_as_they_are(site: Any, read: Any) -> None:
    site.connection()
    site.route()
    browser = site.client()

    said = read(browser.post("/welcome/network", follow_redirects=True))

    assert "none was changed" in said
    assert [route.targets for route in stored(site, select(Route))] == [["wire"]]


@pytest.mark.parametrize(
    ("step", "typed", "said"),
    [
        ("country", {"country_code": "0036", "time_zone": "UTC"}, "does not begin with 0"),
        ("country", {"country_code": "36", "time_zone": "Budapest"}, "Budapest"),
        ("user", {"username": "", "credit": "1"}, "User name"),
        ("user", {"username": "a b", "credit": "1"}, "letters"),
        ("user", {"username": "root", "credit": "1"}, "root"),
        ("user", {"username": "shop", "credit": "-1"}, "0 credits or more"),
        ("user", {"username": "shop", "credit": "1,5"}, "1,5"),
    ],
)
def test_a_refusal_keeps_what_was_typed_and_makes_nothing(site: Any, read: Any, step: str, typed: dict[str, str], said: str) -> None:
    before = len(stored(site, select(User)))

    answer = site.client().post(f"/welcome/{step}", data=typed)

    assert answer.status_code == 422
    assert said in read(answer)
    assert all(f'value="{value}"' in answer.text for value in typed.values() if value)
    assert len(stored(site, select(User))) == before
    assert stored(site, select(Option).where(Option.name == "country_code")) == []


def test_there_are_no_other_steps(site: Any) -> None:
    assert site.client().get("/welcome/elsewhere").status_code == 404

"""The routing tables, the form of a route, and its test."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from app import administration
from app.models import Route

BASE = {
    "name": "Hungary",
    "enabled": "on",
    "t0": "wire",
    "cost": "",
    "charge_on": "network",
    "undeliverable": "keep",
    "expired": "keep",
    "report_missing": "keep",
    "in_doubt": "refund",
    "validity": "48 h",
    "report_timeout": "72 h",
}


def routes(site: Any, direction: str = "outbound") -> list[Route]:
    with site.core.database.read() as session:
        return list(session.scalars(select(Route).where(Route.direction == direction).order_by(Route.position)))


@pytest.fixture
def wired(site: Any) -> Any:
    site.connection()
    site.connection("spare")
    site.user("anna", credit="10")
    return site


def test_a_route_with_conditions_and_a_cost_is_added(wired: Any, read: Any) -> None:
    browser = wired.client()

    answer = browser.post(
        "/routing/outbound/add",
        data=BASE
        | {
            "c0-kind": "destination_prefix",
            "c0-prefixes": "+36",
            "c1-kind": "user",
            "c1-usernames": "anna",
            "t1": "spare",
            "cost": "0.85",
            "charge_on": "handset",
            "undeliverable": "refund",
            "validity": "30 min",
            "source_rewrite": "Shop",
        },
    )

    (route,) = routes(wired)
    assert answer.headers["Location"] == "/routing/outbound"
    assert [row["kind"] for row in route.conditions] == ["destination_prefix", "user"]
    assert (route.targets, route.cost_uc, route.terms, route.validity_s, route.source_rewrite) == (
        ["wire", "spare"],
        850_000,
        "hrkkr",
        1800,
        "Shop",
    )
    assert "Recipient begins with: +36" in read(browser.get("/routing/outbound"))


def test_a_condition_is_added_and_removed_without_a_script(wired: Any) -> None:
    """Each button sends the whole form and gets it back; nothing is saved meanwhile."""
    browser = wired.client()
    typed = BASE | {"new_kind": "keyword", "action": "add_condition"}

    with_one = browser.post("/routing/outbound/add", data=typed).text
    with_two = browser.post(
        "/routing/outbound/add", data=typed | {"c0-kind": "keyword", "c0-keywords": "STOP", "new_kind": "destination_prefix"}
    ).text
    without = browser.post(
        "/routing/outbound/add",
        data=BASE
        | {"c0-kind": "keyword", "c0-keywords": "STOP", "c1-kind": "user", "c1-usernames": "anna", "action": "remove_condition.0"},
    ).text

    assert 'name="c0-keywords"' in with_one
    assert 'value="Hungary"' in with_one
    assert re.search(r'name="c0-keywords"[^>]* value="STOP"', with_two)
    assert 'name="c1-prefixes"' in with_two
    assert 'name="c0-usernames"' in without
    assert "c1-kind" not in without
    assert routes(wired) == []


def test_a_target_is_added_and_removed_without_a_script(wired: Any) -> None:
    browser = wired.client()

    more = browser.post("/routing/outbound/add", data=BASE | {"action": "add_target"}).text
    less = browser.post("/routing/outbound/add", data=BASE | {"t1": "spare", "action": "remove_target.0"}).text

    assert 'name="t1"' in more
    assert 'name="t1"' not in less
    assert re.search(r'name="t0".*?<option value="spare" selected>', less, re.DOTALL)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "Name is missing"),
        ({"t0": ""}, "Choose at least one service provider"),
        ({"t0": "nowhere"}, "There is no provider 'nowhere'"),
        ({"cost": "-1"}, "The Cost of an outbound route is not negative"),
        ({"cost": "cheap"}, "is not an amount"),
        ({"validity": "soon"}, "Write a number and a unit"),
        ({"validity": "5 s"}, "It must be from 1 min to 30 d"),
        ({"c0-kind": "destination_pattern", "c0-pattern": "("}, "is not a regular expression"),
        ({"c0-kind": "destination_prefix", "c0-prefixes": ""}, "Prefixes is missing"),
    ],
)
def test_a_refused_route_keeps_what_was_typed(wired: Any, read: Any, typed: dict[str, str], said: str) -> None:
    answer = wired.client().post("/routing/outbound/add", data=BASE | {"source_rewrite": "Keepme"} | typed)

    assert answer.status_code == 422
    assert said in read(answer)
    assert 'value="Keepme"' in answer.text
    assert routes(wired) == []


def test_what_is_behind_advanced_opens_when_it_is_refused(wired: Any) -> None:
    page = wired.client().post("/routing/outbound/add", data=BASE | {"cost": "x"}).text

    assert '<details class="more" open>' in page


def test_an_edited_route_keeps_what_was_not_touched(wired: Any) -> None:
    wired.route("old", cost_uc=1_250_000, validity_s=90, resend_in_doubt=True)
    browser = wired.client()
    page = browser.get("/routing/outbound/1").text
    fields = dict(re.findall(r'<input type="text"[^>]* name="(\w+)"[^>]*? value="([^"]*)"', page))
    ticked = dict.fromkeys(re.findall(r'<input type="checkbox"[^>]* name="(\w+)"[^>]* checked>', page), "on")
    chosen = dict(re.findall(r'<select [^>]*name="(\w+)"[^>]*>.*?<option value="([^"]*)" selected>', page))

    answer = browser.post("/routing/outbound/1", data=fields | ticked | chosen | {"t0": "wire", "name": "new"})

    (route,) = routes(wired)
    assert answer.status_code == 303
    assert (route.name, route.cost_uc, route.validity_s, route.resend_in_doubt) == ("new", 1_250_000, 90, True)


def test_an_inbound_route_may_pay_and_names_users(wired: Any) -> None:
    wired.client().post(
        "/routing/inbound/add",
        data={"name": "answers", "enabled": "on", "mode": "copy", "cost": "-0.1", "no_credit": "hold", "t0": "anna"},
    )

    (route,) = routes(wired, "inbound")
    assert (route.mode, route.cost_uc, route.no_credit, route.targets) == ("copy", -100_000, "hold", ["anna"])


def test_an_unknown_user_is_refused(wired: Any, read: Any) -> None:
    typed = {"name": "answers", "mode": "move", "no_credit": "deliver", "t0": "ghost"}

    assert "There is no user 'ghost'" in read(wired.client().post("/routing/inbound/add", data=typed))


def test_routes_move_up_and_down(wired: Any) -> None:
    first, second = wired.route("first"), wired.route("second")
    browser = wired.client()

    browser.post(f"/routing/outbound/{second}/move", data={"to": "up"})
    assert [route.name for route in routes(wired)] == ["second", "first"]
    browser.post(f"/routing/outbound/{second}/move", data={"to": "up"})
    browser.post(f"/routing/outbound/{second}/move", data={"to": "down"})
    assert [route.name for route in routes(wired)] == ["first", "second"]
    browser.post(f"/routing/outbound/{first}/move", data={"to": "elsewhere"})
    assert [route.name for route in routes(wired)] == ["first", "second"]


@pytest.mark.parametrize(
    ("to", "order"),
    [
        ("1", ["third", "first", "second"]),
        ("2", ["first", "third", "second"]),
        ("3", ["first", "second", "third"]),
        ("99", ["first", "second", "third"]),
        ("0", ["third", "first", "second"]),
        ("-1", ["first", "second", "third"]),
        ("\N{ARABIC-INDIC DIGIT ONE}", ["first", "second", "third"]),
        ("9" * 400, ["first", "second", "third"]),
    ],
)
def test_a_route_moves_to_the_place_where_it_was_dropped(wired: Any, to: str, order: list[str]) -> None:
    _first, _second, third = wired.route("first"), wired.route("second"), wired.route("third")

    wired.client().post(f"/routing/outbound/{third}/move", data={"to": to})

    assert [route.name for route in routes(wired)] == order


def test_deleting_a_route_asks_first(wired: Any, read: Any) -> None:
    number = wired.route("first")
    browser = wired.client()

    asked = read(browser.get(f"/routing/outbound/{number}/delete"))
    assert "Delete the outbound route “first”?" in asked
    assert len(routes(wired)) == 1
    browser.post(f"/routing/outbound/{number}/delete")
    assert routes(wired) == []


def test_a_route_is_only_found_in_its_own_table(wired: Any) -> None:
    number = wired.route("first")
    browser = wired.client()

    assert browser.get(f"/routing/inbound/{number}").status_code == 404
    assert browser.get("/routing/sideways").status_code == 404
    assert browser.post(f"/routing/inbound/{number}/delete").status_code == 404


def test_a_route_whose_condition_is_gone_is_shown_broken(wired: Any, read: Any) -> None:
    number = wired.route("first", conditions=[{"kind": "keyword", "settings": {"keywords": "X"}}])

    def lose_the_plugin(session: Any) -> None:
        session.get(Route, number).conditions = [{"kind": "gone", "settings": {}}]
        administration.changed(session)

    wired.do(lose_the_plugin)
    browser = wired.client()

    assert "There is no condition 'gone'" in read(browser.get("/routing/outbound"))
    assert "Saving would remove it" in read(browser.get(f"/routing/outbound/{number}"))
    assert "These rows cannot be used: first" in read(browser.get("/"))


def test_testing_a_route_shows_every_verdict(wired: Any, read: Any) -> None:
    wired.route("Austria", conditions=[{"kind": "destination_prefix", "settings": {"prefixes": "+43"}}])
    wired.route("Hungary", conditions=[{"kind": "destination_prefix", "settings": {"prefixes": "+36"}}], cost_uc=1_500_000)
    wired.route("Rest")
    typed = {"direction": "outbound", "user": "anna", "source": "", "destination": "+36201234567", "text": "Süß"}

    page = read(wired.client().post("/routing/test", data=typed))

    assert re.search(r"1 Austria does not match Recipient begins with: \+43", page)
    assert re.search(r"2 Hungary matches ", page)
    assert re.search(r"3 Rest would match, is not asked", page)
    assert "Price 1.5 Cost 1.5 of route Hungary" in page
    assert wired.messages() == []


def test_testing_says_why_nothing_would_be_sent(wired: Any, read: Any) -> None:
    wired.route("Austria", conditions=[{"kind": "destination_prefix", "settings": {"prefixes": "+43"}}])
    typed = {"direction": "outbound", "user": "anna", "destination": "+36201234567", "text": "Hi", "source": ""}
    browser = wired.client()

    assert "No outbound route matches" in read(browser.post("/routing/test", data=typed))
    refused = browser.post("/routing/test", data=typed | {"user": "ghost"})
    assert refused.status_code == 422
    assert "There is no such user" in read(refused)


def test_testing_an_incoming_message_shows_who_gets_it(wired: Any, read: Any) -> None:
    wired.route("stops", ("anna",), inward=True, mode="copy", conditions=[{"kind": "keyword", "settings": {"keywords": "STOP"}}])
    wired.route("all", ("anna",), inward=True)
    typed = {"direction": "inbound", "user": "", "connection": "wire", "source": "+36301112233", "destination": "1234", "text": "STOP it"}

    page = read(wired.client().post("/routing/test", data=typed))

    assert "Copy stops: anna" in page
    assert "Move all: anna" in page

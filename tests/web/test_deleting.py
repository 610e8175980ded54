"""Deleting users and connections in the browser: asked first, with the name to be typed, and told what stands against it."""

from datetime import timedelta
from typing import Any

import pytest

from app import administration
from app.models import ConnectionStatus


@pytest.fixture
def shop(site: Any) -> Any:
    """A site with the customer `shop`, who has 10 credits and a message that waits, and a connection."""
    site.connection()
    site.user("shop", credit="10")
    site.route()
    site.send("shop", send_at=site.moment + timedelta(hours=1))
    return site


def test_the_question_tells_what_will_happen(shop: Any, read: Any) -> None:
    page = read(shop.client().get("/users/shop/delete"))

    assert "Delete the user “shop”?" in page
    assert "1: they are cancelled, and their charge is released" in page
    assert "10: a correction brings it to 0" in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param({"confirmed": "", "reason": "x"}, "Name of the user is missing", marks=pytest.mark.full),
        ({"confirmed": "Shop", "reason": "x"}, "Type shop here, as it is written."),
        pytest.param({"confirmed": "shop", "reason": ""}, "The balance is 10 credits. Give a reason", marks=pytest.mark.full),
    ],
)
def test_a_user_is_not_deleted_by_mistake(shop: Any, read: Any, typed: dict[str, str], said: str) -> None:
    answer = shop.client().post("/users/shop/delete", data=typed)

    assert (answer.status_code, said in read(answer)) == (422, True)
    assert f'value="{typed["confirmed"]}"' in answer.text
    assert shop.core.snapshots.reload().users["shop"].active
    assert shop.messages()[0].state == "scheduled"


def test_a_deleted_user_is_out_and_his_past_can_be_read(shop: Any, read: Any) -> None:
    browser, customer = shop.client(), shop.client("shop")
    assert customer.get("/").status_code == 200

    answer = browser.post("/users/shop/delete", data={"confirmed": "shop", "reason": "Contract ended"}, follow_redirects=True)

    assert "User shop is deleted. 1 waiting messages are cancelled, 0 keys revoked." in read(answer)
    assert customer.get("/").status_code == 303
    assert shop.messages()[0].state == "cancelled"
    assert "/users/shop/configuration" not in browser.get("/users").text
    everybody = browser.get("/users?deleted=1")
    assert "/users/shop/configuration" in everybody.text
    assert "shop standard customer Credits 0 0 0 deleted" in read(everybody)
    assert "Contract ended" in read(browser.get("/users/shop/credits/ledger"))
    assert "shop" in read(browser.get("/messages/not-sent"))
    configuration = browser.get("/users/shop/configuration/general")
    assert "disabled" in configuration.text
    assert "Save" not in read(configuration)
    assert "users/shop/delete" not in configuration.text
    assert browser.get("/users/shop/delete").status_code == 404
    assert browser.post("/users/shop/configuration/general", data={"active": "on"}).status_code == 404


def test_nobody_deletes_himself(site: Any, read: Any) -> None:
    assert "Nobody can delete himself" in read(site.client().post("/users/root/delete", data={"confirmed": "root"}))


def test_a_connection_is_deleted_once_nothing_needs_it(site: Any, read: Any) -> None:
    site.connection()
    site.route()
    browser = site.client()
    assert "Delete the connection “wire”?" in read(browser.get("/connections/wire/delete"))
    started = browser.post("/connections/wire/delete", data={"confirmed": "wire"})
    assert (started.status_code, "is started. Stop it first" in read(started)) == (422, True)
    site.do(lambda session: administration.set_desired(session, "wire", "stopped", plugins=site.core.plugins, **site.by))
    site.do(_let_go)
    assert "They are: all" in read(browser.post("/connections/wire/delete", data={"confirmed": "wire"}))
    site.do(lambda session: administration.delete_route(session, 1, **site.by))

    assert "Type wire here" in read(browser.post("/connections/wire/delete", data={"confirmed": "wires"}))
    done = browser.post("/connections/wire/delete", data={"confirmed": "wire"}, follow_redirects=True)

    assert "Connection wire is deleted." in read(done)
    assert browser.get("/connections/wire").status_code == 404
    assert "/connections/wire" not in browser.get("/connections").text


def _let_go(session: Any) -> None:
    """Let the engine give its lease back."""
    connection = administration.find_connection(session, "wire")
    session.get_one(ConnectionStatus, connection.id).lease_until = None

"""Users, their configuration, keys and credits, as an operator does them."""

import re
from typing import Any

import pytest


def test_a_user_is_added_and_leads_to_his_accounting(site: Any, read: Any) -> None:
    browser = site.client()

    answer = browser.post("/add/user", data={"username": "shop", "password": "a good one", "kind": "application", "role": "customer"})

    assert answer.headers["Location"] == "/users/shop/configuration/advanced"
    view = site.core.snapshots.reload().users["shop"]
    assert (view.role, view.legacy_api_enabled, view.accounting_enabled) == ("customer", True, False)
    assert "Enable accounting for this user" in read(browser.get(answer.headers["Location"]))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"username": ""}, "User name is missing"),
        ({"username": "two words"}, "A user name has 1 to 16"),
        ({"username": "ROOT"}, "There is a user root already"),
        ({"username": "shop", "password": "short"}, "A password has 8 to 256"),
        ({"username": "shop", "role": "king"}, "Role must be one of"),
    ],
)
def test_a_refused_user_keeps_what_was_typed(site: Any, read: Any, typed: dict[str, str], said: str) -> None:
    answer = site.client().post("/add/user", data={"kind": "application", "role": "customer"} | typed)

    assert answer.status_code == 422
    assert said in read(answer)
    assert f'value="{typed["username"]}"' in answer.text
    assert '<option value="application" selected>' in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_credits_appear_once_accounting_is_on(site: Any, read: Any) -> None:
    site.user("shop")
    browser = site.client()
    assert "Credits" not in read(browser.get("/users/shop/keys"))
    assert browser.get("/users/shop/credits").status_code == 404

    browser.post(
        "/users/shop/configuration/advanced", data={"accounting_enabled": "on", "source_override_allowed": "on", "gui_enabled": "on"}
    )

    assert "Credits" in read(browser.get("/users/shop/keys"))
    assert browser.get("/users/shop/credits").status_code == 200
    assert 'href="/users/shop/credits/settings"' in browser.get("/users/shop/keys").text


def test_a_tick_that_is_taken_away_is_off(site: Any) -> None:
    site.user("shop")
    site.client().post("/users/shop/configuration/advanced", data={"gui_enabled": "on"})

    view = site.core.snapshots.reload().users["shop"]
    assert (view.gui_enabled, view.source_override_allowed) == (True, False)


@pytest.mark.parametrize(
    ("tab", "typed", "said"),
    [
        ("application", {"repeat_window_s": "x", "max_segments": "10"}, "It must be a whole number from 0 to 86400"),
        ("application", {"repeat_window_s": "0", "max_segments": "256"}, "It must be a whole number from 1 to 255"),
        ("general", {"kind": "standard", "role": "customer", "country_code": "036"}, "Country calling code"),
        ("general", {"kind": "standard", "role": "customer"}, "This is the only administrator"),
    ],
)
def test_a_refused_configuration_says_why(site: Any, read: Any, tab: str, typed: dict[str, str], said: str) -> None:
    answer = site.client().post(f"/users/root/configuration/{tab}", data=typed)

    assert answer.status_code == 422
    assert said in read(answer)


def test_a_key_is_shown_once_and_works_until_it_is_revoked(site: Any, read: Any) -> None:
    site.user("shop")
    browser = site.client("shop")

    made = browser.post("/users/shop/keys", data={"label": "Server", "account": "on"})
    (key,) = re.findall(r'<code id="made">(pw_[\w-]+)</code>', made.text)
    program = site.app.test_client()
    bearer = {"Authorization": f"Bearer {key}"}

    assert program.get("/api/v1/account", headers=bearer).status_code == 200
    assert key not in browser.get("/users/shop/keys").text
    assert "Revoke “Server”" in read(browser.get("/users/shop/keys/1/revoke"))
    assert program.get("/api/v1/account", headers=bearer).status_code == 200
    browser.post("/users/shop/keys/1/revoke")
    assert program.get("/api/v1/account", headers=bearer).status_code == 401
    assert browser.get("/users/shop/keys/1/revoke").status_code == 404


def test_a_key_opens_what_was_ticked(site: Any, read: Any) -> None:
    site.user("shop")
    browser = site.client()

    nothing = browser.post("/users/shop/keys", data={"label": "Server"})
    browser.post("/users/shop/keys", data={"label": "Server", "read": "on", "admin": "on"})

    assert "A key opens one or several of" in read(nothing)
    assert nothing.status_code == 422
    assert [set(key.scopes) for key in site.core.snapshots.reload().keys.values()] == [{"read"}]
    assert 'name="admin"' not in nothing.text
    assert 'name="admin"' in browser.get("/users/root/keys").text


def test_a_key_needs_a_label(site: Any, read: Any) -> None:
    assert "Label is missing" in read(site.client().post("/users/root/keys", data={"label": " "}))


def test_credit_is_topped_up_with_a_reason(site: Any, read: Any) -> None:
    site.user("shop", credit="1")
    browser = site.client()

    browser.post("/users/shop/credits/top-up", data={"amount": "12.50", "reason": "Invoice paid", "reference": "INV-7"})

    page = read(browser.get("/users/shop/credits/ledger"))
    assert site.account("shop").balance_uc == 13_500_000
    assert "+12.5" in page
    assert "Invoice paid INV-7 root" in page


def test_a_negative_amount_is_a_correction(site: Any, read: Any) -> None:
    site.user("shop", credit="5")

    site.client().post("/users/shop/credits/top-up", data={"amount": "-2", "reason": "Entered twice"})

    assert site.account("shop").balance_uc == 3_000_000
    assert "Correction -2 3" in read(site.client().get("/users/shop/credits/ledger"))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"amount": "12,50", "reason": "x"}, "is not an amount"),
        ({"amount": "0", "reason": "x"}, "would change nothing"),
        ({"amount": "1e3", "reason": "x"}, "is not an amount"),
        ({"amount": "5", "reason": ""}, "Reason is missing"),
        ({"amount": "", "reason": "x"}, "Amount is missing"),
    ],
)
def test_a_refused_top_up_moves_nothing_and_keeps_what_was_typed(site: Any, read: Any, typed: dict[str, str], said: str) -> None:
    site.user("shop", credit="5")

    answer = site.client().post("/users/shop/credits/top-up", data=typed)

    assert answer.status_code == 422
    assert said in read(answer)
    assert f'value="{typed["amount"]}"' in answer.text
    assert site.account("shop").balance_uc == 5_000_000


def test_a_new_password_ends_the_users_sessions(site: Any) -> None:
    site.user("shop")
    session = site.client("shop")

    site.client().post("/users/shop/password", data={"password": "a fresh password"})

    assert session.get("/").status_code == 303


def test_users_are_found_and_paged(site: Any, read: Any) -> None:
    for number in range(52):
        site.user(f"user{number:02}")
    browser = site.client()
    first = browser.get("/users")

    assert "user48" in read(first).partition("Type Role")[2]
    assert "/users?after=user48" in first.text
    assert "user51" in read(browser.get("/users?after=user48")).partition("Type Role")[2]
    assert read(browser.get("/users?search=SER50")).partition("Type Role")[2].count("user") == 1


def test_events_of_a_user_name_his_messages_and_changes(busy: Any, read: Any) -> None:
    page = read(busy.client().get("/users/anna/events"))

    assert "delivered" in page
    assert "add user anna" in page

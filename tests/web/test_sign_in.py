"""Signing in and out, the one-time set-up link, and how sessions end."""

from datetime import timedelta
from typing import Any

import pytest

from app import administration

PASSWORD = "a fine password"
IDLE, ABSOLUTE = timedelta(minutes=30), timedelta(hours=12)


@pytest.fixture
def link(site: Any) -> str:
    """The address of a fresh set-up link, on a gateway without an administrator."""

    def work(session: Any) -> str:
        administration.find_user(session, "root").role = "operator"
        session.flush()
        token = administration.make_setup_link(session, now=site.moment)
        assert token is not None
        return token

    return f"/setup/{site.do(work)}"


def sign_in(browser: Any, name: str, password: str = PASSWORD) -> Any:
    return browser.post("/sign-in", data={"username": name, "password": password})


def test_a_wrong_password_keeps_the_name_and_signs_nobody_in(site: Any, read: Any) -> None:
    browser = site.app.test_client()

    answer = sign_in(browser, "root", "wrong")

    assert answer.status_code == 401
    assert 'value="root"' in answer.text
    assert "The user name or the password is wrong" in read(answer)
    assert "wrong" not in answer.text.partition("<form")[2].partition('type="password"')[2][:200]
    assert browser.get("/").status_code == 303


def test_too_many_failures_have_to_wait(site: Any, read: Any) -> None:
    browser = site.app.test_client()
    answers = [sign_in(browser, "root", "wrong") for _ in range(6)]

    assert answers[-1].status_code == 429
    assert "Try again in" in read(answers[-1])
    assert sign_in(browser, "root").status_code == 429


@pytest.mark.parametrize(("change", "status"), [({"gui_enabled": False}, 403), ({"active": False}, 403)])
def test_who_may_not_use_the_browser_stays_outside(site: Any, change: dict[str, Any], status: int) -> None:
    site.user("app")
    site.do(lambda session: administration.edit_user(session, "app", **change, **site.by))
    browser = site.app.test_client()

    assert sign_in(browser, "app").status_code == status
    assert browser.get("/").status_code == 303


def test_signing_in_leads_to_the_page_that_was_wanted(site: Any) -> None:
    browser = site.app.test_client()
    browser.get("/users/root/configuration/advanced")

    assert sign_in(browser, "root").headers["Location"] == "/users/root/configuration/advanced"


def test_no_address_from_outside_is_followed(site: Any) -> None:
    browser = site.app.test_client()

    answer = browser.post("/sign-in?next=https://evil.example", data={"username": "root", "password": PASSWORD, "next": "//evil.example"})

    assert answer.headers["Location"] == "/"


def test_a_page_that_the_user_may_not_see_is_not_gone_to(site: Any) -> None:
    site.user("anna")
    browser = site.app.test_client()
    browser.get("/system/audit")

    assert sign_in(browser, "anna").headers["Location"] == "/"


def test_signing_in_begins_a_new_session(site: Any) -> None:
    """What was planted in the session before is gone, and the anti-forgery token is another one."""
    browser = site.app.test_client()
    with browser.session_transaction() as session:
        session.update(planted="x", csrf_token="known")

    sign_in(browser, "root")

    with browser.session_transaction() as session:
        assert "planted" not in session
        assert session.get("csrf_token") != "known"


def test_signing_out_ends_the_session(site: Any) -> None:
    browser = site.client()

    assert browser.post("/sign-out").status_code == 303
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(("after", "alive"), [(IDLE - timedelta(seconds=1), True), (IDLE + timedelta(seconds=1), False)])
def test_a_session_ends_without_activity(site: Any, after: timedelta, alive: bool) -> None:
    browser = site.client()
    site.moment += after

    assert (browser.get("/").status_code == 200) is alive


def test_a_session_ends_after_twelve_hours_of_work(site: Any, read: Any) -> None:
    browser, begin = site.client(), site.moment
    while site.moment - begin < ABSOLUTE:
        assert browser.get("/").status_code == 200
        site.moment += timedelta(minutes=20)

    site.moment += timedelta(seconds=1)

    assert browser.get("/").status_code == 303
    assert "12 hours" in read(browser.get("/sign-in"))


def test_a_page_that_asks_by_itself_does_not_keep_the_session(site: Any) -> None:
    browser = site.client()
    for _ in range(4):
        site.moment += timedelta(minutes=10)
        last = browser.get("/", headers={"HX-Request": "true"})

    assert last.status_code == 401
    assert last.headers["HX-Redirect"] == "/sign-in"


@pytest.mark.parametrize("change", [{"active": False}, {"role": "operator"}, {"gui_enabled": False}])
def test_a_session_ends_when_the_users_rights_change(site: Any, read: Any, change: dict[str, Any]) -> None:
    site.user("anna", role="auditor")
    browser = site.client("anna")
    assert browser.get("/").status_code == 200

    site.do(lambda session: administration.edit_user(session, "anna", **change, **site.by))

    assert browser.get("/").status_code == 303
    assert "your rights changed" in read(browser.get("/sign-in"))


def test_a_new_password_ends_every_other_session(site: Any) -> None:
    first, second = site.client(), site.client()

    answer = first.post("/profile/password", data={"present": PASSWORD, "password": "another one 1", "repeated": "another one 1"})

    assert answer.status_code == 303
    assert first.get("/").status_code == 200
    assert second.get("/").status_code == 303
    assert sign_in(site.app.test_client(), "root", "another one 1").headers["Location"] == "/"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"present": "wrong", "password": "long enough", "repeated": "long enough"}, "The user name or the password is wrong"),
        ({"present": PASSWORD, "password": "long enough", "repeated": "other"}, "The two passwords differ"),
        ({"present": PASSWORD, "password": "short", "repeated": "short"}, "A password has 8 to 256 characters"),
        ({"present": "", "password": "", "repeated": ""}, "Present password is missing"),
    ],
)
def test_a_password_that_cannot_be_is_refused(site: Any, read: Any, typed: dict[str, str], said: str) -> None:
    answer = site.client().post("/profile/password", data=typed)

    assert answer.status_code == 422
    assert said in read(answer)


def test_the_setup_link_makes_the_administrator_and_signs_him_in(site: Any, link: str) -> None:
    browser = site.app.test_client()
    assert browser.get(link).status_code == 200

    answer = browser.post(link, data={"username": "boss", "password": "first password", "repeated": "first password"})

    assert answer.headers["Location"] == "/welcome"
    assert browser.get("/system/audit").status_code == 200
    assert site.core.snapshots.reload().users["boss"].role == "administrator"


def test_the_setup_link_works_once(site: Any, link: str, read: Any) -> None:
    typed = {"username": "boss", "password": "first password", "repeated": "first password"}
    site.app.test_client().post(link, data=typed)

    again = site.app.test_client().post(link, data=typed | {"username": "thief"})

    assert again.status_code == 404
    assert "This link is over" in read(again)
    assert "thief" not in site.core.snapshots.reload().users


def test_the_setup_link_grows_old(site: Any, link: str) -> None:
    site.moment += timedelta(hours=25)

    assert site.app.test_client().get(link).status_code == 404


def test_an_invented_link_opens_nothing(site: Any) -> None:
    assert site.app.test_client().get("/setup/abcdefghijklmnop").status_code == 404


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"username": "a b", "password": "long enough", "repeated": "long enough"}, "A user name has 1 to 16"),
        ({"username": "boss", "password": "long enough", "repeated": "long enouth"}, "The two passwords differ"),
        ({"username": "boss", "password": "short", "repeated": "short"}, "A password has 8 to 256 characters"),
    ],
)
def test_a_refused_setup_keeps_the_name_and_the_link(site: Any, link: str, read: Any, typed: dict[str, str], said: str) -> None:
    browser = site.app.test_client()

    answer = browser.post(link, data=typed)

    assert answer.status_code == 422
    assert said in read(answer)
    assert f'value="{typed["username"]}"' in answer.text
    assert browser.get(link).status_code == 200


@pytest.mark.usefixtures("link")
def test_the_sign_in_of_a_new_gateway_points_to_the_link(site: Any, read: Any) -> None:
    assert "Open the set-up link" in read(site.app.test_client().get("/sign-in"))

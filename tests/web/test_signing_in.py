"""The second factor, links for a new password, and sessions that are listed and ended."""

import re
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from sqlalchemy import select

from app import administration
from app.models import BrowserSession, RecoveryCode, SecondFactor

PASSWORD = "a fine password"


def sign_in(browser: Any, name: str, password: str = PASSWORD) -> Any:
    return browser.post("/sign-in", data={"username": name, "password": password})


def app_of(site: Any) -> Any:
    """Return the authenticator app of the user `root`, which has scanned the square."""
    page = site.client().get("/profile/second-factor").text
    (secret,) = re.findall(r'<code class="mono">([A-Z2-7 ]+)</code>', page)
    return pyotp.TOTP(secret.replace(" ", ""))


@pytest.fixture
def app(site: Any) -> Any:
    """The app of `root`, whose second factor is on; the next code is fresh."""
    made = app_of(site)
    site.codes = re.findall(
        r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", site.client().post("/profile/second-factor", data={"code": made.at(site.moment)}).text
    )
    site.moment += timedelta(seconds=30)
    return made


def second(browser: Any, code: str) -> Any:
    return browser.post("/sign-in/code", data={"code": code})


def test_the_square_is_drawn_in_the_page_and_the_secret_is_stored_encrypted(site: Any) -> None:
    browser = site.client()
    page = browser.get("/profile/second-factor").text

    assert '<svg width="' in page
    assert "style=" not in page
    (secret,) = re.findall(r'<code class="mono">([A-Z2-7 ]+)</code>', page)
    with site.core.database.read() as session:
        (row,) = session.scalars(select(SecondFactor))
    assert row.settings["secret"].startswith("enc:")
    assert secret.replace(" ", "") not in str(row.settings)
    assert secret in browser.get("/profile/second-factor").text


def test_a_wrong_first_code_turns_nothing_on(site: Any, read: Any) -> None:
    right = app_of(site).at(site.moment)
    answer = site.client().post("/profile/second-factor", data={"code": f"{(int(right) + 1) % 1_000_000:06}"})

    assert answer.status_code == 422
    assert "The code is wrong" in read(answer)
    assert not site.core.snapshots.reload().users["root"].second_factor


def test_the_password_alone_opens_nothing(site: Any, app: Any, read: Any) -> None:
    browser = site.app.test_client()
    answer = sign_in(browser, "root")

    assert answer.headers["Location"] == "/sign-in/code"
    assert browser.get("/users").status_code == 303
    assert "One more step, root" in read(browser.get("/sign-in/code"))
    assert second(browser, app.at(site.moment)).headers["Location"] == "/users"
    assert browser.get("/users").status_code == 200


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_the_clock_of_a_phone_may_be_half_a_minute_wrong(site: Any, app: Any, steps: int) -> None:
    site.moment += timedelta(minutes=5)
    browser = site.app.test_client()
    sign_in(browser, "root")

    assert second(browser, app.at(site.moment + timedelta(seconds=30 * steps))).status_code == 303
    assert browser.get("/").status_code == 200


def test_a_code_is_taken_once_and_no_earlier_one_after_it(site: Any, app: Any) -> None:
    first, again = site.app.test_client(), site.app.test_client()
    sign_in(first, "root")
    sign_in(again, "root")
    used = app.at(site.moment)

    assert second(first, used).status_code == 303
    assert second(again, used).status_code == 401
    assert second(again, app.at(site.moment - timedelta(seconds=30))).status_code == 401


def test_wrong_codes_have_to_wait_from_every_address(site: Any, app: Any) -> None:
    for number in range(5):
        browser = site.app.test_client()
        browser.post("/sign-in", data={"username": "root", "password": PASSWORD}, environ_base={"REMOTE_ADDR": f"192.0.2.{number}"})
        browser.post("/sign-in/code", data={"code": "000000"}, environ_base={"REMOTE_ADDR": f"192.0.2.{number}"})
    browser = site.app.test_client()
    sign_in(browser, "root")

    assert second(browser, app.at(site.moment)).status_code == 429
    site.moment += timedelta(seconds=30)
    assert second(browser, app.at(site.moment)).status_code == 303


def test_halfway_does_not_last(site: Any, app: Any) -> None:
    browser = site.app.test_client()
    sign_in(browser, "root")
    site.moment += timedelta(minutes=5, seconds=1)

    assert second(browser, app.at(site.moment)).headers["Location"] == "/sign-in"
    assert browser.get("/").status_code == 303


@pytest.mark.usefixtures("app")
def test_a_recovery_code_opens_once(site: Any, read: Any) -> None:
    assert len(set(site.codes)) == 10
    for expected in (303, 401):
        browser = site.app.test_client()
        sign_in(browser, "root")
        assert second(browser, site.codes[3].upper().replace("-", " ")).status_code == expected
    with site.core.database.read() as session:
        stored = [row.digest for row in session.scalars(select(RecoveryCode))]

    assert not set(site.codes) & set(stored)
    assert "9 recovery codes are left" in read(site.client().get("/profile/second-factor"))


def test_fresh_recovery_codes_make_the_old_ones_worthless(site: Any, app: Any) -> None:
    page = site.client().post("/profile/second-factor/codes", data={"code": app.at(site.moment)}).text
    fresh = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", page)
    browser = site.app.test_client()
    sign_in(browser, "root")

    assert len(fresh) == 10
    assert second(browser, site.codes[0]).status_code == 401
    assert second(browser, fresh[0]).status_code == 303


def test_turning_it_off_asks_for_a_code(site: Any, app: Any) -> None:
    browser = site.client()

    assert browser.post("/profile/second-factor/remove", data={"code": "123456"}).status_code == 422
    assert site.core.snapshots.reload().users["root"].second_factor
    browser.post("/profile/second-factor/remove", data={"code": app.at(site.moment)})
    assert not site.core.snapshots.reload().users["root"].second_factor
    assert browser.get("/").status_code == 200


def test_a_role_that_needs_one_is_led_to_it_and_to_nothing_else(site: Any, read: Any) -> None:
    site.do(lambda session: administration.set_gateway_options(session, {"second_factor_roles": "administrator"}, **site.by))
    browser = site.client()

    assert browser.get("/users").headers["Location"] == "/profile/second-factor"
    assert browser.post("/add/user", data={"username": "sneak"}).headers["Location"] == "/profile/second-factor"
    assert browser.get("/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/profile/second-factor"
    assert "Your role needs a second factor" in read(browser.get("/profile/second-factor"))
    browser.post("/profile/second-factor", data={"code": app_of(site).at(site.moment)})
    assert browser.get("/users").status_code == 200
    site.moment += timedelta(seconds=30)
    answer = browser.post("/profile/second-factor/remove", data={"code": "123456"})
    assert "so it stays on" in read(answer)


@pytest.mark.usefixtures("app")
def test_an_administrator_takes_it_away_by_typing_the_name(site: Any) -> None:
    site.user("boss", role="administrator")
    browser, own = site.client("boss"), site.client()

    assert browser.post("/users/root/sign-in/second-factor", data={"confirmed": "toor"}).status_code == 422
    assert browser.post("/users/root/sign-in/second-factor", data={"confirmed": "root"}).status_code == 303
    assert own.get("/").status_code == 303
    assert sign_in(site.app.test_client(), "root").headers["Location"] == "/"


# Sessions.


def test_sessions_are_listed_and_ended_by_their_user(site: Any, read: Any) -> None:
    here, there = site.client(), site.client()
    page = here.get("/profile/sessions")
    assert "Firefox on Linux this one" in read(page)

    (number,) = re.findall(r"/profile/sessions/(\d+)/end", page.text)
    here.post(f"/profile/sessions/{number}/end")

    assert there.get("/").status_code == 303
    assert "this session was ended" in read(there.get("/sign-in"))
    assert here.get("/").status_code == 200


def test_nobody_ends_a_session_of_another(site: Any) -> None:
    site.user("anna")
    browser = site.client()
    with site.core.database.read() as session:
        number = session.scalars(select(BrowserSession.id)).one()

    assert site.client("anna").post(f"/profile/sessions/{number}/end").status_code == 404
    assert browser.get("/").status_code == 200


def test_an_administrator_ends_the_sessions_of_a_user(site: Any, read: Any) -> None:
    site.user("anna")
    own, administrator = site.client("anna"), site.client()
    assert "Firefox on Linux" in read(administrator.get("/users/anna/sign-in"))

    administrator.post("/users/anna/sign-in/sessions/end")

    assert own.get("/").status_code == 303
    assert "Nobody is signed in" in read(administrator.get("/users/anna/sign-in"))


def test_a_copied_cookie_is_worthless_after_signing_out(site: Any) -> None:
    browser, copy = site.client(), site.app.test_client()
    cookie = browser.get_cookie("pennywire")
    copy.set_cookie("pennywire", cookie.value)
    assert copy.get("/").status_code == 200

    browser.post("/sign-out")

    assert copy.get("/").status_code == 303


def test_a_new_password_ends_the_other_sessions(site: Any) -> None:
    here, there = site.client(), site.client()
    new = {"present": PASSWORD, "password": "another fine one", "repeated": "another fine one"}

    here.post("/profile/password", data=new)

    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 303


def test_the_ends_of_sessions_are_settings(site: Any, read: Any) -> None:
    site.do(lambda session: administration.set_gateway_options(session, {"session_idle_min": "5", "session_life_h": "1"}, **site.by))
    idle, busy = site.client(), site.client()
    for _ in range(15):
        site.moment += timedelta(minutes=4)
        assert busy.get("/").status_code == 200
    site.moment += timedelta(minutes=1)

    assert idle.get("/").status_code == 303
    assert "after 5 minutes without activity" not in read(idle.get("/sign-in"))
    assert busy.get("/").status_code == 303
    assert "a session lasts 1 hours at most" in read(busy.get("/sign-in"))


@pytest.mark.usefixtures("app")
def test_a_link_does_not_replace_the_second_factor(site: Any) -> None:
    site.user("boss", role="administrator")
    page = site.client("boss").post("/users/root/sign-in/reset-link").text
    (token,) = re.findall(r"/reset/([A-Za-z0-9_-]{43})<", page)
    browser = site.app.test_client()
    browser.post(f"/reset/{token}", data={"password": "quite another one", "repeated": "quite another one"})

    assert sign_in(browser, "root", "quite another one").headers["Location"] == "/sign-in/code"

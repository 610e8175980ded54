"""Links that set a new password once: by an administrator, and by mail for who forgot it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import administration
from app.config import Settings
from app.mailing import Mail
from app.models import OneTimeLink
from app.web import post

PASSWORD = "a fine password"


def sign_in(browser: Any, name: str, password: str = PASSWORD) -> Any:
    return browser.post("/sign-in", data={"username": name, "password": password})


def link_of(site: Any, name: str = "anna") -> str:
    page = site.client().post(f"/users/{name}/sign-in/reset-link").text
    (token,) = re.findall(r"/reset/([A-Za-z0-9_-]{43})<", page)
    return f"/reset/{token}"


def set_password(browser: Any, link: str, password: str = "quite another one") -> Any:
    return browser.post(link, data={"password": password, "repeated": password})


def test_a_link_sets_a_password_once_and_ends_every_session(site: Any, read: Any) -> None:
    site.user("anna")
    link, open_one = link_of(site), site.client("anna")
    browser = site.app.test_client()
    assert "A new password for anna" in read(browser.get(link))

    assert set_password(browser, link).headers["Location"] == "/sign-in"

    assert open_one.get("/").status_code == 303
    assert set_password(browser, link, "a thief's password").status_code == 404
    assert sign_in(browser, "anna", "quite another one").headers["Location"] == "/"
    with site.core.database.read() as session:
        (row,) = session.scalars(select(OneTimeLink))
    assert row.digest not in link


def test_a_password_that_cannot_be_leaves_the_link_as_it_is(site: Any) -> None:
    site.user("anna")
    link = link_of(site)

    assert set_password(site.app.test_client(), link, "short").status_code == 422
    assert set_password(site.app.test_client(), link).status_code == 303


def test_a_link_grows_old_and_dies_with_the_next(site: Any) -> None:
    site.user("anna")
    first, last = link_of(site), link_of(site)

    assert site.app.test_client().get(first).status_code == 404
    assert site.app.test_client().get(last).status_code == 200
    site.moment += timedelta(hours=24, seconds=1)
    assert site.app.test_client().get(last).status_code == 404


def test_no_link_for_somebody_who_may_not_sign_in(site: Any, read: Any) -> None:
    site.user("shop", gui_enabled=False)

    answer = site.client().post("/users/shop/sign-in/reset-link")

    assert answer.status_code == 422
    assert "may not sign in by browser" in read(answer)


@pytest.fixture
def mailed(site: Any, monkeypatch: pytest.MonkeyPatch) -> list[Mail]:
    """The mails that left. The user anna has an address, and the gateway a name and a mail server."""
    site.user("anna", email="Anna@shop.example")
    site.do(
        lambda session: administration.set_mail(
            session, {"mail_host": "mail.example", "mail_from": "sms@pennywire.example"}, vault=site.core.vault, **site.by
        )
    )
    object.__setattr__(site.core.settings, "hosts", "localhost")
    assert isinstance(site.core.settings, Settings)
    sent: list[Mail] = []
    monkeypatch.setattr(post, "send", lambda _server, mail: sent.append(mail))
    return sent


def words(page: str) -> str:
    return re.sub(r"<[^>]*>", " ", page)


def forget(site: Any, name: str) -> str:
    """Say that the password is forgotten, wait for what goes on beside the answer, and return the answer's words."""
    browser = site.app.test_client()
    threads: list[Any] = []
    begin = post.send_reset_link
    post.send_reset_link = lambda *given, **named: threads.append(begin(*given, **named))  # type: ignore[assignment]
    try:
        answer = browser.post("/forgot-password", data={"name": name})
    finally:
        post.send_reset_link = begin
    for thread in threads:
        thread.join()
    assert answer.status_code == 303
    return words(browser.get("/sign-in").text)


def test_who_forgot_the_password_gets_a_link_by_mail(site: Any, mailed: list[Mail]) -> None:
    forget(site, " anna@SHOP.example ")

    (mail,) = mailed
    assert mail.address == "Anna@shop.example"
    (link,) = re.findall(r"http://localhost(/reset/\S+)", mail.text)
    assert site.app.test_client().get(link).status_code == 200
    site.moment += timedelta(hours=1, seconds=1)
    assert site.app.test_client().get(link).status_code == 404


def test_the_answer_is_the_same_for_everybody(site: Any, mailed: list[Mail]) -> None:
    site.user("ben")

    answers = {forget(site, name) for name in ("anna", "ben", "nobody", "' OR 1=1", "x" * 5000, "\x00")}

    assert len(answers) == 1
    assert len(mailed) == 1


def test_an_address_that_asks_too_often_gets_the_same_answer_and_no_mail(site: Any, mailed: list[Mail]) -> None:
    for number in range(12):
        site.user(f"user{number}", email=f"user{number}@shop.example")

    assert len({forget(site, f"user{number}") for number in range(12)}) == 1

    assert len(mailed) == 10


def test_a_mailbox_is_not_filled_and_a_fresh_link_not_killed(site: Any, mailed: list[Mail]) -> None:
    for _ in range(6):
        forget(site, "anna")
        site.moment += timedelta(minutes=1)

    assert len(mailed) == 2
    (link,) = re.findall(r"http://localhost(/reset/\S+)", mailed[-1].text)
    assert site.app.test_client().get(link).status_code == 200


def test_without_mail_the_page_says_whom_to_ask(site: Any, read: Any) -> None:
    browser = site.app.test_client()

    assert "Ask an administrator" in read(browser.get("/forgot-password"))
    assert browser.post("/forgot-password", data={"name": "root"}).status_code == 200

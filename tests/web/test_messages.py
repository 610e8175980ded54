"""Folders, the message page, and composing."""

import re
from datetime import timedelta
from typing import Any

import pytest

from app import administration
from app.identifiers import public_id
from pennywire import ReportState


def rows(page: Any) -> list[str]:
    """Return the public ids of the messages on a page of a folder."""
    return re.findall(r'<tr id="m-(\w{13})"', page.text)


@pytest.mark.parametrize(
    ("folder", "texts"),
    [
        ("inbox", ["Yes"]),
        ("outbox", ["Waiting"]),
        ("sent", ["Delivered"]),
        ("not-sent", ["Refused"]),
        ("scheduled", ["Later"]),
        ("deleted", []),
    ],
)
def test_each_folder_holds_its_messages(busy: Any, folder: str, texts: list[str]) -> None:
    shown = rows(busy.client().get(f"/messages/{folder}"))

    by_id = {public_id(message.id): message.text for message in busy.messages()}
    assert [by_id[number] for number in shown] == texts


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("user=anna", 1),
        ("user=ghost", 0),
        ("number=%2B3620", 1),
        ("number=%2B49", 0),
        ("state=delivered", 1),
        ("state=sent", 0),
        ("number=%25", 0),
        ("before=1", 0),
        ("before=x", 1),
        ("before=99999999999999999999999", 1),
    ],
)
def test_a_folder_is_filtered(busy: Any, query: str, count: int) -> None:
    page = busy.client().get(f"/messages/sent?{query}")

    assert page.status_code == 200
    assert len(rows(page)) == count


def test_a_folder_is_paged_by_what_stood_last(site: Any) -> None:
    site.connection()
    site.user("anna")
    site.route()
    sent = [site.send(text=str(number)) for number in range(60)]
    browser = site.client()
    first = browser.get("/messages/outbox")
    (older,) = re.findall(r'href="(/messages/outbox\?before=\d+)"', first.text)

    second = browser.get(older)

    assert rows(first) + rows(second) == sent[::-1]
    assert 'hx-trigger="every 2s"' in first.text
    assert 'hx-trigger="every 2s"' not in second.text


def test_live_rows_are_sent_when_something_changed(busy: Any) -> None:
    browser, asked = busy.client(), {"HX-Request": "true"}
    first = browser.get("/messages/outbox", headers=asked)
    again = browser.get("/messages/outbox", headers=asked | {"If-None-Match": first.headers["ETag"]})

    busy.work()
    after = browser.get("/messages/outbox", headers=asked | {"If-None-Match": first.headers["ETag"]})

    assert first.text.lstrip().startswith("<tbody")
    assert (again.status_code, again.data) == (304, b"")
    assert (after.status_code, rows(after)) == (200, [])


def test_a_folder_that_is_not_one_is_not_found(site: Any) -> None:
    assert site.client().get("/messages/spam").status_code == 404


def test_ticked_messages_are_cancelled_and_their_credit_returns(busy: Any, read: Any) -> None:
    browser = busy.client("anna")
    (waiting,) = rows(browser.get("/messages/outbox"))
    reserved = busy.account("anna").reserved_uc

    answer = browser.post("/messages", data={"action": "cancel", "folder": "outbox", "message": [waiting]})

    assert answer.headers["Location"] == "/messages/outbox"
    assert "1 message cancelled." in read(browser.get("/messages/not-sent"))
    assert reserved - busy.account("anna").reserved_uc == 1_500_000


def test_what_has_left_is_not_cancelled(busy: Any, read: Any) -> None:
    browser = busy.client()
    (sent,) = rows(browser.get("/messages/sent"))

    browser.post("/messages", data={"action": "cancel", "folder": "sent", "message": [sent]})

    assert "0 messages cancelled. 1 could not be" in read(browser.get("/messages/sent"))


def test_deleted_messages_are_kept_in_their_folder(busy: Any) -> None:
    browser = busy.client()
    (sent,) = rows(browser.get("/messages/sent"))

    browser.post("/messages", data={"action": "delete", "folder": "sent", "message": [sent, "not-an-id"], "user": "anna"})

    assert rows(browser.get("/messages/sent")) == []
    assert rows(browser.get("/messages/deleted")) == [sent]


def test_the_message_page_tells_the_whole_story(site: Any, read: Any) -> None:
    site.connection()
    site.user("anna", credit="10")
    site.route("Hungary", cost_uc=850_000, conditions=[{"kind": "destination_prefix", "settings": {"prefixes": "+36"}}])
    number = site.send(text="ő" * 100, client_reference="order-1")
    site.work(report=ReportState.DELIVERED)

    page = read(site.client().get(f"/message/{number}"))

    for told in (
        "2 segments, UCS-2",
        "Hungary: Recipient begins with: +36",
        "Cost 0.85 of route Hungary",
        "order-1",
        "stat:delivered",
        "Charge 1.7",
        "Settlement 1.7",
        "queued",
        "sending",
        "delivered",
        "wire",
    ):
        assert told in page


def test_a_refused_message_shows_why_and_that_the_credit_came_back(busy: Any, read: Any) -> None:
    (number,) = rows(busy.client().get("/messages/not-sent"))
    page = read(busy.client().get(f"/message/{number}"))

    assert "Invalid destination address (0x0000000B)" in page
    assert "Release 1.5" in page


def test_a_customer_does_not_see_who_carries_his_messages(busy: Any, read: Any) -> None:
    (number,) = rows(busy.client("anna").get("/messages/sent"))
    page = read(busy.client("anna").get(f"/message/{number}"))

    assert "delivered" in page
    assert "wire" not in page.replace("Pennywire", "")


def test_a_message_that_is_done_is_not_asked_for_again(busy: Any) -> None:
    browser = busy.client()
    (done,), (waiting,) = rows(browser.get("/messages/sent")), rows(browser.get("/messages/outbox"))

    assert "hx-trigger" not in browser.get(f"/message/{done}").text.partition('id="live"')[2][:300]
    assert "hx-trigger" in browser.get(f"/message/{waiting}").text.partition('id="live"')[2][:300]


@pytest.mark.parametrize("number", ["0000000000000", "zz", "UUUUUUUUUUUUU"])
def test_a_message_that_is_not_there_is_not_found(site: Any, number: str) -> None:
    assert site.client().get(f"/message/{number}").status_code == 404


# Composing.

SENT = {"user": "anna", "source": "", "destination": "+36201234567", "text": "Hello", "form_key": "k" * 24}


@pytest.fixture
def ready(site: Any) -> Any:
    site.connection()
    site.user("anna", credit="4")
    site.route(cost_uc=1_500_000)
    return site


def test_a_composed_message_is_accepted_and_followed(ready: Any) -> None:
    browser = ready.client()

    answer = browser.post("/compose", data=SENT)

    (message,) = ready.messages()
    assert answer.headers["Location"] == f"/message/{public_id(message.id)}"
    assert (message.text, message.entrance, message.price_uc) == ("Hello", "ui", 1_500_000)


def test_an_impatient_click_sends_once(ready: Any) -> None:
    browser = ready.client()
    answers = [browser.post("/compose", data=SENT) for _ in range(3)]

    assert len(ready.messages()) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_the_same_form_with_another_text_is_another_message(ready: Any) -> None:
    browser = ready.client()
    browser.post("/compose", data=SENT)
    browser.post("/compose", data=SENT | {"text": "Other"})

    assert len(ready.messages()) == 2


def test_a_browsers_line_ends_cost_one_character(ready: Any) -> None:
    ready.client().post("/compose", data=SENT | {"text": "a\r\nb"})

    assert ready.messages()[0].text == "a\nb"


def test_several_recipients_may_be_half_accepted(ready: Any, read: Any) -> None:
    """What was accepted leaves the form, so that sending the rest does not send it twice."""
    answer = ready.client().post("/compose", data=SENT | {"destination": "+36201234567, nonsense; +36301234567\n+36701234567"})
    page = read(answer)
    left = re.search(r"<textarea [^>]*name=\"destination\"[^>]*>\n?([^<]*)</textarea>", answer.text)

    assert answer.status_code == 422
    assert len(ready.messages()) == 2
    assert "2 accepted" in page
    assert left is not None
    assert left[1].split() == ["nonsense", "+36701234567"]
    assert "The message costs 1.5 and the account's credit does not suffice" in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"destination": ""}, "Give at least one recipient"),
        ({"user": "ghost"}, "There is no such user"),
        ({"text": ""}, "The text is empty"),
        ({"source": "x" * 17}, "The sender takes 17 characters"),
        ({"send_at": "tomorrow"}, "This is not a time"),
        ({"destination": "\n".join(["+36201234567"] * 1001)}, "at most 1000"),
        ({"client_reference": "x" * 97}, "at most 96"),
    ],
)
def test_a_refused_message_keeps_what_was_typed_and_costs_nothing(ready: Any, read: Any, typed: dict[str, str], said: str) -> None:
    answer = ready.client().post("/compose", data=SENT | {"text": "Keep this"} | typed)

    assert answer.status_code == 422
    assert said in read(answer)
    assert typed.get("text", "Keep this") in answer.text
    assert ready.messages() == []
    assert ready.account("anna").reserved_uc == 0


def test_a_limit_that_is_reached_is_said_on_the_page_and_costs_nothing(ready: Any, read: Any) -> None:
    ready.do(lambda session: administration.set_limit(session, "anna", "month", "segments", 0, **ready.by))

    answer = ready.client().post("/compose", data=SENT | {"text": "Keep this"})

    assert answer.status_code == 422
    assert "The account may send 0 segments a month; 0 are used, and this message has 1." in read(answer)
    assert "Keep this" in answer.text
    assert ready.messages() == []


def test_what_a_reseller_paid_is_shown_to_operators_and_not_to_his_customer(ready: Any, read: Any) -> None:
    ready.user("boss", credit="10")
    ready.do(lambda session: administration.set_parent(session, "anna", "boss", mode="shared", **ready.by))
    public = ready.send()

    seen = {name: read(ready.client(name).get(f"/message/{public}")) for name in ("root", "anna")}

    assert seen["root"].count("account above") == 1
    assert "account above" not in seen["anna"]
    assert seen["root"].count("Charge") == seen["anna"].count("Charge") + 1


def test_what_is_wrong_with_every_recipient_is_said_once_beside_its_field(ready: Any, read: Any) -> None:
    answer = ready.client().post("/compose", data=SENT | {"source": "x" * 17, "destination": "+36201234567, +36301234567"})

    assert re.search(r'name="source"[^>]*aria-invalid="true"', answer.text)
    assert 'id="f-source-error"' in answer.text
    assert "Nothing of these was sent" not in read(answer)


def test_a_message_for_later_is_scheduled(ready: Any) -> None:
    later = ready.moment + timedelta(hours=3)

    ready.client().post("/compose", data=SENT | {"send_at": later.strftime("%Y-%m-%dT%H:%M")})

    (message,) = ready.messages()
    assert message.state == "scheduled"
    assert message.send_at == later.replace(second=0, microsecond=0)


def test_the_preview_counts_and_prices_and_keeps_nothing(ready: Any, read: Any) -> None:
    page = read(ready.client().post("/compose/preview", data=SENT | {"text": "a" * 161, "destination": "+36201234567\n+36301234567"}))

    assert "Segments 2" in page
    assert "GSM 7-bit" in page
    assert "Price 6 for 2 recipients" in page
    assert ready.messages() == []


def test_the_preview_counts_before_there_is_a_recipient(ready: Any, read: Any) -> None:
    page = read(ready.client().post("/compose/preview", data=SENT | {"destination": "", "text": "a" * 150}))

    assert "Segments 1 10 left in the last" in page
    assert "once there is a recipient" in page


def test_the_preview_sums_what_each_recipient_costs(ready: Any, read: Any) -> None:
    """Recipients may take different routes; one that would be refused is said and not summed."""
    austria = [{"kind": "destination_prefix", "settings": {"prefixes": "+43"}}]
    number = ready.route("Austria", conditions=austria, cost_uc=250_000)
    ready.do(lambda session: administration.move_route(session, number, 0, **ready.by))

    page = read(ready.client().post("/compose/preview", data=SENT | {"destination": "+36201234567, +436601234567, nonsense"}))

    assert "Price 1.75 for 2 recipients" in page
    assert "1 of 3 would be refused" in page


def test_the_preview_names_the_character_that_forces_ucs2(ready: Any, read: Any) -> None:
    page = read(ready.client().post("/compose/preview", data=SENT | {"text": "It’s here"}))

    assert "The character “’” at position 3 is not in GSM 7-bit" in page
    assert "Use plain characters instead" in page


def test_plain_characters_replace_typography_when_asked(ready: Any) -> None:
    answer = ready.client().post("/compose", data=SENT | {"text": "It’s here", "action": "simplify"})

    assert "It&#39;s here" in answer.text
    assert ready.messages() == []


def test_the_preview_says_why_it_would_be_refused(ready: Any, read: Any) -> None:
    ready.do(lambda session: administration.delete_route(session, 1, **ready.by))

    assert "No outbound route matches" in read(ready.client().post("/compose/preview", data=SENT))


def test_without_a_script_a_button_shows_the_preview(ready: Any, read: Any) -> None:
    answer = ready.client().post("/compose", data=SENT | {"action": "look"})

    assert "Segments 1" in read(answer)
    assert ready.messages() == []

"""Pages of a gateway that has been used: they fit a phone, they say nothing to the console, they follow what happens."""

from typing import Any

import pytest
from demonstration import PASSWORD
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PAGES = (
    "/",
    "/messages/sent",
    "/compose",
    "/users",
    "/users/clinic/configuration/advanced",
    "/users/clinic/credits",
    "/users/clinic/keys",
    "/users/clinic/events",
    "/connections",
    "/connections/north-smsc",
    "/add/connection?kind=smpp",
    "/routing/outbound",
    "/routing/outbound/1",
    "/routing/test",
    "/reports/traffic",
    "/system/plugins",
    "/system/http-api",
    "/system/ledger-check?run=1",
    "/system/audit",
)


def sign_in(visitor: Any, name: str = "admin") -> Any:
    page = visitor.open("/sign-in")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    return page


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_pages_fit_their_window_and_complain_of_nothing(demonstration: Any, visit: Any, width: int, dark: bool) -> None:
    """Wide tables scroll inside their own frame; the page itself never does."""
    address, made = demonstration
    visitor = visit(address, width=width, dark=dark)
    sign_in(visitor)
    wide = []
    for path in (*PAGES, f"/message/{made.delivered_long_message()}"):
        page = visitor.open(path)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(path)

    assert wide == []


def test_the_menu_of_a_phone_opens_and_closes(demonstration: Any, visit: Any) -> None:
    page = sign_in(visit(demonstration[0], width=390))
    inbox = page.get_by_role("link", name="Inbox")

    expect(inbox).not_to_be_visible()
    page.get_by_role("link", name="Menu", exact=True).click()
    expect(inbox).to_be_visible()
    page.get_by_role("link", name="Close the menu").click()
    expect(inbox).not_to_be_visible()


def test_an_open_branch_of_the_menu_stays_open(demonstration: Any, visit: Any) -> None:
    page = sign_in(visit(demonstration[0]))
    branch = page.locator('details[data-key="system"]')
    assert not branch.evaluate("branch => branch.open")

    branch.locator("summary").click()
    expect(page.get_by_role("link", name="Audit log")).to_be_visible()
    page.get_by_role("link", name="Traffic").or_(page.get_by_role("link", name="Inbox")).first.click()

    expect(page.get_by_role("link", name="Audit log")).to_be_visible()


def test_times_are_shown_in_the_viewers_zone_with_utc_in_the_title(demonstration: Any, browser: Any) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    page.goto(demonstration[0] + "/sign-in")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(demonstration[0] + "/messages/sent")
    moment = page.locator("#rows time").first

    utc_hour = int(moment.get_attribute("title").split()[1][:2])
    shown_hour = int(moment.inner_text().rpartition(" ")[2][:2])

    assert shown_hour == (utc_hour + 9) % 24
    context.close()


def test_rows_arrive_by_themselves_and_a_tick_stays(demonstration: Any, visit: Any) -> None:
    """Live rows are merged into the table: what the operator ticked meanwhile stays ticked."""
    address, made = demonstration
    page = sign_in(visit(address))
    page.goto(address + "/messages/outbox")
    rows = page.locator("#rows tr")
    before = rows.count()
    ticked = rows.last.locator("input")
    ticked.check()

    made.send_one("+36205550000")

    expect(rows).to_have_count(before + 1)
    expect(ticked).to_be_checked()


def test_what_has_not_changed_is_not_sent_again(demonstration: Any, visit: Any) -> None:
    address, _made = demonstration
    page = sign_in(visit(address))
    with page.expect_response(lambda answer: answer.url.endswith("/messages/deleted") and answer.status == 304):
        page.goto(address + "/messages/deleted")


def test_the_slash_goes_to_the_search(demonstration: Any, visit: Any) -> None:
    address, _made = demonstration
    page = sign_in(visit(address))
    page.goto(address + "/messages/sent")

    page.keyboard.press("/")

    expect(page.get_by_label("Number")).to_be_focused()


def test_a_condition_is_added_where_the_form_is(demonstration: Any, visit: Any) -> None:
    """With the script nothing is loaded anew: what was typed and where the operator looks stay as they are."""
    address, _made = demonstration
    page = sign_in(visit(address))
    page.goto(address + "/routing/outbound/add")
    page.evaluate("window.kept = true")
    page.get_by_label("Name", exact=True).fill("Night")
    page.get_by_label("Kind of condition").select_option("keyword")

    page.get_by_role("button", name="Add condition").click()

    page.get_by_label("Keywords").fill("STOP")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Night")
    assert page.evaluate("window.kept") is True
    page.get_by_role("button", name="Remove the condition Keyword").click()
    expect(page.get_by_label("Keywords")).to_have_count(0)

"""What a keyboard and a pointer do beyond the links: shortcuts, their list, and rows that are dragged."""

from typing import Any

import pytest
from demonstration import PASSWORD
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture
def page(demonstration: Any, visit: Any) -> Any:
    opened = visit(demonstration[0]).open("/sign-in")
    opened.get_by_label("User name").fill("admin")
    opened.get_by_label("Password", exact=True).fill(PASSWORD)
    opened.get_by_role("button", name="Sign in").click()
    expect(opened.get_by_role("heading", level=1)).to_have_text("Dashboard")
    return opened


def heading(page: Any) -> Any:
    return page.get_by_role("heading", level=1)


def test_the_question_mark_shows_all_shortcuts_and_their_keys_lead_there(page: Any) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()

    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(heading(page)).to_have_text("Outbound routing")
    page.keyboard.press("c")
    expect(heading(page)).to_have_text("Compose")


def test_shortcuts_can_be_turned_off(page: Any) -> None:
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_label("Single keys are shortcuts in this browser").uncheck()
    page.get_by_role("button", name="Close").click()

    page.keyboard.press("c")
    page.keyboard.press("?")

    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(heading(page)).to_have_text("Dashboard")


def test_a_route_is_dragged_to_its_place_and_moved_back_by_key(page: Any, demonstration: Any) -> None:
    page.goto(demonstration[0] + "/routing/outbound")
    names = page.locator("#ordered tbody tr td:nth-child(2)")
    before = names.all_inner_texts()
    first = page.locator("#ordered tbody tr").first

    first.locator(".handle").drag_to(page.locator("#ordered tbody tr").last, target_position={"x": 200, "y": 30})

    expect(names).to_have_text([*before[1:], before[0]])
    expect(page.locator("#ordered tbody tr td:first-child")).to_have_text(["1", "2", "3"])
    up = page.get_by_role("button", name=f"Move {before[0]} up")
    up.focus()
    page.keyboard.press("Enter")
    expect(names).to_have_text([before[1], before[0], *before[2:]])
    expect(up).to_be_focused()
    page.keyboard.press("Enter")
    expect(names).to_have_text(before)
    page.reload()
    expect(names).to_have_text(before)

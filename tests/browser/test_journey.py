"""What a new operator does in his first ten minutes, in a real browser, with the real processes behind it."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PASSWORD = "correct horse battery"


def field(page: Any, label: str) -> Any:
    """Return the control of the page's forms that has this label."""
    return page.locator("#content").get_by_label(label, exact=True)


def set_up(visitor: Any, link: str) -> None:
    page = visitor.page
    page.goto(link)
    field(page, "User name").fill("boss")
    field(page, "Password").fill(PASSWORD)
    field(page, "Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create and sign in").click()
    expect(page.get_by_text("You are the administrator of this gateway")).to_be_visible()


def add_customer(page: Any) -> None:
    page.get_by_role("link", name="Add user").first.click()
    field(page, "User name").fill("shop")
    field(page, "Password").fill(PASSWORD)
    field(page, "Type").select_option("application")
    page.get_by_role("button", name="Add user").click()
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_text("Credits")).to_have_count(0)
    field(page, "Enable accounting for this user").check()
    page.get_by_role("button", name="Save").click()
    expect(menu.get_by_text("Credits")).to_have_count(1)
    page.get_by_role("link", name="Top up").click()
    field(page, "Amount").fill("10")
    field(page, "Reason").fill("First invoice")
    page.get_by_role("button", name="Move credit").click()
    expect(page.get_by_text("topped up by 10")).to_be_visible()


def add_connection(page: Any) -> None:
    page.get_by_role("link", name="Add connection").first.click()
    page.get_by_role("link", name="Loopback").click()
    field(page, "Name").fill("north")
    page.get_by_role("button", name="Add connection").click()
    page.get_by_role("button", name="Start").click()
    # The light is live: nobody reloads this page.
    expect(page.locator("#live .state.good")).to_have_text("up")


def add_route(page: Any) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Outbound").click()
    page.get_by_role("link", name="Add route").first.click()
    field(page, "Name").fill("Hungary")
    field(page, "Kind of condition").select_option("destination_prefix")
    page.get_by_role("button", name="Add condition").click()
    field(page, "Prefixes").fill("+36")
    field(page, "Service provider 1").select_option("north")
    page.get_by_text("Advanced: Cost").click()
    field(page, "Cost").fill("0.85")
    page.get_by_role("button", name="Save route").click()
    expect(page.get_by_text("Route Hungary is added")).to_be_visible()
    expect(page.get_by_role("cell", name="Recipient begins with: +36")).to_be_visible()


def test_a_new_operator_sends_a_message_and_watches_the_credit_go(gateway: dict[str, str], visit: Any) -> None:
    visitor = visit(gateway["address"])
    page = visitor.page
    set_up(visitor, gateway["setup_link"])
    add_customer(page)
    add_connection(page)
    add_route(page)

    page.get_by_role("link", name="Compose").first.click()
    field(page, "In the name of").fill("shop")
    field(page, "Recipients").fill("+36201234567")
    field(page, "Text").fill("It’s on its way, and it is longer than one segment of seventy characters takes.")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("UCS-2")
    expect(preview).to_contain_text("1.7")
    expect(preview).to_contain_text("The character “’” at position 3")
    page.get_by_role("button", name="Use plain characters instead").click()
    expect(page.locator("#preview")).to_contain_text("GSM 7-bit")
    expect(field(page, "Text")).to_have_value(re.compile("^It's on its way"))
    page.get_by_role("button", name="Send").click()

    # Its page follows the message until the report is there.
    expect(page.locator("#live")).to_contain_text("Settlement")
    expect(page.locator("#live .steps > .good")).to_contain_text("delivered")
    expect(page.locator("#live")).to_contain_text("Cost 0.85 of route Hungary")
    page.goto(gateway["address"] + "/users/shop/credits")
    expect(page.locator("#balance")).to_contain_text("9.15")
    page.goto(gateway["address"] + "/system/ledger-check?run=1")
    expect(page.get_by_role("status")).to_contain_text("and matches")


def test_a_customer_signs_in_sends_and_makes_a_key(gateway: dict[str, str], visit: Any) -> None:
    operator = visit(gateway["address"])
    set_up(operator, gateway["setup_link"])
    add_customer(operator.page)
    add_connection(operator.page)
    add_route(operator.page)
    page = visit(gateway["address"]).open("/")

    field(page, "User name").fill("shop")
    field(page, "Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#live")).to_contain_text("Available credit")
    expect(page.get_by_text("Routing")).to_have_count(0)
    page.get_by_role("link", name="Compose").first.click()
    field(page, "Recipients").fill("+36301234567")
    field(page, "Text").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#live .steps > .good")).to_contain_text("delivered")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="API keys").click()
    field(page, "Label").fill("Server")
    page.get_by_role("button", name="Make key").click()
    expect(page.locator("#made")).to_have_text(re.compile("^pw_"))


def test_the_first_minute_and_the_first_call(gateway: dict[str, str], visit: Any) -> None:
    """Four steps after the set-up link the first message is delivered; the key that was shown opens the API."""
    visitor = visit(gateway["address"])
    page = visitor.page
    set_up(visitor, gateway["setup_link"])
    field(page, "Home country's calling code").fill("36")
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_role("button", name="Use the loopback network").click()
    field(page, "User name").fill("shop")
    page.get_by_role("button", name="Add the user").click()
    key = page.locator("dd").filter(has_text=re.compile("^pw_")).inner_text()
    page.get_by_role("link", name="Go on").click()
    page.get_by_role("button", name="Send it").click()
    expect(page.locator("#live .steps > .good")).to_contain_text("delivered")

    visitor.open("/system/http-api?user=shop&language=Python")
    page.get_by_label("API key").fill(key)
    page.get_by_label("Recipient").fill("06 30 123 4567")
    page.get_by_role("button", name="Call").click()
    expect(page.locator("output")).to_contain_text("HTTP 200")
    expect(page.locator("output")).to_contain_text('"destination": "+36301234567"')
    expect(page.locator("output")).to_contain_text('"available": "99"')


def test_everything_essential_works_without_a_script(gateway: dict[str, str], visit: Any) -> None:
    visitor = visit(gateway["address"], script=False)
    page = visitor.page
    set_up(visitor, gateway["setup_link"])
    add_customer(page)
    page.get_by_role("link", name="Add connection").first.click()
    page.get_by_role("link", name="Loopback").click()
    field(page, "Name").fill("north")
    page.get_by_role("button", name="Add connection").click()
    page.get_by_role("button", name="Start").click()
    add_route(page)

    page.get_by_role("link", name="Compose").first.click()
    field(page, "In the name of").fill("shop")
    field(page, "Recipients").fill("+36201234567")
    field(page, "Text").fill("Hello")
    page.get_by_role("button", name="Look").click()
    expect(page.locator("#preview")).to_contain_text("0.85")
    page.get_by_role("button", name="Send").click()

    expect(page.get_by_text("The message is accepted")).to_be_visible()

"""The pages of price lists and pricing rules, and price lists for programs."""

import io
from datetime import timedelta
from typing import Any

import pytest

from app import administration

BASE = "/plugins/tariff"
PRICES = "prefix;price;name\n36;3;Hungary\n3620;3.2;\n*;9;\n"


@pytest.fixture
def shop(site: Any) -> Any:
    """A site with a customer, a route, and the rule that asks the lists."""
    site.connection()
    site.user("anna", credit="100")
    site.route(cost_uc=2_000_000)
    site.do(lambda session: administration.save_rule(session, "lists", kind="tariff", plugins=site.core.plugins, **site.by))
    return site


def upload(browser: Any, text: str | bytes, name: str = "Retail", **form: str) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    return browser.post(f"{BASE}/lists/{name}/import", data={"file": (io.BytesIO(data), "prices.csv"), **form})


def price_of(shop: Any, destination: str = "+36201234567") -> Any:
    shop.send(destination=destination)
    return shop.messages()[-1].price_uc


def test_a_list_is_added_imported_previewed_activated_assigned_and_rolled_back(shop: Any, read: Any) -> None:
    browser = shop.client()
    shop.send()
    assert browser.post(f"{BASE}/add", data={"name": "Retail", "currency": "EUR"}).location.endswith("/lists/Retail")
    assert upload(browser, PRICES).location.endswith("/lists/Retail/1")
    month = f"{shop.moment:%Y-%m}"

    preview = read(browser.get(f"{BASE}/lists/Retail/1/preview?month={month}"))
    activated = browser.post(f"{BASE}/lists/Retail/1/activate", data={"at": ""})
    browser.post(f"{BASE}/lists/Retail/assign", data={"kind": "default", "holder": ""})

    assert "Added 3 Removed 0" in preview
    assert activated.status_code == 303
    assert price_of(shop) == 3_200_000
    page = read(browser.get(f"{BASE}/lists/Retail"))
    assert "active" in page
    assert "Everybody without a list of his own" in page
    assert "anna 2 2 5.2 6.4 +1.2 0" in read(browser.get(f"{BASE}/lists/Retail/1/preview?month={month}"))
    assert "prefix 3620" in read(browser.get(f"{BASE}/look-up?number=%2B36201234567&user=anna"))
    shop.moment += timedelta(seconds=1)
    upload(browser, "*;7")
    browser.post(f"{BASE}/lists/Retail/2/activate")
    assert price_of(shop) == 7_000_000
    shop.moment += timedelta(seconds=1)
    browser.post(f"{BASE}/lists/Retail/rollback")
    assert price_of(shop) == 3_200_000


def test_a_file_with_wrong_lines_is_answered_by_their_numbers(shop: Any, read: Any) -> None:
    browser = shop.client()
    browser.post(f"{BASE}/add", data={"name": "Retail"})

    answer = upload(browser, "prefix;price\n36;-1\nx;1\n999;1\n")

    page = read(answer)
    assert answer.status_code == 422
    assert "Nothing is kept: 2 of 3 lines are wrong" in page
    assert "2 wrong The price -1 is negative" in page
    assert "4 look at it No numbering plan knows the prefix 999." in page
    assert "No version yet" in read(browser.get(f"{BASE}/lists/Retail"))


def test_a_form_that_is_refused_keeps_what_was_typed(shop: Any, read: Any) -> None:
    browser = shop.client()
    browser.post(f"{BASE}/add", data={"name": "Retail"})

    answer = browser.post(f"{BASE}/add", data={"name": "Retail", "currency": "EUR"})

    assert answer.status_code == 422
    assert "There is a price list Retail already" in read(answer)
    assert 'value="EUR"' in answer.text


def test_prices_are_added_by_hand_searched_and_exported(shop: Any, read: Any) -> None:
    browser = shop.client()
    browser.post(f"{BASE}/add", data={"name": "Retail"})
    browser.post(f"{BASE}/lists/Retail/copy")
    entry = {"key": "3620", "price": "0.05", "effective": "2026-04-01", "end": "2026-04-30", "name": "Yettel <b>"}
    browser.post(f"{BASE}/lists/Retail/1", data=entry)
    wrong = browser.post(f"{BASE}/lists/Retail/1", data=entry | {"key": "0620"})

    page = browser.get(f"{BASE}/lists/Retail/1?search=yett")

    assert (wrong.status_code, "is not a prefix" in read(wrong)) == (422, True)
    assert "+3620 Yettel <b> 0.05 2026-04-01 2026-04-30" in read(page)
    assert "<b>" not in page.text.partition("+3620")[2].partition("0.05")[0]
    assert "No price fits" in read(browser.get(f"{BASE}/lists/Retail/1?search=49"))
    exported = browser.get(f"{BASE}/lists/Retail/1/export.csv")
    assert '3620;;;0.05;2026-04-01;2026-04-30;"Yettel <b>"' in exported.text
    assert exported.mimetype == "text/csv"


def test_staff_may_look_and_only_administrators_may_change(shop: Any) -> None:
    shop.user("udo", role="auditor")
    shop.client().post(f"{BASE}/add", data={"name": "Retail"})
    browser, customer = shop.client("udo"), shop.client("anna")

    assert browser.get(f"{BASE}/lists/Retail").status_code == 200
    assert browser.post(f"{BASE}/lists/Retail/copy").status_code == 403
    assert browser.post(f"{BASE}/add", data={"name": "Mine"}).status_code == 403
    assert [customer.get(f"{BASE}{path}").status_code for path in ("/", "/lists/Retail", "/look-up")] == [403] * 3
    assert "Price lists" not in customer.get("/").text


@pytest.mark.parametrize("path", ["/lists/None", "/lists/None/import", "/lists/Retail/9/export.csv"])
def test_what_is_not_there_is_not_found(shop: Any, path: str) -> None:
    browser = shop.client()
    browser.post(f"{BASE}/add", data={"name": "Retail"})

    assert browser.get(BASE + path).status_code == 404


@pytest.mark.parametrize("path", ["/look-up?number=abc", "/look-up?number=36&at=tomorrow", "/lists/Retail/1/preview?month=13"])
def test_what_cannot_be_read_in_an_address_is_said_beside_its_field(shop: Any, path: str) -> None:
    browser = shop.client()
    browser.post(f"{BASE}/add", data={"name": "Retail"})
    upload(browser, PRICES)

    answer = browser.get(BASE + path)

    assert answer.status_code == 422
    assert 'class="error"' in answer.text


# Programs.


@pytest.fixture
def program(shop: Any) -> Any:
    """Return a caller with an administrator's key."""
    key = shop.do(lambda session: administration.add_key(session, "root", "program", scopes={"admin"}, **shop.by))
    return caller(shop, key)


def caller(shop: Any, key: Any) -> Any:
    browser = shop.app.test_client()

    def call(method: str, path: str, **values: Any) -> Any:
        return browser.open(f"{BASE}/api{path}", method=method, headers={"Authorization": f"Bearer {key}"}, **values)

    return call


def test_programs_do_with_a_key_what_people_do(shop: Any, program: Any) -> None:
    program("POST", "/lists", json={"name": "Retail"})
    made = program("POST", "/lists/Retail/versions", data=PRICES)
    program("POST", "/lists/Retail/activations", json={"version": 1})
    program("POST", "/lists/Retail/assignments", json={"kind": "user", "name": "anna"})

    assert (made.status_code, made.json["version"], made.json["entry_count"]) == (201, 1, 3)
    assert price_of(shop) == 3_200_000
    assert program("GET", "/lists").json["lists"][0] | {"x": 0} == {
        "name": "Retail",
        "side": "sell",
        "direction": "outbound",
        "currency": "",
        "provider": "",
        "active_version": 1,
        "version_count": 1,
        "assigned_to": ["user anna"],
        "x": 0,
    }
    assert program("GET", "/look-up?number=%2B36301234567&user=anna").json["price"] == "3"
    page = program("GET", "/lists/Retail/versions/1/entries?limit=1").json
    assert [row["key"] for row in page["entries"]] == ["+36"]
    assert [row["key"] for row in program("GET", f"/lists/Retail/versions/1/entries?after={page['next']}").json["entries"]] == [
        "+3620",
        "default",
    ]
    month = program("GET", f"/lists/Retail/versions/1/month?month={shop.moment:%Y-%m}").json
    assert (month["total"]["was"], month["total"]["would"]) == ("3.2", "3.2")


def test_programs_are_refused_in_their_own_terms(shop: Any, program: Any) -> None:
    program("POST", "/lists", json={"name": "Retail"})
    wrong = program("POST", "/lists/Retail/versions", data="36;-1")

    assert (wrong.status_code, wrong.json["errors"][0]["line"]) == (422, 1)
    missing = program("GET", "/lists/None")
    assert (missing.status_code, missing.json["code"], missing.mimetype) == (404, "not_found", "application/problem+json")
    assert program("GET", "/lists/a%00b").status_code == 404
    twice = program("POST", "/lists", json={"name": "Retail"})
    assert (twice.json["code"], twice.json["field"]) == ("invalid_field", "name")
    assert program("POST", "/lists", json={"name": "x", "colour": "red"}).json["field"] == "colour"
    assert caller(shop, "pw_wrong")("GET", "/lists").status_code == 401
    other = shop.do(lambda session: administration.add_key(session, "anna", "hers", **shop.by))
    assert caller(shop, other)("GET", "/lists").status_code == 403
    assert shop.client().get(f"{BASE}/api/lists").status_code == 401


def test_price_lists_are_found_where_programs_look_for_them(shop: Any) -> None:
    key = shop.do(lambda session: administration.add_key(session, "root", "program", scopes={"admin"}, **shop.by))
    browser, headers = shop.app.test_client(), {"Authorization": f"Bearer {key}"}
    made = browser.post("/api/v1/tariff/lists", json={"name": "Retail"}, headers=headers)
    wrong = browser.put("/api/v1/tariff/lists", json={}, headers=headers)

    assert made.json["name"] == "Retail"
    assert browser.get("/api/v1/tariff/lists/Retail", headers=headers).json["versions"] == []
    assert (wrong.status_code, wrong.json["code"], wrong.headers["Allow"]) == (405, "method_not_allowed", "GET, POST")
    assert browser.get("/api/v1/tariff/lists").status_code == 401
    assert browser.get("/api/v1/tariff/nothing", headers=headers).json["code"] == "not_found"
    read_only = shop.do(lambda session: administration.add_key(session, "root", "reader", scopes={"read"}, **shop.by))
    assert browser.get("/api/v1/tariff/lists", headers={"X-API-Key": read_only}).status_code == 403


@pytest.mark.parametrize(
    "price", ["-1", "9223372036854775808", "1e309", "NaN", "1,5", "１", "0.0000000001", "true", "[1]", "0x10", "Infinity", ""]
)
def test_a_price_that_cannot_be_is_refused_on_every_way_in(shop: Any, program: Any, price: str) -> None:
    program("POST", "/lists", json={"name": "Retail"})
    browser = shop.client()
    browser.post(f"{BASE}/lists/Retail/copy", data={})
    form = browser.post(f"{BASE}/lists/Retail/1", data={"key": "36", "price": price})
    file = program("POST", "/lists/Retail/versions", data=f'prefix;price\n43;1\n36;"{price}"\n'.encode())

    assert (form.status_code, 'class="error"' in form.text) == (422, True)
    assert (file.status_code, [item["line"] for item in file.json["errors"]]) == (422, [3])
    assert program("GET", "/lists/Retail/versions/1/entries").json["entries"] == []


# Pricing rules.


def test_a_pricing_rule_is_added_moved_switched_off_and_deleted(site: Any, read: Any) -> None:
    browser = site.client()
    for name in ("First", "Second"):
        browser.post("/routing/pricing/add/tariff", data={"rule_name": name, "unpriced": "next", "rule_enabled": "on"})
    browser.post("/routing/pricing/2/move", data={"to": "up"})
    moved = read(browser.get("/routing/pricing"))
    browser.post("/routing/pricing/1", data={"rule_name": "Off", "unpriced": "refuse"})

    assert "1 Second Price lists" in moved
    assert "2 First Price lists" in moved
    assert [name for name, _rule in site.core.snapshots.reload().rules] == ["Second"]
    browser.post("/routing/pricing/1/delete")
    assert "/routing/pricing/1" not in browser.get("/routing/pricing").text


def test_a_pricing_rule_that_cannot_be_is_refused_and_keeps_what_was_typed(site: Any, read: Any) -> None:
    browser = site.client()
    browser.post("/routing/pricing/add/tariff", data={"rule_name": "Lists", "unpriced": "next", "rule_enabled": "on"})

    answer = browser.post("/routing/pricing/add/tariff", data={"rule_name": "Lists", "unpriced": "next", "rule_enabled": "on"})

    assert answer.status_code == 422
    assert "There is a pricing rule Lists already" in read(answer)
    assert browser.get("/routing/pricing/add/pigeon").status_code == 404

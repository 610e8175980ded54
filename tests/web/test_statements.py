"""Statements in the browser: all accounts, one account, files, closing."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest

from app import ledger

Site = Any
NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)


@pytest.fixture
def shop(site: Site) -> Site:
    """Anna came in March with 100 credits, sent to two countries, and was topped up with an awkward reason."""
    site.connection()  # Leases are measured by the database's clock.
    site.moment = datetime(2026, 3, 30, 12, tzinfo=UTC)
    site.route(cost_uc=2_000_000)
    site.user("anna", credit="100")
    site.user("bela", credit="5")
    site.send(destination="+36201234567")
    site.send(destination="+4915112345678")
    site.work()
    site.moment = NOW
    account_id = site.core.snapshots.present().user("anna").account_id
    site.do(lambda session: ledger.top_up(session, account_id, 10_500_000, now=NOW, actor="root", reason="=1+1<b>", reference="R-7"))
    return site


def page(site: Site, address: str, *, user: str = "root", status: int = 200) -> str:
    answer = site.client(user).get(address)
    assert answer.status_code == status, answer.text
    return " ".join(answer.text.split())


def table(site: Site, address: str, *, user: str = "root") -> list[dict[str, str]]:
    answer = site.client(user).get(address)
    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_all_accounts_of_a_month(shop: Site) -> None:
    text = page(shop, "/reports/statements?month=2026-03")

    assert "March 2026" in text
    assert '<td class="number">0</td><td class="number">100</td><td class="number">4</td><td class="number">96</td>' in text
    assert "bela/statements/show" not in page(shop, "/reports/statements?month=2026-03&search=ann")


def test_a_statement_says_what_moved_and_that_it_adds_up(shop: Site) -> None:
    text = page(shop, "/users/anna/statements/show?month=2026-03", user="anna")

    assert "Opening 0 and movements +96 make closing 96" in text
    for line in ("Top-ups", "Messages", "2026-03-30", "all", "+36", "+49"):
        assert f"<td>{line}</td>" in text
    assert "Not closed." in text


@pytest.mark.parametrize(
    "query", ["month=2026-3", "month=x", "start=2026-03-05&end=2026-03-01", "start=x&end=2026-03-01", "start=2026-03-01"]
)
def test_an_interval_that_cannot_be_is_told(shop: Site, query: str) -> None:
    text = page(shop, f"/users/anna/statements/show?{query}", status=422)

    assert 'role="alert"' in text
    assert shop.client().get(f"/users/anna/statements/file/grouped.csv?{query}").status_code == 404


def test_a_custom_interval(shop: Site) -> None:
    text = page(shop, "/users/anna/statements/show?start=2026-03-31&end=2026-04-20")

    assert "Opening 96 and movements +10.5 make closing 106.5" in text


def test_items_are_escaped_and_numbers_shortened(shop: Site) -> None:
    march = page(shop, "/users/anna/statements/items?month=2026-03&reservations=1")
    april = page(shop, "/users/anna/statements/print?month=2026-04")

    assert "+3620***" in march
    assert "+36201234567" not in march
    assert march.count('<td class="nowrap">Charge</td>') == 2
    assert "=1+1&lt;b&gt;" in april


def test_the_itemised_file_runs_from_opening_to_closing(shop: Site) -> None:
    rows = table(shop, "/users/anna/statements/file/itemised.csv?start=2026-03-01&end=2026-04-30", user="anna")

    assert [(row["movement"], row["change"], row["balance"]) for row in rows] == [
        ("opening", "", "0"),
        ("top_up", "100", "100"),
        ("settle", "-2", "98"),
        ("settle", "-2", "96"),
        ("top_up", "10.5", "106.5"),
        ("closing", "", "106.5"),
    ]
    assert rows[2]["destination"] == "'+3620***"
    assert (rows[4]["reason"], rows[4]["reference"]) == ("'=1+1<b>", "R-7")


def test_the_grouped_file_and_json_say_the_same(shop: Site) -> None:
    rows = table(shop, "/users/anna/statements/file/grouped.csv?month=2026-03")
    told = shop.client().get("/users/anna/statements/file/json?month=2026-03").get_json()

    assert [(row["label"], row["change"]) for row in rows if row["section"] == "destination"] == [
        ("No message", "100"),
        ("'+36", "-2"),
        ("'+49", "-2"),
    ]
    assert (told["opening"], told["added"], told["used"], told["closing"], told["adds_up"]) == ("0", "100", "4", "96", True)
    assert [line["change"] for line in told["groups"]["kind"]] == ["100", "-4"]


def test_a_file_that_there_is_not(shop: Site) -> None:
    assert shop.client().get("/users/anna/statements/file/secrets.csv").status_code == 404


def test_a_customer_sees_only_his_own(shop: Site) -> None:
    for address in ("", "/show", "/items", "/print", "/file/json"):
        assert shop.client("anna").get(f"/users/bela/statements{address}").status_code == 404


def test_closing_by_hand(shop: Site) -> None:
    browser = shop.client()
    asked = browser.get("/reports/statements/close?month=2026-03").text
    token = asked.partition('name="csrf_token" value="')[2].partition('"')[0]

    early = browser.post("/reports/statements/close", data={"csrf_token": token, "month": "2026-04", "user": ""})
    wrong = browser.post("/reports/statements/close", data={"csrf_token": token, "month": "March", "user": ""})
    nobody = browser.post("/reports/statements/close", data={"csrf_token": token, "month": "2026-03", "user": "nobody"})
    done = browser.post("/reports/statements/close", data={"csrf_token": token, "month": "2026-03", "user": "anna"})

    assert [answer.status_code for answer in (early, wrong, nobody, done)] == [422, 422, 422, 303]
    assert "not over" in early.text
    assert "Write year and month" in wrong.text
    assert "Statement no. 1, closed on" in page(shop, "/users/anna/statements/show?month=2026-03", user="anna")
    assert "closed, no. 1" in page(shop, "/reports/statements?month=2026-03")
    assert "no. 1" in page(shop, "/users/anna/statements", user="anna")


def test_the_month_end_of_every_user(shop: Site) -> None:
    rows = table(shop, "/reports/month-end.csv?month=2026-03")

    assert [(row["user"], row["used"], row["added"], row["closing"]) for row in rows] == [
        ("anna", "4", "100", "96"),
        ("bela", "0", "5", "5"),
        ("root", "0", "0", "0"),
    ]
    assert "anna" in page(shop, "/reports/month-end?month=2026-03")

"""Credits: Summary, Ledger, Settings and Info, as operators and customers see them."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import administration
from app.models import Account, AuditEntry
from pennywire import ReportState


def sheet(answer: Any) -> list[dict[str, str]]:
    assert answer.content_type == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


# Summary.


def test_a_summary_counts_what_was_asked_for(busy_both: Any, read: Any) -> None:
    today = busy_both.moment.date().isoformat()
    browser = busy_both.client()

    page = read(browser.get(f"/users/anna/credits?start={today}&end={today}&count=messages_sent"))

    hour = f"{busy_both.moment:%Y-%m-%d %H:00}"
    # Sent, submitted, delivered, not delivered, received, credits used.
    assert f"{hour} 1 4 1 1 1 1.5" in page
    assert "Together 1 4 1 1 1 1.5" in page
    assert f"{hour}: 1" in page


@pytest.mark.parametrize(("by", "line"), [("route", "all 1.5 4 1 1 1 0"), ("provider", "wire 1.5 4 1 1 1 1")])
def test_a_summary_by_route_and_by_connection(busy: Any, read: Any, by: str, line: str) -> None:
    page = read(busy.client().get(f"/users/anna/credits?preset=today&by={by}"))

    assert line in page
    assert f"By Time Route Connection Show {'Route' if by == 'route' else 'Connection'}" in page


def test_a_summary_of_several_days_has_a_line_for_each(busy: Any, read: Any) -> None:
    busy.moment += timedelta(days=3)
    busy.send()
    busy.work(report=ReportState.DELIVERED)
    busy.count()
    days = [(busy.moment - timedelta(days=back)).date() for back in range(4)]

    page = read(busy.client().get(f"/users/anna/credits?start={days[-1]}&end={days[0]}&count=delivered"))

    assert f"{days[0]} 1 1 1 0 0 1.5" in page
    assert f"{days[1]} 0 0 0 0 0 0" in page
    assert f"{days[3]} 1 4 1 1 1 1.5" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("start=x&end=2026-01-01", "'x' is not a day. Write it as 2026-11-23."),
        ("start=2026-02-02&end=2026-02-01", "is before the first"),
        ("start=2026-02-02", "'' is not a day."),
    ],
)
def test_days_that_cannot_be_are_refused_and_kept(busy: Any, read: Any, query: str, said: str) -> None:
    answer = busy.client().get(f"/users/anna/credits?{query}")

    assert said in read(answer)
    assert "Shown instead:" in read(answer)
    assert f'value="{query.partition("=")[2].partition("&")[0]}"' in answer.text


def test_the_days_are_those_of_the_accounts_clock(busy: Any, read: Any) -> None:
    busy.moment = busy.moment.replace(hour=10, minute=30)
    busy.do(lambda session: administration.set_calendar(session, "anna", time_zone="Pacific/Kiritimati", week_start=0, **busy.by))

    page = read(busy.client().get("/users/anna/credits?preset=today"))

    tomorrow = (busy.moment + timedelta(hours=14)).date()
    assert tomorrow > busy.moment.date()
    assert f"{tomorrow} 00:00" in page
    assert "By the clock of Pacific/Kiritimati." in page


def test_a_summary_is_a_sheet_with_every_figure(busy: Any) -> None:
    today = busy.moment.date()

    answer = busy.client().get(f"/users/anna/credits/summary.csv?start={today - timedelta(days=4)}&end={today}")

    lines = sheet(answer)
    assert [line["Day"] for line in lines] == [(today - timedelta(days=back)).isoformat() for back in (4, 3, 2, 1, 0)]
    assert lines[-1]["Credits used"] == "1.5"
    assert lines[-1]["Credits charged"] == "6"
    assert lines[-1]["Credits released"] == "1.5"
    assert lines[-1]["Messages submitted"] == "4"
    assert lines[0]["Messages submitted"] == "0"
    assert f'filename="anna-{today - timedelta(days=4)}-{today}-by-time.csv"' in answer.headers["Content-Disposition"]


def test_a_name_in_a_sheet_is_no_formula(busy: Any) -> None:
    busy.do(lambda session: administration.find_route(session, 1).__setattr__("name", "=HYPERLINK(1)"))

    lines = sheet(busy.client().get("/users/anna/credits/summary.csv?preset=today&by=route"))

    assert {line["Route"] for line in lines} == {"'=HYPERLINK(1)", "answers"}


def test_a_customer_sees_times_only_and_nobody_else(busy: Any, read: Any) -> None:
    """Routes and connections are the operator's business."""
    busy.user("ben", credit="5")

    page = read(busy.client("anna").get("/users/anna/credits?by=provider"))
    lines = sheet(busy.client("anna").get("/users/anna/credits/summary.csv?preset=today&by=route"))

    assert "Connection" not in page
    assert "Route" not in lines[0]
    for path in ("credits", "credits/summary.csv", "credits/ledger", "credits/info"):
        assert busy.client("ben").get(f"/users/anna/{path}").status_code == 404


# Ledger.


def test_the_ledger_tells_the_balance_behind_each_row(busy: Any, read: Any) -> None:
    page = read(busy.client("anna").get("/users/anna/credits/ledger"))

    assert re.search(r"Settlement -1.5 18.5 -1.5", page)
    assert re.search(r"Top-up \+20 20 –", page)


def test_the_ledger_of_a_user_is_paged_with_its_balance(both: Any, read: Any) -> None:
    both.user("shop", credit="1")
    both.do(lambda session: [administration.top_up(session, "shop", 1_000_000, reason=f"number {n}", **both.by) for n in range(120)])
    browser = both.client()
    texts = [browser.get("/users/shop/credits/ledger").text]
    while older := re.search(r'href="(/users/shop/credits/ledger\?before=\d+)"', texts[-1]):
        texts.append(browser.get(older[1]).text)

    pages = [read(type("Answer", (), {"text": text})) for text in texts]

    assert len(pages) == 3
    balances = [int(number) for page in pages for number in re.findall(r"Top-up \+1 (\d+) –", page)]
    assert balances == list(range(121, 0, -1))
    assert "number 119 " in pages[0]
    assert "start" in pages[2]


# Settings.


def settings(site: Any, user: str = "shop", **given: str) -> Any:
    return site.client().post(f"/users/{user}/credits/settings", data=given)


def test_a_credit_line_lets_an_account_go_below_zero(site: Any, read: Any) -> None:
    site.user("shop", credit="5")

    answer = settings(site, part="mode", mode="credit_line", credit_line="50", currency_label="EUR")

    assert answer.status_code == 303
    assert site.account("shop").limit_uc == -50_000_000
    page = read(site.client().get("/users/shop/credits"))
    assert "Available 55 EUR" in page


def test_the_three_modes_are_one_choice(site: Any) -> None:
    site.user("shop", credit="5")
    settings(site, part="mode", mode="credit_line", credit_line="12.5", currency_label="")

    settings(site, part="mode", mode="unlimited", credit_line="12.5", currency_label="")
    assert (site.account("shop").unlimited, site.account("shop").limit_uc) == (True, 0)

    settings(site, part="mode", mode="prepaid", credit_line="12.5", currency_label="")
    assert (site.account("shop").unlimited, site.account("shop").limit_uc) == (False, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"part": "mode", "mode": "credit_line", "credit_line": "1,5", "currency_label": ""}, "is not an amount"),
        ({"part": "mode", "mode": "credit_line", "credit_line": "-50", "currency_label": ""}, "A credit line is more than 0"),
        ({"part": "mode", "mode": "credit_line", "credit_line": "1e309", "currency_label": ""}, "is not an amount"),
        ({"part": "mode", "mode": "credit_line", "credit_line": "٣", "currency_label": ""}, "is not an amount"),
        ({"part": "mode", "mode": "free", "credit_line": "0", "currency_label": ""}, "Mode"),
        ({"part": "limit", "period": "day", "unit": "segments", "most": "-1"}, "is not a number of segments"),
        ({"part": "limit", "period": "day", "unit": "segments", "most": "1.5"}, "is not a number of segments"),
        ({"part": "limit", "period": "day", "unit": "credits", "most": "1,5"}, "is not an amount"),
        ({"part": "limit", "period": "day", "unit": "credits", "most": "NaN"}, "is not an amount"),
        ({"part": "calendar", "time_zone": "Europe/Atlantis", "week_start": "0"}, "There is no time zone"),
        ({"part": "parent", "parent": "nobody", "parent_mode": "own"}, "There is no user"),
        ({"part": "parent", "parent": "shop", "parent_mode": "own"}, "cannot stand above itself"),
    ],
)
def test_a_refused_setting_changes_nothing_and_keeps_what_was_typed(site: Any, read: Any, given: dict[str, str], said: str) -> None:
    site.user("shop", credit="5")

    answer = settings(site, **given)

    assert answer.status_code == 422
    assert said in read(answer)
    account = site.account("shop")
    assert (account.limit_uc, account.unlimited, account.limited, account.time_zone, account.parent_id) == (0, False, False, "", None)
    for name in {"credit_line", "most", "time_zone", "parent"} & given.keys():
        assert f'value="{given[name]}"' in answer.text


def test_limits_are_added_shown_with_their_use_and_removed(busy_both: Any, read: Any) -> None:
    settings(busy_both, "anna", part="limit", period="day", unit="segments", most="5")

    page = read(busy_both.client().get("/users/anna/credits/settings"))
    info = read(busy_both.client("anna").get("/users/anna/credits/info"))

    # Accepted were four segments; the one that was refused was given back.
    assert "Day, segments 3 5 2" in page
    assert "Day, segments 2 5" in info
    answer = settings(busy_both, "anna", part="remove_limit", period="day", unit="segments")
    assert answer.status_code == 303
    assert "Day, segments" not in read(busy_both.client().get("/users/anna/credits/settings"))
    assert settings(busy_both, "anna", part="remove_limit", period="day", unit="segments").status_code == 422


def test_an_account_stands_below_a_reseller(site: Any) -> None:
    site.user("agent", credit="100")
    site.user("shop", credit="5")

    settings(site, part="parent", parent="agent", parent_mode="shared")

    assert site.account("shop").parent_id == site.account("agent").id
    assert site.account("shop").parent_mode == "shared"


def test_a_reseller_tops_up_an_account_below_from_his_own(site: Any, read: Any) -> None:
    site.user("agent", credit="100")
    site.user("shop", credit="5")
    settings(site, part="parent", parent="agent", parent_mode="own")
    browser = site.client()
    assert "The account of agent" in read(browser.get("/users/shop/credits/top-up"))

    refused = browser.post("/users/shop/credits/top-up", data={"amount": "100.5", "reason": "June", "whence": "above"})
    done = browser.post("/users/shop/credits/top-up", data={"amount": "40", "reason": "June", "whence": "above"})

    assert refused.status_code == 422
    assert 'value="100.5"' in refused.text
    assert done.status_code == 303
    assert (site.account("agent").balance_uc, site.account("shop").balance_uc) == (60_000_000, 45_000_000)
    assert "Allotment +40 45" in read(browser.get("/users/shop/credits/ledger"))
    assert "Allotment -40 60" in read(browser.get("/users/agent/credits/ledger"))


def test_an_allotment_that_is_sent_twice_is_made_once(site: Any, read: Any) -> None:
    site.user("agent", credit="100")
    site.user("shop", credit="5")
    settings(site, part="parent", parent="agent", parent_mode="own")
    browser = site.client()
    found = re.search(r'name="key" value="([^"]+)"', browser.get("/users/shop/credits/top-up").text)
    assert found is not None
    form = {"amount": "40", "reason": "June", "whence": "above", "key": found[1]}

    answers = [browser.post("/users/shop/credits/top-up", data=form).status_code for _ in range(2)]
    other = browser.post("/users/shop/credits/top-up", data=form | {"amount": "41"})

    assert answers == [303, 303]
    assert other.status_code == 422
    assert "used for a movement with other content" in read(other)
    assert (site.account("agent").balance_uc, site.account("shop").balance_uc) == (60_000_000, 45_000_000)


@pytest.mark.parametrize("whence", ["new", "above"])
def test_an_amount_that_cannot_be_moves_nothing_whatever_it_comes_from(site: Any, whence: str) -> None:
    site.user("agent", credit="100")
    site.user("shop", credit="5")
    settings(site, part="parent", parent="agent", parent_mode="own")
    browser = site.client()
    amounts = ("0", str(2**63), "1e309", "NaN", "1,5", "\uff11\uff12", "1e-9", "0.0000001", "True", "[1]", "0x10", "")

    answers = [
        browser.post("/users/shop/credits/top-up", data={"amount": amount, "reason": "June", "whence": whence}).status_code
        for amount in amounts
    ]

    assert answers == [422] * len(amounts)
    assert (site.account("agent").balance_uc, site.account("shop").balance_uc) == (100_000_000, 5_000_000)


def test_settings_are_audited(site: Any) -> None:
    site.user("shop", credit="5")

    settings(site, part="mode", mode="credit_line", credit_line="50", currency_label="EUR")
    settings(site, part="calendar", time_zone="Europe/Budapest", week_start="6")

    with site.core.database.read() as session:
        verbs = session.scalars(select(AuditEntry.verb).where(AuditEntry.subject == "user shop")).all()
    assert {"edit account", "call credits", "set calendar"} <= set(verbs)


# Info.


def test_info_tells_use_top_up_and_forecast(busy_both: Any, read: Any) -> None:
    page = read(busy_both.client("anna").get("/users/anna/credits/info"))

    assert "Used today 1.5" in page
    assert "Used this month 1.5" in page
    assert "Last top-up 20" in page
    assert "Too little is known for a forecast" in page


def test_info_tells_when_the_account_is_empty(busy_both: Any, read: Any) -> None:
    site = busy_both
    for _ in range(2):
        site.moment += timedelta(days=1)
        site.send()
        site.work(report=ReportState.DELIVERED)
    site.count()

    page = read(site.client("anna").get("/users/anna/credits/info"))

    assert re.search(r"Empty on \w+(, \d+ \w+ \d+)? at the pace of the last 7 days, [\d.]+ credits a day\.", page)


def test_info_of_a_reseller_counts_what_those_below_use(site: Any, read: Any) -> None:
    """What a message costs the account above stands in that account's ledger."""
    site.connection()
    site.user("agent", credit="100")
    site.user("shop", credit="5")
    site.route(cost_uc=1_000_000)
    settings(site, part="parent", parent="agent", parent_mode="shared")
    site.send("shop")
    site.work(report=ReportState.DELIVERED)
    site.count()

    page = read(site.client("agent").get("/users/agent/credits/info"))

    with site.core.database.read() as session:
        spent_uc = 100_000_000 - session.get_one(Account, site.account("agent").id).balance_uc
    assert spent_uc > 0
    assert f"Used today {spent_uc // 1_000_000}" in page

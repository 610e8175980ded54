"""What messages cost us: on the pages of operators, and on none of a customer's."""

from typing import Any

import pytest

from app import administration
from app.ledger import parse_credits
from app.lifecycle import NegativeMargin, ProviderChoice
from app.models import ServiceConnection
from app.statistics import margins
from pennywire import Direction

Site = Any


def buy(site: Site, name: str, amount: str) -> None:
    site.do(lambda session: administration.set_buy_price(session, name, parse_credits(amount), **site.by))


@pytest.fixture
def sold(site: Site) -> str:
    """Anna's message, sold for 0.06 and bought for 0.0423, and counted."""
    site.connection()
    site.user("anna", credit="10")
    buy(site, "wire", "0.0423")
    site.route(cost_uc=60_000)
    number = str(site.send())
    site.work()
    while margins.count_next(site.core.database, now=site.moment):
        pass
    return number


def test_an_operator_sees_what_a_message_cost_and_what_it_left(site: Site, sold: str, read: Any) -> None:
    page = read(site.client().get(f"/message/{sold}"))

    assert "Bought for 0.0423 Planned: Buy price 0.0423 of wire Margin +0.0177" in page


@pytest.mark.parametrize("address", ["/message/{}", "/reports/traffic", "/users/anna/credits"])
def test_a_customer_sees_nothing_of_it(site: Site, sold: str, address: str) -> None:
    page = site.client("anna").get(address.format(sold))

    assert page.status_code == 200
    assert "0.0423" not in page.text
    assert "0.0177" not in page.text
    assert "argin" not in page.text


def test_an_alarm_is_told_to_the_operator_alone(site: Site, sold: str, read: Any) -> None:
    (route,) = site.core.snapshots.reload().outbound
    site.do(
        lambda session: administration.save_route(
            session,
            Direction.OUTBOUND,
            "all",
            route_id=route.id,
            targets=("wire",),
            cost_uc=10_000,
            negative_margin=NegativeMargin.ALARM,
            plugins=site.core.plugins,
            **site.by,
        )
    )
    number = site.send()

    assert sold != number
    assert "negative margin: yes" in read(site.client().get(f"/message/{number}"))
    assert "negative margin" not in read(site.client("anna").get(f"/message/{number}"))


@pytest.mark.full
@pytest.mark.parametrize(("by", "name"), [("user", "anna"), ("route", "all"), ("country", "+36"), ("nonsense", "")])
@pytest.mark.usefixtures("sold")
def test_the_report_is_broken_down_as_asked_for(site: Site, by: str, name: str, read: Any) -> None:
    page = read(site.client().get(f"/reports/margin?by={by}&days=7"))

    assert f"{name or f'{site.moment:%Y-%m-%d}'} 1 0.06 0.0423 +0.0177 –" in page
    assert "Together 1 0.06 0.0423 +0.0177 –" in page


@pytest.mark.usefixtures("sold")
def test_the_report_of_one_user_leaves_out_the_others(site: Site, read: Any) -> None:
    browser = site.client()

    assert "Together 0 0 0 0 –" in read(browser.get("/reports/margin?user=root"))
    assert "There is no user nobody." in read(browser.get("/reports/margin?user=nobody"))


@pytest.mark.usefixtures("sold")
def test_the_report_is_a_file_too(site: Site) -> None:
    answer = site.client().get("/reports/margin.csv?by=country")

    assert answer.headers["Content-Disposition"].startswith('attachment; filename="margin-by-country-')
    assert answer.text.split("\r\n")[:2] == [
        "country,segments,segments_with_known_price,sold,bought,margin",
        "36,1,1,0.06,0.0423,0.0177",
    ]


def test_where_no_price_is_known_the_report_says_what_to_do(site: Site, read: Any) -> None:
    assert "No buy price is known yet" in read(site.client().get("/reports/margin"))


@pytest.mark.full
@pytest.mark.parametrize("typed", ["-1", "1,5", "9999999999"])
@pytest.mark.usefixtures("sold")
def test_a_buy_price_that_is_none_is_refused_and_kept_in_the_form(site: Site, typed: str) -> None:
    answer = site.client().post("/connections/wire/configuration", data={"provider": "wire", "buy_price": typed})

    assert answer.status_code == 422
    assert f'value="{typed}"' in answer.text
    assert connection(site).buy_uc == 42_300


def connection(site: Site) -> ServiceConnection:
    with site.core.database.read() as session:
        return session.query(ServiceConnection).one()  # type: ignore[no-any-return]  # the query is typed loosely


@pytest.mark.full
@pytest.mark.parametrize(("typed", "stored"), [("0", 0), ("", None)])
@pytest.mark.usefixtures("sold")
def test_a_buy_price_is_stored_with_the_configuration(site: Site, typed: str, stored: int | None) -> None:
    shown = site.client().get("/connections/wire/configuration").text
    answer = site.client().post("/connections/wire/configuration", data={"provider": "wire", "buy_price": typed, "window": "10"})

    assert 'value="0.0423"' in shown
    assert answer.status_code == 303
    assert connection(site).buy_uc == stored


@pytest.mark.usefixtures("sold")
def test_the_form_of_a_route_keeps_how_it_chooses_and_what_it_does_at_a_loss(site: Site) -> None:
    (route,) = site.core.snapshots.reload().outbound
    data = {"name": "all", "enabled": "on", "t0": "wire", "provider_choice": "least_cost", "negative_margin": "refuse"}
    answer = site.client().post(f"/routing/outbound/{route.id}", data=data | {"validity": "48 h", "report_timeout": "72 h"})
    (saved,) = site.core.snapshots.reload().outbound

    assert answer.status_code == 303
    assert (saved.provider_choice, saved.negative_margin) == (ProviderChoice.LEAST_COST, NegativeMargin.REFUSE)


@pytest.mark.usefixtures("sold")
def test_a_test_of_the_route_shows_the_candidates_and_who_is_too_dear(site: Site, read: Any) -> None:
    site.connection("dear")
    buy(site, "dear", "0.07")
    (route,) = site.core.snapshots.reload().outbound
    site.client().post(
        f"/routing/outbound/{route.id}",
        data={"name": "all", "enabled": "on", "t0": "dear", "t1": "wire", "cost": "0.06", "negative_margin": "refuse"}
        | {"validity": "48 h", "report_timeout": "72 h"},
    )
    page = read(
        site.client().post("/routing/test", data={"direction": "outbound", "user": "anna", "destination": "+36201234567", "text": "x"})
    )

    assert "dear 0.07 0.06 -0.01 – too dear It charges more than the message is sold for. Buy price 0.07 of dear." in page
    assert "wire 0.0423 0.06 +0.0177 – takes it Buy price 0.0423 of wire." in page

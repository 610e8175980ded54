"""The page of a connection of GSM modems: the bank, what each SIM card sent, and the history as graph and table."""

from datetime import timedelta
from typing import Any

import pytest
from pennywire_modem.memory import Tally, device_key

from app import administration
from app.gateway import OpenGateway

Site = Any
IMSI = "216301234567890"
ONE, TWO, THREE = "/dev/ttyUSB0", "/dev/ttyUSB1", "socket://192.0.2.7:4001"


@pytest.fixture
def bank(site: Site) -> Site:
    """A bank of three: one is ready, one is down, of one nothing was ever heard."""
    settings = {"device": f"{ONE}\n{TWO}\n{THREE}", "per_hour": "10", "per_day": "1000"}
    means = {"plugins": site.core.plugins, "vault": site.core.vault, **site.by}
    site.do(lambda session: administration.add_connection(session, "bank", "modem", settings, provider="", **means))
    moment = int(site.moment.timestamp())
    known = {"manufacturer": "Acme", "model": "M1", "imei": "490154203237518", "masked_imsi": "21630…90", "operator": "<Penny> Mobile"}
    known |= {"registration_words": "registered at home", "used": 1, "capacity": 30, "signal": -71, "sim": IMSI}
    tally = Tally()
    for _ in range(7):
        tally.count(site.moment)
    down = {"ready": False, "stopped": False, "reason": "The modem does not answer.", "sim": "", "at": moment}
    sample = {"signal": -71, "operator": "<Penny> Mobile", "imei": "490154203237518", "imsi": "21630…90"}
    desk = OpenGateway(site.core, "root", "administrator")
    desk.keep(
        "modem",
        {
            f"modem/{device_key(ONE)}": known | {"ready": True, "stopped": False, "reason": "", "at": moment},
            f"modem/{device_key(TWO)}": down,
            f"history/{device_key(ONE)}": [sample | {"at": moment - 1800}, sample | {"at": moment, "signal": None}],
        },
        "bank",
    )
    desk.keep("modem", {f"sim/{IMSI}": tally.as_value()})
    return site


def test_each_modem_has_a_row_with_what_its_card_sent_of_its_cap(bank: Site) -> None:
    page = bank.client("root").get("/connections/bank").text

    assert [word in page for word in (ONE, TWO, THREE, "not seen yet", "The modem does not answer.")] == [True] * 5
    assert "signal 4 of 4" in page
    assert "-71 dBm" in page
    assert "21630…90" in page
    assert IMSI not in page
    assert "&lt;Penny&gt; Mobile" in page
    assert "of 10</span>" in page
    assert "of 1,000</span>" in page
    assert page.count("<span>7 <span") == 2


def test_the_history_is_a_graph_and_a_table(bank: Site) -> None:
    page = bank.client("root").get("/connections/bank").text

    assert f'aria-label="Signal of {ONE}' in page
    assert "The same as a table" in page
    assert page.count("490154203237518") == 3


def test_a_modem_of_which_nothing_is_heard_is_not_called_ready(bank: Site) -> None:
    bank.moment += timedelta(hours=1)

    part = bank.client("root").get("/plugins/modem/bank/bank").text

    assert ">ready<" not in part
    assert ">no news<" in part


def test_the_live_part_is_for_those_who_see_connections(bank: Site) -> None:
    bank.user("anna")

    assert bank.client("root").get("/plugins/modem/bank/bank").status_code == 200
    assert bank.client("anna").get("/plugins/modem/bank/bank").status_code == 403
    assert bank.client("root").get("/plugins/modem/bank/other").status_code == 404


def test_another_kind_of_connection_has_no_such_panel(site: Site) -> None:
    site.connection("wire")

    assert "modem-bank" not in site.client("root").get("/connections/wire").text

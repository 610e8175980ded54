"""Words of the stories about price lists, what they sell and what they buy."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stage" / "tariff"))

from pennywire_tariff import lists
from price_desk import open_desk

from app.ledger import format_credits
from app.statistics import margins
from pennywire import InvalidSetting

Stage = Any
NAME, AMOUNT = "([A-Z])", r"(-?[0-9.]+)"
PRICES = r"((?:(?:\+[0-9]+|others) at -?[0-9.]+(?:, )?)+)"
_PAID = {"everybody": ("default", ""), "anna": ("user", "anna")}


def set_tariffs(stage: Stage) -> None:
    """Add the price lists of a story; their first versions hold at once."""
    wanted = stage.options.get("tariffs", ())
    if wanted:
        stage.desk = open_desk(stage.world)
    for name, holder, prices in wanted:
        if holder in ("first", "second"):
            stage.desk.list(name, written(prices), side="buy", provider=holder)
        else:
            stage.desk.list(name, written(prices))
            stage.desk.assign(name, *_PAID[holder])


def written(prices: str) -> str:
    """Return prices as the file that an operator imports: `+36 at 3, others at 9` has two lines."""
    cells = (item.split(" at ") for item in prices.split(", "))
    return "prefix;price\n" + "".join(f"{'*' if prefix == 'others' else prefix};{price}\n" for prefix, price in cells)


def issue(stage: Stage, name: str, prices: str, hours: str | None, refused: str | None) -> None:
    """Import a new version, which takes effect at once or some hours later."""
    if refused:
        report = stage.desk.load(name, written(prices))
        assert report.refused
        assert report.version is None
        return
    at = stage.world.now + timedelta(hours=int(hours)) if hours else None
    stage.desk.activate(name, stage.desk.version(name, written(prices)), at)


def roll_back(stage: Stage, name: str, impossible: str | None) -> None:
    gateway = stage.desk.gateway

    def work() -> None:
        with gateway.write() as session:
            lists.roll_back(gateway, session, lists.find_list(session, name))

    if impossible:
        with pytest.raises(InvalidSetting):
            work()
    else:
        work()


def check_holding(stage: Stage, number: str, name: str) -> None:
    states = stage.desk.states(name)
    assert [version for version, state in states.items() if state == "active"] == [int(number)], states


def check_sold(stage: Stage, name: str, why: str) -> None:
    assert stage.world.message(stage.numbers[name]).price_why == why
    stage.last = stage.numbers[name]


def check_margin(stage: Stage, sold: str, bought: str, margin: str) -> None:
    """Compare the report on costs and margin, from the first day to now."""
    world = stage.world
    while margins.count_next(world.core.database, now=world.now, limit=100):
        pass
    with world.core.database.read() as session:
        found = margins.together(margins.lines(session, "day", since=margins.EPOCH, until=(world.now + timedelta(days=1)).date()))
    amounts = (found.sold_uc, found.bought_uc, found.sold_uc - found.bought_uc)
    assert tuple(map(format_credits, amounts)) == (sold, bought, margin)


TARIFF_STEPS = {
    f"([A-Z][a-z]+) becomes {PRICES}(?: in ([0-9]+) hours)?( and is refused)?": issue,
    "([A-Z][a-z]+) is rolled back( and cannot)?": roll_back,
    "version ([0-9]+) of ([A-Z][a-z]+) holds": check_holding,
    f"{NAME} was sold by (.+)": check_sold,
    f"we sold for {AMOUNT} and bought for {AMOUNT}: margin {AMOUNT}": check_margin,
}
TARIFF_SETTINGS = {
    f"([A-Z][a-z]+) is the price list of (everybody|anna): {PRICES}": lambda options, *words: options.setdefault("tariffs", []).append(
        words
    ),
    f"([A-Z][a-z]+) is what the (first|second) network charges: {PRICES}": lambda options, *words: options.setdefault("tariffs", []).append(
        words
    ),
}

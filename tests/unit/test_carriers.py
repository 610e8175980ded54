"""Who carries a message: the choice by cost against a model that compares every pair."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from app.carriers import Candidate, by_cost, loses
from app.pricing import Buying

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        provider=st.text("abcdef", min_size=1, max_size=3),
        started=st.booleans(),
        buying=st.builds(Buying, st.none() | st.integers(0, 4) | st.integers(0, 10**12)),
        delivered_permille=st.none() | st.sampled_from([0, 500, 999, 1000]) | st.integers(0, 1000),
    ),
    max_size=8,
    unique_by=lambda item: item.provider,
)


@dataclass(frozen=True)
class Place:
    """A candidate and where the operator put it."""

    item: Candidate
    index: int


def beats(one: Place, other: Place) -> bool:
    """Say, rule by rule and without any sorting, whether one is to be tried before the other."""
    if one.item.started != other.item.started:
        return one.item.started
    mine, theirs = one.item.buying.per_segment_uc, other.item.buying.per_segment_uc
    if mine is None and theirs is not None:
        return False
    if mine is not None and theirs is None:
        return True
    if mine is not None and theirs is not None and mine != theirs:
        return mine < theirs
    good, fine = (1000 if item.delivered_permille is None else item.delivered_permille for item in (one.item, other.item))
    if good != fine:
        return good > fine
    return one.index < other.index


@given(CANDIDATES)
def test_least_cost_tries_in_the_order_that_every_pair_asks_for(found: list[Candidate]) -> None:
    places = [Place(item, index) for index, item in enumerate(found)]
    expected: list[Candidate] = []
    while places:
        best = next(one for one in places if all(beats(one, other) for other in places if other is not one))
        expected.append(best.item)
        places.remove(best)

    assert by_cost(found) == expected


@given(CANDIDATES)
def test_nobody_who_could_carry_it_charges_less_than_the_chosen_one(found: list[Candidate]) -> None:
    able = [item for item in by_cost(found) if item.started]
    prices_uc = [item.buying.per_segment_uc for item in able if item.buying.per_segment_uc is not None]

    assert not prices_uc or able[0].buying.per_segment_uc == min(prices_uc)


@given(st.none() | st.integers(0, 10), st.integers(0, 10))
def test_a_loss_is_a_known_price_above_the_sale(buy_uc: int | None, sold_uc: int) -> None:
    assert loses(Buying(buy_uc), sold_uc) == (buy_uc is not None and sold_uc - buy_uc < 0)

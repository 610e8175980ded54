"""The routing table's index finds what asking every route in order finds."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.lifecycle import Terms
from app.pricing import RouteCost
from app.routing import CompiledRoute, RoutingTable, compile_conditions, register_conditions
from pennywire import Direction, RoutingSubject

KINDS = {kind.kind: kind for kind in register_conditions()}
DIGITS = st.text("123", min_size=1, max_size=4)


def route(number: int, conditions: list[tuple[str, str, str]], mode: str) -> CompiledRoute:
    rows = [{"kind": kind, "settings": {setting: value}} for kind, setting, value in conditions]
    cost = RouteCost(str(number), None, price_required=False)
    return CompiledRoute(number, str(number), compile_conditions(rows, KINDS), ("wire",), cost, Terms(), mode=mode)


PREFIX = st.lists(DIGITS, min_size=1, max_size=3).map(
    lambda found: ("destination_prefix", "prefixes", ", ".join("+" + text for text in found))
)
USER = st.sampled_from(["anna", "bela"]).map(lambda name: ("user", "usernames", name))
ROUTES = st.lists(st.tuples(st.lists(st.one_of(PREFIX, USER), max_size=3), st.sampled_from(["copy", "move", "drop"])), max_size=8)


@given(rows=ROUTES, digits=st.text("123", min_size=1, max_size=6), username=st.sampled_from(["anna", "bela", "cora"]))
def test_index_agrees_with_asking_every_route(rows: list[tuple[list[tuple[str, str, str]], str]], digits: str, username: str) -> None:
    routes = [route(number, conditions, mode) for number, (conditions, mode) in enumerate(rows)]
    subject = RoutingSubject(Direction.OUTBOUND, "", "+" + digits, "", datetime(2026, 1, 1, tzinfo=UTC), username=username)
    matching = [item for item in routes if item.matches(subject)]
    until = next((place for place, item in enumerate(matching) if item.mode != "copy"), len(matching))

    table = RoutingTable(routes)

    assert table.first_match(subject) is (matching[0] if matching else None)
    assert table.all_matches(subject) == matching[: until + 1]
    assert list(table) == routes

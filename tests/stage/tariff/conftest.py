"""A gateway with the price lists' plugin, on both databases."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from price_desk import Desk, open_desk

World = Any


@pytest.fixture
def desk(world: World) -> Desk:
    """A gateway with the rule that asks the lists, a route at 2 credits, and anna with 100 credits."""
    made = open_desk(world)
    world.user(credit="100")
    world.connection()
    world.route(cost="2")
    return made

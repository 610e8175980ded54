"""What the modem plugin's commands tell and forget."""

from pathlib import Path
from typing import Any

import pytest
from pennywire_modem.memory import device_key

from app.clock import utc_now
from app.config import load
from app.core import open_core
from app.gateway import OpenGateway

Line = Any
CARD = "8936301234567890123"


@pytest.fixture
def desk(line: Line, data: Path) -> Any:
    """The gateway, as the modem's own code reaches it, beside the command line."""
    line("connection", "add", "bank", "--kind", "modem", "--set", "device=/dev/ttyUSB0")
    core = open_core(load({"data": str(data)}))
    try:
        yield OpenGateway(core, "root", "administrator")
    finally:
        core.database.dispose()


def test_the_modems_of_a_connection_are_told(line: Line, desk: OpenGateway) -> None:
    state = {"ready": False, "stopped": False, "reason": "No SIM card.", "sim": "", "at": int(utc_now().timestamp())}
    desk.keep("modem", {f"modem/{device_key('/dev/ttyUSB0')}": state}, "bank")

    (row,) = line.json("modem-status", "bank")
    refused = line("modem-status", "nobody", status=1)

    assert (row["device"], row["word"], row["reason"], row["hour_count"]) == ("/dev/ttyUSB0", "down", "No SIM card.", 0)
    assert "no connection of modems called nobody" in refused


def test_a_card_that_refused_its_pin_can_be_tried_again(line: Line, desk: OpenGateway) -> None:
    assert "No SIM card has refused a PIN" in line("modem-pins", "list")
    desk.keep("modem", {f"pin/{CARD}": {"tried": ["salt:digest"], "left": 1}})

    listed = line.json("modem-pins", "list")
    forgotten = line.json("modem-pins", "forget", CARD)

    assert listed == [{"card": CARD, "tried": 1, "left": 1}]
    assert forgotten == {"card": CARD, "forgotten": True}
    assert line.json("modem-pins", "list") == []
    assert "No PIN was tried in vain" in line("modem-pins", "forget", CARD, status=1)

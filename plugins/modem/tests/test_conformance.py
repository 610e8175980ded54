"""The GSM modem connector passes the conformance kit, against the scripted modem behind a terminal server."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

import pytest
from pennywire_modem import tpdu
from pennywire_modem.connector import ModemConnector
from pennywire_modem.messages import network_id
from pennywire_modem.script import Behaviour, ModemOptions
from pennywire_modem.simulator import ModemSimulator
from pennywire_modem.tpdu import StatusReport

from pennywire import ReportState
from pennywire.testing import DESTINATIONS, ConnectorConformance, Operator, Play, Received

BEHAVIOURS = {
    Play.ACCEPT: Behaviour(status=None),
    Play.REFUSE: Behaviour(error="+CMS ERROR: 21"),
    Play.THROTTLE: Behaviour(error="+CMS ERROR: 42"),
    Play.SILENCE: Behaviour(answer=False),
    Play.CUT: Behaviour(unplug=True),
}
#: TP-ST of a report. Source: 3GPP TS 23.040 §9.2.3.15.
STATUSES = {ReportState.DELIVERED: 0x00, ReportState.UNDELIVERABLE: 0x41}
PIN = "90817263"
STRANGER = "+36209999999"
WAIT_S = 60.0


class ScriptedNetwork(Operator):
    """A modem, its SIM card and its network, told what to do by the destination. What was not deleted is found again by the next check."""

    impatience: Mapping[str, Any] = {"response_timeout_s": 0.2}

    def __init__(self) -> None:
        behaviours = {DESTINATIONS[play]: behaviour for play, behaviour in BEHAVIOURS.items()}
        self._simulator = ModemSimulator(ModemOptions(pin=PIN, behaviours=behaviours), port=0)

    async def __aenter__(self) -> Self:
        await self._simulator.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._simulator.__aexit__(None, None, None)

    @property
    def settings(self) -> Mapping[str, Any]:
        quick = {"reopen_pause_s": 0.01, "check_interval_s": 1, "bit_rate": "115200", "command_timeout_s": 20, "response_timeout_s": 60}
        return {"device": self._simulator.device, "pin": PIN, "own_number": "12345", **quick}

    @property
    def unknown_id(self) -> str:
        return self._id(211, STRANGER)

    @property
    def received(self) -> list[Received]:
        return [Received(one.submit.destination, one.text) for one in self._simulator.modem.submitted]

    async def cut(self) -> None:
        self._simulator.unplug()

    async def report(self, network_id: str, state: ReportState) -> None:
        reference, now = int(network_id.split("-")[1]), datetime.now(UTC)
        destinations = [STRANGER, *(one.destination for one in self.received)]
        destination = next(each for each in destinations if self._id(reference, each).split("-")[2] == network_id.split("-")[2])
        about = StatusReport(reference, destination, now, now, STATUSES[state])
        await self._until_deleted(self._simulator.modem.report(tpdu.encode_status_report(about)))

    async def incoming(self, source: str, destination: str, text: str) -> None:
        """Let it arrive. A handset's message does not name the SIM card, whose number stands in the settings."""
        assert destination == self.settings["own_number"]
        await self._until_deleted(*self._simulator.modem.deliver(text, source=source))

    def _id(self, reference: int, destination: str) -> str:
        return network_id(sim=self._simulator.modem.options.imsi, reference=reference, destination=destination, sent_at=datetime.now(UTC))

    async def _until_deleted(self, *places: int) -> None:
        await self._simulator.until(lambda modem: not set(places) & modem.storage.keys(), timeout_s=WAIT_S)


class TestModem(ConnectorConformance):
    connector = ModemConnector

    @pytest.fixture
    def operator(self) -> ScriptedNetwork:
        return ScriptedNetwork()

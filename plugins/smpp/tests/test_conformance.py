"""The SMPP client passes the conformance kit, against the SMSC simulator."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import pytest
from pennywire_smpp import statuses
from pennywire_smpp.connector import SmppConnector
from pennywire_smpp.simulation import Behaviour, SimulatorOptions, Submitted, make_receipt
from pennywire_smpp.simulator import Simulator

from pennywire import ReportState
from pennywire.testing import DESTINATIONS, ConnectorConformance, Operator, Play, Received

#: What each play is on the wire. Receipts come only when a check asks for them.
BEHAVIOURS = {
    Play.ACCEPT: Behaviour(receipt_states=()),
    Play.REFUSE: Behaviour(command_status=statuses.ESME_RINVDSTADR),
    Play.THROTTLE: Behaviour(command_status=statuses.ESME_RTHROTTLED),
    Play.SILENCE: Behaviour(answer=False, receipt_states=()),
    Play.CUT: Behaviour(close=True),
}


class ScriptedSmsc(Operator):
    """The SMSC simulator, told what to do by the destination."""

    impatience: Mapping[str, Any] = {"response_timeout_s": 0.2}

    def __init__(self) -> None:
        behaviours = {DESTINATIONS[play].removeprefix("+"): behaviour for play, behaviour in BEHAVIOURS.items()}
        self._smsc = Simulator(SimulatorOptions(system_id="me", password="sesame77", behaviours=behaviours, retry_s=0.01))

    async def __aenter__(self) -> Self:
        await self._smsc.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._smsc.stop()

    @property
    def settings(self) -> Mapping[str, Any]:
        quick = {"reconnect_pause_s": 0.01, "refused_pause_s": 0.01, "response_timeout_s": 60}
        return {"host": "127.0.0.1", "port": self._smsc.port, "system_id": "me", "password": "sesame77", **quick}

    @property
    def received(self) -> list[Received]:
        return [Received(one.destination, one.text) for one in self._smsc.submissions]

    async def cut(self) -> None:
        self._smsc.cut_links()

    async def report(self, network_id: str, state: ReportState) -> None:
        await self._bound()
        about = self._find(network_id)
        receipt, tlvs = make_receipt(replace(about, network_id=network_id), state, self._smsc.options)
        await self._smsc.deliver(receipt, tlvs=tlvs, is_receipt=True)

    async def incoming(self, source: str, destination: str, text: str) -> None:
        await self._bound()
        await self._smsc.mo(text, source=source, destination=destination)

    async def _bound(self) -> None:
        async with asyncio.timeout(30):
            await self._smsc.until(lambda smsc: smsc.bind_count > 0, timeout_s=30)

    def _find(self, network_id: str) -> Submitted:
        """Return the submission that a receipt is about, or any where the id is not known."""
        submissions = self._smsc.submissions
        return next((one for one in submissions if one.network_id == network_id), submissions[0])


class TestSmpp(ConnectorConformance):
    connector = SmppConnector

    @pytest.fixture
    def operator(self) -> ScriptedSmsc:
        return ScriptedSmsc()

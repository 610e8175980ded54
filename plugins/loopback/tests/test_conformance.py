"""The loopback connector passes what the conformance kit asks of a network without a link, reports or senders of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pennywire_loopback import connector as module
from pennywire_loopback.behaviours import Behaviour, Rule
from pennywire_loopback.connector import LoopbackConnector

from pennywire import Submission
from pennywire.testing import CannotPlay, ConnectorConformance, Operator, Play, Received

ENDINGS = {Play.ACCEPT: "67", Play.REFUSE: "01", Play.THROTTLE: "02", Play.SILENCE: "03"}


class ImaginedNetwork(Operator):
    """The network that the connector imagines; what it judges is what it received."""

    def __init__(self) -> None:
        self._received: list[Received] = []

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"report_delay_ms": 0}

    @property
    def received(self) -> Sequence[Received]:
        return self._received

    def destination(self, play: Play) -> str:
        if play not in ENDINGS:
            raise CannotPlay("A network in the same process has no link that could be cut.")
        return f"+362012345{ENDINGS[play]}"

    def judge(self, rules: Sequence[Rule], submission: Submission) -> Behaviour:
        self._received.append(Received(submission.destination, submission.text))
        return choose(rules, submission)


choose = module.choose


class TestLoopback(ConnectorConformance):
    connector = LoopbackConnector

    @pytest.fixture
    def operator(self, monkeypatch: pytest.MonkeyPatch) -> ImaginedNetwork:
        network = ImaginedNetwork()
        monkeypatch.setattr(module, "choose", network.judge)
        return network

"""The kit for authors of plugins: links and operators that live in memory, and the checks that every connector passes."""

# ruff: noqa: E402  # Checks explain themselves only where pytest knows of them before they are imported.

import pytest

pytest.register_assert_rewrite("pennywire.testing.conformance", "pennywire.testing.link", "pennywire.testing.trial")

from pennywire.testing.conformance import ConnectorConformance
from pennywire.testing.link import Answered, Failed, FakeLink, FakeValues, make_submissions
from pennywire.testing.operator import DESTINATIONS, CannotPlay, Operator, Play, Received, play_for
from pennywire.testing.ports import reserved_port

__all__ = [
    "DESTINATIONS",
    "Answered",
    "CannotPlay",
    "ConnectorConformance",
    "Failed",
    "FakeLink",
    "FakeValues",
    "Operator",
    "Play",
    "Received",
    "make_submissions",
    "play_for",
    "reserved_port",
]

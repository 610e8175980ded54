"""What pytest loads by itself where Pennywire is installed: it says what a test class still lacks."""

import pytest


@pytest.fixture
def operator() -> None:
    """Stand in for the scripted operator that a connector's author supplies."""
    pytest.fail(
        "The conformance kit needs a scripted operator. Give the test class a fixture `operator` that returns your subclass of "
        "pennywire.testing.Operator; docs/writing-a-connector.md shows one.",
        pytrace=False,
    )

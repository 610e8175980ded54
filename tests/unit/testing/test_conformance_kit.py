"""The kit finds what it is there to find: connectors with one fault each, made of the one that the generator writes."""

import sys
import time
from collections.abc import Iterator
from operator import methodcaller
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app.cli import scaffolding
from pennywire import Accepted, LinkDown, Setting
from pennywire.testing import ConnectorConformance

pytest_plugins = ["pytester"]

#: The fault → the check that finds it.
FAULTS = {
    "gives_back": "test_a_link_lost_after_sending_leaves_the_message_in_doubt",
    "swallows_refusals": "test_a_refusal_is_told_with_a_code_and_a_reason",
    "changes_texts": "test_the_operator_gets_what_was_written",
    "acknowledges_at_once": "test_a_report_is_acknowledged_only_when_it_is_stored",
    "swallows_unknown": "test_an_unknown_report_is_handed_over_and_harms_nothing",
    "tells_its_password": "test_no_secret_text_or_number_is_told_to_anybody",
    "logs_numbers": "test_no_secret_text_or_number_is_told_to_anybody",
    "sleeps": "test_it_never_blocks_the_loop",
    "exposes": "test_its_settings_are_well_formed",
}


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, Any]]:
    """Return the generator's connector as a module, and its scripted operator."""
    scaffolding.write("connector", "acme", tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import pennywire_acme  # type: ignore[import-not-found]  # noqa: PLC0415  # It was written just now.

    space: dict[str, Any] = {"__name__": "written"}
    exec(compile((tmp_path / "test_acme.py").read_text(), "test_acme.py", "exec"), space)  # As above.
    yield pennywire_acme, space["AcmeOperator"]
    del sys.modules["pennywire_acme"]


def break_connector(fault: str, module: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the connector with a fault."""
    session, connector = module.Session, module.AcmeConnector
    submit, store = vars(session)["_submit"], vars(session)["_store"]

    async def store_at_once(self: Any, said: Any) -> bool:
        await store(self, said)
        return True

    async def store_known(self: Any, said: Any) -> bool:
        return said.get("report", "acme").startswith("acme") is False or await store(self, said)

    def log_and_submit(self: Any, writer: Any, submission: Any) -> None:
        self._link.log(f"sending to {submission.destination}")
        submit(self, writer, submission)

    def sleep_and_submit(self: Any, writer: Any, submission: Any) -> None:
        methodcaller("sleep", 0)(time)  # A connector must not, however short.
        submit(self, writer, submission)

    patches: dict[str, tuple[Any, str, Any]] = {
        "gives_back": (module, "OutcomeUnknown", LinkDown),
        "swallows_refusals": (module, "read_outcome", lambda said: Accepted(said.get("id", "?"))),
        "changes_texts": (module, "say", _shouting(module.say)),
        "acknowledges_at_once": (session, "_store", store_at_once),
        "swallows_unknown": (session, "_store", store_known),
        "tells_its_password": (connector, "__repr__", lambda self: f"Acme({self.values})"),
        "logs_numbers": (session, "_submit", log_and_submit),
        "sleeps": (session, "_submit", sleep_and_submit),
        "exposes": (connector, "settings", (*connector.settings, Setting("api_token", "Token"))),
    }
    target, name, value = patches[fault]
    monkeypatch.setattr(target, name, value, raising=False)
    return connector


def _shouting(say: Any) -> Any:
    return lambda writer, words: say(writer, {name: word.upper() if name == "text" else word for name, word in words.items()})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_check(fault: str, acme: tuple[ModuleType, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    module, make_operator = acme
    kit = ConnectorConformance()
    kit.connector = break_connector(fault, module, monkeypatch)  # type: ignore[misc]  # one kit, one connector
    check = getattr(kit, FAULTS[fault])
    arguments: dict[str, Any] = {} if fault == "exposes" else {"operator": make_operator()}

    with pytest.raises((AssertionError, BaseExceptionGroup)):
        check(**arguments, **({"text": "Hello"} if fault == "changes_texts" else {}))


def test_a_class_without_an_operator_is_told_what_it_lacks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pennywire import Connector
        from pennywire.testing import ConnectorConformance

        class TestMine(ConnectorConformance):
            connector = Connector
        """
    )

    # Named here, so that the test does not depend on how fresh the installation of this checkout is.
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:pennywire", "-p", "pennywire.testing.plugin", "-k", "reconnects")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*needs a scripted operator*"])

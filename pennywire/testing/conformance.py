"""The conformance kit: what every connector promises, as tests. Inherit `ConnectorConformance` and supply a scripted operator.

    class TestAcme(ConnectorConformance):
        connector = AcmeConnector

        @pytest.fixture
        def operator(self) -> AcmeOperator:
            return AcmeOperator()

Nothing here depends on the speed of the machine: checks wait for what must come, with deadlines far beyond any need.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

import pytest

from pennywire.connector import Connector, OutcomeUnknown
from pennywire.settings import read_settings
from pennywire.sms import decode
from pennywire.testing.blocking import blocking_calls
from pennywire.testing.operator import CannotPlay, Operator, Play
from pennywire.testing.trial import TRIAL_S, LogKeeper, Trial, trial
from pennywire.values import Accepted, Incoming, Rejected, ReportState, Throttled

HANDSET = "+36309998877"
SHORT_CODE = "12345"
PRIVATE_TEXT = "Your code is 775533"
LONG_TEXT = "The quick brown fox jumps over the lazy dog. " * 8

_SECRET_NAME = re.compile(r"(^|_)(password|passphrase|secret|token|api_key|private_key)(_|$)")

_Check = Callable[[Any, Trial], Awaitable[None]]


def played(*, impatient: bool = False) -> Callable[[_Check], Callable[..., None]]:
    """Make a test of a check: it plays it against the operator of the fixture, with its settings, `impatience` over them if asked to."""

    def decorate(check: _Check) -> Callable[..., None]:
        def test(self: "ConnectorConformance", operator: Operator) -> None:
            self.play(operator, lambda one: check(self, one), operator.impatience if impatient else {})

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


class ConnectorConformance:
    """The kit. `connector` is the kind under test; the fixture `operator` returns a fresh scripted `Operator`."""

    connector: ClassVar[type[Connector]]

    def play(self, operator: Operator, check: Callable[[Trial], Awaitable[None]], given: Mapping[str, Any]) -> None:
        """Run a check against a running connector; what the network cannot do is skipped."""

        async def scenario() -> None:
            async with trial(self.connector, operator, given) as one:
                await check(one)

        try:
            asyncio.run(scenario())
        except CannotPlay as error:
            pytest.skip(str(error))

    # What it says of itself.

    def test_its_kind_is_named_and_described(self) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", self.connector.kind), "`kind` is a short word in small letters."
        assert self.connector.label.strip(), "`label` is what the operator reads."
        assert self.connector.description.strip(), "`description` is one sentence for the operator."

    def test_its_settings_are_well_formed(self) -> None:
        """Names are unique and identifiers, defaults are values that the setting itself would take, and secrets are declared as such."""
        settings = self.connector.settings
        names = [setting.name for setting in settings]

        assert len(set(names)) == len(names), "Two settings have one name."
        assert [name for name in names if not name.isidentifier()] == [], "Names are identifiers, or no command line could give them."
        assert [one.name for one in settings if one.default is not None and one.read(one.default) != one.default] == []
        exposed = [one.name for one in settings if _SECRET_NAME.search(one.name) and not one.secret and one.type == "text"]
        assert exposed == [], "These hold secrets by their names; declare them as SettingType.SECRET."

    # Sending.

    @played()
    async def test_it_comes_up_and_a_message_is_accepted_with_an_id(self, one: Trial) -> None:
        await one.link.until(lambda link: link.is_up, timeout_s=TRIAL_S)
        submissions = one.feed()
        await one.settled(submissions)

        [answer] = one.link.answers
        assert isinstance(answer.outcome, Accepted)
        assert one.failures(submissions) == []

    @pytest.mark.parametrize("text", ["Hello {[€]}", "Árvíztűrő tükörfúrógép 🚀", LONG_TEXT], ids=["gsm", "ucs2", "long"])
    def test_the_operator_gets_what_was_written(self, operator: Operator, text: str) -> None:
        async def check(one: Trial) -> None:
            submissions = one.feed(text=text)
            await one.settled(submissions)

            received = one.operator.received
            assert [type(outcome) for outcome in one.link.outcomes] == [Accepted] * len(submissions)
            assert {each.destination.lstrip("+") for each in received} == {one.operator.destination(Play.ACCEPT).lstrip("+")}
            assert Counter(each.text for each in received) == Counter(submission.text for submission in submissions)

        self.play(operator, check, {})

    @played()
    async def test_a_refusal_is_told_with_a_code_and_a_reason(self, one: Trial) -> None:
        await one.settled(one.feed(Play.REFUSE))

        [outcome] = one.link.outcomes
        assert isinstance(outcome, Rejected)
        assert outcome.code
        assert outcome.reason
        assert await one.accepted()

    @played()
    async def test_a_throttle_refuses_nothing_and_the_link_lives_on(self, one: Trial) -> None:
        await one.settled(one.feed(Play.THROTTLE))

        [outcome] = one.link.outcomes
        assert isinstance(outcome, Throttled)
        assert outcome.after_s >= 0
        assert await one.accepted()

    # Loss.

    @played(impatient=True)
    async def test_a_lost_answer_is_in_doubt_and_nothing_is_sent_twice(self, one: Trial) -> None:
        submissions = one.feed(Play.SILENCE)
        await one.settled(submissions)

        assert [type(error) for error in one.failures(submissions)] == [OutcomeUnknown]
        assert await one.accepted()
        assert _times_received(one, Play.SILENCE) == 1

    @played()
    async def test_a_link_lost_after_sending_leaves_the_message_in_doubt(self, one: Trial) -> None:
        submissions = one.feed(Play.CUT)
        await one.settled(submissions)

        assert [type(error) for error in one.failures(submissions)] == [OutcomeUnknown]
        assert await one.accepted()
        assert _times_received(one, Play.CUT) == 1

    @played()
    async def test_it_reconnects_by_itself_and_says_so(self, one: Trial) -> None:
        await one.accepted()
        await one.operator.cut()

        assert await one.accepted()
        await one.link.until(lambda link: link.is_up, timeout_s=TRIAL_S)

    # Reports.

    @played()
    async def test_a_report_carries_the_id_of_the_acceptance(self, one: Trial) -> None:
        accepted = await one.accepted()
        await one.operator.report(accepted.network_id, ReportState.DELIVERED)

        report = _reports_of(one, accepted.network_id)[0]
        assert report is ReportState.DELIVERED

    @played()
    async def test_a_failure_is_reported_as_one(self, one: Trial) -> None:
        accepted = await one.accepted()
        await one.operator.report(accepted.network_id, ReportState.UNDELIVERABLE)

        assert _reports_of(one, accepted.network_id)[0] is ReportState.UNDELIVERABLE

    @played()
    async def test_a_late_report_counts_after_the_link_was_lost(self, one: Trial) -> None:
        accepted = await one.accepted()
        await one.operator.cut()
        await one.accepted()
        await one.operator.report(accepted.network_id, ReportState.DELIVERED)

        assert ReportState.DELIVERED in _reports_of(one, accepted.network_id)

    @played()
    async def test_a_doubled_report_is_handed_over_each_time(self, one: Trial) -> None:
        """The gateway knows repeats; a connector that swallowed them would have to remember for ever."""
        accepted = await one.accepted()
        await one.operator.report(accepted.network_id, ReportState.DELIVERED)
        await one.operator.report(accepted.network_id, ReportState.DELIVERED)

        assert len(_reports_of(one, accepted.network_id)) >= 2
        assert await one.accepted()

    @played()
    async def test_an_unknown_report_is_handed_over_and_harms_nothing(self, one: Trial) -> None:
        await one.accepted()
        unknown_id = one.operator.unknown_id
        await one.operator.report(unknown_id, ReportState.DELIVERED)

        assert _reports_of(one, unknown_id) == [ReportState.DELIVERED]
        assert await one.accepted()

    @played()
    async def test_a_report_is_acknowledged_only_when_it_is_stored(self, one: Trial) -> None:
        accepted = await one.accepted()

        await _offered_until_stored(one, one.operator.report(accepted.network_id, ReportState.DELIVERED))
        assert ReportState.DELIVERED in _reports_of(one, accepted.network_id)

    # Incoming messages.

    @played()
    async def test_an_incoming_message_arrives_as_it_was_written(self, one: Trial) -> None:
        await one.accepted()
        await one.operator.incoming(HANDSET, SHORT_CODE, "STOP @ Árvíz")

        [incoming] = one.link.incomings
        assert (incoming.source, incoming.destination) == (HANDSET, SHORT_CODE)
        assert _text(incoming) == "STOP @ Árvíz"

    @played()
    async def test_an_incoming_message_is_acknowledged_only_when_it_is_stored(self, one: Trial) -> None:
        await one.accepted()

        await _offered_until_stored(one, one.operator.incoming(HANDSET, SHORT_CODE, "Hello"))
        assert len(one.link.incomings) == 1

    # The end. Every check ends with it; these look at what is under way then.

    @played()
    async def test_a_stop_in_mid_flight_gives_back_nothing_that_was_sent(self, one: Trial) -> None:
        for number in range(50):
            one.feed(text=f"Hello {number}")
        await one.link.until(lambda link: link.answers or link.taken, timeout_s=TRIAL_S)
        one.link.stop()
        await one.link.until(lambda link: not link.taken, timeout_s=TRIAL_S)

        given_back = {failure.submission.text for failure in one.link.failures if not isinstance(failure.error, OutcomeUnknown)}
        assert given_back & {each.text for each in one.operator.received} == set(), "What the operator has would be sent again."

    @played(impatient=True)
    async def test_a_stop_does_not_wait_for_ever_for_an_answer(self, one: Trial) -> None:
        submissions = one.feed(Play.SILENCE)
        await one.link.until(lambda link: link.taken or link.failures, timeout_s=TRIAL_S)
        one.link.stop()
        await one.settled(submissions)

        assert len(one.failures(submissions)) == 1

    # Manners.

    def test_no_secret_text_or_number_is_told_to_anybody(self, operator: Operator) -> None:
        """Looks at all loggers, the connection's lines and states, reasons of refusals, and the connector's own repr."""
        said: list[str] = []

        async def check(one: Trial) -> None:
            said.append(_destination_or_none(one, Play.ACCEPT))
            for play in (Play.ACCEPT, Play.REFUSE, Play.THROTTLE, Play.CUT, Play.SILENCE):
                if _destination_or_none(one, play):
                    await one.settled(one.feed(play, PRIVATE_TEXT))
            await one.accepted()
            told = [repr(one.connector), *one.link.lines, *map(str, one.link.states), *map(str, _reasons(one)), *log.lines]
            said[:] = ["\n".join(told), *self._secrets(one)]
            assert [number for number in _destinations(one) if number.lstrip("+") in said[0]] == [], "A full number was told."

        with LogKeeper() as log:
            self.play(operator, check, operator.impatience)

        told, *secrets = said
        assert [one for one in secrets if one in told] == [], "A secret was told."
        assert PRIVATE_TEXT not in told, "The text of a message was told."

    def test_it_never_blocks_the_loop(self, operator: Operator) -> None:
        """No call of the loop's thread sleeps, resolves a name, opens a blocking connection or starts a program."""
        found: list[str] = []

        async def check(one: Trial) -> None:
            with blocking_calls() as calls:
                await one.accepted()
                one.link.stop()
                await one.link.until(lambda link: not link.taken, timeout_s=TRIAL_S)
            found.extend(calls)

        self.play(operator, check, {})

        assert found == []

    def _secrets(self, one: Trial) -> list[str]:
        values = read_settings(self.connector.settings, one.operator.settings)
        names = [setting.name for setting in self.connector.settings if setting.secret]
        secrets = [str(values[name]) for name in names if values[name]]
        assert secrets or not names, f"Give one of {', '.join(names)} a value in the operator's settings, or this check sees nothing."
        return secrets


def _destination_or_none(one: Trial, play: Play) -> str:
    """Return the destination of a play, or nothing where the network has no such play."""
    try:
        return one.operator.destination(play)
    except CannotPlay:
        return ""


def _destinations(one: Trial) -> list[str]:
    return [number for number in (_destination_or_none(one, play) for play in Play) if number]


def _times_received(one: Trial, play: Play) -> int:
    number = one.operator.destination(play).lstrip("+")
    return sum(each.destination.lstrip("+") == number for each in one.operator.received)


def _reports_of(one: Trial, network_id: str) -> list[ReportState]:
    return [report.state for report in one.link.reports if network_id in report.network_ids]


def _reasons(one: Trial) -> list[object]:
    """Return the words of refusals and failures."""
    return [getattr(said, "outcome", None) or getattr(said, "error", "") for said in (*one.link.answers, *one.link.failures)]


def _text(incoming: Incoming) -> str:
    return incoming.text if incoming.text is not None else decode(incoming.user_data, incoming.alphabet)


async def _offered_until_stored(one: Trial, offer: Awaitable[None]) -> None:
    """Let the gateway refuse what is offered until it was offered twice: nobody acknowledged it the first time."""
    one.link.refuse_storing = True
    offering = asyncio.ensure_future(offer)
    try:
        refused = asyncio.create_task(one.link.until(lambda link: link.refused_count >= 2, timeout_s=TRIAL_S))
        await asyncio.wait({offering, refused}, return_when=asyncio.FIRST_COMPLETED)
        assert not offering.done() or offering.exception(), "It was acknowledged, and the gateway had not stored it."
        if not offering.done():
            await refused
        refused.cancel()
        one.link.refuse_storing = False
        await asyncio.wait_for(offering, TRIAL_S)
    finally:
        offering.cancel()

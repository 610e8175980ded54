"""What no database stores as text, or no encoding has, comes from networks and customers all the same: nothing stops on it."""

from typing import Any

import pytest

from pennywire import Accepted, Alphabet, Draft, Incoming, OutcomeUnknown, Rejected, Report, ReportState

World = Any
ODD = ["a\x00b", "a\ud800b"]
MENDED = "a\ufffdb"


@pytest.fixture
def line(world: World) -> Any:
    world.user(credit="100")
    connection = world.connection()
    world.route(cost="2")
    world.route("in", ["anna"], inward=True)
    return connection


@pytest.mark.parametrize("odd", ODD)
def test_incoming_text_is_stored(world: World, line: Any, odd: str) -> None:
    world.receive(line, Incoming("+36205555555", "1700", text=odd, raw=odd, parameters={"note": odd}))

    (message,) = world.messages("inbound")
    assert message.text == MENDED


@pytest.mark.parametrize(
    ("alphabet", "octets"), [(Alphabet.UCS2, b"\x00a\x00\x00\x00b"), (Alphabet.UCS2, b"\x00a\xd8\x00\x00b"), (Alphabet.LATIN1, b"a\x00b")]
)
def test_incoming_octets_are_stored(world: World, line: Any, alphabet: Alphabet, octets: bytes) -> None:
    world.receive(line, Incoming("+36205555555", "1700", user_data=octets, alphabet=alphabet, network_id="m\x00"))

    (message,) = world.messages("inbound")
    assert message.text == MENDED


@pytest.mark.parametrize("odd", ODD)
def test_incoming_addresses_are_stored(world: World, line: Any, odd: str) -> None:
    world.receive(line, Incoming(odd, "1700", text="x"))
    world.receive(line, Incoming("+36205555555", odd, text="y"))

    assert [message.text for message in world.messages("inbound")] == ["x", "y"]


@pytest.mark.parametrize("odd", ODD)
def test_report_is_applied(world: World, line: Any, odd: str) -> None:
    number = world.send()
    world.accept(line, "n")

    world.report(line, Report(("n",), ReportState.UNDELIVERABLE, error_code=odd, raw=odd, destination=odd))

    assert world.message(number).state == "undeliverable"


@pytest.mark.parametrize("odd", ODD)
def test_report_that_matches_nothing_is_parked(world: World, line: Any, odd: str) -> None:
    number = world.send()
    (submission,) = world.claim(line)
    world.report(line, Report((odd,), ReportState.DELIVERED, error_code=odd, raw=odd, destination=odd))

    world.answer(line, (submission, Accepted(odd)))

    assert world.message(number).state == "delivered"


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("permanent", [True, False])
def test_refusal_is_recorded(world: World, line: Any, odd: str, permanent: bool) -> None:
    number = world.send()

    world.answer(line, (world.claim(line)[0], Rejected(odd, odd, permanent=permanent)))

    assert world.message(number).state == ("rejected" if permanent else "queued")


@pytest.mark.parametrize("odd", ODD)
def test_doubt_is_recorded(world: World, line: Any, odd: str) -> None:
    number = world.send()

    world.answer(line, (world.claim(line)[0], OutcomeUnknown(odd)))

    assert world.message(number).state == "in_doubt"


@pytest.mark.usefixtures("line")
def test_half_a_character_of_a_customer_is_stored_as_it_is_sent(world: World) -> None:
    number = world.send("a\ud800b")

    assert world.message(number).text == MENDED


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (Draft("+36201234567", "nul \x00"), "invalid_text"),
        (Draft("+36201234567", "x", parameters={"note": "\x00"}), "invalid_parameter"),
        (Draft("+36201234567", "x", parameters={"note": "\ud800"}), "invalid_parameter"),
        (Draft("+36201234567", "x", parameters={"note": object()}), "invalid_parameter"),
        (Draft("+36201234567", "x", client_reference="\x00"), "invalid_parameter"),
        (Draft("+36201234567", "x", client_reference="\ud800"), "invalid_parameter"),
        (Draft("+36201234567", "x", client_reference="r" * 97), "invalid_parameter"),
        (Draft("+36201234567", "x", message_class=4), "invalid_parameter"),
        (Draft("+36201234567", "x", message_class=-1), "invalid_parameter"),
        (Draft("+36201234567", "x", priority=4), "invalid_parameter"),
        (Draft("+36201234567", "x", source="\x00"), "invalid_source"),
        (Draft("+36201234567", "x", source="a" * 17), "invalid_source"),
        (Draft("\x00", "x"), "invalid_destination"),
        (Draft("\ud800", "x"), "invalid_destination"),
        (Draft("", "x"), "missing_destination"),
        (Draft("+36201234567", ""), "empty_text"),
    ],
)
def test_odd_draft_is_refused_with_its_reason(world: World, draft: Draft, code: str) -> None:
    (result,) = world.submit(draft).results

    assert getattr(result, "code", "accepted") == code
    assert world.messages() == []
    assert world.queue() == []
    assert world.money() == ("100", "0")

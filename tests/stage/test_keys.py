"""Idempotency keys: the same key and content is one message, one charge and the same answer (trap M13)."""

from datetime import timedelta
from typing import Any

import pytest

from app import messages
from app.messages import Answer, Request
from app.refusals import RequestRefused
from pennywire import Draft

World = Any
TO = "+36201234567"


@pytest.fixture(autouse=True)
def line(world: World) -> Any:
    for name in ("anna", "bela"):
        world.user(name, credit="10")
    connection = world.connection()
    world.route(cost="2")
    return connection


def asked(world: World, text: str = "x", user: str = "anna", key: str = "k", **values: Any) -> Answer:
    answer: Answer = world.submit(Draft(TO, text), user=user, key=key, fingerprint=text, **values)
    return answer


def admit(world: World, *wishes: tuple[str, str]) -> list[messages.Verdict]:
    """Admit requests of (key, text) in one transaction, as they may meet in one batch."""
    snapshot = world.core.snapshots.present()
    user = snapshot.users["anna"]
    prepared = [
        messages.prepare(snapshot, Request(user, (Draft(TO, text),), "rest", key=key, fingerprint=text), now=world.now)
        for key, text in wishes
    ]
    with world.core.database.write() as session:
        return messages.admit(session, prepared, ids=world.core.ids, now=world.now)


def test_repeat_gets_the_first_answer_whatever_became_of_the_message(world: World, line: Any) -> None:
    first = asked(world)
    world.accept(line, "n")

    second = asked(world)

    assert (first.replayed, second.replayed) == (False, True)
    assert second.results == first.results
    assert len(world.messages()) == 1
    assert world.money() == ("8", "0")


def test_other_content_under_the_key_is_refused_and_costs_nothing(world: World) -> None:
    asked(world)

    with pytest.raises(RequestRefused) as refused:
        asked(world, "y")

    assert refused.value.refused.code == "idempotency_conflict"
    assert len(world.messages()) == 1
    assert world.money() == ("10", "2")


def test_keys_of_two_users_have_nothing_to_do_with_each_other(world: World) -> None:
    asked(world)

    assert not asked(world, "y", user="bela").replayed
    assert len(world.messages()) == 2


def test_refusal_is_not_kept(world: World) -> None:
    """The same request may succeed once there is credit; nothing was charged before."""
    for number in range(5):
        asked(world, str(number), key=f"k{number}")

    refused = asked(world, "late", key="late")
    with world.core.database.write() as session:
        from app import administration  # noqa: PLC0415

        administration.top_up(session, "anna", 2_000_000, now=world.now, actor="test", reason="cash")
    accepted = asked(world, "late", key="late")

    assert [result.code for result in refused.results] == ["no_credit"]
    assert not accepted.replayed
    assert len(world.messages()) == 6


def test_half_refused_answer_is_kept_as_it_is(world: World) -> None:
    drafts = (Draft(TO, "x"), Draft("", "x"))
    first = world.submit(*drafts, key="k", fingerprint="f")

    second = world.submit(*drafts, key="k", fingerprint="f")

    assert second == Answer(first.results, replayed=True)
    assert first.results[1].code == "missing_destination"


@pytest.mark.parametrize(("window_s", "alive"), [(None, 7 * 24 * 3600), (60, 60)])
def test_key_is_forgotten_after_its_time(world: World, window_s: int | None, alive: int) -> None:
    asked(world, key_window_s=window_s)

    world.now += timedelta(seconds=alive - 1)
    before = asked(world, key_window_s=window_s)
    world.now += timedelta(seconds=1)
    after = asked(world, key_window_s=window_s)

    assert (before.replayed, after.replayed) == (True, False)
    assert len(world.messages()) == 2


def test_sweeper_forgets_keys_after_seven_days(world: World) -> None:
    asked(world)

    assert world.sweep(timedelta(days=7) - timedelta(seconds=1))["old_keys"] == 0
    assert world.sweep(timedelta(seconds=1))["old_keys"] == 1


def test_twins_in_one_batch_are_one_message(world: World) -> None:
    first, second, third = admit(world, ("k", "x"), ("k", "x"), ("", "x"))

    assert isinstance(first, Answer)
    assert isinstance(third, Answer)
    assert second == Answer(first.results, replayed=True)
    assert len(world.messages()) == 2
    assert world.money() == ("10", "4")


def test_key_with_two_contents_in_one_batch_is_given_to_the_first(world: World) -> None:
    first, second = admit(world, ("k", "x"), ("k", "y"))

    assert isinstance(first, Answer)
    assert isinstance(second, RequestRefused)
    assert second.refused.code == "idempotency_conflict"
    assert [message.text for message in world.messages()] == ["x"]


def test_repeat_is_answered_though_another_content_met_it_in_its_batch(world: World) -> None:
    stored = asked(world)

    conflict, repeat = admit(world, ("k", "y"), ("k", "x"))

    assert isinstance(conflict, RequestRefused)
    assert repeat == Answer(stored.results, replayed=True)


def test_twin_of_a_refused_request_is_refused_with_it(world: World) -> None:
    for number in range(5):
        asked(world, str(number), key=f"k{number}")

    first, second = admit(world, ("k", "x"), ("k", "x"))

    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert [result.code for result in first.results + second.results] == ["no_credit", "no_credit"]  # type: ignore[union-attr]


@pytest.mark.parametrize("key", ["k" * 129, "nul\x00", "line\n"])
def test_key_that_cannot_be_stored_is_refused(world: World, key: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        asked(world, key=key)

    assert (refused.value.refused.code, refused.value.refused.field) == ("invalid_parameter", "key")
    assert world.messages() == []

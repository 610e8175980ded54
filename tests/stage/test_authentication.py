"""Who is let in, how fast, and who has to wait."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.security import check_password_hash, generate_password_hash

from app import administration, authentication
from app.authentication import FREE_FAILURES_BY_ADDRESS, FREE_FAILURES_BY_NAME, Authenticator, TooManyAttempts
from app.models import Throttle, User
from app.refusals import RequestRefused

World = Any
PASSWORD = "correct horse"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were compared with a slow hash; the hash itself is made cheap."""
    compared: list[str] = []

    def counted(stored: str, password: str) -> bool:
        compared.append(password)
        return check_password_hash(stored, password)

    monkeypatch.setattr(authentication, "check_password_hash", counted)
    return compared


@pytest.fixture
def door(world: World) -> Authenticator:
    """An authenticator, with anna whose password is known."""
    world.user()
    give_password(world, "anna", PASSWORD)
    return Authenticator(world.core)


def give_password(world: World, name: str, password: str) -> None:
    with world.core.database.write() as session:
        administration.find_user(session, name).password_hash = generate_password_hash(password, method="pbkdf2:sha256:1")
        administration.changed(session)
    world.core.snapshots.reload()


def edit(world: World, name: str, **values: Any) -> None:
    with world.core.database.write() as session:
        administration.edit_user(session, name, now=world.now, actor="test", **values)
    world.core.snapshots.reload()


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(RequestRefused) as caught:
        call()
    return caught.value.refused.code


def fail(door: Authenticator, times: int, *, name: str = "anna", address: str = HERE) -> None:
    for _ in range(times):
        with pytest.raises(RequestRefused):
            door.password(name, "wrong", address=address)


def throttles(world: World) -> dict[str, int]:
    with world.core.database.read() as session:
        return {row.key: row.failure_count for row in session.query(Throttle)}


def test_the_right_password_is_hashed_slowly_once(door: Authenticator, slow: list[str]) -> None:
    users = [door.password("anna", PASSWORD, address=HERE) for _ in range(3)]

    assert [user.username for user in users] == ["anna"] * 3
    assert slow == [PASSWORD]


def test_a_remembered_password_lets_no_other_in(door: Authenticator, slow: list[str]) -> None:
    door.password("anna", PASSWORD, address=HERE)

    assert refusal(lambda: door.password("anna", "wrong", address=HERE)) == "unauthenticated"
    assert slow == [PASSWORD, "wrong"]


def test_a_new_password_kills_the_old_one_at_once(world: World, door: Authenticator) -> None:
    door.password("anna", PASSWORD, address=HERE)
    give_password(world, "anna", "another one")

    assert refusal(lambda: door.password("anna", PASSWORD, address=HERE)) == "unauthenticated"
    assert door.password("anna", "another one", address=HERE).username == "anna"


def test_rights_are_always_the_present_ones(world: World, door: Authenticator, slow: list[str]) -> None:
    door.password("anna", PASSWORD, address=HERE)
    edit(world, "anna", max_segments=3)
    assert door.password("anna", PASSWORD, address=HERE).max_segments == 3

    edit(world, "anna", active=False)

    assert refusal(lambda: door.password("anna", PASSWORD, address=HERE)) == "user_suspended"
    assert slow == [PASSWORD]


def test_an_unknown_user_costs_a_slow_hash_and_gets_the_same_answer(door: Authenticator, slow: list[str]) -> None:
    with pytest.raises(RequestRefused) as unknown:
        door.password("nobody", "x", address=HERE)
    with pytest.raises(RequestRefused) as wrong:
        door.password("anna", "x", address=HERE)

    assert unknown.value.refused == wrong.value.refused
    assert slow == ["x", "x"]


def test_a_user_without_a_password_cannot_be_entered(world: World, door: Authenticator, slow: list[str]) -> None:
    world.user("robot")

    assert refusal(lambda: door.password("robot", "", address=HERE)) == "unauthenticated"
    assert slow == [""]


def test_failures_make_the_name_wait_before_the_next_hash(world: World, door: Authenticator, slow: list[str]) -> None:
    fail(door, FREE_FAILURES_BY_NAME)

    assert refusal(lambda: door.password("anna", PASSWORD, address=HERE)) == "too_many_attempts"
    assert len(slow) == FREE_FAILURES_BY_NAME
    world.now += timedelta(seconds=2)
    assert door.password("anna", PASSWORD, address=HERE).username == "anna"


def test_each_further_failure_doubles_the_wait(world: World, door: Authenticator) -> None:
    waits = []
    for _ in range(FREE_FAILURES_BY_NAME + 14):
        fail(door, 1)
        if throttles(world)[f"login anna {HERE}"] >= FREE_FAILURES_BY_NAME:
            with pytest.raises(TooManyAttempts) as caught:
                door.password("anna", PASSWORD, address=HERE)
            waits.append(caught.value.wait_s)
            world.now += timedelta(seconds=caught.value.wait_s)

    assert waits[:5] == [2, 3, 5, 9, 17]
    assert max(waits) <= authentication.LONGEST_WAIT_S + 1


def test_an_unknown_name_waits_like_a_known_one(door: Authenticator) -> None:
    fail(door, FREE_FAILURES_BY_NAME, name="nobody")

    assert refusal(lambda: door.password("nobody", "x", address=HERE)) == "too_many_attempts"


def test_nobody_can_lock_out_a_user_from_elsewhere(door: Authenticator) -> None:
    fail(door, FREE_FAILURES_BY_NAME + 1, address=ELSEWHERE)

    assert door.password("anna", PASSWORD, address=HERE).username == "anna"


def test_a_remembered_password_is_let_in_whatever_others_try(door: Authenticator) -> None:
    door.password("anna", PASSWORD, address=HERE)
    fail(door, FREE_FAILURES_BY_NAME + 1)

    assert door.password("anna", PASSWORD, address=HERE).username == "anna"


def test_an_address_that_tries_many_names_has_to_wait(world: World, door: Authenticator) -> None:
    for number in range(FREE_FAILURES_BY_ADDRESS):
        fail(door, 1, name=f"user{number}")

    assert refusal(lambda: door.password("anna", PASSWORD, address=HERE)) == "too_many_attempts"
    assert throttles(world)[f"address {HERE}"] == FREE_FAILURES_BY_ADDRESS


def test_success_forgets_the_failures_of_the_name_and_not_of_the_address(world: World, door: Authenticator) -> None:
    fail(door, 3)
    door.password("anna", PASSWORD, address=HERE)

    assert throttles(world) == {f"address {HERE}": 3}


def test_old_failures_do_not_count(world: World, door: Authenticator) -> None:
    fail(door, FREE_FAILURES_BY_NAME - 1)
    world.now += timedelta(minutes=16)
    fail(door, 1)

    assert throttles(world) == {f"login anna {HERE}": 1, f"address {HERE}": 1}


def test_all_processes_count_together(world: World, door: Authenticator) -> None:
    other = Authenticator(world.core)
    fail(door, FREE_FAILURES_BY_NAME - 1)
    fail(other, 1)

    assert refusal(lambda: door.password("anna", PASSWORD, address=HERE)) == "too_many_attempts"


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), ("::ffff:192.0.2.9", "192.0.2.9"), ("fe80::1%eth0", "fe80::2%eth1"), ("", "")],
)
def test_addresses_of_one_network_count_as_one(world: World, door: Authenticator, one: str, other: str) -> None:
    fail(door, 1, address=one)
    fail(door, 1, address=other)

    assert sorted(throttles(world).values()) == [2, 2]


@pytest.mark.parametrize("name", ["anna\x00", "a" * 5000, "ann\u00e4", "\ud800", "' OR 1=1 --", "\n"])
def test_strange_names_are_refused_like_any_other(world: World, door: Authenticator, name: str) -> None:
    assert refusal(lambda: door.password(name, "x", address=HERE)) == "unauthenticated"
    assert len(throttles(world)) == 2


def test_nothing_secret_is_stored_or_logged(world: World, door: Authenticator, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        fail(door, 1, name="hunter2-typed-as-name")
        with pytest.raises(RequestRefused):
            door.password("anna", "hunter2", address="192.0.2.1\nforged line")
        door.password("anna", PASSWORD, address=HERE)

    assert "hunter2" not in caplog.text + repr(throttles(world)) + repr(vars(door))
    assert PASSWORD not in caplog.text + repr(vars(door))
    assert "\nforged" not in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_basic_credentials_come_in_two_encodings(world: World, door: Authenticator, encoding: str) -> None:
    give_password(world, "anna", "jelsz\u00f3-\u00e9\u00fc")

    assert door.basic(b"anna", "jelsz\u00f3-\u00e9\u00fc".encode(encoding), address=HERE).username == "anna"
    assert refusal(lambda: door.basic(b"ann\xff", b"x", address=HERE)) == "unauthenticated"


def test_many_at_once_wait_for_one_hash(door: Authenticator, slow: list[str]) -> None:
    threads = [threading.Thread(target=lambda: door.password("anna", PASSWORD, address=HERE)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 <= len(slow) <= authentication.HASHES_AT_ONCE


def test_what_is_remembered_is_bounded(world: World, door: Authenticator, slow: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "REMEMBERED_USERS", 1)
    world.user("ben")
    give_password(world, "ben", PASSWORD)

    for name in ("anna", "ben", "anna"):
        door.password(name, PASSWORD, address=HERE)

    assert len(slow) == 3


def test_old_counts_are_swept(world: World, door: Authenticator) -> None:
    fail(door, 1)
    world.now += timedelta(hours=1)
    fail(door, 1, address=ELSEWHERE)

    assert set(throttles(world)) == {f"login anna {ELSEWHERE}", f"address {ELSEWHERE}"}


# Keys.


def test_a_key_is_its_users(world: World, door: Authenticator, slow: list[str]) -> None:
    with world.core.database.write() as session:
        key = administration.add_key(session, "anna", "test", now=world.now, actor="test")
    world.core.snapshots.reload()

    assert door.key(key, address=HERE).user.username == "anna"
    assert slow == []


def test_a_revoked_key_and_a_key_of_a_user_who_is_off_are_refused(world: World, door: Authenticator) -> None:
    with world.core.database.write() as session:
        first = administration.add_key(session, "anna", "one", now=world.now, actor="test")
        second = administration.add_key(session, "anna", "two", now=world.now, actor="test")
        session.flush()
        administration.revoke_key(session, 1, now=world.now, actor="test")
    edit(world, "anna", active=False)

    assert refusal(lambda: door.key(first, address=HERE)) == "unauthenticated"
    assert refusal(lambda: door.key(second, address=HERE)) == "user_suspended"


@pytest.mark.parametrize("token", ["", "pw_", "pw_" + "x" * 32, "\ud800", "x" * 100_000])
def test_other_keys_are_refused_and_not_counted(world: World, door: Authenticator, token: str) -> None:
    assert refusal(lambda: door.key(token, address=HERE)) == "unauthenticated"
    assert throttles(world) == {}


def test_the_stored_hash_is_the_slow_one(world: World, door: Authenticator) -> None:
    with world.core.database.write() as session:
        administration.set_password(session, "anna", "a fresh password", now=world.now, actor="test")
    world.core.snapshots.reload()

    with world.core.database.read() as session:
        assert session.query(User).one().password_hash.startswith("scrypt:")
    assert door.password("anna", "a fresh password", address=HERE).username == "anna"

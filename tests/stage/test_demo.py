"""The demonstration, on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.security import check_password_hash

from app import administration, ledger, migrations
from app.clock import utc_now
from app.config import Settings, prepare_data_folder
from app.core import Core, open_core
from app.db import make_engine
from app.running import demo
from app.secrets import digest
from pennywire import Direction, RoutingSubject


@pytest.fixture
def core(database_url: str, tmp_path: Path) -> Iterator[Core]:
    settings = prepare_data_folder(Settings(data=tmp_path / "data", database_url=database_url))
    engine = make_engine(settings.url)
    migrations.upgrade(engine)
    engine.dispose()
    opened = open_core(settings)
    yield opened
    opened.close()


def _available(core: Core, username: str) -> str:
    with core.database.read() as session:
        account = administration.account_of(session, administration.find_user(session, username))
    return ledger.format_credits(account.balance_uc - account.reserved_uc)


def test_the_customer_can_get_in_and_pay(core: Core) -> None:
    made = demo.prepare(core)

    snapshot = core.snapshots.reload()
    user = snapshot.users[made.username]
    assert check_password_hash(user.password_hash, made.password)
    assert snapshot.keys[digest(made.api_key)].user_id == user.id
    assert (user.accounting_enabled, user.legacy_api_enabled) == (True, True)
    assert _available(core, made.username) == "100"
    assert [connection.started for connection in snapshot.connections.values()] == [True]
    assert [route.targets for route in (*snapshot.outbound, *snapshot.inbound)] == [("loopback",), (made.username,)]


def test_the_next_start_takes_the_same_customer_and_kills_old_credentials(core: Core) -> None:
    first = demo.prepare(core)

    second = demo.prepare(core)

    snapshot = core.snapshots.reload()
    assert second.username == first.username
    assert not check_password_hash(snapshot.users[first.username].password_hash, first.password)
    assert list(snapshot.keys) == [digest(second.api_key)]
    assert (len(snapshot.connections), len(snapshot.outbound), len(snapshot.inbound)) == (1, 1, 1)


def test_spent_credit_is_given_again_and_more_is_left_alone(core: Core) -> None:
    name = demo.prepare(core).username
    with core.database.write() as session:
        administration.set_credits(session, name, ledger.parse_credits("12.5"), now=utc_now(), actor="test", reason="spent")
    demo.prepare(core)
    filled = _available(core, name)
    with core.database.write() as session:
        administration.top_up(session, name, ledger.parse_credits("400"), now=utc_now(), actor="test", reason="more")
    demo.prepare(core)

    assert (filled, _available(core, name)) == ("100", "500")


def test_beside_an_operators_own_routes_the_demo_is_for_its_customer_alone(core: Core) -> None:
    """It must not send an operator's messages into nothing, nor the demonstration's to a real network."""
    now = utc_now()
    with core.database.write() as session:
        administration.add_connection(session, "mine", "loopback", {}, plugins=core.plugins, vault=core.vault, now=now, actor="test")
        administration.save_route(session, Direction.OUTBOUND, "own", targets=["mine"], plugins=core.plugins, now=now, actor="test")

    name = demo.prepare(core).username

    snapshot = core.snapshots.reload()
    subject = RoutingSubject(Direction.OUTBOUND, "", "+36201234567", "hello", now, username="somebody")
    taken = [snapshot.outbound.first_match(replace(subject, username=username)) for username in ("somebody", name)]
    assert [route.targets for route in taken if route] == [("mine",), ("loopback",)]

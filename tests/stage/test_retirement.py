"""Deleting users and connections: what stands against it is said, and otherwise everything is done and the history stays."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app import administration, ledger, retirement
from app.administration import Conflict, NotThere
from app.lifecycle import ChargeOn, Terms
from app.models import ApiKey, AuditEntry, Message, ServiceConnection, Transfer, User
from app.retirement import Retirement
from app.snapshot import ConnectionView
from pennywire import Direction, Report, ReportState


def retire(world: Any, name: str = "anna", reason: str = "") -> Retirement:
    snapshot = world.core.snapshots.reload()
    done = world.core.database.run(
        lambda session: retirement.retire_user(session, snapshot, name, now=world.now, actor="boss", reason=reason)
    )
    world.core.snapshots.reload()
    return done


def retire_connection(world: Any, name: str = "wire") -> None:
    world.core.database.run(lambda session: retirement.retire_connection(session, name, now=world.now, actor="boss"))
    world.core.snapshots.reload()


def change(world: Any, work: Any) -> Any:
    result = world.core.database.run(work)
    world.core.snapshots.reload()
    return result


def stop(world: Any, connection: ConnectionView) -> None:
    """Stop a connection, and let its engine give the lease back."""
    by = {"plugins": world.core.plugins, "now": world.now, "actor": "test"}
    change(world, lambda session: administration.set_desired(session, connection.name, "stopped", **by))
    change(world, lambda session: world.lease(session, connection.id, seconds=-1))


def rows(world: Any) -> tuple[int, int, int]:
    """Return how many messages, movements and entries of the audit log there are."""
    with world.core.database.read() as session:
        count = lambda table: session.execute(select(func.count()).select_from(table)).scalar_one()  # noqa: E731  # three times
        return count(Message), count(Transfer), count(AuditEntry)


@pytest.fixture
def staffed(world: Any) -> Any:
    """An administrator `boss` beside what the test adds."""
    world.user("boss", role="administrator")
    return world


@pytest.fixture
def wire(staffed: Any) -> ConnectionView:
    """A user with 100 credits, one connection, one route at 2 credits a segment."""
    staffed.user(credit="100")
    connection: ConnectionView = staffed.connection()
    staffed.route(cost="2")
    return connection


def test_a_user_is_locked_out_and_his_history_stays(staffed: Any, wire: ConnectionView) -> None:
    world = staffed
    sent, waiting = world.send(), world.send("later", send_at=world.now + timedelta(hours=1))
    world.accept(wire, "n1")
    queued = world.send("queued")
    key = change(world, lambda session: administration.add_key(session, "anna", "shop", now=world.now, actor="test"))
    before = rows(world)

    done = retire(world, reason="Contract ended")

    assert (done.cancelled_count, done.key_count, ledger.format_credits(done.moved_uc)) == (2, 1, "-98")
    assert world.money() == ("0", "0")
    assert [world.message(number).state for number in (sent, waiting, queued)] == ["sent", "cancelled", "cancelled"]
    assert (rows(world)[0], rows(world)[1] - before[1]) == (before[0], 3)
    snapshot = world.core.snapshots.present()
    assert "anna" not in snapshot.users
    assert not snapshot.keys
    with world.core.database.read() as session:
        user = administration.find_user(session, "anna")
        assert (user.active, user.password_hash, user.retired_at) == (False, "", world.now)
        assert snapshot.users_by_id[user.id].username == "anna"
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert (entry.verb, entry.subject, entry.actor) == ("delete", "user anna", "boss")
        assert entry.after == {"cancelled messages": 2, "revoked keys": 1, "moved": "-98", "reason": "Contract ended"}
    assert key


def test_a_late_report_finds_the_message_of_a_deleted_user(staffed: Any, wire: ConnectionView) -> None:
    number = staffed.send()
    staffed.accept(wire, "n1")
    retire(staffed, reason="x")

    staffed.report(wire, Report(("n1",), ReportState.DELIVERED, "", staffed.now, "stat:DELIVRD"))

    assert staffed.message(number).state == "delivered"
    assert staffed.money() == ("0", "0")


@pytest.mark.full
def test_a_refund_that_comes_late_stays_on_the_account_and_can_be_corrected(staffed: Any) -> None:
    world = staffed
    world.user(credit="2")
    wire = world.connection()
    world.route(cost="2", terms=Terms.of_code("nrrrr"))
    world.send()
    world.accept(wire, "n1")
    retire(world)

    world.report(wire, Report(("n1",), ReportState.UNDELIVERABLE, "1", world.now, "stat:UNDELIV"))
    assert world.money() == ("2", "0")
    by = {"now": world.now, "actor": "boss", "reason": "paid out"}
    change(world, lambda session: administration.top_up(session, "anna", -2_000_000, **by))

    assert world.money() == ("0", "0")
    with pytest.raises(NotThere, match="was deleted on 2026-03-01"):
        change(world, lambda session: administration.top_up(session, "anna", 1, **by))


def _inbound_route(world: Any) -> None:
    world.route("answers", ("anna",), inward=True)


def _in_flight(world: Any) -> None:
    world.send()
    world.claim(world.core.snapshots.present().connections[1])


def _reserved(world: Any) -> None:
    with world.core.database.write() as session:
        route = administration.find_route(session, 1)
        route.terms = Terms(charge_on=ChargeOn.HANDSET).code()
        administration.changed(session)
    world.core.snapshots.reload()
    world.send()
    world.accept(world.core.snapshots.present().connections[1], "n1")


def _child(world: Any) -> None:
    world.user("child")

    def work(session: Any) -> None:
        parent = administration.account_of(session, administration.find_user(session, "anna"))
        administration.account_of(session, administration.find_user(session, "child")).parent_id = parent.id

    change(world, work)


def _two_people(world: Any) -> None:
    change(
        world,
        lambda session: administration.set_option(session, "second_person_above", "50", now=world.now, actor="boss"),
    )


@pytest.mark.parametrize(
    ("prepare", "reason", "said"),
    [
        pytest.param(lambda _world: None, "", "The balance is 100 credits. Give a reason", id="a balance without a reason"),
        pytest.param(_inbound_route, "x", "Routes deliver to anna. .* They are: answers", id="an inbound route", marks=pytest.mark.full),
        pytest.param(_in_flight, "x", "1 segments of anna are with the network", id="in flight"),
        pytest.param(_reserved, "x", "2 credits are reserved", id="a report is awaited", marks=pytest.mark.full),
        pytest.param(_child, "x", "The accounts of child hang on this one", id="an account below", marks=pytest.mark.full),
        pytest.param(_two_people, "x", "more than one person may move", id="a second person", marks=pytest.mark.full),
    ],
)
def test_what_stands_against_deleting_a_user_is_said_and_nothing_is_done(
    staffed: Any, wire: ConnectionView, prepare: Any, reason: str, said: str
) -> None:
    prepare(staffed)
    staffed.send("waits", send_at=staffed.now + timedelta(hours=1))
    before, money = rows(staffed), staffed.money()

    with pytest.raises(Conflict, match=said):
        retire(staffed, reason=reason)

    assert (rows(staffed), staffed.money()) == (before, money)
    assert [message.state for message in staffed.messages()][-1] == "scheduled"
    assert staffed.core.snapshots.present().users["anna"].active
    assert wire.name == "wire"


@pytest.mark.full
@pytest.mark.parametrize(("name", "error", "said"), [("boss", Conflict, "delete himself"), ("nobody", NotThere, "no user 'nobody'")])
def test_who_cannot_be_deleted(staffed: Any, name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        retire(staffed, name)


@pytest.mark.full
def test_the_only_administrator_stays(staffed: Any) -> None:
    snapshot = staffed.core.snapshots.reload()

    with pytest.raises(Conflict, match="only administrator"):
        staffed.core.database.run(lambda session: retirement.retire_user(session, snapshot, "boss", now=staffed.now, actor="cli"))


def test_a_name_is_not_given_again(staffed: Any) -> None:
    staffed.user()
    retire(staffed)

    with pytest.raises(Conflict, match="There was a user anna, deleted on 2026-03-01"):
        staffed.user("Anna")
    with pytest.raises(NotThere, match="was deleted"):
        retire(staffed)
    by = {"now": staffed.now, "actor": "boss"}
    with pytest.raises(NotThere, match="was deleted"):
        change(staffed, lambda session: administration.edit_user(session, "anna", active=True, **by))
    with pytest.raises(NotThere, match="was deleted"):
        change(staffed, lambda session: administration.add_key(session, "anna", "x", **by))


@pytest.mark.full
def test_an_account_with_a_credit_line_is_closed_to_charges(staffed: Any, wire: ConnectionView) -> None:
    """A message that was decided before the user was deleted, and comes to be charged after it, finds no credit."""
    by = {"now": staffed.now, "actor": "boss"}
    change(staffed, lambda session: administration.edit_account(session, "anna", limit_uc=-50_000_000, unlimited=True, **by))

    retire(staffed, reason="x")

    with staffed.core.database.read() as session:
        account = administration.account_of(session, administration.find_user(session, "anna"))
        assert (account.limit_uc, account.unlimited) == (0, False)
    assert wire.started


def test_a_connection_is_deleted_and_its_name_is_free(staffed: Any, wire: ConnectionView) -> None:
    number = staffed.send()
    staffed.accept(wire, "n1")
    staffed.route("all", ("*",), cost="2", route_id=1)
    stop(staffed, wire)

    retire_connection(staffed)

    snapshot = staffed.core.snapshots.present()
    assert (dict(snapshot.connections), dict(snapshot.providers)) == ({}, {})
    assert snapshot.connection_name(staffed.message(number).connection_id) == f"wire (deleted {wire.id})"
    again = staffed.connection()
    assert (again.name, again.id != wire.id) == ("wire", True)
    with pytest.raises(NotThere):
        change(staffed, lambda session: administration.find_connection(session, f"wire (deleted {wire.id})"))


@pytest.mark.full
def test_the_secrets_of_a_deleted_connection_are_wiped(staffed: Any) -> None:
    connection = staffed.connection(started=False)
    stop(staffed, connection)
    change(
        staffed,
        lambda session: setattr(session.get_one(ServiceConnection, connection.id), "settings", {"host": "h", "password": "enc:abc"}),
    )

    retire_connection(staffed)

    with staffed.core.database.read() as session:
        assert session.get_one(ServiceConnection, connection.id).settings == {"host": "h"}


@pytest.mark.full
def test_a_started_connection_is_not_deleted(staffed: Any, wire: ConnectionView) -> None:
    with pytest.raises(Conflict, match=r"is started\. Stop it first"):
        retire_connection(staffed)
    by = {"plugins": staffed.core.plugins, "now": staffed.now, "actor": "test"}
    change(staffed, lambda session: administration.set_desired(session, "wire", "stopped", **by))
    with pytest.raises(Conflict, match="still stopping"):
        retire_connection(staffed)
    assert wire.started


def test_a_connection_that_routes_need_is_not_deleted(staffed: Any, wire: ConnectionView) -> None:
    stop(staffed, wire)
    with pytest.raises(Conflict, match=r"Routes send to wire, which has no other connection.* They are: all"):
        retire_connection(staffed)

    staffed.connection("spare", "wire")
    retire_connection(staffed)

    assert [view.name for view in staffed.core.snapshots.present().providers["wire"]] == ["spare"]


@pytest.mark.full
def test_a_connection_that_a_condition_names_is_not_deleted(staffed: Any, wire: ConnectionView) -> None:
    conditions = [{"kind": "connection", "settings": {"connections": "other, wire"}}]
    staffed.route("answers", ("anna",), inward=True, conditions=conditions)
    staffed.route("all", ("*",), cost="2", route_id=1)
    stop(staffed, wire)

    with pytest.raises(Conflict, match=r"Routes ask for the connection wire.* They are: answers"):
        retire_connection(staffed)


@pytest.mark.full
@pytest.mark.parametrize(("claimed", "said"), [(False, "1 segments wait for wire"), (True, "1 segments are with the network")])
def test_a_connection_with_segments_is_not_deleted(staffed: Any, wire: ConnectionView, claimed: bool, said: str) -> None:
    staffed.send()
    if claimed:
        staffed.claim(wire)
        staffed.connection("spare", "wire")
    by = {"plugins": staffed.core.plugins, "now": staffed.now, "actor": "test"}
    route = {"direction": Direction.OUTBOUND, "name": "all", "targets": ["*"], "route_id": 1}
    change(staffed, lambda session: administration.save_route(session, **route, **by))
    stop(staffed, wire)

    with pytest.raises(Conflict, match=said):
        retire_connection(staffed)


@pytest.mark.full
def test_a_deleted_user_is_in_no_list_of_keys_that_work(staffed: Any) -> None:
    staffed.user()
    change(staffed, lambda session: administration.add_key(session, "anna", "shop", now=staffed.now, actor="test"))

    retire(staffed)

    with staffed.core.database.read() as session:
        key = session.scalars(select(ApiKey).join(User, User.id == ApiKey.user_id).where(User.username == "anna")).one()
        assert key.revoked_at == staffed.now

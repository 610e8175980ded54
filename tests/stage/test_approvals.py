"""Movements of credit by people: once for their key, and above an amount by two of them."""

import threading
from typing import Any

import pytest
from sqlalchemy import select

from app import administration
from app.administration import Conflict, InvalidField, Movement, MovementState, NotThere
from app.ledger import MICRO, parse_credits
from app.models import AuditEntry, Transfer

World = Any


@pytest.fixture
def staffed(world: World) -> World:
    """A customer with 10 credits, two administrators and an operator; more than 100 credits take two people."""
    world.user(credit="10")
    world.user("root", role="administrator", accounting_enabled=False)
    world.user("ruth", role="administrator", accounting_enabled=False)
    world.user("olga", role="operator", accounting_enabled=False)
    do(world, administration.set_gateway_options, {"second_person_above": "100"}, actor="root")
    return world


def do(world: World, work: Any, *values: Any, **named: Any) -> Any:
    return world.core.database.run(lambda session: work(session, *values, now=world.now, **named))


def add(world: World, credits_: str, actor: str = "root", **named: Any) -> Movement:
    amount_uc = parse_credits(credits_)
    named = {"reason": "Invoice 7", **named}
    moved: Movement = do(world, administration.top_up, "anna", amount_uc, actor=actor, **named)
    return moved


def rows(world: World) -> list[tuple[str, str, str, str]]:
    with world.core.database.read() as session:
        found = session.scalars(select(Transfer).order_by(Transfer.id))
        return [(row.kind, row.actor, row.reason, row.reference) for row in found][1:]


def audited(world: World) -> list[tuple[str, str]]:
    with world.core.database.read() as session:
        found = session.execute(select(AuditEntry.verb, AuditEntry.actor).where(AuditEntry.verb.like("%credit%")).order_by(AuditEntry.id))
        return [(verb, actor) for verb, actor in found][1:]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_same_key_moves_once_and_answers_the_same(staffed: World) -> None:
    first = add(staffed, "50", key="i-7", reference="2026/7")
    second = add(staffed, "50", key="i-7", reference="2026/7", actor="ruth")

    assert staffed.money() == ("60", "0")
    assert (first.state, first.amount_uc, first.replayed) == (MovementState.DONE, 50 * MICRO, False)
    assert (second.state, second.amount_uc, second.replayed) == (MovementState.DONE, 50 * MICRO, True)
    assert rows(staffed) == [("top_up", "root", "Invoice 7", "2026/7")]


@pytest.mark.full
@pytest.mark.parametrize("other", [{"reason": "Invoice 8"}, {"reference": "x"}, {"credits_": "51"}])
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_key_with_other_content_is_refused(staffed: World, other: dict[str, str]) -> None:
    add(staffed, "50", key="i-7")

    with pytest.raises(Conflict) as refused:
        add(staffed, **{"credits_": "50", "key": "i-7", **other})

    assert refused.value.field == "key"
    assert staffed.money() == ("60", "0")


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_key_of_a_refused_movement_is_free_again(staffed: World) -> None:
    with pytest.raises(InvalidField):
        add(staffed, "50", key="i-7", reason=" ")

    add(staffed, "50", key="i-7")

    assert staffed.money() == ("60", "0")


def test_same_key_at_the_same_instant_moves_once(staffed: World) -> None:
    answers: list[Movement] = []
    threads = [threading.Thread(target=lambda: answers.append(add(staffed, "50", key="once"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert staffed.money() == ("60", "0")
    assert sorted(answer.replayed for answer in answers) == [False, True, True, True, True, True]


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_movement_above_the_amount_waits_until_another_administrator_approves(staffed: World) -> None:
    asked = add(staffed, "100.000001", reference="2026/7")
    assert (asked.state, staffed.money()) == (MovementState.WAITS, ("10", "0"))
    assert "waits for a second person" in asked.words

    done = do(staffed, administration.approve, asked.proposal_id, actor="ruth")

    assert (done.state, staffed.money()) == (MovementState.DONE, ("110.000001", "0"))
    assert rows(staffed) == [("top_up", "root, approved by ruth", "Invoice 7", "2026/7")]
    assert audited(staffed) == [("propose credit", "root"), ("credit", "root, approved by ruth"), ("approve credit", "ruth")]
    with staffed.core.database.read() as session:
        assert administration.pending(session) == []
        (decided,) = administration.decided(session, username="anna")
    assert (decided.state, decided.decided_by, decided.moved_uc) == ("approved", "ruth", 100_000_001)


@pytest.mark.full
@pytest.mark.parametrize(("amount", "state"), [("100", "done"), ("-100", "done"), ("100.000001", "waits"), ("-100.000001", "waits")])
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_only_what_is_above_the_amount_waits(staffed: World, amount: str, state: str) -> None:
    assert add(staffed, amount).state == state


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_setting_the_credit_waits_by_what_it_would_move(staffed: World) -> None:
    near = do(staffed, administration.set_credits, "anna", 110 * MICRO, actor="root", reason="stock")
    far = do(staffed, administration.set_credits, "anna", 300 * MICRO, actor="root", reason="stock")
    add(staffed, "40")

    approved = do(staffed, administration.approve, far.proposal_id, actor="ruth")

    assert (near.state, far.state) == (MovementState.DONE, MovementState.WAITS)
    assert (staffed.money(), approved.amount_uc) == (("300", "0"), 150 * MICRO)


@pytest.mark.parametrize(
    ("decide", "actor"),
    [
        (administration.approve, "root"),
        (administration.reject, "root"),
        (administration.approve, "olga"),
        (administration.approve, "cli"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_who_may_not_decide_moves_nothing(staffed: World, decide: Any, actor: str) -> None:
    asked = add(staffed, "500")

    with pytest.raises(InvalidField) as refused:
        do(staffed, decide, asked.proposal_id, actor=actor, reason="why")

    assert refused.value.field == "actor"
    assert staffed.money() == ("10", "0")


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_nameless_proposer_is_refused(staffed: World) -> None:
    with pytest.raises(InvalidField) as refused:
        add(staffed, "500", actor="cli")

    assert refused.value.field == "actor"
    assert "--as" in refused.value.reason


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_rejected_movement_never_moves_and_says_so_to_a_repeat(staffed: World) -> None:
    asked = add(staffed, "500", key="i-9")
    do(staffed, administration.reject, asked.proposal_id, actor="ruth", reason="Not paid")

    with pytest.raises(Conflict, match="rejected by ruth"):
        do(staffed, administration.approve, asked.proposal_id, actor="ruth")

    assert add(staffed, "500", key="i-9").state is MovementState.REJECTED
    assert staffed.money() == ("10", "0")
    assert audited(staffed) == [("propose credit", "root"), ("reject credit", "ruth")]


def test_two_who_approve_at_the_same_instant_move_once(staffed: World) -> None:
    staffed.user("rita", role="administrator", accounting_enabled=False)
    asked = add(staffed, "500")
    words: list[str] = []

    def approve(actor: str) -> None:
        try:
            words.append(do(staffed, administration.approve, asked.proposal_id, actor=actor).state)
        except Conflict:
            words.append("too late")

    threads = [threading.Thread(target=approve, args=(actor,)) for actor in ("ruth", "rita")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(words) == ["done", "too late"]
    assert staffed.money() == ("510", "0")


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_approval_of_an_administrator_who_was_switched_off_does_not_count(staffed: World) -> None:
    asked = add(staffed, "500")
    do(staffed, administration.edit_user, "ruth", active=False, actor="root")

    with pytest.raises(InvalidField):
        do(staffed, administration.approve, asked.proposal_id, actor="ruth")


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_what_the_ledger_cannot_move_stays_proposed(staffed: World) -> None:
    asked = add(staffed, "999999999")

    with pytest.raises(InvalidField, match="1,000,000,000"):
        do(staffed, administration.approve, asked.proposal_id, actor="ruth")

    with staffed.core.database.read() as session:
        assert [proposal.id for proposal in administration.pending(session, username="anna")] == [asked.proposal_id]


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_unknown_proposal_is_not_there(staffed: World) -> None:
    with pytest.raises(NotThere):
        do(staffed, administration.approve, 99, actor="ruth")


@pytest.mark.full
@pytest.mark.parametrize(
    ("name", "text"), [("second_person_above", "-1"), ("second_person_above", "1e3"), ("ledger_check_hour", "24"), ("time_zone", "Mars")]
)
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_option_that_cannot_be_is_refused_by_name(staffed: World, name: str, text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        do(staffed, administration.set_gateway_options, {name: text}, actor="root")

    assert refused.value.field == name


@pytest.mark.full
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_without_the_option_nothing_waits(staffed: World) -> None:
    do(staffed, administration.set_gateway_options, {"second_person_above": ""}, actor="root")

    assert add(staffed, "100000", actor="cli").state is MovementState.DONE

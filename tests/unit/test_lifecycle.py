"""The tables of a message's life, against tables that were written by hand from what operators are promised."""

from itertools import product

import pytest

from app.lifecycle import (
    FINAL,
    FOLDER_OF,
    STATE_OF_REPORT,
    TRANSITIONS,
    ChargeOn,
    End,
    Folder,
    IllegalTransition,
    Movement,
    Remedy,
    State,
    Terms,
    advance,
    joint_state,
    may_advance,
    movement,
)
from pennywire import ReportState

S = State

#: Every step that a message may take, with what brings it about.
STEPS: dict[tuple[State, State], str] = {
    (S.SCHEDULED, S.QUEUED): "its time has come",
    (S.SCHEDULED, S.CANCELLED): "taken back",
    (S.SCHEDULED, S.EXPIRED): "its validity passed",
    (S.HELD, S.QUEUED): "let go by an operator",
    (S.HELD, S.DELIVERED): "an incoming message was paid",
    (S.HELD, S.CANCELLED): "taken back",
    (S.HELD, S.EXPIRED): "its validity passed",
    (S.HELD, S.REJECTED): "refused by an operator",
    (S.QUEUED, S.SENDING): "claimed",
    (S.QUEUED, S.SENT): "the late answer to an attempt in doubt, before the resend left",
    (S.QUEUED, S.CANCELLED): "taken back",
    (S.QUEUED, S.EXPIRED): "its validity passed",
    (S.QUEUED, S.REJECTED): "the late refusal of an attempt in doubt",
    (S.SENDING, S.QUEUED): "given back, or refused for the moment",
    (S.SENDING, S.SENT): "accepted",
    (S.SENDING, S.DELIVERED): "reported",
    (S.SENDING, S.REJECTED): "refused",
    (S.SENDING, S.IN_DOUBT): "no answer",
    (S.SENDING, S.EXPIRED): "the validity of the rest passed",
    (S.IN_DOUBT, S.QUEUED): "sent once more",
    (S.IN_DOUBT, S.SENDING): "sent once more in part",
    (S.IN_DOUBT, S.SENT): "a late answer",
    (S.IN_DOUBT, S.DELIVERED): "a report",
    (S.IN_DOUBT, S.UNDELIVERABLE): "a report",
    (S.IN_DOUBT, S.EXPIRED): "its deadline",
    (S.IN_DOUBT, S.REJECTED): "a late refusal",
    (S.SENT, S.DELIVERED): "a report",
    (S.SENT, S.UNDELIVERABLE): "a report",
    (S.SENT, S.EXPIRED): "a report",
    (S.SENT, S.REJECTED): "a report",
}


def test_every_state_is_in_the_tables() -> None:
    assert set(TRANSITIONS) == set(FOLDER_OF) == set(State)


@pytest.mark.parametrize(("present", "target"), list(product(State, State)))
def test_message_takes_exactly_the_documented_steps(present: State, target: State) -> None:
    assert may_advance(present, target) == ((present, target) in STEPS)


@pytest.mark.parametrize(("present", "target"), [(S.DELIVERED, S.SENT), (S.SENT, S.QUEUED), (S.SENT, S.CANCELLED), (S.QUEUED, S.QUEUED)])
def test_other_steps_are_refused(present: State, target: State) -> None:
    with pytest.raises(IllegalTransition, match=f"{present} cannot become {target}"):
        advance(present, target)


def test_final_states_lead_nowhere_and_only_they() -> None:
    assert {state for state in State if not TRANSITIONS[state]} == FINAL


@pytest.mark.parametrize(
    ("folder", "states"),
    [
        (Folder.OUTBOX, {S.HELD, S.QUEUED, S.SENDING, S.IN_DOUBT}),
        (Folder.SENT, {S.SENT, S.DELIVERED}),
        (Folder.NOT_SENT, {S.UNDELIVERABLE, S.EXPIRED, S.REJECTED, S.CANCELLED}),
        (Folder.SCHEDULED, {S.SCHEDULED}),
        (Folder.INBOX, set()),
        (Folder.DELETED, set()),
    ],
)
def test_folders_hold_what_their_names_say(folder: Folder, states: set[State]) -> None:
    assert {state for state, place in FOLDER_OF.items() if place is folder} == states


def test_every_report_has_a_meaning_and_unknown_ones_are_never_final() -> None:
    assert set(STATE_OF_REPORT) == set(ReportState)
    intermediate = {state for state, target in STATE_OF_REPORT.items() if target is None}
    assert intermediate == {ReportState.ENROUTE, ReportState.ACCEPTED, ReportState.UNKNOWN}
    assert {target for target in STATE_OF_REPORT.values() if target is not None} <= FINAL


@pytest.mark.parametrize(
    ("states", "joint"),
    [
        ([S.DELIVERED, S.DELIVERED], S.DELIVERED),
        ([S.DELIVERED, S.SENT], S.SENT),
        ([S.DELIVERED, S.UNDELIVERABLE], S.UNDELIVERABLE),
        ([S.SENT, S.UNDELIVERABLE], S.UNDELIVERABLE),
        ([S.EXPIRED, S.UNDELIVERABLE], S.UNDELIVERABLE),
        ([S.REJECTED, S.DELIVERED], S.REJECTED),
        ([S.REJECTED, S.IN_DOUBT], S.IN_DOUBT),
        ([S.IN_DOUBT, S.SENT], S.IN_DOUBT),
        ([S.IN_DOUBT, S.QUEUED], S.SENDING),
        ([S.SENT, S.QUEUED], S.SENDING),
        ([S.REJECTED, S.QUEUED], S.SENDING),
        ([S.SENDING, S.QUEUED], S.SENDING),
        ([S.QUEUED, S.QUEUED], S.QUEUED),
        ([S.SCHEDULED, S.SCHEDULED], S.SCHEDULED),
        ([S.CANCELLED, S.SENT], S.CANCELLED),
    ],
)
def test_message_s_state_follows_from_its_segments(states: list[State], joint: State) -> None:
    assert joint_state(states) is joint
    assert joint_state(states[::-1]) is joint


@pytest.mark.parametrize("states", [list(pair) for pair in product(State, State)])
def test_every_pair_of_segments_gives_a_message_a_state(states: list[State]) -> None:
    assert joint_state(states) in {*states, S.SENDING}


def test_message_without_segments_cannot_be() -> None:
    with pytest.raises(AssertionError):
        joint_state([])


ALL_TERMS = [Terms(charge_on, *remedies) for charge_on in ChargeOn for remedies in product(Remedy, repeat=4)]


@pytest.mark.parametrize("terms", ALL_TERMS, ids=Terms.code)
def test_terms_are_stored_as_five_letters(terms: Terms) -> None:
    assert Terms.of_code(terms.code()) == terms
    assert len(terms.code()) == 5


def test_codes_differ_and_the_default_is_the_column_s() -> None:
    assert len({terms.code() for terms in ALL_TERMS}) == 32
    assert Terms().code() == "nkkkr"


def test_unknown_code_is_refused() -> None:
    with pytest.raises(KeyError):
        Terms.of_code("zzzzz")


NONE, SETTLE, RELEASE, REFUND = Movement.NONE, Movement.SETTLE, Movement.RELEASE, Movement.REFUND

#: End, then what it does: charged at the network with keep and refund, charged at the handset with keep and refund.
MONEY: dict[End, tuple[Movement, Movement, Movement, Movement]] = {
    End.NETWORK: (SETTLE, SETTLE, NONE, NONE),
    End.HANDSET: (NONE, NONE, SETTLE, SETTLE),
    End.REFUSED: (RELEASE, RELEASE, RELEASE, RELEASE),
    End.WITHDRAWN: (RELEASE, RELEASE, RELEASE, RELEASE),
    End.UNDELIVERABLE: (NONE, REFUND, SETTLE, RELEASE),
    End.EXPIRED: (NONE, REFUND, SETTLE, RELEASE),
    End.REPORT_MISSING: (NONE, REFUND, SETTLE, RELEASE),
    End.DOUBT_OVER: (SETTLE, RELEASE, SETTLE, RELEASE),
}
REMEDY_OF = {
    End.UNDELIVERABLE: "undeliverable",
    End.EXPIRED: "expired",
    End.REPORT_MISSING: "report_missing",
    End.DOUBT_OVER: "in_doubt",
}


@pytest.mark.parametrize(
    ("terms", "end"), list(product(ALL_TERMS, End)), ids=lambda value: value.code() if isinstance(value, Terms) else value
)
def test_money_moves_as_the_table_says(terms: Terms, end: End) -> None:
    """Only the remedy of that very end counts, whatever the others are."""
    refunded = end in REMEDY_OF and getattr(terms, REMEDY_OF[end]) is Remedy.REFUND
    column = 2 * (terms.charge_on is ChargeOn.HANDSET) + refunded

    assert movement(terms, end) is MONEY[end][column]


def test_table_of_money_is_complete() -> None:
    assert set(MONEY) == set(End)

"""A random walk over ledger and pipe: whatever happens, in whatever order and however often, the books are right after each step."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import cycle, product
from types import SimpleNamespace
from typing import Any

import pytest
from accounts import Accounts, Present
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app import administration, ledger, messages, outcomes, secrets, statistics, verify
from app.ledger import MICRO
from app.lifecycle import FINAL, ChargeOn, NoCredit, Remedy, State, Terms
from app.messages import Admitted
from app.models import (
    Route,
)
from app.refusals import RequestRefused
from pennywire import (
    Accepted,
    Concatenation,
    Draft,
    Incoming,
    LinkDown,
    OutcomeUnknown,
    Rejected,
    Report,
    ReportState,
    Throttled,
)

World = Any
USERS = ("anna", "bela", "cora", "dora")
RESELLERS = ("rosa", "soma")
CONNECTIONS = ("a1", "a2", "b", "w")
PREFIXES = {"near": "+361", "far": "+362"}
TEXTS = {1: "x" * 20, 2: "x" * 200, 3: "x" * 400}
JUMPS = [timedelta(), timedelta(minutes=3), timedelta(hours=1), timedelta(hours=25), timedelta(hours=49), timedelta(hours=73)]

RESULTS: dict[str, Callable[[str], Any]] = {
    "accepted": Accepted,
    "refused": lambda _: Rejected("0x0000000B", "Invalid destination address"),
    "busy": lambda _: Rejected("0x00000008", "System error", permanent=False),
    "throttled": lambda _: Throttled(1.0),
    "link_down": lambda _: LinkDown("gone"),
    "unknown": lambda _: OutcomeUnknown("no answer"),
}

WORDS = st.sampled_from([*sorted(RESULTS), "accepted", "accepted", "unknown"])
DESIRED = st.sampled_from(["started", "started", "stopped"])
STATES = st.sampled_from([*ReportState, *[ReportState.UNDELIVERABLE, ReportState.EXPIRED, ReportState.DELIVERED] * 2])
NEWS = st.lists(
    st.tuples(st.integers(0, 9), STATES, st.sampled_from(["own", "own", "own", "foreign", "elsewhere"])), min_size=1, max_size=6
)
TERMS = st.sampled_from(
    [Terms(charge_on, *remedies) for remedies in product(Remedy, repeat=4) for charge_on in ChargeOn]  # all there are
)
DRAFTS = st.lists(
    st.tuples(st.sampled_from(sorted(PREFIXES)), st.sampled_from([1, 1, 2, 3]), st.booleans(), st.sampled_from([False, False, True])),
    min_size=1,
    max_size=3,
)


class LedgerMachine(Accounts):
    """Does to one gateway what customers, networks, operators and time may do to it."""

    def __init__(self, world: World, read_books: Callable[[World], Any]) -> None:
        super().__init__()
        self.world = world
        self.read = read_books
        self.sound = True
        #: Attempts in the order in which they were claimed, each with its connection.
        self.handed: list[Any] = []
        self.answers: dict[tuple[str, str], Any] = {}
        self.finals: dict[int, tuple[str, frozenset[str]]] = {}
        self.rows: dict[int, Any] = {}
        self.views = {view.name: view for view in world.core.snapshots.present().connections.values()}

    @initialize(
        credit=st.integers(1, 40),
        line=st.integers(0, 9),
        terms=st.tuples(TERMS, TERMS),
        resend=st.booleans(),
        costs=st.tuples(st.integers(0, 3), st.integers(0, 3)),
        id_count=st.sampled_from([3, 10**6]),
        mode=st.sampled_from(["own", "shared"]),
    )
    def open(
        self, *, mode: str, credit: int, line: int, terms: tuple[Terms, Terms], resend: bool, costs: tuple[int, int], id_count: int
    ) -> None:
        world = self.world
        self.id_count = id_count
        with world.core.database.write() as session:
            for name, term, cost in zip(PREFIXES, terms, costs, strict=True):
                values = {"terms": term.code(), "cost_uc": cost * MICRO // 2, "resend_in_doubt": resend}
                session.execute(update(Route).where(Route.name == name).values(values))
            administration.edit_account(session, "bela", limit_uc=-line * MICRO, unlimited=False, now=world.now, actor="test")
            for name, more in (("anna", credit), *((name, 4 * credit) for name in RESELLERS)):
                administration.top_up(session, name, more * MICRO, now=world.now, actor="test", reason="start")
            administration.set_parent(session, "anna", "rosa", mode=mode, now=world.now, actor="test")
        world.core.snapshots.reload()

    # Operators.

    @rule(user=st.sampled_from(USERS), amount=st.integers(-20, 20).filter(bool), absolute=st.booleans())
    def change_credit(self, user: str, amount: int, absolute: bool) -> None:
        with self.world.core.database.write() as session:
            change = administration.set_credits if absolute else administration.top_up
            change(session, user, amount * MICRO // 2, now=self.world.now, actor="test", reason="cash")
        account = self.read(self.world).account(self.world.core.snapshots.present().user(user).id)
        assert not absolute or account.balance_uc - account.reserved_uc == amount * MICRO // 2

    @rule(name=st.sampled_from(sorted(PREFIXES)), cost=st.integers(0, 4), connection=st.sampled_from(CONNECTIONS), desired=DESIRED)
    def reconfigure(self, name: str, cost: int, connection: str, desired: str) -> None:
        """What is on its way keeps its price, and finds another provider where its own is stopped."""
        core = self.world.core
        with core.database.write() as session:
            session.execute(update(Route).where(Route.name == name).values(cost_uc=cost * MICRO // 2))
            administration.set_desired(session, connection, desired, plugins=core.plugins, now=self.world.now, actor="test")
        core.snapshots.reload()

    @rule(places=st.lists(st.integers(0, 9), min_size=1, max_size=3))
    def cancel(self, places: list[int]) -> None:
        numbers = sorted(self.read(self.world).messages, reverse=True)
        chosen = [numbers[place] for place in places if place < len(numbers)]
        with self.world.core.database.write() as session:
            messages.cancel(session, self.world.core.snapshots.present(), chosen, now=self.world.now, actor="test")

    # Customers.

    @rule(user=st.sampled_from((*USERS, "anna", "rosa")), drafts=DRAFTS, key=st.sampled_from(["", "", "k1", "k2"]))
    def submit(self, user: str, drafts: list[tuple[str, int, bool, bool]], key: str) -> None:
        world = self.world
        before = self.read(world)
        present = Present(world, before)
        view = world.core.snapshots.reload().user(user)
        sent = tuple(
            Draft(
                PREFIXES[route] + "2345678",
                TEXTS[count],
                send_at=world.now + timedelta(hours=2) if later else None,
                report_requested=reported,
            )
            for route, count, reported, later in drafts
        )
        mark, stored = secrets.digest(repr(drafts)), self.answers.get((user, key))
        if stored and stored.until <= world.now:
            stored = None
        if stored and stored.mark != mark:
            with pytest.raises(RequestRefused, match="other content"):
                world.submit(*sent, user=user, key=key, fingerprint=mark)
            return
        answer = world.submit(*sent, user=user, key=key, fingerprint=mark)
        if stored:
            assert answer == replace(stored.answer, replayed=True)
            return
        self._check_admission(before, present, view, answer, [(route, count) for route, count, _, _ in drafts])
        if key and any(isinstance(result, Admitted) for result in answer.results):
            self.answers[user, key] = SimpleNamespace(mark=mark, answer=answer, until=world.now + timedelta(days=7))

    def _check_admission(self, before: Any, present: Present, view: Any, answer: Any, wanted: list[tuple[str, int]]) -> None:
        """Messages are admitted in their order while credit and limits last, on all levels or on none."""
        routes = {route.name: route for route in self.world.core.snapshots.present().outbound}
        users = [view.account_id, *(payer.account_id for payer in view.payers)] if view.accounting_enabled else []
        for result, (route, count) in zip(answer.results, wanted, strict=True):
            price_uc = routes[route].cost.cost_uc * count
            lacks = [word for number in users if (word := present.lacks(number, count, price_uc))]
            if not isinstance(result, Admitted):
                assert result.code == lacks[0]
                continue
            assert lacks == []
            assert (result.price_uc, result.charged) == (price_uc, view.accounting_enabled and price_uc > 0)
            for number in users:
                present.take(number, count, price_uc)
        after = self.read(self.world)
        for number, free in present.free.items():
            account = after.accounts[number]
            assert account.balance_uc - account.reserved_uc - account.limit_uc == free
        assert len(after.messages) - len(before.messages) == sum(isinstance(result, Admitted) for result in answer.results)

    # Networks.

    @rule(name=st.sampled_from(CONNECTIONS), room=st.integers(1, 6))
    def claim(self, name: str, room: int) -> None:
        view = self.views[name]
        found = self.world.claim(view, room, whole_messages=name == "w")
        self.handed += [SimpleNamespace(view=view, item=item, network_id=f"n{len(self.handed) % self.id_count}") for item in found]

    @rule(drafts=DRAFTS, words=st.lists(WORDS, min_size=1, max_size=5))
    def carry(self, drafts: list[tuple[str, int, bool, bool]], words: list[str]) -> None:
        """Send, and let the networks answer for what there is."""
        self.submit("anna", drafts, "")
        for name in CONNECTIONS:
            before = len(self.handed)
            self.claim(name, 6)
            pairs = zip(self.handed[before:], cycle(words), strict=False)
            self.world.answer(self.views[name], *((attempt.item, RESULTS[word](attempt.network_id)) for attempt, word in pairs))

    @rule(news=st.lists(st.tuples(st.integers(0, 9), WORDS), min_size=1, max_size=4))
    @precondition(lambda self: self.handed)
    def answer(self, news: list[tuple[int, str]]) -> None:
        """Answer attempts one by one in any mix, those that were answered before too."""
        for place, word in news:
            attempt = self.handed[-1 - place % len(self.handed)]
            self.world.answer(attempt.view, (attempt.item, RESULTS[word](attempt.network_id)))

    @rule(words=st.lists(WORDS, min_size=1, max_size=6), repeat=st.booleans())
    @precondition(lambda self: self.handed)
    def answer_together(self, words: list[str], repeat: bool) -> None:
        """Answer attempts of one connection in one batch, perhaps delivered twice."""
        view = self.handed[-1].view
        attempts = [attempt for attempt in self.handed if attempt.view is view][-len(words) :]
        pairs = [(attempt.item, RESULTS[word](attempt.network_id)) for attempt, word in zip(attempts, words, strict=False)]
        for _ in range(1 + repeat):
            self.world.answer(view, *pairs)

    @rule(news=NEWS, late=st.booleans())
    @precondition(lambda self: self.handed)
    def report(self, news: list[tuple[int, ReportState, str]], late: bool) -> None:
        """Report on attempts, before or after their answer, too late, again, in contradiction; or on what nobody knows."""
        if late:
            self.world.sweep(timedelta(hours=73))
        for place, state, whose in news:
            attempt = self.handed[-1 - place % len(self.handed)]
            name = "foreign" if whose == "foreign" else attempt.network_id
            view = self.views["b"] if whose == "elsewhere" else attempt.view
            self.world.report(view, Report((name,), state, destination=attempt.item.destination))

    @rule(name=st.sampled_from(CONNECTIONS))
    def take_over(self, name: str) -> None:
        world, view = self.world, self.views[name]
        with world.core.database.write() as session:
            world.lease(session, view.id)
            outcomes.put_in_doubt(
                session, world.core.snapshots.present(), connection_id=view.id, below_token=world.tokens[view.id], now=world.now
            )

    @rule(
        user=st.sampled_from(("anna", "bela")),
        cost=st.integers(-3, 3),
        no_credit=st.sampled_from(NoCredit),
        series=st.permutations([1, 2]) | st.just([]),
        twice=st.booleans(),
    )
    def receive(self, user: str, cost: int, no_credit: NoCredit, series: list[int], twice: bool) -> None:
        world = self.world
        with world.core.database.write() as session:
            session.execute(update(Route).where(Route.name == f"to {user}").values(cost_uc=cost * MICRO, no_credit=no_credit.value))
            administration.changed(session)
        world.core.snapshots.reload()
        self.received = getattr(self, "received", 0) + 1
        segments = [
            Incoming(
                "+36205555555",
                "1700",
                text=f"{user} " if index == 1 else "more",
                concatenation=Concatenation(self.received, 2, index) if series else None,
                network_id=f"mo{self.received}.{index}",
            )
            for index in series or [1]
        ]
        before = len(self.read(world).messages)
        for _ in range(1 + twice):
            for segment in segments:
                world.receive(self.views["b"], segment)
        assert len(self.read(world).messages) == before + 1

    @rule(settled=st.booleans())
    def end_again(self, settled: bool) -> None:
        """Whatever ended is ended once more: who comes late moves no money."""
        books, world = self.read(self.world), self.world
        ended = [row for row in books.messages.values() if {"settle", "release"} & books.money[row.id].keys()]
        given_back = [row for row in ended if {"release", "refund"} & books.money[row.id].keys()]
        endings = [
            ledger.Ending(books.account(row.user_id).id, row.id, row.price_uc, row.price_uc if settled else 0, "late") for row in ended
        ]
        amounts = {
            row.id: next(books.money[row.id][kind].amount_uc for kind in ("refund", "release") if kind in books.money[row.id])
            for row in given_back
        }
        refunds = [ledger.Refund(books.account(row.user_id).id, row.id, amounts[row.id], "late") for row in given_back]
        values = {"now": world.now, "actor": "late", "revenue_id": world.core.snapshots.present().revenue_id}
        with world.core.database.write() as session:
            assert ledger.end_charges(session, endings, **values) == set()
            assert ledger.refund_charges(session, refunds, **values) == set()

    @rule(jump=st.sampled_from(JUMPS))
    def sweep(self, jump: timedelta) -> None:
        self.world.sweep(jump)

    # What holds after each step.

    @invariant()
    def books_are_right(self) -> None:
        self.sound = False
        books = self.read(self.world)
        books.check()
        present = {row.id: row for row in books.transfers}
        assert all(present[number] == row for number, row in self.rows.items()), "a row of the ledger changed"
        self.rows = present
        for number, final in self.finals.items():
            assert (books.messages[number].state, frozenset(books.money[number])) == final, "a final message moved"
        self.finals |= {
            message.id: (message.state, frozenset(books.money[message.id])) for message in books.messages.values() if message.state in FINAL
        }
        self.sound = True

    def teardown(self) -> None:
        """In the end, with no network left, every message gets its end and every charge too."""
        if not self.sound:
            return
        for name in CONNECTIONS:
            self.take_over(name)
        for _ in range(8):
            self.world.sweep(timedelta(hours=49))
            books = self.read(self.world)
            open_messages = [row for row in books.messages.values() if row.state not in {*FINAL, State.SENT, State.HELD}]
            if not open_messages and not any(account.reserved_uc for account in books.accounts.values()):
                break
        else:
            raise AssertionError(f"without end: {open_messages or 'reservations'}")
        self.books_are_right()
        with self.world.core.database.read() as session:
            assert verify.verify(session).correct
        statistics.rebuild(self.world.core.database, now=self.world.now)
        with self.world.core.database.read() as session:
            assert statistics.check(session) == []


EXAMPLES = {"sqlite": 30, "postgresql": 10}


@pytest.fixture
def walk(furnished: World, read_books: Callable[[World], Any], wipe_books: Callable[[World], None]) -> Callable[..., None]:
    """Walk for a number of examples of a number of steps each."""

    def start() -> LedgerMachine:
        wipe_books(furnished)
        return LedgerMachine(furnished, read_books)

    def walked(examples: int, steps: int, **values: Any) -> None:
        checks = list(HealthCheck)
        # A failure is shown as it was met: to shrink it would take longer than a test may.
        values |= {"deadline": None, "database": None, "phases": [Phase.generate], "suppress_health_check": checks}
        run_state_machine_as_test(start, settings=settings(max_examples=examples, stateful_step_count=steps, **values))

    return walked


def test_the_books_are_right_after_each_step(furnished: World, walk: Callable[..., None]) -> None:
    walk(EXAMPLES[furnished.core.database.dialect], 30, derandomize=True)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_the_books_are_right_in_a_long_walk(furnished: World, walk: Callable[..., None]) -> None:
    walk(12 * EXAMPLES[furnished.core.database.dialect], 60)


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
@pytest.mark.usefixtures("planted_fault")
def test_the_walk_finds_a_planted_fault(walk: Callable[..., None]) -> None:
    with pytest.raises((AssertionError, IntegrityError)):
        walk(400, 30, derandomize=True, report_multiple_bugs=False)

"""Plays the stories of this folder and compares every number (the language is in README.md)."""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from reselling import allot, check_boss, check_used, limit_period, resell

sys.path.insert(0, str(Path(__file__).parent))

from care import CARE_SETTINGS, CARE_STEPS, set_care
from tariffs import TARIFF_SETTINGS, TARIFF_STEPS, set_tariffs

from app import administration, closing, messages, statements
from app.identifiers import internal_id
from app.ledger import format_credits, parse_credits
from app.lifecycle import ChargeOn, NegativeMargin, NoCredit, ProviderChoice, Remedy, Terms
from app.models import Account
from pennywire import Accepted, Concatenation, Draft, Incoming, OutcomeUnknown, Rejected, Report, ReportState

World = Any
FOLDER = Path(__file__).parent
COLUMNS = ["step", "balance", "reserved", "available", "state"]
TEXTS = {"1": "x", "2": "x" * 200, "3": "x" * 400}


class Unreadable(Exception):
    """A line of a story says something that the language has no words for."""


@dataclass
class Story:
    """A story as it stands in its file. Rows are (line number, step, the numbers and the state as they are written)."""

    title: str
    settings: list[str] = field(default_factory=list)
    rows: list[tuple[int, str, list[str]]] = field(default_factory=list)


def read(text: str) -> Story:
    """Read a story. Raises: Unreadable."""
    lines = [(number, line.partition("--")[0].strip()) for number, line in enumerate(text.splitlines(), 1)]
    meant = [(number, line) for number, line in lines if line]
    if not meant:
        raise Unreadable("The story is empty.")
    story = Story(meant[0][1])
    for number, line in meant[1:]:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 1 and not story.rows:
            story.settings.append(line)
        elif len(cells) != len(COLUMNS):
            raise Unreadable(f"Line {number} has {len(cells)} columns instead of {len(COLUMNS)}: {line}")
        elif cells != COLUMNS:
            story.rows.append((number, cells[0], cells[1:]))
    if not story.rows:
        raise Unreadable("The story has no table.")
    return story


@dataclass
class Stage:
    """Where a story is played: one customer, his messages by their names, and what the networks were handed."""

    world: World
    options: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    #: Segments by message name and index, as they were claimed last.
    handed: dict[str, dict[int, Any]] = field(default_factory=dict)
    last: int | None = None
    buying: dict[str, Any] = field(default_factory=dict)
    #: The operator with his price lists, in stories that have some.
    desk: Any = None

    def open(self) -> None:
        options, world = self.options, self.world
        world.user(credit=options.get("credit", "0"), accounting_enabled=options.get("accounting", True))
        self.limit(options.get("limit", "0"))
        self.line, self.other = world.connection("first"), world.connection("second")
        targets = ["first", "second"] if options.get("second provider") else ["first"]
        for name, amount in options.get("buying", {}).items():
            self.charges(name, amount)
        self.buying = {
            "provider_choice": ProviderChoice.LEAST_COST if options.get("least cost") else ProviderChoice.ORDER,
            "negative_margin": options.get("negative margin", NegativeMargin.IGNORE),
        }
        terms = options.get("terms", Terms())
        world.route(
            targets=targets, cost=options.get("cost", "1"), terms=terms, resend_in_doubt=options.get("resend", False), **self.buying
        )
        no_credit = options.get("no_credit", NoCredit.DELIVER)
        world.route("in", ["anna"], inward=True, cost=options.get("inbound cost", "0"), no_credit=no_credit)
        self.bind()
        set_care(self)
        set_tariffs(self)

    def bind(self) -> None:
        """Set the period limits, the calendar and the reseller."""
        world = self.world
        with world.core.database.write() as session:
            zone = self.options.get("time zone", "")
            administration.set_calendar(session, "anna", time_zone=zone, week_start=0, now=world.now, actor="test")
        for words in self.options.get("period limits", ()):
            limit_period(self, *words)
        if "reseller" in self.options:
            resell(self, *self.options["reseller"])

    def limit(self, amount: str) -> None:
        unlimited = self.options.get("unlimited", False)
        with self.world.core.database.write() as session:
            administration.edit_account(
                session, "anna", limit_uc=parse_credits(amount), unlimited=unlimited, now=self.world.now, actor="test"
            )
        self.world.core.snapshots.reload()

    def charges(self, name: str, amount: str) -> None:
        buy_uc = None if amount == "nobody knows what" else parse_credits(amount)
        with self.world.core.database.write() as session:
            administration.set_buy_price(session, name, buy_uc, now=self.world.now, actor="test")
        self.world.core.snapshots.reload()

    def take(self, name: str, line: Any = None) -> dict[int, Any]:
        """Let the network have what waits for it, and return the segments of one message."""
        for item in self.world.claim(line or self.line, 50):
            owner = next(key for key, number in self.numbers.items() if number == internal_id(item.message_id))
            self.handed.setdefault(owner, {})[item.segment_index] = item
        return self.handed.get(name, {})

    def answer(self, name: str, result: Callable[[str], Any], index: str | None = None, line: Any = None) -> None:
        segments = self.take(name, line)
        chosen = [segments[int(index) - 1]] if index else list(segments.values())
        assert chosen, f"The network has nothing of {name}."
        self.world.answer(line or self.line, *((item, result(f"{name}{item.segment_index}")) for item in chosen))
        self.last = self.numbers[name]


def send(stage: Stage, name: str, count: str | None, to: str | None, when: str | None, code: str | None) -> None:
    later = stage.world.now + timedelta(days=1) if when else None
    (result,) = stage.world.submit(Draft(to or "+36201234567", TEXTS[count or "1"], send_at=later)).results
    if code:
        assert getattr(result, "code", "accepted") == code
        return
    assert not hasattr(result, "code"), result
    stage.numbers[name] = stage.last = result.message_id


def credit(stage: Stage, amount: str) -> None:
    with stage.world.core.database.write() as session:
        administration.top_up(session, "anna", parse_credits(amount), now=stage.world.now, actor="root", reason="story")


def set_available(stage: Stage, amount: str) -> None:
    with stage.world.core.database.write() as session:
        administration.set_credits(session, "anna", parse_credits(amount), now=stage.world.now, actor="root", reason="story")


def change_cost(stage: Stage, amount: str) -> None:
    (route,) = stage.world.core.snapshots.reload().outbound
    stage.world.route(targets=route.targets, cost=amount, terms=route.terms, route_id=route.id, **stage.buying)


def report(stage: Stage, name: str, state: str) -> None:
    names = [(f"{name}{index}",) for index in stage.handed[name]]
    stage.world.report(stage.line, *(Report(form, ReportState(state)) for form in names))
    stage.last = stage.numbers[name]


def cancel(stage: Stage, name: str) -> None:
    with stage.world.core.database.write() as session:
        messages.cancel(session, stage.world.core.snapshots.present(), [stage.numbers[name]], now=stage.world.now, actor="anna")
    stage.last = stage.numbers[name]


def receive(stage: Stage, name: str, count: str | None = None) -> None:
    total = int(count or 1)
    for index in range(1, total + 1):
        place = Concatenation(ord(name), total, index) if total > 1 else None
        stage.world.receive(stage.line, Incoming("+36205555555", "1700", text="x", concatenation=place, network_id=f"{name}{index}"))
    stage.numbers[name] = stage.last = stage.world.messages("inbound")[-1].id


def check_bought(stage: Stage, name: str, amount: str) -> None:
    found = stage.world.message(stage.numbers[name]).buy_uc
    assert ("nobody knows what" if found is None else format_credits(found)) == amount
    stage.last = stage.numbers[name]


def check_alarm(stage: Stage, name: str) -> None:
    assert stage.world.told(stage.numbers[name], "negative_margin") == [True]
    stage.last = stage.numbers[name]


def set_second(stage: Stage, desired: str) -> None:
    core = stage.world.core
    with core.database.write() as session:
        administration.set_desired(session, "second", desired, plugins=core.plugins, now=stage.world.now, actor="test")
    core.snapshots.reload()


def busy(_: str) -> Rejected:
    return Rejected("0x00000008", "System error", permanent=False)


def refused(_: str) -> Rejected:
    return Rejected("0x0000000B", "Invalid destination address")


def close(stage: Stage, month: str) -> None:
    assert closing.close_by_hand(stage.world.core.database, _month(month), username="anna", now=stage.world.now, actor="test") == ["anna"]


def read_statement(stage: Stage, month: str, *expected: str) -> None:
    with stage.world.core.database.read() as session:
        account = session.get_one(Account, stage.world.core.snapshots.present().user("anna").account_id)
        found = statements.statement(session, account, statements.month_interval(session, account, _month(month)))
    assert found.adds_up
    amounts = (found.opening.balance_uc, found.added_uc, found.used_uc, found.closing.balance_uc)
    assert tuple(map(format_credits, amounts)) == expected, f"The statement of {month} says {[*map(format_credits, amounts)]}."


def _month(word: str) -> statements.Month:
    return statements.Month(2026, datetime.strptime(word, "%B").month)  # noqa: DTZ007  # a month has no zone


NAME, AMOUNT = "([A-Z])", r"(-?[0-9.]+)"
STEPS: dict[str, Callable[..., None]] = {
    f"top up {AMOUNT}": credit,
    f"correct by {AMOUNT}": credit,
    f"set available to {AMOUNT}": set_available,
    f"limit becomes {AMOUNT}": Stage.limit,
    f"cost becomes {AMOUNT}": change_cost,
    f"send {NAME}(?: in ([23]) segments)?(?: to ([+][0-9]+))?(?: (tomorrow))?(?: is refused: (.+))?": send,
    f"network accepts (?:segment ([1-3]) of )?{NAME}": lambda stage, index, name: stage.answer(name, Accepted, index),
    f"network refuses (?:segment ([1-3]) of )?{NAME}": lambda stage, index, name: stage.answer(name, refused, index),
    f"network is busy for {NAME}": lambda stage, name: stage.answer(name, busy),
    f"network is silent about (?:segment ([1-3]) of )?{NAME}": lambda stage, index, name: stage.answer(name, OutcomeUnknown, index),
    f"network answers late for {NAME}": lambda stage, name: stage.answer(name, Accepted),
    f"second network accepts {NAME}": lambda stage, name: stage.answer(name, Accepted, line=stage.other),
    f"second network is busy for {NAME}": lambda stage, name: stage.answer(name, busy, line=stage.other),
    "second network is (started|stopped)": set_second,
    f"(first|second) network charges (nobody knows what|{AMOUNT[1:-1]})": Stage.charges,
    f"{NAME} costs us (nobody knows what|{AMOUNT[1:-1]})": check_bought,
    f"{NAME} raises an alarm": check_alarm,
    f"report {NAME} ([a-z]+)": report,
    f"cancel {NAME}": cancel,
    f"invoice ([0-9]+) tops up {AMOUNT}": lambda stage, number, amount: credit(stage, amount, key=f"invoice-{number}"),
    **CARE_STEPS,
    **TARIFF_STEPS,
    "limit of (no|[0-9.]+) (segments|credits) (a day|a week|a month|a year|in all)": limit_period,
    "([0-9.]+) (segments|credits) (a day|a week|a month|a year|in all) are used": check_used,
    f"boss allots {AMOUNT}( and may not)?": allot,
    f"boss has {AMOUNT}(?: and {AMOUNT} reserved)?": check_boss,
    "close (March|April|May)": close,
    f"statement of (March|April|May): opening {AMOUNT}, added {AMOUNT}, used {AMOUNT}, closing {AMOUNT}": read_statement,
    "([0-9]+) hours pass": lambda stage, hours: stage.world.sweep(timedelta(hours=int(hours))),
    f"receive {NAME}(?: in ([23]) segments)?": receive,
}


def terms(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(options: dict[str, Any]) -> None:
        options["terms"] = replace(options.get("terms", Terms()), **changes)

    return change


SETTINGS: dict[str, Callable[..., Any]] = {
    f"(credit|cost|limit|inbound cost) {AMOUNT}": lambda options, name, amount: options.update({name: amount}),
    **CARE_SETTINGS,
    **TARIFF_SETTINGS,
    "limit of ([0-9.]+) (segments|credits) (a day|a week|a month|a year|in all)": lambda options, *words: options.setdefault(
        "period limits", []
    ).append(words),
    "time zone ([A-Za-z/_]+)": lambda options, name: options.update({"time zone": name}),
    f"reseller with {AMOUNT}( who shares)?": lambda options, *words: options.update(reseller=words),
    "unlimited": lambda options: options.update(unlimited=True),
    "accounting off": lambda options: options.update(accounting=False),
    "second provider": lambda options: options.update({"second provider": True}),
    f"(first|second) network charges (nobody knows what|{AMOUNT[1:-1]})": lambda options, name, amount: options.setdefault(
        "buying", {}
    ).update({name: amount}),
    "least cost": lambda options: options.update({"least cost": True}),
    "negative margin (alarm|refuse)": lambda options, rule: options.update({"negative margin": NegativeMargin(rule)}),
    "resend in doubt": lambda options: options.update(resend=True),
    "without credit (hold|refuse|deliver)": lambda options, rule: options.update(no_credit=NoCredit(rule)),
    "charge on handset": terms(charge_on=ChargeOn.HANDSET),
    "refund undeliverable": terms(undeliverable=Remedy.REFUND),
    "refund expired": terms(expired=Remedy.REFUND),
    "refund missing report": terms(report_missing=Remedy.REFUND),
    "keep in doubt": terms(in_doubt=Remedy.KEEP),
}


def follow(table: dict[str, Callable[..., Any]], subject: Any, line: str) -> None:
    """Do what a line says. Raises: Unreadable."""
    for pattern, do in table.items():
        if (match := re.fullmatch(pattern, line)) is not None:
            do(subject, *match.groups())
            return
    raise Unreadable(f"Nobody knows what this means: {line}")


def play(world: World, story: Story) -> Iterator[tuple[int, str, list[str], list[str]]]:
    """Play a story and yield, for each step, what should be and what is."""
    stage = Stage(world)
    for line in story.settings:
        follow(SETTINGS, stage.options, line)
    stage.open()
    for number, step, expected in story.rows:
        follow(STEPS, stage, step)
        balance, reserved = world.money()
        available = format_credits(parse_credits(balance) - parse_credits(reserved))
        state = world.message(stage.last).state if stage.last and expected[3] else ""
        yield number, step, expected, [balance, reserved, available, state]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in sorted(FOLDER.glob("*.txt"))])
def test_story(world: World, path: Path) -> None:
    for number, step, expected, found in play(world, read(path.read_text())):
        assert found == expected, f"{path.name}, line {number}: {step}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-- only a remark",
        "Title\ncredit 10\n",
        "Title\nstep | balance\nsend A | 1",
        "Title\n\nstep | balance | reserved | available | state",
    ],
)
def test_broken_table_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


@pytest.mark.parametrize(
    ("settings", "step"), [(["credit lots"], "send A"), ([], "send everything"), ([], "send a"), ([], "network accepts")]
)
@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_line_that_means_nothing_stops_the_story(world: World, settings: list[str], step: str) -> None:
    with pytest.raises(Unreadable):
        list(play(world, Story("Title", settings, [(1, step, ["0", "0", "0", ""])])))


@pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)
def test_wrong_number_in_a_story_is_seen(world: World) -> None:
    story = Story("Title", ["credit 10", "cost 2"], [(1, "send A", ["10", "0", "10", "queued"])])

    ((_, _, expected, found),) = play(world, story)

    assert found == ["10", "2", "8", "queued"]
    assert found != expected

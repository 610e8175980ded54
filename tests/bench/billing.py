"""What billing costs: submission with and without accounting, a large price list and the SQL logger, in turns.

Each round measures the gateway bare, with accounting, and with all three, so that a machine whose speed drifts does no harm; the
ratios are those of the medians. The engine runs all the time, without a link: it counts the statistics, and feeds the logger.
"""

import io
import random
import statistics
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from figures import ACCEPTED, Bench, preload
from pennywire_sqllog.database import create_tables
from pennywire_sqllog.declared import SETTINGS
from pennywire_sqllog.recording import Recorder
from pennywire_sqllog.settings import Plan, read_plan
from pennywire_sqllog.tables import make_tables
from pennywire_tariff import importing, lists
from pennywire_tariff.parsing import Form
from sqlalchemy import func, make_url, select
from subject import USERS, batch, processor_s
from tools import post

from app import administration
from app.gateway import OpenGateway
from app.models import JournalCursor, JournalEvent, Message
from pennywire import read_settings

PREFIXES = 100_000
COUNTRIES = ("36", "43", "49", "33", "44", "1", "7", "39", "34", "420", "421", "385", "86", "91", "234")
CLIENTS = 8
LOGGER, COUNTING = "sqllog", "statistics"
PATIENCE_S = 300
NOWHERE = {"database_url": "", "database_password": "", "file_format": "off"}
FILES = "files"
"""As the URL of the log: JSON lines in a folder of the gateway's."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What is switched on."""

    name: str
    accounting: bool = True
    priced: bool = False
    logged: bool = False


BARE, ACCOUNTING = Variant("bare", accounting=False), Variant("accounting")
LOGGED, EVERYTHING = Variant("logged", logged=True), Variant("everything", priced=True, logged=True)
VARIANTS = (BARE, ACCOUNTING, EVERYTHING)


def measure_billing(bench: Bench) -> None:
    """Submission bare, with accounting, and with a price list of 100,000 prefixes and the SQL logger besides."""
    _import_list(bench)
    rates: dict[tuple[str, str], list[float]] = {}
    with _log_target(bench) as settings:
        bench.under_test.start_engine()
        for _ in range(bench.rounds):
            for variant in VARIANTS:
                _switch(bench, variant, settings)
                for work, measure in (("single GET", _single), ("JSON batches of 1,000", _batches)):
                    busy, before = processor_s(bench.under_test.engine), _accepted(bench)
                    rate, busy_us = measure(bench)
                    _wait_for_followers(bench, logged=variant.logged)
                    behind_us = 1e6 * (processor_s(bench.under_test.engine) - busy) / (_accepted(bench) - before)
                    rates.setdefault((work, variant.name), []).append(rate)
                    note = f"{busy_us:.0f} µs of the web's processor each, {behind_us:.0f} µs of the engine's"
                    bench.say(f"{work}, {variant.name}", rate, "messages/s", note=note)
        _switch(bench, BARE, settings)
        bench.under_test.stop_engine()
    for work in ("single GET", "JSON batches of 1,000"):
        medians = {variant.name: statistics.median(rates[work, variant.name]) for variant in VARIANTS}
        for name in ("bare", "accounting"):
            bench.say(f"{work}, everything against {name}", 100 * medians["everything"] / medians[name], "% of its rate")


def _accepted(bench: Bench) -> int:
    with bench.under_test.core.database.read() as session:
        return session.execute(select(func.count()).select_from(Message)).scalar_one()


def _single(bench: Bench) -> tuple[float, float]:
    urls = [bench.under_test.url(f"bench{index}") for index in range(CLIENTS)]
    for url in urls * 4:
        urllib.request.urlopen(url.replace("{n}", "9999999"), timeout=20).close()
    before = processor_s(bench.under_test.web)
    found = bench.load.get(urls, connections=2 * CLIENTS, seconds=bench.seconds, ok_text=ACCEPTED)
    # The load tool warms up for a second that it does not count.
    return found["rate"], 1e6 * (processor_s(bench.under_test.web) - before) / (found["rate"] * (bench.seconds + 1))


def _batches(bench: Bench) -> tuple[float, float]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bench.under_test.key}"}
    count = max(bench.messages // 1_000, 4)
    bodies = [(batch(1_000, bench.fresh(1_000)), headers) for _ in range(count)]
    before = processor_s(bench.under_test.web)
    seconds, statuses = post(bench.under_test.address, "/api/v1/messages", bodies, clients=4)
    assert set(statuses) == {202}, f"A batch was answered {set(statuses)}."
    return count * 1_000 / seconds, 1e6 * (processor_s(bench.under_test.web) - before) / (count * 1_000)


def _import_list(bench: Bench) -> None:
    """Import the price list and give it to everybody; it does nothing while no rule asks it."""
    core = bench.under_test.core
    opened, dice = OpenGateway(core, "bench", "administrator"), random.Random(4711)
    found = dict.fromkeys(COUNTRIES)
    while len(found) < PREFIXES:
        found[dice.choice(COUNTRIES) + "".join(dice.choices("0123456789", k=dice.randint(1, 6)))] = None
    lines = "prefix;price;name\n" + "".join(f"{prefix};0.{dice.randint(1, 999_999):06d};Network {prefix}\n" for prefix in found)
    with opened.write() as session:
        lists.add_list(opened, session, "Retail")
    report = importing.import_version(opened, "Retail", io.BytesIO(lines.encode()), Form())
    assert not report.refused, report
    with opened.write() as session:
        row = lists.find_list(session, "Retail")
        lists.assign(opened, session, row, "default")
        lists.activate(opened, session, row, lists.find_version(session, row, 1))


def _switch(bench: Bench, variant: Variant, logger: dict[str, Any]) -> None:
    """Switch accounting, the rule that asks price lists, and the logger on or off; return when the engine has seen it."""
    core = bench.under_test.core
    by: dict[str, Any] = {"now": core.clock(), "actor": "bench"}
    with core.database.write() as session:
        for index in range(USERS):
            administration.edit_user(session, f"bench{index}", accounting_enabled=variant.accounting, **by)
        for rule in administration.list_rules(session):
            administration.delete_rule(session, rule.id, **by)
        if variant.priced:
            administration.save_rule(session, "lists", kind="tariff", plugins=core.plugins, **by)
        values = logger if variant.logged else NOWHERE
        administration.set_plugin_settings(session, LOGGER, values, plugins=core.plugins, vault=core.vault, **by)
    core.snapshots.reload()
    _wait(lambda: _follows(bench) == variant.logged, "The engine did not take over the logger's settings.")
    _wait_for_followers(bench, logged=variant.logged)


def _wait(condition: Any, otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise)
        time.sleep(0.05)


def _follows(bench: Bench) -> bool:
    return _waiting(bench, LOGGER) is not None


def _waiting(bench: Bench, consumer: str) -> int | None:
    """Return how many events wait for a consumer of the journal; None where it does not follow."""
    opened = OpenGateway(bench.under_test.core, "bench", "administrator")
    status = opened.journal_status(consumer)
    return status.backlog_count if status.following else None


def _wait_for_followers(bench: Bench, *, logged: bool) -> None:
    for consumer in (COUNTING, LOGGER) if logged else (COUNTING,):
        _wait(lambda consumer=consumer: _waiting(bench, consumer) == 0, f"{consumer} does not catch up with the journal.")


@contextmanager
def _log_target(bench: Bench) -> Iterator[dict[str, Any]]:
    """Make the logger's tables in the database for it; yield its settings, and drop the tables at the end."""
    if bench.log_url == FILES:
        print("  the logger writes files", flush=True)
        yield NOWHERE | {"file_format": "jsonl", "file_folder": str(bench.under_test.core.settings.data / "log")}
        return
    url = make_url(bench.log_url or f"sqlite:///{bench.under_test.core.settings.data / 'log.sqlite3'}")
    settings = {"database_url": url.set(password=None).render_as_string(hide_password=False), "database_password": url.password or ""}
    plan: Plan = read_plan(read_settings(SETTINGS, settings))
    recorder = Recorder()
    create_tables(recorder.target, plan)
    print(f"  the logger writes to {url.get_backend_name()}", flush=True)
    try:
        yield settings
    finally:
        with recorder.target.begin(plan) as connection:
            make_tables(plan.inbox, plan.outbox).metadata.drop_all(connection)
        recorder.close()


def measure_logging(bench: Bench) -> None:
    """The SQL logger behind a backlog: how many messages, each a row of its own, it takes out of the journal in a second."""
    under_test = bench.under_test
    with _log_target(bench) as settings:
        under_test.start_engine()
        _switch(bench, LOGGED, settings)
        under_test.stop_engine()
        preload(bench, bench.messages)
        waiting = _events_behind(bench)
        under_test.start_engine()
        _wait(lambda: _events_behind(bench) < waiting, "The logger does not begin.")
        began, first, busy = time.monotonic(), _events_behind(bench), processor_s(under_test.engine)
        _wait(lambda: _events_behind(bench) == 0, "The logger does not catch up.")
        seconds, busy = time.monotonic() - began, processor_s(under_test.engine) - busy
        bench.say("logged, of a backlog", first / seconds, "rows/s", note=f"{1e6 * busy / first:.0f} µs of the engine's processor each")
        under_test.stop_engine()


def _events_behind(bench: Bench) -> int:
    """Return how many events stand behind the logger's cursor, more exactly than its page tells."""
    with bench.under_test.core.database.read() as session:
        position = session.execute(select(JournalCursor.position).where(JournalCursor.consumer == LOGGER)).scalar_one()
        return session.execute(select(func.count()).where(JournalEvent.id > position)).scalar_one()

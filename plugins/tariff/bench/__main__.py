"""How quick price lists are: `python plugins/tariff/bench [PREFIXES]`. Prints figures; nothing is asserted."""

import io
import random
import resource
import sys
import tempfile
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

from pennywire_tariff import importing, lists
from pennywire_tariff.parsing import Form

from app import administration, migrations, snapshot
from app.config import Settings
from app.core import Core, open_core
from app.db import make_engine
from app.gateway import OpenGateway
from pennywire import Direction, PriceRequest

QUOTES = 300_000
COUNTRIES = ("36", "43", "49", "33", "44", "1", "7", "39", "34", "420", "421", "385", "86", "91", "234")


def prefixes(count: int) -> list[str]:
    """Return different prefixes of 3 to 9 digits, as price lists of resellers have them."""
    dice, found = random.Random(4711), dict.fromkeys(COUNTRIES)
    while len(found) < count:
        found[dice.choice(COUNTRIES) + "".join(dice.choices("0123456789", k=dice.randint(1, 6)))] = None
    return list(found)


def took(began: float) -> str:
    return f"{time.perf_counter() - began:.2f} s"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder) / "data")
        settings.data.mkdir()
        engine = make_engine(settings.url)
        migrations.upgrade(engine)
        engine.dispose()
        core = open_core(settings)
        known = prefixes(count)
        fill(core, known)
        measure(core, known)
        core.close()


def fill(core: Core, known: list[str]) -> None:
    gateway = OpenGateway(core, "bench", "administrator")
    dice = random.Random(1)
    text = "prefix;price;name\n" + "".join(f"{prefix};0.{dice.randint(1, 999_999):06d};Network {prefix}\n" for prefix in known)
    with gateway.write() as session:
        lists.add_list(gateway, session, "Retail")
    began = time.perf_counter()
    report = importing.import_version(gateway, "Retail", io.BytesIO(text.encode()), Form())
    print(f"import of {count_of(report.entry_count)} lines: {took(began)}; failure: {report.failure or report.errors[:1] or 'none'}")
    by = {"now": core.clock(), "actor": "bench"}
    with core.database.write() as session:
        administration.add_user(session, "anna", "", **by)
        administration.save_rule(session, "lists", kind="tariff", plugins=core.plugins, **by)
    with gateway.write() as session:
        row = lists.find_list(session, "Retail")
        lists.assign(gateway, session, row, "default")
        lists.activate(gateway, session, row, lists.find_version(session, row, 1))


def count_of(number: int) -> str:
    return f"{number:,}"


def measure(core: Core, known: list[str]) -> None:
    first = open_core(core.settings)
    tracemalloc.start()
    with first.database.read() as session:
        snapshot.read(session, first.plugins)
    print(f"memory of the list: {tracemalloc.get_traced_memory()[0] / 2**20:.1f} MiB")
    tracemalloc.stop()
    first.close()
    second = open_core(core.settings)
    with second.database.read() as session:
        began, worked = time.perf_counter(), time.thread_time()
        made = snapshot.read(session, second.plugins)
        print(f"snapshot that reads the list: {took(began)}, of the processor {time.thread_time() - worked:.2f} s")
        began = time.perf_counter()
        made = snapshot.read(session, second.plugins)
        print(f"snapshot after a change of something else: {(time.perf_counter() - began) * 1000:.1f} ms")
    ((_name, rule),) = made.rules
    dice, now = random.Random(2), datetime.now(UTC)
    requests = [
        PriceRequest(Direction.OUTBOUND, "anna", "", "+" + (prefix + "123456789")[:12], 1, "all", "wire", now)
        for prefix in dice.choices(known, k=10_000)
    ]
    assert all(rule.quote(request) is not None for request in requests)
    began, worked = time.perf_counter(), time.thread_time()
    quote = rule.quote
    for index in range(QUOTES):
        quote(requests[index % 10_000])
    seconds, busy = time.perf_counter() - began, time.thread_time() - worked
    print(f"{count_of(int(QUOTES / seconds))} quotes a second in one thread, {seconds / QUOTES * 1e6:.2f} µs each")
    print(f"by the processor's time, when others use it too: {count_of(int(QUOTES / busy))} a second")
    print(f"largest size of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    second.close()


main()

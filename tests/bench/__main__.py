"""How fast the gateway is on this machine, as ratios to a bare Flask "hello" measured in the same run.

    python3 gateway.py bench [--database URL] [--seconds N] [--messages N] [--only NAME[,NAME]] [--memory] [--log URL] [--json FILE]

Conditions: passwords at their real hash cost (a keyed cache keeps what was verified), accounting and journal on, 100 users, 50
routes of which the last matches, every answer after a disk sync. Load, SMSC and gateway share the machine.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from billing import measure_billing, measure_logging
from figures import ACCEPTED, Bench, flush, preload
from history import AGE, measure_pages, measure_verify
from server import measure_server
from subject import batch, gateway, hello, resident_mb
from tools import Load, Smsc, built_tools, post, smsc

LINK_COUNTS = (1, 4)
MEMORY_MESSAGES = 200_000


def measure_hello(bench: Bench) -> None:
    """A bare Flask application under the same server: the yardstick."""
    settings = bench.under_test.core.settings
    with hello(settings.web_workers, settings.web_threads) as address:
        url = f"http://{address}/?n={{n}}"
        bench.hello_rate = bench.load.get([url], connections=16, seconds=bench.seconds, ok_text="hello")["rate"]
        bench.hello_close_rate = bench.load.get([url], connections=16, seconds=bench.seconds, ok_text="hello", close=True)["rate"]
    bench.say("hello, keep-alive", bench.hello_rate, "requests/s")
    bench.say("hello, a connection each", bench.hello_close_rate, "requests/s")


def measure_single(bench: Bench) -> None:
    """Single legacy GETs, each accepted durably with its charge."""
    urls = [bench.under_test.url(f"bench{index}") for index in range(8)]
    for url in urls:
        urllib.request.urlopen(url.replace("{n}", "9999999"), timeout=20).close()
    for name, chosen, close in (
        ("single GET, 8 users", urls, False),
        ("single GET, one hot account", urls[:1], False),
        ("single GET, a connection each", urls, True),
    ):
        found = bench.load.get(chosen, connections=16, seconds=bench.seconds, ok_text=ACCEPTED, close=close)
        yardstick = bench.hello_close_rate if close else bench.hello_rate
        note = f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, {found['failed']:.0f} failed"
        bench.say(name, found["rate"], "messages/s", against=yardstick, note=note)


def measure_batches(bench: Bench) -> None:
    """Many recipients in one request: legacy GET with 100, JSON with 1,000 and 10,000."""
    recipients = ",".join(f"%2B3670{{n}}{index:02}" for index in range(100)).replace("{n}", "{n}")
    found = bench.load.get(
        [bench.under_test.url("bench1", recipients.replace("{n}", "00001"))], connections=4, seconds=bench.seconds, ok_text=ACCEPTED
    )
    bench.say("GET with 100 recipients", 100 * found["rate"], "messages/s", against=bench.hello_rate)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bench.under_test.key}"}
    for size in (1_000, 10_000):
        count = max(bench.messages // size, 4)
        bodies = [(batch(size, bench.fresh(size)), headers) for _ in range(count)]
        seconds, statuses = post(bench.under_test.address, "/api/v1/messages", bodies, clients=4)
        assert set(statuses) == {202}, f"A batch was answered {set(statuses)}."
        bench.say(f"JSON batches of {size:,}", count * size / seconds, "messages/s", against=bench.hello_rate)


def drain(bench: Bench, peer: Smsc, count: int) -> tuple[float, float]:
    """Wait until `count` more messages are sent and reported; return both rates a second.

    The clock starts with the first submission and stops when the database says that the last report is settled.
    """
    before = bench.under_test.count("delivered")
    started = 0.0
    sent_at = 0.0
    while True:
        submitted = peer.stats()["submitted"]
        if submitted and not started:
            started = time.monotonic()
            first = submitted
        if submitted >= count and not sent_at:
            sent_at = time.monotonic()
        if sent_at and bench.under_test.count("delivered") - before >= count:
            return (count - first) / (sent_at - started), count / (time.monotonic() - started)
        time.sleep(0.05)


def measure_drain(bench: Bench) -> None:
    """The queue through SMPP, with a report for every message and settlement, over 1 and 4 links."""
    for link_count in LINK_COUNTS:
        flush(bench)
        preload(bench, bench.messages)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pennywire-smsc-")))
            peer = stack.enter_context(smsc(bench.tools, folder))
            bench.under_test.add_links([peer.port] * link_count)
            bench.under_test.start_engine()
            sent, settled = drain(bench, peer, bench.messages)
            bench.under_test.remove_links()
            bench.under_test.stop_engine()
        bench.say(f"drained over {link_count} link(s)", sent, "submit_sm/s")
        bench.say(f"reported and settled over {link_count} link(s)", settled, "messages/s")


def measure_latency(bench: Bench) -> None:
    """From the first octet of a submission to its submit_sm at the SMSC, at 50 messages a second."""
    flush(bench)
    with tempfile.TemporaryDirectory(prefix="pennywire-smsc-") as name:
        with smsc(bench.tools, Path(name), log=True) as peer:
            sent = _send_slowly(bench, peer)
        arrived = _arrivals(peer)
    delays = sorted(1000 * (arrived[number] - at) for number, at in sent.items() if number in arrived)
    assert len(delays) == len(sent), f"{len(sent) - len(delays)} of {len(sent)} messages are not in the SMSC's log."
    bench.say("submission to submit_sm, median", statistics.median(delays), "ms")
    bench.say("submission to submit_sm, p99", delays[len(delays) * 99 // 100], "ms")


def _send_slowly(bench: Bench, peer: Smsc) -> dict[str, float]:
    """Send 200 messages, 50 a second, and return when each was submitted."""
    bench.under_test.add_links([peer.port])
    bench.under_test.start_engine()
    sent: dict[str, float] = {}
    first = bench.fresh(200)
    urllib.request.urlopen(bench.under_test.url("bench2").replace("{n}", "9000000"), timeout=20).close()
    while not peer.stats()["submitted"]:
        time.sleep(0.05)
    for index in range(200):
        number = f"{first + index:07}"
        sent[f"3620{number}"] = time.time()
        urllib.request.urlopen(bench.under_test.url("bench2").replace("{n}", number), timeout=20).close()
        time.sleep(0.02)
    while bench.under_test.waiting():
        time.sleep(0.05)
    bench.under_test.remove_links()
    bench.under_test.stop_engine()
    return sent


def _arrivals(peer: Smsc) -> dict[str, float]:
    """Return when each destination arrived, from the SMSC's log: lines of JSON, or words as the tool in C writes them."""
    arrived: dict[str, float] = {}
    for line in peer.log.read_text().splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            arrived.setdefault(entry["destination"].lstrip("+"), float(entry["time"]))
        else:
            words = line.split()
            arrived.setdefault(words[6].lstrip("+"), float(words[0]))
    return arrived


def measure_memory(bench: Bench) -> None:
    """Memory over 200,000 messages, submitted in batches and drained at the same time."""
    flush(bench)
    with tempfile.TemporaryDirectory(prefix="pennywire-smsc-") as name, smsc(bench.tools, Path(name)) as peer:
        bench.under_test.add_links([peer.port])
        bench.under_test.start_engine()
        seen: list[tuple[float, float]] = []
        done = peer.stats()["submitted"]
        for target in range(20_000, MEMORY_MESSAGES + 1, 20_000):
            preload(bench, 20_000)
            while peer.stats()["submitted"] - done < target or bench.under_test.waiting():
                time.sleep(0.1)
            seen.append((resident_mb(bench.under_test.web), resident_mb(bench.under_test.engine)))
            print(f"    {target:>7,} messages: web {seen[-1][0]:.0f} MB, engine {seen[-1][1]:.0f} MB", flush=True)
        bench.under_test.remove_links()
        bench.under_test.stop_engine()
    bench.say("web memory, growth after the first 40,000", seen[-1][0] - seen[1][0], "MB")
    bench.say("engine memory, growth after the first 40,000", seen[-1][1] - seen[1][1], "MB")


SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "hello": measure_hello,
    "single": measure_single,
    "batches": measure_batches,
    "latency": measure_latency,
    "drain": measure_drain,
    "server": measure_server,
    "memory": measure_memory,
    "billing": measure_billing,
    "logging": measure_logging,
    "verify": measure_verify,
    "pages": measure_pages,
}
LONG = frozenset({"memory", "billing", "logging", "verify", "pages"})
"""Scenarios that run only when they are asked for; the last two need a history, and no other scenario wants one."""


def main() -> int:
    """Run the chosen scenarios on each database and print the figures."""
    parser = argparse.ArgumentParser(prog="gateway.py bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", action="append", default=None, help="SQLAlchemy URL of an EMPTY database; default: a fresh SQLite")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each HTTP measurement")
    parser.add_argument("--messages", type=int, default=20_000, help="messages of each batch and drain measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often `billing` alternates; medians are told")
    parser.add_argument("--log", default="", help="URL of an EMPTY database for the SQL logger, or `files`; default: SQLite")
    parser.add_argument("--history", type=int, default=1_000_000, help="messages that `verify` and `pages` look at")
    parser.add_argument("--only", default="", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--memory", action="store_true", help="also watch memory over 200,000 messages")
    parser.add_argument("--json", type=Path, default=None, help="write the figures there")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else [name for name in SCENARIOS if name not in LONG]
    names += ["memory"] if arguments.memory and "memory" not in names else []
    unknown = set(names) - set(SCENARIOS)
    if unknown:
        parser.error(f"There is no scenario {', '.join(sorted(unknown))}. Known: {', '.join(SCENARIOS)}.")
    tools = built_tools()
    load = Load(tools)
    print(f"Load and SMSC in {load.name}.", flush=True)
    figures: dict[str, dict[str, float]] = {}
    for url in arguments.database or [""]:
        begun_at = datetime.now(UTC) - AGE if {"verify", "pages"} & set(names) else None
        with gateway(url, begun_at=begun_at) as under_test:
            backend = under_test.core.database.dialect
            print(
                f"{backend}, {under_test.core.settings.web_workers} workers of {under_test.core.settings.web_threads} threads", flush=True
            )
            bench = Bench(
                under_test, load, tools, arguments.seconds, arguments.messages, arguments.rounds, arguments.log, arguments.history
            )
            under_test.start_web()
            for name in names:
                SCENARIOS[name](bench)
            figures[backend] = bench.figures
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

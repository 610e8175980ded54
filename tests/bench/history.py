"""What a long history costs: the ledger check and the pages, with a million messages behind them."""

import os
import re
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from figures import Bench
from flask.testing import FlaskClient
from seeding import Seeding
from subject import PASSWORD
from tools import PENNYWIRE, ROOT

from app import administration
from app.factory import create_app

AGE = timedelta(days=130)
"""How old the gateway is: four months are closed."""

VISITS = 60
PAGES = {
    "home": "/",
    "Credits Summary": "/users/bench0/credits",
    "Credits Info": "/users/bench0/credits/info",
    "Ledger": "/users/bench0/credits/ledger",
    "Statements": "/users/bench0/statements",
    "statement of this month": "/users/bench0/statements/show",
    "all statements": "/reports/statements",
    "month-end report": "/reports/month-end",
    "traffic": "/reports/traffic?days=90",
    "Sent": "/messages/sent?user=bench0",
    "Inbox": "/messages/inbox?user=bench0",
    "Not sent": "/messages/not-sent?user=bench0",
}


def seed(bench: Bench) -> None:
    """Give the gateway its history, once."""
    if not bench.seeded:
        now = bench.under_test.core.clock()
        Seeding(bench.under_test, now - AGE + timedelta(days=2), now - timedelta(minutes=1), bench.history_count).run()
        bench.seeded = True


def measure_verify(bench: Bench) -> None:
    """`ledger verify` over the history, as its operator runs it."""
    seed(bench)
    for _ in range(bench.rounds):
        began = time.monotonic()
        process = subprocess.Popen([*PENNYWIRE, "ledger", "verify"], cwd=ROOT, env=bench.under_test.environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        words = process.stdout.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        assert process.returncode == 0, words
        note = f"{used.ru_utime + used.ru_stime:.1f} s of its own processor time, {used.ru_maxrss / 1024:.0f} MB at most"
        bench.say("ledger verify", time.monotonic() - began, "s", note=note)


def measure_pages(bench: Bench) -> None:
    """The server's time for pages of a large customer, one after another, through the application without HTTP."""
    seed(bench)
    with _visitor(bench) as client:
        for name, path in PAGES.items():
            times, worked = [], []
            for _ in range(VISITS):
                began, busy = time.perf_counter(), time.thread_time()
                answer = client.get(path)
                worked.append(1000 * (time.thread_time() - busy))
                times.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200, f"{path} was answered {answer.status}."
            tail = sorted(times)[VISITS * 95 // 100]
            note = f"median {statistics.median(times):.1f} ms, {statistics.median(worked):.1f} ms of this thread's processor time"
            bench.say(f"page {name}, p95", tail, "ms", note=note)


@contextmanager
def _visitor(bench: Bench) -> Iterator[FlaskClient]:
    """Sign an administrator in."""
    core = bench.under_test.core
    with core.database.write() as session:
        administration.add_user(session, "visitor", PASSWORD, now=core.clock(), actor="bench", role="administrator")
    application = create_app(core.settings)
    client = application.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/sign-in").text)
    assert token is not None
    answer = client.post("/sign-in", data={"username": "visitor", "password": PASSWORD, "csrf_token": token[1]})
    assert answer.status_code == 303, answer.status
    yield client

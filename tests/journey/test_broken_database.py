"""A database that is full, away or locked: callers hear of it within 5 s, nothing is half accepted, and nobody has to help."""

import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from callers import Caller
from processes import Customer, Gateway, Smsc, say, until
from sqlalchemy import URL, text

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(180)]

INCOMING = "SELECT COUNT(*) FROM messages WHERE direction = 'inbound' AND text = :text"
OUTAGE_S = 8.0
ANSWER_S = 5.0
NOISE_S = 1.0
"""What a machine may add that runs gateway, SMSC and callers together."""

RECOVERY_S = 30.0
CLIENTS = 6
PAUSE_S = 0.2
DISK_OCTETS = 12 * 1024 * 1024
SHARED_MEMORY = Path("/dev/shm")
LARGEST_DISK_OCTETS = 256 * 1024 * 1024
"""A larger one is not filled: it is the machine's memory."""

WINDOW = 5


@dataclass
class Log:
    """What callers heard, in the order in which they heard it. `unaccepted` is to be asked again with its key."""

    answers: list[tuple[int, float]] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    accepted: set[str] = field(default_factory=set)
    unaccepted: set[str] = field(default_factory=set)
    broken: int = 0


def _call(gateway: Gateway, anna: Customer, log: Log, first: int, over: threading.Event) -> None:
    """Submit one message after the other, each with its key, until the outage is over."""
    caller = Caller(gateway.address)
    number = first
    while not over.is_set():
        number += 1
        destination = f"+3620{number:07}"
        _submit(caller, anna, log, destination)
        over.wait(PAUSE_S)
    caller.close()


def _submit(caller: Caller, anna: Customer, log: Log, destination: str) -> bool:
    began = time.monotonic()
    body = json.dumps({"destination": destination, "text": "outage"}).encode()
    log.unaccepted.add(destination)
    try:
        answer = caller.request("POST", "/api/v1/messages", body=body, headers=anna.bearer | {"Idempotency-Key": destination})
    except (OSError, http.client.HTTPException) as error:
        log.broken += 1
        log.codes[type(error).__name__] += 1
        return False
    log.answers.append((answer.status, time.monotonic() - began))
    if answer.status != 202:
        log.codes[answer.json()["code"]] += 1
        return False
    log.accepted.add(destination)
    log.unaccepted.discard(destination)
    return True


def _endure(gateway: Gateway, smsc: Callable[..., Smsc], outage: AbstractContextManager[None], name: str) -> None:
    """Break the database under load, mend it, and compare what callers heard with what is there."""
    peer = smsc("--latency-ms", "200")
    anna = gateway.provision(peer, window=WINDOW)
    gateway.cli("route", "add", "inbound", "all", "--to", "anna")
    until(lambda: gateway.connection().state == "up", what="the connection is bound")
    log, over = Log(), threading.Event()
    callers = [threading.Thread(target=_call, args=(gateway, anna, log, 1_000_000 * index, over)) for index in range(CLIENTS)]
    caller, again = Caller(gateway.address), Log()
    assert _submit(caller, anna, again, "+36209999999")
    # The engine looks for changes of the configuration twice a second: what comes before it has seen the route finds nobody.
    until(lambda: peer.mo("Ready?", source="+36201112233", destination="12345") or gateway.count(INCOMING, text="Ready?"), what="routed")

    with outage:
        for thread in callers:
            thread.start()
        peer.mo("Is anybody there?", source="+36201112233", destination="12345")
        over.wait(OUTAGE_S)
    mended_at = time.monotonic()
    over.set()
    for thread in callers:
        thread.join()
    until(lambda: _submit(caller, anna, again, "+36209999998"), within_s=RECOVERY_S, what="the gateway takes messages again")
    recovered_s = time.monotonic() - mended_at
    for destination in sorted(log.unaccepted):
        until(lambda: _submit(caller, anna, again, destination), what="a repeated request is accepted")  # noqa: B023  # It is called here.
    caller.close()
    until(lambda: gateway.states().keys() <= {"delivered", "in_doubt"}, within_s=60, what="everything is settled or in doubt")
    until(lambda: gateway.count(INCOMING, text="Is anybody there?") == 1, what="the MO came in")

    slowest_s = max((took_s for status, took_s in log.answers if status != 202), default=0.0)
    statuses = Counter(status for status, _ in log.answers)
    say(name, answers=dict(statuses), codes=dict(log.codes), slowest_refusal=f"{slowest_s:.1f} s", recovered=f"{recovered_s:.1f} s")
    say(name, states=gateway.states(), mo_again=peer.stats()["redelivered"])
    assert statuses.keys() <= {202, 503}
    assert statuses[503] > 0
    assert slowest_s < ANSWER_S + NOISE_S
    assert log.broken == 0, "A caller was left without an answer."
    _check(gateway, peer, log.accepted | again.accepted)


def _check(gateway: Gateway, peer: Smsc, accepted: set[str]) -> None:
    """Everything that was accepted is there once, whole and charged once; nothing else is."""
    stored = gateway.rows("SELECT id, destination FROM messages WHERE direction = 'outbound'")
    charged = gateway.rows("SELECT message_id FROM transfers WHERE kind = 'charge'")
    copies = Counter(line["destination"] for line in peer.submissions())
    assert sorted(row.destination for row in stored) == sorted(accepted)
    assert sorted(row.message_id for row in charged) == sorted(row.id for row in stored)
    assert [recipient for recipient, count in copies.items() if count > 1] == []
    assert gateway.available("anna") == str(1_000_000 - len(accepted))
    assert gateway.cli("ledger", "verify")["correct"] is True


# The disk is full.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A data folder on a file system that fills up: one that is mounted for it, or a container's small shared memory."""
    folder = tmp_path / "data"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_OCTETS},mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    if not mounted.returncode:
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    elif shutil.disk_usage(SHARED_MEMORY).total <= LARGEST_DISK_OCTETS:
        with TemporaryDirectory(dir=SHARED_MEMORY, prefix="pennywire-") as place:
            yield Path(place, "data")
    else:
        pytest.skip(f"there is no disk here that may be filled: {mounted.stderr.strip()}")


@contextmanager
def _full(folder: Path) -> Iterator[None]:
    """Take every octet that is left on a disk."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    assert os.statvfs(folder).f_bavail == 0
    yield
    ballast.unlink()


def test_a_full_disk(small_disk: Path, smsc: Callable[..., Smsc]) -> None:
    gateway = Gateway(small_disk, f"sqlite+pysqlite:///{small_disk / 'full.sqlite3'}")
    try:
        gateway.start()
        before = gateway.roles()
        _endure(gateway, smsc, _full(small_disk), "disk full")
        assert gateway.roles() == before, "No process had to end for it."
        assert gateway.count("SELECT COUNT(*) FROM events WHERE kind = 'in_doubt'") == 0
    finally:
        gateway.close()


# The server is away.


@contextmanager
def _locked_away(server: URL, database: str) -> Iterator[None]:
    """Let nobody connect to the database, and end who is connected."""
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        yield
        admin.execute(f'ALTER DATABASE "{database}" WITH ALLOW_CONNECTIONS true')


@pytest.mark.postgres
def test_a_server_that_is_away(postgres_gateway: Gateway, postgres_server: URL, smsc: Callable[..., Smsc]) -> None:
    gateway = postgres_gateway
    gateway.start()
    database = gateway.database.engine.url.database
    assert database is not None
    _endure(gateway, smsc, _locked_away(postgres_server, database), "server away")


# Somebody holds a lock.


@contextmanager
def _locked(gateway: Gateway) -> Iterator[None]:
    """Hold what every writer needs."""
    with gateway.database.write() as session:
        if gateway.database.dialect == "postgresql":
            session.execute(text("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"))
        yield


def test_a_lock_that_somebody_holds(gateway: Gateway, smsc: Callable[..., Smsc]) -> None:
    gateway.start()
    _endure(gateway, smsc, _locked(gateway), "lock held")

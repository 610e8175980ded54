"""Long price lists on real processes: engines are killed in the middle of an import, and one version comes of it."""

import json
from typing import Any

import pytest
from callers import request
from processes import Gateway, kill, say, until

pytestmark = [pytest.mark.journey, pytest.mark.full, pytest.mark.timeout(180)]

LINES = 300_000
KILLS = 2
API = "/api/v1/tariff"


class Desk:
    """An administrator's program."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        gateway.cli("user", "add", "boss", "--role", "administrator", "--no-password")
        self.headers = {"Authorization": f"Bearer {gateway.cli('key', 'add', 'boss', '--scope', 'admin')['api_key']}"}
        gateway.cli("tariff", "add", "Retail")

    def send(self, text: str) -> str:
        """Send a file and return the address of its job."""
        answer = self.gateway.post(f"{API}/lists/Retail/versions", body=text.encode(), headers={**self.headers, "Content-Type": "text/csv"})
        assert answer.status == 202, answer.text
        return answer.headers["Location"]

    def job(self, address: str) -> Any:
        return json.loads(self.gateway.get(address, headers=self.headers).body)

    def cancel(self, address: str) -> int:
        return request(self.gateway.address, "DELETE", address, headers=self.headers).status


def worker(gateway: Gateway) -> int:
    """Return the process that does a job and has come some way with it, 0 if there is none."""
    rows = gateway.rows(
        "SELECT e.pid FROM jobs j JOIN engines e ON e.id = j.engine_id "
        "WHERE j.state = 'running' AND j.done_count > 0 AND j.kind = 'tariff.import'"
    )
    return int(rows[0].pid) if rows else 0


def prices(count: int = LINES) -> str:
    return "prefix;price\n" + "".join(f"36{number};0.{number % 900 + 100}\n" for number in range(100_000, 100_000 + count))


def test_an_import_outlives_its_engines_and_leaves_one_version(gateway: Gateway) -> None:
    """Two engines; the one that imports is killed twice, wherever it stands."""
    gateway.start()
    gateway.spawn("engine")
    desk = Desk(gateway)
    address = desk.send(prices())
    killed: list[int] = []
    for _ in range(KILLS):
        pid = until(lambda: {worker(gateway)} - {0, *killed}, within_s=60, what="it imports").pop()
        kill(pid)
        killed.append(pid)
    done = until(lambda: (found := desk.job(address))["state"] in ("done", "failed") and found, within_s=90, what="the job ends")

    assert (done["state"], done["result"]["entry_count"]) == ("done", LINES)
    assert gateway.count("SELECT begun_count FROM jobs WHERE id = :id", id=done["job"]) == KILLS + 1
    assert gateway.rows("SELECT state, entry_count FROM tariff_versions") == [("draft", LINES)]
    assert gateway.count("SELECT COUNT(*) FROM tariff_entries") == LINES
    until(lambda: not gateway.count("SELECT COUNT(*) FROM job_files"), within_s=90, what="the file is removed")
    say("import", lines=LINES, engines_killed=len(set(killed)), begun=KILLS + 1)


def test_a_cancelled_import_leaves_nothing_and_the_next_one_is_made(gateway: Gateway) -> None:
    gateway.start()
    desk = Desk(gateway)
    address = desk.send(prices())
    until(lambda: worker(gateway), within_s=60, what="it imports")
    assert desk.cancel(address) == 200
    second = desk.send(prices(3_000))
    until(lambda: desk.job(second)["state"] == "done", within_s=60, what="the second is done")

    assert desk.job(address)["state"] == "cancelled"
    assert gateway.rows("SELECT state, entry_count FROM tariff_versions") == [("draft", 3_000)]
    assert gateway.count("SELECT COUNT(*) FROM tariff_entries") == 3_000

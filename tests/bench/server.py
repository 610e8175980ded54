"""How many submit_sm a second the SMPP server answers durably: a customer with several binds and full windows.

The load is made by our own session, in a process of its own, and takes part of the machine.
"""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import suppress

from figures import Bench
from pennywire_smpp.bodies import Bind, ShortMessage
from pennywire_smpp.pdu import Command
from pennywire_smpp.session import Closing, Event, Lost, Response, Session
from pennywire_smpp.states import Role
from pennywire_smpp.transport import Wire, connect
from tools import free_port

from app import administration
from app.clock import utc_now
from app.models import PluginSettings

BINDS = 4
WINDOW = 500
WARM_UP_S = 1.0
START_S = 20.0
USER = "bench0"
PASSWORD = "bench123"


def measure_server(bench: Bench) -> None:
    """submit_sm/s with answers that leave after the commit, over one user's binds."""
    port = free_port()
    core = bench.under_test.core
    with core.database.write() as session:
        session.merge(PluginSettings(name="smpp", settings={"server_host": "127.0.0.1", "server_port": port}))
        settings = {"password": PASSWORD, "window": WINDOW, "max_binds": BINDS}
        means = {"plugins": core.plugins, "vault": core.vault, "now": utc_now(), "actor": "bench"}
        administration.set_application(session, USER, "smpp", settings, started=True, **means)
    bench.under_test.start_engine()
    try:
        command = [sys.executable, __file__, str(port), str(bench.seconds)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    finally:
        bench.under_test.stop_engine()
    note = f"{BINDS} binds, window {WINDOW}, p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, {found['refused']} refused"
    bench.say("SMPP server, durable answers", found["rate"], "submit_sm/s", note=note)


class Load:
    """One bind that keeps its window full."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.answered: list[tuple[float, float]] = []
        self.refused = 0
        self.ends_at = float("inf")
        self._number = 0

    def start(self) -> None:
        self.wire.session.request(Command.BIND_TRANSMITTER, Bind(USER, PASSWORD), now=self.wire.now())
        self.wire.flush_soon()

    def on_event(self, event: Event) -> None:
        if isinstance(event, Closing):
            self.ends_at = 0.0
        if not isinstance(event, Response):
            return
        now = time.monotonic()
        if isinstance(event.token, float):
            self.answered.append((now, now - event.token))
            self.refused += event.pdu.command_status != 0
        while now < self.ends_at and self.wire.session.bound and self.wire.session.room > 0:
            self._submit(now)
        self.wire.flush_soon()

    def on_lost(self, lost: Lost, reason: str) -> None:
        del lost, reason

    def _submit(self, now: float) -> None:
        self._number += 1
        number = f"3620{self._number % 10_000_000:07}"
        body = ShortMessage(dest_addr_ton=1, dest_addr_npi=1, destination_addr=number, short_message=b"Your parcel has arrived")
        self.wire.session.request(Command.SUBMIT_SM, body, now=self.wire.now(), token=now)


async def load(port: int, seconds: float) -> dict[str, float]:
    """Submit for some seconds and return the figures."""
    loads: list[Load] = []
    for _ in range(BINDS):
        loads.append(await _connected(port))
        loads[-1].start()
    begins_at = time.monotonic() + WARM_UP_S
    for one in loads:
        one.ends_at = begins_at + seconds
    await asyncio.sleep(WARM_UP_S + seconds)
    answered = [pair for one in loads for pair in one.answered if begins_at <= pair[0] < begins_at + seconds]
    for one in loads:
        one.wire.abort("done")
    delays = sorted(delay for _, delay in answered) or [0.0]
    return {
        "rate": len(answered) / seconds,
        "p50_ms": 1000 * delays[len(delays) // 2],
        "p99_ms": 1000 * delays[len(delays) * 99 // 100],
        "refused": sum(one.refused for one in loads),
    }


async def _connected(port: int) -> Load:
    """Connect, as soon as the server listens."""
    made: list[Load] = []

    def make(wire: Wire) -> Load:
        made.append(Load(wire))
        return made[-1]

    until = time.monotonic() + START_S
    while not made:
        with suppress(OSError):
            await connect("127.0.0.1", port, lambda now: Session(Role.ESME, now=now, window=WINDOW), make)
        assert time.monotonic() < until, "The SMPP server does not listen."
        await asyncio.sleep(0.05)
    return made[0]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(int(sys.argv[1]), float(sys.argv[2])))))

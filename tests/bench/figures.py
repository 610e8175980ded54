"""One run of the benchmark: what is measured, with what, and the figures, printed as they come."""

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from subject import Gateway, batch
from tools import Load, post

from app.messages import cancel
from app.models import OutboxRow

ACCEPTED = "<statuscode>0</statuscode>"


@dataclass
class Bench:
    """One run on one database: its figures, printed as they come."""

    under_test: Gateway
    load: Load
    tools: Path | None
    seconds: float
    messages: int
    rounds: int = 3
    log_url: str = ""
    history_count: int = 0
    hello_rate: float = 0.0
    hello_close_rate: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    seeded: bool = False

    def say(self, name: str, value: float, unit: str, *, against: float = 0.0, note: str = "") -> None:
        self.figures[name] = round(value, 3)
        ratio = f"{value / against:8.2f} x hello" if against else " " * 16
        print(f"  {name:<44}{value:>12,.1f} {unit:<14}{ratio}  {note}", flush=True)

    def fresh(self, count: int) -> int:
        """Return the first of `count` recipients that no other measurement used."""
        self.sent += count
        return self.sent - count


def preload(bench: Bench, count: int) -> None:
    """Queue messages while no link is up."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bench.under_test.key}"}
    size = min(count, 5_000)
    bodies = [(batch(size, bench.fresh(size)), headers) for _ in range(count // size)]
    _, statuses = post(bench.under_test.address, "/api/v1/messages", bodies, clients=2)
    assert set(statuses) == {202}, f"A batch was answered {set(statuses)}."


def flush(bench: Bench) -> None:
    """Take what earlier measurements left in the queue back, so that a drain begins with an empty one."""
    core = bench.under_test.core
    while True:
        with core.database.write() as session:
            ids = list(session.scalars(select(OutboxRow.message_id).limit(500)))
            if not ids:
                return
            cancel(session, core.snapshots.reload(), ids, now=core.clock(), actor="bench")

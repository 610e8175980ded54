"""How fast the logger writes: `python plugins/sqllog/bench URL [URL …] [--messages 20000]`.

Each message passes three events in three batches (accepted, delivered to network, delivered to handset), as it does behind a
gateway under load; a batch is what the engine hands over, one transaction with its sync. Tables `inbox` and `outbox` are made in the
database that is named, and dropped at the end.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta

from pennywire_sqllog.database import create_tables
from pennywire_sqllog.declared import SETTINGS
from pennywire_sqllog.recording import Recorder, happened
from pennywire_sqllog.settings import Plan, read_plan
from pennywire_sqllog.tables import make_tables
from sqlalchemy import make_url

from pennywire import Alphabet, Direction, Event, MessageView, SegmentView, read_settings

BATCH = 1_000
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STATES = ("queued", "sent", "delivered")


def message(number: int, state: str) -> MessageView:
    """Return one message in a state."""
    name = f"{number:013}"
    sent = state != "queued"
    segment = SegmentView(0, state, "provider", "connection", f"net{number}", "", START, START if state == "delivered" else None)
    return MessageView(
        message_id=name,
        direction=Direction.OUTBOUND,
        username="customer",
        state=state,
        version=1 + STATES.index(state),
        source="Pennywire",
        destination=f"+3620{number:07}",
        text=f"Your parcel {number} arrives tomorrow between 8 and 10. Árvíztűrő tükörfúrógép.",
        data=None,
        alphabet=Alphabet.UCS2,
        segment_count=1,
        created_at=START + timedelta(milliseconds=number),
        updated_at=START,
        provider="provider",
        connection="connection" if sent else "",
        price_uc=2_000_000,
        network_at=START if sent else None,
        handset_at=START if state == "delivered" else None,
        segments=(segment,) if sent else (),
    )


def measure(plan: Plan, count: int) -> tuple[float, float]:
    """Return rows per second of inserts alone, and of all three events."""
    recorder = Recorder()
    create_tables(recorder.target, plan)
    seconds: list[float] = []
    for version, state in enumerate(STATES, 1):
        began = time.perf_counter()
        for start in range(0, count, BATCH):
            messages = {view.message_id: view for view in (message(number, state) for number in range(start, start + BATCH))}
            batch = [Event(number, state, START, name, version) for number, name in enumerate(messages)]
            recorder.record(happened(batch, messages), plan)
        seconds.append(time.perf_counter() - began)
    with recorder.target.begin(plan) as connection:
        make_tables(plan.inbox, plan.outbox).metadata.drop_all(connection)
    recorder.close()
    return count / seconds[0], len(STATES) * count / sum(seconds)


def main() -> None:
    """Measure each database that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--messages", type=int, default=20_000)
    given = parser.parse_args()
    for text in given.urls:
        url = make_url(text)
        settings = {"database_url": url.set(password="").render_as_string(hide_password=False), "database_password": url.password or ""}
        plan = read_plan(read_settings(SETTINGS, settings))
        inserts, all_events = measure(plan, given.messages - given.messages % BATCH)
        print(f"{url.get_backend_name():12} {inserts:8,.0f} rows/s inserted, {all_events:8,.0f} rows/s over all three events")


if __name__ == "__main__":
    main()

"""A gateway that has been used for two weeks, for screenshots and for looking at pages. Everything went through the real pipe."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import administration, inbound, outbox, outcomes, reports, schema, statistics
from app.config import Settings
from app.core import Core
from app.db import make_engine
from app.decisions import Request
from app.factory import create_app
from app.identifiers import IdMaker, internal_id, public_id
from app.intake import Intake
from app.lifecycle import ChargeOn, Remedy, Terms
from app.models import ConnectionLog, ConnectionStatus, Message
from app.outcomes import AttemptOutcome
from app.web.context import parts_of
from pennywire import Accepted, Direction, Draft, Incoming, OutcomeUnknown, Rejected, Report, ReportState, Submission

PASSWORD = "correct horse battery"
TEXTS = (
    "Your parcel 81-2204 arrives today between 14:00 and 16:00. Track it at https://parcel.example/t/812204",
    "Your code is 493 817. It is valid for five minutes.",
    "Reminder: your appointment with Dr Kovács is on Thursday at 9:30. Reply C to cancel.",
    "Köszönjük a rendelést! A futár holnap délelőtt érkezik, kérjük, készítse elő a pontos összeget.",
    "Invoice 2026-1187 is ready: 48.20 due on 30 November. Thank you for your business. Our conditions have changed since last month.",
    "Water in sector 4 will be off from 22:00 to 04:00. We are sorry.",
)
ANSWERS = ("C", "STOP", "Thank you!", "When will it come?", "YES", "Please call me")


def make_site(folder: Path) -> Flask:
    """Return a web application over an empty database in `folder`."""
    settings = Settings(data=folder / "data")
    settings.data.mkdir()
    engine = make_engine(settings.url)
    schema.create(engine)
    engine.dispose()
    return create_app(settings)


class Demonstration:
    """Fills a gateway, with a clock that runs from two weeks ago until now."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.core: Core = parts_of(app).core
        self.intake: Intake = parts_of(app).intake
        self.dice = random.Random(4711)
        self.end = datetime.now(UTC)
        self.moment = self.end - timedelta(days=13, hours=10)
        self.core.clock = lambda: self.moment
        self.core.ids = IdMaker(lambda: int(self.moment.timestamp() * 1e9))
        self.attempts: list[Submission] = []

    def fill(self) -> None:
        """Make users, connections and routes, then two weeks of traffic."""
        self._settings()
        while self.moment < self.end - timedelta(minutes=20):
            busy = 1 + 2 * (6 < self.moment.hour < 20)
            for _ in range(busy):
                self._send()
            self._work()
            if self.dice.random() < 0.4:
                self._receive()
            self.moment = min(self.moment + timedelta(minutes=self.dice.randint(70, 170)), self.end - timedelta(minutes=15))
        self._last_minutes()
        statistics.catch_up(self.core.database, now=self.moment)
        self.core.clock = lambda: datetime.now(UTC)
        self.core.ids = IdMaker()

    def _settings(self) -> None:
        by: dict[str, Any] = {"now": self.moment, "actor": "admin"}
        with self.core.database.write() as session:
            administration.add_user(session, "admin", PASSWORD, role="administrator", now=self.moment, actor="setup")
            for name, kind in (("parcel-shop", "application"), ("clinic", "application"), ("waterworks", "standard")):
                administration.add_user(session, name, PASSWORD, kind=kind, accounting_enabled=True, **by)
            administration.edit_user(session, "clinic", default_source="Clinic", **by)
            administration.add_key(session, "parcel-shop", "Shop server", **by)
            administration.add_user(session, "night-desk", PASSWORD, role="operator", **by)
            administration.set_option(session, "country_code", "36", **by)
            session.flush()
            administration.top_up(session, "parcel-shop", 500_000_000, reason="Prepaid November", reference="INV-2026-1101", **by)
            administration.top_up(session, "clinic", 240_000_000, reason="Prepaid November", reference="INV-2026-1102", **by)
            administration.top_up(session, "waterworks", 38_500_000, reason="Trial", **by)
            means = {"plugins": self.core.plugins, "vault": self.core.vault, **by}
            for name in ("north-smsc", "south-smsc"):
                settings = {"host": f"{name}.example", "system_id": "pennywire", "password": "not-real"}
                administration.add_connection(session, name, "smpp", settings, **means)
            administration.add_connection(session, "loopback", "loopback", {}, **means)
            session.flush()
            for name in ("north-smsc", "south-smsc", "loopback"):
                administration.set_desired(session, name, "started", plugins=self.core.plugins, **by)
            self._routes(session, by)
            lease = {"lease_until": self.end + timedelta(days=365), "token": 1, "engine_id": "demo", "since": self.moment}
            session.flush()
            session.execute(update(ConnectionStatus).values(state="up", **lease))
            row = administration.find_connection(session, "south-smsc")
            reason = "Connection refused by south-smsc.example:2775; next try in 12 s."
            session.execute(
                update(ConnectionStatus).where(ConnectionStatus.connection_id == row.id).values(state="connecting", reason=reason)
            )
            north = administration.find_connection(session, "north-smsc")
            for line in (
                "connecting to north-smsc.example:2775",
                "bound as transceiver, interface version 0x34",
                "enquire_link answered in 18 ms",
            ):
                session.add(ConnectionLog(connection_id=north.id, at=self.moment, line=line))
        self.core.snapshots.reload()

    def _routes(self, session: Session, by: dict[str, Any]) -> None:
        save = {"plugins": self.core.plugins, **by}
        out, incoming = Direction.OUTBOUND, Direction.INBOUND
        prefixes = {"kind": "destination_prefix", "settings": {"prefixes": "+3620, +3630, +3670"}}
        clinic = {"kind": "user", "settings": {"usernames": "clinic"}}
        handset = Terms(charge_on=ChargeOn.HANDSET, undeliverable=Remedy.REFUND, expired=Remedy.REFUND)
        administration.save_route(
            session, out, "Clinic, paid on delivery", conditions=[clinic], targets=["north-smsc"], cost_uc=1_400_000, terms=handset, **save
        )
        administration.save_route(
            session, out, "Hungarian mobiles", conditions=[prefixes], targets=["north-smsc", "south-smsc"], cost_uc=850_000, **save
        )
        administration.save_route(session, out, "Everything else", targets=["loopback"], cost_uc=2_000_000, **save)
        stop = {"kind": "keyword", "settings": {"keywords": "STOP, C"}}
        administration.save_route(
            session, incoming, "Cancellations", conditions=[stop], targets=["clinic"], mode="copy", cost_uc=100_000, **save
        )
        administration.save_route(session, incoming, "Answers", targets=["parcel-shop"], cost_uc=0, **save)

    def _send(self) -> None:
        snapshot = self.core.snapshots.reload()
        user = snapshot.users[self.dice.choices(("parcel-shop", "clinic", "waterworks"), (6, 3, 1))[0]]
        number = f"+36{self.dice.choice(('20', '30', '70', '1'))}{self.dice.randint(2_000_000, 9_999_999)}"
        draft = Draft(destination=number, text=self.dice.choice(TEXTS), source="" if user.username == "clinic" else "+36209000100")
        self.intake.submit(Request(user, (draft,), "rest" if user.username == "parcel-shop" else "legacy"))

    def _work(self) -> None:
        """Do what an engine does with three connections: hand over, hear, and hear again."""
        snapshot = self.core.snapshots.reload()
        for connection in snapshot.connections.values():
            if connection.name == "south-smsc":
                continue
            with self.core.database.write() as session:
                taken = outbox.claim(session, connection, token=1, room=500, ids=self.core.ids, now=self.moment)
            self.moment += timedelta(milliseconds=140)
            results = [
                AttemptOutcome(item.attempt_id, internal_id(item.message_id), item.segment_index, connection.id, self._result(item))
                for item in taken.submissions
            ]
            with self.core.database.write() as session:
                outcomes.record_outcomes(session, snapshot, results, now=self.moment)
                session.flush()
            self.moment += timedelta(seconds=4)
            news = [
                (connection, report)
                for result in results
                if isinstance(result.result, Accepted) and (report := self._report(result.result))
            ]
            with self.core.database.write() as session:
                reports.apply_reports(session, snapshot, news, now=self.moment)
            self._count(connection.id, len(results), len(news))

    def _count(self, connection_id: int, sent: int, received: int) -> None:
        with self.core.database.write() as session:
            status = session.get_one(ConnectionStatus, connection_id)
            status.sent_count += sent
            status.received_count += received

    def _result(self, item: Submission) -> Accepted | Rejected | OutcomeUnknown:
        fate = int(item.destination[-2:])
        if fate < 4:
            return Rejected("0x0000000B", "Invalid destination address")
        return Accepted(f"{item.attempt_id:X}"[-10:])

    def _report(self, accepted: Accepted) -> Report | None:
        fate = int(accepted.network_id, 16) % 40
        state = ReportState.UNDELIVERABLE if fate < 2 else ReportState.DELIVERED
        if fate == 3:
            return None
        word, error = ("DELIVRD", "000") if state is ReportState.DELIVERED else ("UNDELIV", "027")
        raw = f"id:{accepted.network_id} sub:001 dlvrd:001 submit date:2611211405 done date:2611211405 stat:{word} err:{error} text:"
        return Report((accepted.network_id,), state, "" if error == "000" else error, self.moment, raw)

    def _receive(self) -> None:
        snapshot = self.core.snapshots.present()
        connection = next(view for view in snapshot.connections.values() if view.name == "north-smsc")
        segment = Incoming(f"+3630{self.dice.randint(2_000_000, 9_999_999)}", "+36209000100", text=self.dice.choice(ANSWERS))
        with self.core.database.write() as session:
            inbound.receive(session, snapshot, [(connection, segment)], ids=self.core.ids, now=self.moment)

    def _last_minutes(self) -> None:
        """Leave something under way, so that live pages have something to show."""
        self.moment = self.end - timedelta(minutes=3)
        for _ in range(3):
            self._send()
        self._work()
        snapshot = self.core.snapshots.reload()
        user = snapshot.users["parcel-shop"]
        later = self.end + timedelta(hours=9)
        drafts = (
            Draft("+36205551234", "Good morning! Your parcel is on its way.", source="+36209000100", send_at=later),
            Draft("+36305557788", "Your parcel 81-2300 is ready for pick-up.", source="+36209000100"),
        )
        self.intake.submit(Request(user, drafts, "rest"))

    def send_one(self, destination: str) -> None:
        """Have one more message accepted now."""
        user = self.core.snapshots.reload().users["parcel-shop"]
        self.intake.submit(Request(user, (Draft(destination, "One more", source="+36209000100"),), "rest"))

    def delivered_long_message(self) -> str:
        """Return the public id of a message of several segments that has been delivered, for the picture of its page."""
        wanted = select(Message.id).where(Message.segment_count > 1, Message.state == "delivered", Message.charged)
        with self.core.database.read() as session:
            return public_id(session.scalars(wanted.order_by(Message.id.desc()).limit(1)).one())

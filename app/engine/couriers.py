"""The duties beside the pipe: watching accounts, delivering notices, the nightly check of the ledger.

None of them keeps another waiting: a mail server or a callback that hangs holds one thread of its own.
"""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import callbacks, nightly, notices, verify, watching
from app.administration import mail_server
from app.administration.options import CALLBACK_HOSTS, split_hosts
from app.core import Core
from app.db import Unavailable
from app.engine.faults import describe
from app.ledger import format_credits
from app.mailing import Mail, MailFailed, send
from app.notices import CALLBACK, MAIL, Due, NoticeKind
from app.secrets import CannotDecrypt

WATCH_EVERY_S = 1.0
IDLE_S = 1.0
BUSY_S = 0.2
CHECK_EVERY_S = 30.0
AT_ONCE = 8
"""Most deliveries of one way that are under way."""

_log = logging.getLogger(__name__)


class Watcher:
    """Looks at the accounts that are watched, for all engines."""

    name = "watcher"

    def __init__(self, core: Core) -> None:
        self._core = core

    def turn(self) -> float:
        """Warn, suspend and release where credit has crossed a bound."""
        with self._core.database.read() as session:
            found = watching.crossed(session)
        if not found:
            return WATCH_EVERY_S
        now = self._core.clock()
        self._core.database.run(lambda session: watching.act(session, found, now=now))
        return 0.0 if len(found) == watching.BATCH else WATCH_EVERY_S


@dataclass(frozen=True, slots=True)
class _Result:
    """How a delivery came out; without an error it has arrived."""

    delivery: Due
    error: str


class Courier:
    """Delivers notices by mail and by callback, for all engines. Each delivery has a thread, and a turn waits for none."""

    name = "notices"

    def __init__(self, core: Core) -> None:
        self._core = core
        self._under_way: dict[int, str] = {}
        self._finished: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self._unwritten: list[_Result] = []

    def turn(self) -> float:
        """Write down what has come out, and begin what is due."""
        while not self._finished.empty():
            self._unwritten.append(self._finished.get())
        if self._unwritten:
            self._core.database.run(self._write)
            for result in self._unwritten:
                self._under_way.pop(result.delivery.id, None)
            self._unwritten.clear()
        now = self._core.clock()
        with self._core.database.read() as session:
            found = [delivery for way in (MAIL, CALLBACK) for delivery in self._due(session, way, now)]
        for delivery in found:
            self._under_way[delivery.id] = delivery.way
            threading.Thread(target=self._deliver, args=(delivery,), name=f"notice-{delivery.id}", daemon=True).start()
        return BUSY_S if self._under_way else IDLE_S

    def _due(self, session: Session, way: str, now: Any) -> list[Due]:
        room = AT_ONCE - sum(other == way for other in self._under_way.values())
        return notices.due(session, way, room, now=now, besides=list(self._under_way)) if room else []

    def _write(self, session: Session) -> None:
        now = self._core.clock()
        for result in self._unwritten:
            if result.error:
                notices.failed(session, result.delivery, result.error, now=now)
            else:
                notices.delivered(session, result.delivery, now=now)

    def _deliver(self, delivery: Due) -> None:
        """Deliver in a thread of its own; whatever happens, the turn hears of it."""
        error = "The delivery broke off; the log says how."
        try:
            error = self._try(delivery)
        finally:
            self._finished.put(_Result(delivery, error))

    def _try(self, delivery: Due) -> str:
        """Return what went wrong, or nothing."""
        try:
            _WAYS[delivery.way](self._core, delivery)
        except (MailFailed, callbacks.CallbackFailed, callbacks.CallbackRefused, CannotDecrypt, Unavailable) as error:
            _log.warning("notice %d was not delivered by %s: %s", delivery.notice.id, delivery.way, type(error).__name__)
            return str(error)
        _log.info("notice %d was delivered by %s", delivery.notice.id, delivery.way)
        return ""


def _mail(core: Core, delivery: Due) -> None:
    server = mail_server(core.snapshots.present().options, core.vault)
    notice = delivery.notice
    subject = f"Pennywire: {_SUBJECTS[notice.kind]}{f' ({notice.username})' if notice.username else ''}"
    text = f"{notice.text}\n\nThis was found at {notice.raised_at:%Y-%m-%d %H:%M:%S} UTC, and is notice number {notice.id}.\n"
    send(server, Mail(delivery.target, subject, text, core.clock(), mark=f"notice-{delivery.id}"))


_SUBJECTS: Mapping[str, str] = {
    NoticeKind.LOW_CREDIT: "credit runs low",
    NoticeKind.SUSPENDED: "account suspended",
    NoticeKind.RELEASED: "account released",
    NoticeKind.LEDGER_FAULT: "the ledger check found a fault",
}


def _call(core: Core, delivery: Due) -> None:
    hosts = split_hosts(str(core.snapshots.present().options.get(CALLBACK_HOSTS) or ""))
    callbacks.post(delivery.target, content_of(delivery), allowed_hosts=hosts)


def content_of(delivery: Due) -> dict[str, Any]:
    """Return what a callback says; amounts are exact decimals in texts."""
    notice = delivery.notice
    return {
        "notice": notice.id,
        "kind": notice.kind,
        "username": notice.username,
        "threshold": None if notice.threshold_uc is None else format_credits(notice.threshold_uc),
        "available": None if notice.available_uc is None else format_credits(notice.available_uc),
        "text": notice.text,
        "raised_at": notice.raised_at.isoformat().replace("+00:00", "Z"),
    }


_WAYS: Mapping[str, Callable[[Core, Due], None]] = {MAIL: _mail, CALLBACK: _call}


class NightlyCheck:
    """Checks the ledger once a night, for all engines."""

    name = "ledger-check"

    def __init__(self, core: Core) -> None:
        self._core = core

    def turn(self) -> float:
        """Check if the hour has come. The result is kept; a fault is an alarm."""
        database, now = self._core.database, self._core.clock()
        options = self._core.snapshots.present().options
        if nightly.last_due(options, now=now) is None:
            return CHECK_EVERY_S
        check_id = database.run(lambda session: nightly.begin(session, options, now=now))
        if check_id is None:
            return CHECK_EVERY_S
        try:
            with database.read() as session:
                result = verify.verify(session)
        except (Unavailable, DBAPIError) as error:
            _log.error("ledger check %d could not be finished: %s", check_id, describe(error))
            database.run(partial(_give_up, check_id, describe(error), self._core))
            return CHECK_EVERY_S
        database.run(lambda session: nightly.finish(session, check_id, result, now=self._core.clock()))
        if result.correct:
            _log.info("ledger check %d: everything matches", check_id)
        else:
            _log.error("ledger check %d found %d places that do not match", check_id, sum(result.counts.values()))
        return CHECK_EVERY_S


def _give_up(check_id: int, error: str, core: Core, session: Session) -> None:
    nightly.give_up(session, check_id, error, now=core.clock())

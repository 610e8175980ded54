"""What a running application gets of the gateway: the ways of messages for its own user, by the stages that every entrance takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from app import deliveries, following, mailbox, messages, replacing
from app.authentication import Authenticator
from app.core import Core
from app.db import CommitFailed, Unavailable
from app.decisions import address_pair
from app.deliveries import ENTRANCE_LENGTH
from app.engine.status import one_line
from app.gateway import OpenGateway
from app.identifiers import internal_id, public_id
from app.intake import STALE_RETRIES, Intake
from app.models import ApplicationLog, ApplicationStatus
from app.refusals import Refused, RequestRefused
from app.snapshot import Snapshot, StaleSnapshot, UserView
from pennywire import Delivery, Draft, Event, MessageView, NotAccepted, Refusal, Taken

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Means:
    """What all applications of one engine share. `failed` is told of a COMMIT whose outcome nobody knows."""

    core: Core
    intake: Intake
    authenticator: Authenticator
    failed: Callable[[BaseException], None]


def make_means(core: Core, failed: Callable[[BaseException], None]) -> Means:
    """Return what the applications of one engine share."""
    unknown = CommitFailed("COMMIT failed: the outcome is not known.")
    return Means(core, Intake(core, on_commit_failure=lambda: failed(unknown)), Authenticator(core), failed)


@dataclass(frozen=True, slots=True)
class Desk(OpenGateway):
    """The gateway for one application (`pennywire.Gateway`). Its calls block, and may come from any thread."""

    means: Means = None  # type: ignore[assignment]  # the fields before it have defaults
    application_id: int = 0
    kind: str = ""

    def authenticate(self, password: str, stored: str, *, address: str) -> bool:
        """Say whether a password is the one whose hash is `stored`. Raises: NotAccepted."""
        try:
            self.means.authenticator.application(self._user(), stored, password, address=address)
        except RequestRefused as error:
            if error.refused.code == "unauthenticated":
                return False
            raise _not_accepted(error) from error
        except Unavailable as error:
            raise NotAccepted("unavailable", str(error)) from error
        return True

    def submit(self, drafts: Sequence[Draft], *, key: str = "") -> Sequence[Taken | Refusal]:
        """Accept messages, in order; returns when what was accepted is on disk. Raises: NotAccepted."""
        try:
            answer = self.means.intake.submit(
                messages.Request(self._user(), tuple(drafts), self.kind[:ENTRANCE_LENGTH], key=key, fingerprint=key)
            )
        except RequestRefused as error:
            raise _not_accepted(error) from error
        except Unavailable as error:
            raise NotAccepted("unavailable", str(error)) from error
        return [
            Taken(result.public_id) if isinstance(result, messages.Admitted) else Refusal(result.code, result.reason)
            for result in answer.results
        ]

    def find(self, names: Sequence[str]) -> Mapping[str, MessageView]:
        """Return messages by public id or client reference. Raises: Unavailable."""
        with self.read() as session:
            found = {name: public_id(row.id) for name, row in mailbox.find(session, self._user().id, names).items()}
            events = [Event(0, "", self.now, number, username=self.username) for number in found.values()]
            views = following.messages_of(session, self.core.snapshots.present(), events)
        return {name: views[number] for name, number in found.items()}

    def cancel(self, message_ids: Sequence[str]) -> frozenset[str]:
        """Take back what has not left; return what was taken back. Raises: Unavailable."""

        def work(session: Session) -> set[int]:
            mine = {row.id for row in mailbox.find(session, self._user().id, message_ids).values()}
            wanted = mine & {internal_id(number) for number in message_ids}
            return messages.cancel(session, self.core.snapshots.present(), wanted, now=self.now, actor=self.username)

        return frozenset(map(public_id, self._run(work)))

    def draft(self, name: str) -> Draft | None:
        """Return what would submit a message again. Raises: Unavailable."""
        with self.read() as session:
            return replacing.draft_of(session, self._user().id, name)

    def replace(self, message_id: str, draft: Draft) -> Taken | Refusal | None:
        """Put another message in the place of one that has not left; nothing where it has. Raises: NotAccepted, Unavailable."""
        request = messages.Request(self._user(), (draft,), self.kind[:ENTRANCE_LENGTH])
        snapshot = self.core.snapshots.present()
        for _ in range(STALE_RETRIES):
            prepared = messages.prepare(snapshot, request, now=self.now)
            try:
                return Taken(self._run(partial(self._replace, snapshot=snapshot, prepared=prepared, message_id=message_id)).public_id)
            except StaleSnapshot:
                snapshot = self.core.snapshots.reload()
            except replacing.NotTaken as error:
                return Refusal(error.refused.code, error.refused.reason)
            except replacing.HasLeft:
                return None
            except RequestRefused as error:
                raise _not_accepted(error) from error
        raise NotAccepted("unavailable", "Something kept getting in between; nothing was replaced. Try again.")

    def _replace(self, session: Session, *, snapshot: Snapshot, prepared: messages.Prepared, message_id: str) -> messages.Admitted:
        mine = mailbox.find(session, prepared.request.user.id, [message_id]).get(message_id)
        if mine is None:
            raise replacing.HasLeft
        return replacing.replace(session, snapshot, prepared, mine.id, ids=self.core.ids, now=self.now)

    def unsent(self, *, source: str = "", destination: str = "", reference: str = "") -> Mapping[str, Mapping[str, Any]]:
        """Return the parameters of messages of which nothing has left, by public id. Raises: Unavailable."""
        user, entrance = self._user(), self.kind[:ENTRANCE_LENGTH]
        if not reference:
            pair = address_pair(self.core.snapshots.present(), user, source, destination, now=self.now)
            if isinstance(pair, Refused):
                return {}
            source, destination = pair
        with self.read() as session:
            return replacing.unsent(session, user.id, entrance=entrance, source=source, destination=destination, reference=reference)

    def deliveries(self, *, after: int, limit: int) -> Sequence[Delivery]:
        """Return what waits, oldest first. Raises: Unavailable."""
        snapshot = self.core.snapshots.present()
        with self.read() as session:
            return deliveries.waiting(session, snapshot, self.application_id, self.username, after=after, limit=limit)

    def acknowledge(self, delivery_ids: Sequence[int]) -> None:
        """Forget what the peer has. Raises: Unavailable."""
        self._run(lambda session: deliveries.acknowledge(session, self.application_id, delivery_ids))

    def up(self, detail: str = "") -> None:
        """Say that the application serves."""
        self.say("up", detail)

    def log(self, line: str) -> None:
        """Write a line to the application's events."""
        row = {"application_id": self.application_id, "at": self.now, "line": one_line(line)}
        self._run(lambda session: session.execute(insert(ApplicationLog), [row]))

    def say(self, state: str, reason: str) -> None:
        """Write how the application stands; called by its host too."""
        values = {"state": state, "reason": one_line(reason), "since": self.now}
        mine = ApplicationStatus.application_id == self.application_id
        self._run(lambda session: session.execute(update(ApplicationStatus).where(mine).values(**values)))

    def _user(self) -> UserView:
        """Return the user as he is now. Raises: NotAccepted."""
        user = self.core.snapshots.present().user(self.username)
        if user is None or not user.active:
            raise NotAccepted("user_suspended", f"The user {self.username} is switched off. Ask the operator.")
        return user

    def _run(self, work: Callable[[Session], T]) -> T:
        try:
            return self.core.database.run(work)
        except CommitFailed as error:
            self.means.failed(error)
            raise


def _not_accepted(error: RequestRefused) -> NotAccepted:
    return NotAccepted(error.refused.code, error.refused.reason)

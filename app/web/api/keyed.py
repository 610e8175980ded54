"""Calls with an API key: who calls, what he sent, and what is changed for him. All of `/api/v1/` begins here."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import msgspec
from flask import Response, request
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.administration import Conflict, InvalidField, NotThere
from app.authentication import Authenticator, KeyHolder
from app.core import Core
from app.ledger import InvalidAmount, parse_credits
from app.models import IdempotencyKey
from app.refusals import Refused, RequestRefused
from app.snapshot import UserView
from app.web.api import failures, problem, rest_answers

T = TypeVar("T")

MOST_LISTED = 200
"""Most entries of one page of a list, and the number where none is named is a quarter of it."""

ADMINISTRATOR = frozenset({"administrator"})
OPERATOR = frozenset({"administrator", "operator"})
STAFF = frozenset({"administrator", "operator", "auditor"})

LONGEST_KEY = 100
_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_KEY}}}")


def authenticate(authenticator: Authenticator) -> KeyHolder:
    """Return the caller by his API key. Raises: RequestRefused."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "").strip()
    if not key:
        raise RequestRefused("unauthenticated", "This API needs an API key. Send the header Authorization: Bearer pw_… or X-API-Key.")
    return authenticator.key(key, address=request.remote_addr or "")


def wrong_method(*allowed: str) -> Response:
    """Answer a request whose method the address does not take."""
    words = f"The method {request.method[:20]} is not allowed here. Use {' or '.join(allowed)}."
    response = problem.respond(Refused("method_not_allowed", words))
    response.headers["Allow"] = ", ".join(allowed)
    return response


def unreadable(error: Exception) -> RequestRefused:
    """Return the refusal of a body that could not be read, with the place of what is wrong."""
    if isinstance(error, msgspec.ValidationError):
        _, _, place = str(error).partition(" - at `")
        return RequestRefused("invalid_parameter", f"The body has a wrong value: {error}.", place.rstrip("`"))
    return RequestRefused("malformed_body", f"The body is not JSON: {error}.")


def idempotency_key() -> str:
    """Return the request's key, empty without one; it may be a quoted string, as the draft asks. Raises: RequestRefused."""
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return ""
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise RequestRefused(
            "invalid_parameter", f"An Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters without blanks.", "Idempotency-Key"
        )
    return key


def needed_key() -> str:
    """Return the request's key, without which a movement of credit is not done. Raises: RequestRefused."""
    key = idempotency_key()
    if not key:
        raise RequestRefused(
            "missing_parameter",
            "The header Idempotency-Key is missing: without it, a repeat after a broken connection could move the credit twice.",
            "Idempotency-Key",
        )
    return key


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the holder of a key."""

    core: Core
    holder: KeyHolder
    now: datetime

    @property
    def user(self) -> UserView:
        return self.holder.user

    def administer(self, roles: frozenset[str] = ADMINISTRATOR) -> None:
        """Raises: RequestRefused unless the key opens `admin` and its user has one of `roles`."""
        self.holder.opened("admin")
        if self.user.role not in roles:
            names = ", ".join(sorted(roles))
            raise RequestRefused("forbidden", f"Your role is {self.user.role}; this takes one of: {names}.")

    def body(self, shape: type[T]) -> T:
        """Return the body. Raises: RequestRefused with the place of what is wrong."""
        content = request.get_data()
        if b"\\u0000" in content:
            raise RequestRefused("invalid_parameter", "The body has a NUL character, which no field may have. Remove it.")
        try:
            return msgspec.json.decode(content, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise unreadable(error) from error

    def change(self, work: Callable[[Session], T]) -> T:
        """Do `work` in a transaction, and let this process see it at once. Raises: RequestRefused for what cannot be."""
        result = self.attempt(lambda: self.core.database.run(work))
        self.core.snapshots.reload()
        return result

    def read(self, work: Callable[[Session], T]) -> T:
        """Do `work` in a transaction that reads. Raises: RequestRefused."""

        def within() -> T:
            with self.core.database.read() as session:
                return work(session)

        return self.attempt(within)

    @staticmethod
    def attempt(work: Callable[[], T]) -> T:
        """Do `work`; what the core refuses becomes a refusal of the request. Raises: RequestRefused."""
        try:
            return work()
        except InvalidField as error:
            if error.field == "key":
                raise RequestRefused("idempotency_conflict", error.reason, "Idempotency-Key") from error
            code = "conflict" if isinstance(error, Conflict) else "invalid_field"
            raise RequestRefused(code, error.reason, error.field) from error
        except NotThere as error:
            raise RequestRefused("not_found", str(error)) from error

    def by(self) -> dict[str, Any]:
        """Return when and by whom something is changed."""
        return {"now": self.now, "actor": self.user.username}


Work = Callable[..., Response]


class Keyed:
    """Makes views of works: each has the method that leads to it, and is given the call and what the address names."""

    def __init__(self, core: Core, authenticator: Authenticator) -> None:
        self._core = core
        self._authenticator = authenticator

    def view(self, works: Mapping[str, Work]) -> Callable[..., Response]:
        """Return the view of one address."""

        def answer(**named: Any) -> Response:
            work = works.get("GET" if request.method == "HEAD" else request.method)
            try:
                if work is None:
                    return wrong_method(*works)
                if any("\x00" in str(value) for value in named.values()):
                    raise RequestRefused("not_found", "There is nothing of that name.")
                return work(Call(self._core, authenticate(self._authenticator), self._core.clock()), **named)
            except failures.EXPECTED as error:
                return problem.of(error)

        return answer


def amount(value: object, field: str) -> int:
    """Return an amount of credits in microcredits. Only decimal text and whole numbers are exact. Raises: RequestRefused."""
    try:
        return parse_credits(value)
    except InvalidAmount as error:
        raise RequestRefused("invalid_field", str(error), field) from error


def page_size() -> int:
    """Return how many entries the caller wants on a page. Raises: RequestRefused."""
    text = request.args.get("limit", "")
    if not text:
        return MOST_LISTED // 4
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= MOST_LISTED):
        raise RequestRefused("invalid_parameter", f"The limit must be a whole number from 1 to {MOST_LISTED}.", "limit")
    return int(text)


def cursor_number() -> int | None:
    """Return the number behind which the page begins. Raises: RequestRefused."""
    text = request.args.get("cursor", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise RequestRefused("invalid_parameter", "The cursor is not one that this list gave. Begin without one.", "cursor")
    return int(text)


def text_argument(name: str, longest: int = 100) -> str:
    """Return a parameter of the query. Raises: RequestRefused for one that no name or text can be."""
    text = request.args.get(name, "").strip()
    if len(text) > longest or "\x00" in text:
        raise RequestRefused("invalid_parameter", f"The parameter {name} has at most {longest} printable characters.", name)
    return text


def moment_argument(name: str) -> datetime | None:
    """Return a moment of the query, which must carry a zone. Raises: RequestRefused."""
    text = request.args.get(name, "").strip()
    if not text:
        return None
    try:
        # An address turns the plus of a zone into a blank.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise RequestRefused("invalid_parameter", f"{text[:40]!r} is not a time with a zone, such as 2026-01-31T23:59:00Z.", name)


class Act(Protocol):
    """Something that is done to a user's account, with a reason."""

    def __call__(self, session: Session, username: str, *, reason: str, now: datetime, actor: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Once:
    """An answer that was stored under its key; `replayed` says that it had been before."""

    answer: Any
    replayed: bool


def once(session: Session, call: Call, key: str, work: Callable[[], msgspec.Struct]) -> Once:
    """Do `work` unless it was done under this key of the caller; keep its answer with it. Raises: RequestRefused, as `work`.

    Of two requests at once the second waits for the first one's transaction, and finds its answer.
    """
    content = f"{request.method} {request.path.rstrip('/')}\n".encode() + request.get_data()
    print_ = hashlib.sha256(content).hexdigest()
    pair = {"user_id": call.user.id, "key": f"api:{key}"}
    maker = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = {**pair, "fingerprint": print_, "answer": [], "created_at": call.now}
    fresh = maker(IdempotencyKey).values(row).on_conflict_do_nothing().returning(IdempotencyKey.key)
    if session.execute(fresh).first() is None:
        known = session.get_one(IdempotencyKey, pair, populate_existing=True)
        if known.fingerprint != print_:
            raise RequestRefused(
                "idempotency_conflict", "The key was used for another request. Use a fresh one for each.", "Idempotency-Key"
            )
        return Once(known.answer[0], replayed=True)
    answer = msgspec.to_builtins(work())
    session.get_one(IdempotencyKey, pair).answer = [answer]
    return Once(answer, replayed=False)


def answer_once(done: Once) -> Response:
    """Answer 201 with what was done, and tell a repeat by its header."""
    response = rest_answers.respond(201, done.answer)
    if done.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response

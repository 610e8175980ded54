"""Movements of credit by people: each happens once for its key, and above an amount only when a second person agrees.

Every entrance (pages, command line, APIs) comes here by `credits.top_up` and `credits.set_credits`.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app import ledger
from app.administration.changes import Conflict, InvalidField, NotThere, audit
from app.administration.users import account_of, find_present_user, find_user
from app.ledger import format_credits, parse_credits
from app.models import Account, MovementKey, Option, Proposal, User

SECOND_PERSON_OPTION = "second_person_above"
"""Option: movements of more credits than this wait for a second person; empty lets nothing wait."""

LONGEST_REFERENCE = 96
LONGEST_REASON = 1000
_KEY = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


class Wanted(StrEnum):
    """What a movement does: adds credit, corrects it, or sets what is available."""

    TOP_UP = "top_up"
    CORRECT = "correct"
    SET = "set"


class MovementState(StrEnum):
    """Where a movement stands."""

    DONE = "done"
    WAITS = "waits"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Wish:
    """A movement that somebody asks for. Units: microcredits; of `SET` the amount is what is to be available."""

    kind: Wanted
    amount_uc: int
    reason: str
    reference: str = ""
    #: Makes a repeat harmless; empty is none.
    key: str = ""


@dataclass(frozen=True, slots=True)
class Movement:
    """What became of a wish. `amount_uc` is what was moved, or is to be; `replayed` says that the key was known."""

    state: MovementState
    amount_uc: int
    proposal_id: int | None = None
    replayed: bool = False

    @property
    def waits(self) -> bool:
        return self.state is MovementState.WAITS

    @property
    def words(self) -> str:
        """Say in a sentence what became of it."""
        match self.state:
            case MovementState.WAITS:
                return f"Nothing has moved yet: the movement is proposal {self.proposal_id} and waits for a second person."
            case MovementState.REJECTED:
                return f"Nothing has moved: proposal {self.proposal_id} was rejected."
        return f"Moved {format_credits(self.amount_uc)} credits."


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposal as people see it. `state` is `waits`, `approved` or `rejected`."""

    id: int
    username: str
    kind: str
    amount_uc: int
    reason: str
    reference: str
    proposed_by: str
    proposed_at: datetime
    state: str
    decided_by: str
    decided_at: datetime | None
    decision_reason: str
    moved_uc: int | None


def move(session: Session, username: str, wish: Wish, *, now: datetime, actor: str) -> Movement:
    """Move credit now, or propose it where it takes a second person. Raises: InvalidField, NotThere."""
    wish = _checked(wish)
    account = account_of(session, find_user(session, username))
    if wish.key and (known := _claim_key(session, account.id, wish, now)) is not None:
        return known
    if wish.kind is not Wanted.SET and wish.amount_uc == 0:
        raise InvalidField("amount", "A movement of 0 would change nothing. Give an amount such as 100 or -5.")
    above_uc = second_person_above(session)
    movement = (
        propose(session, username, wish, now=now, actor=actor)
        if above_uc is not None and abs(_difference(session, account.id, wish)) > above_uc
        else _move_now(session, username, account.id, wish, now=now, actor=actor)
    )
    if wish.key:
        where = (MovementKey.account_id == account.id, MovementKey.key == wish.key)
        values = {"moved_uc": movement.amount_uc, "proposal_id": movement.proposal_id}
        session.execute(update(MovementKey).where(*where).values(values))
    return movement


def second_person_above(session: Session) -> int | None:
    """Return the amount above which a movement takes two people, None where one is enough. Units: microcredits."""
    row = session.get(Option, SECOND_PERSON_OPTION)
    text = str(row.value["value"] or "").strip() if row else ""
    return parse_credits(text) if text else None


def _checked(wish: Wish) -> Wish:
    reason, reference = wish.reason.strip(), wish.reference.strip()
    if not reason:
        raise InvalidField("reason", "Say why: the ledger keeps the reason of every movement.")
    if len(reason) > LONGEST_REASON:
        raise InvalidField("reason", f"A reason has at most {LONGEST_REASON} characters. Shorten it.")
    if len(reference) > LONGEST_REFERENCE:
        raise InvalidField("reference", f"A reference has at most {LONGEST_REFERENCE} characters. Shorten it.")
    for field, text in (("reason", reason), ("reference", reference)):
        if not text.isprintable():
            raise InvalidField(field, "It has a character that cannot be printed, such as a line break. Remove it.")
    if abs(wish.amount_uc) > ledger.LARGEST_UC:
        raise InvalidField("amount", "The amount is larger than 1,000,000,000 credits.")
    return Wish(wish.kind, wish.amount_uc, reason, reference, wish.key)


# Keys.


def _claim_key(session: Session, account_id: int, wish: Wish, now: datetime) -> Movement | None:
    """Take the key for this wish, and return None; where it is taken, return what it moved. Raises: InvalidField for other content."""
    content = (wish.kind, str(wish.amount_uc), wish.reason, wish.reference)
    known = claim_key(session, account_id, wish.key, content, now=now)
    if known is None:
        return None
    if known.proposal_id is None:
        return Movement(MovementState.DONE, known.moved_uc, replayed=True)
    proposal = session.get_one(Proposal, known.proposal_id)
    amount_uc = known.moved_uc if proposal.moved_uc is None else proposal.moved_uc
    return Movement(_STATES[proposal.state], amount_uc, proposal.id, replayed=True)


def claim_key(session: Session, account_id: int, key: str, content: Sequence[str], *, now: datetime) -> MovementKey | None:
    """Take a key of an account for a movement, and return None; where it is taken, return what is known of it.

    Raises: InvalidField for what is no key; Conflict where the key was used for other content.
    """
    if not _KEY.fullmatch(key):
        raise InvalidField("key", "A key has 1 to 128 printable ASCII characters without blanks.")
    print_ = hashlib.sha256("\n".join(content).encode("utf-8", "surrogatepass")).hexdigest()
    maker = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    row = {"account_id": account_id, "key": key, "fingerprint": print_, "moved_uc": 0, "created_at": now}
    fresh = maker(MovementKey).values(row).on_conflict_do_nothing().returning(MovementKey.key)
    if session.execute(fresh).first() is not None:
        return None
    known = session.get_one(MovementKey, (account_id, key))
    if known.fingerprint != print_:
        raise Conflict("key", "The key was used for a movement with other content. Use a fresh key for each movement.")
    return known


_STATES = {"waits": MovementState.WAITS, "approved": MovementState.DONE, "rejected": MovementState.REJECTED}


# Movements.


def _difference(session: Session, account_id: int, wish: Wish) -> int:
    """Return what a wish would add now. The account stays locked, so that it is still so when it is moved."""
    row = ledger.lock_accounts(session, [account_id])[account_id]
    return wish.amount_uc if wish.kind is not Wanted.SET else wish.amount_uc - int(row.balance_uc - row.reserved_uc)


def _move_now(session: Session, username: str, account_id: int, wish: Wish, *, now: datetime, actor: str) -> Movement:
    """Write the ledger's row. Raises: InvalidField where the ledger cannot."""
    amount_uc = _difference(session, account_id, wish)
    move_ = ledger.top_up if wish.kind is Wanted.TOP_UP else ledger.correct
    try:
        if amount_uc:
            move_(session, account_id, amount_uc, now=now, actor=actor, reason=wish.reason, reference=wish.reference)
    except ledger.NotPossible as error:
        raise InvalidField("amount", str(error)) from error
    verb, said = ("set credit", "available") if wish.kind is Wanted.SET else ("credit", "amount")
    after = {said: format_credits(wish.amount_uc), "reason": wish.reason}
    audit(session, now=now, actor=actor, verb=verb, subject=f"user {username}", after=after | _named(wish.reference))
    return Movement(MovementState.DONE, amount_uc)


def _named(reference: str) -> dict[str, str]:
    return {"reference": reference} if reference else {}


# Proposals.


def propose(session: Session, username: str, wish: Wish, *, now: datetime, actor: str) -> Movement:
    """Keep a movement for a second person, whatever its amount. Raises: InvalidField, NotThere."""
    wish = _checked(wish)
    account = account_of(session, find_user(session, username))
    _require_administrator(session, actor, "proposes it")
    proposal = Proposal(
        account_id=account.id,
        kind=wish.kind.value,
        amount_uc=wish.amount_uc,
        reason=wish.reason,
        reference=wish.reference,
        proposed_by=actor,
        proposed_at=now,
    )
    session.add(proposal)
    session.flush()
    after = {"proposal": proposal.id, "kind": wish.kind.value, "amount": format_credits(wish.amount_uc), "reason": wish.reason}
    audit(session, now=now, actor=actor, verb="propose credit", subject=f"user {username}", after=after | _named(wish.reference))
    return Movement(MovementState.WAITS, wish.amount_uc, proposal.id)


def approve(session: Session, proposal_id: int, *, now: datetime, actor: str, reason: str = "") -> Movement:
    """Move what was proposed. `actor` is an administrator other than who proposed it. Raises: InvalidField, NotThere."""
    proposal, username = _undecided(session, proposal_id, actor)
    wish = Wish(Wanted(proposal.kind), proposal.amount_uc, proposal.reason, proposal.reference)
    amount_uc = _difference(session, proposal.account_id, wish)
    if amount_uc > 0:
        find_present_user(session, username)
    _move_now(session, username, proposal.account_id, wish, now=now, actor=f"{proposal.proposed_by}, approved by {actor}")
    proposal.moved_uc = amount_uc
    _decide(session, proposal, username, "approved", now=now, actor=actor, reason=reason)
    return Movement(MovementState.DONE, amount_uc, proposal.id)


def reject(session: Session, proposal_id: int, *, now: datetime, actor: str, reason: str) -> Movement:
    """Refuse what was proposed; nothing moves. `actor` as for `approve`. Raises: InvalidField, NotThere."""
    if not reason.strip():
        raise InvalidField("reason", "Say why it is rejected: who proposed it will want to know.")
    proposal, username = _undecided(session, proposal_id, actor)
    _decide(session, proposal, username, "rejected", now=now, actor=actor, reason=reason)
    return Movement(MovementState.REJECTED, proposal.amount_uc, proposal.id)


def _undecided(session: Session, proposal_id: int, actor: str) -> tuple[Proposal, str]:
    """Lock a proposal that `actor` may decide, and return it with its user's name. Raises: InvalidField, NotThere."""
    proposal = session.get(Proposal, proposal_id, with_for_update=True, populate_existing=True)
    if proposal is None:
        raise NotThere(f"There is no proposal number {proposal_id}.")
    if proposal.state != "waits":
        raise Conflict("proposal", f"Proposal {proposal_id} was {proposal.state} by {proposal.decided_by} already.")
    _require_administrator(session, actor, "decides about it")
    if proposal.proposed_by == actor:
        raise Conflict("actor", "Who proposed a movement cannot decide about it. Ask another administrator.")
    statement = select(User.username).join(Account, Account.user_id == User.id).where(Account.id == proposal.account_id)
    return proposal, session.execute(statement).scalar_one()


def _decide(session: Session, proposal: Proposal, username: str, state: str, *, now: datetime, actor: str, reason: str) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at = state, actor, now
    proposal.decision_reason = reason.strip()[:LONGEST_REASON]
    after = {"proposal": proposal.id, "amount": format_credits(proposal.amount_uc), "proposed by": proposal.proposed_by}
    verb = "approve credit" if state == "approved" else "reject credit"
    after |= {"reason": proposal.decision_reason} if proposal.decision_reason else {}
    audit(session, now=now, actor=actor, verb=verb, subject=f"user {username}", after=after)
    session.flush()


def _require_administrator(session: Session, actor: str, does: str) -> None:
    """Refuse whoever is not an administrator by name: two people can be told apart only by their names. Raises: InvalidField."""
    row = session.execute(select(User.role, User.active).where(User.username == actor)).first()
    if row is None or row.role != "administrator" or not row.active:
        raise InvalidField(
            "actor", f"The movement takes two administrators. Name the one who {does}; the command line takes --as NAME and his password."
        )


def pending(session: Session, *, username: str | None = None) -> list[ProposalView]:
    """Return the proposals that wait, oldest first; of one user, or of all. Raises: NotThere."""
    return _views(session, username, (Proposal.state == "waits",), Proposal.id.asc(), None)


def decided(session: Session, *, username: str | None = None, limit: int = 50) -> list[ProposalView]:
    """Return the last proposals that were decided, newest first. Raises: NotThere."""
    return _views(session, username, (Proposal.state != "waits",), Proposal.decided_at.desc(), limit)


def _views(session: Session, username: str | None, conditions: Sequence[object], order: object, limit: int | None) -> list[ProposalView]:
    statement = (
        select(Proposal, User.username)
        .join(Account, Account.id == Proposal.account_id)
        .join(User, User.id == Account.user_id)
        .where(*conditions)  # type: ignore[arg-type]  # conditions on the proposal
        .order_by(order)  # type: ignore[arg-type]  # a column of the proposal
        .limit(limit)
    )
    if username is not None:
        statement = statement.where(User.id == find_user(session, username).id)
    return [_view(proposal, name) for proposal, name in session.execute(statement)]


def _view(row: Proposal, username: str) -> ProposalView:
    return ProposalView(
        id=row.id,
        username=username,
        kind=row.kind,
        amount_uc=row.amount_uc,
        reason=row.reason,
        reference=row.reference,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        state=row.state,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decision_reason=row.decision_reason,
        moved_uc=row.moved_uc,
    )

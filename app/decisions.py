"""Decide first: encode, route and price drafts on a snapshot of the configuration, without touching the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from app import limits, numbering, routing, sales
from app.identifiers import public_id
from app.ledger import Lack, format_credits
from app.lifecycle import State
from app.pricing import Buying
from app.refusals import Refused
from app.routing import CompiledRoute, Verdict
from app.sales import NotSold, Standing
from app.snapshot import Snapshot, UserView
from app.supply import Ask
from pennywire import Alphabet, Direction, Draft, PriceRequest, RoutingSubject
from pennywire.sms import InvalidAddress, MalformedHeader, NotEncodable, TooLong, addresses, segments
from pennywire.sms import plan as plan_text

MAX_MESSAGES = 10_000
"""Most drafts of one request."""

MAX_TEXT_CHARACTERS = 64 * 1024
MAX_DATA_OCTETS = 16 * 1024
MAX_REFERENCE_CHARACTERS = 96
FARTHEST_TIME = timedelta(days=366)
KEY_LIFETIME_S = 7 * 24 * 3600
PRIORITIES = range(4)
"""Priorities, 3 the most urgent. Source: SMPP v3.4 §5.2.14."""

MESSAGE_CLASSES = range(4)
"""Source: 3GPP TS 23.038 §4."""

# Looked up once: Python 3.11 finds the members of an enum by a descriptor, and this is asked four times for each message.
_QUEUED, _SCHEDULED = State.QUEUED, State.SCHEDULED


@dataclass(frozen=True, slots=True)
class Request:
    """What one call of an entrance asks for: drafts in a user's name.

    `key` makes a repeat harmless: with the same `fingerprint` (a digest of the content) the stored answer is given again, for
    `key_window_s` seconds or 7 days. `entrance` names the API for the message's page.
    """

    user: UserView
    drafts: tuple[Draft, ...]
    entrance: str
    key: str = ""
    fingerprint: str = ""
    key_window_s: int | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """A draft that was accepted, with its charge, for good. Units: microcredits for the whole message."""

    message_id: int
    destination: str
    source: str
    segment_count: int
    alphabet: str
    price_uc: int
    charged: bool
    route: str
    provider: str
    state: str
    client_reference: str

    @property
    def public_id(self) -> str:
        return public_id(self.message_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """One result for each draft, in order. `replayed` says that the key was known and this is its stored answer."""

    results: tuple[Admitted | Refused, ...]
    replayed: bool = False


@dataclass(slots=True)
class Decision:
    """A draft that may be accepted: everything but its id and its charge. `draft` is as the customer gave it."""

    draft: Draft
    source: str
    destination: str
    alphabet: Alphabet
    segment_count: int
    route: CompiledRoute
    provider: str
    per_segment_uc: int
    price_why: str
    buying: Buying
    #: It is sold for less than its provider charges, and its route wants that to be known.
    margin_alarm: bool
    send_at: datetime | None
    expires_at: datetime
    #: Accounts above that pay too, the nearest first, each with what the whole message costs it.
    above: tuple[tuple[int, int], ...] = ()

    @property
    def price_uc(self) -> int:
        return self.per_segment_uc * self.segment_count

    @property
    def buy_uc(self) -> int | None:
        """What the provider charges for the whole message, None where nobody knows."""
        return None if self.buying.per_segment_uc is None else self.buying.per_segment_uc * self.segment_count

    @property
    def state(self) -> State:
        return _QUEUED if self.send_at is None else _SCHEDULED


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request whose drafts have been decided on the configuration `version`."""

    request: Request
    decisions: tuple[Decision | Refused, ...]
    version: int
    revenue_id: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of a draft. `forced_by` is position and character of the first one that GSM 7-bit lacks.

    Units: microcredits; `length` in septets or UTF-16 code units.
    """

    destination: str
    source: str
    segment_count: int
    alphabet: str
    length: int
    forced_by: tuple[int, str] | None
    route: str
    route_why: str
    provider: str
    price_uc: int
    per_segment_uc: int
    price_why: str
    charged: bool
    verdicts: tuple[Verdict, ...]
    #: For the operator alone: who might have carried it, and why it is the one that it is.
    standings: tuple[Standing, ...] = ()


class _Refusal(Exception):
    """Leaves the steps of one decision with the refusal that ends it."""

    def __init__(self, code: str, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.refused = Refused(code, reason, field)


def prepare(snapshot: Snapshot, request: Request, *, now: datetime) -> Prepared:
    """Decide every draft of a request. What is refused here has touched nothing."""
    decide = _Decider(snapshot, request.user, now).decide
    return Prepared(request, tuple(decide(draft) for draft in request.drafts), snapshot.version, snapshot.revenue_id)


def preview(snapshot: Snapshot, request: Request, *, now: datetime) -> tuple[Preview | Refused, ...]:
    """Say what would become of each draft, and why; nothing is kept."""
    decider = _Decider(snapshot, request.user, now)
    return tuple(_preview(decider, snapshot, request.user, draft, now) for draft in request.drafts)


def _preview(decider: "_Decider", snapshot: Snapshot, user: UserView, draft: Draft, now: datetime) -> Preview | Refused:
    decision = decider.decide(draft)
    if isinstance(decision, Refused):
        return decision
    plan = None if draft.data is not None else plan_text(draft.text, alphabet=draft.alphabet, udh=draft.udh)
    subject = RoutingSubject(Direction.OUTBOUND, decision.source, decision.destination, draft.text, now, username=user.username)
    return Preview(
        destination=decision.destination,
        source=decision.source,
        segment_count=decision.segment_count,
        alphabet=decision.alphabet.value,
        length=plan.length if plan else len(draft.data or b""),
        forced_by=plan.forced_by if plan else None,
        route=decision.route.name,
        route_why=decision.route.why,
        provider=decision.provider,
        price_uc=decision.price_uc,
        per_segment_uc=decision.per_segment_uc,
        price_why=decision.price_why,
        charged=user.accounting_enabled,
        verdicts=tuple(routing.explain(snapshot.outbound, subject)),
        standings=decider.standings(draft),
    )


def address_pair(snapshot: Snapshot, user: UserView, source: str, destination: str, *, now: datetime) -> tuple[str, str] | Refused:
    """Return source and destination as a message of the user's would have them, before its route rewrites any."""
    decider = _Decider(snapshot, user, now)
    try:
        return decider.source_of(source), decider.destination_of(destination)
    except _Refusal as refusal:
        return refusal.refused


def standings(snapshot: Snapshot, user: UserView, draft: Draft, *, now: datetime) -> tuple[Standing, ...]:
    """Return who might carry a draft, also where it is refused for want of a margin; nothing where it finds no route."""
    return _Decider(snapshot, user, now).standings(draft)


class _Decider:
    """Decides drafts of one user at one moment."""

    def __init__(self, snapshot: Snapshot, user: UserView, now: datetime) -> None:
        self._snapshot = snapshot
        self._user = user
        self._now = now
        self._country_code = user.country_code or str(snapshot.options.get("country_code", ""))
        self._dialling = numbering.dialling(self._country_code)
        self._sources: dict[str, str] = {}

    def decide(self, draft: Draft) -> Decision | Refused:
        try:
            return self._decide(draft)
        except (_Refusal, NotSold) as refusal:
            return refusal.refused

    def _decide(self, draft: Draft) -> Decision:
        user, now = self._user, self._now
        if not user.active:
            raise _Refusal("user_suspended", f"The user {user.username} is switched off. Ask the operator.")
        if user.suspended:
            raise _Refusal("account_suspended", f"The account of {user.username} is suspended: {user.suspended} Ask the operator.")
        destination = self.destination_of(draft.destination)
        alphabet, segment_count = _encode(draft, user.max_segments)
        source = self.source_of(draft.source)
        route = self._route(draft, source, destination)
        if route.source_rewrite:
            source = route.source_rewrite
        send_at, expires_at = _times(draft, route, now)
        if len(draft.client_reference) > MAX_REFERENCE_CHARACTERS or not draft.client_reference.isprintable():
            reason = f"A client reference has at most {MAX_REFERENCE_CHARACTERS} printable characters. Shorten or clean it."
            raise _Refusal("invalid_parameter", reason, "client_reference")
        _check_parameters(draft)
        ask = self._asking(route, source, destination, segment_count)
        named = self._override(draft.provider) if draft.provider and user.route_override_allowed else None
        sale = sales.sell(self._snapshot, user, route, ask, named=named)
        return Decision(
            draft=draft,
            source=source,
            destination=destination,
            alphabet=alphabet,
            segment_count=segment_count,
            route=route,
            provider=sale.provider,
            per_segment_uc=sale.quote.per_segment_uc,
            price_why=sale.quote.why,
            buying=sale.buying,
            margin_alarm=sale.margin_alarm,
            send_at=send_at,
            expires_at=expires_at,
            above=sales.above(self._snapshot, user, route, ask(sale.provider)) if user.payers else (),
        )

    def _asking(self, route: CompiledRoute, source: str, destination: str, segment_count: int) -> Ask:
        """Return what makes the requests for prices of a draft: by one provider or another."""
        username, now = self._user.username, self._now
        return lambda provider: PriceRequest(Direction.OUTBOUND, username, source, destination, segment_count, route.name, provider, now)

    def standings(self, draft: Draft) -> tuple[Standing, ...]:
        """Return every provider of the draft's route as the choice saw it."""
        try:
            destination = self.destination_of(draft.destination)
            _, segment_count = _encode(draft, self._user.max_segments)
            source = self.source_of(draft.source)
            route = self._route(draft, source, destination)
        except _Refusal:
            return ()
        source = route.source_rewrite or source
        ask = self._asking(route, source, destination, segment_count)
        return sales.standings(self._snapshot, self._user, route, ask)

    def destination_of(self, raw: str) -> str:
        """Return a destination in its one form. Raises: _Refusal."""
        if not raw.strip():
            raise _Refusal("missing_destination", "The recipient is missing. Give a number such as +36201234567.", "destination")
        try:
            return addresses.normalise(
                raw,
                country_code=self._country_code,
                international_prefix=self._dialling.international_prefix,
                national_prefix=self._dialling.national_prefix,
            )
        except InvalidAddress as error:
            raise _Refusal("invalid_destination", str(error), "destination") from error

    def source_of(self, raw: str) -> str:
        """Return the source that a message has. Raises: _Refusal."""
        wanted = raw if raw and self._user.source_override_allowed else self._user.default_source
        if wanted not in self._sources:
            try:
                self._sources[wanted] = addresses.source(wanted)
            except InvalidAddress as error:
                raise _Refusal("invalid_source", str(error), "source") from error
        return self._sources[wanted]

    def _route(self, draft: Draft, source: str, destination: str) -> CompiledRoute:
        subject = RoutingSubject(Direction.OUTBOUND, source, destination, draft.text, self._now, username=self._user.username)
        route = self._snapshot.outbound.first_match(subject)
        if route is None:
            raise _Refusal("no_route", f"No outbound route matches a message to {destination}. Add one, or a route for everything.")
        return route

    def _override(self, wanted: str) -> str:
        if wanted in self._snapshot.providers:
            return wanted
        for connection in self._snapshot.connections.values():
            if connection.name == wanted:
                return connection.provider
        raise _Refusal("no_route", f"There is no service provider {wanted[:64]!r}.", "provider")


def _check_parameters(draft: Draft) -> None:
    if draft.priority not in PRIORITIES:
        raise _Refusal("invalid_parameter", f"The priority is {draft.priority}; it must be 0 to 3.", "priority")
    if draft.message_class is not None and draft.message_class not in MESSAGE_CLASSES:
        raise _Refusal("invalid_parameter", f"The message class is {draft.message_class}; it must be 0 to 3.", "message_class")
    if not draft.parameters:
        return
    try:
        storable = b"\\u0000" not in msgspec.json.encode(draft.parameters)
    except (TypeError, ValueError):
        storable = False
    if not storable:
        raise _Refusal("invalid_parameter", "The parameters hold what JSON or a database cannot take. Use plain values.", "parameters")


def _encode(draft: Draft, max_segments: int) -> tuple[Alphabet, int]:
    """Return alphabet and number of segments; the same function cuts the message when it is sent."""
    if draft.data is not None:
        return _encode_data(draft.data, draft.udh, max_segments)
    text = draft.text
    if not text:
        raise _Refusal("empty_text", "The text is empty. Give at least one character.", "text")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise _Refusal("text_too_long", f"The text has {len(text)} characters; at most {MAX_TEXT_CHARACTERS} are read.", "text")
    if "\x00" in text:
        raise _Refusal("invalid_text", f"The text has a NUL character at position {text.index(chr(0)) + 1}. Remove it.", "text")
    try:
        plan = plan_text(text, alphabet=draft.alphabet, udh=draft.udh, max_segments=max_segments)
    except TooLong as error:
        raise _Refusal("text_too_long", str(error), "text") from error
    except NotEncodable as error:
        raise _Refusal("invalid_text", str(error), "text") from error
    except (MalformedHeader, ValueError) as error:
        raise _Refusal("invalid_parameter", str(error), "udh") from error
    return plan.alphabet, plan.segment_count


def _encode_data(data: bytes, udh: bytes, max_segments: int) -> tuple[Alphabet, int]:
    if len(data) > MAX_DATA_OCTETS:
        raise _Refusal("text_too_long", f"The data has {len(data)} octets; at most {MAX_DATA_OCTETS} are read.", "data")
    if not data and not udh:
        raise _Refusal("empty_text", "The data is empty. Give at least one octet.", "data")
    try:
        return Alphabet.BINARY, len(segments.split_data(data, udh=udh, max_segments=max_segments))
    except TooLong as error:
        raise _Refusal("text_too_long", str(error), "data") from error
    except (MalformedHeader, ValueError) as error:
        raise _Refusal("invalid_parameter", str(error), "udh") from error


def _times(draft: Draft, route: CompiledRoute, now: datetime) -> tuple[datetime | None, datetime]:
    """Return when to send (None is now) and when the message is over."""
    send_at = draft.send_at if draft.send_at is not None and draft.send_at > now else None
    if send_at is not None and send_at > now + FARTHEST_TIME:
        raise _Refusal("invalid_time", "The time to send is more than a year away.", "send_at")
    start = send_at or now
    if draft.expires_at is None:
        return send_at, start + timedelta(seconds=route.validity_s)
    if draft.expires_at <= start:
        raise _Refusal("invalid_time", "The message would be over before it is sent. Give a later end of validity.", "expires_at")
    return send_at, min(draft.expires_at, start + FARTHEST_TIME)


def refusal(decision: Decision, lack: Lack) -> Refused:
    """Return the refusal of a message for what its charge lacks. The figures of an account above are not its customer's."""
    if lack.level:
        what = "has no credit for this message" if lack.reached is None else "has reached a limit"
        return Refused("no_credit" if lack.reached is None else "limit_reached", f"An account above yours {what}. Ask your provider.")
    if lack.reached is not None:
        return Refused("limit_reached", limits.in_words(lack.reached))
    price = format_credits(decision.price_uc)
    reason = f"The message costs {price} and the account's credit does not suffice. Top up the account."
    return Refused("no_credit", reason)

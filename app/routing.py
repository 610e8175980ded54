"""Routing: ordered rows with conditions; the first that matches decides. Built-in conditions use the plugins' own hook."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from app.lifecycle import NegativeMargin, NoCredit, ProviderChoice, Terms
from app.pricing import RouteCost
from pennywire import Condition, Direction, InvalidSetting, RoutingSubject, Setting, hookimpl, read_settings

ANY = "*"
"""The provider that stands for every provider."""

_LOG = logging.getLogger(__name__)

PATTERN_LIMIT = 200


def _pattern(name: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise InvalidSetting(name, f"{text!r} is not a regular expression: {error}.") from error


class UserCondition(Condition):
    """The message comes from one of these users."""

    kind = "user"
    label = "User"
    directions = frozenset({Direction.OUTBOUND})
    settings = (Setting("usernames", "User names", required=True, max_length=1000, help="One or several names, separated by commas."),)

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._names = frozenset(name.strip() for name in str(values["usernames"]).split(","))

    def matches(self, subject: RoutingSubject) -> bool:
        return subject.username in self._names


class ConnectionCondition(Condition):
    """The message came in on one of these connections."""

    kind = "connection"
    label = "Connection"
    directions = frozenset({Direction.INBOUND})
    settings = (Setting("connections", "Connections", required=True, max_length=1000, help="One or several names, separated by commas."),)

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._names = frozenset(name.strip() for name in str(values["connections"]).split(","))

    def matches(self, subject: RoutingSubject) -> bool:
        return subject.connection in self._names


class SourcePattern(Condition):
    """The sender matches a regular expression."""

    kind = "source_pattern"
    label = "Sender matches"
    settings = (Setting("pattern", "Pattern", required=True, max_length=PATTERN_LIMIT, help="A regular expression, found anywhere."),)

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._search = _pattern("pattern", values["pattern"]).search

    def matches(self, subject: RoutingSubject) -> bool:
        return self._search(subject.source) is not None


class DestinationPrefix(Condition):
    """The recipient begins with one of these prefixes."""

    kind = "destination_prefix"
    label = "Recipient begins with"
    settings = (Setting("prefixes", "Prefixes", required=True, max_length=2000, help="Such as +3620, +3630; separated by commas."),)

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.prefixes = tuple(part.strip() for part in str(values["prefixes"]).split(",") if part.strip())
        if not self.prefixes:
            raise InvalidSetting("prefixes", "Prefixes is empty. Give at least one, such as +36.")

    def matches(self, subject: RoutingSubject) -> bool:
        return subject.destination.startswith(self.prefixes)


class DestinationPattern(Condition):
    """The recipient matches a regular expression."""

    kind = "destination_pattern"
    label = "Recipient matches"
    settings = (Setting("pattern", "Pattern", required=True, max_length=PATTERN_LIMIT, help="A regular expression, found anywhere."),)

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._search = _pattern("pattern", values["pattern"]).search

    def matches(self, subject: RoutingSubject) -> bool:
        return self._search(subject.destination) is not None


class Keyword(Condition):
    """The first word of the text is one of these."""

    kind = "keyword"
    label = "Keyword"
    settings = (
        Setting("keywords", "Keywords", required=True, max_length=1000, help="First word of the text, in any case; several by commas."),
    )

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._words = frozenset(word.strip().casefold() for word in str(values["keywords"]).split(","))

    def matches(self, subject: RoutingSubject) -> bool:
        words = subject.text.split(maxsplit=1)
        return bool(words) and words[0].casefold() in self._words


class TextPattern(Condition):
    """The text matches a regular expression."""

    kind = "text_pattern"
    label = "Text matches"
    settings = (Setting("pattern", "Pattern", required=True, max_length=PATTERN_LIMIT, help="A regular expression, found anywhere."),)

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._search = _pattern("pattern", values["pattern"]).search

    def matches(self, subject: RoutingSubject) -> bool:
        return self._search(subject.text[:1600]) is not None


@hookimpl
def register_conditions() -> Sequence[type[Condition]]:
    return [UserCondition, ConnectionCondition, SourcePattern, DestinationPrefix, DestinationPattern, Keyword, TextPattern]


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """A row of the routing table, ready to be asked."""

    id: int
    name: str
    conditions: tuple[Condition, ...]
    targets: tuple[str, ...]
    cost: RouteCost
    terms: Terms
    mode: str = "move"
    no_credit: NoCredit = NoCredit.DELIVER
    provider_choice: ProviderChoice = ProviderChoice.ORDER
    negative_margin: NegativeMargin = NegativeMargin.IGNORE
    resend_in_doubt: bool = False
    source_rewrite: str = ""
    report_timeout_s: int = 72 * 3600
    validity_s: int = 48 * 3600
    #: In words why the route matches what it matches.
    why: str = "matches everything"

    def matches(self, subject: RoutingSubject) -> bool:
        """Say whether every condition is fulfilled. A loop, because it runs for each message."""
        for condition in self.conditions:
            try:
                if not condition.matches(subject):
                    return False
            except Exception:  # noqa: BLE001  # A condition of a plugin may raise anything; its route then matches nothing.
                _LOG.exception("condition %s of route %s failed", condition.kind, self.name)
                return False
        return True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one route says of a message: whether it matched, and the condition that failed."""

    route: CompiledRoute
    matched: bool
    failed: str = ""


@dataclass(frozen=True, slots=True)
class BrokenRoute:
    """A row that cannot be asked, with the reason: a condition whose plugin is gone, a pattern that does not compile."""

    name: str
    reason: str


class RoutingTable(Sequence[CompiledRoute]):
    """The routes of a direction in their order, with an index over recipient prefixes: a message is asked only of those it may match.

    Most tables are long lists of prefixes; without the index each message would be compared with all of them.
    """

    def __init__(self, routes: Sequence[CompiledRoute]) -> None:
        self.routes = tuple(routes)
        self._unindexed: list[int] = []
        self._indexed: dict[str, list[int]] = {}
        for place, route in enumerate(self.routes):
            prefixes = next((item.prefixes for item in route.conditions if isinstance(item, DestinationPrefix)), None)
            if prefixes is None:
                self._unindexed.append(place)
            for prefix in dict.fromkeys(prefixes or ()):
                self._indexed.setdefault(prefix, []).append(place)
        self._lengths = sorted({len(prefix) for prefix in self._indexed})

    def __len__(self) -> int:
        return len(self.routes)

    @overload
    def __getitem__(self, index: int) -> CompiledRoute: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[CompiledRoute]: ...

    def __getitem__(self, index: int | slice) -> CompiledRoute | Sequence[CompiledRoute]:
        return self.routes[index]

    def first_match(self, subject: RoutingSubject) -> CompiledRoute | None:
        """Return the first route that matches, or None."""
        return next(self._matches(subject), None)

    def all_matches(self, subject: RoutingSubject) -> list[CompiledRoute]:
        """Return the routes an incoming message takes: every match until one that moves or drops it."""
        taken = []
        for route in self._matches(subject):
            taken.append(route)
            if route.mode != "copy":
                break
        return taken

    def _matches(self, subject: RoutingSubject) -> Iterator[CompiledRoute]:
        destination, indexed = subject.destination, self._indexed
        places = self._unindexed
        for length in self._lengths:
            found = indexed.get(destination[:length])
            if found is not None:
                places = places + found
        for place in places if places is self._unindexed else sorted(set(places)):
            route = self.routes[place]
            if route.matches(subject):
                yield route


def explain(routes: Sequence[CompiledRoute], subject: RoutingSubject) -> list[Verdict]:
    """Return every route's verdict, for *Test a route*."""
    verdicts = []
    for route in routes:
        failed = next((condition.describe() for condition in route.conditions if not condition.matches(subject)), "")
        verdicts.append(Verdict(route, not failed, failed))
    return verdicts


def describe_conditions(conditions: Sequence[Condition]) -> str:
    """Return in words what a route asks of a message."""
    return "; ".join(condition.describe() for condition in conditions) or "matches everything"


def compile_conditions(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, type[Condition]]) -> tuple[Condition, ...]:
    """Make conditions of `{"kind": …, "settings": …}` rows. Raises: InvalidSetting."""
    conditions = []
    for row in rows:
        kind = kinds.get(row.get("kind", ""))
        if kind is None:
            known = ", ".join(sorted(kinds))
            raise InvalidSetting("kind", f"There is no condition {row.get('kind')!r}. Known: {known}. Is its plugin enabled?")
        conditions.append(kind(read_settings(kind.settings, row.get("settings", {}))))
    return tuple(conditions)

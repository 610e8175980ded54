"""What the imagined network does with a destination: a table of behaviours, and rules that choose one."""

import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pennywire import Accepted, InvalidSetting, Outcome, Rejected, ReportState, Submission, Throttled

#: How long the imagined network asks the link to rest, in seconds.
THROTTLED_S = 1.0

#: A share that is not said, in per cent.
ALWAYS = 100


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way of the network to treat a submission. `answer` is None where it never answers, `report` where none comes."""

    label: str
    answer: Callable[[Submission], Outcome] | None
    report: ReportState | None = None


def _accept(submission: Submission) -> Outcome:
    # The attempt's id is unique for all time, so that a report can never be taken for one of an earlier run.
    return Accepted(f"loop-{submission.attempt_id:x}")


def _reject(_submission: Submission) -> Outcome:
    return Rejected("LOOPBACK-REJECT", "The loopback connection refuses destinations with this ending.")


def _throttle(_submission: Submission) -> Outcome:
    return Throttled(THROTTLED_S, "LOOPBACK-THROTTLE")


BEHAVIOURS: dict[str, Behaviour] = {
    "accept": Behaviour("accepts and delivers", _accept, ReportState.DELIVERED),
    "reject": Behaviour("refuses", _reject),
    "throttle": Behaviour("asks for patience", _throttle),
    "silent": Behaviour("takes it and never answers", None),
    "undeliverable": Behaviour("accepts, and cannot deliver", _accept, ReportState.UNDELIVERABLE),
    "expired": Behaviour("accepts, and gives up later", _accept, ReportState.EXPIRED),
    "unreported": Behaviour("accepts, and never reports", _accept),
}

DEFAULT_RULES = "01 reject\n02 throttle\n03 silent\n04 undeliverable\n05 expired\n06 unreported"

_RULE = re.compile(r"(?P<ending>\*|[0-9]{1,15})\s+(?P<behaviour>[a-z]+)(?:\s+(?P<share>[0-9]{1,3})\s*%)?")


@dataclass(frozen=True, slots=True)
class Rule:
    """Destinations that end in `ending` (empty: all) get `behaviour`. `share` is per cent of them; the rest go on to the next rule."""

    ending: str
    behaviour: Behaviour
    share: int

    def applies(self, submission: Submission) -> bool:
        if not submission.destination.endswith(self.ending):
            return False
        # A checksum of the attempt spreads the share evenly, and treats the same attempt the same way each time.
        return self.share == ALWAYS or zlib.crc32(submission.attempt_id.to_bytes(8)) % ALWAYS < self.share


def read_rules(text: str, *, setting: str) -> tuple[Rule, ...]:
    """Return the rules of a text with one a line: `ENDING BEHAVIOUR [SHARE%]`, where the ending `*` is any destination.

    Raises: InvalidSetting for `setting`, naming the line and what would be right.
    """
    return tuple(_read_rule(line.strip(), setting) for line in text.splitlines() if line.strip())


def _read_rule(line: str, setting: str) -> Rule:
    found = _RULE.fullmatch(line)
    if found is None:
        raise InvalidSetting(setting, f"“{line}” is not a rule. Write the ending and what happens, such as: 01 reject 50%")
    if found["behaviour"] not in BEHAVIOURS:
        raise InvalidSetting(setting, f"“{line}” names something that cannot happen. Possible: {', '.join(BEHAVIOURS)}.")
    share = int(found["share"] or ALWAYS)
    if share > ALWAYS:
        raise InvalidSetting(setting, f"“{line}” asks for more than 100 %. Give a share from 0 to 100.")
    return Rule("" if found["ending"] == "*" else found["ending"], BEHAVIOURS[found["behaviour"]], share)


def choose(rules: Iterable[Rule], submission: Submission) -> Behaviour:
    """Return what the first rule that applies says; what no rule wants is accepted and delivered."""
    return next((rule.behaviour for rule in rules if rule.applies(submission)), BEHAVIOURS["accept"])

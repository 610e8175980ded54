"""Which destination is treated how."""

import pytest
from pennywire_loopback.behaviours import BEHAVIOURS, DEFAULT_RULES, choose, read_rules

from pennywire import Accepted, Alphabet, InvalidSetting, Rejected, Submission, Throttled


def submission_to(destination: str, attempt_id: int = 1) -> Submission:
    return Submission(
        attempt_id=attempt_id,
        message_id="0000000000001",
        segment_index=0,
        segment_count=1,
        source="+36201111111",
        destination=destination,
        alphabet=Alphabet.GSM7,
        user_data=b"hello",
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("reject", "is not a rule"),
        ("01", "is not a rule"),
        ("0x reject", "is not a rule"),
        ("01 explode", "cannot happen"),
        ("01 reject 101%", "more than 100"),
        ("* accept\n01 reject often", "01 reject often"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(InvalidSetting, match=complaint) as refused:
        read_rules(text, setting="rules")

    assert refused.value.name == "rules"


@pytest.mark.parametrize(
    ("destination", "behaviour"),
    [
        ("+36201234501", "reject"),
        ("+36201234502", "throttle"),
        ("+36201234503", "silent"),
        ("+36201234504", "undeliverable"),
        ("+36201234505", "expired"),
        ("+36201234506", "unreported"),
        ("+36201234567", "accept"),
        ("01", "reject"),
        ("1", "accept"),
    ],
)
def test_the_ending_decides(destination: str, behaviour: str) -> None:
    rules = read_rules(DEFAULT_RULES, setting="rules")

    assert choose(rules, submission_to(destination)) is BEHAVIOURS[behaviour]


def test_without_rules_everything_is_accepted() -> None:
    assert choose(read_rules("", setting="rules"), submission_to("+36201234501")) is BEHAVIOURS["accept"]


def test_the_first_rule_that_applies_counts() -> None:
    rules = read_rules("501 throttle\n01 reject\n* expired", setting="rules")

    chosen = [choose(rules, submission_to(destination)) for destination in ("+3620501", "+3620601", "+3620777")]

    assert chosen == [BEHAVIOURS["throttle"], BEHAVIOURS["reject"], BEHAVIOURS["expired"]]


@pytest.mark.parametrize(("share", "least", "most"), [(0, 0, 0), (20, 170, 230), (100, 1_000, 1_000)])
def test_a_share_is_kept_over_many_submissions(share: int, least: int, most: int) -> None:
    rules = read_rules(f"* reject {share}%", setting="rules")

    rejected = sum(choose(rules, submission_to("+36201234567", attempt)) is BEHAVIOURS["reject"] for attempt in range(1_000))

    assert least <= rejected <= most


def test_the_same_attempt_is_treated_the_same_way_again() -> None:
    rules = read_rules("* reject 50%", setting="rules")

    first = [choose(rules, submission_to("+36201234567", attempt)) for attempt in range(50)]

    assert first == [choose(rules, submission_to("+36201234567", attempt)) for attempt in range(50)]


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ("accept", Accepted),
        ("undeliverable", Accepted),
        ("expired", Accepted),
        ("unreported", Accepted),
        ("reject", Rejected),
        ("throttle", Throttled),
    ],
)
def test_a_behaviour_answers_with_its_outcome(behaviour: str, outcome: type) -> None:
    answer = BEHAVIOURS[behaviour].answer

    assert answer is not None
    assert isinstance(answer(submission_to("+36201234567")), outcome)


def test_each_attempt_has_a_network_id_of_its_own() -> None:
    answer = BEHAVIOURS["accept"].answer
    assert answer is not None

    outcomes = {answer(submission_to("+36201234567", attempt)) for attempt in (1, 2, 2**63 - 1)}

    assert len(outcomes) == 3

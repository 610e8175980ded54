"""Rates, throttling and pauses, with a clock that is a number."""

from math import inf

import pytest
from pennywire_smpp.pacing import FIRST_PAUSE_S, LONGEST_PAUSE_S, Backoff, Throttle, TokenBucket


def test_a_rate_of_zero_is_no_limit() -> None:
    bucket = TokenBucket(0, now=0)
    bucket.take(0)

    assert (bucket.available(0), bucket.delay_s(0)) == (inf, 0)


def test_the_bucket_gives_a_tenth_of_a_second_at_once_and_then_an_even_rate() -> None:
    bucket = TokenBucket(100, now=0)
    for _ in range(10):
        bucket.take(0)

    assert bucket.available(0) == 0
    assert bucket.delay_s(0) == pytest.approx(0.01)
    assert bucket.available(0.05) == 5
    assert bucket.available(60) == 10


@pytest.mark.parametrize("rate_per_s", [0.1, 1.0, 7.5, 1000.0])
def test_the_rate_holds_over_time(rate_per_s: float) -> None:
    bucket = TokenBucket(rate_per_s, now=0)
    now, sent = 0.0, 0
    while now < 100:
        now += bucket.delay_s(now)
        bucket.take(now)
        sent += 1

    assert sent == pytest.approx(rate_per_s * 100, abs=max(2, rate_per_s * 0.1) + 1)


def test_s1_a_pause_begins_with_the_first_throttled_submission() -> None:
    throttle = Throttle(now=0)

    assert throttle.refuse(sent_at=1, now=1) == FIRST_PAUSE_S
    assert throttle.available(1.1) == 0
    assert throttle.delay_s(1.1) == pytest.approx(0.4)
    assert throttle.available(1 + FIRST_PAUSE_S) >= 1


def test_s1_those_that_were_on_their_way_do_not_lengthen_it() -> None:
    throttle = Throttle(now=0)
    throttle.refuse(sent_at=1, now=1)

    assert throttle.refuse(sent_at=0.99, now=1.1) == pytest.approx(0.4)
    assert throttle.delay_s(1.1) == pytest.approx(0.4)


def test_s1_pauses_double_while_nothing_is_accepted_and_end_with_the_first_that_is() -> None:
    throttle = Throttle(now=0)
    now, pauses = 1.0, []
    for _ in range(9):
        pauses.append(throttle.refuse(sent_at=now, now=now))
        now += pauses[-1]

    assert pauses[:3] == [0.5, 1.0, 2.0]
    assert pauses[-1] == LONGEST_PAUSE_S
    throttle.accept(now)
    assert throttle.refuse(sent_at=now + 1, now=now + 1) == FIRST_PAUSE_S


@pytest.mark.parametrize("limit_per_s", [5, 100, 2000])
def test_s1_the_rate_comes_near_the_peers_limit_and_seldom_passes_it(limit_per_s: int) -> None:
    """A peer that counts whole seconds; an answer takes 20 ms. Less than one submission a second comes back."""
    throttle = Throttle(now=0)
    counts: dict[int, int] = {}
    now, accepted, refused = 0.0, 0, 0
    while now < 60:
        now += max(throttle.delay_s(now), 0.0001)
        throttle.take(now)
        counts[int(now)] = counts.get(int(now), 0) + 1
        if counts[int(now)] > limit_per_s:
            refused += 1
            throttle.refuse(sent_at=now, now=now + 0.02)
        else:
            accepted += now >= 30
            throttle.accept(now)

    assert accepted >= 0.7 * 30 * limit_per_s
    assert refused < 60


def test_a_peer_that_no_longer_throttles_is_let_go() -> None:
    throttle = Throttle(now=0)
    throttle.refuse(sent_at=1, now=1)
    for step in range(1, 200):
        throttle.accept(1 + step)

    assert throttle.ceiling_per_s == 0
    assert throttle.available(300) == inf


def test_pauses_between_attempts_double_with_jitter_up_to_the_longest() -> None:
    low = Backoff(first_s=1, longest_s=60, random=lambda: 0.0)
    high = Backoff(first_s=1, longest_s=60, random=lambda: 1.0)

    assert [low.pause_s() for _ in range(8)] == [0.75, 1.5, 3, 6, 12, 24, 45, 45]
    assert [high.pause_s() for _ in range(8)] == [1.25, 2.5, 5, 10, 20, 40, 75, 75]
    low.reset()
    assert low.pause_s() == 0.75

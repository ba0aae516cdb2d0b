"""A connection's own limit: what it lets through in any second, and how it answers a 429."""

import threading
from bisect import bisect_left

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.errors import PspRateLimited
from tinko_pipelines.core.psp.throttle import (
    ALLOWED,
    ELSEWHERE,
    LIMITS,
    PROCESSES,
    Limit,
    Throttle,
    limit_of,
)
from tinko_pipelines.core.psp.types import Credentials, Psp
from tinko_pipelines.local.layout import ROOT


class Time:
    """Wall time that passes only by sleeping."""

    def __init__(self):
        self.at, self.slept = 1000.0, []

    def now(self):
        return self.at

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds


def throttle(clock, jitter=1.0, **limit):
    made = Limit(**{"rate": 10, "burst": 10, **limit})
    return Throttle(made, monotonic=clock.now, sleep=clock.sleep, jitter=lambda: jitter)


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from([1, 7, 20, 80]),
    burst=st.integers(1, 30),
    pauses=st.lists(st.sampled_from([0.0, 0.01, 0.3, 2.0]), max_size=60),
)
def test_no_window_ever_holds_more_than_its_burst_and_its_rate(rate, burst, pauses):
    clock = Time()
    one = throttle(clock, rate=rate, burst=burst, max_wait=1e9)
    sent = []
    for pause in pauses:
        clock.at += pause
        one.turn()
        sent.append(clock.at)
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            allowed = burst + rate * (sent[last] - sent[first])
            assert last - first + 1 <= allowed + 1e-6
    assert one.tally.calls == len(pauses)


def test_a_call_that_would_wait_too_long_takes_no_turn():
    clock = Time()
    one = throttle(clock, rate=1, burst=1, max_wait=1.5)
    one.turn()
    one.turn()  # waits one second
    assert clock.slept == [1.0]
    clock.at -= 1.0
    with pytest.raises(PspRateLimited) as refused:
        one.turn()
    assert refused.value.extra["retry_after"] == 2.0
    clock.at += 2.0
    one.turn()  # what was refused took nothing from this one
    assert (one.tally.calls, one.tally.refused, one.tally.waited) == (3, 1, 1.0)


def test_each_429_in_a_row_doubles_the_pause_up_to_a_limit():
    clock = Time()
    one = throttle(clock, backoff=1.0, backoff_most=5.0, max_wait=100)
    pauses = []
    for _ in range(5):
        one.turn()
        one.answered(429)
        pauses.append(one.tally.last_pause)
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert clock.slept == [1.0, 2.0, 4.0, 5.0]
    one.turn()
    one.answered(200)
    assert (one.tally.in_a_row, one.tally.limited) == (0, 5)
    one.answered(429)
    assert one.tally.last_pause == 1.0


def test_the_jitter_is_full():
    for jitter in (0.0, 0.25, 1.0):
        one = throttle(Time(), jitter=jitter, backoff=8.0)
        one.answered(429)
        assert one.tally.last_pause == 8.0 * jitter


def test_threads_share_one_bucket():
    clock, lock = Time(), threading.Lock()

    def sleep(seconds):
        with lock:
            clock.slept.append(seconds)

    one = Throttle(Limit(rate=10, burst=5, max_wait=100), monotonic=clock.now, sleep=sleep)
    threads = [threading.Thread(target=lambda: [one.turn() for _ in range(25)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.tally.calls == 200
    # time stood still: five went at once, each later one has a tenth of a second of its own
    assert sorted(round(wait, 6) for wait in clock.slept) == [
        round(number / 10, 6) for number in range(1, 196)
    ]


def test_the_defaults_go_by_psp_and_mode_and_leave_other_addresses_alone():
    assert set(LIMITS) == {(psp, live) for psp in Psp for live in (True, False)}
    assert limit_of(Psp.STRIPE, Credentials("sk_live_x")) == LIMITS[Psp.STRIPE, True]
    assert limit_of(Psp.STRIPE, Credentials("rk_test_x")) == LIMITS[Psp.STRIPE, False]
    assert limit_of(Psp.RAZORPAY, Credentials("rzp_live_x", "s")) == LIMITS[Psp.RAZORPAY, True]
    assert limit_of(Psp.STRIPE, Credentials("sk_test_x", base_url="http://x")) is ELSEWHERE


@pytest.mark.parametrize("which", LIMITS)
def test_all_processes_together_keep_to_what_the_psp_allows(which):
    """Each of them calls as fast as it may, after a rest of both."""
    sent = []
    for _ in range(PROCESSES):
        clock = Time()
        one = Throttle(LIMITS[which], monotonic=clock.now, sleep=clock.sleep)
        until = clock.now() + 5
        while clock.now() < until:
            one.turn()
            sent.append(clock.now())
    sent.sort()
    worst = max(bisect_left(sent, at + 1 - 1e-9) - number for number, at in enumerate(sent))
    assert worst <= ALLOWED[which]
    # and yet make use of most of it
    assert len(sent) / 5 >= 0.75 * ALLOWED[which]


def test_there_are_no_more_runs_at_once_than_shares():
    runs = yaml.safe_load((ROOT / "dagster.yaml").read_text())["concurrency"]["runs"]
    assert runs["max_concurrent_runs"] == PROCESSES

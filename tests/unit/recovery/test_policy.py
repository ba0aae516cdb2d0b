"""Policies: what they say of each failure, what they refuse, and that what was stored stays so."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.recovery.test_decide import NOW, case_views
from tests.unit.recovery.test_windows import window_drafts
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice
from tinko_pipelines.core.guards.evaluate import evaluate
from tinko_pipelines.core.recovery.case import last_unattended
from tinko_pipelines.core.recovery.decide import Action, decide, facts
from tinko_pipelines.core.recovery.policy import DEFAULT_POLICY, MAX_RETRIES, Policy
from tinko_pipelines.core.recovery.strategy import Backoff, ByAdvice, FailureSeen, Ladder, gap
from tinko_pipelines.core.recovery.windows import is_open

TIMED = FailureSeen(Category.INSUFFICIENT_FUNDS, RetryAdvice.TIMED)

# as `make up` of October 2026 stored it
STORED_BEFORE = {
    "base_hours": 30.0, "cap_hours": 90.0, "floor_hours": 6.0,
    "max_retries": {"timed": 5, "cautious": 3, "poll": 2, "never": 0, "payer_action": 0},
    "max_days": 14.0, "psp_patience_days": 4.0, "remind_hours": 72.0, "max_messages": 2,
    "link_days": 10.0, "channels": ["email"],
}  # fmt: skip

FULL = {
    "strategy": {"kind": "advice", "otherwise": {"kind": "ladder", "gaps": ["2d", "36h"]}},
    "windows": ["business_hours", {"days": ["saturday"], "timezone": "Europe/Berlin"}],
    "max_retries": {"timed": 8},
    "max_attempts": 9,
    "amounts": {"INR": {"min_minor": 100, "max_minor": 500_000, "below": "stop"}},
    "categories": {
        "do_not_honor": {"max_retries": 1, "channels": ["sms", "email"]},
        "issuer_unavailable": {"strategy": {"kind": "ladder", "gaps": ["1h", "3h"]}},
    },
    "channels": ["email", "sms"],
}


@pytest.mark.parametrize("given_", [{}, STORED_BEFORE, FULL])
def test_the_round_trip_through_json_changes_nothing(given_):
    policy = Policy.model_validate(given_)
    stored = policy.model_dump_json()
    assert Policy.model_validate_json(stored) == policy
    assert Policy.model_validate_json(stored).model_dump_json() == stored


def test_a_definition_of_before_stays_readable():
    policy = Policy.model_validate(STORED_BEFORE)
    assert policy.strategy == Backoff(base_hours=30, cap_hours=90, floor_hours=6)
    assert policy.max_retries[RetryAdvice.TIMED] == 5
    assert policy.max_days == 14


def test_what_is_left_out_of_the_retries_is_the_usual():
    policy = Policy.model_validate({"max_retries": {"timed": 1}})
    assert policy.max_retries == {**MAX_RETRIES, RetryAdvice.TIMED: 1}


def test_the_most_specific_word_holds():
    policy = Policy.model_validate(FULL)
    plan = policy.plan(FailureSeen(Category.DO_NOT_HONOR, RetryAdvice.CAUTIOUS))
    assert (plan.max_retries, plan.channels) == (1, ("sms", "email"))
    assert plan.windows == policy.windows
    plan = policy.plan(FailureSeen(Category.ISSUER_UNAVAILABLE, RetryAdvice.TIMED))
    assert plan.strategy == Ladder(gaps=("1h", "3h"))
    assert plan.max_retries == 8
    # a step's own windows come before the policy's
    plan = policy.plan(TIMED)
    assert [one.preset for one in plan.windows] == ["paydays"]
    assert policy.plan(FailureSeen(None, None)).max_retries == MAX_RETRIES[RetryAdvice.CAUTIOUS]


@pytest.mark.parametrize("advice", [RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION])
def test_no_policy_retries_what_is_never_retried(advice):
    policy = Policy.model_validate({"categories": {"lost_or_stolen": {"max_retries": 5}}})
    assert policy.plan(FailureSeen(Category.LOST_OR_STOLEN, advice)).max_retries == 0
    with pytest.raises(ValidationError, match="never retried"):
        Policy.model_validate({"max_retries": {advice.value: 1}})


def test_max_attempts_bounds_every_count():
    policy = Policy.model_validate({"max_attempts": 2})
    assert policy.plan(TIMED).max_retries == 2


def test_a_ladder_ends():
    ladder = Ladder(gaps=("8d", "36h", "90m"))
    pauses = [ladder.pause("x", n, TIMED) for n in range(4)]
    assert pauses == [timedelta(days=8), timedelta(hours=36), timedelta(minutes=90), None]


def test_advice_waits_by_what_failed():
    by = ByAdvice.model_validate(
        {
            "kind": "advice",
            "steps": [
                {"codes": ["24"], "gaps": ["1h"]},
                {"categories": ["issuer_unavailable"], "gaps": ["2h", "6h"]},
                {"advice": ["cautious"], "gaps": ["3d"]},
            ],
            "otherwise": {"kind": "ladder", "gaps": ["1d"]},
        }
    )
    away = FailureSeen(Category.ISSUER_UNAVAILABLE, RetryAdvice.TIMED)
    assert [by.pause("x", n, away) for n in range(3)] == [
        timedelta(hours=2), timedelta(hours=6), timedelta(hours=6)
    ]  # fmt: skip
    coded = FailureSeen(Category.ISSUER_UNAVAILABLE, RetryAdvice.TIMED, frozenset({"24"}))
    assert by.pause("x", 0, coded) == timedelta(hours=1)
    cautious = FailureSeen(Category.UNKNOWN, RetryAdvice.CAUTIOUS)
    assert by.pause("x", 0, cautious) == timedelta(days=3)
    assert by.pause("x", 0, TIMED) == timedelta(days=1)
    assert by.pause("x", 1, TIMED) is None


@pytest.mark.parametrize("text", ["8", "d", "8w", "-1d", "1e3h", "0m", "0.5m", "91d", "8d 2h", ""])
def test_a_gap_that_is_none(text):
    with pytest.raises(ValueError, match="is no"):
        gap(text)


@given(st.text(max_size=20), st.integers(0, 400))
def test_jitter_is_full_and_repeatable(key, ordinal):
    backoff = Backoff()
    drawn = backoff.pause(key, ordinal, TIMED)
    high = max(backoff.floor_hours, min(backoff.cap_hours, backoff.base_hours * 2**ordinal))
    assert timedelta(hours=backoff.floor_hours) <= drawn <= timedelta(hours=high)
    assert drawn == backoff.pause(key, ordinal, TIMED)


def test_jitter_spreads():
    hours = [Backoff().pause(f"ch_{n}", 2, TIMED).total_seconds() / 3600 for n in range(2000)]
    assert 12 <= min(hours) < 14
    assert 94 < max(hours) <= 96
    assert abs(sum(hours) / len(hours) - 54) < 2


gaps = st.lists(st.sampled_from(["1m", "6h", "36h", "3d", "8d", "30d"]), min_size=1, max_size=4)
ladders = st.builds(lambda one: {"kind": "ladder", "gaps": one}, gaps)
backoffs = st.builds(
    lambda base, cap, floor: {
        "kind": "backoff", "base_hours": base, "cap_hours": cap, "floor_hours": floor
    },
    st.floats(0.1, 400), st.floats(0.1, 400), st.floats(0, 400),
)  # fmt: skip
window_lists = st.lists(window_drafts, min_size=1, max_size=2)
steps = st.fixed_dictionaries(
    {"gaps": gaps},
    optional={
        "advice": st.lists(st.sampled_from(list(RetryAdvice)), min_size=1, max_size=2),
        "windows": window_lists,
    },
)
strategies = st.one_of(
    ladders,
    backoffs,
    st.builds(
        lambda chosen, otherwise: {"kind": "advice", "steps": chosen, "otherwise": otherwise},
        st.lists(steps, min_size=1, max_size=2),
        ladders | backoffs,
    ),
)
policies = st.fixed_dictionaries(
    {"strategy": strategies},
    optional={
        "windows": window_lists,
        "max_retries": st.dictionaries(
            st.sampled_from(["timed", "cautious", "poll"]), st.integers(0, 20)
        ),
        "max_attempts": st.integers(0, 20),
        "max_days": st.floats(0.5, 60),
        "amounts": st.just({"USD": {"min_minor": 900, "below": "stop"}}),
        "categories": st.dictionaries(
            st.sampled_from(["insufficient_funds", "unknown"]),
            st.fixed_dictionaries({}, optional={"windows": window_lists, "strategy": strategies}),
        ),
    },
).map(Policy.model_validate)


@given(policies, case_views)
@settings(max_examples=150, deadline=None)
def test_whatever_the_policy_a_retry_keeps_to_it_and_to_the_guards(policy, case):
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    answer = decide(case, policy, NOW)
    if answer.action is not Action.RETRY:
        return
    last = last_unattended(case)
    assert last.advice not in (RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION)
    assert NOW <= answer.at <= case.opened_at + timedelta(days=policy.max_days)
    assert is_open(policy.plan(last.failure).windows, answer.at, case.place)
    assert evaluate(replace(facts(case, last), as_of=NOW), answer.at).allowed
    made = sum(
        one.actor == "tinko" and one.state in ("failed", "succeeded") for one in case.attempts
    )
    assert made < policy.max_attempts


def test_the_default_is_what_it_was():
    """Cases opened before are pinned to it; a change here is a new default for all others."""
    stored = json.loads(DEFAULT_POLICY.model_dump_json())
    assert stored["strategy"] == {
        "kind": "backoff", "base_hours": 36.0, "cap_hours": 96.0, "floor_hours": 12.0
    }  # fmt: skip
    assert stored["max_retries"] == {
        "timed": 6, "cautious": 3, "poll": 2, "never": 0, "payer_action": 0
    }  # fmt: skip
    assert (stored["windows"], stored["amounts"], stored["categories"]) == (None, {}, {})
    assert stored["channels"] == ["email"]

"""Rules in decide(): in the policy's place, never over rule 12, and guards after them."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.recovery.test_decide import NOW, OPEN, case_views, failed, view
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import Actor
from tinko_pipelines.core.recovery.decide import Action, decide
from tinko_pipelines.core.recovery.policy import DEFAULT_POLICY, Policy
from tinko_pipelines.core.rules.model import Rule, RuleBody, RuleSet

RULE = uuid.UUID(int=7)
ALWAYS = {"amount": {"ge": 0, "currency": "USD"}}


def rules(*actions, when=ALWAYS, version=3):
    body = RuleBody.model_validate({"when": when, "then": list(actions)})
    return RuleSet((Rule(RULE, version, "mine", 1, body),))


def answer(case, *actions, when=ALWAYS, policy=DEFAULT_POLICY, now=NOW):
    return decide(case, policy, now, rules(*actions, when=when))


def test_the_version_that_fired_is_named():
    found = answer(view(), {"do": "stop"})
    assert found.rule == f"{RULE}:v3"
    assert found.reasons == ("rule.stop", f"rule:{RULE}:v3")


def test_a_rule_that_does_not_hold_changes_nothing():
    case = view(failed(category=Category.DO_NOT_HONOR))
    found = answer(case, {"do": "stop"}, when={"category": {"eq": "insufficient_funds"}})
    assert found == decide(case, DEFAULT_POLICY, NOW)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"do": "retry_in", "hours": 30}, NOW + timedelta(hours=29)),  # after the failure
        ({"do": "retry_at", "instant": "2026-09-18T10:00:00Z"},
         datetime(2026, 9, 18, 10, tzinfo=UTC)),
        ({"do": "retry_at", "time": "09:30"}, datetime(2026, 9, 17, 9, 30, tzinfo=UTC)),
        ({"do": "next_window", "window": "weekends"}, datetime(2026, 9, 19, 9, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_retry_comes_when_the_rule_says(action, expected):
    found = answer(view(), action)
    assert (found.action, found.at) == (Action.RETRY, expected)
    assert found.reasons[:2] == ("rule.retry", "retry.1")


def test_retry_in_keeps_to_the_policys_windows_and_retry_at_does_not():
    weekends = Policy.model_validate({"windows": ["weekends"]})
    found = answer(view(), {"do": "retry_in", "hours": 2}, policy=weekends)
    assert found.at == datetime(2026, 9, 19, 9, tzinfo=UTC)
    found = answer(view(), {"do": "next_window"}, policy=weekends)
    assert found.at == datetime(2026, 9, 19, 9, tzinfo=UTC)
    found = answer(view(), {"do": "retry_at", "time": "13:00"}, policy=weekends)
    assert found.at == datetime(2026, 9, 16, 13, tzinfo=UTC)


def test_an_instant_that_has_passed_leaves_it_to_the_policy():
    usual = decide(view(), DEFAULT_POLICY, NOW)
    found = answer(view(), {"do": "retry_at", "instant": "2026-09-16T11:59:00Z"})
    assert (found.action, found.at) == (usual.action, usual.at)


def test_a_wait_is_counted_from_the_failure_and_is_over_then():
    found = answer(view(), {"do": "wait", "hours": 5})
    assert (found.action, found.at) == (Action.WAIT, NOW + timedelta(hours=4))
    later = NOW + timedelta(hours=4)
    assert answer(view(), {"do": "wait", "hours": 5}, now=later).action is Action.RETRY


def test_tags_and_another_psp_go_with_what_the_policy_does():
    found = answer(view(), {"do": "tag", "words": ["big"]}, {"do": "offer_psp", "psp": "razorpay"})
    usual = decide(view(), DEFAULT_POLICY, NOW)
    assert (found.action, found.at) == (usual.action, usual.at)
    assert (found.tags, found.offered_psp) == (("big",), "razorpay")


def test_a_rule_asks_over_its_own_channels_in_turn():
    ask = {"do": "ask_payer", "channels": ["sms", "email"]}
    both = view(reach=("email", "sms"))
    assert answer(both, ask).channel == "sms"
    asked = replace(both, asked_at=NOW - timedelta(days=4), messages=1)
    assert answer(asked, ask).channel == "email"
    # only what there is an address for, and the policy's channel before none
    assert answer(view(reach=("email",)), {"do": "ask_payer", "channels": ["sms"]}).channel == (
        "email"
    )
    assert answer(view(reach=()), ask).reasons[:2] == ("rule.ask_payer", "payer.no_address")


def test_stop_ends_a_case_that_waits_for_its_payer():
    asked = view(asked_at=NOW - timedelta(hours=1), messages=1)
    assert answer(asked, {"do": "stop"}).action is Action.STOP
    retry = answer(asked, {"do": "retry_in", "hours": 1})
    assert (retry.action, retry.reasons[0]) == (Action.WAIT, "payer.asked")


RETRIES = [
    {"do": "retry_in", "minutes": 1},
    {"do": "retry_at", "time": "12:00"},
    {"do": "retry_at", "instant": "2026-09-16T12:00:00Z"},
    {"do": "next_window", "window": "daily"},
]


@pytest.mark.parametrize("action", RETRIES)
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (view(failed(RetryAdvice.NEVER, hard=True)), "failure.never"),
        (view(failed(RetryAdvice.PAYER_ACTION)), "failure.payer_action"),
        (view(has_mandate=False), "mandate.none"),
        (view(failed(payer_present=True)), "payer.present"),
        (view(psp_retries=True), "psp.retries"),
        (view(instrument_key=None), "guard.own.unknown_instrument"),
        (view(obligation_state="paid"), "obligation.paid"),
    ],
)
def test_no_rule_retries_what_is_never_retried(action, case, reason):
    found = answer(case, action)
    assert found.action is not Action.RETRY
    assert found.reasons[0] == reason


def test_a_rule_goes_beyond_the_policys_count_but_not_beyond_its_most():
    tries = [failed(actor=Actor.TINKO, hours=n + 1) for n in range(6)]
    assert decide(view(*tries), DEFAULT_POLICY, NOW).reasons[0] == "policy.max_retries.timed"
    assert answer(view(*tries), {"do": "retry_in", "hours": 1}).action is Action.RETRY
    many = [failed(actor=Actor.TINKO, hours=n + 1) for n in range(DEFAULT_POLICY.max_attempts)]
    found = answer(view(*many), {"do": "retry_in", "hours": 1})
    assert found.reasons[0] == "policy.max_attempts"
    old = view(opened_at=NOW - timedelta(days=18))
    assert answer(old, {"do": "retry_in", "hours": 2}).reasons[0] == "policy.max_days"


def test_amounts_outside_the_band():
    policy = Policy.model_validate(
        {"amounts": {"USD": {"min_minor": 500, "max_minor": 2000, "below": "stop"}}}
    )
    found = {amount: decide(view(amount=amount), policy, NOW) for amount in (499, 500, 2000, 2001)}
    assert [(one.action, one.reasons[0]) for one in found.values()] == [
        (Action.STOP, "policy.amount.below"),
        (Action.RETRY, "advice.timed"),
        (Action.RETRY, "advice.timed"),
        (Action.ASK_PAYER, "policy.amount.above"),
    ]
    # a rule is the merchant's word on this very debt
    assert answer(view(amount=499), {"do": "retry_in", "hours": 2}, policy=policy).action is (
        Action.RETRY
    )
    # and another currency's amounts are not these
    assert decide(view(amount=1, currency="JPY"), policy, NOW).action is Action.RETRY


def planned(at, ref="pm_1"):
    from tinko_pipelines.core.recovery.case import AttemptView

    return AttemptView(Actor.TINKO, AttemptState.SCHEDULED, at, method_ref=ref)


def test_a_retry_put_off_beyond_the_policys_end_is_decided_anew():
    end = timedelta(days=DEFAULT_POLICY.max_days)
    case = view(failed(), planned(NOW + timedelta(hours=1)), opened_at=NOW - end / 2)
    assert decide(case, DEFAULT_POLICY, NOW).action is Action.WAIT
    # put off again and again, it would now come after the end
    late = replace(case, opened_at=NOW - end + timedelta(minutes=30))
    found = decide(late, DEFAULT_POLICY, NOW)
    assert (found.action, found.cancels) == (Action.ASK_PAYER, True)
    assert found.reasons == ("policy.max_days", "attempt.put_off_too_long")
    # planned in time, and never made
    stuck = view(failed(hours=500), planned(NOW - timedelta(hours=5)), opened_at=NOW - end)
    assert decide(stuck, DEFAULT_POLICY, NOW).action is Action.WAIT
    found = decide(stuck, DEFAULT_POLICY, NOW + timedelta(hours=1))
    assert (found.action, found.cancels) == (Action.ASK_PAYER, True)


def test_a_retry_planned_on_another_mandate_is_planned_anew():
    case = view(failed(), planned(NOW + timedelta(hours=1)), mandate_ref="pm_1")
    assert decide(case, DEFAULT_POLICY, NOW).action is Action.WAIT
    replaced = replace(case, mandate_ref="pm_2")
    found = decide(replaced, DEFAULT_POLICY, NOW)
    assert (found.action, found.cancels) == (Action.RETRY, True)
    assert found.reasons[-1] == "mandate.replaced"
    # what is with the PSP already is waited for
    moving = replace(case.attempts[1], state=AttemptState.PENDING)
    found = decide(replace(replaced, attempts=(failed(), moving)), DEFAULT_POLICY, NOW)
    assert (found.action, found.cancels) == (Action.WAIT, False)


@given(case_views, st.sampled_from(RETRIES))
@settings(max_examples=200)
def test_no_rule_brings_a_retry_where_one_is_forbidden(case, action):
    found = answer(replace(case, currency="USD"), action)
    if found.action is not Action.RETRY:
        return
    last = max(
        (one for one in case.attempts if one.state == "failed" and not one.payer_present),
        key=lambda one: one.at,
    )
    assert case.has_mandate
    assert case.instrument_key is not None
    assert case.retry_owner == "tinko"
    assert not case.psp_retries
    assert case.asked_at is None
    assert not any(one.state in OPEN for one in case.attempts)
    assert not last.hard
    assert last.advice not in (RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION)
    assert NOW <= found.at <= case.opened_at + timedelta(days=DEFAULT_POLICY.max_days)

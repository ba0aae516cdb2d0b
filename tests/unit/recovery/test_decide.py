"""decide() is pure: every rule of it is a table of views and answers, and laws over all views."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.failures.taxonomy import RetryAdvice
from tinko_pipelines.core.ledger.states import AttemptState, ObligationState
from tinko_pipelines.core.psp.types import Actor
from tinko_pipelines.core.recovery.decide import (
    IDLE_PAUSE,
    MOST_IDLE,
    Action,
    AttemptView,
    CaseView,
    decide,
)
from tinko_pipelines.core.recovery.policy import DEFAULT_POLICY

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)


def failed(advice=RetryAdvice.TIMED, actor=Actor.MERCHANT, hours=1, **more):
    at = NOW - timedelta(hours=hours)
    return AttemptView(actor, AttemptState.FAILED, at, advice=advice, **more)


def view(*attempts, **more):
    base = CaseView(
        key="ch_1",
        psp="stripe",
        obligation_state="open",
        amount=1000,
        currency="USD",
        retry_owner="tinko",
        psp_retries=False,
        has_mandate=True,
        method="card",
        network="visa",
        country="US",
        instrument_key="fp_1",
        opened_at=NOW,
        asked_at=None,
        messages=0,
        attempts=attempts or (failed(),),
    )
    return replace(base, **more)


def test_a_soft_failure_is_retried_within_the_back_off():
    answer = decide(view(), DEFAULT_POLICY, NOW)
    assert answer.action is Action.RETRY
    floor, cap = DEFAULT_POLICY.strategy.floor_hours, DEFAULT_POLICY.strategy.base_hours
    waited = answer.at - (NOW - timedelta(hours=1))
    assert timedelta(hours=floor) <= waited <= timedelta(hours=cap)
    assert "visa.reattempts.2025" in answer.guard_rows


@pytest.mark.parametrize(
    ("case", "action", "reason"),
    [
        (view(failed(RetryAdvice.NEVER, hard=True)), Action.ASK_PAYER, "failure.never"),
        (view(failed(RetryAdvice.PAYER_ACTION)), Action.ASK_PAYER, "failure.payer_action"),
        (view(has_mandate=False), Action.ASK_PAYER, "mandate.none"),
        (view(has_mandate=None), Action.ASK_PAYER, "mandate.none"),
        (view(instrument_key=None), Action.ASK_PAYER, "guard.own.unknown_instrument"),
        (view(failed(payer_present=True)), Action.ASK_PAYER, "payer.present"),
        (view(psp_retries=True), Action.WATCH, "psp.retries"),
        (view(retry_owner="psp"), Action.WATCH, "psp.retries"),
        (view(failed(hours=24 * 5), psp_retries=True), Action.ASK_PAYER, "psp.gave_up"),
        (view(obligation_state="paid"), Action.STOP, "obligation.paid"),
        (view(obligation_state="void"), Action.STOP, "obligation.void"),
        (
            view(failed(RetryAdvice.NEVER), reach=()),
            Action.STOP,
            "failure.never",
        ),
        (view(asked_at=NOW - timedelta(hours=1), messages=1), Action.WAIT, "payer.asked"),
        (view(asked_at=NOW - timedelta(days=4), messages=1), Action.ASK_PAYER, "payer.reminder"),
        (view(asked_at=NOW - timedelta(days=4), messages=2), Action.WAIT, "payer.asked"),
        (view(asked_at=NOW - timedelta(days=11), messages=2), Action.STOP, "payer.silent"),
    ],
)
def test_what_follows_from_what(case, action, reason):
    answer = decide(case, DEFAULT_POLICY, NOW)
    assert (answer.action, answer.reasons[0]) == (action, reason)


def test_the_caps_end_in_a_message_to_the_payer():
    most = DEFAULT_POLICY.max_retries[RetryAdvice.CAUTIOUS]
    tries = [failed(RetryAdvice.CAUTIOUS, Actor.TINKO, hours=n + 1) for n in range(most)]
    answer = decide(view(*tries), DEFAULT_POLICY, NOW)
    assert answer.reasons[0] == "policy.max_retries.cautious"
    late = view(opened_at=NOW - timedelta(days=DEFAULT_POLICY.max_days))
    assert decide(late, DEFAULT_POLICY, NOW).action is Action.ASK_PAYER


OPEN = [AttemptState.SCHEDULED, AttemptState.CLAIMED, AttemptState.SUBMITTED,
        AttemptState.PENDING, AttemptState.REQUIRES_ACTION, AttemptState.UNKNOWN]  # fmt: skip

attempt_views = st.builds(
    AttemptView,
    actor=st.sampled_from(list(Actor)),
    state=st.sampled_from(list(AttemptState)),
    at=st.floats(0, 24 * 30).map(lambda hours: NOW - timedelta(hours=hours)),
    payer_present=st.booleans(),
    advice=st.sampled_from([None, *RetryAdvice]),
    hard=st.booleans(),
    late_authorisation=st.booleans(),
    network_decline_code=st.sampled_from([None, "05", "14", "51"]),
    network_advice_code=st.sampled_from([None, "02", "03", "24"]),
)
case_views = st.builds(
    view,
    st.just(failed()),
    attempts=st.lists(attempt_views, max_size=8).map(tuple),
    obligation_state=st.sampled_from([state.value for state in ObligationState]),
    psp=st.sampled_from(["stripe", "razorpay"]),
    method=st.sampled_from(["card", "upi", "emandate", "unknown"]),
    network=st.sampled_from(["visa", "mastercard", None]),
    retry_owner=st.sampled_from(["tinko", "psp"]),
    psp_retries=st.booleans(),
    has_mandate=st.sampled_from([True, False, None]),
    instrument_key=st.sampled_from([None, "fp_1"]),
    asked_at=st.sampled_from([None, NOW - timedelta(days=2), NOW - timedelta(days=30)]),
    messages=st.integers(0, 3),
    opened_at=st.floats(0, 24 * 30).map(lambda hours: NOW - timedelta(hours=hours)),
    reach=st.sampled_from([(), ("email",), ("email", "sms")]),
)


@given(case_views)
@settings(max_examples=500)
def test_no_retry_where_the_rules_forbid_one(case):
    answer = decide(case, DEFAULT_POLICY, NOW)
    if answer.action is not Action.RETRY:
        return
    assert case.obligation_state in ("open", "partially_paid")
    assert case.has_mandate
    assert case.retry_owner == "tinko"
    assert not case.psp_retries
    assert case.instrument_key is not None
    assert case.asked_at is None
    assert not any(one.state in OPEN for one in case.attempts)
    idle = [
        a.at for a in case.attempts if a.actor == "tinko" and a.state in ("not_sent", "cancelled")
    ]
    last = max(
        (a for a in case.attempts if a.state == "failed" and not a.payer_present),
        key=lambda one: one.at,
    )
    assert not last.hard
    assert last.advice not in (RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION)
    assert answer.at >= NOW
    assert answer.at <= case.opened_at + timedelta(days=DEFAULT_POLICY.max_days)
    idle = [at for at in idle if at >= last.at]
    assert len(idle) < MOST_IDLE
    assert all(answer.at >= at + IDLE_PAUSE for at in idle)
    late = [one.at for one in case.attempts if one.late_authorisation]
    assert case.psp != "razorpay" or all(answer.at >= at + timedelta(days=5) for at in late)


@given(case_views)
@settings(max_examples=200)
def test_the_same_view_gives_the_same_answer(case):
    assert decide(case, DEFAULT_POLICY, NOW) == decide(case, DEFAULT_POLICY, NOW)


@given(case_views)
@settings(max_examples=300)
def test_every_answer_comes_back_unless_it_is_the_end(case):
    answer = decide(case, DEFAULT_POLICY, NOW)
    if answer.action in (Action.WAIT, Action.WATCH):
        assert answer.at is not None
        assert answer.at > NOW
    assert answer.reasons


def in_vain(hours, state=AttemptState.CANCELLED, actor=Actor.TINKO, **more):
    return AttemptView(actor, state, NOW - timedelta(hours=hours), **more)


def test_after_two_notices_in_vain_the_payer_is_asked():
    once = view(failed(hours=90), in_vain(60, notice_asked=True))
    assert decide(once, DEFAULT_POLICY, NOW).action is Action.RETRY
    twice = replace(once, attempts=(*once.attempts, in_vain(3, notice_asked=True)))
    answer = decide(twice, DEFAULT_POLICY, NOW)
    assert (answer.action, answer.reasons[0]) == (Action.ASK_PAYER, "notice.undelivered")
    # what came to nothing before the payer was told of anything is no notice
    quiet = replace(once, attempts=(*once.attempts, in_vain(3)))
    assert decide(quiet, DEFAULT_POLICY, NOW).action is Action.RETRY


@pytest.mark.parametrize(("noticed", "waits"), [(True, True), (False, False)])
def test_a_retry_whose_notice_is_out_may_come_after_the_policys_end(noticed, waits):
    until = timedelta(days=DEFAULT_POLICY.max_days)
    planned = AttemptView(
        Actor.TINKO, AttemptState.SCHEDULED, NOW + timedelta(hours=24), notice_asked=noticed
    )
    case = view(failed(), planned, opened_at=NOW - until + timedelta(hours=1))
    answer = decide(case, DEFAULT_POLICY, NOW)
    assert (answer.action is Action.WAIT) is waits
    assert answer.cancels is not waits
    # and not for ever
    late = decide(case, DEFAULT_POLICY, NOW + timedelta(days=4))
    assert late.cancels
    assert late.action is not Action.RETRY


def test_the_merchants_category_reaches_the_limits():
    case = view(psp="razorpay", method="emandate", country="IN", currency="INR", amount=60_000_00)
    assert decide(case, DEFAULT_POLICY, NOW).reasons[0] == "guard.rbi.without_second_factor"
    insurer = replace(case, merchant_category="insurance", merchant_country="IN")
    assert decide(insurer, DEFAULT_POLICY, NOW).action is Action.RETRY

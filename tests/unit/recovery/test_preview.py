"""A preview is decide() asked again and again: it ends, and says what comes after the last try."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.recovery.test_ruling import rules
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice
from tinko_pipelines.core.recovery.decide import Action
from tinko_pipelines.core.recovery.policy import DEFAULT_POLICY, Policy
from tinko_pipelines.core.recovery.preview import Example, advice_for, preview

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)


def example(category=Category.INSUFFICIENT_FUNDS, **more):
    return Example(category, NOW, **({"currency": "USD"} | more))


def times(found):
    return [one.at for one in found.retries]


def test_every_retry_is_after_the_failure_of_the_one_before():
    found = preview(DEFAULT_POLICY, example())
    most = DEFAULT_POLICY.max_retries[RetryAdvice.TIMED]
    assert 1 <= len(found.retries) <= most
    gaps = [b - a for a, b in zip([NOW, *times(found)], times(found), strict=False)]
    assert all(timedelta(hours=12) <= one <= timedelta(hours=96) for one in gaps)
    assert found.ending.action is Action.ASK_PAYER
    assert found.ended_at == times(found)[-1]


def test_another_debt_draws_other_jitter_and_the_same_one_the_same():
    one, again, other = (preview(DEFAULT_POLICY, example(key=key)) for key in ("a", "a", "b"))
    assert times(one) == times(again)
    assert times(one) != times(other)


@pytest.mark.parametrize("category", list(Category))
def test_every_category_has_an_end(category):
    found = preview(DEFAULT_POLICY, example(category))
    assert found.ending.action in (Action.ASK_PAYER, Action.STOP)
    if advice_for(category) is RetryAdvice.PAYER_ACTION:
        assert found.retries == ()


def test_a_rule_that_always_retries_meets_the_guards_and_the_policys_most():
    eager = rules({"do": "retry_in", "minutes": 1})
    # Mastercard: 10 declines in 24 h; the first was the merchant's
    found = preview(DEFAULT_POLICY, example(network="mastercard"), eager)
    assert sum(one - NOW < timedelta(hours=24) for one in times(found)) == 9
    assert len(found.retries) == DEFAULT_POLICY.max_attempts
    assert found.ending.reasons[0] == "policy.max_attempts"


def test_upi_is_retried_in_npcis_hours_and_three_times():
    found = preview(
        Policy.model_validate({"strategy": {"kind": "ladder", "gaps": ["1d"] * 9}}),
        example(psp="razorpay", method="upi", network=None, currency="INR", payer_country="IN"),
    )
    assert len(found.retries) == 3
    assert found.ending.reasons[0] == "guard.npci.autopay.attempts"
    assert all("npci.autopay.windows" in one.guard_rows for one in found.retries)

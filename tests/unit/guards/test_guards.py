"""The guards, held against naive checkers that share nothing with them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.guards.evaluate import evaluate, next_allowed
from tinko_pipelines.core.guards.model import Counted, Facts, LastFailure
from tinko_pipelines.core.guards.rows import KINDS, limits

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)
INDIA = ZoneInfo("Asia/Kolkata")
HOURS_BACK = st.floats(0, 24 * 40)


def card(network="visa", counted=(), **more):
    return Facts("stripe", "card", network, "US", "fp_1", 1000, "USD", tuple(counted), **more)


def upi(at_count=0, **more):
    tries = tuple(
        Counted(NOW - timedelta(days=n + 1), 1000, "INR", "merchant", True) for n in range(at_count)
    )
    return Facts("razorpay", "upi", None, "IN", "token_1", 1000, "INR", tries, **more)


def tried(hours, amount=1000, initiator="merchant"):
    return Counted(NOW - timedelta(hours=hours), amount, "USD", initiator, False)


def test_every_kind_of_row_is_evaluated_and_every_row_names_its_source():
    for row in limits():
        assert row.kind in KINDS, f"{row.id}: nothing evaluates {row.kind}"
        assert row.source, f"{row.id} does not say where it comes from"
    assert len({row.id for row in limits()}) == len(limits())


@given(st.lists(st.tuples(HOURS_BACK, st.sampled_from([1000, 2000])), max_size=40))
@settings(max_examples=300)
def test_visa_allows_twenty_of_one_amount_in_thirty_days(tries):
    facts = card(counted=[tried(hours, amount) for hours, amount in tries])
    recent = sum(hours < 30 * 24 and amount == 1000 for hours, amount in tries)
    assert evaluate(facts, NOW).allowed is (recent < 20)


@given(st.lists(HOURS_BACK, max_size=60))
@settings(max_examples=300)
def test_mastercard_allows_ten_a_day_and_thirty_five_a_month(tries):
    facts = card("mastercard", [tried(hours) for hours in tries])
    day = sum(hours < 24 for hours in tries)
    month = sum(hours < 30 * 24 for hours in tries)
    assert evaluate(facts, NOW).allowed is (day < 10 and month < 35)


@given(st.lists(HOURS_BACK, max_size=60), st.sampled_from(["visa", "mastercard", "amex"]))
@settings(max_examples=200)
def test_the_next_instant_is_allowed_and_nothing_before_it(tries, network):
    facts = card(network, [tried(hours) for hours in tries])
    at, verdict = next_allowed(facts, NOW, NOW + timedelta(days=60))
    assert at is not None
    assert verdict.allowed
    if at > NOW:
        assert not evaluate(facts, at - timedelta(seconds=1)).allowed


@given(st.integers(0, 24 * 60 * 60 * 3))
@settings(max_examples=500)
def test_upi_debits_only_in_npci_windows(seconds):
    at = NOW + timedelta(seconds=seconds)
    local = (at + timedelta(hours=25)).astimezone(INDIA)
    clock = local.hour * 60 + local.minute
    inside = clock < 10 * 60 or 13 * 60 <= clock < 17 * 60 or clock >= 21 * 60 + 30
    verdict = evaluate(upi(), at)
    assert verdict.allowed is inside
    if not inside:
        assert verdict.next_at > at
        assert evaluate(upi(), verdict.next_at).allowed
        assert not evaluate(upi(), verdict.next_at - timedelta(seconds=1)).allowed


@pytest.mark.parametrize(("made", "allowed"), [(0, True), (3, True), (4, False), (9, False)])
def test_a_upi_mandate_has_one_attempt_and_three_retries(made, allowed):
    verdict = evaluate(upi(made), NOW + timedelta(hours=12))
    assert verdict.allowed is allowed
    if not allowed:
        assert (verdict.denied_by, verdict.next_at) == ("npci.autopay.attempts", None)


def test_an_unknown_instrument_fails_closed():
    facts = Facts("stripe", "card", "visa", "US", None, 1000, "USD")
    verdict = evaluate(facts, NOW)
    assert not verdict.allowed
    assert verdict.next_at is None


@pytest.mark.parametrize("code", ["04", "14", "41", "R1"])
def test_visa_category_one_is_never_tried_again(code):
    facts = card(last_failure=LastFailure(NOW, network_decline_code=code))
    assert next_allowed(facts, NOW, NOW + timedelta(days=365))[0] is None


@pytest.mark.parametrize(("code", "hours"), [("24", 1), ("02", 72), ("30", 240)])
def test_mastercard_advice_says_how_long_to_wait(code, hours):
    facts = card("mastercard", last_failure=LastFailure(NOW, network_advice_code=code))
    at, _ = next_allowed(facts, NOW, NOW + timedelta(days=30))
    assert at == NOW + timedelta(hours=hours)


def test_no_second_order_while_razorpay_may_still_authorise_late():
    facts = Facts(
        "razorpay", "card", "visa", "US", "token_1", 1000, "USD",
        last_failure=LastFailure(NOW), timed_out_at=NOW,
    )  # fmt: skip
    at, _ = next_allowed(facts, NOW, NOW + timedelta(days=30))
    assert at == NOW + timedelta(days=5)


def test_limits_are_in_force_only_between_their_dates():
    before = datetime(2025, 4, 1, tzinfo=UTC)
    tries = [
        Counted(before - timedelta(hours=n), 1000, "USD", "merchant", False) for n in range(15)
    ]
    verdict = evaluate(card(counted=tries), before)
    assert verdict.denied_by == "visa.reattempts.2020"
    moved = [Counted(NOW - timedelta(hours=n), 1000, "USD", "merchant", False) for n in range(15)]
    assert "visa.reattempts.2025" in evaluate(card(counted=moved), NOW).rows


def test_above_the_limit_without_a_second_factor_the_payer_is_asked():
    facts = Facts("razorpay", "emandate", None, "IN", "token_1", 1_500_001, "INR")
    assert evaluate(facts, NOW).denied_by == "rbi.without_second_factor"


def test_never_on_the_last_day_of_the_cycle():
    facts = Facts(
        "razorpay", "emandate", None, "IN", "token_1", 1000, "INR",
        cycle_end=NOW + timedelta(hours=48),
    )  # fmt: skip
    assert evaluate(facts, NOW).denied_by == "cycle.last_day"
    assert evaluate(facts, NOW - timedelta(hours=2)).allowed

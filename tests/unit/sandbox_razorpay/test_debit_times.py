"""When debits happen: NPCI's windows, notices, working days."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.sandbox.draws import Draws
from tinko_pipelines.sandbox.razorpay import debits

IST = timezone(timedelta(hours=5, minutes=30))
HOUR, DAY = 3600, 86400
instants = st.integers(1_700_000_000, 1_900_000_000)


def local(at):
    return datetime.fromtimestamp(at, IST)


def is_open(at):
    """NPCI: before 10:00, 13:00 to 17:00, after 21:30 in India."""
    minute = local(at).hour * 60 + local(at).minute
    return minute < 600 or 780 <= minute < 1020 or minute >= 1290


@given(instants)
def test_upi_waits_for_the_next_window_and_no_longer(at):
    opens = debits.next_upi_window(at)
    assert is_open(opens)
    assert opens >= at
    if opens > at:
        assert not is_open(at)
        assert not is_open(opens - 1)


@given(instants, st.integers(0, 5))
def test_working_days_are_counted_past_weekends(at, ahead):
    day = debits.business_day(at, ahead)
    assert local(day).weekday() < 5
    assert (local(day).hour, local(day).minute) == (0, 0)
    passed = [local(at).date() + timedelta(n) for n in range((local(day) - local(at)).days + 2)]
    between = [d for d in passed if d < local(day).date() and d.weekday() < 5]
    assert len(between) == ahead


@pytest.mark.parametrize(("method", "least"), [("upi", 25 * HOUR), ("card", 36 * HOUR + 300),
                                               ("emandate", 24 * HOUR)])  # fmt: skip
@given(at=instants, seed=st.integers(0, 99))
def test_an_announced_debit_leaves_the_payer_a_day(method, least, at, seed):
    draws = Draws(seed)
    noticed = debits.notice(draws, "order_x", at)
    plan = debits.after_notice(draws, method, "pay_x", noticed, now=at)
    if not noticed[1]:
        assert (plan.told, plan.notice_at) == (False, None)
        return
    assert plan.notice_at == noticed[0]
    assert plan.debit_at - plan.notice_at >= least
    assert plan.debit_at - plan.notice_at <= least + 5 * DAY
    assert plan.result_at > plan.debit_at
    if method == "upi":
        assert is_open(plan.debit_at)
    if method == "emandate":
        assert local(plan.debit_at).weekday() < 5
        assert local(plan.result_at).date() > local(plan.debit_at).date()


def test_a_payment_made_after_its_notice_is_not_debited_in_the_past():
    plan = debits.after_notice(Draws(1), "card", "pay_x", (1_000, True), now=9 * DAY)
    assert plan.debit_at == 9 * DAY


@given(instants, st.integers(0, 500))
def test_a_late_authorisation_comes_within_five_days(at, number):
    late = debits.late_at(Draws(3), f"ins_{number}", at)
    assert late is None or at < late <= at + 5 * DAY

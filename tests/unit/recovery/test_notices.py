"""The pre-debit notice, pure: whose it is, when it may be asked for, what waiting comes to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.recovery.test_permission import attempt, debt
from tinko_pipelines.core.guards.model import Counted, Facts
from tinko_pipelines.core.psp.types import DoorKind, DoorSeen, DoorStatus, Observation
from tinko_pipelines.core.recovery import notices
from tinko_pipelines.core.recovery.permission import door_of, may_charge

HOUR = timedelta(hours=1)
# a Tuesday, 11:30 in India
NOW = datetime(2026, 9, 22, 6, tzinfo=UTC)
THEIRS = DoorSeen(DoorKind.ORDER, "order_1", DoorStatus.OPEN, announced=False)
OURS = DoorSeen(DoorKind.ORDER, "order_2", DoorStatus.OPEN, announced=True)
SEEN = Observation(doors=(THEIRS,), psp_retries=False)
FACTS = Facts("razorpay", "emandate", None, "IN", "token_1", 1000, "INR", notice_required=True)


def ask(facts=FACTS, seen=SEEN, now=NOW, **of_the_attempt):
    one = attempt(psp="razorpay", method="emandate", payment_method_ref="token_1",
                  mandate_ref="token_1", **of_the_attempt)  # fmt: skip
    owed = debt(currency="INR", mandate_ref="token_1")
    return may_charge(one, owed, seen, facts, (), retry_owner="tinko", mentioned=False, now=now)


def told(hours_ago, **more):
    """An attempt whose notice was asked for so long ago, over an order of its own."""
    base = {"notice_asked_at": NOW - hours_ago * HOUR, "notice_door": "order_2"}
    return {"seen": replace(SEEN, doors=(THEIRS, OURS))} | base | more


@pytest.mark.parametrize(
    ("psp", "doors", "ours"),
    [
        ("razorpay", (THEIRS,), True),
        ("razorpay", (THEIRS, OURS), True),
        ("razorpay", (OURS,), False),
        ("razorpay", (OURS, THEIRS), False),
        ("razorpay", (), False),
        ("razorpay", (replace(THEIRS, announced=None),), False),
        ("stripe", (THEIRS,), False),
    ],
)
def test_the_notice_is_ours_where_the_merchants_oldest_order_announces_nothing(psp, doors, ours):
    assert notices.is_ours(psp, Observation(doors=doors)) is ours


def test_the_notice_is_asked_for_before_the_debit():
    answer = ask()
    assert (answer.granted, answer.reason, answer.notify) == (False, "notice.needed", True)


def test_where_no_limit_asks_for_a_notice_the_debit_goes_at_once():
    assert ask(replace(FACTS, method="card", country="US")).granted
    assert ask(replace(FACTS, notice_required=False)).granted


@pytest.mark.parametrize(
    ("facts", "reason", "waits"),
    [
        # a new order, and rule 6: not while an earlier debit may still be authorised
        ({"timed_out_at": NOW - 24 * HOUR}, "guard.razorpay.late_authorisation", True),
        ({"amount": 15_000_01}, "guard.rbi.without_second_factor", False),
        ({"counted": (Counted(NOW - HOUR, 1000, "INR", "merchant", True, "pending"),)},
         "guard.razorpay.one_at_a_time", True),
        # the debit would come on a Saturday, the month's fourth
        ({"as_of": None}, None, True),
    ],
)  # fmt: skip
def test_no_notice_goes_out_for_a_debit_that_is_not_allowed(facts, reason, waits):
    now = NOW if reason else NOW + timedelta(days=3)
    answer = ask(replace(FACTS, **facts), now=now)
    assert answer.reason == (reason or "guard.banks.working_days.in")
    assert (answer.granted, answer.notify) == (False, False)
    assert (answer.again_at is not None) is waits


def test_what_has_not_reached_the_payer_is_looked_for_again_and_then_given_up():
    waits = ask(**told(25))
    assert (waits.reason, waits.notify) == ("notice.undelivered", False)
    assert waits.again_at == NOW + notices.LOOK_AGAIN
    late = ask(**told(70))
    assert late.again_at == NOW + 2 * HOUR
    assert ask(**told(72)).again_at is None
    assert ask(**told(2, notice_failed_at=NOW)).again_at is None


@pytest.mark.parametrize(("hours", "granted"), [(23, False), (24, True), (40, True)])
def test_the_debit_comes_a_day_after_the_notice_reached_the_payer(hours, granted):
    delivered = replace(FACTS, notice_delivered_at=NOW - hours * HOUR)
    answer = ask(delivered, **told(hours + 1))
    assert answer.granted is granted
    assert granted or answer.again_at == NOW + HOUR
    if granted:
        assert "rbi.notice" in answer.verdict.rows


def test_the_debit_goes_through_the_order_of_its_own_notice():
    seen = replace(SEEN, doors=(THEIRS, OURS, replace(OURS, object_id="order_3")))
    assert door_of(attempt(notice_door="order_2"), seen) is OURS
    gone = ask(**told(25, seen=SEEN))
    assert (gone.reason, gone.again_at) == ("door.none", None)

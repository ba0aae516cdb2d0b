"""When a debt may be left at one PSP for another, and what another PSP may say of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.ledger.apply import elsewhere
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Psp,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery.elsewhere import SHUT, standing
from tinko_pipelines.core.recovery.offers import STAYING, Way, Ways, blocked_until

NOW = datetime(2026, 9, 16, tzinfo=UTC)
FAILED = PaymentSeen("pay_1", PaymentStatus.FAILED, 1000, "INR", NOW, NOW)
TIMED_OUT = replace(FAILED, error=ErrorInfo(psp="razorpay", reason="payment_timed_out"))
HERE, THERE = UUID(int=1), UUID(int=2)


def seen(*doors, **said):
    found = tuple(DoorSeen(kind, f"x_{kind}", DoorStatus.OPEN) for kind in doors)
    return Observation(refs=(Ref(RefKind.ORDER, "order_1"),), doors=found, **said)


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_what_moves_is_waited_for(status):
    moving = {PaymentStatus.CREATED, PaymentStatus.PENDING, PaymentStatus.AUTHORIZED}
    found = standing(seen(payments=(replace(FAILED, status=status),)), NOW)
    assert (found.reason == "payment.in_flight") == (status in moving)


@pytest.mark.parametrize("kind", list(DoorKind))
def test_each_kind_of_door_is_shut_or_stays_or_is_an_order(kind):
    assert (kind in SHUT) + (kind in STAYING) + (kind is DoorKind.ORDER) == 1
    assert (standing(seen(kind), NOW).reason == "door.stays") == (kind in STAYING)


@pytest.mark.parametrize("said", [{"psp_retries": True}, {"extra": {"subscription": "sub_1"}}])
def test_what_its_psp_collects_again_itself_is_not_left(said):
    assert standing(seen(**said), NOW).reason == "door.stays"


def test_a_try_that_timed_out_blocks_for_five_days():
    late = seen(payments=(FAILED, TIMED_OUT))
    assert standing(late, NOW).until == NOW + timedelta(days=5)
    assert standing(late, NOW + timedelta(days=5)).reason is None
    assert standing(seen(payments=(FAILED,)), NOW).reason is None


def test_a_late_try_blocks_every_other_psp_and_not_its_own():
    late = {HERE: NOW}
    assert blocked_until(late, HERE, NOW) is None
    assert blocked_until(late, THERE, NOW) == NOW + timedelta(days=5)
    assert blocked_until(late, THERE, NOW + timedelta(days=5)) is None


def test_a_way_is_found_by_the_psp_that_was_chosen():
    home, other = Way(Psp.STRIPE), Way(Psp.RAZORPAY, THERE, NOW)
    assert Ways(home).to(Psp.RAZORPAY) is None
    ways = Ways(home, other)
    assert [ways.to(one) for one in (None, *Psp)] == [home, home, other]
    assert ways.any_open
    assert not Ways(replace(home, blocked_until=NOW), other).any_open


def test_another_psp_says_only_what_was_tried_there():
    said = elsewhere(
        seen(
            DoorKind.PAYMENT_LINK,
            due=1,
            paid=1,
            due_from=RefKind.PAYMENT_LINK,
            payments=(FAILED,),
            customer=CustomerSeen(ref="cust_1", email="other@example.com"),
            psp_retries=True,
            has_mandate=True,
            mandate_ref="token_1",
            terminal="void",
        )
    )
    assert said == seen(DoorKind.PAYMENT_LINK, payments=(replace(FAILED, payer_present=True),))

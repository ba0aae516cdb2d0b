"""may_charge(): each rule that forbids a charge does so alone, and its answer says what helps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.ledger.states import OPEN_ATTEMPTS, AttemptState, ObligationState
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentSeen,
    PaymentStatus,
)
from tinko_pipelines.core.recovery.permission import (
    BRIEFLY,
    CLOSABLE,
    PAUSE,
    Permission,
    charge_door,
    facts_of,
    may_charge,
    other_open_doors,
)

NOW = datetime(2026, 9, 16, 6, tzinfo=UTC)
OURS, OTHER = UUID(int=1), UUID(int=2)
INVOICE = DoorSeen(DoorKind.INVOICE, "in_1", DoorStatus.OPEN)
SESSION = DoorSeen(DoorKind.CHECKOUT_SESSION, "cs_1", DoorStatus.OPEN)
SEEN = Observation(doors=(INVOICE,), psp_retries=False)
FACTS = Facts("stripe", "card", "visa", "US", "fp_1", 1000, "USD")


def attempt(**more):
    base = {"id": OURS, "psp": "stripe", "method": "card", "network": "visa", "country": "US",
            "instrument_key": "fp_1", "payment_method_ref": "pm_1", "mandate_ref": "pm_1",
            "merchant_country": None, "merchant_category": None, "notice_asked_at": None,
            "notice_door": None, "notice_delivered_at": None,
            "fresh_notice": True, "mandate_frequency": None,
            "notice_failed_at": None}  # fmt: skip
    return SimpleNamespace(**base | more)


def debt(**more):
    base = {"state": "open", "psp_retries": False, "has_mandate": True, "due_minor": 1000,
            "paid_minor": 0, "currency": "USD", "cycle_end": None,
            "mandate_ref": "pm_1", "stopped_by": None}  # fmt: skip
    return SimpleNamespace(**base | more)


def tried(state="failed", **more):
    base = {"id": OTHER, "actor": "merchant", "state": state, "payer_present": False,
            "at": NOW - timedelta(days=1), "network_decline_code": None,
            "network_advice_code": None, "late_authorisation": False, "hard": False,
            "retry_advice": "timed",
            "instrument_key": "fp_1"}  # fmt: skip
    return SimpleNamespace(**base | more)


def payment(status):
    return PaymentSeen("ch_1", status, 1000, "USD", NOW, NOW)


def ask(the_attempt=None, the_debt=None, seen=SEEN, facts=FACTS, tries=(), owner="tinko",
        mentioned=False):  # fmt: skip
    return may_charge(the_attempt or attempt(), the_debt or debt(), seen, facts, tries,
                      retry_owner=owner, mentioned=mentioned, now=NOW)  # fmt: skip


def test_nothing_forbids_it():
    answer = ask()
    assert answer.granted
    assert "visa.reattempts.2025" in answer.verdict.rows


@pytest.mark.parametrize("state", sorted(set(ObligationState) - {"open", "partially_paid"}))
def test_a_debt_that_is_over_is_never_charged(state):
    answer = ask(the_debt=debt(state=state.value))
    assert (answer.granted, answer.reason, answer.again_at) == (
        False, f"obligation.{state}", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"seen": replace(SEEN, psp_retries=True)}, "psp.retries"),
        ({"the_debt": debt(psp_retries=True)}, "psp.retries"),
        ({"owner": "psp"}, "psp.retries"),
        ({"seen": replace(SEEN, doors=())}, "door.none"),
        ({"seen": replace(SEEN, doors=(SESSION,))}, "door.none"),
        ({"seen": replace(SEEN, doors=(replace(INVOICE, status=DoorStatus.CLOSED),))}, "door.none"),
        ({"seen": replace(SEEN, doors=(replace(INVOICE, status=DoorStatus.PAID),))}, "door.none"),
        ({"the_debt": debt(has_mandate=False)}, "mandate.none"),
        ({"the_debt": debt(stopped_by="paused")}, "subscription.paused"),
        ({"the_debt": debt(stopped_by="cancelled", psp_retries=True)}, "subscription.cancelled"),
        ({"the_attempt": attempt(payment_method_ref=None)}, "mandate.none"),
        ({"facts": replace(FACTS, instrument_key=None)}, "guard.own.unknown_instrument"),
    ],
)
def test_what_no_waiting_helps_drops_the_attempt(how, reason):
    answer = ask(**how)
    assert (answer.granted, answer.reason, answer.again_at) == (False, reason, None)


@pytest.mark.parametrize(
    ("how", "reason", "pause"),
    [
        ({"seen": replace(SEEN, payments=(payment(PaymentStatus.CREATED),))},
         "payment.in_flight", PAUSE),
        ({"seen": replace(SEEN, payments=(payment(PaymentStatus.PENDING),))},
         "payment.in_flight", PAUSE),
        ({"seen": replace(SEEN, payments=(payment(PaymentStatus.AUTHORIZED),))},
         "payment.in_flight", PAUSE),
        ({"seen": replace(SEEN, doors=(INVOICE, SESSION))}, "door.open", PAUSE),
        ({"mentioned": True}, "inbox.unprocessed", BRIEFLY),
        ({"tries": (tried("unknown", actor="tinko"),)}, "attempt.open", PAUSE),
    ],
)  # fmt: skip
def test_what_passes_puts_the_attempt_off(how, reason, pause):
    answer = ask(**how)
    assert (answer.granted, answer.reason, answer.again_at) == (False, reason, NOW + pause)


def test_a_hard_decline_that_came_after_the_plan_drops_it():
    hard = tried(hard=True, retry_advice="never")
    assert ask(tries=(tried(), hard)) == Permission(False, "failure.never")
    assert ask(tries=(tried(), tried(hard=False, retry_advice="payer_action"))).again_at is None
    # the payer's own typing is not the stored card's failure, and a later plain one is the last
    assert ask(tries=(tried(**vars(hard) | {"payer_present": True}),)).granted
    assert ask(tries=(hard, tried())).granted
    another = tried(hard=True, retry_advice="never", instrument_key="another")
    assert ask(tries=(another,)).granted


@given(st.sampled_from(list(AttemptState)), st.sampled_from(["tinko", "merchant", "psp", "payer"]))
def test_one_open_attempt_of_ours_at_a_time(state, actor):
    answer = ask(tries=(tried("claimed", id=OURS, actor="tinko"), tried(state, actor=actor)))
    assert answer.granted is not (actor == "tinko" and state in OPEN_ATTEMPTS)


doors = st.lists(
    st.builds(DoorSeen, st.sampled_from(list(DoorKind)), st.uuids().map(str),
              st.sampled_from(list(DoorStatus))),
    max_size=5,
).map(tuple)  # fmt: skip


@given(doors)
def test_a_charge_never_goes_beside_an_open_page(seen_doors):
    seen = replace(SEEN, doors=seen_doors)
    answer = ask(seen=seen)
    pages = [one for one in seen_doors if one.kind in CLOSABLE and one.status is DoorStatus.OPEN]
    assert other_open_doors(seen, charge_door(seen)) == pages
    if answer.granted:
        assert pages == []
        door = charge_door(seen)
        # a canceled PaymentIntent is superseded by a new one, any other closed door is left alone
        assert door.status is not DoorStatus.PAID
        assert door.status is DoorStatus.OPEN or door.kind is DoorKind.PAYMENT_INTENT
        assert door.kind not in (*CLOSABLE, DoorKind.SUBSCRIPTION_CYCLE)


def test_the_guards_see_what_is_left_to_pay_and_every_try_that_timed_out():
    late = tried(late_authorisation=True, payer_present=True, at=NOW - timedelta(days=2))
    facts = facts_of(attempt(psp="razorpay"), debt(paid_minor=400), [late, tried()], ())
    assert facts.amount == 600
    assert facts.last_failure.at == NOW - timedelta(days=1)
    assert facts.timed_out_at == NOW - timedelta(days=2)
    answer = ask(facts=facts)
    assert answer.reason == "guard.razorpay.late_authorisation"
    assert answer.again_at == NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("planned_on", "stored", "stands", "reason"),
    [
        ("pm_1", "pm_1", "pm_2", "mandate.replaced"),
        (None, "pm_1", "pm_2", "mandate.replaced"),
        ("pm_1", "pm_1", "pm_1", "allowed"),
        ("pm_1", "pm_1", None, "allowed"),
        (None, "pm_1", "pm_1", "allowed"),
    ],
)
def test_a_mandate_replaced_since_it_was_planned_drops_it(planned_on, stored, stands, reason):
    answer = ask(
        the_attempt=attempt(mandate_ref=planned_on, payment_method_ref=stored),
        the_debt=debt(mandate_ref=stands),
    )
    assert (answer.reason, answer.again_at) == (reason, None)


@pytest.mark.parametrize(("category", "most"), [(None, 15_000_00), ("insurance", 1_00_000_00)])
def test_the_merchants_category_decides_what_needs_no_second_factor(category, most):
    mandate = attempt(psp="razorpay", method="emandate", merchant_category=category)
    for due, granted in ((most, True), (most + 1, False)):
        owed = debt(due_minor=due, currency="INR")
        answer = ask(the_attempt=mandate, the_debt=owed, facts=facts_of(mandate, owed, [], ()))
        assert answer.granted is granted, answer.reason

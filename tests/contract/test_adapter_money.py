"""The same contract, beyond the charge: payments to come, captures, refunds, payouts, limits."""

import json
import uuid
from contextlib import suppress
from datetime import timedelta

import pytest

from tests.contract.adapter_stages import AMOUNT, LONG_AGO, STAGES
from tests.contract.sandbox_server import Receiver, Sandbox
from tinko_pipelines.core.errors import (
    AccountMismatch,
    InvalidInput,
    NotSupported,
    PspKeyRefused,
    PspRateLimited,
    PspRejected,
    PspUnreachable,
    SignatureInvalid,
)
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.capabilities import Capability
from tinko_pipelines.core.psp.operations import (
    CaptureRequest,
    NoticeRequest,
    PaymentRequest,
    RefundRequest,
    RefundStatus,
)
from tinko_pipelines.core.psp.ownership import check_owner
from tinko_pipelines.core.psp.razorpay import settlement as razorpay_settlement
from tinko_pipelines.core.psp.settlement import LineKind, PayoutStatus
from tinko_pipelines.core.psp.stripe import client as stripe_client
from tinko_pipelines.core.psp.throttle import Limit, Throttle
from tinko_pipelines.core.psp.types import DoorStatus, PaymentStatus, Ref, RefKind
from tinko_pipelines.core.settings import Settings


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    running = Sandbox(tmp_path_factory.mktemp("money"))
    running.ask("PUT", "world", seed=7, start=LONG_AGO.isoformat(), obligations=0, disputes=0.0)
    yield running
    running.close()


@pytest.fixture(params=sorted(STAGES))
def stage(request, sandbox):
    yield STAGES[request.param](sandbox, f"acct_{request.node.name}")
    sandbox.ask("PUT", "faults")


def new_id():
    return str(uuid.uuid4())


def capture_of(payment, **changes):
    return CaptureRequest(payment.object_id, f"capture-{new_id()}", **changes)


def refund_of(payment, **changes):
    reference = new_id()
    return RefundRequest(payment.object_id, reference, f"refund-{reference}", **changes)


def payment_now(stage, payment):
    seen = stage.adapter.retrieve(Ref(RefKind.PAYMENT, payment.object_id))
    return seen.payments[0]


# --- payments to come --------------------------------------------------------------------------


def to_come(stage, reference, **changes):
    asked = {"reference": reference, "idempotency_key": f"make-{reference}", "amount": AMOUNT,
             "currency": {"stripe": "USD", "razorpay": "INR"}[stage.psp]}  # fmt: skip
    return PaymentRequest(**{**asked, **changes})


def test_a_payment_to_come_is_made_once_and_charges_nobody(stage):
    reference = new_id()
    one = stage.adapter.create_payment(to_come(stage, reference))
    two = stage.adapter.create_payment(to_come(stage, reference))
    assert one.status is two.status is PaymentStatus.CREATED
    assert one.observation.refs == two.observation.refs
    assert (one.observation.due, one.observation.paid) == (AMOUNT, 0)
    assert [door.status for door in one.observation.doors] == [DoorStatus.OPEN]
    assert stage.payments_made() == []
    other = stage.adapter.create_payment(to_come(stage, new_id()))
    assert other.observation.refs != one.observation.refs


@pytest.mark.parametrize("fault", ["timeout_after_charge", "outage"])
def test_a_payment_to_come_whose_answer_is_lost_is_made_once(stage, fault):
    reference = new_id()
    # an order is no charge: only what comes before it can be lost at Razorpay
    stage.faults(**{fault: {"times": 1}})
    with suppress(PspUnreachable):
        stage.adapter.create_payment(to_come(stage, reference))
    one = stage.adapter.create_payment(to_come(stage, reference))
    listed = list(stage.adapter.list_changes(stage.now(), stage.now() + timedelta(seconds=1)))
    assert [row["id"] for row in listed] == [one.observation.doors[0].object_id]


def test_a_payment_to_come_says_whose_debt_it_is(stage):
    debt = stage.failing_debt()
    made = stage.adapter.create_payment(to_come(stage, new_id(), debt=debt.ref.object_id))
    assert debt.ref in made.observation.refs


def test_the_same_reference_over_other_money_is_refused(stage):
    reference = new_id()
    stage.adapter.create_payment(to_come(stage, reference))
    with pytest.raises(PspRejected):
        stage.adapter.create_payment(to_come(stage, reference, amount=AMOUNT + 1))


@pytest.mark.parametrize("amount", [0, -5, 12.0, 99.5, True])
def test_money_that_is_no_money_is_never_asked_for(stage, amount):
    calls = stage.adapter.tally.calls
    with pytest.raises(InvalidInput):
        stage.adapter.create_payment(to_come(stage, new_id(), amount=amount))
    assert stage.adapter.tally.calls == calls


def test_one_object_is_retrieved_in_one_call(stage):
    debt = stage.failing_debt()
    calls = stage.adapter.tally.calls
    seen = stage.adapter.retrieve(debt.ref)
    assert (seen.refs[0], seen.due) == (debt.ref, AMOUNT)
    failed = stage.adapter.retrieve(Ref(RefKind.PAYMENT, debt.failed_id))
    assert [one.status for one in failed.payments] == [PaymentStatus.FAILED]
    assert stage.adapter.tally.calls == calls + 2
    foreign = {"stripe": RefKind.PAYMENT_LINK, "razorpay": RefKind.PAYMENT_INTENT}[stage.psp]
    with pytest.raises(PspRejected):
        stage.adapter.retrieve(Ref(foreign, debt.ref.object_id))


# --- captures ----------------------------------------------------------------------------------


def test_an_authorised_payment_is_captured_once(stage):
    held = stage.held()
    assert held.status is PaymentStatus.AUTHORIZED
    request = capture_of(held)
    outcome = stage.adapter.capture(request)
    assert outcome.status is PaymentStatus.SUCCEEDED
    assert outcome.observation.payments[0].amount == AMOUNT
    for again in (request, capture_of(held)):
        repeated = stage.adapter.capture(again)
        assert repeated.status is PaymentStatus.SUCCEEDED
        assert "before" in repeated.detail
    assert payment_now(stage, held).amount == AMOUNT


@pytest.mark.parametrize("fault", ["timeout_after_charge", "error_500_after_charge"])
def test_a_capture_whose_answer_is_lost_is_made_again_and_captures_once(stage, fault):
    held = stage.held()
    request = capture_of(held)
    stage.faults(**{fault: 1})
    with pytest.raises(PspUnreachable):
        stage.adapter.capture(request)
    assert stage.adapter.capture(request).status is PaymentStatus.SUCCEEDED


def test_a_capture_that_cannot_be_asked_for_was_not_sent(stage):
    held = stage.held()
    stage.faults(outage=True)
    outcome = stage.adapter.capture(capture_of(held))
    assert (outcome.status, outcome.sent) == (None, False)
    stage.faults()
    assert payment_now(stage, held).status is PaymentStatus.AUTHORIZED


def test_part_of_an_authorisation_is_captured_or_refused_by_name(stage):
    held = stage.held()
    request = capture_of(held, amount=AMOUNT - 1000)
    if Capability.PARTIAL_CAPTURE in stage.adapter.capabilities:
        outcome = stage.adapter.capture(request)
        assert outcome.observation.payments[0].amount == AMOUNT - 1000
    else:
        with pytest.raises(NotSupported, match="refund the difference"):
            stage.adapter.capture(request)
        assert payment_now(stage, held).status is PaymentStatus.AUTHORIZED


def test_what_failed_is_not_captured(stage):
    debt = stage.failing_debt()
    with pytest.raises(PspRejected, match="nothing to capture"):
        stage.adapter.capture(CaptureRequest(debt.failed_id, f"capture-{new_id()}"))


# --- refunds -----------------------------------------------------------------------------------


def test_a_payment_is_refunded_in_parts_and_never_beyond(stage):
    payment = stage.paid()
    part = stage.adapter.refund(refund_of(payment, amount=1000))
    assert (part.status, part.amount) == (RefundStatus.SUCCEEDED, 1000)
    assert part.payment_id == payment.object_id
    assert payment_now(stage, payment).refunded == 1000
    with pytest.raises(PspRejected):
        stage.adapter.refund(refund_of(payment, amount=AMOUNT))
    rest = stage.adapter.refund(refund_of(payment))
    assert rest.amount == AMOUNT - 1000
    now = payment_now(stage, payment)
    assert (now.refunded, now.status) == (AMOUNT, PaymentStatus.SUCCEEDED)
    with pytest.raises(PspRejected):
        stage.adapter.refund(refund_of(payment))


def test_the_same_refund_asked_twice_goes_back_once(stage):
    payment = stage.paid()
    request = refund_of(payment, amount=700)
    assert Capability.IDEMPOTENT_REFUND in stage.adapter.capabilities
    assert stage.adapter.refund(request) == stage.adapter.refund(request)
    assert payment_now(stage, payment).refunded == 700


@pytest.mark.parametrize("fault", ["timeout_after_charge", "error_500_after_charge"])
def test_a_refund_whose_answer_is_lost_is_found(stage, fault):
    payment = stage.paid()
    request = refund_of(payment, amount=900)
    assert stage.adapter.find_refund(request) is None
    stage.faults(**{fault: 1})
    with pytest.raises(PspUnreachable):
        stage.adapter.refund(request)
    found = stage.adapter.find_refund(request)
    assert (found.amount, found.reference) == (900, request.reference)
    assert payment_now(stage, payment).refunded == 900


@pytest.mark.parametrize("fault", ["timeout_before_charge", "error_500_before_charge", "error_409"])
def test_a_refund_that_never_arrived_is_not_found(stage, fault):
    payment = stage.paid()
    request = refund_of(payment)
    stage.faults(**{fault: 1})
    with pytest.raises(PspUnreachable):
        stage.adapter.refund(request)
    stage.faults()
    assert stage.adapter.find_refund(request) is None
    assert payment_now(stage, payment).refunded == 0


def test_a_refund_can_fail_days_later_and_the_money_stays(stage):
    payment = stage.paid(instrument="refund fails")
    request = refund_of(payment, amount=1200)
    made = stage.adapter.refund(request)
    assert made.status in (RefundStatus.PENDING, RefundStatus.SUCCEEDED)
    assert payment_now(stage, payment).refunded == 1200
    stage.advance(days=1)
    found = stage.adapter.find_refund(request)
    assert (found.object_id, found.status) == (made.object_id, RefundStatus.FAILED)
    assert payment_now(stage, payment).refunded == 0


def test_a_payment_refunded_long_after_is_listed_on_the_day_of_its_refund(stage):
    payment = stage.paid()
    stage.advance(days=20)
    before = stage.now()
    stage.adapter.refund(refund_of(payment, amount=100))
    listed = list(stage.adapter.list_changes(before, before + timedelta(hours=1)))
    assert [one["id"] for one in listed] == [payment.object_id]
    (seen,) = stage.reader.observe_object(listed[0]).payments
    assert seen.refunded == 100


# --- notices -----------------------------------------------------------------------------------


def test_a_notice_is_asked_for_once_and_the_debit_goes_through_it(stage):
    debt, attempt = stage.failing_debt(), new_id()
    asked = NoticeRequest(
        attempt, debt.ref.object_id, AMOUNT, debt.currency, debt.good, debt.method
    )
    if Capability.NOTICE not in stage.adapter.capabilities:
        calls = stage.adapter.tally.calls
        with pytest.raises(NotSupported, match="charge at once"):
            stage.adapter.notify(asked)
        assert stage.adapter.tally.calls == calls
        return
    told = stage.adapter.notify(asked)
    assert stage.adapter.notify(asked).door == told.door
    assert debt.ref in told.observation.refs
    assert told.observation.psp_retries is False
    before = stage.payments_made()
    assert before == [debt.failed_id]
    stage.advance(hours=2)
    request = debt.request(stage, attempt, prepared=told.door.object_id)
    outcome = stage.adapter.charge(request)
    assert outcome.status is PaymentStatus.PENDING
    again = stage.adapter.charge(request)
    assert again.observation.payments[-1].object_id == outcome.observation.payments[-1].object_id
    assert len(stage.payments_made()) == 2
    assert len(stage.sdk.order.all({"receipt": attempt})["items"]) == 1
    paid = stage.settled(request, outcome)
    assert (paid.status, paid.door) == (PaymentStatus.SUCCEEDED, told.door.object_id)


def test_a_door_made_for_another_attempt_is_not_charged(stage):
    debt = stage.failing_debt()
    other = stage.adapter.create_payment(to_come(stage, new_id()))
    before = stage.payments_made()
    with pytest.raises(PspRejected):
        stage.adapter.charge(
            debt.request(stage, new_id(), prepared=other.observation.doors[0].object_id)
        )
    assert stage.payments_made() == before


# --- payouts -----------------------------------------------------------------------------------


def test_the_lines_of_every_payout_add_up(stage, monkeypatch):
    # pages of two lines, so that they must be turned
    monkeypatch.setattr(stripe_client, "PAGE", 2)
    monkeypatch.setattr(razorpay_settlement, "PAGE", 2)
    start = stage.now()
    payments = [stage.paid(), stage.paid()]
    returned = stage.adapter.refund(refund_of(payments[0], amount=5000))
    # a refund is kept back from the next payout, so there must be one
    payments += [stage.paid(), stage.paid()]
    stage.advance(days=10)
    span = (start, stage.now() + timedelta(seconds=1))
    lines = list(stage.adapter.settlement_lines(*span))
    payouts = {one.payout_id: one for one in stage.adapter.payouts(*span)}
    assert all(one.itemised and one.final for one in payouts.values())
    assert {one.status for one in payouts.values()} == {PayoutStatus.PAID}
    for payout_id, payout in payouts.items():
        own = [line for line in lines if line.payout_id == payout_id]
        assert sum(line.net for line in own) == payout.amount
        assert {line.currency for line in own} == {payout.currency}
        assert {line.payout_status for line in own} == {payout.status}
    assert {line.payout_id for line in lines} == set(payouts)
    assert len({line.line_id for line in lines}) == len(lines)
    assert all(line.net == line.gross - line.fee and 0 <= line.tax <= line.fee for line in lines)
    paid = {line.payment_id: line.gross for line in lines if line.kind is LineKind.PAYMENT}
    assert paid == {one.object_id: AMOUNT for one in payments}
    (refund,) = [line for line in lines if line.kind is LineKind.REFUND]
    assert (refund.source_id, refund.gross) == (returned.object_id, -5000)
    assert refund.payment_id == payments[0].object_id
    assert all(line.settled_at is not None and not line.on_hold for line in lines)


def test_a_span_without_payouts_has_no_lines(stage):
    stage.paid()
    now = stage.now()
    assert list(stage.adapter.settlement_lines(now, now + timedelta(seconds=1))) == []


# --- limits ------------------------------------------------------------------------------------


def limited_adapter(stage, **limit):
    throttle = Throttle(Limit(**{"rate": 1000, "burst": 1000, **limit}), jitter=lambda: 1.0)
    made = type(stage.adapter)(stage.credentials, 10.0, throttle)
    return made, throttle


def test_a_connection_over_its_own_limit_sends_nothing(stage):
    adapter, _ = limited_adapter(stage, rate=0.01, burst=2, max_wait=0.5)
    adapter.verify_credentials()
    adapter.verify_credentials()
    with pytest.raises(PspRateLimited, match="nothing was sent") as refused:
        adapter.verify_credentials()
    assert refused.value.extra["retry_after"] > 0
    assert (adapter.tally.calls, adapter.tally.refused) == (2, 1)


def test_a_429_backs_off_and_is_counted(stage):
    adapter, _ = limited_adapter(stage, backoff=60.0, backoff_most=60.0)
    stage.faults(error_429=1)
    with pytest.raises(PspRateLimited):
        adapter.verify_credentials()
    assert (adapter.tally.limited, adapter.tally.last_pause) == (1, 60.0)
    # the script is used up: only our own pause stands in the way
    with pytest.raises(PspRateLimited, match="nothing was sent"):
        adapter.verify_credentials()
    assert adapter.tally.calls == 1


def test_a_short_back_off_is_waited_out(stage):
    adapter, _ = limited_adapter(stage, backoff=0.02)
    stage.faults(error_429=1)
    with pytest.raises(PspRateLimited):
        adapter.verify_credentials()
    assert adapter.verify_credentials()
    assert adapter.tally.waited > 0
    assert adapter.tally.in_a_row == 0


def test_the_limit_stays_when_the_keys_change(stage):
    connection = uuid.uuid4()
    settings = Settings()
    one = registry.adapter(connection, stage.psp, stage.credentials, settings)
    one.verify_credentials()
    two = registry.adapter(connection, stage.psp, stage.wrong_keys(), settings)
    assert two is not one
    assert two.tally.calls == 1


def test_a_refused_key_is_told_from_a_refused_request(stage):
    wrong = stage.adapter_with(stage.wrong_keys())
    with pytest.raises(PspKeyRefused):
        wrong.verify_credentials()
    stage.faults(api_key_expired=True)
    with pytest.raises(PspKeyRefused):
        stage.adapter.refund(RefundRequest("ch_1Nobody000", "r", "refund-nobody"))


# --- webhooks ----------------------------------------------------------------------------------


def test_a_real_webhook_is_ours_and_a_changed_or_foreign_one_is_not(stage):
    prefix = {"stripe": "acct_", "razorpay": "acc_"}[stage.psp]
    owner = STAGES[stage.psp](stage.sandbox, f"{prefix}hooks")
    hook = Receiver()
    try:
        named = {"psp": stage.psp.value, "account_id": owner.account["account_id"]}
        stage.sandbox.ask("PUT", "endpoints", **named, url=hook.url)
        owner.failing_debt()
        stage.advance(hours=2)
        stage.sandbox.ask("PUT", "endpoints", **named, url=None)
        headers, raw = hook.got[-1]
    finally:
        hook.close()
    own = owner.account["webhook_secret"]
    # during a rotation several secrets are valid, in any order
    stage.reader.verify_webhook(raw, headers, ("whsec_newer", own))
    for body, secrets in (
        (raw.replace(b'"id"', b'"iD"', 1), (own,)),
        (raw, (stage.account["webhook_secret"],)),
        (raw, ()),
    ):
        with pytest.raises(SignatureInvalid):
            stage.reader.verify_webhook(body, headers, secrets)
    event = stage.reader.parse_event(json.loads(raw), headers)
    assert event.event_id
    assert event.object_ids
    check_owner(event, stage.psp, owner.account["account_id"], livemode=False)
    if event.account_id is not None:
        with pytest.raises(AccountMismatch):
            check_owner(event, stage.psp, f"{prefix}another", livemode=False)

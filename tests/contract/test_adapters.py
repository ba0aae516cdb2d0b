"""One contract, two adapters: each PSP answers the same questions in the same words, over HTTP."""

from datetime import timedelta

import pytest

from tests.contract.adapter_stages import AMOUNT, BACK, LONG_AGO, STAGES
from tests.contract.sandbox_server import Sandbox
from tinko_pipelines.core.errors import PspRateLimited, PspRejected, PspUnreachable
from tinko_pipelines.core.failures.classifier import classify
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.psp.types import (
    DoorStatus,
    Observation,
    PaymentStatus,
    Ref,
    RefKind,
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    running = Sandbox(tmp_path_factory.mktemp("adapters"))
    running.ask("PUT", "world", seed=7, start=LONG_AGO.isoformat(), obligations=0)
    yield running
    running.close()


@pytest.fixture(params=sorted(STAGES))
def stage(request, sandbox):
    yield STAGES[request.param](sandbox, f"acct_{request.node.name}")
    sandbox.ask("PUT", "faults")


@pytest.fixture
def debt(stage):
    return stage.failing_debt()


def settled(stage, outcome):
    """The outcome once the PSP has decided (Razorpay debits a day after the notice)."""
    if outcome.status is not PaymentStatus.PENDING:
        return outcome.status
    stage.advance(days=5)
    ours = outcome.observation.payments[-1].object_id
    now = stage.adapter.read(outcome.observation.refs)
    return next(one.status for one in now.payments if one.object_id == ours)


def test_the_credentials_are_tried(stage):
    assert stage.adapter.verify_credentials() in stage.account.values()
    with pytest.raises(PspRejected):
        stage.adapter_with(stage.wrong_keys()).verify_credentials()


def test_a_failed_payment_alone_leads_to_the_whole_debt(stage, debt):
    seen = stage.adapter.resolve(stage.reader.observe_object(debt.failed_body))
    assert seen.refs[0] == debt.ref
    assert (seen.due, seen.paid or 0, seen.currency) == (AMOUNT, 0, debt.currency)
    assert seen.due_from is debt.ref.kind
    assert seen.psp_retries is False
    assert seen.has_mandate is True
    assert seen.customer.ref == debt.customer
    assert classify(seen.payments[0].error).category is Category.INSUFFICIENT_FUNDS
    assert [one.object_id for one in seen.payments] == [debt.failed_id]
    assert not seen.payments[0].payer_present


def test_reading_by_any_name_gives_the_same_debt(stage, debt):
    by_debt = stage.adapter.read((debt.ref,))
    by_payment = stage.adapter.read((Ref(RefKind.PAYMENT, debt.failed_id),))
    assert set(by_debt.refs) == set(by_payment.refs)
    for seen in (by_debt, by_payment):
        assert [one.status for one in seen.payments] == [PaymentStatus.FAILED]
        assert seen.due == AMOUNT
        open_doors = [door.object_id for door in seen.doors if door.status is DoorStatus.OPEN]
        assert open_doors == [debt.ref.object_id]


def test_a_charge_goes_through_once_and_is_found_again(stage, debt):
    request = debt.request(stage, "0198a000-0000-7000-8000-000000000001")
    assert stage.adapter.find_attempt(request).status is None
    before = set(stage.payments_made())
    outcome = stage.adapter.charge(request)
    assert outcome.status in (PaymentStatus.SUCCEEDED, PaymentStatus.PENDING)
    assert outcome.sent
    assert debt.ref in outcome.observation.refs
    (made,) = set(stage.payments_made()) - before
    ours = next(one for one in outcome.observation.payments if one.object_id == made)
    assert request.attempt_id in (ours.tinko_attempt, (ours.idempotency_key or "")[6:])
    assert stage.adapter.find_attempt(request).status is outcome.status
    assert settled(stage, outcome) is PaymentStatus.SUCCEEDED
    again = stage.adapter.find_attempt(request)
    assert again.status is PaymentStatus.SUCCEEDED
    assert again.observation.payments[-1].object_id == made
    now = stage.adapter.read(outcome.observation.refs)
    assert now.payments[-1].object_id == made
    assert any(door.status is DoorStatus.PAID for door in now.doors)


def test_a_decline_is_an_outcome_with_its_reason(stage, debt):
    request = debt.request(
        stage, "0198a000-0000-7000-8000-000000000002",
        payment_method_ref=stage.bad_instrument(debt),
    )  # fmt: skip
    outcome = stage.adapter.charge(request)
    assert settled(stage, outcome) is PaymentStatus.FAILED
    found = stage.adapter.find_attempt(request)
    assert found.status is PaymentStatus.FAILED
    ours = found.observation.payments[-1]
    assert ours.object_id != debt.failed_id
    assert classify(ours.error).hard


def test_a_lost_answer_is_unknown_and_then_found(stage, debt):
    request = debt.request(stage, "0198a000-0000-7000-8000-000000000003")
    stage.faults(timeout_after_charge=1)
    with pytest.raises(PspUnreachable):
        stage.adapter.charge(request)
    before = stage.payments_made()
    found = stage.adapter.find_attempt(request)
    assert found.status in (PaymentStatus.SUCCEEDED, PaymentStatus.PENDING)
    assert found.observation.payments[-1].object_id in before
    assert debt.ref in found.observation.refs
    assert stage.payments_made() == before  # looking sends nothing


@pytest.mark.parametrize("fault", ["timeout_before_charge", "error_500_before_charge"])
def test_a_call_that_never_arrived_is_unknown_and_not_found(stage, debt, fault):
    request = debt.request(stage, "0198a000-0000-7000-8000-000000000004")
    before = stage.payments_made()
    stage.faults(**{fault: 1})
    with pytest.raises(PspUnreachable):
        stage.adapter.charge(request)
    assert stage.adapter.find_attempt(request).status is None
    assert stage.payments_made() == before


def test_somebody_elses_failed_payment_is_never_taken_for_ours(stage, debt):
    """Even where the caller says neither when it submitted nor what else is known."""
    request = debt.request(
        stage, "0198a000-0000-7000-8000-000000000007", submitted_at=None, known_payments=()
    )
    assert stage.adapter.find_attempt(request).status is None
    made = stage.adapter.charge(request).observation.payments[-1].object_id
    found = stage.adapter.find_attempt(request)
    assert found.observation.payments[-1].object_id == made != debt.failed_id
    other = debt.request(
        stage, "0198a000-0000-7000-8000-000000000008", submitted_at=None, known_payments=()
    )
    assert stage.adapter.find_attempt(other).status is None


def test_an_error_after_charging_is_unknown_and_then_found(stage, debt):
    request = debt.request(stage, "0198a000-0000-7000-8000-000000000005")
    stage.faults(error_500_after_charge=1)
    with pytest.raises(PspUnreachable):
        stage.adapter.charge(request)
    assert stage.adapter.find_attempt(request).status is not None


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("error_429", PspRateLimited),
        ("error_409", PspUnreachable),
        ("outage", PspUnreachable),
        ("api_key_expired", PspRejected),
    ],
)
def test_what_each_refusal_means(stage, debt, fault, raised):
    stage.faults(**{fault: True})
    with pytest.raises(raised):
        stage.adapter.read((debt.ref,))
    stage.faults()
    assert stage.adapter.read((debt.ref,)).due == AMOUNT


def test_an_outage_before_the_charge_is_known_to_have_sent_nothing(stage):
    debt = stage.failing_intent() if stage.psp == "stripe" else stage.failing_debt()
    stage.faults(outage=True)
    outcome = stage.adapter.charge(debt.request(stage, "0198a000-0000-7000-8000-000000000006"))
    assert (outcome.status, outcome.sent) == (None, False)


def test_an_object_of_nobody_is_rejected(stage):
    nobody = {"stripe": "in_1Nobody", "razorpay": "order_NobodyNobody"}[stage.psp]
    kind = {"stripe": RefKind.INVOICE, "razorpay": RefKind.ORDER}[stage.psp]
    with pytest.raises(PspRejected):
        stage.adapter.read((Ref(kind, nobody),))


def test_the_payer_is_led_to_the_debts_own_page(stage, debt):
    seen = stage.adapter.read((debt.ref,))
    before = stage.payments_made()
    way = stage.adapter.hand_over(seen, BACK)
    assert way.door is None  # nothing new was opened
    page = stage.sandbox.post(way.url, **way.fields) if way.post else stage.sandbox.get(way.url)
    assert page.status_code == 200
    assert 'id="pay"' in page.text
    assert stage.payments_made() == before


def test_where_nothing_is_reusable_one_new_door_is_opened_and_can_be_closed(stage, debt):
    seen = stage.adapter.read((debt.ref,))
    bare = Observation(refs=seen.refs, due=seen.due, paid=100, currency=seen.currency,
                       description="March", customer=seen.customer)  # fmt: skip
    way = stage.adapter.hand_over(bare, BACK)
    assert way.door.status is DoorStatus.OPEN
    assert stage.sandbox.get(way.url).status_code == 200
    named = Ref(RefKind(way.door.kind.value), way.door.object_id)
    opened = stage.adapter.read((named,))
    assert debt.ref in opened.refs  # it says whose debt it is
    assert way.door.object_id in {door.object_id for door in opened.doors}
    closed = stage.adapter.close_door(way.door)
    assert closed.status is DoorStatus.CLOSED
    assert stage.adapter.close_door(closed).status is DoorStatus.CLOSED


def test_a_door_that_cannot_be_closed_is_read_back_open(stage, debt):
    (door,) = [
        one for one in stage.adapter.read((debt.ref,)).doors if one.status is DoorStatus.OPEN
    ]
    assert stage.adapter.close_door(door).status is DoorStatus.OPEN


def test_every_payment_of_a_span_is_listed(stage):
    debts = [stage.failing_debt() for _ in range(2)]
    end = stage.now() + timedelta(hours=1)
    start = end - timedelta(days=30)
    listed = list(stage.adapter.list_changes(start, end))
    ids = [one["id"] for one in listed]
    assert len(ids) == len(set(ids))
    assert {debt.failed_id for debt in debts} | {debt.ref.object_id for debt in debts} <= set(ids)
    assert all(not stage.reader.observe_object(one).is_empty for one in listed)
    assert list(stage.adapter.list_changes(start - timedelta(days=30), start)) == []

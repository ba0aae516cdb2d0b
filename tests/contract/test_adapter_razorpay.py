"""What only Razorpay does: notices, new orders, tokens, cycles, links."""

from datetime import timedelta

import pytest

from tests.contract.adapter_stages import AMOUNT, BACK, LONG_AGO, RazorpayStage
from tests.contract.sandbox_server import Sandbox
from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.types import (
    DoorKind,
    Observation,
    PaymentStatus,
    Ref,
    RefKind,
)

ATTEMPT = "0198a000-0000-7000-8000-00000000000a"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    running = Sandbox(tmp_path_factory.mktemp("specifics"))
    running.ask("PUT", "world", seed=7, start=LONG_AGO.isoformat(), obligations=0, never=0.0,
                late=0.0, twice=0.0, disputes=0.0)  # fmt: skip
    yield running
    running.close()


@pytest.fixture
def razored(sandbox, request):
    yield RazorpayStage(sandbox, f"acct_{request.node.name}")
    sandbox.ask("PUT", "faults")


def test_a_retry_is_a_new_order_with_its_notice_our_marks_and_the_same_debt(razored):
    debt = razored.failing_debt()
    request = debt.request(razored, ATTEMPT)
    outcome = razored.adapter.charge(request)
    assert outcome.status is PaymentStatus.PENDING
    (new,) = [ref.object_id for ref in outcome.observation.refs
              if ref.kind is RefKind.ORDER and ref != debt.ref]  # fmt: skip
    order = razored.sdk.order.fetch(new)
    assert order["receipt"] == ATTEMPT
    assert order["notification"]["token_id"] == debt.good
    assert order["notes"]["tinko_attempt"] == ATTEMPT
    assert debt.ref in razored.reader.observe_object(order).refs
    assert outcome.observation.payments[-1].tinko_attempt == ATTEMPT


def test_orders_are_read_oldest_first_so_that_the_last_one_is_handed_over(razored):
    debt = razored.failing_debt()
    bad = razored.bad_instrument(debt)
    refs = {debt.ref}
    for number in range(3):
        attempt = f"0198a000-0000-7000-8000-0000000000{number:02d}"
        made = razored.adapter.charge(debt.request(razored, attempt, payment_method_ref=bad))
        refs |= set(made.observation.refs)
        razored.advance(days=3)
    for given in (sorted(refs, key=str), sorted(refs, key=str, reverse=True)):
        seen = razored.adapter.read(tuple(given))
        orders = [door.object_id for door in seen.doors if door.kind is DoorKind.ORDER]
        newest = razored.sdk.order.all({"count": 1})["items"][0]["id"]
        assert orders[0] == debt.ref.object_id
        assert orders[-1] == newest
        assert razored.adapter.hand_over(seen, BACK).fields["order_id"] == newest


def test_an_emandate_has_no_notice_to_give(razored):
    debt = razored.failing_debt("emandate", notify=False)
    outcome = razored.adapter.charge(debt.request(razored, ATTEMPT))
    assert outcome.status is PaymentStatus.PENDING
    orders = razored.sdk.order.all({"receipt": ATTEMPT})["items"]
    assert [one.get("notification") for one in orders] == [None]


def test_a_upi_order_without_a_notice_is_razorpays_to_retry(razored):
    debt = razored.failing_debt(notify=False)
    seen = razored.adapter.resolve(razored.reader.observe_object(debt.failed_body))
    assert seen.psp_retries is True
    before = razored.sdk.order.all({"count": 100})["count"]
    with pytest.raises(PspRejected):
        razored.adapter.charge(debt.request(razored, ATTEMPT))
    assert razored.sdk.order.all({"count": 100})["count"] == before


def test_a_failed_debit_order_with_an_order_and_no_payment_charged_nobody(razored):
    debt = razored.failing_debt()
    request = debt.request(razored, ATTEMPT)
    razored.faults(outage={"match": "create/recurring", "times": 1})
    with pytest.raises(Exception, match="Razorpay"):
        razored.adapter.charge(request)
    found = razored.adapter.find_attempt(request)
    assert found.status is None
    assert "without a payment" in found.detail
    assert debt.ref in found.observation.refs


def test_a_cancelled_token_is_no_mandate(razored):
    debt = razored.failing_debt()
    token = debt.failed_body["token_id"]
    razored.sdk.token.cancel(debt.customer, token)
    seen = razored.adapter.resolve(razored.reader.observe_object(debt.failed_body))
    assert (seen.has_mandate, seen.mandate_ref) == (False, token)
    with pytest.raises(PspRejected):
        razored.adapter.charge(debt.request(razored, ATTEMPT, payment_method_ref=token))


def test_the_sdks_exception_keeps_what_razorpay_said(razored):
    debt = razored.failing_debt()
    with pytest.raises(PspRejected) as caught:
        razored.adapter.charge(debt.request(razored, ATTEMPT, payment_method_ref="token_None1234"))
    assert caught.value.extra["psp_status"] == 400
    assert caught.value.extra["psp_code"] == "BAD_REQUEST_ERROR"
    assert caught.value.extra["psp_reason"] == "input_validation_failed"


def test_for_a_subscription_no_other_door_is_ever_opened(razored):
    cycle = Observation(
        refs=(Ref(RefKind.SUBSCRIPTION_CYCLE, "sub_AshaAshaAshaAs:1770000000"),),
        due=AMOUNT, paid=0, currency="INR", extra={"subscription": "sub_AshaAshaAshaAs"},
    )  # fmt: skip
    with pytest.raises(PspRejected):
        razored.adapter.hand_over(cycle, BACK)
    assert razored.sdk.payment_link.all({})["payment_links"] == []


def test_a_new_link_is_opened_once_for_one_debt(razored):
    debt = razored.failing_debt()
    bare = Observation(refs=(debt.ref,), due=AMOUNT, paid=0, currency="INR")
    way = razored.adapter.hand_over(bare, BACK)
    with pytest.raises(PspRejected):
        razored.adapter.hand_over(bare, BACK)
    again = Observation(refs=(debt.ref,), due=AMOUNT, currency="INR", doors=(way.door,))
    assert razored.adapter.hand_over(again, BACK).url == way.url


def test_pages_of_a_listing_are_skipped_through(razored):
    for _ in range(103):
        razored.sdk.order.create({"amount": AMOUNT, "currency": "INR"})
    end = razored.now() + timedelta(seconds=1)
    listed = [one["id"] for one in razored.adapter.list_changes(end - timedelta(days=1), end)]
    assert len(listed) == len(set(listed)) == 103


def test_the_sdk_prints_nothing_of_its_own(razored, capfd):
    razored.faults(outage=True)
    with pytest.raises(Exception, match="Razorpay"):
        razored.adapter.verify_credentials()
    assert "Connection" not in capfd.readouterr().out

"""What only one PSP does: superseded intents, sessions, keys; notices, cycles, links."""

import json
from datetime import timedelta

import pytest
import stripe

from tests.contract.adapter_stages import AMOUNT, BACK, LONG_AGO, RazorpayStage, StripeStage
from tests.contract.sandbox_server import Receiver, Sandbox
from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.failures.classifier import classify
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.stripe.doors import hand_over
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorStatus,
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
def striped(sandbox, request):
    yield StripeStage(sandbox, f"acct_{request.node.name}")
    sandbox.ask("PUT", "faults")


@pytest.fixture
def razored(sandbox, request):
    yield RazorpayStage(sandbox, f"acct_{request.node.name}")
    sandbox.ask("PUT", "faults")


def doors(seen):
    return {door.object_id: door.status for door in seen.doors}


# --- Stripe -----------------------------------------------------------------------------------


def test_a_payment_intent_is_confirmed_again_and_never_made_anew(striped):
    debt = striped.failing_intent()
    request = debt.request(striped, ATTEMPT)
    outcome = striped.adapter.charge(request)
    assert outcome.status is PaymentStatus.SUCCEEDED
    assert outcome.observation.payments[-1].idempotency_key == request.idempotency_key
    assert {one.door for one in outcome.observation.payments} == {debt.ref.object_id}
    # the same key answers the same, and charges nobody
    again = striped.adapter.charge(request)
    assert again.observation.payments[-1] == outcome.observation.payments[-1]
    assert len(striped.payments_made()) == 2
    assert len(striped.sdk.v1.payment_intents.list({}).data) == 1


def test_a_canceled_payment_intent_is_superseded_by_one_new_one_of_the_same_debt(striped):
    debt = striped.failing_intent()
    striped.sdk.v1.payment_intents.cancel(debt.ref.object_id)
    request = debt.request(striped, ATTEMPT)
    outcome = striped.adapter.charge(request)
    assert outcome.status is PaymentStatus.SUCCEEDED
    intents = [ref for ref in outcome.observation.refs if ref.kind is RefKind.PAYMENT_INTENT]
    assert debt.ref in intents
    assert len(intents) == 2
    found = striped.adapter.find_attempt(request)
    assert found.observation.payments[0].object_id == outcome.observation.payments[-1].object_id
    # whoever hears of the new charge first knows whose debt it is
    new = striped.sdk.v1.charges.retrieve(found.observation.payments[0].object_id).to_dict()
    assert debt.ref in striped.reader.observe_object(new).refs


def test_another_amount_than_the_intents_is_not_charged(striped):
    debt = striped.failing_intent()
    with pytest.raises(PspRejected):
        striped.adapter.charge(debt.request(striped, ATTEMPT, amount=AMOUNT - 1))
    assert striped.payments_made() == [debt.failed_id]


def test_a_card_that_wants_its_owner_fails_off_session(striped):
    debt = striped.failing_intent()
    card = striped.sdk.v1.payment_methods.attach(
        "pm_card_authenticationRequired", {"customer": debt.customer}
    )
    outcome = striped.adapter.charge(debt.request(striped, ATTEMPT, payment_method_ref=card.id))
    assert outcome.status is PaymentStatus.FAILED
    error = outcome.observation.payments[-1].error
    assert classify(error).category is Category.AUTHENTICATION_REQUIRED


def test_stripes_own_retries_are_seen(striped):
    debt = striped.failing_debt()
    striped.sdk.v1.invoices.update(debt.ref.object_id, {"auto_advance": True})
    assert striped.adapter.read((debt.ref,)).psp_retries is True


def test_the_intent_of_an_invoice_is_no_door_beside_it(striped):
    debt = striped.failing_debt()
    seen = striped.adapter.read((debt.ref,))
    (intent,) = [door for door in seen.doors if door.kind is DoorKind.PAYMENT_INTENT]
    assert intent.status is DoorStatus.CLOSED
    assert striped.adapter.close_door(intent).status is DoorStatus.CLOSED


def failing_session(stage):
    """A merchant's open session; its payer's saved card was declined there."""
    v1 = stage.sdk.v1
    customer, bad, _ = stage.customer()
    v1.customers.update(customer, {"invoice_settings": {"default_payment_method": bad}})
    price = {"currency": "usd", "unit_amount": AMOUNT, "product_data": {"name": "March"}}
    made = v1.checkout.sessions.create(
        {"mode": "payment", "success_url": BACK, "customer": customer,
         "line_items": [{"quantity": 1, "price_data": price}]}
    )  # fmt: skip
    stage.sandbox.post(made.url, card="saved")
    return made


def test_an_intent_owned_by_a_session_goes_to_the_payer(striped):
    made = failing_session(striped)
    (charge,) = striped.sdk.v1.charges.list({}).data
    assert charge.status == "failed"
    seen = striped.adapter.resolve(striped.reader.observe_object(charge.to_dict()))
    assert seen.refs[0] == Ref(RefKind.CHECKOUT_SESSION, made.id)
    assert seen.has_mandate is False
    intent = next(ref.object_id for ref in seen.refs if ref.kind is RefKind.PAYMENT_INTENT)
    assert doors(seen) == {made.id: DoorStatus.OPEN, intent: DoorStatus.CLOSED}
    assert striped.adapter.hand_over(seen, BACK).url == made.url
    (failed,) = seen.payments
    assert failed.payer_present
    gone = striped.adapter.close_door(seen.doors[0])
    assert gone.status is DoorStatus.CLOSED
    assert striped.sdk.v1.payment_intents.retrieve(intent).status == "canceled"


def test_the_sandbox_has_a_page_for_a_bare_intent_and_leads_back(striped):
    debt = striped.failing_intent()
    seen = striped.adapter.read((debt.ref,))
    way = striped.adapter.hand_over(seen, BACK)
    assert way.door is None
    assert 'id="pay"' in striped.sandbox.get(way.url).text
    paid = striped.sandbox.post(way.url, card="new")
    assert paid.headers["location"].startswith(BACK)
    now = striped.adapter.read((debt.ref,))
    assert {(one.status.value, one.payer_present) for one in now.payments} == {
        ("failed", False), ("succeeded", True),
    }  # fmt: skip
    assert doors(now) == {debt.ref.object_id: DoorStatus.PAID}


def test_stripe_itself_has_no_page_for_an_intent_so_it_is_closed_before_a_session_opens(striped):
    debt = striped.failing_intent()
    calls = StripeCalls(striped.credentials, 10)
    seen = striped.adapter.read((debt.ref,))
    way = hand_over(calls, seen, BACK, sandbox=None)
    assert way.door.kind is DoorKind.CHECKOUT_SESSION
    intent = striped.sdk.v1.payment_intents.retrieve(debt.ref.object_id)
    assert intent.status == "canceled"
    # asked again after a crash: the same session, no second one
    assert hand_over(calls, seen, BACK, sandbox=None).door.object_id == way.door.object_id
    now = striped.adapter.read((debt.ref, Ref(RefKind.CHECKOUT_SESSION, way.door.object_id)))
    assert doors(now) == {debt.ref.object_id: DoorStatus.CLOSED,
                          way.door.object_id: DoorStatus.OPEN}  # fmt: skip
    assert striped.adapter.hand_over(now, BACK).url == way.url


def test_a_paid_intent_is_not_replaced_by_a_session(striped):
    debt = striped.failing_intent()
    seen = striped.adapter.read((debt.ref,))
    striped.sdk.v1.payment_intents.confirm(debt.ref.object_id, {"payment_method": debt.good})
    with pytest.raises(PspRejected):
        hand_over(StripeCalls(striped.credentials, 10), seen, BACK, sandbox=None)
    assert striped.sdk.v1.checkout.sessions.list({}).data == []


def test_a_refund_object_leads_to_what_is_refunded_in_all(striped):
    debt = striped.failing_intent()
    paid = striped.adapter.charge(debt.request(striped, ATTEMPT)).observation.payments[-1]
    for amount in (1000, 500):
        made = striped.sdk.v1.refunds.create({"charge": paid.object_id, "amount": amount})
    seen = striped.adapter.resolve(striped.reader.observe_object(made.to_dict()))
    refunded = {one.object_id: one.refunded for one in seen.payments}
    assert refunded[paid.object_id] == 1500


def test_an_event_of_our_call_carries_our_key_and_our_signature_check_takes_it(striped):
    hook = Receiver()
    try:
        name = striped.account["account_id"]
        striped.sandbox.ask("PUT", "endpoints", psp="stripe", account_id=name, url=hook.url)
        debt = striped.failing_debt()
        request = debt.request(striped, ATTEMPT)
        made = striped.adapter.charge(request).observation.payments[-1]
        striped.advance(hours=2)
        keys = {}
        for headers, raw in hook.got:
            striped.reader.verify_webhook(raw, headers, (striped.account["webhook_secret"],))
            for one in striped.reader.observe_event(json.loads(raw)).payments:
                keys[one.object_id] = one.idempotency_key
        assert keys[made.object_id] == request.idempotency_key
        assert keys[debt.failed_id] != request.idempotency_key
    finally:
        hook.close()


def test_a_key_in_use_with_other_parameters_is_refused(striped):
    debt = striped.failing_debt()
    request = debt.request(striped, ATTEMPT)
    striped.adapter.charge(request)
    other = debt.request(striped, ATTEMPT, payment_method_ref=striped.bad_instrument(debt))
    with pytest.raises(PspRejected):
        striped.adapter.charge(other)


def test_lists_are_read_to_the_end(striped):
    customer = striped.sdk.v1.customers.create({"email": "someone@example.com"})
    calls = StripeCalls(striped.credentials, 10)
    for number in range(103):
        calls.post("/v1/payment_intents", amount=1000 + number, currency="usd",
                   customer=customer.id)  # fmt: skip
    listed = [one["id"] for one in calls.pages("/v1/payment_intents", customer=customer.id)]
    assert len(listed) == len(set(listed)) == 103


# --- Razorpay ---------------------------------------------------------------------------------


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


def test_stripes_card_error_is_an_outcome_only_for_charges(striped):
    with pytest.raises(stripe.StripeError):
        striped.sdk.v1.invoices.retrieve("in_1Nobody")
    with pytest.raises(PspRejected):
        striped.adapter.charge(striped.failing_debt().request(striped, ATTEMPT, door_id="in_1No"))

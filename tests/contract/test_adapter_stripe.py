"""What only Stripe does: intents superseded, sessions, keys, events of our own calls."""

import json

import pytest
import stripe

from tests.contract.adapter_stages import AMOUNT, BACK, LONG_AGO, StripeStage
from tests.contract.sandbox_server import Receiver, Sandbox
from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.failures.classifier import classify
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.stripe.doors import hand_over
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorStatus,
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


def doors(seen):
    return {door.object_id: door.status for door in seen.doors}


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


def test_stripes_card_error_is_an_outcome_only_for_charges(striped):
    with pytest.raises(stripe.StripeError):
        striped.sdk.v1.invoices.retrieve("in_1Nobody")
    with pytest.raises(PspRejected):
        striped.adapter.charge(striped.failing_debt().request(striped, ATTEMPT, door_id="in_1No"))

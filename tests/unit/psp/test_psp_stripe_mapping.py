"""What Stripe's objects and events say of a debt."""

from datetime import UTC, datetime

import pytest

from tests.unit.psp.psp_payloads import stripe_event, stripe_object
from tinko_pipelines.core.failures.classifier import classify
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen
from tinko_pipelines.core.psp.subscriptions import SubscriptionStanding as Stands
from tinko_pipelines.core.psp.types import (
    DoorKind,
    DoorStatus,
    PaymentStatus,
    Psp,
    Ref,
    RefKind,
)

READER = registry.reader(Psp.STRIPE)


def failed_charge(**changes):
    made = stripe_object(
        "charge",
        status="failed",
        captured=False,
        amount_captured=0,
        paid=False,
        failure_code="card_declined",
        failure_message="Your card has insufficient funds.",
        payment_intent="pi_1AshaMarch",
        customer="cus_Asha",
        payment_method="pm_AshaVisa",
        payment_method_details__card__checks__cvc_check=None,
    )
    made["outcome"] = {
        "type": "issuer_declined",
        "reason": "insufficient_funds",
        "network_decline_code": "51",
        "network_advice_code": "02",
        "advice_code": "try_again_later",
        "seller_message": "The bank returned the decline code `insufficient_funds`.",
    }
    return made | changes


def test_a_failed_charge_is_an_attempt_with_its_reason():
    about = failed_charge()
    seen = READER.observe_event(stripe_event("charge.failed", about))
    assert seen.refs == (
        Ref(RefKind.PAYMENT_INTENT, "pi_1AshaMarch"),
        Ref(RefKind.PAYMENT, about["id"]),
    )
    assert seen.due is None  # the PaymentIntent or the invoice says that
    (one,) = seen.payments
    assert (one.status, one.amount, one.currency) == (PaymentStatus.FAILED, 100, "USD")
    assert (one.instrument_key, one.payment_method_ref) == ("fpAshaVisa000001", "pm_AshaVisa")
    assert (one.method, one.network, one.country) == ("card", "visa", "US")
    assert one.door == "pi_1AshaMarch"
    assert not one.payer_present
    assert one.updated_at.timestamp() == 1760000500
    assert one.occurred_at.timestamp() == 1760000000
    error = one.error
    assert (error.code, error.decline_code) == ("card_declined", "insufficient_funds")
    assert (error.network_decline_code, error.network_advice_code) == ("51", "02")
    assert error.advice_code == "try_again_later"
    assert classify(error).category is Category.INSUFFICIENT_FUNDS


def test_what_stripe_blocked_itself_is_a_reason_and_no_decline_code():
    about = failed_charge(
        outcome={"type": "blocked", "reason": "highest_risk_level", "network_decline_code": None}
    )
    error = READER.observe_object(about).payments[0].error
    assert error.decline_code is None
    assert classify(error).category is Category.FRAUD_RISK


def test_only_the_card_code_says_that_the_payer_was_there():
    there = stripe_object("charge")
    assert READER.observe_object(there).payments[0].payer_present
    for other in (None, "fail", "unavailable", "unchecked"):
        away = stripe_object("charge", payment_method_details__card__checks__cvc_check=other)
        assert not READER.observe_object(away).payments[0].payer_present


@pytest.mark.parametrize(
    ("changes", "status", "amount"),
    [
        ({"status": "succeeded"}, PaymentStatus.SUCCEEDED, 100),
        ({"status": "succeeded", "amount_captured": 40}, PaymentStatus.SUCCEEDED, 40),
        ({"status": "succeeded", "captured": False}, PaymentStatus.AUTHORIZED, 100),
        ({"status": "pending"}, PaymentStatus.PENDING, 100),
    ],
)
def test_how_a_charge_stands(changes, status, amount):
    one = READER.observe_object(stripe_object("charge", **changes)).payments[0]
    assert (one.status, one.amount) == (status, amount)
    assert one.error is None


def test_refunds_and_disputes_of_a_charge_are_seen_on_it():
    about = stripe_object("charge", amount_refunded=30, disputed=True)
    one = READER.observe_event(stripe_event("charge.refunded", about)).payments[0]
    assert (one.refunded, one.disputed, one.status) == (30, True, PaymentStatus.SUCCEEDED)


def test_the_calls_key_is_the_charges_only_where_the_call_made_it():
    call = {"id": "req_1", "idempotency_key": "tinko-42"}
    made = READER.observe_event(stripe_event("charge.failed", failed_charge(), request=call))
    assert made.payments[0].idempotency_key == "tinko-42"
    refunded = READER.observe_event(stripe_event("charge.refunded", failed_charge(), request=call))
    assert refunded.payments[0].idempotency_key is None


def test_our_mark_is_read_from_metadata():
    about = stripe_object("charge", metadata={"tinko_attempt": "a1", "tinko_debt": "in_Old"})
    seen = READER.observe_object(about)
    assert seen.payments[0].tinko_attempt == "a1"
    assert seen.refs[-1] == Ref(RefKind.INVOICE, "in_Old")


@pytest.mark.parametrize(
    ("advance", "collection", "retries"),
    [
        (True, "charge_automatically", True),
        (True, "send_invoice", False),
        (False, "charge_automatically", False),
    ],
)
def test_who_retries_an_invoice(advance, collection, retries):
    about = stripe_object("invoice", auto_advance=advance, collection_method=collection)
    seen = READER.observe_event(stripe_event("invoice.payment_failed", about))
    assert seen.psp_retries is retries


def test_an_invoice_says_what_is_due_and_where_to_pay_it():
    about = stripe_object("invoice", default_payment_method="pm_AshaVisa", currency="jpy")
    seen = READER.observe_object(about)
    assert seen.refs == (Ref(RefKind.INVOICE, about["id"]),)
    assert (seen.due, seen.paid, seen.currency) == (1000, 0, "JPY")
    assert seen.due_from is RefKind.INVOICE
    (door,) = seen.doors
    assert (door.kind, door.status) == (DoorKind.INVOICE, DoorStatus.OPEN)
    assert door.url == "https://invoice.example/i/asha"
    assert (seen.has_mandate, seen.mandate_ref) == (True, "pm_AshaVisa")
    assert seen.customer.email == "asha.rao@example.com"
    assert seen.description == "Plan Gold, March"


@pytest.mark.parametrize(
    ("status", "door", "terminal"),
    [
        ("paid", DoorStatus.PAID, None),
        ("void", DoorStatus.CLOSED, "void"),
        ("uncollectible", DoorStatus.CLOSED, "uncollectible"),
    ],
)
def test_how_an_invoice_stands(status, door, terminal):
    seen = READER.observe_object(stripe_object("invoice", status=status))
    assert (seen.doors[0].status, seen.terminal) == (door, terminal)


def test_a_draft_is_no_door_yet():
    assert READER.observe_object(stripe_object("invoice", status="draft")).doors == ()


def test_a_payment_intent_knows_a_method_stored_with_a_customer():
    method = stripe_object("payment_method", customer="cus_Asha")
    about = stripe_object("payment_intent", last_payment_error={"payment_method": method})
    seen = READER.observe_event(stripe_event("payment_intent.payment_failed", about))
    assert (seen.has_mandate, seen.mandate_ref) == (True, method["id"])
    method["customer"] = None
    loose = READER.observe_event(stripe_event("payment_intent.payment_failed", about))
    assert (loose.has_mandate, loose.mandate_ref) == (None, None)
    assert loose.payments == ()  # its charge speaks for itself


@pytest.mark.parametrize(
    ("status", "door"),
    [
        ("requires_payment_method", DoorStatus.OPEN),
        ("processing", DoorStatus.OPEN),
        ("succeeded", DoorStatus.PAID),
        ("canceled", DoorStatus.CLOSED),
    ],
)
def test_how_a_payment_intent_stands(status, door):
    seen = READER.observe_object(stripe_object("payment_intent", status=status))
    assert seen.doors[0].status is door


@pytest.mark.parametrize(
    ("status", "payment_status", "door", "paid"),
    [
        ("open", "unpaid", DoorStatus.OPEN, 0),
        ("expired", "unpaid", DoorStatus.CLOSED, 0),
        ("complete", "paid", DoorStatus.PAID, 4900),
        ("complete", "unpaid", DoorStatus.OPEN, 0),  # a slow method: the money may come
    ],
)
def test_how_a_session_stands(status, payment_status, door, paid):
    about = stripe_object("checkout.session", status=status, payment_status=payment_status)
    seen = READER.observe_object(about)
    assert (seen.doors[0].status, seen.due, seen.paid) == (door, 4900, paid)
    assert seen.customer.language == "hi"


def test_a_session_that_only_saves_a_card_is_no_debt():
    assert READER.observe_object(stripe_object("checkout.session", mode="setup")).is_empty


def test_refund_and_dispute_objects_name_the_charge_to_read():
    for kind, name in (("refund.failed", "refund"), ("charge.dispute.created", "dispute")):
        about = stripe_object(name, payment_intent="pi_1AshaMarch")
        seen = READER.observe_event(stripe_event(kind, about))
        assert Ref(RefKind.PAYMENT, about["charge"]) in seen.refs
        assert seen.payments == ()
        assert seen.extra[f"{name}_amount"] == str(about["amount"])


def test_what_takes_a_mandate_away():
    gone = READER.observe_event(
        stripe_event("payment_method.detached", stripe_object("payment_method"))
    )
    assert gone.mandate_lost == stripe_object("payment_method")["id"]


@pytest.mark.parametrize(
    ("kind", "status", "pause", "standing"),
    [
        ("deleted", "active", None, Stands.CANCELLED),
        ("updated", "canceled", None, Stands.CANCELLED),
        ("updated", "incomplete_expired", None, Stands.CANCELLED),
        ("paused", "paused", None, Stands.PAUSED),
        ("updated", "active", {"behavior": "void"}, Stands.PAUSED),
        ("updated", "past_due", None, Stands.LIVE),
        ("resumed", "active", None, Stands.LIVE),
    ],
)
def test_how_a_subscription_stands_and_since_when(kind, status, pause, standing):
    about = stripe_object(
        "subscription", id="sub_1", status=status, pause_collection=pause, latest_invoice="in_1"
    )
    seen = READER.observe_event(stripe_event(f"customer.subscription.{kind}", about))
    at = datetime.fromtimestamp(1760000500, UTC)
    assert seen.subscription == SubscriptionSeen("sub_1", standing, at, "in_1")
    assert seen.refs == ()


@pytest.mark.parametrize(
    "names",
    [
        {"parent__subscription_details__subscription": "sub_1"},
        {"parent": None, "subscription": "sub_1"},
    ],
)
def test_an_invoice_names_the_subscription_that_made_it(names):
    seen = READER.observe_object(stripe_object("invoice", **names))
    assert seen.subscription == SubscriptionSeen("sub_1")


@pytest.mark.parametrize("about", ["id", [], None, {"id": 7}, {"object": "charge"}])
def test_bodies_that_are_no_objects_say_nothing(about):
    assert READER.observe_event(stripe_event("charge.failed", about)).is_empty


@pytest.mark.parametrize(
    ("reason", "terminal"),
    [("requested_by_customer", "void"), (None, "void"), ("automatic", None), ("abandoned", None)],
)
def test_an_intent_that_a_person_canceled_is_given_up(reason, terminal):
    intent = {"id": "pi_1", "object": "payment_intent", "amount": 500, "currency": "usd",
              "created": 1, "status": "canceled", "cancellation_reason": reason}  # fmt: skip
    assert READER.observe_object(intent).terminal == terminal


def test_who_owes_it_where_and_the_merchants_words_for_them():
    billing = {"name": "Asha", "email": None, "phone": None, "address": {"country": "in"}}
    metadata = {"tinko_tags": "vip, annual plan,,vip"}
    about = failed_charge(billing_details=billing, metadata=metadata)
    payer = READER.observe_event(stripe_event("charge.failed", about)).customer
    assert (payer.country, payer.tags) == ("IN", ("vip", "annual plan"))
    nobody = READER.observe_event(
        stripe_event("charge.failed", failed_charge(billing_details={"address": {"country": 7}}))
    ).customer
    assert (nobody.country, nobody.tags) == (None, None)

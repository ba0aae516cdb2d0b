"""What Razorpay's entities and events say of a debt."""

from datetime import UTC, datetime

import pytest

from tests.unit.psp.psp_payloads import razorpay_event
from tinko_pipelines.core.guards.cycles import Frequency
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

READER = registry.reader(Psp.RAZORPAY)


def entity(label, name="payment"):
    return razorpay_event(label)["payload"][name]["entity"]


def debit(**changes):
    return entity("payment.failed") | {
        "method": "upi",
        "token_id": "token_AshaUpi",
        "customer_id": "cust_Asha",
        **changes,
    }


def order(**changes):
    return entity("order.paid", "order") | {"status": "attempted", "amount_paid": 0, **changes}


def test_a_failed_payment_keeps_the_five_error_fields():
    body = razorpay_event("payment.failed")
    seen = READER.observe_event(body)
    (one,) = seen.payments
    assert one.status is PaymentStatus.FAILED
    assert (one.amount, one.currency, one.method) == (150000, "INR", "netbanking")
    assert (one.error.code, one.error.reason) == ("BAD_REQUEST_ERROR", "payment_failed")
    assert (one.error.source, one.error.step) == ("bank", "payment_authorization")
    assert one.error.description == "Payment failed"
    assert one.updated_at.timestamp() == body["created_at"]
    assert [ref.kind for ref in seen.refs] == [RefKind.ORDER, RefKind.PAYMENT]
    assert seen.due is None  # the order says that


def test_no_token_means_the_payer_was_there():
    there = READER.observe_object(entity("payment.failed")).payments[0]
    away = READER.observe_object(debit())
    assert there.payer_present
    assert there.instrument_key is None
    assert not away.payments[0].payer_present
    assert away.payments[0].instrument_key == "token_AshaUpi"
    assert (away.mandate_ref, away.has_mandate) == ("token_AshaUpi", None)
    assert away.customer.ref == "cust_Asha"


@pytest.mark.parametrize(
    ("status", "token", "expected"),
    [
        ("created", None, PaymentStatus.CREATED),
        ("created", "token_AshaUpi", PaymentStatus.PENDING),
        ("pending", None, PaymentStatus.PENDING),
        ("authorized", None, PaymentStatus.AUTHORIZED),
        ("captured", None, PaymentStatus.SUCCEEDED),
        ("refunded", None, PaymentStatus.SUCCEEDED),
        ("failed", None, PaymentStatus.FAILED),
        ("queued", "token_AshaUpi", PaymentStatus.PENDING),  # a word we do not know is no failure
    ],
)
def test_how_a_payment_stands(status, token, expected):
    assert (
        READER.observe_object(debit(status=status, token_id=token)).payments[0].status is expected
    )


@pytest.mark.parametrize(("captured", "lapsed"), [(False, True), (True, False), (None, False)])
def test_what_is_given_back_without_being_captured_lapsed(captured, lapsed):
    (seen,) = READER.observe_object(debit(status="refunded", captured=captured)).payments
    assert seen.lapsed is lapsed


def test_our_notes_name_the_attempt_and_the_debt():
    notes = {"tinko_attempt": "a1", "tinko_debt": "order_Earlier"}
    seen = READER.observe_object(debit(notes=notes))
    assert seen.payments[0].tinko_attempt == "a1"
    assert Ref(RefKind.ORDER, "order_Earlier") in seen.refs
    assert READER.observe_object(order(notes=notes)).refs[-1].object_id == "order_Earlier"


def event(**entities):
    return {
        "event": "payment.failed",
        "created_at": 1700000000,
        "payload": {name: {"entity": one} for name, one in entities.items()},
    }


@pytest.mark.parametrize(
    ("payment", "notification", "retries"),
    [
        (debit(), None, True),
        (debit(), {"token_id": "token_AshaUpi"}, False),
        (debit(method="emandate"), None, False),
        (debit(token_id=None), None, None),
    ],
)
def test_who_retries_an_order(payment, notification, retries):
    ordered = order() | ({"notification": notification} if notification else {})
    assert READER.observe_event(event(payment=payment, order=ordered)).psp_retries is retries


@pytest.mark.parametrize("amount", [0, 100])
@pytest.mark.parametrize(
    ("said", "often"),
    [
        ({"frequency": "monthly", "max_amount": 5600}, Frequency.MONTHLY),
        ({"frequency": "as_presented"}, Frequency.AS_PRESENTED),
        ({"frequency": "every blue moon"}, None),
        ({"max_amount": 9999900}, None),  # an e-mandate
    ],
)
def test_the_order_that_registers_a_mandate_says_how_often_it_is_debited(amount, said, often):
    registered = order() | {"amount": amount, "token": said}
    seen = READER.observe_event(event(payment=debit() | {"amount": amount}, order=registered))
    assert seen.mandate_frequency is often
    assert seen.mandate_ref == debit()["token_id"]
    assert seen.is_empty is (amount == 0 and often is None)
    assert bool(seen.refs) is (amount > 0)


def test_news_of_a_token_say_how_often_it_is_debited_where_the_token_does():
    for kind, name in [("token.confirmed", "mandate_restored"), ("token.paused", "mandate_lost")]:
        token = {"id": "token_1", "entity": "token", "frequency": "weekly"}
        told = event(token=token) | {"event": kind}
        seen = READER.observe_event(told)
        assert getattr(seen, name) == seen.mandate_ref == "token_1"
        assert seen.mandate_frequency is Frequency.WEEKLY
        del token["frequency"]
        seen = READER.observe_event(told)
        assert (getattr(seen, name), seen.mandate_ref) == ("token_1", None)


def test_precedence_invoice_then_order_then_payment():
    seen = READER.observe_event(razorpay_event("invoice.partially_paid"))
    kinds = [ref.kind for ref in seen.refs]
    assert kinds == [RefKind.INVOICE, RefKind.ORDER, RefKind.PAYMENT, RefKind.PAYMENT]
    invoice = entity("invoice.partially_paid", "invoice")
    assert (seen.due, seen.paid) == (invoice["amount"], invoice["amount_paid"])
    assert seen.due_from is RefKind.INVOICE
    assert seen.customer.name == "Asha Rao"


def test_a_payment_link_names_its_order_whatever_its_spelling():
    seen = READER.observe_event(razorpay_event("payment_link.paid"))
    link = entity("payment_link.paid", "payment_link")
    paid = entity("payment_link.paid")
    assert {ref.object_id for ref in seen.refs} == {link["id"], link["order_id"], paid["id"]}
    assert seen.refs[0] == Ref(RefKind.PAYMENT_LINK, link["id"])
    assert {door.status for door in seen.doors} == {DoorStatus.PAID}


@pytest.mark.parametrize("kind", ["payment_link.cancelled", "payment_link.expired"])
def test_a_closed_link_is_a_closed_door_and_the_debt_stands(kind):
    seen = READER.observe_event(razorpay_event(kind))
    assert (seen.doors[0].kind, seen.doors[0].status) == (DoorKind.PAYMENT_LINK, DoorStatus.CLOSED)
    assert seen.terminal is None


def test_a_failing_cycle_is_known_by_its_start():
    for kind in ("subscription.pending", "subscription.halted"):
        found = entity(kind, "subscription")
        seen = READER.observe_event(razorpay_event(kind))
        cycle = f"{found['id']}:{found['current_start']}"
        assert seen.refs == (Ref(RefKind.SUBSCRIPTION_CYCLE, cycle),)
        assert seen.psp_retries is True
        assert seen.cycle_end.timestamp() == found["current_end"]
        assert seen.doors[0].kind is DoorKind.SUBSCRIPTION_CYCLE


def test_a_paid_cycle_is_known_by_its_invoice_and_its_start():
    seen = READER.observe_event(razorpay_event("subscription.charged"))
    found, paid = entity("subscription.charged", "subscription"), entity("subscription.charged")
    assert seen.refs[:2] == (
        Ref(RefKind.INVOICE, paid["invoice_id"]),
        Ref(RefKind.SUBSCRIPTION_CYCLE, f"{found['id']}:{found['current_start']}"),
    )
    assert seen.payments[0].status is PaymentStatus.SUCCEEDED
    cycle = next(door for door in seen.doors if door.kind is DoorKind.SUBSCRIPTION_CYCLE)
    assert cycle.status is DoorStatus.PAID


def test_the_invoice_of_a_subscription_is_its_cycle():
    invoice = entity("invoice.paid: Wallets", "invoice") | {
        "subscription_id": "sub_Asha",
        "billing_start": 1700000000,
        "billing_end": 1702592000,
    }
    seen = READER.observe_object(invoice)
    assert Ref(RefKind.SUBSCRIPTION_CYCLE, invoice["id"]) in seen.refs
    assert Ref(RefKind.SUBSCRIPTION_CYCLE, "sub_Asha:1700000000") in seen.refs
    assert seen.psp_retries is True
    assert seen.doors[0].kind is DoorKind.SUBSCRIPTION_CYCLE


@pytest.mark.parametrize(
    "kind", ["token.paused", "token.rejected", "token.cancelled", "token.cancellation_initiated"]
)
def test_a_lost_token_is_a_lost_mandate(kind):
    body = razorpay_event(kind)
    assert READER.observe_event(body).mandate_lost == body["payload"]["token"]["entity"]["id"]


@pytest.mark.parametrize(
    ("kind", "standing"),
    [("paused", Stands.PAUSED), ("cancelled", Stands.CANCELLED), ("resumed", Stands.LIVE),
     ("updated", Stands.LIVE)],
)  # fmt: skip
def test_a_subscription_that_was_stopped_or_resumed_is_no_debt(kind, standing):
    body = razorpay_event(f"subscription.{kind}")
    seen = READER.observe_event(body)
    name, at = body["payload"]["subscription"]["entity"]["id"], body["created_at"]
    assert seen.subscription == SubscriptionSeen(name, standing, datetime.fromtimestamp(at, UTC))
    assert seen.refs == ()


@pytest.mark.parametrize("kind", ["pending", "halted", "charged", "completed"])
def test_a_subscription_whose_cycle_is_told_of_lives(kind):
    seen = READER.observe_event(razorpay_event(f"subscription.{kind}"))
    assert seen.subscription.standing is Stands.LIVE


def test_whether_the_notice_reached_the_payer():
    good = READER.observe_event(razorpay_event("order.notification.delivered"))
    bad = READER.observe_event(razorpay_event("order.notification.failed"))
    assert good.notice_delivered == good.refs[0].object_id
    assert bad.notice_delivered is None
    assert bad.extra["notice"] == "failed"


@pytest.mark.parametrize(
    ("kind", "disputed"),
    [("created", True), ("under_review", True), ("lost", True), ("won", False), ("closed", False)],
)
def test_a_dispute_stands_until_it_is_won(kind, disputed):
    seen = READER.observe_event(razorpay_event(f"payment.dispute.{kind}"))
    assert seen.payments[0].disputed is disputed


def test_a_refund_says_what_is_refunded_in_all():
    seen = READER.observe_event(razorpay_event("refund.processed"))
    assert seen.payments[0].refunded == entity("refund.processed")["amount_refunded"] == 570000


def test_registering_a_mandate_is_no_debt():
    assert READER.observe_event(razorpay_event("invoice.paid: Paper NACH")).is_empty
    assert READER.observe_event(razorpay_event("payment.captured: Emandate")).is_empty


def test_card_networks_are_spelt_as_the_tables_do():
    for said, ours in (("MasterCard", "mastercard"), ("American Express", "amex"),
                       ("RuPay", "rupay"), ("Unknown", None)):  # fmt: skip
        seen = READER.observe_object(debit(method="card", card={"network": said}))
        assert seen.payments[0].network == ours
        assert seen.payments[0].error.network == ours


def test_addresses_razorpay_made_up_are_none():
    assert READER.observe_object(debit(email="void@razorpay.com")).customer.email is None
